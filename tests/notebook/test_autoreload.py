"""With `%autoreload 2`, what was computed after an edit of a local module is found again by the next session."""

from __future__ import annotations

from pathlib import Path

import pytest
from kernel import Kernel

pytestmark = pytest.mark.slow

BEFORE = """
K = 1
def g(x): return x + K
class C:
    def m(self): return 1
    @property
    def p(self): return 1
"""
AFTER = """
K = 1
# moved
def g(x): return x * 10 + K
class C:
    def m(self):
        return 2
    @property
    def p(self): return 2
"""


def test_a_session_after_autoreload_replays(tmp_path: Path) -> None:
    module = tmp_path / "helpers.py"
    module.write_text(BEFORE)
    with Kernel(tmp_path) as kernel:

        def begin() -> None:
            kernel.ok("%load_ext resonate_nb\n%load_ext autoreload\n%autoreload 2\nfrom resonate_nb import durable")
            kernel.ok("from helpers import g, C\nc = C()")
            kernel.ok("@durable\ndef f(x):\n    print('ran')\n    return g(x), c.m(), C().p")

        begin()
        assert kernel.ok("print(f(1))").text() == "ran\n(2, 1, 1)\n"
        module.write_text(AFTER)
        assert kernel.ok("print(f(1))").text() == "ran\n(11, 2, 2)\n"
        kernel.restart()
        begin()
        assert kernel.ok("print(f(1))").text() == "(11, 2, 2)\n"
