"""When a failed attempt is followed by another, and after how long. Pure: time and chance are the caller's.

Two questions, in this order. May the error be tried again? A policy's own lists decide, the class nearest to the
error's first; else all may but what no second try can mend. And when? A service that says so itself (Retry-After) is
obeyed; else the policy's plan, shortened at random by its jitter.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Iterator
from dataclasses import KW_ONLY, dataclass
from datetime import UTC, datetime, timedelta
from random import Random
from typing import ClassVar, SupportsIndex

from resonate_nb.errors import (
    DriftError,
    IdReuseError,
    InvalidOptionError,
    SchemaError,
    UntrustedValueError,
    WaitCycleError,
)

__all__ = ["Constant", "Duration", "Exponential", "Linear", "Never", "Policy", "policy_of", "retry_after", "seconds_of"]

Duration = float | str | timedelta
"""A length of time as users give it: seconds, a text such as ``"90s"`` or ``"1h30m"``, or a timedelta."""

UNMENDABLE = (
    *(NameError, TypeError, SyntaxError, ImportError, AssertionError),
    *(InvalidOptionError, IdReuseError, DriftError, WaitCycleError, SchemaError, UntrustedValueError),
)
"""Errors of the code itself, and of how it uses this package: the same code fails in the same way again. Our errors
that tell of something that passes (a busy promise, a full disk, a rejection, a time-out) are not among them."""

MOST_ATTEMPTS = 2**63 - 1
"""As many as a store can count."""

LONGEST_SECONDS = 36_500 * 86_400
"""A hundred years. What is meant to be longer has no limit, and is left out."""

LONGEST_RETRY_AFTER_SECONDS = 30 * 86_400
"""Thirty days. A longer Retry-After is a mistake, most often an instant in the place of a length of time."""

_UNITS = {"ms": 0.001, "s": 1, "m": 60, "min": 60, "h": 3600, "d": 86_400, "w": 7 * 86_400}
_NUMBER = r"(\d+(?:\.\d+)?|\.\d+)"
_PART = rf"{_NUMBER}\s*(ms|min|[smhdw])\s*"


def seconds_of(value: object, option: str) -> float:
    """A length of time in seconds, from 0 to a hundred years.

    Args:
        value: seconds; a text of numbers with the units ms, s, m (or min), h, d, w, or a bare number of seconds; or a
            timedelta.
        option: whose value it is, for the message.

    Raises:
        InvalidOptionError: it is none of these, or is negative, not finite or longer.
    """
    seconds = _length_of(value)
    if seconds is None and isinstance(value, str):
        text = value.strip()
        if re.fullmatch(_NUMBER, text, re.ASCII):
            seconds = float(text)
        elif re.fullmatch(f"(?:{_PART})+", text, re.ASCII):
            seconds = math.fsum(float(number) * _UNITS[unit] for number, unit in re.findall(_PART, text, re.ASCII))
    if seconds is None:
        raise InvalidOptionError(
            f"{option} must be a length of time: seconds such as 90 or 0.5, a text such as '90s', '5m', '2h', '3d' or "
            f"'1h30m', or a timedelta; not {value!r}"
        )
    if not 0 <= seconds <= LONGEST_SECONDS:
        raise InvalidOptionError(f"{option} must be from 0 seconds to 100 years, not {value!r}")
    return seconds


def _length_of(value: object) -> float | None:
    return value.total_seconds() if isinstance(value, timedelta) else _number_of(value)


def _number_of(value: object) -> float | None:
    """A number as a float; None for anything else, a bool among it."""
    if isinstance(value, float):
        return float(value)
    whole = _whole_of(value)
    try:
        return None if whole is None else float(whole)
    except OverflowError:
        return math.inf


def _whole_of(value: object) -> int | None:
    """A whole number, of numpy's kinds too, as an int; None for anything else, a bool among it."""
    if isinstance(value, bool) or not isinstance(value, SupportsIndex):
        return None
    try:
        return value.__index__()
    except TypeError:  # an array of numpy has the method, and refuses
        return None


def _count_of(value: object) -> int | None:
    """How many attempts, if it can be a number of attempts at all."""
    count = _whole_of(value)
    return count if count is not None and 1 <= count <= MOST_ATTEMPTS else None


