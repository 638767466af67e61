"""Static HTML and plain text of rows, handles and details: what export, GitHub, e-mail and a dead kernel show.

Plain tables that read well when every style is stripped. What colours there are hold on white and on black, because
whoever shows this later decides the theme. Nothing that came from a user's value, id or error reaches HTML unescaped.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterable, Mapping, Sequence
from html import escape

from resonate_nb.protocol import NEVER, State
from resonate_nb.runtime import Detail, Record, Shown, state_label
from resonate_nb.store import Attempt

from ._format import count, duration, instant, one_line, plain, size
from ._rows import AWAITED, LOOKS, TAKEN_UP, Row, attempt_payload, coming_text, counts, owner_of, row_of, saved_ms
from ._why import change_payload, changes_html, changes_text

_LINE = "1px solid rgba(128,128,128,.28)"
_CELL = f"text-align:left;vertical-align:top;padding:3px 14px 3px 0;border:0;border-bottom:{_LINE};background:none"
_NUMBER = _CELL.replace("text-align:left", "text-align:right") + ";white-space:nowrap"
_HEAD = "font-weight:600;opacity:.72"
_ID = "font-family:ui-monospace,SFMono-Regular,Menlo,Consolas,monospace;font-size:12px;overflow-wrap:anywhere"
_TABLE = "border-collapse:collapse;border:0;margin:4px 0;font-size:13px;font-variant-numeric:tabular-nums;color:inherit"
_CHIP = f"padding:0 6px;border:{_LINE};border-radius:8px;font-size:11px;white-space:nowrap"
_PRE = (
    "margin:2px 0;padding:6px 8px;white-space:pre-wrap;overflow-wrap:anywhere;max-height:24em;overflow:auto;"
    f"border:{_LINE};border-radius:4px;background:none;color:inherit;font-size:12px"
)

TEXT_COLUMNS = 100
"""Lines of a text table are at most so long."""
_ERROR_LETTERS = 160
"""An error in a row of the static table is cut to so many."""
_ID_LETTERS = 48
_ID_TAIL_LETTERS = 12
_SAID_LETTERS = 26
"""What an id, and what is said at the end of a line, keep when the line gets long."""


def counts_text(rows: Sequence[Row]) -> str:
    """One line: ``128 promises: 2 rejected, 1 running, 125 resolved; 3 m 12 s saved``."""
    if not rows:
        return "no promises"
    parts = ", ".join(f"{count(number)} {shown.label}" for shown, number in counts(rows).items())
    saved = saved_ms(rows)
    noun = "promise" if len(rows) == 1 else "promises"
    return f"{count(len(rows))} {noun}: {parts}" + (f"; {duration(saved)} saved" if saved else "")


def tally_text(tally: Mapping[State, int]) -> str:
    """The same of promises that are only counted: ``10,000 promises: 2 pending, 9,998 resolved``."""
    parts = ", ".join(f"{count(tally[state])} {state_label(state)}" for state in _TALLIED if tally.get(state))
    total = sum(tally.values())
    return f"{count(total)} {'promise' if total == 1 else 'promises'}" + (f": {parts}" if parts else "")


_TALLIED = (State.REJECTED, State.TIMEDOUT, State.PENDING, State.RESOLVED, State.CANCELED)


def table_html(
    rows: Sequence[Row],
    *,
    now_ms: int,
    title: str = "Durable promises",
    static_id: str = "",
    limit: int = 50,
    heading: str = "",
    note: str = "",
) -> str:
    """A static table of the first `limit` rows, with the counts of all of them (or `heading`, where there are more
    than the rows) and the instant it holds for.

    A page that shows the same live finds it by the class ``rnb-static-<static_id>`` and hides it. A class, because
    JupyterLab's sanitiser for notebooks it does not trust keeps classes and drops ``data-`` attributes; the attribute
    ``data-rnb-static`` says the same to whoever reads the file.
    """
    body = "".join(_row_html(row, now_ms) for row in rows[:limit])
    heads = (
        ("state", _CELL),
        ("id", _CELL),
        ("duration", _NUMBER),
        ("", _CELL),
        ("owner", _CELL),
        ("attempts", _NUMBER),
        ("size", _NUMBER),
        ("created", _CELL),
    )
    head = "".join(f'<th scope="col" style="{style};{_HEAD}">{name or "how"}</th>' for name, style in heads)
    table = f'<table style="{_TABLE}"><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>' if rows else ""
    more = f"<p style='margin:2px 0'>… and {count(len(rows) - limit)} more</p>" if len(rows) > limit else ""
    said = f"<p style='margin:2px 0'>{escape(note)}</p>" if note else ""
    marker = f' data-rnb-static="{escape(static_id)}"' if static_id else ""
    classes = "rnb-static" + (f" rnb-static-{escape(static_id)}" if static_id else "")
    return (
        f'<div class="{classes}"{marker} style="color:inherit">'
        f"<p style='margin:2px 0'><strong>{escape(title)}</strong> · {escape(heading or counts_text(rows))}"
        f' <span style="opacity:.72">· as of {escape(instant(now_ms))}</span></p>'
        f"{said}{table}{more}</div>"
    )


def table_text(
    rows: Sequence[Row],
    *,
    now_ms: int,
    limit: int = 50,
    heading: str = "",
    note: str = "",
    columns: int = TEXT_COLUMNS,
) -> str:
    """The same as plain text, one line of at most `columns` characters for each row, aligned.

    What does not fit is cut, arguments first; the details hold all of it.
    """
    lines = [heading or counts_text(rows)] + ([note] if note else [])
    cells = [_row_text(row, now_ms) for row in rows[:limit]]
    if cells:
        widths = [max(len(line[column]) for line in cells) for column in range(len(cells[0]))]
        _, id, arguments, *numbers, said = widths
        room = columns - sum(width + 2 for width in (widths[0], *numbers)) - min(said, _SAID_LETTERS) - 2
        widths[1] = min(id, max(_ID_LETTERS, room - 2))
        widths[2] = min(arguments, max(0, room - widths[1] - 2))
        lines += [_aligned(line, widths, columns) for line in cells]
    if len(rows) > limit:
        lines.append(f"… and {count(len(rows) - limit)} more")
    return "\n".join(lines)


def _aligned(line: Sequence[str], widths: Sequence[int], columns: int) -> str:
    state, id, *rest = line
    shown = zip((state, _without_middle(id, widths[1]), *rest[:-1]), widths[:-1], strict=True)
    text = "  ".join(one_line(text, width).ljust(width) for text, width in shown if width)
    return one_line(f"{text}  {line[-1]}".rstrip(), columns)


def _without_middle(id: str, limit: int) -> str:
    """The id on one line: a step's tells at its end which one it is, and a generation's which."""
    line = one_line(id, len(id))
    return line if len(line) <= limit else f"{line[: limit - _ID_TAIL_LETTERS - 1]}…{line[-_ID_TAIL_LETTERS:]}"


def handle_text(record: Record) -> str:
    """The plain repr of a handle: id, state, and the few facts that matter."""
    row = row_of(record)
    coming = coming_text(row, record.now)
    facts = [row.shown.label] if row.retry_at is None and not row.waits_for else []
    if coming:
        facts.append(coming)
    if row.error:
        facts.append(row.error)
    if (took := row.took_ms(record.now)) is not None:
        facts.append(duration(took))
    if row.size_bytes:
        facts.append(size(row.size_bytes))
    if record.shown in (Shown.RUNNING, Shown.RETRYING, Shown.INTERRUPTED, Shown.WAITING) and row.owner:
        facts.append(row.owner)
    if row.attempts > 1:
        facts.append(f"attempt {row.attempts}")
    if row.tags:
        facts.append(row.tags)
    if row.chip:
        facts.append(row.chip)
    return f"<Handle {row.id}: {', '.join(facts)}>"


def handle_html(record: Record) -> str:
    """The HTML repr of a handle: one line in a thin frame."""
    row = row_of(record)
    facts = [
        fact
        for fact in (
            coming_text(row, record.now),
            duration(row.took_ms(record.now)),
            _how_text(row),
            size(row.size_bytes),
            row.owner if row.settled_at is None else "",
            f"attempt {row.attempts}" if row.attempts > 1 else "",
            row.tags,
        )
        if fact
    ]
    error = f'<div style="margin-top:2px">{escape(row.error)}</div>' if row.error else ""
    tail = f' <span style="opacity:.72">· {escape(" · ".join(facts))}</span>' if facts else ""
    if row.chip:
        tail += f' <span style="opacity:.72">·</span> {_chip_html(row)}'
    return (
        f'<div class="rnb-handle" style="display:inline-block;max-width:100%;padding:4px 10px;border:{_LINE};'
        f"border-left:3px solid {LOOKS[row.shown].colour};border-radius:4px;color:inherit;font-size:13px;"
        f'font-variant-numeric:tabular-nums">{_state_html(row)} <span style="{_ID}">{escape(row.id)}</span>'
        f"{tail}{error}</div>"
    )


def details_html(detail: Detail) -> str:
    """All that is known of one promise, as static HTML: facts, arguments, value, error, recorded output, attempts."""
    record = detail.record
    row = row_of(record)
    parts = [handle_html(record), _facts_html(detail, row)]
    if detail.changes:
        parts.append(_section("what changed", changes_html(detail.changes)))
    if detail.arguments:
        parts.append(_section("arguments", _pairs_html(detail.arguments.items())))
    if detail.preview is not None and detail.preview not in row.marks:
        parts.append(_section("value", f'<pre style="{_PRE}">{escape(plain(detail.preview))}</pre>'))
    if detail.traceback or detail.error:
        text = plain(detail.traceback or detail.error or "")
        parts.append(_section("error", f'<pre style="{_PRE}">{escape(text)}</pre>'))
    if detail.output:
        parts.append(_section("recorded output", outputs_html(detail.output)))
    if record.attempts:
        parts.append(_section("attempts", _attempts_html(record)))
    return f'<div class="rnb-details" style="color:inherit">{"".join(parts)}</div>'


def details_text(detail: Detail) -> str:
    """The same as plain text."""
    record = detail.record
    row = row_of(record)
    lines = [handle_text(record)]
    lines += [f"  {name}: {value}" for name, value in _facts(detail, row)]
    if detail.changes:
        lines += ["what changed", *(f"    {line}" for line in changes_text(detail.changes))]
    for name, value in detail.arguments.items():
        lines.append(f"  argument {name} = {value}")
    if detail.preview is not None and detail.preview not in row.marks:
        lines += ["value", _indented(plain(detail.preview))]
    if detail.traceback or detail.error:
        lines += ["error", _indented(plain(detail.traceback or detail.error or ""))]
    text = outputs_text(detail.output)
    if text:
        lines += ["recorded output", _indented(text)]
    if record.attempts:
        tries = [tuple(_ATTEMPT_HEADS), *map(_attempt_cells, record.attempts)]
        widths = [max(map(len, column)) for column in zip(*tries, strict=True)]
        lines.append("attempts")
        for cells in tries:
            aligned = (cell.ljust(width) for cell, width in zip(cells, widths, strict=True) if width)
            lines.append(f"    {'  '.join(aligned)}".rstrip())
    return "\n".join(lines)


_ATTEMPT_HEADS = ("#", "outcome", "took", "CPU", "size", "began", "owner", "error")
_ATTEMPT_NUMBERS = frozenset(("#", "took", "CPU", "size"))


def _attempt_cells(attempt: Attempt) -> tuple[str, ...]:
    """What is known of one try, under `_ATTEMPT_HEADS`."""
    return (
        str(attempt.number),
        attempt.outcome or "running",
        "" if attempt.elapsed_us is None else duration(attempt.elapsed_us // 1000),
        "" if attempt.cpu_us is None else duration(attempt.cpu_us // 1000),
        size(attempt.result_bytes),
        instant(attempt.started_at)[:19],
        owner_of(attempt),
        one_line(attempt.error or "", _ERROR_LETTERS),
    )


def detail_payload(detail: Detail) -> dict[str, object]:
    """What the page needs to open a row, as JSON. The page treats every text in it as text, never as HTML, except
    `preview_html`, of which it keeps a short list of tags without attributes."""
    return {
        "arguments": [[name, text] for name, text in detail.arguments.items()],
        "preview": None if detail.preview is None else plain(detail.preview),
        "preview_html": detail.preview_html,
        "error": detail.error,
        "traceback": None if detail.traceback is None else plain(detail.traceback),
        "why": detail.why,
        "changes": [change_payload(change) for change in detail.changes],
        "unsure": list(detail.unsure),
        "services": list(detail.services),
        "packages": list(detail.packages),
        "slow": list(detail.slow),
        "tags": [[name, text] for name, text in detail.record.promise.tags.items()],
        "output": [shown for output in detail.output if (shown := _output_payload(output)) is not None],
        "attempts": [attempt_payload(attempt) for attempt in detail.record.attempts],
    }


def outputs_html(outputs: Sequence[Mapping[str, object]]) -> str:
    """Recorded display as safe HTML: texts in ``<pre>``, PNG and JPEG images; other HTML only as its plain text."""
    parts: list[str] = []
    for output in outputs:
        shown = _output_payload(output)
        if shown is None:
            continue
        if shown["kind"] == "image":
            parts.append(f'<img alt="recorded image" style="max-width:100%" src="{escape(str(shown["source"]))}">')
        else:
            edge = (
                f";border-left:3px solid {LOOKS[Shown.REJECTED].colour}" if shown["kind"] in ("stderr", "error") else ""
            )
            parts.append(f'<pre style="{_PRE}{edge}">{escape(str(shown["text"]))}</pre>')
    return "".join(parts)


def outputs_text(outputs: Sequence[Mapping[str, object]]) -> str:
    """Recorded display as plain text; images by name."""
    texts = []
    for output in outputs:
        shown = _output_payload(output)
        if shown is not None:
            texts.append("[image]" if shown["kind"] == "image" else str(shown["text"]).rstrip("\n"))
    return "\n".join(texts)


def _output_payload(output: Mapping[str, object]) -> dict[str, object] | None:
    """One nbformat output as ``{kind: text|stderr|error|image, …}``; None when nothing of it can be shown safely."""
    match output.get("output_type"):
        case "stream":
            text = plain(_joined(output.get("text")))
            kind = "stderr" if output.get("name") == "stderr" else "text"
            return {"kind": kind, "text": text} if text else None
        case "error":
            text = plain("\n".join(_lines(output.get("traceback"))))
            return {"kind": "error", "text": text or f"{output.get('ename')}: {output.get('evalue')}"}
        case "display_data" | "execute_result":
            data = output.get("data")
            if not isinstance(data, Mapping):
                return None
            for mime in ("image/png", "image/jpeg"):
                encoded = re.sub(r"\s", "", _joined(data.get(mime)))
                if encoded and _is_base64(encoded):
                    return {"kind": "image", "source": f"data:{mime};base64,{encoded}"}
            text = plain(_joined(data.get("text/plain")))
            if text:
                return {"kind": "text", "text": text}
            return {"kind": "text", "text": f"[{', '.join(map(str, data))}]"} if data else None
        case _:
            return None


def _is_base64(text: str) -> bool:
    try:
        base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return False
    return True


def _joined(text: object) -> str:
    """nbformat's multiline strings: a string or a list of strings."""
    return "".join(_lines(text))


