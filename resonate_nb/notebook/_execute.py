"""Runs the body of a cell in the shell's namespace as IPython would: same scope, last value and tracebacks."""

from __future__ import annotations

import ast
import inspect
from collections.abc import Iterator
from types import CodeType
from typing import Any

from IPython.core.displayhook import DisplayHook

from resonate_nb.fingerprint import parse
from resonate_nb.records import dataclass

from ._cell import CellFacts, analyse


@dataclass(frozen=True, slots=True)
class Body:
    """A cell's body, transformed and analysed. Lines count as in the cell, whose first line holds the magic."""

    text: str
    facts: CellFacts
    is_quiet: bool
    """It ends with a semicolon: the last value is not shown."""


def prepare(shell: Any, header: str, body: str) -> Body:
    """The body as Python. Raises SyntaxError, of which the line is that of the cell.

    The magic's own line stays in the text as a comment: lines of messages, tracebacks and `inspect.getsource` are
    then those that a person sees in the cell.
    """
    # The transformer drops empty lines at the top, which would shift all lines after them.
    lead = body[: len(body) - len(body.lstrip())].count("\n")
    text = f"# {header}\n" + "\n" * lead + shell.transform_cell(body)
    try:
        return Body(text, analyse(text), DisplayHook.semicolon_at_end_of_expression(body))
    except SyntaxError as error:
        error.filename = shell.compile.cache(text, shell.execution_count, raw_code=text)  # "Cell In[3], line 2"
        raise


def run(shell: Any, body: Body) -> None:
    """Run a body without top-level await."""
    __tracebackhide__ = True
    for code in _compiled(shell, body, is_async=False):
        exec(code, shell.user_global_ns, shell.user_ns)


async def run_async(shell: Any, body: Body) -> None:
    """Run a body that may await."""
    __tracebackhide__ = True
    for code in _compiled(shell, body, is_async=True):
        if code.co_flags & inspect.CO_COROUTINE:
            await eval(code, shell.user_global_ns, shell.user_ns)
        else:
            exec(code, shell.user_global_ns, shell.user_ns)


def _compiled(shell: Any, body: Body, *, is_async: bool) -> list[CodeType]:
    """All of the body, compiled before any of it runs; statement by statement, as IPython does it."""
    # IPython's own cache keeps the text for tracebacks, and knows the cell's number by the file's name.
    name = shell.compile.cache(body.text, shell.execution_count, raw_code=body.text)
    # A tree of its own: transformers may change it, and the analysed one is shared by all uses of this text.
    tree = shell.transform_ast(parse(body.text, name))
    flags = ast.PyCF_ALLOW_TOP_LEVEL_AWAIT if is_async else 0
    with shell.compile.extra_flags(flags):
        return [shell.compile(module, name, mode) for module, mode in _split(shell, body, tree)]


def _split(shell: Any, body: Body, tree: ast.Module) -> Iterator[tuple[ast.Module | ast.Interactive, str]]:
    """Each statement with the mode to compile it in: ``single`` shows its value through `sys.displayhook`."""
    statements = list(tree.body)
    mode = "none" if body.is_quiet else shell.ast_node_interactivity
    if mode == "last_expr_or_assign":
        mode = "last_expr"
        if statements and (shown := _assigned(statements[-1])) is not None:
            statements.append(shown)
    for position, statement in enumerate(statements):
        is_last = position == len(statements) - 1
        if mode == "all" or (is_last and (mode == "last" or (mode == "last_expr" and isinstance(statement, ast.Expr)))):
            yield ast.Interactive([statement]), "single"
        else:
            yield ast.Module([statement], []), "exec"


def _assigned(statement: ast.stmt) -> ast.Expr | None:
    match statement:
        case ast.Assign(targets=[*_, ast.Name() as target]) | ast.AugAssign(target=ast.Name() as target):
            pass
        case ast.AnnAssign(target=ast.Name() as target, value=ast.expr()):
            pass
        case _:
            return None
    shown = ast.Expr(ast.Name(target.id, ast.Load()))
    return ast.fix_missing_locations(ast.copy_location(shown, statement))
