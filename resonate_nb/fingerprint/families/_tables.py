"""SQLAlchemy: tables, mapped classes, statements and rows of mapped classes, by what they were declared to be.

A mapped class counts by its own code and its table's content; what its mapper made of that, and what the library fills
in as things are used (configured mappers, memoized attributes, listeners), does not. No connection is touched, and no
mapper is configured: where that fails once, it fails for good.
"""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable, Mapping
from types import FunctionType
from typing import Any

from .._kinds import names_of
from ..values._containers import attributes
from ..values._instances import attributes_of, content_base
from ..values._reduced import handler_of as handler_of_others
from ..values._walk import Attribute, Children, Handler, Refusal, Walk

_ORM = "sqlalchemy.orm."
_MADE = frozenset({"__mapper__", "__table__", "_sa_class_manager", "_sa_registry", "metadata", "registry"})
"""What a class has from its mapper, or from the base of all mapped classes."""


def handler_of(cls: type) -> Handler:
    """The handler for objects of one class of SQLAlchemy."""
    return subclass_of(cls) or handler_of_others(cls)


def subclass_of(cls: type) -> Handler | None:
    """The handler for a class of types, statements, defaults and the like, or for a mapped class; None for others."""
    if any("_sa_class_manager" in vars(owner) for owner in cls.__mro__):
        return _by(_row)
    for owner in cls.__mro__:
        name = f"{owner.__module__}.{owner.__qualname__}"
        if name in _WHOLE or owner.__name__ == "immutabledict":
            return _content
        if name in _PARTS:
            return _by(_PARTS[name])
    return None


def _by(parts: Callable[[Any], Mapping[str, Any]]) -> Handler:
    def write(walk: Walk, value: Any) -> Children | None:
        if walk.met(value):
            return None
        walk.pen.write(b"declared;")
        walk.token(type(value))
        # Most of what can be declared is not; each part costs a step, at every call of a function that reads it.
        found = parts(value).items()
        return attributes(walk, {name: part for name, part in found if not (part is None or _is_empty(part))})

    return write


def _is_empty(part: object) -> bool:
    return type(part) in (dict, set) and not part


_FILLED = frozenset(
    {
        *("_sa_adapter", "_sa_appender", "_sa_instrumented", "_sa_iterator", "_sa_remover"),
        "_hierarchy_supports_caching",
    }
)
"""What classes of collections and of expressions get when the first of their objects is used."""
_BY_MAPPER = ("orm.attributes.QueryableAttribute", "ext.associationproxy.AssociationProxyInstance")


# Classes ------------------------------------------------------------------------------------------------------------


def declared_members(cls: type, members: dict[str, Any]) -> dict[str, Any]:
    """The members of a class of the user's that are its own, and what its mapper was told in place of the others."""
    found = {name: value for name, value in members.items() if not (_is_theirs(name, value) or is_made(value))}
    init = getattr(members.get("__init__"), "_sa_original_init", None)
    if init is not None:
        del found["__init__"]
        if all(getattr(base, "__init__", None) is not init for base in cls.__bases__):
            found["__init__"] = init
    registry: Any = members.get("registry")
    mapper: Any = members.get("__mapper__")
    if _is_of(registry, "orm.decl_api.registry"):
        found["registry"] = _settings(registry)
    if _is_of(mapper, "orm.mapper.Mapper"):
        found["__table__"], found["__mapper__"] = mapper.local_table, _told(mapper)
    return found


def asked_for(value: object, name: str) -> object | None:
    """The tables that code comes to by an attribute of a mapped class or table; None for anything else."""
    owners = value.__mro__ if isinstance(value, type) else (value,)
    found = next((names_of(owner)[name] for owner in owners if name in names_of(owner)), None)
    return found if _is_of(found, "sql.schema.MetaData") or _is_of(found, "orm.decl_api.registry") else None


def is_made(value: object) -> bool:
    """Whether it is an attribute that a mapper puts into a class, for a backref when mappers are configured."""
    return any(_is_of(value, name) for name in _BY_MAPPER)


def _is_theirs(name: str, value: object) -> bool:
    if name in _FILLED or name.startswith("_generated_"):
        return True
    return name in _MADE and type(value).__module__.partition(".")[0] == "sqlalchemy"