def _lines(text: object) -> list[str]:
    if isinstance(text, str):
        return [text]
    return [str(part) for part in text] if isinstance(text, list | tuple) else []


def _how_text(row: Row) -> str:
    if row.how != "replayed":
        return row.how
    times = f" ×{row.replays}" if row.replays > 1 else ""
    return f"replayed{times}" + (f", {duration(row.saved_ms)} saved" if row.saved_ms else "")


def _state_html(row: Row) -> str:
    look = LOOKS[row.shown]
    glyph = f'<span aria-hidden="true" style="color:{look.colour}">{look.icon}</span>'
    return f'<span style="white-space:nowrap">{glyph}&nbsp;{escape(row.shown.label)}</span>'


def _chip_html(row: Row) -> str:
    """The marks as one short frame, whole in its title."""
    return f'<span title="{escape(chr(10).join(row.marks))}" style="{_CHIP}">{escape(row.chip)}</span>'


def _id_html(row: Row) -> str:
    """The id; where that is a name and digits, the arguments come first and the id after them, small."""
    id = escape(row.id)
    if not row.is_automatic:
        return f'<span style="{_ID}">{id}</span>'
    return (
        f'<span style="{_ID}"><strong>{escape(row.name)}</strong> {escape(row.arguments)}</span>'
        f' <span style="{_ID};font-size:10px;opacity:.72">{id}</span>'
    )


