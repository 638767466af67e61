"""``%%durable`` and ``%durable``: what a person writes, checked before anything runs, and tables in return."""

# IPython's classes and decorators are untyped:
# mypy: disable-error-code="misc,untyped-decorator"

from __future__ import annotations

import argparse
import re
import shlex
from collections.abc import Callable, Sequence
from functools import partial
from html import escape as escape_html
from typing import Any, NoReturn, get_args

from IPython import get_ipython
from IPython.core.error import UsageError
from IPython.core.magic import Magics, cell_magic, line_magic, magics_class, no_var_expand
from IPython.core.magic_arguments import argument, magic_arguments

from resonate_nb.clock import SystemClock
from resonate_nb.errors import (
    InvalidOptionError,
    PromiseBusyError,
    PromiseNotFoundError,
    StoreError,
    UnacceptableError,
)
from resonate_nb.fingerprint import Packages
from resonate_nb.runtime import (
    Explanation,
    Handle,
    Source,
    accept_packages,
    accept_promise,
    check,
    checked_options,
    checked_query,
    existing_engine,
    forget,
    get,
    id_of,
    is_path,
    mark_rerun,
    refuse_reserved,
    speak_on,
)
from resonate_nb.store import Order
from resonate_nb.view import (
    count,
    details_html,
    details_text,
    explanation_html,
    handle_html,
    rows_of,
    table_html,
    table_text,
    tally_text,
)

from ._bindings import bundle_text
from ._cell import analyse
from ._durable_cell import CellOptions, accept_cell, has_run, is_async, run_cell, run_cell_async
from ._generators import note_load
from ._hits import HitMark
from ._live import LiveLine
from ._reload import Reloads
from ._said import SaidLines
from ._why import explanation_of

_CELL_USAGE = (
    "%%durable [LABEL] [--version V] [--timeout TIME] [--retries N] [--max-age TIME] [--ignore NAME ...] "
    "[--packages HOW] [--files PATH ...] [--env NAME ...] [--rerun] [--no-replay]"
)
_LS_USAGE = (
    "%durable ls [GLOB] [--state STATE] [--name NAME] [--tag KEY=TEXT] [--since WHEN] [--until WHEN] [--limit N] "
    "[--order oldest]"
)
_LINE_USAGE = (
    "%durable ls [GLOB] | show ID | why [CALL|ID] | rerun ID | accept [ID] | accept --packages | forget ID-OR-GLOB | "
    "inspect [GLOB] | check [--repair]"
)
_LS_LIMIT = 50
_AWAITED = "await __import__('resonate_nb.notebook', fromlist=['awaited']).awaited({line!r}, {body!r})\n"
_STARTS_DURABLE = re.compile(r"%%durable(?=\s|$)")


