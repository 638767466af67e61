"""Which mutable objects and which memory values share is part of what they are."""

from __future__ import annotations

import datetime
import functools
import pickle
from array import array
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from values_under_test import PANDAS, Model, Point, fp, reach

from resonate_nb.fingerprint.values._values import Walker, fingerprint_values


def joint(**values: object) -> str:
    return fingerprint_values(values, reach).joint


def _rings() -> tuple[list[Any], list[Any]]:
    one: list[Any] = []
    one.append(one)
    two: list[Any] = []
    two.append([two])
    return one, two


def test_cycles_end_and_their_length_counts() -> None:
    one, two = _rings()
    assert fp(one) != fp(two)
    assert fp(one) == fp(_rings()[0])


def test_a_partial_that_knows_itself_ends() -> None:
    def ring(note: str) -> Any:
        made = functools.partial(int, base=2)
        vars(made).update(note=note, me=[made])
        return made

    assert fp(ring("a")) == fp(ring("a")) != fp(ring("b"))


def test_a_shared_list_in_two_arguments_shows_in_the_joint_digest_alone() -> None:
    part: list[int] = [1]
    together = fingerprint_values({"a": part, "b": [part]}, reach)
    apart = fingerprint_values({"a": [1], "b": [[1]]}, reach)
    assert together.parts == apart.parts
    assert together.joint != apart.joint


def test_the_order_of_names_does_not_count_and_the_names_do() -> None:
    assert joint(a=1, b=2) == joint(b=2, a=1)
    assert joint(a=1, b=2) != joint(a=2, b=1)
    assert joint(a=1) != joint(b=1)
    assert joint() != joint(a=None)


def test_which_two_of_three_are_shared_counts() -> None:
    one, two = [1], [1]
    found = {
        joint(a=one, b=one, c=two),
        joint(a=one, b=two, c=one),
        joint(a=two, b=one, c=one),
        joint(a=[1], b=one, c=two),
    }
    assert len(found) == 4


def test_immutable_values_are_never_shared() -> None:
    text, pair = "x" * 100, (1, 2)
    assert joint(a=text, b=text, c=[pair, pair]) == joint(a="x" * 100, b="x" * 100, c=[(1, 2), (1, int("2"))])
    point, when = Point(1, 2), datetime.date(2020, 1, 1)
    again = [Point(1, 2), when, datetime.date(2020, 1, 1)]
    assert joint(a=point, b=[point, when, when]) == joint(a=Point(1, 2), b=again)


def test_views_of_one_array_are_apart_from_copies() -> None:
    table = np.arange(12.0)
    view = [table, table[2:5]]
    assert fp(view) != fp([table, table[2:5].copy()])
    assert fp(view) == fp([table, table[2:5]])
    ends = np.array([7.0, 7.0])
    assert fp([ends, ends[:1]]) != fp([ends, ends[1:]])
    assert joint(a=table, b=table[2:5]) != joint(a=table, b=table[2:5].copy())
    assert joint(a=table[:6], b=table[3:]) != joint(a=table[:6].copy(), b=table[3:])


def test_parts_of_an_array_that_do_not_overlap_are_as_good_as_copies() -> None:
    """What a step returns comes back from the store in pieces of its own; that must not cost the next step its hit."""
    table = np.arange(12.0).reshape(4, 3)
    for one, other in ((table[:2], table[2:]), (table[:, 0], table[:, 1]), (table[::2], table[1::2])):
        assert joint(a=one, b=other) == joint(a=one.copy(), b=other.copy())
        assert fp([one, other]) == fp(pickle.loads(pickle.dumps([one, other])))


def test_several_groups_of_arrays_over_one_table_are_told_apart() -> None:
    table = np.arange(40.0).reshape(8, 5)

    def look(*views: Any) -> str:
        return joint(**{f"v{number}": view for number, view in enumerate(views)})

    columns = [table[:, 0], table[:, 1], table[:4, 0], table[:4, 1]]
    together = look(*columns)
    assert together == look(*columns)
    assert together != look(*columns[:3], columns[3].copy())
    assert together != look(*(column.copy() for column in columns))
    assert look(columns[0], columns[1]) == look(columns[0].copy(), columns[1].copy())
    bridged = look(columns[0], columns[1], table[2:4])
    assert bridged != look(columns[0], columns[1].copy(), table[2:4])


def test_many_columns_of_one_table_are_as_good_as_copies() -> None:
    table = np.arange(1_000.0).reshape(10, 100)
    columns = [table[:, number] for number in range(100)]
    assert fp(columns) == fp([column.copy() for column in columns])


def test_views_through_bytes_that_can_be_written_are_seen() -> None:
    for buffer in (bytearray(b"abcd"), array("b", [1, 2, 3, 4])):
        view = np.frombuffer(buffer, "u1")
        assert fp([buffer, view]) != fp([buffer, view.copy()])
        assert fp([view, buffer]) != fp([view.copy(), buffer])


