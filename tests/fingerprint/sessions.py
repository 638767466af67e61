"""Sessions in one process: a fresh namespace for each, cells that linecache knows, modules that are imported anew."""

from __future__ import annotations

import ast
import hashlib
import importlib
import linecache
import sys
import types
from collections.abc import Collection
from pathlib import Path
from typing import Any

from resonate_nb.fingerprint import CodeKey, Subject


def durable(*args: Any, **options: Any) -> Any:
    """Stands for our decorator: gives the function back as it received it."""
    return args[0] if args else lambda function: function


durable.__module__ = "resonate_nb.durable"


class Session:
    """A notebook's namespace, and the modules of one folder."""

    def __init__(self, folder: Path | None = None) -> None:
        self.names: dict[str, Any] = {"__name__": "__main__", "__builtins__": __builtins__, "durable": durable}
        if folder is not None:
            for name, module in list(sys.modules.items()):
                if (getattr(module, "__file__", None) or "").startswith(str(folder)):
                    del sys.modules[name]
            importlib.invalidate_caches()

    def cell(self, text: str, line: int = 0) -> Session:
        """Run a cell the way a kernel does: each statement compiled on its own, the text in linecache."""
        text = "\n" * line + text
        filename = f"/tmp/ipykernel_1/{hashlib.sha1(text.encode()).hexdigest()[:10]}.py"
        linecache.cache[filename] = (len(text), None, text.splitlines(keepends=True), filename)
        for node in ast.parse(text, filename).body:
            module = ast.Module([node], [])
            exec(compile(module, filename, "exec", ast.PyCF_ALLOW_TOP_LEVEL_AWAIT, True), self.names)
        return self

    def subject(self, name: str = "f", ignore: Collection[str] = ()) -> Subject:
        return Subject.of_function(self.names[name], ignore=ignore)

    def key(self, name: str = "f", ignore: Collection[str] = ()) -> CodeKey:
        return self.subject(name, ignore).key()


def key_of(*cells: str, name: str = "f", folder: Path | None = None, ignore: Collection[str] = ()) -> CodeKey:
    """The key of `f` after a new session has run these cells."""
    session = Session(folder)
    for text in cells:
        session.cell(text)
    return session.key(name, ignore)


def same(first: CodeKey, second: CodeKey) -> bool:
    assert first.undurable == second.undurable == ()
    return (first.code, first.content) == (second.code, second.content)


def write_module(folder: Path, name: str, text: str) -> None:
    """Write a module so that no stale bytecode answers for it."""
    path = folder / f"{name}.py"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    importlib.invalidate_caches()
    linecache.checkcache(str(path))


def module_from(text: str) -> types.ModuleType:
    """A module without a file."""
    module = types.ModuleType("made_by_hand")
    exec(text, module.__dict__)
    return module