def _row_html(row: Row, now_ms: int) -> str:
    told = " · ".join(filter(None, (coming_text(row, now_ms), one_line(row.error, _ERROR_LETTERS), row.tags)))
    said = f'<div style="opacity:.72;overflow-wrap:anywhere">{escape(told)}</div>' if told else ""
    chip = f" {_chip_html(row)}" if row.chip else ""
    cells = (
        (_CELL, _state_html(row)),
        (_CELL, f"{_id_html(row)}{chip}{said}"),
        (_NUMBER, escape(duration(row.took_ms(now_ms)))),
        (_CELL, escape(_how_text(row))),
        (_CELL + ";white-space:nowrap", escape(row.owner)),
        (_NUMBER, str(row.attempts) if row.attempts else ""),
        (_NUMBER, escape(size(row.size_bytes))),
        (_CELL + ";white-space:nowrap", escape(instant(row.created_at)[:19])),
    )
    fade = ' style="opacity:.6"' if row.is_superseded else ""
    return f"<tr{fade}>" + "".join(f'<td style="{style}">{content}</td>' for style, content in cells) + "</tr>"


def _row_text(row: Row, now_ms: int) -> tuple[str, ...]:
    replayed = f"replayed ×{row.replays}" if row.replays > 1 else row.how.removeprefix("computed")
    return (
        f"{LOOKS[row.shown].icon} {row.shown.label}",
        row.id,
        row.arguments if row.is_automatic else "",
        duration(row.took_ms(now_ms)),
        " · ".join(
            filter(
                None,
                (
                    size(row.size_bytes),
                    coming_text(row, now_ms),
                    row.owner if row.settled_at is None else "",
                    row.error,
                    row.chip,
                    replayed,
                    row.tags,
                ),
            )
        ),
    )


