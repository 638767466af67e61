"""Type hints and small callables that are held as values: `int | None`, `list[int]`, `itemgetter(1)`."""

from __future__ import annotations

import inspect
import sys
from typing import Any

from ._scalars import text
from ._walk import Attribute, Children, Handler, Refusal, Walk


def _alias(walk: Walk, value: Any) -> Children:
    """A generic type with its arguments; `Annotated` has its notes beside them."""
    walk.pen.blob(b"alias", type(value).__name__.encode())
    return iter(
        (
            (Attribute("__origin__"), getattr(value, "__origin__", None)),
            (Attribute("__args__"), value.__args__),
            (Attribute("__metadata__"), getattr(value, "__metadata__", None)),
        )
    )


def _form(walk: Walk, value: Any) -> None:
    """A name of the typing module that is no class, such as `Any` or `List`."""
    name = value._name
    if not isinstance(name, str) or getattr(sys.modules["typing"], name, None) is not value:
        raise Refusal("typing does not have it under its name")
    walk.pen.blob(b"form", text(name))


def _forward(walk: Walk, value: Any) -> None:
    walk.pen.blob(b"forward", text(value.__forward_arg__))


def _variable(walk: Walk, value: Any) -> Children | None:
    if walk.met(value):
        return None
    walk.pen.blob(b"typevar", text(value.__name__))
    return iter(
        (
            (Attribute("kind"), (value.__covariant__, value.__contravariant__)),
            (Attribute("__bound__"), value.__bound__),
            (Attribute("__constraints__"), value.__constraints__),
        )
    )


def _parameters(walk: Walk, value: Any) -> None:
    """A `ParamSpec` or a `TypeVarTuple`, of which Python keeps no more than the name."""
    if not walk.met(value):
        walk.pen.blob(type(value).__name__.lower().encode(), text(value.__name__))


def _new_type(walk: Walk, value: Any) -> Children | None:
    """A name for a type; whoever calls it gets what they gave."""
    if walk.met(value):
        return None
    walk.pen.blob(b"newtype", text(f"{value.__module__}.{value.__qualname__}"))
    return iter(((Attribute("__supertype__"), value.__supertype__),))


def _named_alias(walk: Walk, value: Any) -> Children | None:
    """`type X = …`, which may speak of itself."""
    if walk.met(value):
        return None
    walk.pen.blob(b"typealias", text(value.__name__))
    try:
        stands_for = value.__value__
    except Exception as error:  # it is worked out when it is first asked for
        raise Refusal(f"what it stands for cannot be had ({type(error).__name__}: {error})") from None
    return iter(((Attribute("__value__"), stands_for), (Attribute("__type_params__"), value.__type_params__)))


def _getter(walk: Walk, value: Any) -> Children:
    """`itemgetter`, `attrgetter`, `methodcaller`: what they were made with."""
    make, arguments = value.__reduce__()
    walk.pen.blob(b"getter", type(value).__name__.encode())
    return iter(((Attribute("__reduce__"), None if make is type(value) else make), (Attribute("args"), arguments)))


def _context_manager(walk: Walk, value: Any) -> Children | None:
    """What `contextlib.contextmanager` gives, where it stands as a decorator: each use makes another one of these."""
    if inspect.getgeneratorstate(value.gen) != inspect.GEN_CREATED:
        raise Refusal("it is entered already, or left")
    if walk.met(value):
        return None
    walk.pen.write(b"contextmanager;")
    return iter(tuple((Attribute(name), getattr(value, name)) for name in ("func", "args", "kwds")))


NAMED: dict[str, Handler] = {
    "contextlib._GeneratorContextManager": _context_manager,
    "types.GenericAlias": _alias,
    "types.UnionType": _alias,
    "collections.abc._CallableGenericAlias": _alias,
    "typing._GenericAlias": _alias,
    "typing._UnionGenericAlias": _alias,
    "typing._LiteralGenericAlias": _alias,
    "typing._AnnotatedAlias": _alias,
    "typing._CallableGenericAlias": _alias,
    "typing._SpecialForm": _form,
    "typing._TypedCacheSpecialForm": _form,
    "typing._LiteralSpecialForm": _form,
    "typing._SpecialGenericAlias": _form,
    "typing._CallableType": _form,
    "typing._TupleType": _form,
    "typing._DeprecatedType": _form,
    "typing.ForwardRef": _forward,
    "typing.NewType": _new_type,
    "typing.ParamSpec": _parameters,
    "typing.TypeVar": _variable,
    "typing.TypeVarTuple": _parameters,
    "typing.TypeAliasType": _named_alias,
    "operator.itemgetter": _getter,
    "operator.attrgetter": _getter,
    "operator.methodcaller": _getter,
}
