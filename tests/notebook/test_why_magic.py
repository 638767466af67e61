"""`%durable why` in a real kernel: of a call as it is written, of the last cell, of a label, and of an id."""

# ruff: noqa: E501 (cells read best as they are written)

from __future__ import annotations

from collections.abc import Iterator

import pytest
from kernel import Kernel, Ran

pytestmark = pytest.mark.slow

IMPORTS = "%load_ext resonate_nb\nimport resonate_nb as rnb\nrnb.configure(durability='process')\n"


@pytest.fixture(scope="module")
def kernel(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kernel]:
    folder = tmp_path_factory.mktemp("why")
    with Kernel(folder, {"RESONATE_NB_KEY": "tests", "RESONATE_NB_STORE": str(folder / "store")}) as found:
        found.ok(IMPORTS + "import pandas as pd")
        yield found


def shown(ran: Ran) -> str:
    (output,) = [each for each in ran.outputs if "data" in each]
    assert "<div" in output["data"]["text/html"]
    return str(output["data"]["text/plain"])


def test_of_a_call_the_arguments_are_computed_and_the_function_is_not_called(kernel: Kernel):
    kernel.ok(
        "ran = []\n@rnb.durable(ignore=('ran',))\ndef clean(t, n=1):\n    ran.append(n)\n    return len(t) + n\ndf = pd.DataFrame({'a': [1, 2], 'dep_delay': [1.0, 2.0]})\nclean(df)"
    )
    assert shown(kernel.ok("%durable why clean(df)")).startswith("clean would be a hit: same code, same arguments")
    text = shown(kernel.ok("%durable why clean(df.rename(columns={'dep_delay': 'delay'}), n=1)"))
    assert text.startswith("clean would run: argument `t`: column `dep_delay` renamed to `delay`")
    assert [1] == kernel.value("ran")


def test_what_f_why_gives_is_drawn(kernel: Kernel):
    kernel.ok("@rnb.durable\ndef drawn(x): return x")
    assert shown(kernel.ok("drawn.why(1)")).startswith("drawn would run: first run")


def test_an_edit_is_shown_with_its_diff_before_and_after_it_ran(kernel: Kernel):
    kernel.ok("@rnb.durable\ndef edited(x):\n    return x + 1\nedited(1)")
    kernel.ok("@rnb.durable\ndef edited(x):\n    return x + 2")
    before = shown(kernel.ok("%durable why edited(1)"))
    assert before.startswith("edited would run: code of `edited` changed")
    assert "-    return x + 1" in before
    assert "+    return x + 2" in before
    ran = kernel.ok("edited(1)")
    assert "edited runs: code of `edited` changed" in ran.said
    after = shown(kernel.ok("%durable why edited"))
    assert after.startswith("edited ran: code of `edited` changed")
    assert "+    return x + 2" in after


def test_of_the_last_cell_and_of_a_label(kernel: Kernel):
    kernel.ok("base = 1")
    kernel.ok("%%durable sums\ntotal = base + 1")
    assert shown(kernel.ok("%durable why")).startswith("cell `sums` ran: first run")
    kernel.ok("base = 5")
    assert shown(kernel.ok("%durable why sums")).startswith("cell `sums` would run: global `base`: 1 → 5")
    ran = kernel.ok("%%durable sums\ntotal = base + 1")
    assert "cell `sums` runs: global `base`: 1 → 5" in ran.said
    assert shown(kernel.ok("%durable why")).startswith("cell `sums` ran: global `base`: 1 → 5")
    kernel.ok("%%durable sums\ntotal = base + 1")
    assert "run again it would be a hit: same code, same arguments" in shown(kernel.ok("%durable why"))
    kernel.ok("%%durable sums\ntotal = base + 2")
    text = shown(kernel.ok("%durable why sums"))
    assert text.startswith("cell `sums` ran: its code changed")
    assert "+total = base + 2" in text


def test_a_cell_is_not_taken_for_a_function_of_its_name(kernel: Kernel):
    kernel.ok("@rnb.durable\ndef plot(x): return x\nplot(1)")
    kernel.ok("%%durable plot\ncurve = 1")
    assert shown(kernel.ok("%durable why")).startswith("cell `plot` ran: first run\n")


def test_what_is_asked_of_nothing_says_so(kernel: Kernel):
    kernel.ok("@rnb.durable\ndef never(x): return x")
    kernel.ok("%%durable sums\ntotal = 1")
    for line, expected in (
        ("%durable why nothing/1@2", "there is no promise 'nothing/1@2'; there are some of `sums`"),
        (
            "%durable why sum",
            "there is no promise 'sum'; is `sums` meant? A name stands for its newest promise; `%durable ls` lists what there is",
        ),
        ("%durable why never", "of a call ask %durable why never(...)"),
        ("%durable why len([1])", "len is no durable function"),
    ):
        assert expected in kernel.run(line).text("stderr")


def test_a_cell_that_cannot_be_durable_says_why(kernel: Kernel):
    kernel.ok("%%durable plain\nprint(In[-1])")
    assert shown(kernel.ok("%durable why plain")).startswith("cell `plain` would run plainly: it reads `In`")