@magics_class
class DurableMagics(Magics):
    """The magics of this package."""

    @no_var_expand
    @magic_arguments("%durable")  # IPython puts one more before it
    @argument("label", nargs="?", metavar="LABEL", help="names the promise; never weakens the key")
    @argument("--version", metavar="V", help="your word for the version of the code, instead of its fingerprint")
    @argument(
        "--timeout",
        metavar="TIME",
        help="how long the cell may take in all, from its first run on and over restarts, e.g. 90s, 5m, 2h; then it is "
        "interrupted, timed out, and its next run begins anew",
    )
    @argument(
        "--retries",
        metavar="N",
        help="run again up to N times what raises an error that may pass; after 1 s, 2 s, 4 s, … at first, or as the "
        "service asks for; each run begins with the names as they were before the first",
    )
    @argument("--max-age", metavar="TIME", help="an older result counts no more, and the cell runs, e.g. 1d")
    @argument(
        "--ignore",
        nargs="+",
        action="extend",
        default=[],
        metavar="NAME",
        help="names that the cell reads and that do not count; LABEL stands before it",
    )
    @argument(
        "--packages",
        default="minor",
        metavar="HOW",
        help="how far versions of installed packages count: minor (the default), exact, or ignore",
    )
    @argument(
        "--files",
        nargs="+",
        action="extend",
        default=[],
        metavar="PATH",
        help="files, folders or patterns (data/*.csv) whose content counts, or variables that hold paths",
    )
    @argument(
        "--env",
        nargs="+",
        action="extend",
        default=[],
        metavar="NAME",
        help="environment variables that count; their values are stored nowhere",
    )
    @argument("--rerun", action="store_true", help="run the body even when there is a result; the old one is kept")
    @argument("--no-replay", action="store_true", help="on a hit bind the names, do not show the recorded output")
    @cell_magic
    def durable(self, line: str, cell: str) -> None:
        """Make this cell durable: run it once, and bring back what it bound and showed from then on."""
        __tracebackhide__ = True
        options = parse_cell_line(line)
        if is_async(self.shell, options.header, cell):
            raise UsageError(
                "this body awaits at its top level, which a magic called by code cannot do; "
                "write it as a cell of its own that begins with the %%durable line"
            )
        run_cell(self.shell, options, cell)

    @no_var_expand
    @line_magic("durable")
    def durable_line(self, line: str) -> None:
        """Look after durable promises.

        %durable ls [GLOB]           list the newest 50: failures on top, then what goes on
        %durable show ID             arguments, value, error or recorded output of one, and its tries
        %durable rerun ID            its next use runs again; the present result is kept
        %durable why [CALL|ID]       would it run, and why: of a call such as clean(df, n=2), whose arguments are
                                     computed and whose function is not called; of the cell that was last run; of the
                                     cell with this label; or why the promise of this id ran, and what had changed
        %durable accept [ID]         what it came to before its last edit counts for it as it is now
        %durable accept --packages   after an upgrade: the packages' versions now count as those before, in this store
        %durable forget ID-OR-GLOB   drop them: the next use runs
        %durable inspect [GLOB]      the live view, as rnb.inspect()
        %durable check [--repair]    is the store sound? with --repair, what is not is mended and set aside

        For show, rerun and accept the name of a function or the label of a cell means its newest promise; accept
        alone is about the durable cell that was run last, also if it was stopped. GLOB is a shell
        pattern over the whole id, e.g. "train*" or "clean/*". ls takes more, as rnb.search does:

        --state STATE      pending, resolved, rejected, canceled or "timed out"; also several times
        --name NAME        of the function or cell, or a shell pattern over it
        --tag KEY=TEXT     that carry this tag; also several times
        --since, --until   2h (ago), 2026-11-24, "2026-11-24 09:30"
        --limit N          so many
        --order oldest     the oldest first
        """
        __tracebackhide__ = True
        # A call is Python, not words of a command line.
        command, words = ("why", []) if line.split()[:1] == ["why"] else _split(line)
        actions: dict[str, Callable[[list[str]], None]] = {
            "ls": self._ls,
            "show": self._show,
            "rerun": self._rerun,
            "accept": self._accept,
            "why": lambda _: self._why(line),
            "forget": self._forget,
            "inspect": self._inspect,
            "check": self._check,
        }
        if command not in actions:
            what = f"%durable {command} is unknown" if command else "%durable needs to know what to do"
            raise UsageError(f"{what}; use {_LINE_USAGE}")
        try:
            actions[command](words)
        except (InvalidOptionError, PromiseNotFoundError, PromiseBusyError, UnacceptableError, StoreError) as error:
            raise UsageError(str(error)) from error

    def _ls(self, words: list[str]) -> None:
        parser = _Parser(_LS_USAGE)
        parser.add_argument("glob", nargs="?", default="*")
        parser.add_argument("--state", action="append")
        parser.add_argument("--tag", action="append", default=[])
        parser.add_argument("--name")
        parser.add_argument("--since")
        parser.add_argument("--until")
        parser.add_argument("--limit", type=int)
        parser.add_argument("--order", default="newest")
        asked = parser.parse_args(words)
        limit = _LS_LIMIT if asked.limit is None else asked.limit
        query = checked_query(
            asked.glob,
            state=asked.state,
            tags=_tags_of(asked.tag),
            name=asked.name,
            since=asked.since,
            until=asked.until,
            limit=limit,
            order=asked.order,
        )
        engine = existing_engine()
        source = Source(engine)
        records = source.look(query)
        if not records:
            where = "there is no store here yet" if engine is None else f"no promise matches {' '.join(words) or '*'!r}"
            self._publish(where, f"<p>{escape_html(where)}</p>")
            return
        tally = source.tally(query) if len(records) == limit else {}
        total = sum(tally.values())
        note = f"the {asked.order} {count(limit)} of them; --limit shows more" if total > limit else ""
        heading = tally_text(tally) if note else ""
        rows = rows_of(records, as_found=query.order is Order.OLDEST)
        now = SystemClock().now_ms()
        text = table_text(rows, now_ms=now, limit=limit, heading=heading, note=note)
        self._publish(text, table_html(rows, now_ms=now, limit=limit, heading=heading, note=note))

    def _show(self, words: list[str]) -> None:
        (word,) = _exactly_one(words, "show ID")
        engine = existing_engine()
        detail = None if engine is None else Source(engine, bundle_text).detail(_id_of(word))
        if detail is None:
            raise PromiseNotFoundError(f"there is no promise {word!r}; `%durable ls` lists what there is")
        self._publish(details_text(detail), details_html(detail))

    def _why(self, line: str) -> None:
        found = explanation_of(self.shell, line.strip().removeprefix("why"))
        self._publish(repr(found), explanation_html(found))

    def _rerun(self, words: list[str]) -> None:
        (word,) = _exactly_one(words, "rerun ID")
        print(f"marked {mark_rerun(_id_of(word))}: its next use runs the next generation; the present one is kept")

    def _accept(self, words: list[str]) -> None:
        if "--packages" in words:
            parser = _Parser("%durable accept --packages [NAME ...] [--undo]")
            parser.add_argument("--packages", nargs="*")
            parser.add_argument("--undo", action="store_true")
            asked = parser.parse_args(words)
            print(accept_packages(asked.packages, undo=asked.undo))
            return
        if len(words) > 1:
            raise InvalidOptionError("use %durable accept [ID]; ids with spaces stand in quotes")
        word = words[0] if words else None
        found = None if word is None else get(word)
        if word is None or (found is None and has_run(self.shell, word)):
            handle, what = accept_cell(self.shell, word, None), "the cell"
        elif found is not None and found.record.promise.param.headers.get("kind") == "cell":
            name = found.record.promise.param.headers["name"]
            handle, what = accept_cell(self.shell, "" if name == "cell" else name, found.id), "the cell"
        else:
            handle, what = accept_promise(word), "its next call"
        run = "run it again, and it" if what == "the cell" else what
        print(f"{handle.id}: {run} {'is replayed' if handle.done() else 'goes on from there'}")

    def _forget(self, words: list[str]) -> None:
        (pattern,) = _exactly_one(words, "forget ID-OR-GLOB")
        try:
            dropped = forget(pattern)
        except PromiseNotFoundError as error:
            if _id_of(pattern) == pattern:
                raise
            # The newest only, or all of them? Nothing is dropped by a guess.
            raise PromiseNotFoundError(
                f'{pattern!r} is a name, not an id; for all of its promises use %durable forget "{pattern}/*"'
            ) from error
        noun = "promise" if len(dropped) == 1 else "promises"
        print(f"forgot {len(dropped)} {noun}" + "".join(f"\n  {id}" for id in dropped))

    def _inspect(self, words: list[str]) -> None:
        if len(words) > 1:
            raise InvalidOptionError("%durable inspect takes one GLOB at most; rnb.inspect(...) has the options")
        from ._inspector import inspect

        shown = inspect(*words)
        if shown is not None:
            from IPython.display import display

            display(shown)

    def _check(self, words: list[str]) -> None:
        parser = _Parser("%durable check [--repair]")
        parser.add_argument("--repair", action="store_true")
        report = check(repair=parser.parse_args(words).repair)
        cells = ["".join(f"<td>{escape_html(text)}</td>" for text in row) for row in report.rows]
        table = "<table>" + "".join(f"<tr>{row}</tr>" for row in cells) + "</table>" if cells else ""
        self._publish(repr(report), f"<p>{escape_html(report.headline)}</p>{table}")

    def _publish(self, text: str, html: str) -> None:
        self.shell.display_pub.publish(data={"text/plain": text, "text/html": html}, metadata={})


