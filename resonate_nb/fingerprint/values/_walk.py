"""What one joint walk over values remembers: the pen, who was met under which number, and where arrays lie.

Mutable objects get a number at first sight and are written as that number when met again, so `[a, a]` differs from
`[a, copy(a)]` and cycles end. Immutable ones never count by identity. Everything numbered is kept alive until the
walk is over, since the memory address of a dead object may come back as another's.
"""

from __future__ import annotations

import sys
import types
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from ...records import dataclass
from ._filled import Filled
from ._pen import Pen, Refusal

# A handler writes what it can itself and returns the parts still to be walked, each with the step that leads to it.
# A step is an `Attribute`, else the key or index; it is only looked at when something is refused.
Children = Iterator[tuple[object, object]]
Handler = Callable[["Walk", Any], Children | None]


class Attribute(str):
    """A step by attribute: shown as ``.name``."""

    __slots__ = ()


class Note(str):
    """A step that is no expression, such as a key of a dict: shown as ``<key>``."""

    __slots__ = ()


class Part:
    """Children that stand under one step of their own, such as the column of a frame."""

    __slots__ = ("children",)

    def __init__(self, children: Children) -> None:
        self.children = children


Claim = tuple[object, object]
"""An object, and what pickle makes of it (`_reduced.reduced`)."""

Stretch = tuple[int, int]
"""Of memory: first address and one past the last."""


def memory_of(array: Any) -> Stretch:
    """The stretch that an array lies in; it has elements."""
    low = high = array.__array_interface__["data"][0]
    for length, stride in zip(array.shape, array.strides, strict=True):
        if stride < 0:
            low += (length - 1) * stride
        else:
            high += (length - 1) * stride
    return low, high + array.itemsize


START = b"value1;"
"""What is written ahead of each value: the number of the format."""
KEY = Note("<key>")
MEMBER = Note("<member>")
CONTENT = Note("")
_MOST_SERVED = 200


class Aside(Exception):
    """Raised by a `reach` to end a walk for a reason of its own."""


@dataclass(frozen=True, slots=True, eq=False)
class Span:
    """The memory that one array of the walk covers."""

    array: Any
    """The array itself, or a view of it; an address means nothing once it is gone."""
    low: int
    """First address."""
    high: int
    """One past the last address."""
    number: int
    """Of the object that holds it, in order of first visit."""
    column: int
    """Which column of a frame, else 0."""
    guarded: bool
    """Whether copy-on-write keeps writes through this one away from other guarded ones."""


