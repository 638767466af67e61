"""What the error of a service says about when to come back, in the shapes of the packages that raise it."""

from __future__ import annotations

import email.message
import math
import urllib.error
from collections.abc import Callable, Iterator, Mapping
from datetime import timedelta
from email.utils import formatdate

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given

from resonate_nb.retry import retry_after

NOW_MS = 1_000_000_000_000
"""2001-09-09 01:46:40 UTC."""


class CaselessHeaders(Mapping[str, str]):
    """As of httpx and requests: names in any case, kept as they came."""

    def __init__(self, **fields: str) -> None:
        self._fields = {name.replace("_", "-"): value for name, value in fields.items()}

    def __getitem__(self, name: str) -> str:
        return {key.lower(): value for key, value in self._fields.items()}[name.lower()]

    def __iter__(self) -> Iterator[str]:
        return iter(self._fields)

    def __len__(self) -> int:
        return len(self._fields)


class Response:
    def __init__(self, headers: object) -> None:
        self.headers = headers

    def __bool__(self) -> bool:
        return False  # as of requests, where it says whether the status is below 400


class StatusError(Exception):
    """As of httpx, requests and openai."""

    def __init__(self, **fields: str) -> None:
        self.response = Response(CaselessHeaders(**fields))


class Told(Exception):
    """As of chat services: the number stands in an attribute."""

    def __init__(self, retry_after: object) -> None:
        self.retry_after = retry_after


def http_error(**fields: str) -> urllib.error.HTTPError:
    headers = email.message.Message()
    for name, value in fields.items():
        headers[name.replace("_", "-")] = value
    return urllib.error.HTTPError("http://service", 429, "Too Many Requests", headers, None)


def date(seconds: float) -> str:
    return formatdate(NOW_MS / 1000 + seconds, usegmt=True)


@pytest.mark.parametrize("make", [StatusError, http_error])
@pytest.mark.parametrize(
    ("seconds", "fields"),
    [
        pytest.param(12, {"Retry_After": "12"}, id="seconds"),
        pytest.param(12, {"retry_after": "12"}, id="lower_case"),
        pytest.param(12, {"RETRY_AFTER": " 12 "}, id="upper_case"),
        pytest.param(1.5, {"Retry_After": "1.5"}, id="fraction"),
        pytest.param(0, {"Retry_After": "0"}, id="at_once"),
        pytest.param(30, {"Retry_After": date(30)}, id="date"),
        pytest.param(30, {"Retry_After": "Sunday, 09-Sep-01 01:47:10 GMT"}, id="date_rfc850"),
        pytest.param(30, {"Retry_After": "Sun Sep  9 01:47:10 2001"}, id="date_asctime"),
        pytest.param(30, {"Retry_After": "Sun, 09 Sep 2001 03:47:10 +0200"}, id="date_in_a_zone"),
        pytest.param(2_592_000, {"Retry_After": "2592000"}, id="thirty_days"),
        pytest.param(0.75, {"Retry_After_Ms": "750", "Retry_After": "1"}, id="milliseconds_first"),
        pytest.param(1, {"Retry_After_Ms": "soon", "Retry_After": "1"}, id="milliseconds_unreadable"),
        pytest.param(1, {"Retry_After_Ms": "-5", "Retry_After": "1"}, id="milliseconds_absurd"),
        pytest.param(None, {}, id="silent"),
        pytest.param(None, {"Retry_After": ""}, id="empty"),
        pytest.param(None, {"Retry_After": "soon"}, id="unreadable"),
        pytest.param(None, {"Retry_After": "-5"}, id="negative"),
        pytest.param(None, {"Retry_After": "nan"}, id="nan"),
        pytest.param(None, {"Retry_After": "inf"}, id="infinite"),
        pytest.param(None, {"Retry_After": "2592001"}, id="beyond_thirty_days"),
        pytest.param(None, {"Retry_After": "1000000030"}, id="an_instant_for_a_length"),
        pytest.param(None, {"Retry_After": date(-5)}, id="date_past"),
        pytest.param(None, {"Retry_After": date(10**9)}, id="date_absurd"),
        pytest.param(None, {"Retry_After": "Sun, 99 Sep 2001 03:47:10 GMT"}, id="date_unreadable"),
        pytest.param(None, {"Retry_After": "Sun, 09 Sep 2001 03:47:10 +99999999999999"}, id="date_in_no_zone"),
    ],
)
def test_retry_after_of_headers(make: type, seconds: float | None, fields: dict[str, str]) -> None:
    """As services write it, in the headers of the response or, with urllib, of the error."""
    assert seconds == retry_after(make(**fields), NOW_MS)


