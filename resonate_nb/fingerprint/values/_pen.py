"""How canonical bytes are written: each item carries a type tag and a length, so no two values share an encoding.

The structure goes through blake3 (cut to 128 bits). A large buffer enters the structure as its length and its
xxh3_128 digest, which runs at the speed of memory; both depend on content alone, never on how it was reached.

A tag is one or more letters; then comes what tells the four forms apart: ``.`` length and bytes, ``#`` length and
digest, ``:`` a number (the items counted by it follow), ``;`` a run of bytes whose length the tag fixes.
"""

from __future__ import annotations

from collections.abc import Iterable

from blake3 import blake3
from xxhash import xxh3_64, xxh3_64_hexdigest, xxh3_128

DIGEST_BYTES = 16
# From this size on a buffer is written as its digest. Part of the format: a change moves every key.
LARGE_BYTES = 16_384
_FLUSH_BYTES = 65_536
SIZES = tuple(b"." + size.to_bytes(8, "little") for size in range(256))
COUNTS = tuple(b":" + count.to_bytes(8, "little") for count in range(256))


Piece = tuple[bytearray, int, int] | str
"""A run of what was written, or its short digest. A pen only ever adds to its bytes."""
_SHORT = 8


def short_digest(piece: Piece) -> str:
    """Eight hex digits, for people who compare: they decide no key."""
    if isinstance(piece, str):
        return piece
    pending, start, end = piece
    return xxh3_64_hexdigest(pending[start:end])[:_SHORT]


def without_bytes(piece: Piece) -> Piece:
    """The piece as it may be kept for long: what is large is not kept alive for it."""
    return piece if isinstance(piece, str) or len(piece[0]) < _FLUSH_BYTES // 16 else short_digest(piece)


class Pen:
    """Collects the canonical bytes of one item; `digest` is the 128-bit fingerprint of all that was written."""

    __slots__ = ("_hasher", "_marks", "_pending")

    def __init__(self) -> None:
        self._pending = bytearray()
        self._hasher: blake3 | None = None
        self._marks: list[int | xxh3_64] = []
        """Where each part begins in what is pending; where that is flushed already, what hashes it."""

    def mark(self) -> None:
        """From here on until `since` is called for it, what is written is a part that is told from others."""
        self._marks.append(len(self._pending))

    def since(self) -> Piece:
        """What was written since the mark that was set last, which is gone then. Costs next to nothing: most of what is
        noted nobody ever asks for."""
        mark = self._marks.pop()
        if isinstance(mark, int):
            return self._pending, mark, len(self._pending)
        mark.update(self._pending)
        return mark.hexdigest()[:_SHORT]

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Append bytes that are self-delimiting already."""
        pending = self._pending
        pending += data
        if len(pending) > _FLUSH_BYTES:
            self._flush()

    def head(self, tag: bytes, count: int) -> None:
        """Append a tag and a length; the caller then writes that many items."""
        pending = self._pending
        pending += tag
        pending += COUNTS[count] if 0 <= count < 256 else b":" + count.to_bytes(8, "little", signed=True)

    def blob(self, tag: bytes, data: bytes | bytearray | memoryview) -> None:
        """Append a tagged run of bytes; `data` is contiguous."""
        size = data.nbytes if type(data) is memoryview else len(data)
        if size < LARGE_BYTES:
            # A call per item of every container: hence a table of short sizes, and no formatting.
            pending = self._pending
            pending += tag
            pending += SIZES[size] if size < 256 else b"." + size.to_bytes(8, "little")
            pending += data
            if len(pending) > _FLUSH_BYTES:
                self._flush()
        else:
            self.large(tag, size, xxh3_128(data).digest())

    def large(self, tag: bytes, size: int, digest: bytes) -> None:
        """Append what `blob` would for a large run of bytes whose xxh3_128 digest is known already."""
        self.write(tag + b"#" + size.to_bytes(8, "little") + digest)

    def stream(self, tag: bytes, size: int, chunks: Iterable[bytes | bytearray | memoryview]) -> None:
        """Append what `blob` would for the joined chunks, without joining them; `size` is their sum in bytes."""
        if size < LARGE_BYTES:
            self.blob(tag, b"".join(chunks))
            return
        hasher = xxh3_128()
        for chunk in chunks:
            hasher.update(chunk)
        self.large(tag, size, hasher.digest())

    def written(self) -> bytes:
        """The bytes themselves; only before there are many."""
        assert self._hasher is None
        return bytes(self._pending)

    def digest(self) -> bytes:
        """The fingerprint of everything written so far."""
        if self._hasher is None:
            return blake3(self._pending).digest(length=DIGEST_BYTES)
        self._flush()
        return self._hasher.digest(length=DIGEST_BYTES)

    def _flush(self) -> None:
        if self._hasher is None:
            self._hasher = blake3()
        self._hasher.update(self._pending)
        for position, mark in enumerate(self._marks):
            if isinstance(mark, int):
                self._marks[position] = xxh3_64(self._pending[mark:])
            else:
                mark.update(self._pending)
        self._pending = bytearray()


class Refusal(Exception):
    """Raised where a value cannot be covered; the walker adds the path and the type's name."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason
