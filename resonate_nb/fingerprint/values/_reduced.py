"""Anything else: objects of packages and of the standard library, by all their attributes, or by what pickle makes.

An object of a plain Python class is its attributes. One whose class says itself how it is pickled, or that keeps state
in C, is what its ``__reduce_ex__`` gives, walked by our own rules: the bytes of a pickle depend on who was met before
whom, on interning and on the order of sets. Whether that says all is shown for each content once, see `_proof`.
"""

from __future__ import annotations

import copyreg
import sys
from typing import Any

from .._package import Origin, is_importable, origin_of_module
from ._containers import attributes
from ._instances import attributes_of, content_base, elsewhere, hidden_state, instance_of
from ._scalars import text
from ._walk import Attribute, Children, Handler, Refusal, Walk

_PROTOCOL = 5

# They stand for something that is elsewhere: in files that they read when asked, in a database, on other machines.
_OUTSIDE = frozenset(
    {
        *(
            "adlfs",
            "anywidget",
            "boto3",
            "botocore",
            "chromadb",
            "dask",
            "deltalake",
            "distributed",
            "docker",
            "duckdb",
        ),
        *(
            "fsspec",
            "gcsfs",
            "h5py",
            "ibis",
            "ipykernel",
            "ipywidgets",
            "jupyter_client",
            "kubernetes",
            "lancedb",
            "mlflow",
            "netCDF4",
        ),
        *("playwright", "pyiceberg", "pyspark", "rasterio", "ray", "s3fs", "selenium"),
        *("tables", "tensorstore", "tiledb", "vaex", "wandb", "zarr"),
        *("bz2", "dbm", "ftplib", "gzip", "http", "imaplib", "lzma", "mailbox", "mmap", "poplib", "pty"),
        *("queue", "sched", "select", "selectors", "shelve", "signal", "smtplib", "socket", "socketserver"),
        *("sqlite3", "ssl", "tarfile", "tkinter", "xmlrpc", "zipfile", "zipimport"),
    }
)


def handler_of(cls: type) -> Handler:
    """The handler for values of a class that nothing else is known about.

    Raises:
        Refusal: it has no content, or none that can be read.
    """
    root = cls.__module__.partition(".")[0]
    if root in _OUTSIDE or cls.__module__.startswith("google.cloud."):
        raise Refusal("what it stands for is elsewhere; pass what it is made of, or what it gives when it is read")
    if any(owner.__module__ in ("io", "_io") for owner in cls.__mro__):
        raise Refusal("it is a file or a stream; pass its path, or what is in it")
    if hasattr(cls, "__next__") or hasattr(cls, "__anext__"):
        raise Refusal("it can be read only once; pass a list of what it yields")
    if elsewhere(cls):
        raise Refusal(elsewhere(cls))
    if issubclass(cls, BaseException):
        raise Refusal("it belongs to code that was running; pass its text or its arguments")
    if cls is object:
        raise Refusal(_NO_CONTENT)
    if pickles_itself(cls) or hidden_state(cls):
        return _reducing(cls)
    return _plain(cls)


_NO_CONTENT = "it has no content, only an identity"


def pickles_itself(cls: type) -> bool:
    """Whether a class says itself how its objects are pickled."""
    return cls in copyreg.dispatch_table or any(
        getattr(cls, name, None) is not getattr(object, name, None)
        for name in ("__reduce_ex__", "__reduce__", "__getstate__")
    )


def _plain(cls: type) -> Handler:
    """The handler for a class whose objects are their attributes, slots and inherited content, and nothing else."""
    whole = instance_of(cls)
    is_marker = content_base(cls) is object and not _does_something(cls)

    def write(walk: Walk, value: object) -> Children | None:
        if is_named(value):
            walk.token(value)
        elif is_marker and not attributes_of(value):
            # A mark such as `dataclasses.MISSING`.
            if not _is_ready(walk, value):
                raise Refusal(_NO_CONTENT)
        else:
            return whole(walk, value)
        return None

    return write


def _does_something(cls: type) -> bool:
    """Whether the objects of a class have methods of their own, so that the class says what they are for."""
    names = {name for owner in cls.__mro__ if owner is not object for name in owner.__dict__}
    return any(name == "__call__" or name == "__eq__" or not name.startswith("__") for name in names)


def _is_ready(walk: Walk, value: object) -> bool:
    """Whether its module keeps this object under a name, which is then written: what it is, the name says."""
    module = type(value).__module__
    for name, found in list(vars(sys.modules[module]).items()) if module in sys.modules else ():
        if found is value:
            walk.token(type(value))
            walk.pen.blob(b"ready", text(f"{module}.{name}"))
            return True
    return False


def is_named(value: Any) -> bool:
    """Whether this very object is what a module of a package has under its name."""
    try:
        name = getattr(value, "__qualname__", None) or getattr(value, "__name__", None)
        module = getattr(value, "__module__", None)
        # What a package's decorator made of a function of the user's has the name of that.
        return (
            isinstance(name, str)
            and isinstance(module, str)
            and is_importable(value, module, name)
            and origin_of_module(module) is not Origin.USER
        )
    except Exception:  # whatever a proxy says of itself
        return False


def _reducing(cls: type) -> Handler:
    is_callable = any("__call__" in owner.__dict__ for owner in cls.__mro__)

    def write(walk: Walk, value: object) -> Children | None:
        if is_named(value):
            walk.token(value)
            return None
        # A callable that a package keeps ready, such as `scipy.stats.norm`.
        if (is_callable and _is_ready(walk, value)) or walk.met(value):
            return None
        return parts(walk, value)

    def parts(walk: Walk, value: object) -> Children:
        walk.pen.write(b"reduced;")
        walk.token(cls)
        made = reduced(value)
        walk.claim(value, made)
        if isinstance(made, str):
            walk.pen.blob(b"global", text(made))
            return
        make, arguments, state, items, pairs, setter = made
        yield _REDUCED, make
        yield _REDUCED, arguments
        if type(state) is tuple and len(state) == 2 and all(part is None or _is_named_state(part) for part in state):
            for part in state:
                yield from attributes(walk, dict(sorted((part or {}).items())))
        elif _is_named_state(state):
            # Attributes, in no order that anyone chose: what was unpickled may have set them in another.
            yield from attributes(walk, dict(sorted(state.items())))
        else:
            yield _STATE, state
        yield _REDUCED, items
        yield _REDUCED, pairs
        yield _REDUCED, setter

    return write


_REDUCED, _STATE = Attribute("__reduce_ex__()"), Attribute("__getstate__()")


def _is_named_state(state: object) -> bool:
    return type(state) is dict and all(type(name) is str for name in state)


Reduced = tuple[Any, tuple[Any, ...], Any, list[Any], list[Any], Any]


def reduced(value: Any) -> Reduced | str:
    """What pickle would build an object from: a name, or callable, arguments, state, items, pairs and state setter.

    Raises:
        Refusal: it cannot be pickled.
    """
    try:
        known = copyreg.dispatch_table.get(type(value))
        made: Any = value.__reduce_ex__(_PROTOCOL) if known is None else known(value)
        if isinstance(made, str):
            if not is_importable(value, type(value).__module__, made):
                raise Refusal("pickle writes a name of it, under which its module has another object")
            return made
        make, arguments, state, items, pairs, setter = tuple(made) + (None,) * (6 - len(made))
        return make, arguments, state, list(items or ()), list(pairs or ()), setter
    except Exception as error:
        if isinstance(error, Refusal):
            raise
        raise Refusal(f"it cannot be pickled ({type(error).__name__}: {error})") from error
