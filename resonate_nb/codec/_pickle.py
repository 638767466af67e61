"""Values through pickle protocol 5: what pickle would lose or could not find again is stored another way, or refused.

The pickler is the C one with `reducer_override`, which is asked about everything but plain containers and scalars: it
refuses what would come back dead (`_refused`), and takes functions and classes of the notebook by value (`_rebuild`),
which plain pickle stores as a name that the next session may not have. cloudpickle is asked for these only: by itself
it stores an open text file as a `StringIO` and a memoryview as bytes, in silence.
"""

from __future__ import annotations

import gc
import io
import os
import pickle
import sys
import threading
from collections import namedtuple
from collections.abc import Callable, Iterable
from dataclasses import _FIELD, MISSING  # type: ignore[attr-defined]
from enum import Enum
from functools import cached_property, lru_cache
from importlib import import_module
from types import CellType, CodeType, FunctionType, GetSetDescriptorType, MappingProxyType, ModuleType
from typing import Any, NoReturn, TypeVar

from resonate_nb.errors import UnstorableError

from . import _rebuild
from ._failure import in_words
from ._refused import refusal
from ._services import is_never_stored
from ._where import path_to

_CHECKED_BYTES = 200_000
"""Pickles up to this size that hold objects with code of their own are read back once before they count as stored."""


def pickled(value: object) -> bytes:
    """The pickle of a value. Raises UnstorableError when it, or something inside it, cannot come back."""
    buffer = io.BytesIO()
    pickler = _Pickler(buffer)
    try:
        if isinstance(value, ModuleType):
            raise _Refused(value, "modules are never stored; import it where it is used")
        pickler.dump(value)
    except _Refused as refused:
        raise _unstorable(value, refused.culprit, refused.reason) from None
    except RecursionError as error:
        raise UnstorableError("", _type_name(value), "its objects are nested too deeply") from error
    except Exception as error:
        # Whatever a class's own __reduce__ or __getstate__ raises ends here: the value is handed to the caller all
        # the same, so the reason must be complete.
        raise _unstorable(value, pickler.last, in_words(error)) from error
    data = buffer.getvalue()
    if pickler.is_doubtful and not pickler.is_shown_when_read and len(data) <= _CHECKED_BYTES:
        try:
            unpickled(data)
        except Exception as error:
            raise UnstorableError("", _type_name(value), f"it does not come back: {in_words(error)}") from error
    return data


def unpickled(data: bytes) -> object:
    """The value of a pickle: a new object at each call, or whatever error its classes raise.

    The cyclic garbage collector rests meanwhile: many new objects would trigger it again and again, for nothing.
    """
    try:
        _rest()
        return pickle.loads(data)
    finally:
        _wake()


_Rule = Callable[["_Pickler", Any], Any]


class _Refused(Exception):
    """Leaves the C pickler with the object at fault."""

    def __init__(self, culprit: object, reason: str) -> None:
        super().__init__(reason)
        self.culprit = culprit
        self.reason = reason


