"""Records become rows: what one line of a table says of a promise, in which order, and how it travels to the page.

A row holds no "now": it differs from the row before exactly when the promise has changed, so that comparing rows finds
what must be sent. Running durations and ages are counted where the row is drawn.
"""

from __future__ import annotations

import json
import re
import zlib
from collections.abc import Collection, Iterable, Mapping, Sequence

from resonate_nb.protocol import split_id
from resonate_nb.records import dataclass
from resonate_nb.runtime import Record, Shown, saved_in_all
from resonate_nb.store import Attempt

from ._format import count, duration, one_line

ARGUMENTS_LETTERS = 80
"""Arguments are cut to so many characters in a row; all of them are in the details."""
ARGUMENT_LETTERS = 32
"""One of several is cut to so many: a frame among them must not push the others out of the row."""
CHIP_LETTERS = 24
ROW_TRIES = 5
"""Attempts that a row holds at most; all of them are in the details."""
SUPERSEDED = "superseded"
AWAITED = "this process waits for it"
TAKEN_UP = "its next call takes it up again"
TAGS_LETTERS = 80
"""All tags of a row are cut to so many; all of them are in the details."""
_DIGITS = re.compile(r"[0-9a-f]{16}(?:[0-9a-f]{16})?")
"""What an id without a template has after its name: the arguments' fingerprint, shortened or whole."""


@dataclass(frozen=True, slots=True)
class Look:
    """How a state is shown beside its word (`Shown.label`): never by colour alone."""

    icon: str
    """One glyph that every font has, for text and static HTML; the page draws its own."""
    colour: str
    """After Okabe and Ito, readable on white and on black."""
    rank: int
    """Order of the groups: failures, what goes on, what is done."""


LOOKS: Mapping[Shown, Look] = {
    Shown.REJECTED: Look("✗", "#d55e00", 0),
    Shown.TIMEDOUT: Look("◷", "#d55e00", 0),
    Shown.RUNNING: Look("▶", "#2b7fd0", 1),
    Shown.RETRYING: Look("↻", "#b87900", 1),
    Shown.WAITING: Look("◔", "#b87900", 1),
    Shown.QUEUED: Look("○", "#7d7f87", 1),
    Shown.INTERRUPTED: Look("↯", "#b0589a", 1),
    Shown.RESOLVED: Look("✓", "#009e73", 2),
    Shown.CANCELED: Look("⊘", "#7d7f87", 2),
}
if LOOKS.keys() != set(Shown):  # a state without a look must not reach a page
    raise RuntimeError(f"states without a look: {set(Shown) - LOOKS.keys()}")

DONE_RANK = 2


