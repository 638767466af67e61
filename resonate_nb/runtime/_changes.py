"""Which pieces of a call are others than they were when an earlier promise was made, each in a few words.

What is compared was stored at the birth of promises: digests per part with each, and once per fingerprint the sources
of its code (note ``sources`` of ``code:…``) and the summary of a piece of data (note ``data`` of ``part:…``).
"""

from __future__ import annotations

import ast
import itertools
import json
import re
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from resonate_nb.fingerprint import describe, differences, sources_in, version_change
from resonate_nb.protocol import Promise
from resonate_nb.records import dataclass
from resonate_nb.store import Reader

from ._defaults import edited_defaults
from ._earlier import FIRST, NEW_ARGUMENTS, parts_of, stored_parts_of
from ._identity import Identity, about_of, loaded, part_diff
from ._inventory import inventory_of
from ._outside import change_of, is_outside
from ._packages import made_by, recorded
from ._registry import Work

_SETTINGS = "settings of "
"""So begin the names of what is set in packages."""
_MOST_TEXTS = 3
_MOST_PHRASES = 3
_MOST_DIFF = 20_000
"""Characters of one diff; of a longer one the end is left out."""
_FEW = 12
"""So many scalars and containers, and texts of so many letters, are shown whole."""
_HUNK = re.compile(r"^@@ .* @@$", re.MULTILINE)
_PLAIN = frozenset((int, float, complex, str, bytes, bool, type(None)))


@dataclass(frozen=True, slots=True)
class Change:
    """One piece that is another than it was."""

    kind: str
    """``function``, ``class``, ``module``, ``cell``, ``package``, ``global``, ``argument``, ``file``, ``env``, …"""
    name: str
    text: str
    """All of it in one phrase: ``code of `helper` changed``, ``argument `n`: 3 → 4``."""
    diff: str = ""
    """Of code: a unified diff of its canonical source."""
    is_plain: bool = False
    """A plain argument, of which another value is no news."""
    is_same_text: bool = False
    """Of code: its text is as it was, and what that leads to is another."""
    is_met: bool = False
    """It was not there before, or is no more."""
    is_edited: bool = False
    """Data that holds code of the user's which is another than it was, or a default that is."""


def changes_since(
    reader: Reader, earlier: Promise, work: Work, identity: Identity, arguments: Mapping[str, object]
) -> tuple[Change, ...]:
    """What is another now than when `earlier` was made: code first, then packages, data and arguments; what is merely
    new or gone comes last of each."""
    code = _code_changes(reader, earlier, identity)
    if all(change.kind == "package" and change.is_met for change in code):
        code = []  # of the data that came: an argument of another kind brings another package
    told = {change.text for change in code}
    data = _data_changes(reader, earlier, work, identity, arguments, told)
    if any(change.kind == "global" and change.is_met for change in data):
        # A name that has come to be bound, or is no more, makes other code of the same text: the name says it all.
        code = [change for change in code if not change.is_same_text]
    return (*code, *data)


def reason_of(changes: Sequence[Change]) -> str:
    """One line: ``code of `helper` changed; global `df`: rows 3 → 2``."""
    if not changes:
        return FIRST
    if all(change.is_plain for change in changes):
        return NEW_ARGUMENTS
    texts = [change.text for change in changes]
    more = len(texts) - _MOST_TEXTS
    return "; ".join(texts[:_MOST_TEXTS]) + (f"; and {more} more" if more > 0 else "")


def to_json(changes: Sequence[Change]) -> bytes:
    """As they are stored with a promise."""
    return json.dumps([[change.kind, change.name, change.text, change.diff] for change in changes]).encode()


def from_json(data: bytes | None) -> tuple[Change, ...]:
    """As `to_json` wrote them."""
    try:
        return tuple(Change(kind, name, text, diff) for kind, name, text, diff in loaded(data, list))
    except (TypeError, ValueError):
        return ()  # of another release


