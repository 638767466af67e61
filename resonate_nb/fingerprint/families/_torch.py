"""torch: tensors by type, shape and values; modules, optimizers and generators by all that they hold.

Of the device that a tensor is on its type counts and not its number: another card of the kind is no other value.
"""

from __future__ import annotations

import sys
from typing import Any

from ..memory._remembered import array_written
from ..values._containers import attributes
from ..values._instances import attributes_of
from ..values._reduced import handler_of as handler_of_others
from ..values._scalars import text
from ..values._walk import Attribute, Children, Handler, Refusal, Walk
from . import _arrays

_SPARSE_PARTS = {
    "torch.sparse_coo": ("_indices", "_values"),
    "torch.sparse_csr": ("crow_indices", "col_indices", "values"),
    "torch.sparse_csc": ("ccol_indices", "row_indices", "values"),
    "torch.sparse_bsr": ("crow_indices", "col_indices", "values"),
    "torch.sparse_bsc": ("ccol_indices", "row_indices", "values"),
}
# numpy knows neither bfloat16 nor floats of eight bits: the same bytes as integers.
_AS_INTEGERS = {1: "uint8", 2: "int16", 4: "int32", 8: "int64"}

# Of a module: weak references to parameters of its own, and what it was compiled to.
_DERIVED_OF_MODULE = frozenset(("_flat_weight_refs", "_compiled_call_impl"))
# Of an optimizer: what is made anew when one is unpickled, and the wrapper that a scheduler puts around `step`.
_DERIVED_OF_OPTIMIZER = frozenset(("_zero_grad_profile_name", "_warned_capturable_if_run_uncaptured", "step"))


def handler_of(cls: type) -> Handler:
    """The handler for objects of one class of torch; raises Refusal for a type that is not covered."""
    torch: Any = sys.modules["torch"]
    found = subclass_of(cls)
    if found is not None:
        return found
    if cls in (torch.dtype, torch.device, torch.layout, torch.memory_format):
        return lambda walk, value: walk.pen.blob(b"torch", text(str(value)))
    if issubclass(cls, torch.Size):
        return lambda walk, value: walk.pen.blob(b"size", repr(tuple(value)).encode())
    if issubclass(cls, torch.Generator):
        return _generator
    return handler_of_others(cls)


def subclass_of(cls: type) -> Handler | None:
    """The handler for classes made out of torch's tensor, module or optimizer, by whomever; None for all others."""
    torch: Any = sys.modules.get("torch")
    if torch is None or not hasattr(torch, "Tensor"):
        return None
    if issubclass(cls, torch.Tensor):
        return _tensor
    if issubclass(cls, torch.nn.Module):
        return _object(cls, b"module", _DERIVED_OF_MODULE)
    if issubclass(cls, torch.optim.Optimizer):
        return _object(cls, b"optimizer", _DERIVED_OF_OPTIMIZER)
    return None


def _object(cls: type, tag: bytes, derived: frozenset[str]) -> Handler:
    def write(walk: Walk, value: Any) -> Children | None:
        if walk.met(value):
            return None
        walk.pen.write(tag + b";")
        walk.token(cls)
        # In the order of their names: unpickling one sets them in another. Hooks that are not there need no place.
        names = sorted(attributes_of(value).items())
        kept = {name: part for name, part in names if name not in derived and (not name.endswith("_hooks") or part)}
        return attributes(walk, kept)

    return write


def _generator(walk: Walk, value: Any) -> Children | None:
    if walk.met(value):
        return None
    walk.pen.blob(b"generator", text(value.device.type))
    return iter(((Attribute("get_state()"), value.get_state()),))


def _tensor(walk: Walk, value: Any) -> Children | None:
    if walk.met(value):
        return None
    if value.grad_fn is not None:
        raise Refusal("how it was computed counts for its gradient and cannot be read; pass detach() of it")
    if value.is_meta or value.is_quantized or value.is_nested:
        raise Refusal("of torch's tensors, quantized and nested ones and those without data are not covered")
    walk.pen.write(b"tensor;")
    walk.token(type(value))
    walk.pen.blob(b"torch", text(f"{value.dtype} {value.layout} {value.device.type} {value.requires_grad}"))
    walk.pen.head(b"shape", len(value.shape))
    for length in value.shape:
        walk.pen.head(b"n", int(length))
    return _tensor_parts(walk, value)


def _tensor_parts(walk: Walk, value: Any) -> Children:
    torch: Any = sys.modules["torch"]
    number = walk.number_of(value)
    plain = value.detach()
    if type(plain) is not torch.Tensor:
        plain = plain.as_subclass(torch.Tensor)
    if str(value.layout) in _SPARSE_PARTS:
        for name in _SPARSE_PARTS[str(value.layout)]:
            yield Attribute(f"{name}()"), getattr(plain, name)()
    else:
        here = plain.cpu().resolve_conj().resolve_neg()
        array = _as_array(torch, here)
        if plain.device.type == "cpu":
            walk.span(array, number)
            yield from array_written(walk, array, "tensor", lambda: _raw(walk, array)) or ()
        else:
            _raw(walk, array)
    yield Attribute("grad"), value.grad
    yield from attributes(walk, attributes_of(value))


def _raw(walk: Walk, array: Any) -> None:
    walk.pen.stream(b"raw", array.nbytes, _arrays.chunks(array))


def _as_array(torch: Any, value: Any) -> Any:
    try:
        return value.numpy()
    except (TypeError, RuntimeError):
        kind = _AS_INTEGERS.get(value.element_size())
    try:
        return value.view(getattr(torch, kind or "")).numpy()
    except (AttributeError, TypeError, RuntimeError) as error:
        raise Refusal(f"its data cannot be read ({error})") from error
