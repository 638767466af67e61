"""What is known in this process: by name and fixed version, the last definition wins."""

from __future__ import annotations

from resonate_nb import durable
from resonate_nb.runtime._registry import works_named


def defined(name: str, version: str | int | None, answer: int):
    @durable(name=name, version=version)
    def known():
        return answer

    return known


def test_running_a_defining_cell_again_registers_again():
    first = defined("known", None, 1)
    assert [first._work] == works_named("known")
    second = defined("known", None, 2)
    assert [second._work] == works_named("known")
    assert [] == works_named("unknown")


def test_two_versions_of_one_name_stand_side_by_side(engine):
    old, new = defined("known twice", "2024-q3", 1), defined("known twice", 2, 2)
    assert [old._work, new._work] == works_named("known twice")
    assert (1, 2, 1) == (old(), new(), old())