def _code_changes(reader: Reader, earlier: Promise, identity: Identity) -> list[Change]:
    code = made_by(earlier)
    if code == identity.code:
        return []
    ours = identity.code_parts
    stored = reader.note(f"code:{code}", "parts")
    if stored is None:
        # Of a release that did not keep them.
        same_data = about_of(earlier).get("content", {}) == dict(identity.key.content_parts)
        return [Change("function", "", "its code changed")] if same_data else []
    theirs: dict[str, str] = loaded(stored, dict)
    sources: dict[str, str] = loaded(reader.note(f"code:{code}", "sources"), dict)
    versions = recorded(reader, earlier)
    found: list[Change] = []
    others: list[Change] = []
    for name in {**ours, **theirs}:
        if ours.get(name) == theirs.get(name):
            continue
        kind, shown = _kind_of(name, identity.key.sources.get(name) or sources.get(name, ""))
        is_package, has_both = kind == "package", name in ours and name in theirs
        if not has_both:
            what = f"package {shown}" if is_package else f"`{shown}`"
            text = f"now uses {what}" if name in ours else f"no longer uses {what}"
        else:
            text = _package_change(shown, versions, identity) if is_package else f"{_code_of(kind, shown)} changed"
        is_same_text = has_both and not is_package and sources.get(name, "") == identity.key.sources.get(name)
        diff = _cut(part_diff(name, sources, identity.key.sources))
        change = Change(kind, shown, text, diff, is_same_text=is_same_text, is_met=not has_both)
        (found if has_both and not is_package else others).append(change)
    return found + others


def _kind_of(part: str, source: str) -> tuple[str, str]:
    kind, _, rest = part.partition(" ")
    if rest and kind in ("package", "module"):
        return kind, rest
    if part == "cell":
        return "cell", part
    return ("class" if source.lstrip().startswith("class ") else "function"), part


def _code_of(kind: str, name: str) -> str:
    if kind == "cell":
        return "its code"
    return f"code of {'module ' if kind == 'module' else ''}`{name}`"


def _package_change(name: str, versions: Mapping[str, str], identity: Identity) -> str:
    now = identity.packages
    if name in versions and name in now:
        return f"package {version_change(name, versions[name], now[name])}"
    return f"package {name} changed"


def _data_changes(
    reader: Reader,
    earlier: Promise,
    work: Work,
    identity: Identity,
    arguments: Mapping[str, object],
    told: Collection[str],
) -> list[Change]:
    ours, theirs = parts_of(identity), stored_parts_of(earlier)
    differing = [place for place in {**ours, **theirs} if ours.get(place) != theirs.get(place)]
    if not differing:
        return []
    now = _summaries(work, identity, arguments, [place for place in differing if place in ours])
    before = reader.notes("data", [f"part:{theirs[place]}" for place in differing if place in theirs])
    shown = about_of(earlier).get("shown", {})
    edited = edited_defaults(reader, earlier, work, identity, arguments)
    closure = {("global", name) for name in identity.key.closure}
    found: list[Change] = []
    others: list[Change] = []
    is_other_call = any(kind == "argument" and not is_outside(name) for kind, name in differing)
    for place in differing:
        kind, name = place
        has_both = place in ours and place in theirs
        if is_outside(name):
            if has_both or not is_other_call:  # other arguments name other files
                kept = loaded(before.get(f"part:{theirs.get(place)}"), dict)
                text = change_of(name, theirs.get(place, ""), ours.get(place, ""), kept)
                found.append(Change(name.partition(" ")[0], name, text))
            continue
        if not has_both:
            verb = "now reads" if place in ours else "no longer reads"
            if name.startswith(_SETTINGS):
                how = "are set to others than the package has" if place in ours else "are those of the package again"
                others.append(Change(kind, name, f"{name} {how}"))
            elif kind == "argument":
                others.append(Change(kind, name, f"argument `{name}` {'is new' if place in ours else 'is gone'}"))
            else:
                others.append(Change(kind, name, f"{verb} `{name}`", is_met=True))
            continue
        note = before.get(f"part:{theirs[place]}")
        old = loaded(note, dict) if note is not None else _from_shown(shown.get(name)) if kind == "argument" else None
        phrases = [phrase for phrase in differences(old, now.get(place)) if phrase not in told]
        if not phrases:
            continue  # a method was edited that is code of the call as well
        said = ", ".join(phrases[:_MOST_PHRASES]) + (", …" if len(phrases) > _MOST_PHRASES else "")
        if name.startswith(_SETTINGS) and not said.startswith("key "):
            found.append(Change(kind, name, f"{name} changed"))
            continue
        is_default = kind == "argument" and name in edited
        is_plain = kind == "argument" and type(arguments.get(name)) in _PLAIN and not is_default
        what = "default of" if is_default else "closure variable" if place in closure else kind
        title = f"`{name}`" if name.startswith("depends[") else titled(what, name)
        is_edited = is_default or _is_edited(old or {}, now.get(place, {}))
        value = arguments.get(name) if kind == "argument" else identity.key.values.get(name)
        diff = _diff_within(reader, old or {}, value, told) if is_edited and not is_default else ""
        found.append(Change(kind, name, f"{title}: {said}", diff, is_plain=is_plain, is_edited=is_edited))
    found.sort(key=lambda change: not change.is_edited)
    return found + others


