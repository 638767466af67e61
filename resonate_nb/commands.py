"""The commands that look at a store from outside a notebook: each a function of its options that gives an exit code."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from resonate_nb.errors import ResonateNbError
from resonate_nb.runtime import (
    Equal,
    Explanation,
    absent_phrase,
    accept_packages,
    configure,
    existing_engine,
    explain_promise,
    id_of,
)

if TYPE_CHECKING:
    Commands = argparse._SubParsersAction[argparse.ArgumentParser]


def add_commands(commands: Commands) -> None:
    """They can be asked for, each with `run` set to what carries it out."""
    why = commands.add_parser(
        "why",
        help="why a promise ran, and what had changed",
        description="Prints in one line why the body of a promise ran, which pieces of its code and data had changed "
        "since the promise before it, with a diff of the code, and what its key does not see.",
    )
    why.add_argument("id", metavar="ID", help="of the promise; or the name of a function or cell, for its newest one")
    _add_common(why)
    why.set_defaults(run=_why)
    accept = commands.add_parser(
        "accept",
        help="after an upgrade: results that were computed with other versions of packages count",
        description="Declares the versions of packages as they are installed now equal to those that the results of a "
        "store were computed with before, for every process that opens it; lists what was declared. A result is "
        "accepted for an edit of its code where the code is: f.accept(...), or %%durable accept.",
    )
    accept.add_argument(
        "--packages",
        nargs="*",
        required=True,
        metavar="NAME",
        help="as they are imported (default: all that were upgraded lately; with --undo, all that were declared)",
    )
    accept.add_argument("--undo", action="store_true", help="take back what was declared; it stays on record")
    _add_common(accept)
    accept.set_defaults(run=_accept)


def _add_common(command: argparse.ArgumentParser) -> None:
    command.add_argument("--store", type=Path, metavar="DIR", help="the store (default: as in a notebook started here)")
    command.add_argument("--json", action="store_true", help="print JSON")


def _why(options: argparse.Namespace) -> int:
    try:
        if options.store is not None:
            configure(store=options.store)
        engine = existing_engine()
        found = None if engine is None else engine.find(id_of(engine, options.id))
        if engine is None or found is None:
            print(
                f"resonate-nb why: {_NO_STORE if engine is None else absent_phrase(engine, options.id)}",
                file=sys.stderr,
            )
            return 1
        explanation = explain_promise(engine, found)
    except ResonateNbError as error:
        print(f"resonate-nb why: {error}", file=sys.stderr)
        return 1
    print(json.dumps(_as_json(explanation), ensure_ascii=False) if options.json else explanation)
    return 0


_NO_STORE = "there is no store here; run it in the folder of the notebook, or say with --store where its store is"


def _accept(options: argparse.Namespace) -> int:
    try:
        if options.store is not None:
            configure(store=options.store)
        declared = accept_packages(options.packages, undo=options.undo)
    except ResonateNbError as error:
        print(f"resonate-nb accept: {error}", file=sys.stderr)
        return 1
    if options.json:
        shown = {"undone" if options.undo else "declared": declared.done, "standing": declared.standing}
        print(json.dumps({what: [_fields(each) for each in equal] for what, equal in shown.items()}))
    else:
        print(declared)
    return 0


def _fields(equal: Equal) -> dict[str, str]:
    return {"package": equal.package, "now": equal.now, "then": equal.then}


def _as_json(explanation: Explanation) -> dict[str, Any]:
    changes = [
        {"kind": change.kind, "name": change.name, "text": change.text, "diff": change.diff}
        for change in explanation.changes
    ]
    return {
        "id": explanation.id,
        "title": explanation.title,
        "state": explanation.state,
        "reason": explanation.reason,
        "would_hit": explanation.would_hit,
        "changes": changes,
        "details": list(explanation.details),
        "unsure": list(explanation.unsure),
        "services": list(explanation.services),
        "packages": list(explanation.packages),
        "slow": list(explanation.slow),
    }


__all__ = ["add_commands"]
