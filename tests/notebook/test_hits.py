"""The mark under a cell whose durable functions were replayed."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from kernel import Kernel

from resonate_nb.notebook._hits import hits_text

SETUP = """
%load_ext resonate_nb
import resonate_nb as rnb
rnb.configure(durability="process")

@rnb.durable
def load(day):
    return [day]

@rnb.durable
def fold(number):
    return {"number": number}
"""


@pytest.fixture
def kernel(tmp_path: Path) -> Iterator[Kernel]:
    with Kernel(tmp_path, {"RESONATE_NB_KEY": "tests", "RESONATE_NB_STORE": str(tmp_path / "store")}) as found:
        found.ok(SETUP)
        yield found


def marks(kernel: Kernel, cell: str) -> list[str]:
    texts = kernel.ok(cell).bundles("text/plain")
    return [text for text in texts if "replayed" in text]


@pytest.mark.slow
def test_a_cell_whose_functions_were_replayed_says_so_once(kernel: Kernel):
    cell = "load(1); [fold(n) for n in range(2)]"
    assert [] == marks(kernel, cell)
    kernel.restart()
    kernel.ok(SETUP)
    (mark,) = marks(kernel, cell)
    assert mark.startswith("[resonate_nb] replayed load, fold ×2 · ")
    assert [] == marks(kernel, "1 + 1")


@pytest.mark.slow
def test_a_durable_cell_has_its_own_mark_only_and_its_handle_gives_the_names(kernel: Kernel):
    cell = "%%durable train\nmodel = load(1)[0] + 1"
    kernel.ok(cell)
    (mark,) = marks(kernel, cell)
    assert "saved" in mark
    assert "load" not in mark
    assert {"model": 2} == kernel.value("rnb.search('train/*')[0].result()")


@pytest.mark.slow
def test_an_unloaded_extension_marks_nothing(kernel: Kernel):
    kernel.ok("load(1)")
    kernel.ok("%load_ext resonate_nb")
    kernel.ok("%unload_ext resonate_nb")
    assert [] == marks(kernel, "load(1)")


@pytest.mark.parametrize(
    ("hits", "saved_ms", "text"),
    [
        ({"load": 1}, 4200, "replayed load · 4.2 s saved"),
        ({"load": 1, "fold": 3}, 85, "replayed load, fold ×3 · 85 ms saved"),
        (dict.fromkeys("abcdef", 1), 6, "replayed a, b, c, d and 2 more · 6 ms saved"),
    ],
    ids=["one", "two", "many"],
)
def test_the_line_names_what_came_back(hits: dict[str, int], saved_ms: int, text: str):
    assert text == hits_text(hits, saved_ms)
