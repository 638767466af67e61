"""What code of Python and of packages takes from outside where no key sees it: files that are read by native code,
child processes, the environment. Told by name; nothing is imported for it.

Of files, those are meant whose opening raises no event to audit, so that they are not recorded with a result (measured
with pandas 2.3, pyarrow 21, polars 1.34): `pandas.read_csv`, `numpy.load`, `numpy.memmap` and all that ends in Python's
own `open` is recorded, and is not named here.
"""

from __future__ import annotations

import os
import re

from ._uses import Use

_FILE = "reads files past Python, by `{}()`; name them in files="
_DATABASE = "reads a database by `{}()`; name its file in files="
_CHILD = "starts processes by `{}()`; they may read anything: name what they read in files= or env="
_VARIABLES = "reads the environment by `{}()`; name what it takes in env="
_HOME = "reads the environment by `{}()`; declare it with env=('HOME',)"
_ARGUMENTS = "reads the command line by `{}`; pass what it takes as an argument"
_DIRECTORY = "asks for the working directory by `{}()`; pass that as an argument"

# Package, and what is last in the name of what of it is used.
_PATTERNS: dict[str, tuple[tuple[str, str], ...]] = {
    "_sqlite3": (("connect", _DATABASE),),
    "argparse": (("ArgumentParser", _ARGUMENTS),),
    "asyncio": (("create_subprocess_(exec|shell)", _CHILD),),
    "concurrent": (("ProcessPoolExecutor", _CHILD),),
    "cv2": (("imread|imreadmulti|VideoCapture|FileStorage", _FILE),),
    "dask": (("read_(parquet|orc|hdf)", _FILE),),
    "datasets": (("load_dataset|load_from_disk", _FILE),),
    "duckdb": (("connect|execute|from_.*|query.*|read_.*|sql|table", _DATABASE),),
    "fiona": (("open", _FILE),),
    "geopandas": (("read_(file|parquet|feather)", _FILE),),
    "h5py": (("File", _FILE),),
    "lxml": (("parse|iterparse", _FILE),),
    "multiprocessing": (("Pool|Process", _CHILD),),
    "netCDF4": (("Dataset|MFDataset", _FILE),),
    "ntpath": (("expandvars", _VARIABLES),),
    "os": (
        ("system|popen|fork|forkpty|exec[lv]p?e?|spawn[lv]p?e?|posix_spawnp?|startfile", _CHILD),
        ("expandvars", _VARIABLES),
        ("expanduser", _HOME),
        ("getcwdb?", _DIRECTORY),
    ),
    "pandas": (("read_parquet|read_hdf|HDFStore", _FILE), ("read_sql.*", _DATABASE)),
    "pathlib": (("home", _HOME), ("cwd", _DIRECTORY)),
    "polars": (("(read|scan)_(?!database|clipboard).*", _FILE), ("read_database.*", _DATABASE)),
    "posix": (("system|fork|forkpty|execve?|posix_spawnp?", _CHILD), ("getcwdb?", _DIRECTORY)),
    "posixpath": (("expandvars", _VARIABLES), ("expanduser", _HOME)),
    "psutil": (("Popen", _CHILD),),
    "pty": (("spawn|fork", _CHILD),),
    "pyarrow": (
        (
            "read_.*|open_(csv|json|file|stream)|dataset|parquet_dataset|memory_map|OSFile|input_stream|"
            "LocalFileSystem|ORCFile|ParquetDataset|ParquetFile|FileSystemDataset",
            _FILE,
        ),
    ),
    "pyogrio": (("read_.*|open_arrow", _FILE),),
    "pyreadstat": (("read_.*", _FILE),),
    "rasterio": (("open", _FILE),),
    "sqlite3": (("connect", _DATABASE),),
    "soundfile": (("read|blocks|SoundFile", _FILE),),
    "subprocess": (("Popen|call|check_call|check_output|getoutput|getstatusoutput|run", _CHILD),),
    "sys": (("argv|orig_argv", _ARGUMENTS),),
    "tables": (("open_file", _FILE),),
    "vaex": (("open|open_many", _FILE),),
    "xarray": (("(open|load)_(dataset|dataarray|mfdataset|zarr|datatree)", _FILE),),
    "zarr": (("open.*|load", _FILE),),
}


def unseen(text: str, use: Use | None = None) -> str:
    """What is said of the use of something by its full name; empty for nearly all."""
    top, _, rest = text.partition(".")
    last = rest.rpartition(".")[2]
    for pattern, phrase in _PATTERNS.get(top, ()):
        if re.fullmatch(pattern, last):
            return "" if use is not None and use.target == ":memory:" else phrase.format(f"{top.lstrip('_')}.{last}")
    return ""


def environment(value: object, use: Use) -> str | None:
    """What is said of a use that reads the environment; empty where it only stores there, None for all others."""
    if value is os.environ or value is getattr(os, "environb", os.environ):
        is_changed = use.is_changed
    elif value is os.getenv or value is getattr(os, "getenvb", os.getenv):
        is_changed = False
    else:
        return None
    if is_changed or use.is_stored:
        return ""
    return environment_phrase(use.target) if use.target else "reads the environment; name what it takes in env="


def environment_phrase(name: str) -> str:
    """What is said of code that reads one variable of the environment."""
    return f"reads the environment variable `{name}`; declare it with env=({name!r},)"


def in_a_cell(said: str) -> str:
    """The same where a cell does it, which has options of the magic and no arguments."""
    said = re.sub(r"env=\('(.+?)',\)", r"--env \1", said)
    for written, spelled in _IN_A_CELL.items():
        said = said.replace(written, spelled)
    return said


_IN_A_CELL = {
    " files= or env=": " --files or --env",
    " files=": " --files",
    " env=": " --env",
    "pass what it takes as an argument": "bind what it takes in a cell above",
    "pass that as an argument": "bind that in a cell above",
}
