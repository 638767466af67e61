"""An id and its generation: taken apart and put together again without loss."""

from __future__ import annotations

import hypothesis.strategies as st
import pytest
from hypothesis import given

from resonate_nb.protocol import join_id, split_id


@pytest.mark.parametrize(
    ("id", "base", "generation"),
    [
        pytest.param("a", "a", 1, id="first"),
        pytest.param("a@2~3", "a@2", 3, id="third"),
        pytest.param("a~2~3", "a~2", 3, id="last_suffix_only"),
        pytest.param("a~1", "a~1", 1, id="first_has_no_suffix"),
        pytest.param("a~02", "a~02", 1, id="leading_zero"),
        pytest.param("a~", "a~", 1, id="empty_suffix"),
        pytest.param("~2", "~2", 1, id="empty_base"),
        pytest.param("a~2x", "a~2x", 1, id="not_a_number"),
        pytest.param("a~٣", "a~٣", 1, id="foreign_digit"),
        pytest.param("a~-2", "a~-2", 1, id="negative"),
    ],
)
def test_only_a_proper_suffix_is_a_generation(id: str, base: str, generation: int) -> None:
    """Ids from the wire are any string; none may be mistaken for a generation it is not."""
    assert (base, generation) == split_id(id)


@given(st.text(alphabet="a~0123²", max_size=12))
def test_splitting_loses_nothing(id: str) -> None:
    """Else two ids could fall together, and one would answer for the other."""
    assert id == join_id(*split_id(id))


@given(st.text(alphabet="a~01", min_size=1, max_size=6), st.integers(2, 999_999_999))
def test_joining_is_undone_by_splitting(base: str, generation: int) -> None:
    """Any base takes any later generation."""
    assert (base, generation) == split_id(join_id(base, generation))