def _is_of(value: object, name: str) -> bool:
    return any(f"{owner.__module__}.{owner.__qualname__}" == f"sqlalchemy.{name}" for owner in type(value).__mro__)


def _settings(registry: Any) -> dict[str, Any]:
    """What a registry is told of all its classes, without these."""
    metadata = registry.metadata
    return {
        "constructor": registry.constructor,
        "types": dict(registry.type_annotation_map),
        "schema": _name(metadata.schema),
        "names": dict(metadata.naming_convention),
    }


_OPTIONS = ("batch", "concrete", "confirm_deleted_rows", "eager_defaults", "polymorphic_identity", "passive_updates")


def _told(mapper: Any) -> dict[str, Any]:
    order = mapper.polymorphic_on, mapper.version_id_col
    return {
        **{name: getattr(mapper, name, None) for name in _OPTIONS},
        "columns": [None if column is None else _by_name(column) for column in order],
        "properties": dict(sorted(mapper._init_properties.items())),
    }


_FLAGS = (
    *("lazy", "innerjoin", "join_depth", "viewonly", "passive_deletes", "passive_updates", "post_update"),
    *("single_parent", "load_on_pending", "active_history", "omit_join", "enable_typechecks", "distinct_target_key"),
    *("collection_class", "query_class", "sync_backref", "_overlaps", "info"),
)


def _relationship(value: Any) -> dict[str, Any]:
    given = {part.name: getattr(part.argument, "arg", part.argument) for part in value._init_args}
    # The two ends of a backref get to know of one another when mappers are configured.
    back = given.pop("back_populates", value.back_populates)
    annotated = any(value.key in vars(owner).get("__annotations__", {}) for owner in value.parent.class_.__mro__)
    # Which way it goes is found out then as well, and sets this where nobody has.
    direction = getattr(getattr(value, "direction", None), "name", "")
    is_one = not annotated and value.uselist is False and direction != "MANYTOONE"
    backref = value.backref
    if type(backref) is tuple:  # where nobody has said so, the other end is told then what holds for this one
        told = ((name, part) for name, part in sorted(backref[1].items()) if part != getattr(value, name, backref))
        backref = backref[0], dict(told)
    return {
        "key": value.key,
        "target": _target(value),
        "given": given,
        "is_one": is_one,
        "cascade": sorted(value._cascade),
        "back": backref or back,
        "flags": {name: getattr(value, name, None) for name in _FLAGS},
    }


def _target(value: Any) -> object:
    """The class at the other end, by which code comes to its methods; its name where there is none yet."""
    target = getattr(value.argument, "arg", value.argument)
    if not isinstance(target, str):
        return getattr(target, "class_", target)
    found = value.parent.registry._class_registry.get(target.rpartition(".")[2])
    if isinstance(found, type) or found is None:
        return target if found is None else found
    return [target, *sorted((each for each in found if isinstance(each, type)), key=lambda each: each.__module__)]


_COLUMN_FLAGS = (
    *("active_history", "deferred", "deferred_group", "deferred_raiseload", "expire_on_flush", "group", "raiseload"),
    *("strategy_key", "info"),
)


def _column_property(value: Any) -> dict[str, Any]:
    flags = {name: getattr(value, name, None) for name in _COLUMN_FLAGS}
    return {"on": list(map(_by_name, value.columns)), "flags": flags}


def _mapped_column(value: Any) -> dict[str, Any]:
    return {"column": value.column, **{name: getattr(value, name, None) for name in _COLUMN_FLAGS}}


def _alias(value: Any) -> dict[str, Any]:
    """A synonym, or several columns as one object."""
    names = ("key", "name", "map_column", "composite_class", "deferred", "group", "active_history", "info")
    parts = [getattr(part, "key", part) for part in getattr(value, "attrs", ())]
    return {"on": parts, **{name: getattr(value, name, None) for name in names}}


def _proxy(value: Any) -> dict[str, Any]:
    """A proxy of other objects' attributes: its key holds its address."""
    return {name: part for name, part in _own(value).items() if name != "key"}


# Tables -------------------------------------------------------------------------------------------------------------


def _table(value: Any) -> dict[str, Any]:
    return {
        "name": (_name(value.name), _name(value.schema)),
        "columns": list(value.columns),
        "constraints": set(value.constraints),
        "indexes": set(value.indexes),
        "prefixes": list(value._prefixes),
        "implicit_returning": value.implicit_returning,
        **_notes(value),
    }


