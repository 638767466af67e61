"""What differs between two values that have other fingerprints, in short phrases, from what was kept of them.

For people: a phrase is right as far as it goes, and where nothing is seen to differ it says just that they do.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from ._explain import Summary

MOST_PHRASES = 6
_MOST_NAMED = 4


def differences(before: Summary | None, after: Summary | None) -> tuple[str, ...]:
    """Phrases such as ``column `dep_delay` renamed to `delay```, ``rows 336,776 → 336,770``, ``3 → 4``; at least one.

    Args:
        before: what `describe` gave of the value as it was; None where nothing was kept.
        after: and of the value as it is, which has another fingerprint.
    """
    if before is None or after is None:
        return ("its content differs",)
    return _between(before, after) or (_unseen(after),)


def _between(before: Summary, after: Summary) -> tuple[str, ...]:
    """The phrases; () where nothing is seen to differ."""
    try:
        if before == after:
            return ()
        code, phrases = tuple(_code(before, after)), tuple(_phrases(before, after))
        if code:  # then that something differs which holds it says nothing
            phrases = tuple(phrase for phrase in phrases if not phrase.endswith(" differs"))
        return (*code, *phrases)[:MOST_PHRASES]
    except (AttributeError, IndexError, KeyError, TypeError, ValueError):
        return ("its content differs",)  # kept by another release of this package, or damaged since


def _unseen(summary: Summary) -> str:
    if "rows" in summary or "shape" in summary:
        return "values differ"
    if summary.get("text", "").endswith("…"):
        return f"differs after its first {len(summary['text'])} characters"
    if "parts" in summary and summary["type"] in ("list", "tuple") and summary["size"] > len(summary["parts"]):
        return f"differs after position {len(summary['parts']) - 1}"
    if summary.get("type") == "str":
        return "its text differs, which is not shown"
    hidden = [name for name, part in summary.get("parts", ()) if part.get("type") == "str" and "text" not in part]
    return f"{_place(summary['type'], hidden[0])}, perhaps, which is not shown" if hidden else "its content differs"


def _phrases(before: Summary, after: Summary) -> Iterator[str]:
    is_other_type = before.get("type") != after.get("type") and "type" in before and "type" in after
    if "text" in before and "text" in after:
        yield from _scalars(before, after)
        return
    if is_other_type:
        yield f"{before['type']} → {after['type']}"
        if not {"rows", "shape"} & before.keys() & after.keys():
            return
    if "columns" in before and "columns" in after:
        yield from _frames(before, after)
    elif "rows" in before and "rows" in after:
        yield from _rows(before, after)
    elif "shape" in before and "shape" in after:
        yield from _arrays(before, after)
    elif "parts" in before or "parts" in after:
        yield from _parts(before, after)
    elif before.get("size") != after.get("size"):
        yield f"length {before.get('size', 0):,} → {after.get('size', 0):,}"
    if before.get("name") != after.get("name") and "name" in before and "name" in after:
        yield f"`{before['name']}` → `{after['name']}`"


def _code(before: Summary, after: Summary) -> Iterator[str]:
    """Of instances, functions and what holds them: the user's code in them, and what that reads."""
    for name in _differing(before.get("code", {}), after.get("code", {})):
        yield f"code of `{name}` changed"
    for name in _differing(before.get("reads", {}), after.get("reads", {})):
        yield f"`{name}`, which its code reads, differs"


def _differing(before: dict[str, str], after: dict[str, str]) -> Iterator[str]:
    return (name for name, digest in after.items() if before.get(name, digest) != digest)


def _scalars(before: Summary, after: Summary) -> Iterator[str]:
    old, new = before["text"], after["text"]
    if old == new:
        if before["type"] != after["type"]:
            yield f"{old}: {before['type']} → {after['type']}"
        elif before.get("size") != after.get("size"):
            yield f"length {before.get('size', len(old)):,} → {after.get('size', len(new)):,}"
    elif old.endswith("…") and new.endswith("…"):
        same = next(number for number, (one, other) in enumerate(zip(old, new, strict=False)) if one != other)
        yield f"text differs from character {same} on"
    else:
        yield f"{old} → {new}"


def _arrays(before: Summary, after: Summary) -> Iterator[str]:
    if before["shape"] != after["shape"]:
        yield f"shape {tuple(before['shape'])} → {tuple(after['shape'])}"
    if before["dtype"] != after["dtype"]:
        yield f"dtype {before['dtype']} → {after['dtype']}"
    elif before["shape"] == after["shape"]:
        yield "values differ"


def _rows(before: Summary, after: Summary) -> Iterator[str]:
    """Of frames, series and indexes: how many rows, and how they are labelled."""
    if before["rows"] != after["rows"]:
        yield f"rows {before['rows']:,} → {after['rows']:,}"
    old, new = before["index"], after["index"]
    if old[:2] != new[:2]:
        yield f"index {_kind(old)} → {_kind(new)}"
    elif old[2] != new[2]:
        yield f"index names {old[2]} → {new[2]}"
    elif before["rows"] == after["rows"] and old != new:
        yield "index differs"


def _kind(index: Sequence[str]) -> str:
    return f"{index[0]} of {index[1]}"


