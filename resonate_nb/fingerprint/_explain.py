"""What is kept of a value to say later what has changed of it: kinds, sizes, names and short digests, and short texts.

A summary is plain JSON of at most a few kilobytes. It holds texts only of plain scalars, and of those never one that
may be a secret (`_secrets.py`). What a walk noted of the parts (`Digests.noted`, `_seen.py`) is used, so that nothing
large is hashed for it.

    {"type": "int", "text": "3"}                            a scalar; without "text" where that is not to be shown
    {"type": "DataFrame", "rows": 3, "columns": [["a", "int64", "91c0aa17"], ...], "index": [...], "attrs": ...}
    {"type": "ndarray", "shape": [3, 4], "dtype": "float64", "digest": "91c0aa17"}
    {"type": "dict", "size": 2, "parts": [["'a'", {...}], ...]}          parts by key, position or attribute
    {"type": "Model", "code": {"Model.fit": "91c0aa17", ...}, "reads": {"K": ...}, "keys": [...]}    the code in it
"""

from __future__ import annotations

import datetime
import enum
import json
import sys
from collections.abc import Iterator, Mapping
from functools import lru_cache
from types import FunctionType, ModuleType
from typing import Any

from ._kinds import names_of
from .code._guards import UNBOUND
from .services._secrets import is_secret
from .services._services import service_text
from .values._instances import is_users_class
from .values._named import Noted
from .values._pen import short_digest
from .values._scalars import atoms
from .values._seen import MOST_COLUMNS, seen
from .values._walk import Attribute

Summary = dict[str, Any]
"""Plain JSON."""

_MOST_PARTS = 32
_MOST_LETTERS = 80
_NAME_LETTERS = 40
_MOST_BYTES = 4_096
_LOOKED_AT = 200
"""Bytes that are looked at for a secret; no more is shown."""
_FEW = 8
"""So many parts, with names cut as they are, never come to more."""
_LEAST_BYTES = 160
"""With less room nothing is said of parts; so an endless nesting ends."""
_STEPS = frozenset((str, int, float, bool, type(None), bytes, Attribute))
_PLAIN = (int, float, complex, str, bytes, bool, type(None), type(Ellipsis))
_STANDARD = frozenset(("datetime", "decimal", "fractions", "uuid", "pathlib", "pathlib._local", "zoneinfo"))


def describe(value: object, noted: Noted = (), name: str = "") -> Summary:
    """What `differences` compares: a summary of a value, of at most 4 KB as JSON.

    Args:
        value: anything that has a fingerprint.
        noted: what the walk that gave it its fingerprint noted of its parts.
        name: what it is called, which may say that it is a secret.
    """
    digests = {step: short_digest(piece) for step, piece in noted if type(step) in _STEPS}
    try:
        found = _summary(value, digests, name, _MOST_BYTES)
    except Exception:
        # Whatever a class derived from a known one does when it is looked at: no call may fail of it.
        return {"type": type_name(value)}
    parts: list[Any] = found.get("parts") or found.get("columns") or []
    while len(parts) > _FEW and len(json.dumps(found)) > _MOST_BYTES:
        del parts[len(parts) // 2 :]
    return found


def changed_attributes(before: Noted, after: Noted) -> tuple[str, ...]:
    """The attributes that came to something else between two walks over one object."""
    then, now = (
        {step: short_digest(piece) for step, piece in noted if type(step) is Attribute} for noted in (before, after)
    )
    return tuple(str(step) for step in {**then, **now} if then.get(step) != now.get(step))


def type_name(value: object) -> str:
    """The name of its type, with the module where that is not plain."""
    cls = type(value)
    root = cls.__module__.partition(".")[0]
    return cls.__qualname__ if root in ("builtins", "__main__", "pandas") else f"{root}.{cls.__qualname__}"


def _summary(value: object, digests: Mapping[object, str], name: str, room: int) -> Summary:
    if value is UNBOUND:
        return {"type": "nothing", "text": "unbound"}
    cls = type(value)
    found: Summary = {"type": type_name(value)}
    if (text := service_text(value)) is not None:
        return found | {"text": _cut(text, _MOST_LETTERS)}
    if cls in _PLAIN or _is_standard(value):
        text = _text(value)
        if isinstance(value, str | bytes) and is_secret(name, _letters(value)):
            return found
        if cls in (str, bytes) and len(text) > _MOST_LETTERS:
            found["size"] = len(value)  # type: ignore[arg-type]
        found["text"] = _cut(text, _MOST_LETTERS)
        return found
    for kind, write in (("pandas", _pandas), ("numpy", _numpy)):
        if cls.__module__.partition(".")[0] == kind and kind in sys.modules and write(value, found, room):
            return found
    if cls.__module__.partition(".")[0] in ("polars", "pyarrow") and _table(value, found, digests, room):
        return found
    if issubclass(cls, FunctionType | type | ModuleType):
        found["name"] = str(getattr(value, "__qualname__", None) or getattr(value, "__name__", ""))
        return found
    if cls in (list, tuple, dict, set, frozenset):
        found["size"] = len(value)  # type: ignore[arg-type]
    parts = list(_parts(value, digests)) if room > _LEAST_BYTES else []
    if parts:
        share = (room - 100) // min(len(parts), _MOST_PARTS)
        kept: list[list[object]] = []
        for step, part, digest in parts[:_MOST_PARTS]:
            label = _cut(_step(step), _NAME_LETTERS)
            below = {} if part is _NOTHING else _summary(part, {}, str(step), share)
            if digest and "text" not in below:
                below["digest"] = digest
            if share < 60:
                below = {key: below[key] for key in ("type", "text", "digest") if key in below}
            kept.append([label, below])
        found["parts"] = kept
    return found


_NOTHING = object()


def _parts(value: object, digests: Mapping[object, str]) -> Iterator[tuple[object, object, str]]:
    """Step, part and short digest of what a value is made of; the part where it may be looked at."""
    cls = type(value)
    if cls in (list, tuple, dict):
        items: Any = value.items() if isinstance(value, dict) else enumerate(value)  # type: ignore[arg-type]
        for _, (step, part) in zip(range(_MOST_PARTS), items, strict=False):
            if type(step) in (str, int, float, bool, type(None), bytes, tuple):
                yield step, part, digests.get(step, "")
        return
    if cls in (set, frozenset):
        members: Any = value
        if len(members) <= _MOST_PARTS and atoms(list(members), set(map(type, members))) is not None:
            for text in sorted(map(_text, members)):
                yield Attribute(text), _NOTHING, ""
        return
    # Only the user's own classes, and estimators, have attributes that are shown: others hold who knows what.
    is_open = is_users_class(cls) or cls.__module__.partition(".")[0] == "sklearn"
    attributes = names_of(value)
    for step, digest in digests.items():
        part = attributes.get(str(step), _NOTHING) if is_open and isinstance(step, Attribute) else _NOTHING
        yield step, part, digest


def _pandas(value: Any, found: Summary, room: int) -> bool:
    pd = sys.modules["pandas"]
    cls = type(value)
    noted = seen(value) if cls in (pd.DataFrame, pd.Series) else None
    if cls is pd.DataFrame:
        # `value.dtypes` makes a Series, which takes as long as all the rest.
        names, dtypes = list(value.columns), [part.dtype for part in value._iter_column_arrays()]
    elif cls is pd.Series:
        names, dtypes = [value.name], [value.dtype]
    elif issubclass(cls, pd.Index):
        found |= {"rows": len(value), "index": _index(value)}
        return True
    else:
        if issubclass(cls, (pd.Timestamp, pd.Timedelta, pd.Period, pd.Interval)) or value is pd.NaT or value is pd.NA:
            found["text"] = _cut(str(value), _MOST_LETTERS)
        return "text" in found
    digests = [] if noted is None else [short_digest(piece) for piece in noted.columns]
    found["rows"] = len(value)
    if cls is pd.DataFrame and len(names) > 1:
        found["width"] = len(names)
    columns: list[list[str]] = []
    room -= 300
    for position, (name, dtype) in enumerate(zip(names[: MOST_COLUMNS - 1], dtypes, strict=False)):
        column = [_cut(_label(name), _NAME_LETTERS), _dtype_text(dtype)]
        column.append(digests[position] if position < len(digests) else "")
        if isinstance(dtype, pd.CategoricalDtype):
            column.append(_categories(dtype))
        room -= sum(map(len, column)) + 4 * len(column)
        if room < 0:
            break
        columns.append(column)
    found["columns"] = columns
    if digests and len(columns) < len(names):
        found["rest"] = _short_digest_of("".join(digests[len(columns) :]))
    found["index"] = _index(value.index)
    if noted is not None:
        found["labels"], found["attrs"] = short_digest(noted.labels), short_digest(noted.attributes)
        found["index"].append(short_digest(noted.rows))
    return True


def _table(value: Any, found: Summary, digests: Mapping[object, str], room: int) -> bool:
    """Of a table of polars or Arrow, what is said of a frame of pandas; it has no index."""
    match type(value).__name__:
        case "DataFrame":
            rows, names, dtypes, metadata = value.height, value.columns, value.dtypes, None
        case "Series":
            rows, names, dtypes, metadata = len(value), [value.name], [value.dtype], None
        case "Table" | "RecordBatch":
            schema = value.schema
            rows, names, dtypes, metadata = value.num_rows, schema.names, schema.types, schema.metadata or {}
        case _:
            return False
    found |= {"rows": rows, "width": len(names), "index": ["", "", ""]}
    columns: list[list[str]] = []
    room -= 300
    for name, dtype in zip(names[: MOST_COLUMNS - 1], dtypes, strict=False):
        column = [_cut(name, _NAME_LETTERS), _cut(str(dtype), _NAME_LETTERS), digests.get(name, "")]
        room -= sum(map(len, column)) + 4 * len(column)
        if room < 0:
            break
        columns.append(column)
    found["columns"] = columns
    if digests and len(columns) < len(names):
        found["rest"] = _short_digest_of("".join(digests.get(name, "") for name in names[len(columns) :]))
    if metadata is not None:
        found["attrs"] = _short_digest_of(repr(sorted(metadata.items())))
    return True


def _index(index: Any) -> list[Any]:
    """Type, dtype and name of an index."""
    names = [index.name] if index.nlevels == 1 else list(index.names)
    return [type(index).__name__, _dtype_text(index.dtype), _cut(str(names), _NAME_LETTERS)]


@lru_cache(maxsize=256)
def _dtype_text(dtype: Any) -> str:
    return _cut(str(dtype), _NAME_LETTERS)


def _categories(dtype: Any) -> str:
    shown = f"{dtype.ordered} {list(dtype.categories[:1_000])!r} {len(dtype.categories)}"
    return _short_digest_of(shown)


def _short_digest_of(text: str) -> str:
    """The short digest of a text."""
    data = bytearray(text.encode("utf-8", "backslashreplace"))
    return short_digest((data, 0, len(data)))


def _numpy(value: Any, found: Summary, room: int) -> bool:
    np = sys.modules["numpy"]
    if issubclass(type(value), np.ndarray):
        found |= {"shape": list(value.shape), "dtype": _cut(str(value.dtype), _NAME_LETTERS)}
        return True
    if issubclass(type(value), np.generic):
        if value.dtype.kind in "biufcmM":
            found["text"] = _cut(str(value), _MOST_LETTERS)
        return True
    return False


def _is_standard(value: object) -> bool:
    cls = type(value)
    return cls.__module__ in _STANDARD or issubclass(cls, enum.Enum) or cls in (range, slice)


def _text(value: object) -> str:
    if isinstance(value, enum.Enum):
        return f"{type(value).__qualname__}.{value._name_}"
    if isinstance(value, str | bytes) and len(value) > _MOST_LETTERS:
        return repr(value[: _MOST_LETTERS + 1])
    if isinstance(value, int) and value.bit_length() > 300:
        return f"{hex(value)[:20]}… ({value.bit_length()} bits)"
    if isinstance(value, datetime.date | datetime.time | datetime.timedelta):
        return str(value)
    return repr(value)


def _letters(value: str | bytes) -> str:
    return value if isinstance(value, str) else value[:_LOOKED_AT].decode("latin-1")


def _label(name: object) -> str:
    return name if isinstance(name, str) else "" if name is None else _cut(repr(name), _NAME_LETTERS)


def _step(step: object) -> str:
    """``'a'`` for a key, ``3`` for a position, ``.coef_`` for an attribute."""
    return f".{step}" if isinstance(step, Attribute) else repr(step)


def _cut(text: str, limit: int) -> str:
    return text if len(text) <= limit else f"{text[: limit - 1]}…"