@dataclass(frozen=True, slots=True)
class Row:
    """One promise as one line."""

    id: str
    name: str
    """Of the function or cell, as it was recorded; else the id's last part up to its first slash."""
    version: str
    """Of the code, as the id carries it; empty when it carries none."""
    shown: Shown
    created_at: int
    started_at: int | None
    """Begin of the attempt that runs; set exactly while one does, even if its body waits."""
    settled_at: int | None
    elapsed_ms: int | None
    """Length of the last attempt that ended; of a settled promise without attempts, its life; None while running."""
    how: str
    """``computed``, ``replayed`` (at least one hit in this process), or empty while there is no value, and where it is
    another promise's."""
    owner: str
    """``pid 4711 on host``; of a pending promise with ``, dead`` where that is gone, or ``, stopped`` where it stands;
    empty when nobody has had it."""
    attempts: int
    size_bytes: int | None
    """Of the stored value; None while there is none, and where it is another promise's."""
    error: str
    """First line of what was raised, by the last try of one that is retrying too; empty when nothing was."""
    marks: tuple[str, ...]
    replays: int
    saved_ms: int
    is_superseded: bool = False
    """A later generation of the same id is among the rows: this one is history, and its failure is not news."""
    arguments: str = ""
    """``day=6, station='north'`` on one line of at most 80 characters; empty for cells and calls without arguments."""
    is_automatic: bool = False
    """The id is the name and digits, so that the arguments say more than it; the user's own ids speak for themselves.
    Set only where there are arguments."""
    retry_at: int | None = None
    """When the next attempt begins; set exactly when `shown` is retrying."""
    timeout_at: int | None = None
    """Deadline of a pending promise; None when there is none, and once it has settled."""
    tags: str = ""
    """``team=growth, day=1`` on one line of at most 80 characters."""
    waits_for: tuple[str, ...] = ()
    """Ids of the promises that its body waits for."""
    is_awaited: bool = False
    """Something in the process that looks waits for it."""
    is_ours: bool = False
    """The owner is the process that looks."""
    tries: tuple[Attempt, ...] = ()
    """The last few attempts of one that was tried before, or goes on: of the rest a page hears when no cell runs."""

    def took_ms(self, now_ms: int) -> int | None:
        """How long the last attempt took, or has been running by then; None where there was none."""
        return self.elapsed_ms if self.started_at is None else max(0, now_ms - self.started_at)

    @property
    def chip(self) -> str:
        """All marks as one short text: ``not stored``, ``not stored · superseded``, ``not replayable +2``."""
        heads = [_head_of(mark) for mark in self.marks] + [SUPERSEDED] * self.is_superseded
        joined = " · ".join(heads)
        return joined if len(heads) < 2 or len(joined) <= CHIP_LETTERS else f"{heads[0]} +{len(heads) - 1}"


def row_of(record: Record, *, is_superseded: bool = False) -> Row:
    """The row of one promise."""
    promise = record.promise
    path, version = _parted(promise.id)
    name = promise.param.headers.get("name") or path.partition("/")[0] or path
    last = record.attempts[-1] if record.attempts else None
    ended = next((attempt for attempt in reversed(record.attempts) if attempt.ended_at is not None), None)
    is_running = record.shown is Shown.RUNNING or (
        record.shown is Shown.WAITING and last is not None and last.ended_at is None
    )
    headers = promise.value.headers
    elapsed_ms: int | None = None
    if is_running:
        pass  # counted where it is drawn
    elif ended is not None and ended.elapsed_us is not None:
        elapsed_ms = ended.elapsed_us // 1000
    elif headers.get("elapsed_us", "").isdecimal():
        elapsed_ms = int(headers["elapsed_us"]) // 1000
    elif ended is not None and ended.ended_at is not None:
        elapsed_ms = max(0, ended.ended_at - ended.started_at)
    elif promise.settled_at is not None:
        elapsed_ms = max(0, promise.settled_at - promise.created_at)
    how = ""
    size_bytes: int | None = None
    if record.shown is Shown.RESOLVED:
        is_accepted = headers.get("codec") == "accepted"
        how = "replayed" if record.replays else "" if is_accepted else "computed"
        if "not_stored" not in headers and not is_accepted:
            size_bytes = promise.value.size_bytes or len(promise.value.data or b"")
    error = ""
    if record.shown in (Shown.REJECTED, Shown.TIMEDOUT, Shown.RETRYING) and ended is not None and ended.error:
        error = _first_line(ended.error)
    arguments = _arguments_text(record.arguments)
    own = path.removeprefix(f"{name}/")
    return Row(
        id=promise.id,
        name=name,
        version=version,
        shown=record.shown,
        created_at=promise.created_at,
        started_at=(last.started_at if last is not None else promise.created_at) if is_running else None,
        settled_at=promise.settled_at,
        elapsed_ms=elapsed_ms,
        how=how,
        owner=_owner_text(record),
        attempts=len(record.attempts),
        size_bytes=size_bytes,
        error=error,
        marks=record.marks,
        replays=record.replays,
        saved_ms=record.saved_ms,
        is_superseded=is_superseded,
        arguments=arguments,
        is_automatic=bool(arguments) and own != path and _DIGITS.fullmatch(own) is not None,
        retry_at=record.retry_at,
        timeout_at=record.timeout_at,
        tags=tags_text(promise.tags, TAGS_LETTERS),
        waits_for=record.waits_for,
        is_awaited=record.is_awaited,
        is_ours=record.is_ours,
        tries=record.attempts[-ROW_TRIES:] if len(record.attempts) > 1 or promise.settled_at is None else (),
    )


