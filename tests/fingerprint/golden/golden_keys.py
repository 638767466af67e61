"""The keys of a table of functions and the digests of builtin values, as JSON; any interpreter can run it.

Where blake3 and xxhash are not installed, or with ``--stand-in``, hashes of the standard library stand for them: the
digests are others then, but are the same on every Python if what is hashed is. ``--write`` writes down the keys.
"""

from __future__ import annotations

import hashlib
import importlib.util
import json
import sys
from pathlib import Path
from types import ModuleType
from typing import Any
from unittest.mock import MagicMock

HERE = Path(__file__).resolve().parent
GOLDEN = HERE / "keys.json"
STAND_IN = "--stand-in"


class _Blake3:
    """What the package uses of `blake3.blake3`."""

    def __init__(self, data: Any = b"", **_: object) -> None:
        self._hash = hashlib.shake_128(data)

    def update(self, data: Any) -> _Blake3:
        self._hash.update(data)
        return self

    def digest(self, length: int = 32) -> bytes:
        return self._hash.digest(length)


class _Xxh3:
    """What the package uses of `xxhash.xxh3_128` and `xxh3_64`."""

    def __init__(self, data: Any = b"", seed: int = 0) -> None:
        self._hash = hashlib.shake_128(b"%d" % seed)
        self._hash.update(data)

    def update(self, data: Any) -> None:
        self._hash.update(data)

    def digest(self) -> bytes:
        return self._hash.digest(16)

    def hexdigest(self) -> str:
        return self.digest().hex()

    def intdigest(self) -> int:
        return int.from_bytes(self.digest()[:8], "big")


def _stand_in() -> None:
    xxhash = {"xxh3_128": _Xxh3, "xxh3_64": _Xxh3, "xxh3_64_hexdigest": lambda data: _Xxh3(data).hexdigest()[:16]}
    for name, members in {"blake3": {"blake3": _Blake3}, "xxhash": xxhash}.items():
        module = ModuleType(name)
        vars(module).update(members)
        sys.modules[name] = module


def _missing(name: str) -> bool:
    return name not in sys.modules and importlib.util.find_spec(name) is None


def keys() -> dict[str, list[str]]:
    """Code, content, and what the key is unsure of, of each function."""
    if str(HERE) not in sys.path:
        sys.path.insert(0, str(HERE))
    import golden_project

    from resonate_nb.fingerprint import Subject

    found = {}
    for number, function in enumerate(golden_project.FUNCTIONS):
        key = Subject.of_function(function).key()
        found[f"{number} {function.__name__}"] = [key.code, key.content, *key.undurable, *key.unsure]
    return found


def values() -> dict[str, str]:
    """The digests of builtin values. Those of arrays and frames need packages that no other Python may have."""
    absent = [name for name in ("numpy", "pandas", "pyarrow") if _missing(name)]
    for name in absent:
        sys.modules[name] = MagicMock(__version__="0")  # only named when the table is read
    sys.path.insert(0, str(HERE.parent))
    try:
        from values_under_test import builtins_under_test, fp
    finally:
        for name in absent:
            del sys.modules[name]
    return {name: fp(value) for name, value in builtins_under_test().items()}


if __name__ == "__main__":
    sys.path[0:0] = [str(HERE.parents[2])]
    if STAND_IN in sys.argv or _missing("blake3") or _missing("xxhash"):
        _stand_in()
    if "--write" in sys.argv:
        GOLDEN.write_text(json.dumps(keys(), indent=1) + "\n")
    else:
        print(json.dumps({"keys": keys(), "values": values()}))
