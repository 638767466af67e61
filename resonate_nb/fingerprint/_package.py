"""Where code comes from: the user's own, an installed package (name and major.minor version), Python's, or ours.

The user's own is a notebook or a source file outside of the standard library and of site-packages; an editable install
is the user's own as well.
"""

from __future__ import annotations

import functools
import importlib.machinery
import importlib.util
import os
import re
import sys
import sysconfig
from enum import StrEnum
from types import BuiltinFunctionType, FunctionType, MethodType, ModuleType

_US = __name__.partition(".")[0]
_SITE = re.compile(r"[/\\](?:site|dist)-packages[/\\]")


class Origin(StrEnum):
    """Whose code it is."""

    USER = "user"
    PACKAGE = "package"
    STANDARD = "standard"
    OURS = "ours"


_MOVED = {
    "_asyncio.current_task": "asyncio.tasks.current_task",
    "_decimal.getcontext": "decimal.getcontext",
    "_decimal.localcontext": "decimal.localcontext",
    "_decimal.setcontext": "decimal.setcontext",
    "_io.open": "io.open",
    "_io.open_code": "io.open_code",
    "_io.text_encoding": "io.text_encoding",
    "_thread.lock": "_thread.allocate_lock",
    "genericpath.islink": "posixpath.islink",
    "genericpath.lexists": "posixpath.lexists",
    "posix._path_normpath": "posixpath.normpath",
    "re.PatternError": "re.error",
}
"""What newer Pythons call by another name than 3.11 does."""


def name_of_3_11(name: str) -> str:
    """The name that Python 3.11 has for something of the standard library: keys are the same in all."""
    return _MOVED.get(name) or name.replace("pathlib._local.", "pathlib.")


@functools.cache
def _standard_folders() -> tuple[str, ...]:
    paths = {sysconfig.get_path("stdlib"), sysconfig.get_path("platstdlib"), os.path.dirname(os.__file__)}
    return tuple({os.path.realpath(path) + os.sep for path in paths if path})


@functools.lru_cache(maxsize=4096)
def origin_of_file(filename: str) -> Origin:
    """Whose a source file is; what is no file (a cell) is the user's."""
    path = os.path.abspath(filename)
    if _SITE.search(path):
        return Origin.PACKAGE
    if any(path.startswith(folder) or os.path.realpath(path).startswith(folder) for folder in _standard_folders()):
        return Origin.STANDARD
    return Origin.USER


def origin_of_module(name: str) -> Origin:
    """Whose the module of this name is, loaded or not; it is not imported to find out."""
    top = name.partition(".")[0]
    if top == _US:
        return Origin.OURS
    if top == "__main__":
        return Origin.USER
    module = sys.modules.get(name)
    if isinstance(module, ModuleType):
        place = _place(module)
        if place is not None:
            return origin_of_file(place)
        if top in sys.stdlib_module_names or _is_built_in(module):
            return Origin.STANDARD
        # A module without a file was made in the notebook, unless it stands inside of a package.
        return origin_of_module(top) if top != name else Origin.USER
    return _origin_of_unloaded(top)


def origin_of(module: ModuleType) -> Origin:
    """Whose a live module is; one that was made by hand is the user's, whatever its name."""
    if sys.modules.get(module.__name__) is module or vars(module).get("__file__"):
        return origin_of_module(module.__name__)
    return Origin.USER


def _origin_of_unloaded(top: str) -> Origin:
    if isinstance(sys.modules.get(top), ModuleType):
        return origin_of_module(top)
    if top in sys.stdlib_module_names:
        return Origin.STANDARD
    try:
        # What stands there and is no module (`sys.modules[__name__] = Settings()`) says nothing of its file.
        spec = importlib.machinery.PathFinder.find_spec(top) if top in sys.modules else importlib.util.find_spec(top)
    except (ImportError, ValueError, AttributeError):
        return Origin.USER
    if spec is None:
        return Origin.USER
    if spec.origin is not None and spec.has_location:
        return origin_of_file(spec.origin)
    folders = list(spec.submodule_search_locations or ())
    return origin_of_file(os.path.join(folders[0], "")) if folders else Origin.USER