class _Pickler(pickle.Pickler):
    def __init__(self, file: io.BytesIO) -> None:
        super().__init__(file, protocol=5)
        self.last: object = None
        """The object asked about last: the one at fault when pickle itself gives up."""
        self.is_doubtful = False
        """Whether it holds objects that pickle stores and may yet fail to bring back."""
        self.is_shown_when_read = False
        """Whether it holds a figure, which pyplot opens and shows when it is unpickled."""
        self._rules: dict[type, _Rule | None] = {}
        self._cloud: Any = None
        self._modules: set[int] = set()

    def reducer_override(self, obj: Any) -> Any:
        self.last = obj
        kind = type(obj)
        try:
            rule = self._rules[kind]
        except KeyError:
            rule = self._rules[kind] = self._rule(kind)
        return NotImplemented if rule is None else rule(self, obj)

    def _rule(self, kind: type) -> _Rule | None:
        if kind is FunctionType:
            return _Pickler._function
        if issubclass(kind, type):
            return _Pickler._class
        if issubclass(kind, ModuleType):
            return _Pickler._module
        if kind is CodeType:
            return _Pickler._code
        if (special := _SPECIAL.get(kind)) is not None:
            return special
        reason = refusal(kind)
        if reason is None and is_never_stored(kind):
            reason = "a client, connection or the like is made anew in each session; return what it has given you"
        if reason is not None:

            def refuse(_: _Pickler, obj: Any) -> NoReturn:
                raise _Refused(obj, reason)

            return refuse
        if issubclass(kind, BaseException) or not _is_installed(kind.__module__):
            self.is_doubtful = True
        if any((base.__module__, base.__name__) == ("matplotlib.figure", "Figure") for base in kind.__mro__):
            self.is_shown_when_read = True
        return None

    def _function(self, function: FunctionType) -> Any:
        if self._cloud is None and not _is_notebook(function.__module__):
            if _is_importable(function):
                return NotImplemented
            raise _Refused(
                function,
                f"it was made inside module {function.__module__!r} and cannot be found there by name; "
                f"define it at the top of a module or in the notebook",
            )
        # Of a module's functions, code of the notebook may bring along what cannot be imported: a method of a named
        # tuple, the wrapper that a decorator made.
        reduced = self._clouds_reduction(function)
        if reduced is NotImplemented:
            return reduced
        make, args, state, _, _, fill = reduced
        self._allow_modules([*state[1]["__globals__"].values(), *state[1]["_cloudpickle_submodules"]])
        self._allow_modules(map(_content, function.__closure__ or ()))
        # A closure's values are no part of the shape, so a function with one is never taken from the session.
        is_named = _is_notebook(function.__module__) and "<" not in function.__qualname__
        name = function.__qualname__ if is_named and not function.__closure__ else ""
        shape = _rebuild.shape(function) if name else ""
        return _rebuild.take, (name, shape, "", make, args), ("", fill, state), None, None, _rebuild.finish

    def _class(self, kind: type) -> Any:
        if not _is_notebook(kind.__module__):
            if _is_plain_named_tuple(kind) and not _is_importable(kind):
                # As `DataFrame.itertuples` makes them, at run time.
                fields, defaults = kind._fields, tuple(kind._field_defaults.values())  # type: ignore[attr-defined]
                return _rebuild.named_tuple, (kind.__module__, kind.__name__, fields, defaults)
            # Types without a name of their own (of functions, of dict views) only occur in code of the notebook.
            return NotImplemented if self._cloud is None else self._cloud.reducer_override(kind)
        reduced = self._clouds_reduction(kind)
        if reduced is NotImplemented:
            return reduced
        make, args, state, _, _, fill = reduced
        self._allow_modules(vars(kind).values())
        name = "" if "<" in kind.__qualname__ else kind.__qualname__
        shape = _rebuild.shape(kind) if name else ""
        mark = _rebuild.mark_of(kind)
        # cloudpickle's own tracking (the last argument but one) is switched off: it would fill a class that is in use
        # a second time, and so undo what the session has done to it since.
        args = (*args[:-2], None, args[-1])
        if not issubclass(kind, Enum):
            args = (*args[:3], {**args[3], "__qualname__": kind.__qualname__}, *args[4:])
        return _rebuild.take, (name, shape, mark, make, args), (mark, fill, state), None, None, _rebuild.finish

    def _module(self, module: ModuleType) -> Any:
        if id(module) in self._modules and not _is_notebook(module.__name__):
            return _reducers()[ModuleType](module)
        # Results of scipy and others hold the array module that they were made with.
        if sys.modules.get(module.__name__) is module and _is_installed(module.__name__):
            return import_module, (module.__name__,)
        raise _Refused(module, "only modules of Python and of installed packages are stored, by name")

    def _code(self, code: CodeType) -> Any:
        if self._cloud is None:
            raise _Refused(code, "bare code belongs to one version of Python")
        _, args = _reducers()[CodeType](code)
        return _rebuild.code, (tuple(sys.version_info[:2]), args)

    def _inside_code(self, obj: Any) -> Any:
        """Parts of functions and classes; by themselves they are left to pickle, which refuses most of them."""
        return NotImplemented if self._cloud is None else _reducers()[type(obj)](obj)

    def _missing(self, obj: Any) -> str:
        return "MISSING"  # by name, or a rebuilt dataclass would take it for a default

    def _cached_property(self, obj: Any) -> Any:
        # Python 3.11 keeps a lock in it.
        return cached_property, (obj.func,), {"attrname": obj.attrname, "__doc__": obj.__doc__}

    def _cached_function(self, obj: Any) -> Any:
        if not _is_notebook(obj.__module__):
            return NotImplemented
        return _rebuild.cached, (obj.cache_parameters(), obj.__wrapped__)

    def _clouds_reduction(self, obj: Any) -> Any:
        if self._cloud is None:
            import cloudpickle

            self._cloud = cloudpickle.Pickler(io.BytesIO())
        return self._cloud.reducer_override(obj)

    def _allow_modules(self, things: Iterable[object]) -> None:
        """Modules that code of the notebook names are stored by name, and imported with it."""
        self._modules.update(id(thing) for thing in things if isinstance(thing, ModuleType))


