"""The canonical form of a syntax tree: equal bytes exactly when nothing that runs differs, on every Python version.

Comments and layout are not in the tree to begin with. `clean` takes out what else does not count (docstrings, type
hints of functions, our own decorator line, the text of a top function's defaults, which count by their live value);
`encode` writes what is left. The encoding is a prefix code: every item carries its type and its length, so that no two
trees share their bytes. It names fields and leaves empty ones out: a field that a later Python adds does not move it.

This module knows the standard library only, so that any interpreter can compute the golden bytes.
"""

from __future__ import annotations

import ast
import struct
from _blake2 import blake2b  # what hashlib gives, which loads OpenSSL besides
from collections.abc import Iterable, Sequence
from operator import is_
from typing import Any, cast

Function = ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda
_Def = ast.FunctionDef | ast.AsyncFunctionDef

# Position in the text decides on `ctx`; `kind` is the u of u"text"; the comments are comments.
_SILENT_FIELDS = frozenset({"ctx", "kind", "type_comment", "type_ignores"})
DIGEST_BYTES = 16


def digest(parts: Iterable[bytes]) -> bytes:
    """The 128-bit digest of a sequence of byte strings, each framed by its length."""
    hasher = blake2b(digest_size=DIGEST_BYTES)
    for part in parts:
        hasher.update(len(part).to_bytes(8, "little"))
        hasher.update(part)
    return hasher.digest()


def digest_texts(parts: Iterable[str]) -> bytes:
    """The 128-bit digest of a sequence of texts, each framed by its length."""
    return digest(part.encode("utf-8", "surrogatepass") for part in parts)


def clean(node: ast.AST, *, exposed: bool = False, decorators: Sequence[ast.expr] | None = None) -> ast.AST:
    """A copy of the tree without what does not count.

    Args:
        node: a function, a lambda, or the module of a cell; it is left as it is.
        exposed: whether docstrings and type hints count, since something may read them.
        decorators: for a top function, those of its decorators that count; None for the module of a cell.
    """
    if isinstance(node, ast.Module):
        return cast(ast.AST, _Cleaner(exposed).rebuilt(node))
    assert isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
    return _Cleaner(exposed).top(node, decorators or ())


class _Cleaner:
    def __init__(self, exposed: bool) -> None:
        self._exposed = exposed

    def top(self, node: Function, decorators: Sequence[ast.expr]) -> ast.AST:
        arguments = self._arguments(node.args, self._exposed, live_defaults=True)
        if isinstance(node, ast.Lambda):
            return ast.Lambda(args=arguments, body=self._expression(node.body))
        return self._def(node, arguments, decorators, self._exposed)

    def rebuilt(self, node: ast.AST, in_function: bool = False) -> Any:
        """The node with its children rebuilt; `in_function` says whose hints are never evaluated."""
        match node:
            case ast.FunctionDef() | ast.AsyncFunctionDef():
                # Any decorator of an inner function may read its hints and its docstring.
                exposed = self._exposed or bool(node.decorator_list)
                arguments = self._arguments(node.args, exposed, live_defaults=False)
                return self._def(node, arguments, node.decorator_list, exposed)
            case ast.Lambda():
                return ast.Lambda(
                    args=self._arguments(node.args, self._exposed, live_defaults=False),
                    body=self._expression(node.body),
                )
            case ast.ClassDef():
                # Hints in a class body are evaluated and kept: they are the fields of a dataclass.
                body = node.body if self._exposed or node.decorator_list else _without_docstring(node.body)
                fields = self._fields(node, in_function=False)
                fields["body"] = [self.rebuilt(statement) for statement in body] or [ast.Pass()]
                return ast.ClassDef(**fields)
            case ast.AnnAssign() if in_function and not self._exposed:
                if node.value is None:
                    # Only makes the name local: a bare hint stays a hint of nothing.
                    return ast.AnnAssign(
                        target=self.rebuilt(node.target), annotation=ast.Constant(value=...), simple=node.simple
                    )
                return ast.Assign(targets=[self.rebuilt(node.target)], value=self._expression(node.value), lineno=1)
        fields = self._fields(node, in_function)
        # Most of what stands in a function is left as it is: then it need not be made again.
        if all(_is_same(getattr(node, name), value) for name, value in fields.items()):
            return node
        made = type(node)(**fields)
        if hasattr(node, "lineno"):
            made.lineno = node.lineno  # type: ignore[attr-defined]
        return made

    def _fields(self, node: ast.AST, in_function: bool) -> dict[str, Any]:
        fields: dict[str, Any] = {}
        for name, value in ast.iter_fields(node):
            if isinstance(value, ast.AST):
                fields[name] = self.rebuilt(value, in_function)
            elif isinstance(value, list):
                fields[name] = [
                    self.rebuilt(item, in_function) if isinstance(item, ast.AST) else item for item in value
                ]
            else:
                fields[name] = value
        return fields

    def _def(
        self, node: _Def, arguments: ast.arguments, decorators: Sequence[ast.expr], exposed: bool
    ) -> ast.FunctionDef | ast.AsyncFunctionDef:
        body = node.body if exposed else _without_docstring(node.body)
        made = type(node)(
            name=node.name,
            args=arguments,
            body=[cast(ast.stmt, self.rebuilt(statement, in_function=True)) for statement in body] or [ast.Pass()],
            decorator_list=[self._expression(decorator) for decorator in decorators],
            returns=self._expression(node.returns) if exposed and node.returns is not None else None,
            type_comment=None,
            lineno=1,
        )
        # The list is there from 3.12 on.
        if hasattr(node, "type_params"):
            setattr(made, "type_params", [self.rebuilt(parameter) for parameter in node.type_params])  # noqa: B010
        return made

    def _arguments(self, node: ast.arguments, hints: bool, live_defaults: bool) -> ast.arguments:
        def plain(argument: ast.arg) -> ast.arg:
            hint = self._expression(argument.annotation) if hints and argument.annotation is not None else None
            return ast.arg(arg=argument.arg, annotation=hint)

        def default(expression: ast.expr) -> ast.expr:
            return ast.Constant(value=...) if live_defaults else self._expression(expression)

        return ast.arguments(
            posonlyargs=[plain(argument) for argument in node.posonlyargs],
            args=[plain(argument) for argument in node.args],
            vararg=None if node.vararg is None else plain(node.vararg),
            kwonlyargs=[plain(argument) for argument in node.kwonlyargs],
            kw_defaults=[None if value is None else default(value) for value in node.kw_defaults],
            kwarg=None if node.kwarg is None else plain(node.kwarg),
            defaults=[default(value) for value in node.defaults],
        )

    def _expression(self, node: ast.expr) -> ast.expr:
        return cast(ast.expr, self.rebuilt(node, in_function=True))