@dataclass(frozen=True, slots=True)
class _Repeating:
    """What all policies that try again have in common; each says how far apart its attempts are."""

    max_attempts: int = 5
    """Of one generation of a promise, over all processes that took it up; the first one counts. At least 1."""
    _: KW_ONLY
    delay: Duration = 1.0
    """Before the second attempt. Held in seconds."""
    jitter: float = 0.0
    """Fraction of a delay, from 0 to 1, that chance may take off it, so that many callers do not come back at once."""
    retryable: tuple[type[Exception], ...] = ()
    """Tried again in addition, even if no second try should mend them."""
    non_retryable: tuple[type[Exception], ...] = ()
    """Not tried again. Where both lists name a class of the error, the nearer class decides; the same class: this
    list. So `non_retryable=(Exception,), retryable=(OSError,)` tries again nothing but an OSError."""

    def __post_init__(self) -> None:
        name = type(self).__name__
        attempts = _count_of(self.max_attempts)
        if attempts is None:
            raise InvalidOptionError(
                f"max_attempts of {name} must be an integer of at least 1 (which is: no second try), "
                f"not {self.max_attempts!r}"
            )
        jitter = _number_of(self.jitter)
        if jitter is None or not 0 <= jitter <= 1:
            raise InvalidOptionError(
                f"jitter of {name} must be a fraction of the delay from 0 to 1, not {self.jitter!r}"
            )
        object.__setattr__(self, "max_attempts", attempts)
        object.__setattr__(self, "jitter", jitter)
        object.__setattr__(self, "delay", seconds_of(self.delay, f"delay of {name}"))
        for field in ("retryable", "non_retryable"):
            object.__setattr__(self, field, _classes(getattr(self, field), f"{field} of {name}"))

    def wait_before(self, attempt: int, error: BaseException, now_ms: int, random: Random) -> float | None:
        """Seconds to wait before an attempt; None if there shall be none.

        Args:
            attempt: its number, at least 2.
            error: how the attempt before it failed.
            now_ms: epoch milliseconds, for a Retry-After that names an instant.
            random: where the jitter comes from; one number is drawn unless the service sets the delay.
        """
        if attempt > self.max_attempts or not self._may_mend(error):
            return None
        asked = retry_after(error, now_ms)
        if asked is not None:
            return asked  # even beyond max_delay: earlier attempts would be refused, and be wasted
        return self._planned(attempt) * (1 - self.jitter * random.random())

    def _planned(self, attempt: int) -> float:
        """Seconds before attempt `attempt`, without jitter."""
        return seconds_of(self.delay, "delay")

    def _may_mend(self, error: BaseException) -> bool:
        if not isinstance(error, Exception):
            return False  # an interrupt, an exit, a cancellation: nobody asked for more
        if isinstance(error, ExceptionGroup):
            return all(map(self._may_mend, error.exceptions))
        for kind in type(error).__mro__:
            if kind in self.non_retryable:
                return False
            if kind in self.retryable:
                return True
        return not isinstance(error, UNMENDABLE)

    def __str__(self) -> str:
        if self.max_attempts == 1:
            return str(Never())
        first, last = _spoken(self._planned(2)), _spoken(self._planned(self.max_attempts))
        return f"up to {self.max_attempts} attempts, {first if first == last else f'{first} to {last}'} apart"


@dataclass(frozen=True, slots=True)
class _Growing(_Repeating):
    """Delays that grow up to a limit."""

    _: KW_ONLY
    max_delay: Duration = 60.0
    """No planned delay is longer. Held in seconds. A service that asks for more gets more."""

    def __post_init__(self) -> None:
        _Repeating.__post_init__(self)
        name = type(self).__name__
        limit = seconds_of(self.max_delay, f"max_delay of {name}")
        object.__setattr__(self, "max_delay", limit)
        if limit < seconds_of(self.delay, "delay"):
            raise InvalidOptionError(
                f"{name}: delay={self.delay!r} is longer than max_delay={limit!r}; give a longer max_delay too"
            )


@dataclass(frozen=True, slots=True)
class Exponential(_Growing):
    """Tries again after delays that grow by a factor: 1 s, 2 s, 4 s, 8 s. The usual choice for a service.

    The errors of the code itself (NameError, TypeError, SyntaxError, ImportError, AssertionError) are not tried again
    unless `retryable` names them. An error that carries a Retry-After sets its own delay.
    """

    _: KW_ONLY
    factor: float = 2.0
    """At least 1."""
    jitter: float = 0.2

    def __post_init__(self) -> None:
        _Growing.__post_init__(self)
        factor = _number_of(self.factor)
        if factor is None or not 1 <= factor < math.inf:
            raise InvalidOptionError(f"factor of Exponential must be a number of at least 1, not {self.factor!r}")
        object.__setattr__(self, "factor", factor)

    def _planned(self, attempt: int) -> float:
        first, limit = seconds_of(self.delay, "delay"), seconds_of(self.max_delay, "max_delay")
        if first == 0:
            return 0.0
        try:
            return min(limit, first * self.factor ** (attempt - 2))
        except OverflowError:
            return limit


@dataclass(frozen=True, slots=True)
class Linear(_Growing):
    """Tries again after delays that grow by the same amount: 1 s, 2 s, 3 s, 4 s. Else as `Exponential`."""

    def _planned(self, attempt: int) -> float:
        return min(seconds_of(self.max_delay, "max_delay"), seconds_of(self.delay, "delay") * (attempt - 1))


@dataclass(frozen=True, slots=True)
class Constant(_Repeating):
    """Tries again after delays of the same length. Else as `Exponential`."""


