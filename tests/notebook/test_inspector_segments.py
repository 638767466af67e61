"""What the page has been sent: whoever reads the three segments, whenever, has all rows as they are."""

from __future__ import annotations

import json
import random
import zlib
from typing import Any

import pytest
from inspector_source import T0, pending, resolved

from resonate_nb.notebook._segments import MIDDLE_ROWS, TAIL_ROWS, Segments
from resonate_nb.view import Row, row_of


def unpacked(data: bytes) -> dict[str, Any]:
    return json.loads(zlib.decompress(data))  # type: ignore[no-any-return]


class Page:
    """The page's side, written down a second time: what it knows after reading segments."""

    def __init__(self) -> None:
        self.states: dict[str, str] = {}
        self.seq = {"base": 0, "middle": 0, "tail": 0}
        self.has_missed = False

    def read(self, parts: dict[str, bytes]) -> None:
        for level in ("base", "middle", "tail"):
            if level not in parts:
                continue
            segment = unpacked(parts[level])
            if segment["seq"] <= self.seq[level]:
                continue
            self.seq[level] = segment["seq"]
            if level == "base":
                self.states.clear()
            elif segment["after"] != self.seq["base" if level == "middle" else "middle"]:
                self.has_missed = True
            for id, word in zip(segment["id"], segment["shown"], strict=True):
                self.states[id] = segment["words"][word]
            for id in segment["gone"]:
                self.states.pop(id, None)


def states(rows: list[Row]) -> dict[str, str]:
    return {row.id: row.shown.value for row in rows}


def test_small_change_is_a_small_tail() -> None:
    segments = Segments()
    rows = [row_of(resolved(f"f/{number}@1")) for number in range(500)]
    assert set(segments.start(rows, T0)) == {"base", "middle", "tail"}
    rows[7] = row_of(pending("f/7@1"))
    parts = segments.update(rows, T0)
    assert set(parts) == {"tail"}
    assert unpacked(parts["tail"])["id"] == ["f/7@1"]


def test_no_change_sends_nothing() -> None:
    segments = Segments()
    rows = [row_of(resolved("f/1@1"))]
    segments.start(rows, T0)
    assert segments.update(list(rows), T0 + 5_000) == {}


def test_tail_holds_all_changes_since_the_middle() -> None:
    """A page whose code was still loading when the first tail came must find that change in the second."""
    segments = Segments()
    segments.start([], T0)
    first, second = row_of(pending("a@1")), row_of(pending("b@1"))
    segments.update([first], T0)
    parts = segments.update([first, second], T0)
    assert sorted(unpacked(parts["tail"])["id"]) == ["a@1", "b@1"]


def test_what_is_gone_is_said_to_be_gone() -> None:
    segments = Segments()
    segments.start([row_of(resolved("a@1"))], T0)
    assert unpacked(segments.update([], T0)["tail"])["gone"] == ["a@1"]


def test_a_full_tail_is_poured_into_the_middle() -> None:
    segments = Segments()
    segments.start([], T0)
    parts = segments.update([row_of(pending(f"f/{number}@1")) for number in range(TAIL_ROWS + 1)], T0)
    assert set(parts) == {"middle", "tail"}
    assert (len(unpacked(parts["middle"])["id"]), unpacked(parts["tail"])["id"]) == (TAIL_ROWS + 1, [])


def test_a_full_middle_becomes_a_base() -> None:
    segments = Segments()
    segments.start([], T0)
    parts = segments.update([row_of(pending(f"f/{number}@1")) for number in range(MIDDLE_ROWS + 1)], T0)
    assert set(parts) == {"base", "middle", "tail"}
    assert len(unpacked(parts["base"])["id"]) == MIDDLE_ROWS + 1


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(4))
def test_any_page_has_all_rows_whenever_it_joins(seed: int) -> None:
    """One page from the start, and one that joins after each step with what the traits hold then."""
    chance = random.Random(seed)
    segments, page = Segments(), Page()
    world: dict[str, Row] = {}
    traits = dict(segments.start([], T0))
    page.read(traits)
    used = set()
    for _ in range(100):
        for _ in range(chance.choice([1, 3, 90, 400])):
            id = f"f/{chance.randrange(4_000)}@1"
            match chance.randrange(3):
                case 0:
                    world.pop(id, None)
                case 1:
                    world[id] = row_of(pending(id))
                case _:
                    world[id] = row_of(resolved(id))
        rows = list(world.values())
        parts = segments.update(rows, T0)
        used.add(tuple(parts))
        traits.update(parts)
        page.read(dict(parts))
        late = Page()
        late.read(traits)
        assert page.states == late.states == states(rows)
        assert not page.has_missed
        assert not late.has_missed
    assert used >= {("tail",), ("middle", "tail"), ("base", "middle", "tail")}  # or the run has not tried all


def test_a_lost_update_is_noticed() -> None:
    segments, page = Segments(), Page()
    page.read(dict(segments.start([], T0)))
    rows = [row_of(pending(f"f/{number}@1")) for number in range(TAIL_ROWS + 1)]
    segments.update(rows, T0)  # lost on its way
    page.read(dict(segments.update([*rows, row_of(pending("late@1"))], T0)))
    assert page.has_missed