@pytest.mark.parametrize(
    ("seconds", "told"),
    [(3, 3), (0.5, 0.5), (3, "3"), (60, timedelta(minutes=1)), (3, np.int64(3))]
    + [(None, told) for told in (None, True, -1, math.nan, 10**400, "soon", [3], lambda: 3)],
    ids=lambda value: repr(value)[:12],
)
def test_retry_after_of_an_attribute(seconds: float | None, told: object) -> None:
    """The plain way of many a service's own package."""
    assert seconds == retry_after(Told(told), NOW_MS)


class Hostile(Exception):
    """Whose properties do what properties should not."""

    @property
    def response(self) -> object:
        raise RuntimeError("closed")

    @property
    def headers(self) -> object:
        raise OSError("gone")

    @property
    def retry_after(self) -> object:
        raise KeyError("x")


class Odd(Exception):
    """With headers of no usual kind."""

    def __init__(self, headers: object) -> None:
        self.headers = headers


@pytest.mark.parametrize(
    "error",
    [Hostile(), Odd([("retry-after", "3")]), Odd({b"retry-after": b"3"}), Odd({3: "3"}), Odd(Response), Odd("3")],
    ids=repr,
)
def test_error_of_another_kind_says_nothing(error: Exception) -> None:
    """A hint that cannot be read is no reason to lose the error over."""
    assert retry_after(error, NOW_MS) is None


@given(st.text(max_size=40) | st.text(alphabet="SunMo0123456789:, GMT+-", max_size=40))
def test_no_header_is_too_strange(text: str) -> None:
    """What a service sends is read or left; it never raises."""
    found = retry_after(Odd({"Retry-After": text}), NOW_MS)
    assert found is None or 0 <= found <= 2_592_000


def raised(chain: Callable[[Exception, BaseException], None], outer: Exception, inner: BaseException) -> BaseException:
    """The outer error as it arrives with the inner one behind it."""
    try:
        chain(outer, inner)
    except Exception as error:
        return error
    raise AssertionError("nothing was raised")


def from_it(outer: Exception, inner: BaseException) -> None:
    raise outer from inner


def while_handling(outer: Exception, inner: BaseException) -> None:
    try:
        raise inner
    except BaseException:
        raise outer


@pytest.mark.parametrize("chain", [from_it, while_handling])
def test_retry_after_is_found_along_the_chain(chain: Callable[[Exception, BaseException], None]) -> None:
    """Packages wrap the errors of the packages that they use; the word nearest to what was raised counts."""
    assert 7 == retry_after(raised(chain, ValueError(), StatusError(retry_after="7")), NOW_MS)
    assert 5 == retry_after(raised(chain, Told(5), StatusError(retry_after="7")), NOW_MS)
    assert 7 == retry_after(raised(chain, Told(-5), StatusError(retry_after="7")), NOW_MS)
    assert 9 == retry_after(raised(chain, KeyError(), raised(chain, OSError(), Told(9))), NOW_MS)


def test_chain_that_bites_its_tail_ends() -> None:
    """Whoever sets causes by hand can make a ring."""
    one, two = ValueError(), OSError()
    one.__cause__, two.__cause__ = two, one
    assert retry_after(one, NOW_MS) is None
    group = ExceptionGroup("", [one])
    two.__cause__ = group
    assert retry_after(group, NOW_MS) is None


def test_group_waits_for_its_slowest_member() -> None:
    """Who comes back sooner meets the same refusal again."""
    group = ExceptionGroup("tasks", [Told(3), OSError(), ExceptionGroup("", [StatusError(retry_after="8")]), Told(5)])
    assert 8 == retry_after(group, NOW_MS)
    assert 8 == retry_after(raised(from_it, ValueError(), group), NOW_MS)
    assert retry_after(ExceptionGroup("tasks", [OSError()]), NOW_MS) is None