@dataclass(frozen=True, slots=True)
class Never:
    """Does not try again: the first failure is the result. This is what holds where no `retry=` is given."""

    max_attempts: ClassVar[int] = 1

    def wait_before(self, attempt: int, error: BaseException, now_ms: int, random: Random) -> None:
        """None: there shall be no attempt after the first."""

    def __str__(self) -> str:
        return "one attempt, no retries"


Policy = Exponential | Linear | Constant | Never


def policy_of(option: object) -> Policy:
    """What a user's `retry=` comes to: None is `Never()`, a number of attempts `Exponential(number)`.

    Raises:
        InvalidOptionError: it is no policy either.
    """
    match option:
        case None:
            return Never()
        case Exponential() | Linear() | Constant() | Never():
            return option
    if (attempts := _count_of(option)) is not None:
        return Exponential(attempts)
    raise InvalidOptionError(
        "retry must be a number of attempts of at least 1, Exponential(), Linear(), Constant(), Never(), or None for "
        f"no second try; not {option!r}"
    )


def _classes(given: object, option: str) -> tuple[type[Exception], ...]:
    """The classes of exceptions that were given, one or many."""
    many = given if isinstance(given, Iterable) and not isinstance(given, str | type) else (given,)
    classes = tuple(many)
    for one in classes:
        if not (isinstance(one, type) and issubclass(one, Exception)):
            raise InvalidOptionError(
                f"{option} must be classes of exceptions, e.g. {option.split()[0]}=(KeyError,), not {one!r}"
                + (" (which ends a call, and is never tried again)" if _is_ending(one) else "")
            )
    return classes


def _is_ending(one: object) -> bool:
    return isinstance(one, type) and issubclass(one, BaseException)


def _spoken(seconds: float) -> str:
    for unit, length in (("h", 3600), ("m", 60)):
        if seconds >= 2 * length:
            return f"{seconds / length:.3g} {unit}"
    return f"{seconds:.3g} s"


def retry_after(error: BaseException, now_ms: int) -> float | None:
    """Seconds after which the service that refused wants to be asked again; None if the error does not say.

    Read are the headers of `error.response` (httpx, requests, openai) and of the error (urllib, aiohttp), in
    milliseconds (`retry-after-ms`), seconds or as an HTTP date (RFC 9110, 10.2.3), and an attribute `retry_after`: of
    the error, then of what it was raised from or while handling. A group waits for the slowest of its members. What is
    past, negative or longer than thirty days is taken for a mistake, and not for an answer.
    """
    return _wanted(error, now_ms, set())


def _wanted(error: BaseException, now_ms: int, seen: set[int]) -> float | None:
    link: BaseException | None = error
    while link is not None and id(link) not in seen:
        seen.add(id(link))
        found = [seconds for seconds in _asked(link, now_ms) if 0 <= seconds <= LONGEST_RETRY_AFTER_SECONDS]
        if found:
            return found[0]
        if isinstance(link, BaseExceptionGroup):
            of_members = [_wanted(member, now_ms, seen) for member in link.exceptions]
            if waits := [seconds for seconds in of_members if seconds is not None]:
                return max(waits)
        link = link.__context__ if link.__cause__ is None else link.__cause__
    return None


def _asked(error: BaseException, now_ms: int) -> Iterator[float]:
    """All that the error itself says, whether it makes sense or not; the most exact first."""
    for holder in (_attribute(error, "response"), error):
        fields = _fields(_attribute(holder, "headers"))
        milliseconds = _parsed(fields.get("retry-after-ms"))
        if milliseconds is not None:
            yield milliseconds / 1000
        text = fields.get("retry-after")
        seconds = _parsed(text)
        if seconds is None and isinstance(text, str):
            seconds = _until(text, now_ms)
        if seconds is not None:
            yield seconds
    plain = _parsed(_attribute(error, "retry_after"))
    if plain is not None:
        yield plain


def _attribute(holder: object, name: str) -> object:
    try:
        return getattr(holder, name, None)
    except Exception:  # a property of the user's, which may do anything; it is no more than a hint
        return None


def _fields(headers: object) -> dict[str, object]:
    """Headers by name in lower case; none if it is not a mapping of the usual kind."""
    try:
        items = headers.items()  # type: ignore[attr-defined]  # whatever has it, will do
        return {name.lower(): value for name, value in items}
    except Exception:  # as above
        return {}


def _parsed(value: object) -> float | None:
    if isinstance(value, str):
        try:
            return float(value)
        except ValueError:
            return None
    return _length_of(value)


def _until(date: str, now_ms: int) -> float | None:
    """Seconds to an HTTP date; without a zone it is in UTC, as the RFC has it."""
    from email.utils import parsedate_to_datetime  # not felt by those who never meet a date

    try:
        instant = parsedate_to_datetime(date)
    except (ValueError, TypeError, OverflowError):
        return None
    zoned: datetime = instant if instant.tzinfo is not None else instant.replace(tzinfo=UTC)
    return zoned.timestamp() - now_ms / 1000