def titled(kind: str, name: str) -> str:
    """``global `df```, ``default of `least` in `keep```, and ``settings of numpy``."""
    if name.startswith(_SETTINGS):
        return name
    helper, _, default = name.partition("(")
    return f"default of `{default[:-1]}` in `{helper}`" if default.endswith(")") else f"{kind} `{name}`"


def _is_edited(before: Mapping[str, Any], after: Mapping[str, Any]) -> bool:
    """Whether data holds code of one name that is another; lambdas have no names."""
    return any(
        before.get(kind, {}).get(name, digest) != digest
        for kind in ("code", "reads")
        for name, digest in after.get(kind, {}).items()
        if "<lambda>" not in name
    )


def _diff_within(reader: Reader, before: Mapping[str, Any], value: object, told: Collection[str]) -> str:
    """A diff of the user's code in a value, beside what was `told` of it; nothing where none was kept."""
    notes = reader.notes("data", [f"part:{key}" for key in before.get("keys", ())])
    kept = [loaded(note, dict).get("sources", {}) for note in notes.values()]
    theirs: dict[str, str] = dict(itertools.chain.from_iterable(each.items() for each in kept))
    ours = dict(itertools.chain.from_iterable(each.items() for each in sources_in(value).values()))
    names = [name for name in ours if name in theirs and f"code of `{name}` changed" not in told]
    return _cut("\n".join(filter(None, (_placed(name, part_diff(name, theirs, ours)) for name in names))))


def _placed(name: str, diff: str) -> str:
    """The diff with its name at each hunk: where one is drawn, that is all that is seen of where it is."""
    return _HUNK.sub(lambda found: f"{found[0]} {name}", diff)


def _summaries(
    work: Work, identity: Identity, arguments: Mapping[str, object], places: Collection[tuple[str, str]]
) -> dict[tuple[str, str], dict[str, Any]]:
    globals_ = work.subject.described({name for kind, name in places if kind == "global" and not is_outside(name)})
    found = {("global", name): summary for name, summary in globals_.items()}
    for place in places:
        kind, name = place
        if kind == "argument" and name in arguments:
            found[place] = describe(arguments[name], identity.noted.get(name, ()), name)
    return found


def _from_shown(text: str | None) -> dict[str, Any] | None:
    """The summary of a plain argument, of which only the text was kept."""
    try:
        return None if text is None else describe(ast.literal_eval(text))
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        return None


def data_notes(
    work: Work, identity: Identity, arguments: Mapping[str, object], known: Collection[str], *, with_globals: bool
) -> dict[str, bytes]:
    """What is to be kept of the data of a call to compare it later: digest of a piece -> its summary.

    Left out are pieces that are `known`, and plain arguments, whose short texts are stored with the promise anyway.
    """
    places = {
        ("argument", name): digest
        for name, digest in identity.argument_parts.items()
        if identity.noted and digest not in known and not _is_told_by_its_text(arguments.get(name))
    }
    if with_globals:
        places |= {
            ("global", name): digest
            for name, digest in identity.key.content_parts.items()
            if digest not in known and not is_outside(name)
        }
    found = _summaries(work, identity, arguments, places) if places else {}
    summaries = {places[place]: summary for place, summary in found.items()}
    for (kind, name), summary in found.items():
        if any(key not in known for key in summary.get("keys", ())):
            value = arguments.get(name) if kind == "argument" else identity.key.values.get(name)
            summaries |= {key: {"sources": dict(sources)} for key, sources in sources_in(value).items()}
    if work.options.files:
        for (_, name), digest in parts_of(identity).items():
            if is_outside(name) and digest not in known and (inventory := inventory_of(digest)) is not None:
                summaries[digest] = inventory
    return {digest: json.dumps(summary).encode() for digest, summary in summaries.items()}


def _is_told_by_its_text(value: object) -> bool:
    """Whether the short text that is stored of an argument anyway says all of it: scalars, and a few in containers."""
    if type(value) in _PLAIN:
        return True
    pending, seen = [value], 0
    while pending:
        part = pending.pop()
        seen += 1
        if seen > _FEW:
            return False
        if type(part) in (list, tuple, set):
            pending.extend(itertools.islice(part, _FEW + 1))  # type: ignore[call-overload]
        elif type(part) is dict:
            pending.extend(itertools.chain.from_iterable(itertools.islice(part.items(), _FEW + 1)))
        elif type(part) not in _PLAIN or (type(part) in (str, bytes) and len(part) > _FEW):  # type: ignore[arg-type]
            return False
    return True


def _cut(diff: str) -> str:
    return diff if len(diff) <= _MOST_DIFF else f"{diff[:_MOST_DIFF]}\n…"
