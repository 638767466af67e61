"""When a failed attempt is followed by another, and after how long; and what users may write for it."""

from __future__ import annotations

import asyncio
import math
import pickle
import random
import sys
from dataclasses import replace
from datetime import timedelta
from typing import Any

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given

from resonate_nb.errors import InvalidOptionError
from resonate_nb.retry import Constant, Exponential, Linear, Never, Policy, policy_of

NOW_MS = 1_000_000_000_000
"""2001-09-09 01:46:40 UTC."""


def wait(policy: Policy, attempt: int = 2, error: BaseException | None = None, seed: int = 0) -> float | None:
    return policy.wait_before(attempt, error or OSError("flaky"), NOW_MS, random.Random(seed))


@pytest.mark.parametrize(
    ("policy", "option"),
    [
        pytest.param(Never(), None, id="none"),
        pytest.param(Exponential(max_attempts=5), 5, id="int"),
        pytest.param(Exponential(max_attempts=1), 1, id="one"),
        pytest.param(Exponential(max_attempts=3), np.int64(3), id="numpy_int"),
        pytest.param(Constant(2, delay=7), Constant(2, delay=7), id="itself"),
        pytest.param(Never(), Never(), id="never"),
    ],
)
def test_policy_of_an_option(policy: Policy, option: object) -> None:
    """A number is the number of attempts, the first one counted."""
    assert policy == policy_of(option)


@pytest.mark.parametrize(
    "option",
    [0, -1, True, False, 2.0, "3", Exponential, np.arange(3), object(), 2**63],
    ids=lambda option: repr(option)[:20],
)
def test_wrong_retry_is_refused_with_the_right_ones(option: object) -> None:
    """The message lists all that may stand there; a class without its brackets is a likely slip."""
    with pytest.raises(InvalidOptionError) as caught:
        policy_of(option)
    for part in (repr(option), "number of attempts", "Exponential()", "Linear()", "Constant()", "Never()", "None"):
        assert part in str(caught.value)


@pytest.mark.parametrize(
    ("policy", "wrong", "said"),
    [
        pytest.param(Exponential, {"max_attempts": 0}, "max_attempts of Exponential must be an integer", id="none"),
        pytest.param(Linear, {"max_attempts": 2.5}, "max_attempts of Linear must be an integer", id="half"),
        pytest.param(Constant, {"max_attempts": True}, "max_attempts of Constant must be an integer", id="bool"),
        pytest.param(Linear, {"max_attempts": None}, "max_attempts of Linear must be an integer", id="no_number"),
        pytest.param(Constant, {"max_attempts": 2**63}, "max_attempts of Constant must be an integer", id="beyond"),
        pytest.param(Constant, {"delay": "soon"}, "delay of Constant must be a length of time", id="delay"),
        pytest.param(Constant, {"delay": -1}, "delay of Constant must be from 0", id="negative"),
        pytest.param(Linear, {"max_delay": None}, "max_delay of Linear must be a length of time", id="max_delay"),
        pytest.param(Exponential, {"delay": "2m"}, "delay=120.0 is longer than max_delay=60.0", id="beyond_max"),
        pytest.param(
            Exponential, {"factor": 0.5}, "factor of Exponential must be a number of at least 1", id="shrinks"
        ),
        pytest.param(Exponential, {"factor": math.inf}, "factor of Exponential", id="explodes"),
        pytest.param(Exponential, {"factor": math.nan}, "factor of Exponential", id="no_factor"),
        pytest.param(Exponential, {"factor": "2"}, "factor of Exponential", id="factor_text"),
        pytest.param(Constant, {"jitter": 1.1}, "jitter of Constant must be a fraction", id="jitter"),
        pytest.param(Constant, {"jitter": -0.1}, "jitter of Constant must be a fraction", id="jitter_negative"),
        pytest.param(Constant, {"jitter": True}, "jitter of Constant must be a fraction", id="jitter_bool"),
        pytest.param(Constant, {"jitter": timedelta(seconds=1)}, "jitter of Constant", id="jitter_time"),
        pytest.param(Constant, {"retryable": (OSError(),)}, r"retryable=\(KeyError,\), not OSError\(\)", id="instance"),
        pytest.param(Constant, {"retryable": "OSError"}, "retryable of Constant must be classes", id="text"),
        pytest.param(Constant, {"retryable": (int,)}, "retryable of Constant must be classes", id="no_exception"),
        pytest.param(Linear, {"non_retryable": [KeyError, 5]}, "non_retryable of Linear must be classes", id="number"),
        pytest.param(Linear, {"retryable": KeyboardInterrupt}, "which ends a call, and is never", id="interrupt"),
    ],
)
def test_wrong_field_is_refused(policy: type, wrong: dict[str, Any], said: str) -> None:
    """At once, not after the first failure of a long call; the message names policy and field."""
    with pytest.raises(InvalidOptionError, match=said):
        policy(**wrong)


