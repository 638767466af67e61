"""Every error and warning of the package: a record that says what happened to which thing and what to do next.

Leaves are chosen by what the caller can do: mend the call, wait, choose another id, repair the store. Each also
inherits the builtin that a user would expect to catch.
"""

from __future__ import annotations


class ResonateNbError(Exception):
    """Root of all errors raised by this package."""


class InvalidOptionError(ResonateNbError, ValueError):
    """An option, id, template or version is wrong; refused before anything runs."""


class UndecoratableError(ResonateNbError, TypeError):
    """The object cannot be made durable (a class, a generator function, a function without source)."""


class UnfingerprintableError(ResonateNbError, TypeError):
    """A value has no stable content fingerprint. `path` says where in the value, e.g. ``conn`` or ``cfg['db']``.

    A `reason` may end in the way out that there is for such a value: ``it is an open file; pass its path``.
    """

    def __init__(self, path: str, type_name: str, reason: str) -> None:
        super().__init__(path, type_name, reason)
        self.path = path
        self.type_name = type_name
        self.reason = reason
        self.can_be_ignored = True
        """It was met in a call; nothing can be left out of what somebody asks the fingerprint of."""

    def __str__(self) -> str:
        if self.type_name == "file":
            return f"file {self.path!r} counts by its content, which cannot be told: {self.reason}"
        ways = self.ways_out(self.path.partition("[")[0].partition(".")[0].partition("<")[0])
        return (
            f"{self.path!r} is {_with_article(self.type_name)}, which has no stable fingerprint "
            f"({self.reason.partition('; pass ')[0]}). {ways[0].upper()}{ways[1:]}."
        )

    def ways_out(self, name: str) -> str:
        """What can be done about it, as the rest of a sentence; `name` is that of the argument or global it is in."""
        own = self.reason.partition("; pass ")[2]
        ways = [f"pass {own or 'what it is made of'}"]
        if self.can_be_ignored:
            ways.append(f"leave it out of the key with ignore=({name!r},)")
        # No function could look at what can be read only once and leave it as it was; at what holds it, one can.
        is_once = "only once" in self.reason
        if not is_once or "." in self.path.removeprefix(name):
            its_type, its_class = (f"the type of `{name}`", "that") if is_once else ("its type", "its class")
            ways.append(
                f"say what counts of it: rnb.register_fingerprint({its_type}, a function), or a method "
                f"__durable_fingerprint__(self) of {its_class}"
            )
        *most, last = ways
        return f"{', '.join(most)}, or {last}" if most else last


class IdReuseError(ResonateNbError, ValueError):
    """A promise of this id exists with other arguments. `differing` names the arguments that differ."""

    def __init__(self, id: str, differing: tuple[str, ...]) -> None:
        super().__init__(id, differing)
        self.id = id
        self.differing = differing

    def __str__(self) -> str:
        named = ", ".join(repr(name) for name in self.differing) or "unknown (the stored key is older)"
        return (
            f"promise {self.id!r} was made with other arguments (differing: {named}). "
            f"Put them into the id template, leave the id out, drop the old one with rnb.forget({self.id!r}), "
            "or say with on_reuse= what shall happen ('rerun', 'warn' or 'ignore')."
        )


class WaitCycleError(ResonateNbError, RuntimeError):
    """A call waits, directly or through others, for itself. `cycle` holds the promise ids in order."""

    def __init__(self, cycle: tuple[str, ...], remedy: str = "") -> None:
        super().__init__(cycle, remedy)
        self.cycle = cycle
        self.remedy = remedy

    def __str__(self) -> str:
        return (
            "this call would wait for itself: "
            + " -> ".join(repr(id) for id in self.cycle)
            + ". "
            + (self.remedy or "Give the inner call other arguments, or call the plain function (f.__wrapped__).")
        )


class PromiseNotFoundError(ResonateNbError, LookupError):
    """No promise of this id is in the store."""


class PromiseBusyError(ResonateNbError, RuntimeError):
    """The promise runs under a living owner, and what was asked would take it away."""


class UnacceptableError(ResonateNbError, ValueError):
    """What there is of an earlier version cannot count for this one, or nothing needs to."""


class RejectedError(ResonateNbError, RuntimeError):
    """The promise was rejected; carries the stored failure as data, for whoever cannot raise the original error."""

    def __init__(self, id: str, type_name: str, message: str, traceback: str) -> None:
        super().__init__(id, type_name, message, traceback)
        self.id = id
        self.type_name = type_name
        self.message = message
        self.traceback = traceback

    def __str__(self) -> str:
        return f"promise {self.id!r} failed with {self.type_name.removeprefix('builtins.')}: {self.message}"


