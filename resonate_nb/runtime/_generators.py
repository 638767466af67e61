"""The global random generators of `random` and numpy: whether they moved while a body ran.

A replay of a function neither moves them nor draws anew, so a body that moved one is marked. numpy is looked up, never
imported.
"""

from __future__ import annotations

import random
import sys
from collections.abc import Sequence
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

_MT19937_BYTES = 624 * 4 + 4
"""numpy's `mt19937_state`: the key and, behind it, the position as a C int."""


class Standing:
    """Where the generators stood when this was made. Costs some 20 microseconds, nearly all of it for `random`."""

    __slots__ = ("_numpy", "_python")

    def __init__(self) -> None:
        self._python = random.getstate()
        self._numpy = _numpy_token()

    def moved(self) -> tuple[str, ...]:
        """The generators that stand elsewhere now: ``random``, ``numpy.random``."""
        found = []
        if random.getstate() != self._python:
            found.append("random")
        # Loaded meanwhile, it counts as moved unless it can be shown to be as it was when it was loaded.
        has_moved = self._numpy != _numpy_token() if self._numpy is not None else not is_numpy_fresh()
        if has_moved:
            found.append("numpy.random")
        return tuple(found)


def loaded_numpy() -> Any | None:
    """`numpy.random` when somebody has imported it, and it is there in full."""
    module: Any = sys.modules.get("numpy.random")
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


def _numpy_token() -> object | None:
    """Equal to another one exactly when the generator's state is the same; None when numpy.random is not loaded.

    `get_state` takes 70 microseconds, for every computed call twice. The same bytes can be read in less than one at
    the address that numpy publishes for this (`bit_generator.ctypes.state_address`). They lack one thing: the spare
    normal variate that the legacy generator keeps (`has_gauss`), which can be used up while the bytes stay. So where
    it is not known that there is none, `get_state` is asked for it.
    """
    numpy_random = loaded_numpy()
    if numpy_random is None:
        return None
    generator = _bit_generator(numpy_random)
    if not _memory.is_readable(generator):
        return repr_of_state(numpy_random.get_state(legacy=False))
    bits = _memory.bits(generator)
    if bits == _memory.without_spare:
        return bits, 0, 0.0
    state = numpy_random.get_state(legacy=False)
    if not state["has_gauss"]:
        _memory.without_spare = bits
        return bits, 0, 0.0
    return bits, state["has_gauss"], state["gauss"]


def repr_of_state(state: object) -> object:
    """A state of any bit generator in a form that can be compared: arrays as bytes."""
    if isinstance(state, dict):
        return tuple((name, repr_of_state(item)) for name, item in state.items())
    return state.tobytes() if hasattr(state, "tobytes") else state


class _Memory:
    """The state of numpy's MT19937 where it lies in memory."""

    def __init__(self) -> None:
        self.without_spare = b""
        """Bytes at which there was no spare variate. One can come only together with other bytes (or be put there by
        hand, over the same bytes)."""
        self._readable: dict[type, bool] = {}

    def is_readable(self, generator: Any) -> bool:
        """Whether its bytes are what numpy says of its state: looked at once for each type."""
        kind = type(generator)
        if kind not in self._readable:
            self._readable[kind] = self._is_laid_out(generator)
        return self._readable[kind]

    def bits(self, generator: Any) -> bytes:
        import ctypes  # numpy has done so for `generator.ctypes`

        return ctypes.string_at(generator.ctypes.state_address, _MT19937_BYTES)

    def _is_laid_out(self, generator: Any) -> bool:
        if type(generator).__name__ != "MT19937" or type(generator).__module__ != "numpy.random._mt19937":
            return False
        state = generator.state["state"]
        expected: bytes = state["key"].tobytes() + int(state["pos"]).to_bytes(4, sys.byteorder)
        return len(expected) == _MT19937_BYTES and self.bits(generator) == expected


_memory = _Memory()