_SPECIAL: dict[type, _Rule] = {
    **dict.fromkeys(
        # Those of cloudpickle's reducers that are asked for; the others (files, memoryviews, weak sets) never are.
        (CellType, property, classmethod, staticmethod, MappingProxyType, GetSetDescriptorType, TypeVar),
        _Pickler._inside_code,
    ),
    type(_FIELD): _Pickler._inside_code,
    type(MISSING): _Pickler._missing,
    cached_property: _Pickler._cached_property,
    type(lru_cache(len)): _Pickler._cached_function,
}


def _reducers() -> Any:
    import cloudpickle

    return cloudpickle.Pickler.dispatch_table


def _content(cell: CellType) -> object:
    """What a closure's cell holds; None while it is empty."""
    try:
        return cell.cell_contents
    except ValueError:
        return None


def _is_notebook(name: str | None) -> bool:
    """Whether a module's functions and classes exist in this session only."""
    if name is None or name in ("__main__", "__mp_main__"):
        return True
    module = sys.modules.get(name)
    if module is None:
        return True
    return getattr(module, "__file__", None) is None and getattr(module, "__spec__", None) is None


def _is_importable(thing: FunctionType | type) -> bool:
    """Whether pickle can store it by name."""
    found: Any = sys.modules.get(thing.__module__)
    for part in thing.__qualname__.split("."):
        found = getattr(found, part, None)
    return found is thing


# Pickling an instance writes `__slotnames__` into its class.
_OF_A_NAMED_TUPLE = frozenset(vars(namedtuple("_", ()))) | {"__slotnames__"}


def _is_plain_named_tuple(kind: type) -> bool:
    """Whether fields and defaults are all there is to a class."""
    if kind.__bases__ != (tuple,) or "_field_defaults" not in vars(kind):
        return False
    return vars(kind).keys() <= _OF_A_NAMED_TUPLE.union(kind._fields)  # type: ignore[attr-defined]


def _is_installed(name: str) -> bool:
    """Whether a module came with Python or a package, whose authors test their pickles."""
    module = sys.modules.get(name.partition(".")[0])
    path = getattr(module, "__file__", None)
    if path is None:
        return not _is_notebook(name)
    return any(part in path for part in ("site-packages", "dist-packages")) or path.startswith(_STDLIB)


_STDLIB = io.__file__.rpartition("io.py")[0] if io.__file__ else "\0"


_resting = 0
_resting_lock = threading.Lock()
_was_enabled = False


def _rest() -> None:
    """The cyclic collector is off from here on, in all threads, until the last of those that asked has woken it.

    A program that switches it itself, in another thread and in this very moment, may find its switch undone.
    """
    global _resting, _was_enabled
    with _resting_lock:
        if _resting == 0:
            _was_enabled = gc.isenabled()
            gc.disable()
        _resting += 1


def _wake() -> None:
    """As it was before the first of them asked, once this is the last."""
    global _resting
    with _resting_lock:
        _resting = max(0, _resting - 1)
        if _resting == 0 and _was_enabled:
            gc.enable()


def _wake_in_child() -> None:
    # After a fork: the threads that let the collector rest are the parent's, and so is whoever held the lock.
    global _resting, _resting_lock
    _resting_lock = threading.Lock()
    if _resting and _was_enabled:
        gc.enable()
    _resting = 0


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_wake_in_child)


def _unstorable(value: object, culprit: object, reason: str) -> UnstorableError:
    try:
        path = path_to(culprit, value)
    except Exception:  # containers of a user's class may refuse to be walked; the reason is what counts
        path = ""
    return UnstorableError(path, _type_name(culprit), reason)


def _type_name(value: object) -> str:
    kind = type(value)
    module = kind.__module__
    if module in ("builtins", "__main__"):
        return kind.__qualname__
    # `_io.TextIOWrapper` is known as `io.TextIOWrapper`.
    return f"{module if module.startswith('__') else module.removeprefix('_')}.{kind.__qualname__}"
