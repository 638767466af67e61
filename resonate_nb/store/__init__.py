"""Rows and files that survive the process, and nothing about rules.

`Store` is the port and its contract; `SqliteStore` keeps a directory, `MemoryStore` nothing. A directory holds

- ``promises.db``: one SQLite database with a row per promise and its task, attempts, notes, fences;
- ``values/``: a file per value above `INLINE_BYTES`, written whole before its row, unlinked after its row's commit;
- ``owners/``: a locked file per living process;
- ``digests/``: what is remembered of the user's files (`DigestMemory`); may be deleted at any time;
- ``signal``: two mapped words that tell other processes of changes;
- ``damaged/<date>/``: pieces that were found damaged, kept beside what took their place; ``suspect`` while the next
  opener has to read the database through;
- ``in-use``: whose turn it is, on a network file system only.
"""

from typing import TYPE_CHECKING, Any

from ._place import locate
from ._port import (
    INLINE_BYTES,
    Ahead,
    Attempt,
    Durability,
    Extent,
    Order,
    OwnerInfo,
    Problem,
    Query,
    Reader,
    Store,
    StoredFile,
    Transaction,
)
from ._sqlite import SqliteStore

if TYPE_CHECKING:
    from ._digests import DigestMemory
    from ._memory import MemoryStore
else:

    def __getattr__(name: str) -> Any:
        # Loaded when somebody has one.
        if name == "MemoryStore":
            from ._memory import MemoryStore

            return MemoryStore
        if name == "DigestMemory":
            from ._digests import DigestMemory

            return DigestMemory
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


__all__ = [
    "INLINE_BYTES",
    "Ahead",
    "Attempt",
    "DigestMemory",
    "Durability",
    "Extent",
    "MemoryStore",
    "Order",
    "OwnerInfo",
    "Problem",
    "Query",
    "Reader",
    "SqliteStore",
    "Store",
    "StoredFile",
    "Transaction",
    "locate",
]