class WaitTimeoutError(ResonateNbError, TimeoutError):
    """The wait ended before the promise settled; the promise itself is untouched."""


class DurableTimeoutError(ResonateNbError, TimeoutError):
    """A promise passed its deadline (`timeout=`), or one try of it passed its limit (`attempt_timeout=`).

    `deadline` is in epoch milliseconds, `limit` in seconds; the other one is None. A body that could not be stopped
    and finished late leaves what it returned in `value`, which nothing else keeps; `has_value` says that it did.
    """

    def __init__(
        self,
        id: str,
        deadline: int | None = None,
        limit: float | None = None,
        *,
        has_value: bool = False,
        value: object = None,
    ) -> None:
        # No more than the id: an OSError takes a second argument for an errno, and a large value would fill the repr.
        super().__init__(id)
        self.id = id
        self.deadline = deadline
        self.limit = limit
        self.has_value = has_value
        self.value = value

    def __str__(self) -> str:
        if self.limit is not None:
            said = (
                f"a try of promise {self.id!r} took longer than its limit of {self.limit:g} s. "
                "Give it more with attempt_timeout=, or further tries with retry=."
            )
        else:
            when = "" if self.deadline is None else f", {_instant(self.deadline)}"
            said = (
                f"promise {self.id!r} was not finished by its deadline{when}, and has timed out. "
                "Run it again for a new try, with a longer timeout if it needs more time."
            )
        return said + " What it returned too late is in `value` of this error." * self.has_value


class UnstorableError(ResonateNbError, TypeError):
    """A value cannot be stored and brought back. `path` says where in the value."""

    def __init__(self, path: str, type_name: str, reason: str) -> None:
        super().__init__(path, type_name, reason)
        self.path = path
        self.type_name = type_name
        self.reason = reason

    def __str__(self) -> str:
        where = f"{self.path}: " if self.path else ""
        return f"{where}{_with_article(self.type_name)} cannot be stored ({self.reason})"


class UntrustedValueError(ResonateNbError, RuntimeError):
    """A stored value's signature is not ours, and there is no body to compute it again."""


class NotStoredError(ResonateNbError, LookupError):
    """The promise is resolved, but its value was not stored or cannot be read any more."""


class DriftError(ResonateNbError, RuntimeError):
    """The code has changed under a fixed version or a pending promise. `diff` is the unified diff from what was
    recorded to what is there now; `version` the user's word, None where there is none."""

    def __init__(self, id: str, diff: str, version: str | None = None) -> None:
        super().__init__(id, diff, version)
        self.id = id
        self.diff = diff
        self.version = version

    def __str__(self) -> str:
        since = "it was begun" if self.version is None else f"version {self.version!r} was recorded"
        return (
            f"promise {self.id!r}: the code has changed since {since}. Give the new code a new version=, take the code "
            f"back, or say with on_drift= what shall happen ('rerun', 'warn' or 'ignore').\n{self.diff}"
        ).rstrip()


class StoreError(ResonateNbError, OSError):
    """The store cannot be used as it stands; the message names it and the way out."""


class UnwritableStoreError(StoreError):
    """The store takes nothing at the moment (a full disk, a limit, no permission); what is in it can still be read."""


class ReadOnlyStoreError(UnwritableStoreError):
    """The store can be read and not written: what it holds is used, and nothing new is stored in it."""


class DamagedStoreError(UnwritableStoreError):
    """The store's database is damaged; what can be read of it goes on in a new one at the next use or start."""


class LostStoreError(UnwritableStoreError):
    """The store was deleted, moved or replaced under this process, which cannot store anything in it any more."""


class SchemaError(UnwritableStoreError):
    """The store has a newer schema than this package knows."""


class DurableWarning(UserWarning):
    """Something a user should know about a durable call; the call itself went on."""


def _instant(ms: int) -> str:
    from datetime import UTC, datetime  # errors are imported by everything; few of them name an instant

    try:
        return f"{datetime.fromtimestamp(ms / 1000, UTC):%Y-%m-%d %H:%M:%S} UTC"
    except (ValueError, OverflowError, OSError):  # beyond what a date can say
        return f"{ms} ms after 1970"


def _with_article(type_name: str) -> str:
    return f"{'an' if type_name[:1].lower() in tuple('aeio') else 'a'} {type_name}"