def _place(module: ModuleType) -> str | None:
    # Not `getattr`: a module's own may do anything, and may raise anything.
    names = vars(module)
    filename = names.get("__file__")
    if isinstance(filename, str):
        return filename
    try:
        folders = list(names.get("__path__", ()))
    except (TypeError, KeyError):
        return None
    return os.path.join(str(folders[0]), "__init__.py") if folders else None


def _is_built_in(module: ModuleType) -> bool:
    spec = vars(module).get("__spec__")
    return getattr(spec, "origin", None) in ("built-in", "frozen")


def origin_of_function(function: FunctionType) -> Origin:
    """Whose a function is, by where its code stands; `wraps` may have given it another's name."""
    home = function.__globals__.get("__name__")
    home = home if isinstance(home, str) else ""
    if home.partition(".")[0] == _US:
        return Origin.OURS
    filename = function.__code__.co_filename
    if filename.startswith("<") and _is_made_for_a_class(filename, home, function.__code__.co_qualname):
        return Origin.STANDARD
    by_file = origin_of_file(filename) if not filename.startswith("<") else Origin.USER
    if by_file is not Origin.USER or not home or home == "__main__":
        return by_file
    # Generated code has no file of its own (`<string>`): it belongs where it is executed.
    return origin_of_module(home) if home in sys.modules and filename.startswith("<") else by_file


def _is_made_for_a_class(filename: str, home: str, qualname: str) -> bool:
    """Whether it is what `namedtuple`, `dataclass` or attrs make of the fields of a class, whosever the class is; or
    what SQLAlchemy makes of its own as they are used."""
    is_fields = home.startswith("namedtuple_") or qualname.startswith("__create_fn__.")
    return is_fields or filename.startswith("<attrs generated") or (not home and qualname.startswith("_generated_"))


def is_importable(value: object, module: str | None, qualname: str | None) -> bool:
    """Whether this very object is what its module has under its name, so that the name says all."""
    found: object = sys.modules.get(module) if module else None
    if found is None or not qualname:
        return False
    for name in qualname.split("."):
        namespace = getattr(found, "__dict__", {})
        if name not in namespace:
            return False
        found = namespace[name]
    found = getattr(found, "__func__", found)
    return found is value


def is_drawing(value: object) -> bool:
    """Whether it is a method of a global random generator that its module keeps ready, such as `random.choice`.

    It counts by its name, as its module's attribute does: whoever draws by it is told so where that runs.
    """
    if not isinstance(value, BuiltinFunctionType | MethodType):
        return False
    home = type(value.__self__).__module__
    return home in _GENERATORS and vars(sys.modules[home]).get(value.__name__) is value


_GENERATORS = frozenset(("numpy.random.mtrand", "random"))


def binary_of(name: str) -> str:
    """The digest of the file of an extension module; empty for a module that has a source."""
    filename = getattr(sys.modules.get(name), "__dict__", {}).get("__file__")
    if not isinstance(filename, str) or filename.endswith((".py", ".pyc")):
        return ""
    import hashlib  # few reach an extension module of the user's own

    try:
        with open(filename, "rb") as file:
            return hashlib.file_digest(file, "blake2b").hexdigest()
    except OSError:
        return "gone"


def version_of(top: str) -> str:
    """The exact version of a package as it is loaded, by the name under which it is imported, else as it is installed;
    "?" if it has none."""
    # It is another one after an upgrade and a reload.
    loaded = getattr(sys.modules.get(top), "__dict__", {}).get("__version__")
    return loaded if loaded and isinstance(loaded, str) else _version_asked_for(top)


@functools.lru_cache(maxsize=1024)
def _version_asked_for(top: str) -> str:
    """Such a version where the package makes it when it is asked, or does not know it."""
    loaded = getattr(sys.modules.get(top), "__version__", None)
    return (loaded if isinstance(loaded, str) else _version_by_metadata(top)) or "?"


def _version_by_metadata(top: str) -> str:
    from importlib import metadata  # it would take a fifth of the time to import this package; few reach this

    try:
        return metadata.version(top)
    except metadata.PackageNotFoundError:
        names = metadata.packages_distributions().get(top, ())
    return ",".join(sorted({metadata.version(name) for name in names}))