def test_frames_that_share_by_copy_on_write_do_not_count() -> None:
    frame = pd.DataFrame({"a": [1.0, 2.0], "b": [3.0, 4.0]})
    pair = (frame, frame[["a"]], frame["b"])
    copied = tuple(part.copy() for part in pair)
    # Before pandas 3 a write through one of them reached the others.
    assert (joint(a=pair) == joint(a=copied)) is (PANDAS >= 3)
    assert joint(a=frame, b=frame) != joint(a=frame, b=frame.copy())


def test_an_array_under_a_frame_counts() -> None:
    table = np.arange(6.0).reshape(3, 2)
    frame = pd.DataFrame(table, copy=False)
    assert np.shares_memory(frame.to_numpy(), table)
    assert joint(a=frame, b=table) != joint(a=frame, b=table.copy())


def test_generators_that_share_one_source_of_bits_are_told() -> None:
    bits = np.random.PCG64(1)
    together = [np.random.Generator(bits), np.random.Generator(bits)]
    apart = [np.random.default_rng(np.random.PCG64(1)), np.random.default_rng(np.random.PCG64(1))]
    assert fp(together) != fp(apart)


def test_sets_of_mutable_members_do_not_depend_on_their_order() -> None:
    """Instances are hashed by address, so their order in a set is an accident."""

    def build(turned: bool) -> set[Model]:
        names = ["a", "b", "c", "d", "e"]
        return {Model(name=name, part=[name]) for name in (reversed(names) if turned else names)}

    assert fp(build(False)) == fp(build(True))
    some, members = build(False), build(False)
    one = next(iter(sorted(members, key=lambda model: str(vars(model)["name"]))))
    assert fp([some, Model(name="a", part=["a"])]) != fp([members, one])
    assert fp([one, members]) == fp(pickle.loads(pickle.dumps([one, members])))


def test_code_in_a_set_is_asked_about_in_an_order_of_its_own() -> None:
    """The code part numbers what it is asked about; hashing by address must not decide the numbers."""

    class First(Model):
        pass

    class Second(Model):
        pass

    orders = set()
    for members in ([First(), Second(), Model()], [Second(), Model(), First()], [Model(), First(), Second()]):
        asked: list[str] = []

        def number(thing: object, asked: list[str] = asked) -> bytes:
            asked.append(getattr(thing, "__name__", ""))
            return b"%d" % len(asked)

        Walker(number).digest("members", set(members))
        orders.add(tuple(asked))
    (order,) = orders
    assert sorted(order) == ["First", "Model", "Second"]


@pytest.mark.slow
def test_deep_values_are_walked() -> None:
    for deep in (_deep_list(20_000), _deep_tuple(20_000), _deep_dict(20_000)):
        fp(deep)
    assert fp(_deep_list(20_000)) != fp(_deep_list(20_001))


def test_a_tuple_that_holds_another_twice_fifty_levels_deep_takes_no_longer_than_it_should() -> None:
    for leaf in ((1, "a"), ([],), (Model(),)):
        pair: Any = leaf
        for _ in range(60):
            pair = (pair, pair)
        fp(pair)


def _deep_list(depth: int) -> list[Any]:
    found: list[Any] = []
    for _ in range(depth):
        found = [found]
    return found


def _deep_tuple(depth: int) -> tuple[Any, ...]:
    found: tuple[Any, ...] = ()
    for _ in range(depth):
        found = (found, 1)
    return found


def _deep_dict(depth: int) -> dict[Any, Any]:
    found: dict[Any, Any] = {}
    for _ in range(depth):
        found = {"a": found}
    return found


@pytest.mark.slow
@settings(max_examples=200, deadline=None)
@given(st.data())
def test_sharing_survives_pickle_and_a_broken_share_is_seen(data: st.DataObject) -> None:
    """Lists and dicts that hold one another at random: pickle keeps their shape, a copy at one place does not."""
    nodes: list[Any] = [[] if data.draw(st.booleans()) else {} for _ in range(data.draw(st.integers(2, 6)))]
    edges: list[tuple[Any, Any]] = []
    for number, node in enumerate(nodes):
        for key in range(data.draw(st.integers(0, 3))):
            target = data.draw(st.sampled_from(nodes))
            if isinstance(node, list):
                node.append(target)
            else:
                node[f"{number}.{key}"] = target
            edges.append((node, len(node) - 1 if isinstance(node, list) else f"{number}.{key}"))
    before = fp(nodes)
    assert before == fp(pickle.loads(pickle.dumps(nodes)))
    if edges:
        node, key = data.draw(st.sampled_from(edges))
        node[key] = type(node[key])(node[key])  # an equal object, no longer the one that `nodes` holds
        assert before != fp(nodes)
