"""The global random generators of `random` and numpy: whether they moved while a body ran.

A replay of a function neither moves them nor draws anew, so a body that moved one is marked. numpy is looked up, never
imported.
"""

from __future__ import annotations

import random
import struct
import sys
from collections.abc import Callable, Sequence
from typing import Any

PHRASES = {
    "random": "the global generator of `random`",
    "numpy.random": "numpy's global random generator",
    "torch": "torch's global random generator",
}
"""How each generator is called when a person is told of it."""

ADVICE = {
    "random": "use one of its own, `random.Random(seed)`",
    "numpy.random": "use `np.random.default_rng(seed)` or pass `random_state=`",
    "torch": "pass `generator=`",
}

_MT19937 = struct.Struct("=624Ii")
"""numpy's `mt19937_state`: the words and, behind them, the position as a C int."""
_PYTHON_MT19937 = struct.Struct("=i624I")
"""CPython's `_random.Random`, behind the head that every object has: the position and the words."""


class Standing:
    """Where the generators stood when this was made. Every computed call looks twice: at a microsecond, mostly."""

    __slots__ = ("_numpy", "_python")

    def __init__(self) -> None:
        self._python = _python_token()
        self._numpy = _numpy_token()

    def moved(self) -> tuple[str, ...]:
        """The generators that stand elsewhere now: ``random``, ``numpy.random``."""
        is_python_moved = _python_token() != self._python
        # Loaded meanwhile, it counts as moved unless it can be shown to be as it was when it was loaded.
        is_numpy_moved = self._numpy != _numpy_token() if self._numpy is not None else not is_numpy_fresh()
        if not is_python_moved and not is_numpy_moved:
            return ()
        return ("random",) * is_python_moved + ("numpy.random",) * is_numpy_moved


def loaded_numpy() -> Any | None:
    """`numpy.random` when somebody has imported it, and it is there in full."""
    module: Any = sys.modules.get("numpy.random")
    if module is None:
        return None
    return module if hasattr(module, "get_state") and hasattr(module, "mtrand") else None


def is_numpy_fresh(state: Any = None) -> bool:
    """Whether numpy's global generator was never seeded and never drawn from, or is not loaded at all.

    Proof: a generator made anew from the entropy that it holds is in the very state it is in. Seeding it by hand
    drops that entropy. `state` is an earlier `get_state(legacy=False)` to ask about, instead of the present one.
    """
    numpy_random = loaded_numpy()
    if numpy_random is None:
        return True
    generator = _bit_generator(numpy_random)
    entropy = getattr(generator, "seed_seq", None)
    if entropy is None or type(generator).__name__ != "MT19937":
        return False
    current = numpy_random.get_state(legacy=False) if state is None else state
    if current["bit_generator"] != "MT19937" or current["has_gauss"]:
        return False
    first = type(generator)(entropy).state["state"]
    return bool(first["pos"] == current["state"]["pos"] and (first["key"] == current["state"]["key"]).all())


def generators_phrase(names: Sequence[str]) -> str:
    """The generators in words, joined by "and"."""
    return " and ".join(PHRASES[name] for name in names)


def generators_advice(names: Sequence[str]) -> str:
    """What to use instead of these generators."""
    return "; ".join(ADVICE[name] for name in names)


def _bit_generator(numpy_random: Any) -> Any:
    return getattr(getattr(numpy_random.mtrand, "_rand", None), "_bit_generator", None)


def _python_token() -> object:
    """Equal to another one exactly when `random.getstate()` is the same, which takes 7 microseconds to say so."""
    generator = getattr(random.getstate, "__self__", None)
    bits = _python.bits(generator)
    if bits is not None:
        return bits, generator.gauss_next  # type: ignore[union-attr]
    state = random.getstate()
    if type(generator) is not random.Random:
        return state
    _, (*words, position), spare = state
    bits = _PYTHON_MT19937.pack(position, *words)
    if sys.implementation.name == "cpython":
        # Of a Python that lays it out otherwise these bytes differ from what is said, and are not looked at again.
        _python.look_at(generator, lambda: id(generator) + object.__basicsize__, bits)
    return bits, spare


def _numpy_token() -> object | None:
    """Equal to another one exactly when the generator's state is the same; None when numpy.random is not loaded.

    `get_state` takes 70 microseconds, for every computed call twice. The same bytes can be read in less than one at
    the address that numpy publishes for this (`bit_generator.ctypes.state_address`). They lack one thing: the spare
    normal variate that the legacy generator keeps (`has_gauss`), which can be used up while the bytes stay. So where
    it is not known that there is none, `get_state` is asked for it.
    """
    global _without_spare
    numpy_random = loaded_numpy()
    if numpy_random is None:
        return None
    generator = _bit_generator(numpy_random)
    bits = _numpy.bits(generator)
    if bits is not None and bits == _without_spare:
        return bits, 0, 0.0
    state = numpy_random.get_state(legacy=False)
    if type(generator).__name__ != "MT19937" or type(generator).__module__ != "numpy.random._mt19937":
        return repr_of_state(state)
    if bits is None:
        bits = _MT19937.pack(*state["state"]["key"].tolist(), state["state"]["pos"])
        _numpy.look_at(generator, lambda: generator.ctypes.state_address, bits)
    if not state["has_gauss"]:
        _without_spare = bits
    return bits, state["has_gauss"], state["gauss"]


def repr_of_state(state: object) -> object:
    """A state of any bit generator in a form that can be compared: arrays as bytes."""
    if isinstance(state, dict):
        return tuple((name, repr_of_state(item)) for name, item in state.items())
    return state.tobytes() if hasattr(state, "tobytes") else state


class _Memory:
    """The state of one Mersenne Twister where it lies in memory."""

    __slots__ = ("_known", "_looks")

    WORTH_LOADING = 100
    """Looks that cost together what it takes to load ctypes: 2 milliseconds. A kernel has loaded it, a script not."""

    def __init__(self) -> None:
        self._known: tuple[object, Any] | None = None
        """The generator, kept alive so that the address stays its own, and its memory; None if it lies elsewhere."""
        self._looks = 0

    def bits(self, generator: object) -> bytes | None:
        """The bytes of its state; None while it is not known where they lie."""
        known = self._known
        if known is None or known[0] is not generator or known[1] is None:
            return None
        bits: bytes = known[1].raw
        return bits

    def look_at(self, generator: object, address: Callable[[], int], expected: bytes) -> None:
        """From here on this generator's state is read at the address, if what lies there is what it says itself."""
        if self._known is not None and self._known[0] is generator:
            return
        self._looks += 1
        if "ctypes" not in sys.modules and self._looks < self.WORTH_LOADING:
            return
        import ctypes

        memory = (ctypes.c_char * len(expected)).from_address(address())
        self._known = generator, memory if memory.raw == expected else None


_python, _numpy = _Memory(), _Memory()
_without_spare = b""
"""Bytes of numpy's generator at which there was no spare variate. One can come only together with other bytes (or be
put there by hand, over the same bytes)."""
