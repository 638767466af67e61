"""Which variables a text may speak of: a formula any, a query those that stand where a table, or a placeholder, does.

Engines that look variables up by the words of a query (duckdb, polars, pandasql) take them for tables. Columns that
share their name with a variable are none, and no more is the prose of a prompt that asks to select something.
In doubt a word counts: it costs a run where it is meant by nobody, and a stale answer where it is.
"""

from __future__ import annotations

import re

_SPEAKS = re.compile(r"~|\bselect\b|^\s*(?:from|with)\b", re.IGNORECASE)
_IDENTIFIER = re.compile(r"[^\W\d]\w*")
_UNREADABLE = re.compile(r"~|--|/\*")
"""Formulas, and comments, whose words may look like those of the query."""
_TOKEN = re.compile(r"([(),])|(?:([:$@{\"'`\[])\s*)?([^\W\d]\w*)")
_BEFORE_TABLES = frozenset(
    (
        *("copy", "describe", "from", "into", "join", "pivot", "pivot_longer", "pivot_wider", "show", "summarize"),
        *("table", "unpivot", "update", "using", "with"),
    )
)
_AFTER_TABLES = frozenset({"group", "having", "limit", "order", "qualify", "select", "where"})


def spoken_of(text: str) -> list[str]:
    """The words of a text given to a call that may be names of variables; none of most texts."""
    if not _SPEAKS.search(text):
        return []
    if _UNREADABLE.search(text) or text.count("(") != text.count(")"):
        return _IDENTIFIER.findall(text)
    found: list[str] = []
    # A text may be the part of a query that follows a placeholder.
    is_table, is_first, around = True, True, list[bool]()
    for token in _TOKEN.finditer(text):
        sign, mark, word = token.groups("")
        lower = word.lower()
        if sign == "(":
            around.append(is_table)
        elif sign == ")":
            is_table, is_first = around.pop() if around else True, False
        elif sign == ",":
            is_first = True
        elif lower in _AFTER_TABLES and not (is_table and is_first and lower != "select") and _stands_free(token):
            is_table = is_first = False
        else:
            if is_table or mark:
                found.append(word)
            is_first = lower in _BEFORE_TABLES
            is_table = is_table or is_first
    return found


def _stands_free(token: re.Match[str]) -> bool:
    """Whether it is a word by itself, and no part of a quoted name, or of one of a file."""
    before, after = token.string[: token.start(3)][-1:], token.string[token.end() :][:1]
    return not token[2] and (before.isspace() or before in "();") and (after.isspace() or after in "()*'\"")
