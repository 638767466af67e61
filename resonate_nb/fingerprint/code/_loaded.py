"""The syntax tree of a function as it is loaded, not as it stands on disk by now.

The text of the file or cell is compiled again and its code objects are compared with the live one, positions aside. A
text that has moved on since it was loaded is told from one that only moved.
"""

from __future__ import annotations
import __future__

import ast
import linecache
import threading
from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import field
from enum import Enum
from types import CodeType
from typing import Any

from ...forks import held_over_forks
from ...records import dataclass
from ._notebooks import python_of
from ._parse import parse
from ._tree import Function, clean, encode, encode_constant

_FUTURE_FLAGS = 0
for _name in __future__.all_feature_names:
    _FUTURE_FLAGS |= getattr(__future__, _name).compiler_flag
_MAX_TEXTS = 64


@dataclass(frozen=True, slots=True)
class Found:
    """The tree that the code was compiled from."""

    node: Function
    owner: str | None
    """The class in whose body it stands."""
    trees: dict[tuple[bool, int], Any] = field(default_factory=dict)
    """What others made of it (`_nodes.Tree`), by what of it counts; kept for all who reach it."""


class Absent(Enum):
    """Why there is no tree."""

    NO_TEXT = "no text"
    """Nobody knows the source: it came from `exec`, a prompt, or a generated file."""
    CHANGED = "changed"
    """The text is there, and it is not the one that was loaded."""


def find(code: CodeType, module_globals: dict[str, object]) -> Found | Absent:
    """The tree of a live code object, by its content: where it stands has moved perhaps."""
    filename = code.co_filename
    lines = _lines(filename, module_globals)
    home = module_globals.get("__file__")
    if not lines and filename == "<string>" and isinstance(home, str):
        # IPython's autoreload puts pieces of an edited module into the loaded one, and what imports a notebook runs
        # its cells as pieces. Where no such piece is in the file, it came from somewhere else.
        filename, lines = home, _lines(home, module_globals)
        is_piece = True
    else:
        is_piece = False
    flags = code.co_flags & _FUTURE_FLAGS
    if not lines:
        return _in_earlier(filename, flags, code) or Absent.NO_TEXT
    text = _text(filename, "".join(lines), flags)
    found = Absent.CHANGED if text is None else text.find(code)
    if found is Absent.CHANGED and not is_piece:
        return _in_earlier(filename, flags, code) or found
    return Absent.NO_TEXT if is_piece and found is Absent.CHANGED else found


def _in_earlier(filename: str, flags: int, code: CodeType) -> Found | None:
    """The tree from a text that this file had before, where one was read then: what is loaded is what runs."""
    with _lock:
        texts = [text for (name, _, of_flags), text in _texts.items() if name == filename and of_flags == flags]
    for text in reversed(texts):
        found = None if text is None else text.find(code)
        if isinstance(found, Found):
            return found
    return None


def _lines(filename: str, module_globals: dict[str, object]) -> list[str]:
    if filename == "<string>":
        # Anybody's name: Python 3.13 keeps the text of `python -c` under it, whoever else ran `exec`.
        return []
    linecache.checkcache(filename)
    lines = linecache.getlines(filename, module_globals)
    return python_of("".join(lines)) if filename.endswith(".ipynb") else lines


@dataclass(slots=True)
class _Text:
    """One text, parsed and compiled."""

    tree: ast.Module
    filename: str
    flags: int
    codes: dict[str, list[CodeType]] = field(default_factory=dict)
    """The code objects in it by name."""
    is_split: bool = False
    """Whether those are among them that come out when each statement is compiled on its own."""
    nodes: dict[tuple[str, int], list[Found]] = field(default_factory=dict)
    """Functions by name and first line; only lambdas can share a line."""

    def find(self, code: CodeType) -> Found | Absent:
        found = self._find(code)
        if found is Absent.CHANGED and not self.is_split:
            # A kernel compiles the statements of a cell one by one. That is not the same: calls of an attribute of a
            # module are compiled in another way where the import is seen.
            for statement in self.tree.body:
                self.compile(ast.Module([statement], []))
            self.is_split = True
            found = self._find(code)
        return found

    def compile(self, tree: ast.Module) -> None:
        """Take in the code objects of a part of the text."""
        flags = self.flags | ast.PyCF_ALLOW_TOP_LEVEL_AWAIT
        for code in _codes(compile(tree, self.filename, "exec", flags=flags, dont_inherit=True)):
            self.codes.setdefault(code.co_name, []).append(code)

    def _find(self, code: CodeType) -> Found | Absent:
        named = self.codes.get(code.co_name, ())
        # The same place first: two functions of one name and text may stand in different classes.
        ranked = sorted(
            named,
            key=lambda other: (
                other.co_qualname != code.co_qualname,
                abs(other.co_firstlineno - code.co_firstlineno),
            ),
        )
        for other in ranked:
            if same_code(code, other):
                found = self._node_of(other)
                if found is not None:
                    return found
        return Absent.CHANGED

    def _node_of(self, code: CodeType) -> Found | None:
        candidates = self.nodes.get((code.co_name, code.co_firstlineno), [])
        if len(candidates) > 1:
            candidates = [found for found in candidates if _may_be(found.node, code)] or candidates
        if len(candidates) == 1 or len({encode(clean(found.node, decorators=())) for found in candidates}) == 1:
            return candidates[0]
        return None


