"""The part of torch's surface that fingerprints ask for, over numpy: where torch is not installed it stands for it."""

from __future__ import annotations

import types
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np


class dtype:
    def __init__(self, name: str) -> None:
        self.name = name

    def __repr__(self) -> str:
        return f"torch.{self.name}"

    def __reduce__(self) -> str:
        return self.name


class layout(dtype):
    pass


class memory_format(dtype):
    pass


float32, float64, bfloat16, int16, int64 = map(dtype, ("float32", "float64", "bfloat16", "int16", "int64"))
strided = layout("strided")
contiguous_format = memory_format("contiguous_format")


class device:
    def __init__(self, type: str, index: int | None = None) -> None:
        self.type, self.index = type, index

    def __repr__(self) -> str:
        return self.type if self.index is None else f"{self.type}:{self.index}"


class Size(tuple):  # type: ignore[type-arg]
    pass


_states: WeakKeyDictionary[Tensor, dict[str, Any]] = WeakKeyDictionary()
"""What tensors are made of: in the real one that is in C, where no attribute shows it."""


class Tensor:
    __slots__ = ("__weakref__",)
    layout = strided
    is_meta = is_quantized = is_nested = False

    def __init__(self, data: Any, kind: dtype = float32, place: device | None = None) -> None:
        stored = np.asarray(data, "i2" if kind is bfloat16 else kind.name)
        _states[self] = {"array": stored, "dtype": kind, "device": place or device("cpu"), "requires_grad": False}

    def __getattr__(self, name: str) -> Any:
        if name in ("array", "dtype", "device", "requires_grad"):
            return _states[self][name]
        if name in ("grad", "grad_fn"):
            return _states[self].get(name)
        raise AttributeError(name)

    def __reduce__(self) -> Any:
        return type(self)._made, ({name: part for name, part in _states[self].items() if name != "grad_fn"},)

    @classmethod
    def _made(cls, state: dict[str, Any]) -> Tensor:
        found = cls.__new__(cls)
        _states[found] = dict(state)
        return found

    def _over(self, array: Any, **more: Any) -> Tensor:
        return Tensor._made({**_states[self], "array": array, "requires_grad": False, "grad_fn": None, **more})

    shape = property(lambda self: Size(self.array.shape))
    T = property(lambda self: self._over(self.array.T))

    def detach(self) -> Tensor:
        return self._over(self.array)

    def clone(self) -> Tensor:
        return self._over(self.array.copy())

    cpu = resolve_conj = resolve_neg = detach

    def as_subclass(self, _: type) -> Tensor:
        return self._over(self.array)

    def element_size(self) -> int:
        return int(self.array.itemsize)

    def view(self, kind: Any) -> Tensor:
        assert kind is int16
        return self._over(self.array, dtype=int16)

    def numpy(self) -> Any:
        if self.dtype is bfloat16:
            raise TypeError("Got unsupported ScalarType BFloat16")
        return self.array

    def __getitem__(self, place: Any) -> Tensor:
        return self._over(self.array[place])

    def requires_grad_(self) -> Tensor:
        _states[self]["requires_grad"] = True
        return self

    def fill_(self, value: float) -> None:
        self.array[...] = value

    def __mul__(self, factor: float) -> Tensor:
        return self._over(self.array * factor, grad_fn=object() if self.requires_grad else None)


class Parameter(Tensor):
    __slots__ = ()

    def __init__(self, data: Tensor) -> None:
        _states[self] = {**_states[data], "requires_grad": True}


class Module:
    def __init__(self) -> None:
        self.training = True
        self._parameters: dict[str, Any] = {}
        self._buffers: dict[str, Any] = {}
        self._modules: dict[str, Any] = {}
        self._forward_hooks: dict[int, Any] = {}

    def eval(self) -> Module:
        self.training = False
        return self


class Linear(Module):
    def __init__(self, inside: int, outside: int) -> None:
        super().__init__()
        self.in_features, self.out_features = inside, outside
        self._parameters["weight"] = Parameter(Tensor(np.arange(inside * outside).reshape(outside, inside)))

    weight = property(lambda self: self._parameters["weight"])

    def parameters(self) -> list[Parameter]:
        return list(self._parameters.values())


class Optimizer:
    pass


class SGD(Optimizer):
    def __init__(self, params: list[Parameter], lr: float) -> None:
        self.defaults, self.state = {"lr": lr}, {}  # type: ignore[var-annotated]
        self.param_groups = [{"params": params, "lr": lr}]


class Generator:
    def __init__(self) -> None:
        self.device, self._seed = device("cpu"), 0

    def manual_seed(self, seed: int) -> Generator:
        self._seed = seed
        return self

    def get_state(self) -> Tensor:
        return Tensor([self._seed])


nn = types.SimpleNamespace(Module=Module, Linear=Linear, Parameter=Parameter)
optim = types.SimpleNamespace(Optimizer=Optimizer, SGD=SGD)


def arange(count: float) -> Tensor:
    return Tensor(np.arange(count))


def tensor(data: Any, dtype: dtype = float32) -> Tensor:
    return Tensor(data, dtype)


def manual_seed(_: int) -> None:
    """The weights of the fake are always the same."""