async def awaited(line: str, body: str) -> None:
    """What a durable cell that awaits is turned into: runs on the shell's own event loop."""
    __tracebackhide__ = True
    await run_cell_async(get_ipython(), parse_cell_line(line), body)


def parse_cell_line(line: str) -> CellOptions:
    """The options behind ``%%durable``. Raises UsageError with what is right, before anything runs."""
    parser = DurableMagics.durable.parser
    parser.allow_abbrev = False
    try:
        asked = parser.parse_args(_words(line), argparse.Namespace(ignore=[], files=[], env=[]))
        if asked.label is not None:
            refuse_reserved(asked.label, "label")
        if asked.version is not None:
            refuse_reserved(asked.version, "--version")
        for name in asked.ignore:
            if not name.isidentifier():
                raise InvalidOptionError(f"--ignore takes names of variables, not {name!r}")
        if asked.packages not in (words := get_args(Packages)):
            raise InvalidOptionError(f"--packages takes {', '.join(words[:-1])} or {words[-1]}, not {asked.packages!r}")
        for entry in asked.files:
            if not is_path(entry) and not entry.isidentifier():
                raise InvalidOptionError(
                    f"--files takes paths, patterns such as data/*.csv, and names of variables, not {entry!r}"
                )
        for name in asked.env:
            if not name or "=" in name:
                raise InvalidOptionError(f"--env takes names of environment variables, such as MODE, not {name!r}")
        options = checked_options(
            version=asked.version,
            ignore=asked.ignore,
            retry=_retries_of(asked.retries),
            timeout=_length_of(asked.timeout, "--timeout"),
            max_age=_length_of(asked.max_age, "--max-age"),
            packages=asked.packages,
            files=asked.files,
            env=asked.env,
        )
    except UsageError as error:
        hint = (
            "" if "--" in line or str(error).startswith("expected") else "; a label of several words stands in quotes"
        )
        raise UsageError(f"{error}{hint}; use {_CELL_USAGE}") from None
    except InvalidOptionError as error:
        raise UsageError(str(error)) from error
    return CellOptions(f"%%durable {line}".rstrip(), asked.label, options, asked.rerun, not asked.no_replay)


