"""An exception as data: its type, message and traceback as text, readable by anybody and never unpickled."""

from __future__ import annotations

import json
import traceback

from resonate_nb.frames import PACKAGE

from ._again import made_of
from ._port import Failure

LIMIT = 100_000
"""Longest traceback kept, in characters; the message may have a fifth of it. About 100 kB of plain text."""


def failure_of(error: BaseException) -> Failure:
    """What is kept of an exception; never raises, whatever the exception's own methods do.

    The traceback names the user's frames and the libraries', not ours; causes, contexts and the members of groups are
    kept in the order in which Python prints them.
    """
    kind = type(error)
    name = f"{kind.__module__}.{kind.__qualname__}"
    message = _shorten(_message(error), LIMIT // 5)
    try:
        report = traceback.TracebackException.from_exception(error, compact=True)
        _leave_out_ours(report, set())
        text = "".join(report.format())
    except Exception as trouble:  # an exception whose attributes raise; the failure itself must be kept
        text = f"{name}: {message}\n(the traceback cannot be shown: {type(trouble).__name__})\n"
    return Failure(name, message, _shorten(text, LIMIT), *made_of(error))


def in_words(error: BaseException) -> str:
    """``Type: message``, at most 500 characters that any encoding takes; never raises."""
    message = _message(error)
    text = f"{type(error).__name__}: {message}" if message else type(error).__name__
    return text[:500].encode("utf-8", "backslashreplace").decode()


def failure_to_bytes(failure: Failure) -> bytes:
    """The failure as ASCII JSON."""
    fields: dict[str, object] = {
        "type": failure.type_name,
        "message": failure.message,
        "traceback": failure.traceback,
    }
    if failure.args is not None:
        fields["args"] = failure.args
    if failure.attributes:
        fields["attributes"] = dict(failure.attributes)
    return json.dumps(fields).encode()


def failure_from_bytes(data: bytes) -> Failure:
    """The failure that `failure_to_bytes` wrote; of bytes that are none, damaged ones perhaps, what can be read."""
    text = data.decode("utf-8", "replace")
    try:
        fields = json.loads(text)
    except ValueError:
        fields = None
    if not isinstance(fields, dict):
        return Failure("an unknown error", "what is stored of it is damaged", text)
    type_name, message, report = (str(fields.get(name, "")) for name in ("type", "message", "traceback"))
    args, attributes = fields.get("args"), fields.get("attributes")
    return Failure(
        type_name,
        message,
        report,
        tuple(args) if isinstance(args, list) else None,
        attributes if isinstance(attributes, dict) else {},
    )


def _message(error: BaseException) -> str:
    try:
        return str(error)
    except Exception as trouble:
        return f"<unprintable {type(error).__name__}: {type(trouble).__name__}>"


def _leave_out_ours(report: traceback.TracebackException, seen: set[int]) -> None:
    if id(report) in seen:
        return
    seen.add(id(report))
    report.stack[:] = [frame for frame in report.stack if not frame.filename.startswith(PACKAGE)]
    for other in (report.__cause__, report.__context__, *(getattr(report, "exceptions", None) or ())):
        if other is not None:
            _leave_out_ours(other, seen)


def _shorten(text: str, limit: int) -> str:
    """At most `limit` characters; of a long text the end counts most, for a traceback ends with what was raised."""
    if len(text) <= limit:
        return text
    head = limit // 4
    tail = limit - head - 40
    return f"{text[:head]}\n… {len(text) - head - tail} characters …\n{text[-tail:]}"
