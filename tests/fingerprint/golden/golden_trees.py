"""Computes the canonical digests of a fixed set of sources; any interpreter can run it, it needs nothing installed.

The digests in `trees.json` must not move: not between releases of ours, and not between versions of Python. To add a
case, add it to `SOURCES`, run this file with `--write`, and look at the difference: only new lines may appear.
"""

from __future__ import annotations

import ast
import hashlib
import importlib.util
import json
import sys
from pathlib import Path

HERE = Path(__file__).parent
GOLDEN = HERE / "trees.json"
TREE = HERE.parent.parent.parent / "resonate_nb" / "fingerprint" / "code" / "_tree.py"

SOURCES = {
    "constants": "def f(): return 1, -1, 2**70, 1.0, -0.0, 1e999, 2j, True, None, ..., 'a', u'a', b'a', '\\ud800', 'é'",
    "strings": "def f(a, b): return f'{a}', f'{a!r:>{b}}x' 'y', f'{a = }', f'{a:}', f'{a:{b}{b}}', '' f'', f'{{}}'",
    "docstring": "def f():\n    'One.'\n    def g():\n        'Two.'\n        return 1\n    return g",
    "only a docstring": "def f():\n    'One.'",
    "hints": "def f(a: int, *b: str, c: float = 1, **d: bytes) -> None:\n    x: int = a\n    y: int\n    return x",
    "defaults": "def f(a, b=1, /, c=[], *, d, e=None): return lambda x, y=2: (a, b, c, d, e, x, y)",
    "control": (
        "async def f(x):\n"
        "    async with x as y, y:\n        await y\n"
        "    async for i in x:\n        continue\n    else:\n        pass\n"
        "    while x:\n        break\n"
        "    try:\n        raise E from x\n    except (A, B) as e:\n        del e\n    else:\n        yield x\n"
        "    finally:\n        assert x, 'no'\n"
    ),
    "groups": "def f():\n    try:\n        pass\n    except* E as e:\n        return e.split(F)",
    "comprehensions": (
        "def f(x): return [a for b in x for a in b if a], {a: b for a, b in x}, {*x}, (yield from x), (y := x)"
    ),
    "slices": "def f(x): return x[1:2:3], x[:, ...], x[*x], x[()], x.a.b[-1]",
    "calls": "def f(g, *a, **k): return g(1, *a, x=2, **k), a if g else k, not a, a < g <= k, a @ g // 2 << 1",
    "match": (
        "def f(x):\n    match x:\n"
        "        case 1 | -1.5 | 'a' | None | True: pass\n        case [a, *b] if b: pass\n"
        "        case {'k': v, **rest}: pass\n        case P(c, d=e) as q: pass\n        case K.v | _: pass"
    ),
    "class": (
        "def f():\n    @d\n    class C(B, metaclass=M):\n        'Doc.'\n        x: int = 1\n        y: str\n"
        "    class D(C):\n        'Doc.'\n"
    ),
    "names": (
        "def f():\n    global a\n    b = 1\n    def g():\n        nonlocal b\n        a = b = 2\n"
        "    import os.path as p, sys\n    from . import q"
    ),
    "deep": "def f(): return " + " + ".join(["1"] * 60),
    "lambda": "g = lambda *a, b=1, **c: (a, b, c)",
}


def bytes_of(tree_module: object, source: str) -> str:
    statement = ast.parse(source).body[0]
    node = statement.value if isinstance(statement, ast.Assign) else statement
    plain = tree_module.encode(tree_module.clean(node, decorators=[]))  # type: ignore[attr-defined]
    exposed = tree_module.encode(tree_module.clean(node, exposed=True, decorators=[]))  # type: ignore[attr-defined]
    return hashlib.sha256(plain).hexdigest()[:32] + hashlib.sha256(exposed).hexdigest()[:32]


def computed() -> dict[str, str]:
    """What this interpreter makes of the sources; needs the standard library only."""
    spec = importlib.util.spec_from_file_location("tree_alone", TREE)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return {name: bytes_of(module, source) for name, source in SOURCES.items()}


if __name__ == "__main__":
    if "--write" in sys.argv:
        GOLDEN.write_text(json.dumps(computed(), indent=1) + "\n")
    else:
        print(json.dumps(computed()))
