"""What a declared path stands for: the content of a file, of a folder with all in it, or of all that a pattern finds.

A folder counts by the names in it and their contents, hidden ones too; what editors, version control and Python leave
behind (`_LITTER`) and stores of this package do not count. Links count by what they lead to, a broken one as missing,
pipes and devices by name. What is missing is as good a content as any other.
"""

from __future__ import annotations

import errno
import os
import re
import stat
from glob import glob, has_magic

from blake3 import blake3

from resonate_nb.errors import UnfingerprintableError

from ._digests import Progress, digest_of
from ._inventory import Inventory
from ._listings import LEFT_BY_RUNS

DIGEST_BYTES = 16
_URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+://")
_LITTER = LEFT_BY_RUNS | {
    *(".DS_Store", "Thumbs.db", "desktop.ini", ".git", ".hg", ".svn"),
    *(".mypy_cache", ".pytest_cache", ".ruff_cache"),
}
_STORE_FILE = "promises.db"
_DEEPEST = 200
"""Each folder in a folder takes two frames of Python's, of a thousand."""


def joint_digest(kind: bytes, *parts: bytes) -> bytes:
    """The digest of a kind and its parts, each with its length, so that none runs over into the next."""
    content = blake3(kind)
    for part in parts:
        content.update(len(part).to_bytes(8, "little"))
        content.update(part)
    return content.digest(DIGEST_BYTES)


MISSING = joint_digest(b"missing")
"""The digest of what is not there."""


def entry_digest(spelled: str | bytes | os.PathLike[str]) -> bytes:
    """The digest of what a path or pattern stands for now, seen from the working directory.

    Raises:
        UnfingerprintableError: it cannot be read, is neither file nor folder, or changes while it is read.
    """
    given = os.fsdecode(spelled)
    if _URL.match(given):
        raise UnfingerprintableError(given, "file", "it is an address, and only what lies on a disk can be looked at")
    path = _in_full(given)
    found = _stat(path)
    progress = Progress()
    try:
        if found is None and has_magic(path):
            return _of_pattern(path, progress)
        if found is not None and stat.S_ISDIR(found.st_mode):
            inventory = Inventory()
            digest = _of_folder(path, found, progress, (), inventory)
            inventory.keep(digest)
            return digest
        if found is not None and not stat.S_ISREG(found.st_mode):
            raise UnfingerprintableError(given, "file", "it is neither a file nor a folder")
        return _of_file(path, found, progress)
    finally:
        progress.end()


def _in_full(given: str) -> str:
    """Not normalised: ``link/..`` is not where the link lies."""
    text = os.path.expanduser(given) if given.startswith("~") else given
    return os.path.join(working_directory() or "", text)


def working_directory() -> str | None:
    """None where it is gone."""
    try:
        return os.getcwd()
    except OSError:
        return None


def places_of(spelled: str) -> frozenset[str]:
    """The full paths that a declared path or pattern stands for now, itself among them; what lies in folders is not."""
    path = _in_full(spelled)
    found = glob(path, recursive=True) if has_magic(path) and not os.path.lexists(path) else []
    return frozenset(map(os.path.realpath, (path, *found)))


def is_pattern(spelled: str) -> bool:
    """Whether it is one for several files, as long as there is no single one of just this name."""
    return has_magic(spelled)


def _of_file(path: str, found: os.stat_result | None, progress: Progress) -> bytes:
    if found is None:
        return MISSING
    if not stat.S_ISREG(found.st_mode):
        return joint_digest(b"special", str(stat.S_IFMT(found.st_mode)).encode())
    try:
        return joint_digest(b"file", bytes.fromhex(digest_of(path, found, progress)))
    except FileNotFoundError:
        return MISSING
    except OSError as error:
        raise _refused(path, error) from error


def _of_folder(
    path: str,
    found: os.stat_result,
    progress: Progress,
    above: tuple[tuple[int, int], ...],
    inventory: Inventory,
    within: str = "",
) -> bytes:
    """`within` is the folder as seen from where the inventory is taken, with a slash at its end."""
    here = found.st_dev, found.st_ino
    if here in above:
        return joint_digest(b"again", str(len(above) - above.index(here)).encode())  # a link that leads back up
    if len(above) == _DEEPEST:
        raise UnfingerprintableError(path, "file", f"it lies more than {_DEEPEST} folders deep")
    parts: list[bytes] = []
    for name, entry in sorted(_entries(path)):
        try:
            inner: os.stat_result | None = entry.stat()
        except OSError:
            inner = _stat(entry.path)  # a broken link, perhaps
        digest, shown = _listed(entry.path, f"{within}{entry.name}", inner, progress, (*above, here), inventory)
        if not within:
            inventory.add_at_top(shown, digest)
        parts += (name, digest)
    return joint_digest(b"folder", *parts)


def _listed(
    path: str,
    name: str,
    found: os.stat_result | None,
    progress: Progress,
    above: tuple[tuple[int, int], ...],
    inventory: Inventory,
) -> tuple[bytes, str]:
    """The digest of what was met on the way, which is in the inventory then, and what it is called there."""
    if found is None or not stat.S_ISDIR(found.st_mode):
        digest = _of_file(path, found, progress)
        inventory.add(name, digest)
        return digest, name
    name += os.sep
    count = inventory.count
    digest = _of_folder(path, found, progress, above, inventory, name)
    if inventory.count == count:
        inventory.add(name, digest)
    return digest, name


def _entries(path: str) -> list[tuple[bytes, os.DirEntry[str]]]:
    """What counts of a folder, by name; no two have the same."""
    try:
        with os.scandir(path) as entries:
            found = {entry.name: entry for entry in entries if entry.name not in _LITTER}
    except FileNotFoundError:
        return []
    except OSError as error:
        raise _refused(path, error) from error
    if _STORE_FILE in found and "owners" in found:
        return []  # a store, wherever it was put: it changes with each call
    return [(os.fsencode(name), entry) for name, entry in found.items()]


def _of_pattern(pattern: str, progress: Progress) -> bytes:
    # `**` finds what is in the folders by itself.
    base = os.path.dirname(re.split(r"[*?[]", pattern)[0])
    is_deep = pattern.endswith("**") or pattern.endswith(f"**{os.sep}")
    parts: list[bytes] = []
    inventory = Inventory()
    for path in sorted(map(os.fsencode, set(glob(pattern, recursive=True)))):
        name = os.fsdecode(path)
        if not _LITTER.isdisjoint(name.split(os.sep)):
            continue
        found = _stat(name)
        is_folder = found is not None and stat.S_ISDIR(found.st_mode)
        # Seen from where the pattern begins: the same wherever that is moved to.
        inner = name[len(base) :].lstrip(os.sep)
        if is_deep and is_folder:
            parts += (os.fsencode(inner), b"folder")
            continue
        digest, shown = _listed(name, inner, found, progress, (), inventory)
        inventory.add_at_top(shown, digest)
        parts += (os.fsencode(inner), digest)
    if not parts:
        return MISSING
    whole = joint_digest(b"pattern", *parts)
    inventory.keep(whole)
    return whole


def _stat(path: str) -> os.stat_result | None:
    """None for what is not there, a broken link among it."""
    try:
        return os.stat(path)
    except (FileNotFoundError, NotADirectoryError, ValueError):
        return None
    except OSError as error:
        if error.errno == errno.ELOOP:
            return None
        raise _refused(path, error) from error


def _refused(path: str, error: OSError) -> UnfingerprintableError:
    return UnfingerprintableError(path, "file", f"it cannot be read ({error.strerror or error})")
