"""A class, member by member: its source is not asked for, since Python cannot give it for a class of a cell."""

from __future__ import annotations

import abc
import dataclasses
import enum
import re
import types
from types import FunctionType
from typing import Any

from .._kinds import function_of, is_a
from .._package import Origin, binary_of, origin_of_function, origin_of_module
from ..families._packages import declared_members
from ._nodes import Node, Walk, any_token, is_users
from ._tree import digest_texts

_ADDRESS = re.compile(r" at 0x[0-9a-fA-F]+")
# What Python writes into every class, or derives from what is counted.
_SILENT = frozenset(
    {
        "__abstractmethods__",
        "__annotate__",
        "__annotate_func__",
        "__annotations__",
        "__annotations_cache__",
        "__classcell__",
        "__dataclass_fields__",
        "__dict__",
        "__doc__",
        "__firstlineno__",
        "__module__",
        "__orig_bases__",
        "__parameters__",
        "__pydantic_core_schema__",  # these three hold addresses
        "__pydantic_serializer__",
        "__pydantic_validator__",
        "__qualname__",
        "__slotnames__",  # copyreg writes it when an instance is pickled
        "__static_attributes__",
        "__type_params__",
        "__weakref__",
        "_abc_impl",
    }
)
_SLOTS = (types.MemberDescriptorType, types.GetSetDescriptorType)
_BY_DATACLASS = frozenset(
    {
        "__delattr__",
        "__eq__",
        "__ge__",
        "__gt__",
        "__hash__",
        "__init__",
        "__le__",
        "__lt__",
        "__replace__",
        "__repr__",
        "__setattr__",
    }
)
# What dataclass was told, as Python 3.11 keeps it; later ones keep more, which shows in fields and members as well.
_PARAMS = ("init", "repr", "eq", "order", "unsafe_hash", "frozen")
_BY_PROTOCOL = frozenset({"__init__", "__non_callable_proto_members__", "__protocol_attrs__", "__subclasshook__"})
_BY_NAMEDTUPLE = frozenset({"__getnewargs__", "__new__", "__replace__", "__repr__", "_asdict", "_make", "_replace"})