def tags_text(tags: Mapping[str, str], limit: int) -> str:
    """``team=growth, day=1`` on one line of at most so many characters."""
    return one_line(", ".join(f"{name}={text}" for name, text in tags.items()), limit)


def coming_text(row: Row, now_ms: int) -> str:
    """What a pending promise waits for, what is to come of it, and when: ``waiting for load/1@2``, ``retrying in 12 s,
    times out in 3 m 05 s``; else empty."""
    parts = []
    if row.waits_for:
        more = len(row.waits_for) - 1
        parts.append(f"waiting for {row.waits_for[0]}" + (f" and {count(more)} more" if more else ""))
    if row.is_awaited:
        parts.append(AWAITED)
    if row.retry_at is not None:
        parts.append(f"retrying in {duration(row.retry_at - now_ms)}" if now_ms < row.retry_at else "retrying now")
    if row.timeout_at is not None:
        parts.append(f"times out in {duration(row.timeout_at - now_ms)}")
    return ", ".join(parts)


def rows_of(records: Sequence[Record], *, as_found: bool = False) -> list[Row]:
    """The rows of what was looked up, in reading order, or as they were found; older generations of an id are marked
    as superseded."""
    latest: dict[str, int] = {}
    split = [split_id(record.promise.id) for record in records]
    for base, generation in split:
        if generation > latest.get(base, 0):
            latest[base] = generation
    rows = [
        row_of(record, is_superseded=generation < latest[base])
        for record, (base, generation) in zip(records, split, strict=True)
    ]
    if not as_found:
        rows.sort(key=reading_order)
    return rows


def reading_order(row: Row) -> tuple[int, int]:
    """Sort key: failures on top, then what runs or waits, then the rest; newest first in each. Those of one
    millisecond stay as they were found."""
    rank = DONE_RANK if row.is_superseded else LOOKS[row.shown].rank
    return rank, -row.created_at


def counts(rows: Iterable[Row]) -> dict[Shown, int]:
    """How many rows are in each state, in the order of `LOOKS`; states without rows are left out."""
    found = dict.fromkeys(LOOKS, 0)
    for row in rows:
        found[row.shown] += 1
    return {shown: number for shown, number in found.items() if number}


def saved_ms(rows: Iterable[Row]) -> int:
    """What all replays saved together, in milliseconds: less than the sum where they had been computed at once."""
    return saved_in_all((row.settled_at, row.saved_ms, row.replays) for row in rows if row.replays)


@dataclass(frozen=True, slots=True)
class Segment:
    """Some rows on their way to a page that already has others: later segments win, row by row."""

    rows: Sequence[Row]
    seq: int
    """Number of this segment; rises by at least one with each that is sent."""
    after: int
    """Number of the segment that this one builds on: a page that has another one has missed something."""
    now_ms: int
    """When the rows were looked up, by the sender's clock: the page sets its own against it."""
    gone: Collection[str] = ()
    """Ids that are no longer there."""
    saved_ms: int = 0
    """By all replays of all rows, those of other segments too."""