def _is_same(before: object, after: object) -> bool:
    return before is after or (
        type(before) is list and type(after) is list and len(before) == len(after) and all(map(is_, before, after))
    )


def _without_docstring(body: list[ast.stmt]) -> list[ast.stmt]:
    first = body[0] if body else None
    is_docstring = (
        isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant) and isinstance(first.value.value, str)
    )
    return body[1:] if is_docstring else body


def text_of(node: ast.AST) -> str:
    """The cleaned tree as Python text, for people who compare two versions of it."""
    return ast.unparse(node)  # asks for lines of statements alone, which have theirs


def encode(node: ast.AST) -> bytes:
    """The canonical bytes of a tree; see the module's docstring for what they promise."""
    chunks: list[bytes] = []
    # A stack instead of recursion: a sum of a thousand terms is a thousand levels deep.
    pending: list[object] = [node]
    while pending:
        item = pending.pop()
        kind = type(item)
        if kind is _Raw:
            chunks.append(item)  # type: ignore[arg-type]
        elif kind is str:
            chunks.append(encode_constant(item))
        elif kind is list:
            chunks.append(b"L%d;" % len(item))  # type: ignore[arg-type]
            pending += reversed(item)  # type: ignore[call-overload]
        elif (shape := _shapes.get(kind) or _shape(kind)) is not None:
            head, names = shape
            count = 0
            # Backwards: what is pushed last is written first.
            for name, written in names:
                value = getattr(item, name, None)
                if kind is ast.Constant:
                    value = _Raw(encode_constant(value))
                elif kind is ast.JoinedStr:
                    value = _joined(value or [])
                if value is None or value == []:
                    continue
                count += 1
                pending += (value, written)
            chunks.append(head % count)
        else:
            chunks.append(encode_constant(item))
    return b"".join(chunks)


class _Raw(bytes):
    """Bytes that are in their final form."""


_shapes: dict[type, tuple[bytes, tuple[tuple[str, _Raw], ...]]] = {}


def _shape(kind: type) -> tuple[bytes, tuple[tuple[str, _Raw], ...]] | None:
    """What is written for a kind of node, with a place for the number of its fields, and its fields that count, last
    first; None for what is no node."""
    if not issubclass(kind, ast.AST):
        return None
    names = sorted(set(kind._fields) - _SILENT_FIELDS, reverse=True)
    found = _framed(b"N", kind.__name__) + b"%d;", tuple([(name, _Raw(_framed(b"F", name))) for name in names])
    _shapes[kind] = found
    return found


def _joined(values: list[ast.expr]) -> list[ast.expr]:
    """The parts of an f-string with neighbouring texts joined: 3.12 leaves empty ones behind a nested format."""
    parts: list[ast.expr] = []
    for value in values:
        if isinstance(value, ast.Constant) and isinstance(value.value, str):
            if not value.value:
                continue
            last = parts[-1] if parts else None
            if isinstance(last, ast.Constant):
                parts[-1] = ast.Constant(value=cast(str, last.value) + value.value)
                continue
        parts.append(value)
    return parts


def encode_constant(value: object) -> bytes:
    """The canonical bytes of a constant: `1`, `True`, `1.0`, `"1"` and `-0.0` all differ."""
    if type(value) is str:
        data = value.encode("utf-8", "surrogatepass")
        return b"S%d:%b" % (len(data), data)
    match value:
        case None:
            return b"Z"
        case bool():
            return b"B1" if value else b"B0"
        case int():
            return _framed(b"I", f"{value:x}")
        case str():
            return _framed(b"S", value)
        case float():
            return b"D" + struct.pack("<d", value)
        case complex():
            return b"C" + struct.pack("<dd", value.real, value.imag)
        case bytes():
            return b"Y%d:%b" % (len(value), value)
        case tuple():
            return b"T%d;" % len(value) + b"".join(map(encode_constant, value))
        case frozenset():
            return b"R%d;" % len(value) + b"".join(sorted(map(encode_constant, value)))
    if value is Ellipsis:
        return b"E"
    raise TypeError(f"a syntax tree holds no {type(value).__name__}")


def _framed(tag: bytes, text: str) -> bytes:
    data = text.encode("utf-8", "surrogatepass")
    return b"%b%d:%b" % (tag, len(data), data)