def test_fields_hold_what_was_meant() -> None:
    """Equal policies are equal however they were written, and can be keys."""
    plain = Exponential(3, delay=2.0, max_delay=120.0, jitter=0.0, retryable=(TypeError,), factor=3.0)
    written = Exponential(
        np.int64(3),  # type: ignore[arg-type]
        delay="2s",
        max_delay=timedelta(minutes=2),
        jitter=0,
        retryable=[TypeError],  # type: ignore[arg-type]
        factor=3,
    )
    assert plain == written
    assert hash(plain) == hash(written)
    assert (OSError,) == Constant(non_retryable=OSError).non_retryable  # type: ignore[arg-type]
    assert Linear(3) != Exponential(3)


@pytest.mark.parametrize(
    ("text", "policy"),
    [
        ("one attempt, no retries", Never()),
        ("one attempt, no retries", Exponential(1)),
        ("up to 2 attempts, 1 s apart", Exponential(2)),
        ("up to 5 attempts, 1 s to 8 s apart", Exponential(5)),
        ("up to 10 attempts, 1 s to 60 s apart", Exponential(10)),
        ("up to 3 attempts, 5 m to 10 m apart", Linear(3, delay="5m", max_delay="1h")),
        ("up to 4 attempts, 90 s apart", Constant(4, delay="90s")),
        ("up to 4 attempts, 36 h apart", Constant(4, delay="36h")),
        ("up to 4 attempts, 0.25 s apart", Constant(4, delay=0.25)),
    ],
)
def test_policy_in_words(text: str, policy: Policy) -> None:
    """What a person reads in a log line or a message."""
    assert text == str(policy)


@pytest.mark.parametrize(
    ("delays", "policy"),
    [
        pytest.param([1, 2, 4, 8, None], Exponential(5, jitter=0), id="exponential"),
        pytest.param([2, 6, 10, 10, 10, None], Exponential(6, delay=2, factor=3, max_delay=10, jitter=0), id="capped"),
        pytest.param([5, 5, None], Exponential(3, delay=5, factor=1, jitter=0), id="factor_one"),
        pytest.param([0, 0, None], Exponential(3, delay=0, jitter=0), id="at_once"),
        pytest.param([1, 2, 3, 4, None], Linear(5), id="linear"),
        pytest.param([20, 40, 50, 50, None], Linear(5, delay=20, max_delay=50), id="linear_capped"),
        pytest.param([7, 7, 7, None], Constant(4, delay=7), id="constant"),
        pytest.param([None, None], Constant(1), id="one_attempt"),
        pytest.param([None, None], Never(), id="never"),
    ],
)
def test_plan(delays: list[float | None], policy: Policy) -> None:
    """From the second attempt on; None once all attempts are used up, and for ever after."""
    assert delays == [wait(policy, attempt) for attempt in range(2, 2 + len(delays))]
    assert wait(policy, 10**6) is None


lengths = st.floats(0, 1000)
attempts = st.integers(2, 10**6)


@st.composite
def policies(draw: st.DrawFn, jitter: st.SearchStrategy[float]) -> Exponential | Linear | Constant:
    shared: dict[str, Any] = {
        "max_attempts": draw(st.sampled_from([2, 10, sys.maxsize])),
        "delay": draw(lengths),
        "jitter": draw(jitter),
    }
    kind = draw(st.sampled_from([Exponential, Linear, Constant]))
    if kind is Constant:
        return Constant(**shared)
    shared["max_delay"] = shared["delay"] + draw(lengths)
    if kind is Linear:
        return Linear(**shared)
    return Exponential(**shared, factor=draw(st.floats(1, 1e300)))


@given(policies(jitter=st.just(0.0)), attempts)
def test_delay_never_shrinks_and_stays_within_its_limits(policy: Exponential | Linear | Constant, attempt: int) -> None:
    """Whatever the factor and however late the attempt: from the first delay up to max_delay."""
    one, next_one = wait(policy, attempt), wait(policy, attempt + 1)
    assert (attempt > policy.max_attempts) is (one is None)
    if one is not None:
        highest = policy.delay if isinstance(policy, Constant) else policy.max_delay
        assert isinstance(policy.delay, float)
        assert isinstance(highest, float)
        assert policy.delay <= one <= highest
        assert next_one is None or one <= next_one


@given(policies(jitter=st.floats(0, 1)), attempts, st.integers())
def test_jitter_only_shortens_and_by_no_more_than_its_fraction(
    policy: Exponential | Linear | Constant, attempt: int, seed: int
) -> None:
    """Equal chance, equal delay, so that a simulation can be run again."""
    found = wait(policy, attempt, seed=seed)
    assert found == wait(policy, attempt, seed=seed)
    if found is not None:
        planned = wait(replace(policy, jitter=0.0), attempt)
        assert planned is not None
        assert planned * (1 - policy.jitter) <= found <= planned


def test_jitter_is_spread() -> None:
    """A jitter of 1 leaves anything from nothing to the whole delay; callers who failed together part."""
    found = [wait(Constant(2, delay=100, jitter=1), seed=seed) for seed in range(200)]
    assert min(filter(None, found)) < 10
    assert max(filter(None, found)) > 90
    assert len(set(found)) > 190