_texts: OrderedDict[tuple[str, str, int], _Text | None] = OrderedDict()
_lock = held_over_forks(threading.Lock())


def _text(filename: str, source: str, flags: int) -> _Text | None:
    key = (filename, source, flags)
    with _lock:
        if key in _texts:
            _texts.move_to_end(key)
            return _texts[key]
    text: _Text | None
    try:
        text = _Text(parse(source, filename), filename, flags)
        text.compile(text.tree)
    except (SyntaxError, ValueError):
        text = None
    else:
        for name, line, found in _functions(text.tree, None):
            text.nodes.setdefault((name, line), []).append(found)
    with _lock:
        _texts[key] = text
        while len(_texts) > _MAX_TEXTS:
            _texts.popitem(last=False)
    return text


def _codes(code: CodeType) -> Iterator[CodeType]:
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield constant
            yield from _codes(constant)


def _functions(node: ast.AST, owner: str | None) -> Iterator[tuple[str, int, Found]]:
    for child in ast.iter_child_nodes(node):
        inner = owner
        match child:
            case ast.FunctionDef() | ast.AsyncFunctionDef():
                first = min([child.lineno, *(decorator.lineno for decorator in child.decorator_list)])
                yield child.name, first, Found(child, owner)
            case ast.Lambda():
                yield "<lambda>", child.lineno, Found(child, owner)
            case ast.ClassDef():
                inner = child.name
        yield from _functions(child, inner)


def _may_be(node: Function, code: CodeType) -> bool:
    """Whether all that the code does lies within the body of this lambda, and its parameters are the same."""
    if not isinstance(node, ast.Lambda):
        return True
    arguments = node.args
    names = [argument.arg for argument in (*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs)]
    names += [extra.arg for extra in (arguments.vararg, arguments.kwarg) if extra is not None]
    if tuple(names) != code.co_varnames[: len(names)]:
        return False
    body = node.body
    low, high = (body.lineno, body.col_offset), (body.end_lineno or 0, body.end_col_offset or 0)
    spans = [
        ((line, column), (end_line, end_column))
        for line, end_line, column, end_column in code.co_positions()
        if line is not None and end_line is not None and column is not None and end_column
    ]
    if not spans:
        return isinstance(body, ast.Constant) and any(_same_constant(body.value, c) for c in code.co_consts)
    return min(first for first, _ in spans) == low and max(last for _, last in spans) == high


def same_code(first: CodeType, second: CodeType) -> bool:
    """Whether two code objects do the same; where they stand does not count."""
    return (
        first.co_code == second.co_code
        and first.co_names == second.co_names
        and first.co_varnames == second.co_varnames
        and first.co_freevars == second.co_freevars
        and first.co_cellvars == second.co_cellvars
        and first.co_argcount == second.co_argcount
        and first.co_posonlyargcount == second.co_posonlyargcount
        and first.co_kwonlyargcount == second.co_kwonlyargcount
        and first.co_flags == second.co_flags
        and first.co_name == second.co_name
        and first.co_exceptiontable == second.co_exceptiontable
        and len(first.co_consts) == len(second.co_consts)
        and all(map(_same_constant, first.co_consts, second.co_consts))
    )


def _same_constant(first: object, second: object) -> bool:
    if type(first) is not type(second):
        return False
    if isinstance(first, CodeType) and isinstance(second, CodeType):
        return same_code(first, second)
    return encode_constant(first) == encode_constant(second)