def _frames(before: Summary, after: Summary) -> Iterator[str]:
    yield from _rows(before, after)
    old = {column[0]: column for column in before["columns"]}
    new = {column[0]: column for column in after["columns"]}
    is_series = any(each["type"].endswith("Series") for each in (before, after))
    gone = [name for name in old if name not in new]
    added = [name for name in new if name not in old]
    renamed = _renamed([old[name] for name in gone], [new[name] for name in added], before, after)
    for name, other in renamed.items():
        yield f"name `{name}` → `{other}`" if is_series else f"column `{name}` renamed to `{other}`"
    added = [name for name in added if name not in renamed.values()]
    yield from _named([name for name in gone if name not in renamed], "gone")
    yield from _named(added, "added")
    pairs = [(old[name], new[renamed.get(name, name)]) for name in old if renamed.get(name, name) in new]
    if not is_series:
        yield from _moved([pair[0][0] for pair in pairs], [_renamed_back(name, renamed) for name in new])
    differing = []
    for theirs, ours in pairs:
        if theirs[1] != ours[1]:
            yield f"{'' if is_series else f'column `{ours[0]}`: '}dtype {theirs[1]} → {ours[1]}"
        elif theirs[3:] != ours[3:]:
            yield f"{'' if is_series else f'column `{ours[0]}`: '}categories differ"
        elif theirs[2] != ours[2] and theirs[2] and ours[2] and before["rows"] == after["rows"]:
            differing.append(ours[0])
    if differing and is_series:
        yield "values differ"
    elif differing:
        yield f"{_columns(differing)}: values differ"
    yield from _rest_of_frames(before, after, bool(gone or added))


def _rest_of_frames(before: Summary, after: Summary, has_other_columns: bool) -> Iterator[str]:
    if before.get("width") != after.get("width") and not has_other_columns:
        yield f"columns {before.get('width', 1):,} → {after.get('width', 1):,}"
    elif before.get("rest") != after.get("rest") and before["rows"] == after["rows"] and not has_other_columns:
        yield f"columns after `{before['columns'][-1][0]}` differ" if before["columns"] else "columns differ"
    if before.get("attrs", "") != after.get("attrs", "") and "attrs" in before and "attrs" in after:
        yield "metadata differs" if after["type"].startswith("pyarrow") else "attrs or flags differ"
    same_names = [column[0] for column in before["columns"]] == [column[0] for column in after["columns"]]
    if same_names and before.get("labels") != after.get("labels") and "labels" in before and "labels" in after:
        yield "the labels of its columns differ in their type or name"


def _renamed(
    gone: Sequence[Sequence[str]], added: Sequence[Sequence[str]], before: Summary, after: Summary
) -> dict[str, str]:
    """Columns that are there under another name: of the same dtype and content."""
    found: dict[str, str] = {}
    if before["type"] == after["type"] and before["type"].endswith("Series") and gone and added:
        return {gone[0][0]: added[0][0]}
    if before["rows"] == after["rows"]:
        for column in gone:
            match = next((each[0] for each in added if column[2] and each[1:] == column[1:]), None)
            if match is not None and match not in found.values():
                found[column[0]] = match
    return found


def _renamed_back(name: str, renamed: dict[str, str]) -> str:
    """What a column was called before."""
    return next((old for old, new in renamed.items() if new == name), name)


def _moved(old: Sequence[str], new: Sequence[str]) -> Iterator[str]:
    """The columns that both have, in another order: the one that moved, where it was one."""
    new = [name for name in new if name in old]
    old = [name for name in old if name in new]
    if old == new:
        return
    for name in new:
        if [each for each in old if each != name] == [each for each in new if each != name]:
            yield f"column `{name}` moved"
            return
    yield "columns in another order"


def _named(names: Sequence[str], what: str) -> Iterator[str]:
    if names:
        yield f"{_columns(names)} {what}"


def _columns(names: Sequence[str]) -> str:
    shown = ", ".join(f"`{name}`" for name in names[:_MOST_NAMED])
    more = f" and {len(names) - _MOST_NAMED} more" if len(names) > _MOST_NAMED else ""
    return f"column{'s' * (len(names) > 1)} {shown}{more}"


def _parts(before: Summary, after: Summary) -> Iterator[str]:
    """Keys of dicts, positions of sequences, attributes of instances, members of sets."""
    old: dict[str, Any] = dict(before.get("parts", ()))
    new: dict[str, Any] = dict(after.get("parts", ()))
    kind = before["type"]
    is_sequence = kind in ("list", "tuple")
    if before.get("size") != after.get("size") and before["type"] == after["type"]:
        yield f"{'length' if is_sequence else 'size'} {before.get('size', 0):,} → {after.get('size', 0):,}"
    is_cut = len(old) < before.get("size", 0) or len(new) < after.get("size", 0)
    if not is_sequence and not is_cut:
        for name in old:
            if name not in new:
                yield f"{_place(kind, name)} gone"
        for name in new:
            if name not in old:
                yield f"{_place(kind, name)} added"
    for name, theirs in old.items():
        if name not in new:
            continue
        ours = new[name]
        if theirs != ours:
            phrases = _between(theirs, ours)
            yield f"{_place(kind, name)}: {phrases[0]}" if phrases else f"{_place(kind, name)} differs"
    common = [name for name in old if name in new]
    if not is_sequence and common != [name for name in new if name in old]:
        yield "another order of its keys" if kind == "dict" else "another order of its attributes"


def _place(kind: str, name: str) -> str:
    if name.startswith("."):
        return f"member {name[1:]}" if kind in ("set", "frozenset") else f"attribute `{name[1:]}`"
    return f"position {name}" if kind in ("list", "tuple") else f"key `{name}`"


__all__ = ["differences"]