@given(policies(jitter=st.floats(0, 1)))
def test_policy_pickles(policy: Exponential | Linear | Constant) -> None:
    """It goes to another process with the function that has it."""
    assert policy == pickle.loads(pickle.dumps(policy))


def test_policy_with_classes_pickles() -> None:
    """Classes go by name."""
    for policy in (Never(), Linear(2, retryable=(TypeError,), non_retryable=(KeyError, OSError))):
        assert policy == pickle.loads(pickle.dumps(policy))


class Flaky(ConnectionError):
    """A user's own."""


@pytest.mark.parametrize(
    "error",
    [
        *(OSError(), Flaky(), ValueError(), KeyError(), AttributeError(), RuntimeError(), ZeroDivisionError()),
        *(Exception(), StopIteration(), TimeoutError(), MemoryError(), UnicodeError()),
    ],
    ids=repr,
)
def test_failure_may_be_tried_again(error: Exception) -> None:
    """Unless it is known that no second try can mend it."""
    assert 1 == wait(Constant(2), error=error)


@pytest.mark.parametrize(
    "error",
    [
        *(NameError(), UnboundLocalError(), TypeError(), SyntaxError(), IndentationError(), AssertionError()),
        *(ImportError(), ModuleNotFoundError()),
    ],
    ids=repr,
)
def test_error_of_the_code_is_not_tried_again_unless_named(error: Exception) -> None:
    """The same code fails in the same way; but who names the class, or a class above it, knows better."""
    assert wait(Constant(2), error=error) is None
    assert wait(Constant(2, retryable=(OSError,)), error=error) is None
    assert 1 == wait(Constant(2, retryable=(type(error),)), error=error)
    assert 1 == wait(Constant(2, retryable=(Exception,)), error=error)


@pytest.mark.parametrize(
    "error", [KeyboardInterrupt(), SystemExit(), GeneratorExit(), asyncio.CancelledError()], ids=repr
)
def test_ending_is_never_tried_again(error: BaseException) -> None:
    """Somebody stopped the call; that is no failure of it."""
    assert wait(Constant(2, retryable=(Exception,)), error=error) is None
    assert wait(Constant(2), error=BaseExceptionGroup("", [OSError(), error])) is None


@pytest.mark.parametrize(
    ("is_retried", "error", "retryable", "non_retryable"),
    [
        pytest.param(False, KeyError(), (), (KeyError,), id="refused"),
        pytest.param(False, KeyError(), (), (LookupError,), id="refused_above"),
        pytest.param(True, IndexError(), (), (KeyError,), id="neighbour_refused"),
        pytest.param(False, KeyError(), (KeyError,), (KeyError,), id="both"),
        pytest.param(False, Flaky(), (OSError,), (ConnectionError,), id="refused_nearer"),
        pytest.param(True, Flaky(), (ConnectionError,), (OSError,), id="allowed_nearer"),
        pytest.param(True, Flaky(), (OSError,), (Exception,), id="nothing_else_allowed"),
        pytest.param(False, KeyError(), (OSError,), (Exception,), id="nothing_else_refused"),
        pytest.param(True, ValueError(), (OSError,), (), id="retryable_adds"),
    ],
)
def test_nearest_class_decides(
    is_retried: bool,
    error: Exception,
    retryable: tuple[type[Exception], ...],
    non_retryable: tuple[type[Exception], ...],
) -> None:
    """As with `except`, a class stands for its subclasses, and the nearer word is the more considered one."""
    policy = Constant(2, retryable=retryable, non_retryable=non_retryable)
    assert is_retried is (wait(policy, error=error) is not None)


@pytest.mark.parametrize(
    ("is_retried", "members"),
    [
        pytest.param(True, [OSError(), ValueError()], id="all_may"),
        pytest.param(False, [OSError(), TypeError()], id="one_may_not"),
        pytest.param(False, [OSError(), ExceptionGroup("", [KeyError()])], id="one_deep_down_may_not"),
    ],
)
def test_group_is_tried_again_if_each_member_may(is_retried: bool, members: list[Exception]) -> None:
    """A task group fails with all that failed in it."""
    policy = Constant(2, non_retryable=(KeyError,))
    assert is_retried is (wait(policy, error=ExceptionGroup("tasks", members)) is not None)


class Told(Exception):
    """As of chat services: the number stands in an attribute."""

    def __init__(self, retry_after: object) -> None:
        self.retry_after = retry_after


@pytest.mark.parametrize("policy", [Exponential(3), Linear(3, jitter=1), Constant(3, delay=0)], ids=str)
def test_service_sets_the_delay(policy: Exponential | Linear | Constant) -> None:
    """Exactly, sooner or later than planned, even beyond max_delay; but it gives no leave that was not there."""
    assert 0.01 == wait(policy, error=Told(0.01))
    assert 3600 == wait(policy, attempt=3, error=Told(3600))
    assert wait(policy, attempt=4, error=Told(1)) is None
    assert wait(type(policy)(3, non_retryable=(Told,)), error=Told(1)) is None
    assert wait(Never(), error=Told(1)) is None