def _length_of(text: str | None, option: str) -> float | None:
    if text is None:
        return None
    from resonate_nb.retry import seconds_of  # slow to load, and most cells have no limits

    seconds = seconds_of(text, option)
    if not seconds:
        raise InvalidOptionError(f"{option} must be longer than nothing, not {text!r}")
    return seconds


def _retries_of(text: str | None) -> int | None:
    """So many tries after the first; given as the number of all."""
    if text is None or text == "0":
        return None
    if not (text.isascii() and text.isdigit() and len(text) < 10):
        raise InvalidOptionError(f"--retries takes how often to run again what fails, e.g. --retries 3, not {text!r}")
    return int(text) + 1


class _Parser(argparse.ArgumentParser):
    """Refuses with one sentence and the usage, instead of leaving the process."""

    def __init__(self, usage: str) -> None:
        super().__init__(prog=usage.split()[0], add_help=False, allow_abbrev=False)
        self._usage = usage

    def error(self, message: str) -> NoReturn:
        raise InvalidOptionError(f"{message}; use {self._usage}")


def _split(line: str) -> tuple[str, list[str]]:
    try:
        words = _words(line)
    except InvalidOptionError as error:
        raise UsageError(str(error)) from error
    return (words[0], words[1:]) if words else ("", [])


