"""``%durable why``: of a call that is written down, of a cell, or of a promise, why it would run, or ran."""

from __future__ import annotations

import ast
from dataclasses import replace
from typing import Any

from resonate_nb.errors import InvalidOptionError, PromiseNotFoundError
from resonate_nb.runtime import Explanation, absent_phrase, existing_engine, explain_promise, id_of

from ._durable_cell import explain_cell, has_run


def explanation_of(shell: Any, line: str) -> Explanation:
    """What is asked for: nothing, for the cell that was last run; a call; or the label, name or id of something.

    Raises:
        PromiseNotFoundError: there is nothing of that name, or no cell has been run.
        InvalidOptionError: the call is none of a durable function.
    """
    word = line.strip()
    if not word:
        return _with_its_run(explain_cell(shell, None))
    if (asked := _call_of(word)) is not None:
        return _of_call(shell, word, asked)
    word = word.strip("\"'")
    if has_run(shell, word):
        return _with_its_run(explain_cell(shell, word))
    engine = existing_engine()
    found = None if engine is None else engine.find(id_of(engine, word))
    if engine is None or found is None:
        if hasattr(shell.user_ns.get(word), "why"):
            raise PromiseNotFoundError(f"{word} has no promise yet; of a call ask %durable why {word}(...)")
        if engine is None:
            raise PromiseNotFoundError(f"there is no promise {word!r}: there is no store here yet")
        raise PromiseNotFoundError(f"{absent_phrase(engine, word)}; `%durable ls` lists what there is")
    return explain_promise(engine, found)


def _call_of(text: str) -> ast.Call | None:
    try:
        found = ast.parse(text, mode="eval").body
    except SyntaxError:
        return None
    return found if isinstance(found, ast.Call) else None


def _of_call(shell: Any, text: str, asked: ast.Call) -> Explanation:
    """The arguments are computed as they stand there; in the place of the call its `why` is asked."""
    function = eval(compile(ast.Expression(asked.func), "<why>", "eval"), shell.user_ns)
    if not callable(getattr(function, "why", None)):
        raise InvalidOptionError(f"{ast.unparse(asked.func)} is no durable function; of a promise ask %durable why ID")
    call = ast.Call(ast.Attribute(asked.func, "why", ast.Load()), asked.args, asked.keywords)
    found = eval(compile(ast.fix_missing_locations(ast.Expression(call)), "<why>", "eval"), shell.user_ns)
    if not isinstance(found, Explanation):
        raise InvalidOptionError(f"{text} has no explanation")
    return found


def _with_its_run(found: Explanation) -> Explanation:
    """Of a cell that would be replayed, why it ran when it did, which is what is asked once it has run; and that its
    next run is a hit."""
    engine = existing_engine()
    promise = None if engine is None or found.id is None else engine.find(found.id)
    if engine is None or promise is None or not found.would_hit:
        return found
    ran = explain_promise(engine, promise)
    return replace(
        ran,
        title=found.title,
        details=(*ran.details, f"run again it {found.verdict}: {found.reason}"),
        unsure=found.unsure,
        services=found.services,
        packages=found.packages,
        slow=found.slow,
    )