def _facts(detail: Detail, row: Row) -> Iterable[tuple[str, str]]:
    if detail.why:
        yield ("why" if detail.why.startswith("accepted ") else "why it ran"), detail.why
    yield "created", instant(row.created_at)
    if row.settled_at is not None:
        yield "settled", instant(row.settled_at)
    for id in row.waits_for:
        yield "waiting for", id
    if row.is_awaited:
        yield "awaited", AWAITED
    if row.shown is Shown.INTERRUPTED:
        yield "next", TAKEN_UP
    if row.retry_at is not None:
        yield "next attempt", instant(row.retry_at)
    if detail.record.promise.timeout_at < NEVER:
        yield "deadline", instant(detail.record.promise.timeout_at)
    if row.version:
        yield "version", row.version
    if row.owner:
        yield "last owner" if row.shown is Shown.INTERRUPTED else "owner", row.owner
    if row.replays:
        yield "replays", _how_text(row)
    if detail.record.promise.tags:
        yield "tags", ", ".join(f"{name}={text}" for name, text in detail.record.promise.tags.items())
    for mark in row.marks:
        yield "note", mark
    for text in detail.unsure:
        yield "unsure", text
    for text in detail.services:
        yield "service", text
    for text in detail.packages:
        yield "passed over", text
    for text in detail.slow:
        yield "slow to fingerprint", text