class ClassReader:
    """Reads classes for one walk."""

    def __init__(self, walk: Walk) -> None:
        self._walk = walk

    def read(self, node: Node) -> None:
        """Note all that makes the class what it is."""
        cls = node.thing
        assert isinstance(cls, type)
        members = declared_members(cls, dict(cls.__dict__))
        self._walk.guards.type(cls)
        for base in cls.__bases__:
            node.edge("base", str(self._walk.reach(base)))
            if not is_users(base):
                self._walk.guards.code_of(base)
        if type(cls) is not type:
            node.edge("metaclass", str(self._walk.reach(type(cls))))
        if isinstance(cls, abc.ABCMeta):
            for token in sorted(str(self._walk.reach(each)) for each in self._walk.guards.registered(cls)):
                node.edge("registered", token)
        is_exposed = node.is_exposed or _may_be_read(cls)
        hints = members.get("__annotations__")
        # A class that is written in C may have a descriptor there.
        for number, (name, hint) in enumerate(hints.items() if type(hints) is dict else ()):
            node.edge(f"hint {number} {name}", self._hint(hint, node, name))
        for number, base in enumerate(members.get("__orig_bases__", ())):
            node.edge(f"generic base {number}", self._hint(base, node, "base"))
        if is_exposed and isinstance(members.get("__doc__"), str):
            node.edge("doc", members["__doc__"])
        if dataclasses.is_dataclass(cls) and "__dataclass_fields__" in members:
            self._read_fields(node, members["__dataclass_fields__"])
        if isinstance(cls, enum.EnumMeta):
            members_of: dict[str, enum.Enum] = dict(cls.__members__)
            for name, member in members_of.items():
                node.edge(name, self._walk.item((id(cls), name), f"{node.label}.{name}", member._value_))
        for name in sorted(members):
            if name not in _SILENT and not self._is_generated(cls, name, members[name]):
                self._read_member(node, cls, name, members[name], is_exposed)
        sources = [name for base in cls.__bases__ for name in (base.__name__,)]
        lines = [f"{name} = {token}" for name, token in node.edges]
        node.source = "\n    ".join([f"class {node.label}({', '.join(sources)}):", *lines])
        node.tree = digest_texts(["class", cls.__name__, binary_of(str(cls.__module__))])

    def _read_member(self, node: Node, cls: type, name: str, value: Any, is_exposed: bool) -> None:
        walk, path = self._walk, f"{node.label}.{name}"
        if type(value) in _SLOTS and value.__objclass__ is cls:
            node.edge(name, "slot")
        elif name == "__dataclass_params__":
            node.edge(name, f"_DataclassParams({','.join(f'{each}={getattr(value, each)}' for each in _PARAMS)})")
        elif is_a(value, types.ModuleType):
            node.edge(name, walk.module(value))
        else:
            token = walk.reach(value, is_exposed, path)
            node.edge(name, token or walk.item((id(cls), name), path, value))

    def _is_generated(self, cls: type, name: str, value: object) -> bool:
        """Whether a member was made by the standard library out of what is counted anyway."""
        members = cls.__dict__
        if isinstance(cls, enum.EnumMeta):
            if name.startswith("_") and name.endswith("_"):
                function = function_of(value)
                return not (is_a(function, FunctionType) and origin_of_function(function) is Origin.USER)
            return name in cls.__members__
        function = function_of(value)
        if "_is_protocol" in members and name in _BY_PROTOCOL:
            return not (is_a(function, FunctionType) and origin_of_function(function) is Origin.USER)
        if "__dataclass_fields__" in members and name in _BY_DATACLASS:
            return value is None or _is_made(function)
        if issubclass(cls, tuple) and "_fields" in members:
            if type(value).__name__ == "_tuplegetter":
                return True
            return name in _BY_NAMEDTUPLE and _is_made(function)
        return False

    def _read_fields(self, node: Node, fields: dict[str, dataclasses.Field[Any]]) -> None:
        walk = self._walk
        for name, found in fields.items():
            # That of a class variable is a mark, whose text is its address.
            kw_only = None if found.kw_only is dataclasses.MISSING else found.kw_only
            flags = (found.init, found.repr, found.hash, found.compare, kw_only)
            node.edge(f"field {name}", f"{flags} {getattr(found, '_field_type', '')}")
            for part in ("default", "default_factory"):
                value = getattr(found, part)
                if value is not dataclasses.MISSING:
                    key = (id(found), part)
                    token = walk.reach(value, True) or walk.item(key, f"{node.label}.{name}.{part}", value)
                    node.edge(f"field {name} {part}", token)
            if found.metadata:
                key, path = (id(found), "metadata"), f"{node.label}.{name}.metadata"
                node.edge(f"field {name} metadata", walk.item(key, path, dict(found.metadata)))

    def _hint(self, hint: object, node: Node, name: str) -> str:
        """A type hint as text, and the classes in it as code."""
        if isinstance(hint, str):
            return f"text {hint}"
        # `typing.NamedTuple` and `typing.TypedDict` stand among the bases, and are functions.
        if isinstance(hint, type | FunctionType) and not isinstance(hint, types.GenericAlias):
            return str(self._walk.reach(hint))
        parts = [self._hint(part, node, name) for part in getattr(hint, "__args__", ())]
        if type(hint).__name__ == "TypeAliasType":
            parts.append(self._walk.item((id(hint),), f"{node.label}.{name}.{hint}", hint))
        text, path = repr(hint), f"{node.label}.{name}"
        if "{" in text and not hasattr(hint, "__args__"):
            return any_token(self._walk, hint, (id(hint),), path, True)
        if "{" in text or " at 0x" in text:
            # A set in `Annotated`, whose text is in an order of hashing, or an object whose text is its address: it
            # counts by what it is.
            for number, note in enumerate(getattr(hint, "__metadata__", ())):
                parts.append(any_token(self._walk, note, (id(hint), number), f"{path}[{number}]", True))
            text = f"{type(hint).__name__} {_name_of(hint)}" if "{" in text else _ADDRESS.sub("", text)
        return " ".join([text, *parts])


def _name_of(hint: object) -> str:
    """What a generic type is called, without what it is given."""
    origin = getattr(hint, "__origin__", None)
    return f"{origin.__module__}.{origin.__qualname__}" if is_a(origin, type) else ""


def _is_made(function: object) -> bool:
    """Whether a function was generated, or belongs to Python: a user's own has a file or a cell."""
    return is_a(function, FunctionType) and (
        function.__code__.co_filename.startswith("<") or origin_of_function(function) is not Origin.USER
    )


def _may_be_read(cls: type) -> bool:
    """Whether a package gets to see hints and docstrings of the class as it is made."""
    if origin_of_module(str(type(cls).__module__)) is Origin.PACKAGE:
        return True
    return any(
        "__init_subclass__" in base.__dict__ and origin_of_module(str(base.__module__)) is Origin.PACKAGE
        for base in cls.__mro__
    )
