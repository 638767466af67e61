"""Errors are records: what they carry, what they say, and that both survive a process."""

from __future__ import annotations

import pickle

import pytest

from resonate_nb.errors import DriftError, DurableTimeoutError, ResonateNbError

DIFF = "--- recorded\n+++ now\n@@ -1 +1 @@\n-return x\n+return x + 1"


def test_deadline_in_words() -> None:
    """Which promise, which deadline, and how to go on."""
    error = DurableTimeoutError("train@2", deadline=1_000_000_000_000)
    assert ("train@2", 1_000_000_000_000, None, False) == (error.id, error.deadline, error.limit, error.has_value)
    assert (
        "promise 'train@2' was not finished by its deadline, 2001-09-09 01:46:40 UTC, and has timed out. "
        "Run it again for a new try, with a longer timeout if it needs more time." == str(error)
    )


def test_limit_of_a_try_in_words() -> None:
    """The limit is the try's, and the remedy another one."""
    error = DurableTimeoutError("train@2", limit=300.0)
    assert (
        "a try of promise 'train@2' took longer than its limit of 300 s. "
        "Give it more with attempt_timeout=, or further tries with retry=." == str(error)
    )


@pytest.mark.parametrize("deadline", [None, 2**53 - 1, -(2**62)])
def test_strange_deadline_still_has_a_message(deadline: int | None) -> None:
    """An error that cannot be shown hides what happened."""
    assert "promise 'p' was not finished by its deadline" in str(DurableTimeoutError("p", deadline))


@pytest.mark.parametrize("value", [7, None], ids=["value", "none"])
def test_late_value_is_carried(value: object) -> None:
    """None is a value too; and a large value does not fill the traceback."""
    error = DurableTimeoutError("p", 5, has_value=True, value=value)
    assert (True, value) == (error.has_value, error.value)
    assert str(error).endswith("What it returned too late is in `value` of this error.")
    assert "DurableTimeoutError('p')" == repr(error)


def test_drift_in_words() -> None:
    """What has changed, since when, the ways out, and the diff."""
    assert str(DriftError("train@2", DIFF, "2")) == (
        "promise 'train@2': the code has changed since version '2' was recorded. Give the new code a new version=, "
        "take the code back, or say with on_drift= what shall happen ('rerun', 'warn' or 'ignore').\n" + DIFF
    )
    assert "changed since it was begun." in str(DriftError("train@ab", DIFF))
    assert str(DriftError("train@ab", "")).endswith("'ignore').")


@pytest.mark.parametrize(
    "error",
    [
        DurableTimeoutError("p", 1_000),
        DurableTimeoutError("p", limit=0.5, has_value=True, value=[1, 2]),
        DriftError("p", DIFF, "2"),
        DriftError("p", DIFF),
    ],
    ids=repr,
)
def test_error_pickles_whole(error: ResonateNbError) -> None:
    """It is stored as the failure of a parent, and comes from other processes."""
    copy = pickle.loads(pickle.dumps(error))
    assert (type(error), str(error), vars(error)) == (type(copy), str(copy), vars(copy))


@pytest.mark.parametrize(
    ("error", "builtin"), [(DurableTimeoutError("p"), TimeoutError), (DriftError("p", ""), RuntimeError)], ids=repr
)
def test_error_is_caught_as_a_user_would_expect(error: ResonateNbError, builtin: type[Exception]) -> None:
    """By the root of the package and by the builtin of its kind."""
    assert isinstance(error, ResonateNbError)
    assert isinstance(error, builtin)
    assert getattr(error, "errno", None) is None
