"""What is known in this process: by name and fixed version, the last definition wins."""

from __future__ import annotations

from resonate_nb import durable
from resonate_nb.runtime import registered


def defined(version: str | int | None, answer: int):
    @durable(name="known", version=version)
    def known():
        return answer

    return known


def test_running_a_defining_cell_again_registers_again():
    first = defined(None, 1)
    assert registered("known") is first._work
    second = defined(None, 2)
    assert registered("known") is second._work
    assert registered("unknown") is None


def test_two_versions_of_one_name_stand_side_by_side(engine):
    old, new = defined("2024-q3", 1), defined(2, 2)
    assert registered("known", "2024-q3") is old._work
    assert registered("known", "2") is new._work
    assert (1, 2, 1) == (old(), new(), old())
