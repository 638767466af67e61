"""The part of jax's surface that fingerprints ask for, over numpy: where jax is not installed it stands for it."""

from __future__ import annotations

import types
from typing import Any

import numpy as np


class Array:
    pass


class ArrayImpl(Array):
    def __init__(self, data: Any, weak_type: bool = False) -> None:
        self._data, self.weak_type, self.dtype, self._is_deleted = (
            np.asarray(data),
            weak_type,
            np.asarray(data).dtype,
            False,
        )

    def __array__(self, dtype: Any = None, copy: Any = None) -> Any:
        return self._data

    def __getitem__(self, place: Any) -> ArrayImpl:
        return ArrayImpl(self._data[place])

    def __add__(self, other: Any) -> ArrayImpl:
        return ArrayImpl(self._data + other)

    T = property(lambda self: ArrayImpl(self._data.T))

    def astype(self, kind: Any) -> ArrayImpl:
        return ArrayImpl(self._data.astype(kind))

    def devices(self) -> set[Any]:
        return _DEVICES

    def is_deleted(self) -> bool:
        return self._is_deleted

    def delete(self) -> None:
        self._is_deleted = True


class _Device:
    platform = "cpu"


_DEVICES = {_Device()}


class PRNGKeyArray(Array):
    def __init__(self, seed: int) -> None:
        self.seed = seed


class Tracer(Array):
    pass


random = types.SimpleNamespace(
    key=PRNGKeyArray, key_impl=lambda key: "fry", key_data=lambda key: ArrayImpl(np.array([0, key.seed], "u4"))
)
numpy = types.SimpleNamespace(
    array=lambda data, dtype=None: ArrayImpl(np.asarray(data, "f4")),
    asarray=lambda data, dtype=None: ArrayImpl(np.asarray(data, "f4"), True),
)


def jit(function: Any) -> Any:
    return PjitFunction(function)


class PjitFunction:
    def __init__(self, function: Any) -> None:
        self.__wrapped__ = function

    def __call__(self, *arguments: Any) -> Any:
        return self.__wrapped__(*arguments)

    def __getstate__(self) -> dict[str, Any]:
        return {"static_argnums": [], "static_argnames": [], "cache": object()}
