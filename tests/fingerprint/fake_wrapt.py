"""What of the package wrapt matters here: a wrapper that says that it is the function that it wraps."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any


class ObjectProxy:
    """Looks like what it wraps."""

    def __init__(self, wrapped: Any) -> None:
        object.__setattr__(self, "__wrapped__", wrapped)

    @property
    def __class__(self) -> type:
        return type(self.__wrapped__)

    def __getattr__(self, name: str) -> Any:
        return getattr(object.__getattribute__(self, "__wrapped__"), name)

    def __reduce_ex__(self, protocol: Any) -> Any:
        raise NotImplementedError("object proxy must define __reduce_ex__()")


class _FunctionWrapperBase(ObjectProxy):
    _self_enabled = None

    def __init__(self, wrapped: Any, wrapper: Callable[..., Any]) -> None:
        super().__init__(wrapped)
        object.__setattr__(self, "_self_wrapper", wrapper)

    def __call__(self, *args: Any, **given: Any) -> Any:
        return self._self_wrapper(self.__wrapped__, None, args, given)

    def __get__(self, owner: Any, kind: Any = None) -> Any:
        return BoundFunctionWrapper(self.__wrapped__.__get__(owner, kind), self._self_wrapper)


class FunctionWrapper(_FunctionWrapperBase):
    """Calls another function in the place of the one that it wraps."""


class BoundFunctionWrapper(_FunctionWrapperBase):
    """The same of a method."""