def _words(line: str) -> list[str]:
    try:
        return shlex.split(line)
    except ValueError as error:
        raise InvalidOptionError(f"{line!r} cannot be read: {error}") from error


def _id_of(word: str) -> str:
    """An id as it is, and the name of a function or the label of a cell as its newest promise."""
    engine = existing_engine()
    return word if engine is None else id_of(engine, word)


def _exactly_one(words: Sequence[str], usage: str) -> Sequence[str]:
    if len(words) != 1:
        raise InvalidOptionError(f"use %durable {usage}; ids with spaces stand in quotes")
    return words


def _tags_of(words: Sequence[str]) -> dict[str, str] | None:
    for word in words:
        if "=" not in word:
            raise InvalidOptionError(f"--tag takes KEY=TEXT such as team=growth, not {word!r}")
    return dict(word.split("=", 1) for word in words) or None


class _AwaitTransformer:
    """Turns a durable cell that awaits at its top level into an `await` of IPython's own, which its loop then runs.

    A cell magic is a plain function: what awaits inside of it would have to start a second loop.
    """

    def __init__(self, shell: Any) -> None:
        self._shell = shell

    def __call__(self, lines: list[str]) -> list[str]:
        if not lines or not _STARTS_DURABLE.match(lines[0]):
            return lines
        body = "".join(lines[1:])
        if "await" not in body and "async" not in body:
            return lines
        try:
            if not analyse(self._shell.transform_cell(body)).is_async:
                return lines
        except SyntaxError:
            return lines  # the magic meets it again, and says where
        line = lines[0].removeprefix("%%durable").strip()
        return [_AWAITED.format(line=line, body=body)]


def load_ipython_extension(shell: Any) -> None:
    """`%load_ext resonate_nb`: the magics are there. Loading twice comes to the same."""
    note_load(shell.user_ns.get("In"))
    shell.register_magics(DurableMagics)
    if not any(isinstance(transform, _AwaitTransformer) for transform in shell.input_transformers_cleanup):
        shell.input_transformers_cleanup.append(_AwaitTransformer(shell))
    shell.display_formatter.formatters["text/html"].for_type(Handle, _handle_html)
    shell.display_formatter.formatters["text/html"].for_type(Explanation, explanation_html)
    Reloads(shell).start()
    if getattr(shell, "kernel", None) is not None:
        said = SaidLines(shell)
        said.start()
        speak_on(said.show, partial(LiveLine.begin, shell))
        HitMark(shell).start()


def _handle_html(handle: Handle) -> str | None:
    try:
        return handle_html(handle.record)
    except PromiseNotFoundError:
        # Forgotten meanwhile: the plain repr says so.
        return None


def unload_ipython_extension(shell: Any) -> None:
    """`%unload_ext resonate_nb`: the magics are gone; promises stay where they are."""
    speak_on(None)
    SaidLines.stop(shell)
    HitMark(shell).stop()
    Reloads(shell).stop()
    for kind in ("cell", "line"):
        shell.magics_manager.magics[kind].pop("durable", None)
    for drawn in (Handle, Explanation):
        shell.display_formatter.formatters["text/html"].pop(drawn, None)
    shell.magics_manager.registry.pop(DurableMagics.__name__, None)
    shell.input_transformers_cleanup[:] = [
        transform for transform in shell.input_transformers_cleanup if not isinstance(transform, _AwaitTransformer)
    ]
