"""What the text of a cell is to the runtime: the subject that it is, kept, and what is observed of it in one use."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Collection, Mapping
from typing import Any

from resonate_nb.fingerprint import CodeKey, Declared, Subject
from resonate_nb.runtime import Options, outside_of

from ._execute import Body

_MAX_SUBJECTS = 256


def observed(shell: Any, body: Body, options: Options) -> Observed:
    """The subject of a cell for one use of it."""
    return Observed(_subject(shell, body, options))


class Observed:
    """A subject that remembers its last key: what a cell reads is hashed once before the body, not twice."""

    def __init__(self, subject: Subject) -> None:
        self._subject = subject
        self.last: CodeKey | None = None

    def key(self) -> CodeKey:
        self.last = self._subject.key()
        return self.last

    def outside(self) -> Mapping[str, str]:
        """What lies outside of Python and counts, as it is now."""
        return self._subject.outside()

    def described(self, names: Collection[str]) -> Mapping[str, Any]:
        return self._subject.described(names)

    def caches(self) -> tuple[Any, ...]:
        return self._subject.caches()

    def watched(self) -> tuple[dict[str, Any], ...]:
        """None: what a cell binds is compared with what was there before, all of it."""
        return ()

    def changed_attributes(self) -> list[str]:
        """Attributes of reached classes and modules that were bound anew, unless the text says that it stores them."""
        effects = self.last.effects if self.last is not None else ()
        said = {effect.partition(" in ")[0].split()[-1].rpartition(".")[2] for effect in effects}
        return [name for name in self._subject.changed_attributes() if name.rpartition(".")[2] not in said]


_subjects: OrderedDict[tuple[object, ...], Subject] = OrderedDict()


def _subject(shell: Any, body: Body, options: Options) -> Subject:
    """The subject of a text, kept: a key is cheap where nothing that it reaches has changed."""
    kept = (id(shell.user_ns), body.text, options.ignore, options.packages, options.files, options.env)
    subject = _subjects.pop(kept, None)
    if subject is None:
        subject = Subject.of_cell(
            body.facts.tree,
            shell.user_ns,
            body.facts.reads.keys(),
            ignore=options.ignore,
            packages=options.packages,
            declared=Declared(
                outside_of(options.files, options.env, variable=shell.user_ns.get), names_files=bool(options.files)
            ),
        )
    _subjects[kept] = subject
    while len(_subjects) > _MAX_SUBJECTS:
        _subjects.popitem(last=False)
    return subject