def _facts_html(detail: Detail, row: Row) -> str:
    return _pairs_html(_facts(detail, row))


def _pairs_html(pairs: Iterable[tuple[str, str]]) -> str:
    rows = "".join(
        f'<tr><th scope="row" style="{_CELL};{_HEAD}">{escape(name)}</th>'
        f'<td style="{_CELL};overflow-wrap:anywhere">{escape(plain(text))}</td></tr>'
        for name, text in pairs
    )
    return f'<table style="{_TABLE}"><tbody>{rows}</tbody></table>'


def _attempts_html(record: Record) -> str:
    styles = [_NUMBER if head in _ATTEMPT_NUMBERS else _CELL for head in _ATTEMPT_HEADS]
    heads = "".join(
        f'<th scope="col" style="{style};{_HEAD}">{head}</th>'
        for head, style in zip(_ATTEMPT_HEADS, styles, strict=True)
    )
    rows = "".join(
        "<tr>"
        + "".join(
            f'<td style="{style}">{escape(plain(cell))}</td>'
            for cell, style in zip(_attempt_cells(attempt), styles, strict=True)
        )
        + "</tr>"
        for attempt in record.attempts
    )
    return f'<table style="{_TABLE}"><thead><tr>{heads}</tr></thead><tbody>{rows}</tbody></table>'


def _section(name: str, content: str) -> str:
    return f'<div style="margin-top:8px"><div style="{_HEAD};font-size:13px">{name}</div>{content}</div>'


def _indented(text: str) -> str:
    return "\n".join(f"    {line}" for line in text.rstrip("\n").splitlines())
