"""Text becomes a tree whatever other threads parse meanwhile."""

from __future__ import annotations

import ast
import sys
import threading
from collections.abc import Callable
from typing import Any

import pytest
from sessions import Session, same

from resonate_nb.fingerprint import parse

MISMATCH = SystemError("AST constructor recursion depth mismatch (before=87, after=93)")


def failing(monkeypatch: pytest.MonkeyPatch, *errors: Exception) -> list[Exception]:
    """`ast.parse` raises these, one a call, and works from then on."""
    left, plain = list(errors), ast.parse

    def parse_after_all(*args: Any, **options: Any) -> ast.AST:
        if left:
            raise left.pop(0)
        return plain(*args, **options)

    monkeypatch.setattr(ast, "parse", parse_after_all)
    return left


@pytest.mark.parametrize(
    "error", [MISMATCH, RecursionError("maximum recursion depth exceeded during ast construction")]
)
def test_a_parser_that_another_thread_has_overtaken_is_asked_again(
    error: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    left = failing(monkeypatch, error, error)
    assert ast.dump(ast.Module([ast.Pass()], [])) == ast.dump(parse("pass"))
    assert [] == left


@pytest.mark.parametrize(("text", "error"), [("(", SyntaxError), ("\0", (ValueError, SyntaxError))])
def test_a_text_that_is_wrong_is_asked_about_once(
    text: str, error: type[Exception], monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(error):
        parse(text)


def test_what_is_nested_too_deeply_stays_so(monkeypatch: pytest.MonkeyPatch) -> None:
    failing(monkeypatch, *[RecursionError("too deep")] * 3)
    with pytest.raises(RecursionError):
        parse("pass")


def test_a_function_has_its_key_though_the_parser_stumbles(monkeypatch: pytest.MonkeyPatch) -> None:
    session = Session().cell("def f(x): return x + 41")
    failing(monkeypatch, MISMATCH, MISMATCH)
    assert same(session.key(), session.key())


def together(work: Callable[[], object], threads: int) -> list[BaseException]:
    found: list[BaseException] = []

    def run() -> None:
        try:
            for _ in range(60):
                work()
        except BaseException as error:
            found.append(error)

    every = [threading.Thread(target=run) for _ in range(threads)]
    for thread in every:
        thread.start()
    for thread in every:
        thread.join()
    return found


@pytest.mark.slow
def test_many_threads_parse_at_once() -> None:
    """Beside one that does not go through us, and with threads that change as often as they can."""
    text = "\n".join(f"def f{n}(x): return [y + {n} for y in (x, -x) if y and not (x and y)]" for n in range(40))
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    done = threading.Event()

    def disturb() -> None:
        while not done.is_set():
            try:
                ast.parse(text)
            except (SystemError, RecursionError):
                continue

    other = threading.Thread(target=disturb)
    other.start()
    try:
        assert [] == together(lambda: parse(text), 4)
    finally:
        done.set()
        other.join()
        sys.setswitchinterval(before)
