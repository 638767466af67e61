"""Why, drawn: an explanation, and the pieces that changed with their diffs, as static HTML and as data for the page.

Colours hold on white and on black, and say nothing that the signs ``+`` and ``-`` do not say.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape

from resonate_nb.runtime import Change, Explanation, sections

from ._format import plain

_LINE = "1px solid rgba(128,128,128,.28)"
_CELL = f"text-align:left;vertical-align:top;padding:3px 14px 3px 0;border:0;border-bottom:{_LINE};background:none"
_HEAD = "font-weight:600;opacity:.72;white-space:nowrap"
_TABLE = "border-collapse:collapse;border:0;margin:4px 0;font-size:13px;color:inherit"
_ID = "font-family:ui-monospace,SFMono-Regular,Menlo,Consolas,monospace;font-size:12px;overflow-wrap:anywhere"
_DIFF = (
    f"margin:4px 0;padding:6px 8px;border:{_LINE};border-radius:4px;background:none;color:inherit;font-size:12px;"
    "line-height:1.45;white-space:pre-wrap;overflow-wrap:anywhere;max-height:24em;overflow:auto"
)
_SIGNS = {
    "+": "background:rgba(0,158,115,.16)",
    "-": "background:rgba(213,94,0,.16)",
    "@": "opacity:.6",
}
_HIT, _RUN = "#009e73", "#2b7fd0"


def explanation_html(explanation: Explanation) -> str:
    """An explanation as one compact table in a thin frame."""
    edge = _HIT if explanation.would_hit else _RUN
    rows: list[tuple[str, str]] = []
    if explanation.id is not None:
        state = f" · {escape(explanation.state)}" if explanation.state else ""
        rows.append(("promise", f'<span style="{_ID}">{escape(plain(explanation.id))}</span>{state}'))
    if explanation.details:
        rows.append(("details", _lines_html(explanation.details)))
    if explanation.compared_with is not None and explanation.compared_with != explanation.id:
        rows.append(("compared with", f'<span style="{_ID}">{escape(plain(explanation.compared_with))}</span>'))
    if explanation.changes:
        rows.append(("what changed", changes_html(explanation.changes)))
    rows += [(heading, _lines_html(texts)) for heading, texts in sections(explanation)]
    body = "".join(
        f'<tr><th scope="row" style="{_CELL};{_HEAD}">{escape(name)}</th>'
        f'<td style="{_CELL};overflow-wrap:anywhere">{content}</td></tr>'
        for name, content in rows
    )
    table = f'<table style="{_TABLE}"><tbody>{body}</tbody></table>' if rows else ""
    return (
        f'<div class="rnb-why" style="display:inline-block;max-width:100%;padding:4px 10px;border:{_LINE};'
        f'border-left:3px solid {edge};border-radius:4px;color:inherit;font-size:13px">'
        f"<div><strong>{escape(plain(explanation.title))}</strong> {escape(explanation.verdict)}: "
        f"{escape(plain(explanation.reason))}</div>{table}</div>"
    )


def changes_html(changes: Iterable[Change]) -> str:
    """One line for each piece that changed, and beneath it the diff, where it is code."""
    return "".join(
        f'<div style="font-size:13px">{escape(plain(change.text))}</div>'
        + (_diff_html(change.diff) if change.diff else "")
        for change in changes
    )


def changes_text(changes: Iterable[Change]) -> list[str]:
    """The same as lines of plain text."""
    return [line for change in changes for line in (change.text, *(f"  {part}" for part in change.diff.splitlines()))]


def change_payload(change: Change) -> dict[str, str]:
    """What the page needs to show one; it treats all of it as text."""
    return {"text": plain(change.text), "diff": plain(change.diff)}


def _diff_html(diff: str) -> str:
    lines = "".join(
        f'<span style="display:block;{_SIGNS.get(line[:1], "")}">{escape(line) or " "}</span>'
        for line in plain(diff).splitlines()
        if not line.startswith(("--- ", "+++ "))
    )
    return f'<pre style="{_DIFF}">{lines}</pre>'


def _lines_html(texts: Sequence[str]) -> str:
    return "".join(f"<div>{escape(plain(text))}</div>" for text in texts)