def segment_bytes(segment: Segment) -> bytes:
    """The segment as deflated JSON of columns, repeated texts replaced by their number in a list of words.

    100,000 rows are about 2 MB; Jupyter's server drops what passes 1 MB a second, which plain JSON would.
    """
    words: dict[str, int] = {"": 0}

    def word(text: str) -> int:
        return words.setdefault(text, len(words))

    rows = segment.rows
    columns = {
        "format": 1,
        "seq": segment.seq,
        "after": segment.after,
        "now": segment.now_ms,
        "gone": list(segment.gone),
        "saved_in_all": segment.saved_ms,
        "id": [row.id for row in rows],
        "name": [word(row.name) for row in rows],
        "version": [word(row.version) for row in rows],
        "shown": [word(row.shown.value) for row in rows],
        "created": [row.created_at for row in rows],
        "started": [row.started_at for row in rows],
        "settled": [row.settled_at for row in rows],
        "elapsed": [row.elapsed_ms for row in rows],
        "how": [word(row.how) for row in rows],
        "owner": [word(row.owner) for row in rows],
        "attempts": [row.attempts for row in rows],
        "size": [row.size_bytes for row in rows],
        "error": [word(row.error) for row in rows],
        "marks": [word("\n".join(row.marks)) for row in rows],
        "replays": [row.replays for row in rows],
        "saved": [row.saved_ms for row in rows],
        "old": [int(row.is_superseded) for row in rows],
        "arguments": [word(row.arguments) for row in rows],
        "automatic": [int(row.is_automatic) for row in rows],
        "chip": [word(row.chip) for row in rows],
        "retry": [row.retry_at for row in rows],
        "timeout": [row.timeout_at for row in rows],
        "tags": [word(row.tags) for row in rows],
        "waits": [word("\n".join(row.waits_for)) for row in rows],
        "awaited": [int(row.is_awaited) for row in rows],
        "ours": [int(row.is_ours) for row in rows],
        "tries": [[attempt_payload(attempt) for attempt in row.tries] or None for row in rows],
    }
    columns["words"] = list(words)
    return zlib.compress(json.dumps(columns, separators=(",", ":")).encode("ascii"), 1)


def attempt_payload(attempt: Attempt) -> dict[str, object]:
    """One attempt as the page reads it; the error in one line."""
    return {
        "number": attempt.number,
        "owner": owner_of(attempt),
        "started": attempt.started_at,
        "elapsed": None if attempt.elapsed_us is None else attempt.elapsed_us // 1000,
        "cpu": None if attempt.cpu_us is None else attempt.cpu_us // 1000,
        "size": attempt.result_bytes,
        "outcome": attempt.outcome or "running",
        "error": attempt.error or "",
    }


def owner_of(attempt: Attempt) -> str:
    """``pid 4711 on host``, as the name of an owner tells it; a name of another form as it is."""
    host, _, rest = attempt.owner.rpartition("-")[0].rpartition("-")
    return f"pid {rest} on {host}" if host and rest.isdecimal() else attempt.owner


def _parted(id: str) -> tuple[str, str]:
    """The id's own part without its version, and the version; empty when it carries none."""
    base, _ = split_id(id)
    own = base.rpartition(":")[2]  # a child's id starts with its parent's
    path, mark, version = own.rpartition("@")
    return (path, version) if mark else (own, "")


def _arguments_text(arguments: Mapping[str, str]) -> str:
    limit = ARGUMENT_LETTERS if len(arguments) > 1 else ARGUMENTS_LETTERS
    pieces: list[str] = []
    letters = 0
    for name, text in arguments.items():
        if letters > ARGUMENTS_LETTERS:
            break  # thousands of rows, and no more of this one is seen
        pieces.append(f"{name}={one_line(text[: 10 * limit], limit)}")
        letters += len(pieces[-1]) + 2
    return one_line(", ".join(pieces), ARGUMENTS_LETTERS)


def _head_of(mark: str) -> str:
    """What stands before a mark's reason, cut between words where there are several."""
    head = one_line(mark.partition(":")[0], CHIP_LETTERS)
    words, space, _ = head.rpartition(" ")
    return f"{words}…" if space and head.endswith("…") else head


def _owner_text(record: Record) -> str:
    owner = record.owner
    if owner is None:
        return ""
    text = f"pid {owner.pid} on {owner.host}"
    if record.promise.settled_at is not None:
        return text
    if not owner.is_alive:
        return f"{text}, dead"
    return f"{text}, stopped" if record.is_stopped else text


def _first_line(text: str) -> str:
    line = text.strip().partition("\n")[0].strip()
    return line if len(line) <= 300 else line[:299] + "…"