def _column(value: Any) -> dict[str, Any]:
    parts = ("default", "onupdate", "server_default", "server_onupdate", "identity", "computed")
    return {
        "name": (_name(value.name), str(value.key)),
        "type": value.type,
        "flags": (value.primary_key, value.nullable, value.autoincrement, value.unique, value.index, value.system),
        "keys": set(value.foreign_keys),
        "constraints": set(value.constraints),
        **{part: getattr(value, part, None) for part in parts},
        "table": value.table,
        **_notes(value),
    }


def _notes(value: Any) -> dict[str, Any]:
    return {
        "comment": getattr(value, "comment", None),
        "info": _info(value),
        "dialects": dict(sorted(value.dialect_kwargs.items())) if hasattr(value, "dialect_kwargs") else {},
    }


def _info(value: Any) -> dict[str, Any]:
    """What the user has noted; there is none, or an empty one, until it is asked for."""
    noted: dict[str, Any] = names_of(value).get("info") or {}
    return {name: part for name, part in noted.items() if not str(name).startswith("_ext_mutable_")}


_PLACES = frozenset(
    {
        *("column", "constraint", "dispatch", "elements", "expressions", "metadata", "parent", "table", "columns"),
        *("_colspec", "_column_flag", "_columns", "_create_rule", "_creation_order", "_fn", "_given_tokens"),
        *("_implicit_generated", "_memoized_keys", "_pending_colargs", "_table_bound_expressions", "_table_column"),
        *("_type_bound", "_unresolvable", "_unvalidated_dialect_kw", "dialect_options", "_autoincrement_column"),
        *("_event_dispatch", "_set_table", "_bind"),
    }
)
"""Where an object stands and what was noted beside it, which is written by other means or no content."""


def _item(value: Any) -> dict[str, Any]:
    """A constraint, an index, a key, a default: what it was given, and its columns by name."""
    found = {name: part for name, part in _own(value).items() if name not in _PLACES}
    if "name" in found:
        found["name"] = _name(found["name"])
    if "arg" in found:
        found["arg"] = _given_function(found["arg"])
    if hasattr(value, "target_fullname"):
        found["target"] = str(value.target_fullname)
    elif hasattr(value, "expressions"):
        found["on"] = list(map(_by_name, value.expressions))
    elif hasattr(value, "columns"):
        found["on"] = [_name(column.name) for column in value.columns]
    if hasattr(value, "elements"):
        found["keys"] = [str(key.target_fullname) for key in value.elements]
    return found | _notes(value)


def _by_name(part: Any) -> object:
    return _name(part.name) if _is_of(part, "sql.schema.Column") else part


def _given_function(function: Any) -> Any:
    """What a default calls, without the function that SQLAlchemy puts around one that takes nothing."""
    is_around = isinstance(function, FunctionType) and function.__globals__["__name__"].startswith("sqlalchemy.")
    return getattr(function, "__wrapped__", function) if is_around else function


def _metadata(value: Any) -> dict[str, Any]:
    return {
        "schema": _name(value.schema),
        "names": dict(value.naming_convention),
        "tables": [value.tables[name] for name in sorted(value.tables)],
        "sequences": [value._sequences[name] for name in sorted(value._sequences)],
        "info": _info(value),
    }


def _type(value: Any) -> dict[str, Any]:
    return {name: part for name, part in _own(value).items() if name not in ("dispatch", "metadata")}


def _own(value: Any) -> dict[str, Any]:
    """The attributes of an object by name, without those that it keeps to answer faster."""
    cls: Any = type(value)
    kept = _memoized(cls)
    return {name: part for name, part in sorted(attributes_of(value).items()) if name not in kept}


@functools.lru_cache(maxsize=512)
def _memoized(cls: Any) -> frozenset[str]:
    return frozenset(
        name
        for owner in cls.__mro__
        for name, member in vars(owner).items()
        if isinstance(member, FunctionType) or "memoized" in type(member).__name__
    )


def _name(value: Any) -> object:
    """A name as text, with whether it is to be quoted."""
    if not isinstance(value, str):
        return None if value is None else str(value)
    quote = getattr(value, "quote", None)
    return str.__str__(value) if quote is None else (str.__str__(value), quote)


# Statements ---------------------------------------------------------------------------------------------------------


