"""Id templates: what a user writes as `id=`, checked at decoration, and filled from the arguments of a call."""

from __future__ import annotations

import os
import string
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

from resonate_nb.clock import local_now
from resonate_nb.errors import InvalidOptionError

from ._registry import MAX_ID, is_surrogate, refuse_reserved

_PLACES = ("now", "today", "user", "host", "git_sha", "notebook", "uuid", "env")
_ALWAYS_NEW = ("now", "uuid")


def check_template(
    template: str, parameters: Sequence[str], ignored: Collection[str] = ()
) -> tuple[tuple[str, ...], bool]:
    """Which parameters an id template leaves out, those ignored aside, and whether it is new at each call.

    Raises:
        InvalidOptionError: literal text is too long or holds a reserved character, a field is malformed or names no
            parameter, or one that is ignored.
    """
    used: set[str] = set()
    try:
        pieces = list(string.Formatter().parse(template))
    except ValueError as error:
        raise InvalidOptionError(f"id template {template!r} is malformed: {error}") from None
    for literal, field_name, spec, conversion in pieces:
        if literal:
            refuse_reserved(literal, "id")
        if field_name is None:
            continue
        root = field_name.split(".")[0].split("[")[0]
        if not root:
            raise InvalidOptionError(
                f"id template {template!r} has an unnamed field {{}}; name an argument, e.g. {{{_example(parameters)}}}"
            )
        if conversion not in (None, "r", "s", "a"):
            raise InvalidOptionError(f"id template {template!r}: unknown conversion {conversion!r} in {{{field_name}}}")
        if spec and "{" in spec:
            raise InvalidOptionError(f"id template {template!r}: nested fields in {{{field_name}}} are not supported")
        if root in ignored and root in parameters:
            raise InvalidOptionError(
                f"id template {template!r} names {root!r}, which ignore= leaves out of the key; "
                "take it out of one of the two"
            )
        if root not in parameters and root == field_name == "env":
            raise InvalidOptionError(f"id template {template!r} names no variable; write {{env[NAME]}}")
        if root not in parameters and root not in _PLACES:
            raise InvalidOptionError(
                f"id template {template!r} names {root!r}, which is no argument; "
                f"use one of {', '.join((*parameters, *_PLACES))}"
            )
        used.add(root)
    if sum(len(literal) for literal, *_ in pieces) > MAX_ID:
        raise InvalidOptionError(f"id template {template[:60]!r}… is longer than the {MAX_ID} characters of an id")
    left_out = tuple(name for name in parameters if name not in used and name not in ignored)
    return left_out, any(name in used and name not in parameters for name in _ALWAYS_NEW)


def _example(parameters: Sequence[str]) -> str:
    return parameters[0] if parameters else "today"


def fill_template(template: str, arguments: Mapping[str, object]) -> str:
    """The id of one call. Reserved characters in substituted values are percent-encoded."""
    formatter = string.Formatter()
    pieces: list[str] = []
    for literal, field_name, spec, conversion in formatter.parse(template):
        pieces.append(literal)
        if field_name is None:
            continue
        root = field_name.split(".")[0].split("[")[0]
        try:
            values = arguments if root in arguments else {root: _place(root)}
            value, _ = formatter.get_field(field_name, (), values)
            text = format(formatter.convert_field(value, conversion), spec or "")
        except Exception as error:
            raise InvalidOptionError(
                f"id template {template!r}: {{{field_name}}} cannot be filled ({type(error).__name__}: {error})"
            ) from error
        pieces.append("".join(_encoded(letter) for letter in text))
    filled = "".join(pieces)
    if not filled:
        raise InvalidOptionError(f"id template {template!r} came out empty; add literal text to it")
    return filled


def _encoded(letter: str) -> str:
    if letter in ":@~%" or ord(letter) < 32 or ord(letter) == 127 or is_surrogate(letter):
        return "".join(f"%{byte:02X}" for byte in letter.encode("utf-8", "surrogatepass"))
    return letter


def _place(name: str) -> object:
    # Imported where an id asks for them: the import of this package is to be felt by nobody.
    import getpass
    import socket
    import uuid

    match name:
        case "now":
            return local_now()
        case "today":
            return local_now().date()
        case "user":
            return getpass.getuser()
        case "host":
            return socket.gethostname()
        case "git_sha":
            return _git_sha()
        case "notebook":
            return _notebook()
        case "uuid":
            return uuid.uuid4()
        case "env":
            return os.environ
        case _:
            raise KeyError(name)


def _git_sha() -> str:
    import subprocess

    try:
        found = subprocess.run(["git", "rev-parse", "HEAD"], capture_output=True, text=True, check=True, timeout=10)
    except (OSError, subprocess.SubprocessError) as error:
        raise ValueError("the working directory is in no git repository, or git cannot be run") from error
    return found.stdout.strip()


def _notebook() -> str:
    # JupyterLab and Notebook 7 name the notebook's file so (NOTEBOOK_FACTS 4); the second is for all others.
    found = os.environ.get("JPY_SESSION_NAME") or os.environ.get("RESONATE_NB_NOTEBOOK")
    if not found:
        raise ValueError("the notebook's name is not known here; set RESONATE_NB_NOTEBOOK")
    return Path(found).stem