class Walk:
    """The memory of one walk over one value (a part); `begin` starts the next part."""

    __slots__ = (
        "_asked",
        "_numbers",
        "_seals",
        "_sorting",
        "_tokens",
        "claims",
        "filled",
        "flaws",
        "order",
        "path",
        "pen",
        "reach",
        "served",
        "services_in",
        "spans",
        "steps",
        "unread_services",
    )

    def __init__(
        self, reach: Callable[[object], bytes], services_in: Callable[[object], Sequence[str]] = lambda _: ()
    ) -> None:
        self.reach = reach
        self.services_in = services_in
        """What is told of the services that a piece of code uses, which `reach` has just looked at."""
        self._tokens: dict[int, tuple[object, bytes]] = {}
        self.flaws: dict[int, str] = {}
        """What stands against objects that were claimed before, by `id`."""
        self.filled: Filled | None = None
        """What is left out of instances; None for nothing."""
        self.path = ""
        self.steps: list[object] = []
        """From the value called `path` to what is looked at right now."""
        self.served: list[tuple[str, tuple[object, ...], str]] = []
        """The services met in all parts: the path, the steps from there, and what is said of it."""
        self.unread_services: list[tuple[str, tuple[object, ...], str]] = []
        """Those of them whose settings could not be read."""
        self.begin()

    def begin(self) -> None:
        """Nothing is numbered and nothing is written; what code is, stays known."""
        self.pen = Pen()
        self.order: list[object] = []
        self.spans: list[Span] = []
        self.claims: dict[int, Claim] = {}
        self._numbers: dict[int, int] = {}
        self._seals: dict[int, tuple[object, bytes]] = {}
        self._sorting = 0
        self._asked = False

    def met(self, value: object) -> bool:
        """Whether this mutable object was met before; then its number is written, else it has a number now."""
        number = self._numbers.setdefault(id(value), len(self.order))
        if number == len(self.order):
            self.order.append(value)
            return False
        self.pen.head(b"ref", number)
        return True

    def number_of(self, value: object) -> int:
        """The number of an object that was met."""
        return self._numbers[id(value)]

    def claim(self, value: object, made: object) -> None:
        """Note an object that counts by what pickle makes of it: whether that says all is still to be shown."""
        self.claims[id(value)] = value, made
        if id(value) in self.flaws:
            raise Refusal(self.flaws[id(value)])

    def serves(self, told: str, is_read: bool = True) -> None:
        """Note that what is looked at is a service, what is said of it, and whether its settings could be read."""
        if not is_read:
            self.unread_services.append((self.path, tuple(self.steps), told))
        if len(self.served) < _MOST_SERVED:
            self.served.append((self.path, tuple(self.steps), told))

    def token(self, thing: object) -> None:
        """Write what a class, function or module is, as the code part of this room says."""
        if self._sorting:
            # Only an order is looked for; who is asked about code first must not depend on the accident of hashing.
            self._asked = True
            self.pen.blob(b"name", _name(thing))
            return
        known = self._tokens.get(id(thing))
        if known is None:
            known = (thing, self.reach(thing))
            for told in self.services_in(thing):
                self.serves(told)
            self._tokens[id(thing)] = known
        self.pen.blob(b"code", known[1])

    def buffer(self, value: object) -> None:
        """Note where the bytes of this writable buffer lie; an array of the walk may be a view of them."""
        numpy = sys.modules.get("numpy")
        if numpy is not None and len(value):  # type: ignore[arg-type]
            self.span(numpy.frombuffer(value, dtype="u1"), self.number_of(value))

    def span(self, array: Any, number: int, column: int = 0, guarded: bool = False) -> None:
        """Note where an array lies, so that arrays that share memory are told from equal ones that do not."""
        if array.size and array.itemsize:
            self.spans.append(Span(array, *memory_of(array), number, column, guarded))

    def sealed(self, value: object, tag: bytes, children: Children) -> Children | None:
        """Write an immutable container as the digest of its parts.

        The digest is remembered where the walk inside numbered nothing new, for then it reads the same at the next
        visit: a tuple that holds another one twice, fifty levels deep, takes a hundred steps and not 2**50.
        """
        known = self._seals.get(id(value))
        if known is None:
            return self._seal(value, tag, children)
        self.pen.write(tag + b";" + known[1])
        return None

    def _seal(self, value: object, tag: bytes, children: Children) -> Children:
        outer, mark = self.pen, len(self.order)
        self.pen = Pen()
        yield from children
        digest = self.pen.digest()
        self.pen = outer
        if len(self.order) == mark and not self._sorting:
            self._seals[id(value)] = (value, digest)
        outer.write(tag + b";" + digest)

    def members(self, tag: bytes, members: list[Any]) -> Children:
        """Write the parts of a container whose order is an accident of hashing, by the order of their digests.

        Each member is walked as if it came first. Where that met code or mutable objects they are walked once more,
        in the order found, which gives those objects their numbers. Members that nothing tells apart but the objects
        they share with one another may come in another order in another process: a key that is missed, never wrong.
        """
        outer, mark, asked = self.pen, len(self.order), self._asked
        self._asked = False
        found: list[tuple[bytes, object]] = []
        complete = True
        if len(members) > 1:
            self._sorting += 1
            for member in members:
                self.pen = Pen()
                yield MEMBER, member
                found.append((self.pen.digest(), member))
                complete &= self._forget_from(mark)
            self._sorting -= 1
            self.pen = outer
            found.sort(key=lambda pair: pair[0])
            members = [member for _, member in found]
        if found and complete and not self._asked:
            outer.head(tag + b"digests", len(found))
            outer.write(b"".join(digest for digest, _ in found))
        else:
            outer.head(tag + b"members", len(members))
            for member in members:
                yield MEMBER, member
        self._asked |= asked

    def _forget_from(self, mark: int) -> bool:
        if len(self.order) == mark:
            return True
        while len(self.order) > mark:
            del self._numbers[id(self.order.pop())]
        while self.spans and self.spans[-1].number >= mark:
            self.spans.pop()
        return False


def _name(thing: object) -> bytes:
    """What a piece of code is called and does at first sight, to put code in an order."""
    code = getattr(thing, "__code__", None)
    parts = [str(getattr(thing, name, "")) for name in ("__module__", "__qualname__", "__name__")]
    if isinstance(code, types.CodeType):
        parts += (code.co_code.hex(), *code.co_names, *(str(part) for part in code.co_consts if type(part) is str))
    return repr(parts).encode("utf-8", "surrogatepass")


__all__ = [
    "CONTENT",
    "KEY",
    "MEMBER",
    "START",
    "Aside",
    "Attribute",
    "Children",
    "Claim",
    "Handler",
    "Note",
    "Part",
    "Refusal",
    "Span",
    "Stretch",
    "Walk",
    "memory_of",
]