def _statement(value: Any) -> dict[str, Any]:
    """By what SQLAlchemy itself takes for the identity of a statement, the values in it, and their types."""
    key = value._generate_cache_key()
    if key is None:
        raise Refusal("SQLAlchemy knows no key for it; pass its text and its values")
    types: Any = sys.modules["sqlalchemy"].types.TypeEngine
    elements = list(sys.modules["sqlalchemy"].sql.visitors.iterate(value)) if hasattr(value, "get_children") else ()
    return {
        "key": _ordered(key.key, types),
        "values": [bind.effective_value for bind in key.bindparams],
        "names": [None if bind.unique else _name(bind.key) for bind in key.bindparams],
        # The key does not tell the members of an Enum. Those of a column are in its table.
        "types": [getattr(part, "type", None) for part in elements if not _is_of(part, "sql.schema.Column")],
        "options": dict(names_of(value).get("_execution_options", {})),
    }


def _ordered(key: Any, types: type) -> Any:
    """The same key, with the parameters of types in an order that is no accident of hashing."""
    if type(key) is not tuple:
        return key
    parts = [_ordered(part, types) for part in key]
    if parts and isinstance(parts[0], type) and issubclass(parts[0], types):
        parts[1:] = sorted(parts[1:], key=lambda part: str(part[0]) if type(part) is tuple and part else "")
    return tuple(parts)


# Rows ---------------------------------------------------------------------------------------------------------------


def _row(value: Any) -> dict[str, Any]:
    """An object of a mapped class, with what is loaded of it."""
    found = dict(sorted(attributes_of(value).items()))
    state: Any = found.pop("_sa_instance_state", None)
    if state is not None and state.key is not None:
        for name, prop in state.manager.mapper._props.items():
            if name not in found and _is_of(prop, "orm.properties.ColumnProperty"):
                raise Refusal(
                    f"its `{name}` is still in the database; pass it after session.refresh(), or make the session with "
                    "expire_on_commit=False"
                )
    return found


def _content(walk: Walk, value: Any) -> Children | None:
    """A list, dict or set of a mapped object, without its ties to that object; a name, with what is said of it."""
    if walk.met(value):
        return None
    walk.pen.write(b"content;")
    walk.token(type(value))
    return _content_parts(walk, value)


def _content_parts(walk: Walk, value: Any) -> Children:
    base = content_base(type(value))
    if base is not object:
        yield Attribute("content"), str.__str__(value) if base is str else base(value)
    own = attributes_of(value)
    yield from attributes(walk, {name: own[name] for name in sorted(own.keys() - {"_parents", "_sa_adapter"})})


_WHOLE = frozenset(
    {
        *(f"{_ORM}collections.Instrumented{kind}" for kind in ("Dict", "List", "Set")),
        f"{_ORM}mapped_collection.KeyFuncDict",
        "sqlalchemy.ext.mutable.MutableBase",
    }
)
_PARTS: dict[str, Callable[[Any], Mapping[str, Any]]] = {
    "sqlalchemy.ext.associationproxy.AssociationProxy": _proxy,
    f"{_ORM}attributes.QueryableAttribute": lambda value: {"name": value.key, "class": value.class_},
    f"{_ORM}decl_api.registry": lambda value: {**_settings(value), "metadata": value.metadata},
    f"{_ORM}mapper.Mapper": lambda value: {"class": value.class_},
    f"{_ORM}descriptor_props.DescriptorProperty": _alias,
    f"{_ORM}properties.ColumnProperty": _column_property,
    f"{_ORM}properties.MappedColumn": _mapped_column,
    f"{_ORM}relationships.RelationshipProperty": _relationship,
    f"{_ORM}util.AliasedClass": lambda value: _statement(value._aliased_insp),
    "sqlalchemy.sql.elements.ClauseElement": _statement,
    "sqlalchemy.sql.elements.quoted_name": lambda value: {"text": _name(value)},
    "sqlalchemy.sql.schema.Column": _column,
    "sqlalchemy.sql.schema.FetchedValue": _item,
    "sqlalchemy.sql.schema.MetaData": _metadata,
    "sqlalchemy.sql.schema.SchemaItem": _item,
    "sqlalchemy.sql.schema.Table": _table,
    "sqlalchemy.sql.type_api.TypeEngine": _type,
}
