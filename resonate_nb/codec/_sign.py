"""Whose pickles are ours: one key per user, and signatures that bind bytes to a promise.

Unpickling runs whatever the bytes say, so bytes that somebody else wrote must never reach it. The key lies outside
every store: a store that was copied, downloaded or edited by hand cannot carry it.
"""

from __future__ import annotations

import os
import warnings
from _operator import _compare_digest  # what hmac gives, which loads OpenSSL besides
from pathlib import Path

from blake3 import blake3

from resonate_nb.errors import DurableWarning, UnwritableStoreError

KEY_VARIABLE = "RESONATE_NB_KEY"
FILE_VARIABLE = "RESONATE_NB_KEY_FILE"

_PURPOSE = b"resonate_nb value signature 1"
_HEAD = len(_PURPOSE).to_bytes(8, "little") + _PURPOSE
_COPIED_BYTES = 16_384
"""Shorter values are signed in one go, behind a copy of what binds them: it costs less than a second call."""
_DERIVATION = "resonate_nb 2026-11 user key from text"


class Signer:
    """Signs and verifies the bytes of stored values under one key."""

    __slots__ = ("_key",)

    def __init__(self, key: bytes) -> None:
        """`key` has 32 bytes, as `load_key` gives them."""
        if len(key) != 32:
            raise ValueError(f"a signing key has 32 bytes, not {len(key)}")
        self._key = key

    def sign(self, data: bytes, *, promise: str, version: int) -> str:
        """64 hex digits over the bytes, the promise's id and the task version under which they were written.

        A value moved to another promise, or put back from an earlier version of the same one, does not verify.
        """
        name, number = promise.encode("utf-8", "surrogatepass"), b"%d" % version
        # Each item led by its length: no two different items share one framing.
        head = b"".join(
            (
                _HEAD,
                len(name).to_bytes(8, "little"),
                name,
                len(number).to_bytes(8, "little"),
                number,
                len(data).to_bytes(8, "little"),
            )
        )
        if len(data) < _COPIED_BYTES:
            return blake3(head + data, key=self._key).digest().hex()
        return blake3(head, key=self._key).update(data).digest().hex()

    def verify(self, data: bytes, signature: str, *, promise: str, version: int) -> bool:
        """Whether this key signed exactly these bytes for this promise and version."""
        # Both come out of a database, where a flipped bit makes a text of bytes, and bytes of a text.
        if type(data) is not bytes or type(signature) is not str:
            return False
        expected = self.sign(data, promise=promise, version=version)
        return signature.isascii() and _compare_digest(expected, signature)


def load_key() -> bytes:
    """This user's key, 32 bytes; made at the first use. Processes that race for it get the same one.

    ``RESONATE_NB_KEY`` (any text) goes first, then the file named by ``RESONATE_NB_KEY_FILE``, then ``key`` in the
    user's configuration directory. Both kinds of file are made, readable by their owner only, when they are missing.

    Raises:
        UnwritableStoreError: there is no key and no place to keep one, or it cannot be read.
    """
    if text := os.environ.get(KEY_VARIABLE):
        return _derive(text.encode("utf-8", "surrogateescape"))
    path = _key_path()
    try:
        content = _read(path)
        if content is None:
            content = _make(path)
    except OSError as error:
        raise UnwritableStoreError(
            f"the key that signs stored values cannot be read or kept at {str(path)!r} ({error.strerror or error}); "
            f"set {FILE_VARIABLE} to a file that you can write, or {KEY_VARIABLE} to a secret text"
        ) from error
    if not content.strip():
        raise UnwritableStoreError(
            f"the key file {str(path)!r} is empty; delete it to have a new key made "
            f"(values signed with the lost key are then computed again)"
        )
    return _derive(content.strip())


def _key_path() -> Path:
    if named := os.environ.get(FILE_VARIABLE):
        return Path(os.path.expanduser(named))
    import platformdirs

    return platformdirs.user_config_path("resonate_nb", appauthor=False) / "key"


def _derive(secret: bytes) -> bytes:
    """The same 32 bytes for a key given as text and as the content of a file."""
    return blake3(secret, derive_key_context=_DERIVATION).digest()


def _read(path: Path) -> bytes | None:
    try:
        with open(path, "rb") as file:
            mode = os.fstat(file.fileno()).st_mode
            content = file.read()
    except FileNotFoundError:
        return None
    if mode & 0o077:
        warnings.warn(
            f"the key file {str(path)!r} can be read or written by other users, who could then plant values that "
            f"this process would unpickle; run `chmod 600` on it",
            DurableWarning,
            stacklevel=3,
        )
    return content


def _make(path: Path) -> bytes:
    """Write a new key and return the one that stands: ours, or that of a process that was faster."""
    missing = not path.parent.exists()
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    if missing:
        path.parent.chmod(0o700)  # whatever the umask
    content = os.urandom(32).hex().encode() + b"\n"
    draft = path.with_name(f".{path.name}.{os.getpid()}.{os.urandom(4).hex()}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        try:
            # A link never replaces: the first one wins, and nobody ever sees half a key.
            os.link(draft, path)
        except FileExistsError:
            return _read(path) or b""
    finally:
        os.unlink(draft)
    return content
