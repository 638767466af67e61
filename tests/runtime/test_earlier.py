"""Which earlier promise a call is compared with, and which one an edit's result may be taken from."""

from __future__ import annotations

from typing import Any

from resonate_nb import durable
from resonate_nb.runtime import Engine, Identity, identify
from resonate_nb.runtime._earlier import before_the_edit, nearest, versions_of


def named(function: Any, *args: object) -> tuple[Any, Identity]:
    found = identify(function._work, function._bound(args, {}))
    assert isinstance(found, Identity)
    return function._work, found


def made(k: int, name: str = "step", **options: Any) -> Any:
    @durable(name=name, **options)
    def step(x: int, y: int = 0) -> int:
        return x + y + k

    return step


def test_an_edited_call_is_compared_with_itself_before_the_edit(engine: Engine):
    first, second = made(1), made(2)
    first(1), first(2), second(1)
    with engine.store.read() as reader:
        found = before_the_edit(reader, *named(second, 2))
        assert found is not None
        assert first.get(2).id == found.id
        assert found == nearest(reader, *named(second, 2))


def test_the_newest_version_counts_and_its_latest_generation(engine: Engine):
    made(1)(1), made(2)(1)
    made(1).rerun(1)
    with engine.store.read() as reader:
        found = versions_of(reader, *named(made(3), 1))
    assert [made(1).get(1).id, made(2).get(1).id] == [promise.id for promise in found]


def test_new_arguments_are_compared_with_the_call_that_differs_in_the_fewest(engine: Engine):
    step = made(1)
    step(1, 1), step(2, 2), step(3, 3)
    with engine.store.read() as reader:
        assert before_the_edit(reader, *named(step, 2, 5)) is None
        assert step.get(2, 2).id == nearest(reader, *named(step, 2, 5)).id  # type: ignore[union-attr]
        assert step.get(3, 3).id == nearest(reader, *named(step, 5, 5)).id  # type: ignore[union-attr]


def test_what_is_given_a_new_version_was_the_same_call_before(engine: Engine):
    made(1, version=1)(1)
    with engine.store.read() as reader:
        assert before_the_edit(reader, *named(made(1, version=1), 1)) is None
        found = before_the_edit(reader, *named(made(1, version=2), 1))
    assert found is not None
    assert made(1, version=1).get(1).id == found.id


def test_a_name_that_never_ran_has_nothing_to_be_compared_with(engine: Engine):
    made(1, "other")(1)
    with engine.store.read() as reader:
        assert nearest(reader, *named(made(1), 1)) is None


def test_ids_that_hold_patterns_are_looked_up_as_they_stand(engine: Engine):
    first, second = (made(k, id="a*[x]/{x}") for k in (1, 2))
    first(1), made(1, id="ab[x]/{x}")(1)
    with engine.store.read() as reader:
        assert [first.get(1).id] == [promise.id for promise in versions_of(reader, *named(second, 1))]
