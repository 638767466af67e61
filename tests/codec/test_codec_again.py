"""A stored failure is an exception of its own type again, without anything being run that a store could choose."""

from __future__ import annotations

import errno
import sys
import urllib.error
from email.message import Message
from enum import IntEnum

import pytest

from resonate_nb import DurableTimeoutError, IdReuseError
from resonate_nb.codec import Failure, failure_from_bytes, failure_of, failure_to_bytes, raised_again


class Declined(Exception):
    made = 0

    def __init__(self, card: str, reason: str, *, code: int = 0) -> None:
        type(self).made += 1
        super().__init__(f"{card}: {reason}")
        self.card, self.reason, self.code = card, reason, code
        self.response = object()


class Needy(Exception):
    """Says more than it can once it is back."""

    def __init__(self, response: object) -> None:
        super().__init__("needy")
        self.response = response

    def __str__(self) -> str:
        return f"answered {self.response}"


class Status(OSError):
    """As the errors of requests."""

    def __init__(self, *args: object, status: int = 0) -> None:
        super().__init__(*args)
        self.status = status


class Code(IntEnum):
    GONE = 410


class Outer:
    class Inner(ValueError):
        pass


def again(error: Exception) -> Exception | None:
    return raised_again(failure_from_bytes(failure_to_bytes(failure_of(error))))


@pytest.mark.parametrize(
    "error",
    [
        *(ValueError("bad"), ValueError(), KeyError("gone"), KeyError(7), StopIteration(3), RuntimeError("a", 2, None)),
        *(OSError(errno.ENOENT, "No such file", "a.csv"), ConnectionError("503"), ImportError("no")),
        *(DurableTimeoutError("f@1", 5), DurableTimeoutError("f@1", limit=0.5, has_value=True, value="late")),
        *(Status("429 Too Many Requests", status=429), Outer.Inner("x"), UnicodeError("x" * 2_000)),
    ],
    ids=repr,
)
def test_it_is_as_it_was(error: Exception) -> None:
    found = again(error)
    assert found is not None
    assert (type(error), error.args, str(error)) == (type(found), found.args, str(found))
    assert vars(error) == vars(found)


def test_an_error_of_the_system_has_its_number_and_its_file() -> None:
    """What a call around it decides by."""
    found = again(OSError(errno.ENOENT, "No such file", "a.csv"))
    assert isinstance(found, FileNotFoundError)
    assert (errno.ENOENT, "a.csv") == (found.errno, found.filename)


def test_what_it_held_that_is_plain_is_there_and_its_init_has_not_run() -> None:
    error = Declined("4711", "no money", code=51)
    made = Declined.made
    found = again(error)
    assert isinstance(found, Declined)
    assert ("4711: no money", "4711", "no money", 51) == (str(found), found.card, found.reason, found.code)
    assert made == Declined.made
    assert not hasattr(found, "response")


def test_an_error_of_urllib_has_its_code() -> None:
    found = again(urllib.error.HTTPError("http://a", 404, "Not Found", Message(), None))
    assert isinstance(found, urllib.error.HTTPError)
    assert 404 == found.code


@pytest.mark.parametrize(
    "error",
    [
        Needy(object()),
        ExceptionGroup("many", [ValueError("x")]),
        UnicodeDecodeError("utf-8", b"\xff", 0, 1, "invalid"),
        IdReuseError("f@1", ("x",)),
        DurableTimeoutError("f@1", 5, has_value=True, value=object()),
    ],
    ids=repr,
)
def test_what_cannot_be_made_so_is_none(error: Exception) -> None:
    """Of our own nobody expects that half of it is missing."""
    assert again(error) is None


@pytest.mark.parametrize(
    "name",
    ["", "ValueError", "builtins.nothing", "builtins.int", "builtins.SystemExit", "nowhere.at.All", "json.dumps"],
)
def test_only_a_loaded_exception_is_made(name: str) -> None:
    assert raised_again(Failure(name, "no", "")) is None


def test_nothing_is_imported_for_a_name(monkeypatch: pytest.MonkeyPatch) -> None:
    """Not even by a module that makes its names when it is asked for them."""

    class Lazy(type(sys)):  # type: ignore[misc]
        def __getattr__(self, name: str) -> object:
            raise AssertionError(name)

    monkeypatch.setitem(sys.modules, "lazy", Lazy("lazy"))
    monkeypatch.delitem(sys.modules, "antigravity", raising=False)
    assert raised_again(Failure("lazy.Error", "no", "")) is None
    assert raised_again(Failure("antigravity.Error", "no", "")) is None
    assert "antigravity" not in sys.modules


def test_a_store_cannot_put_something_in_the_place_of_a_method() -> None:
    attributes = {"with_traceback": "x", "__class__": "x", "args": "x", "code": 3}
    found = raised_again(Failure("builtins.ValueError", "no", "", ("no",), attributes))
    assert found is not None
    assert ({"code": 3}, ("no",)) == (vars(found), found.args)
    assert found is found.with_traceback(None)


@pytest.mark.parametrize(
    "held", [object(), [1], b"x", float("nan"), 2**70, "x" * 1_001, Code.GONE], ids=lambda held: type(held).__name__
)
def test_what_is_not_plain_is_left_out(held: object) -> None:
    """An argument that is not leaves the message, whole."""
    error = ValueError("bad", held)
    error.held, error.code = held, 3  # type: ignore[attr-defined]
    found = again(error)
    assert found is not None
    assert ((str(error),), {"code": 3}) == (found.args, vars(found))


@pytest.mark.parametrize("trouble", [RuntimeError, KeyError], ids=lambda kind: kind.__name__)
def test_a_rude_exception_keeps_its_failure(trouble: type[Exception]) -> None:
    class Rude(Exception):
        def __getattribute__(self, name: str) -> object:
            if name == "__dict__":
                raise trouble
            return super().__getattribute__(name)

    failure = failure_of(Rude("x"))
    assert (None, {}) == (failure.args, failure.attributes)


def test_what_was_stored_before_comes_back_by_its_message() -> None:
    """Without what it was made of."""
    found = raised_again(failure_from_bytes(b'{"type": "builtins.ValueError", "message": "bad", "traceback": ""}'))
    assert isinstance(found, ValueError)
    assert ("bad",) == found.args
