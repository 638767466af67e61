"""The functions that are called: few, so that calls meet, and of every kind that the options make."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal, cast

from resonate_nb.fingerprint import CodeKey, Subject
from resonate_nb.retry import Constant, Exponential
from resonate_nb.runtime import Identity, Options, Work, identify


class Boom(Exception):
    """What a body raises."""


class Bug(TypeError):
    """What a body raises that no second try can mend."""


@dataclass(frozen=True)
class Job:
    """A function of the town: what it is allowed and what it calls."""

    name: str
    options: Options = field(default_factory=Options)
    calls: tuple[str, ...] = ()
    """Jobs that its body calls, in order."""
    at_once: bool = False
    """It awaits them together."""
    fails: float = 0.2
    longest_ms: int = 4_000
    work: str = ""
    """The name of the function, where several jobs are what it was at different times."""
    returns: Literal["text", "much", "what cannot be stored"] = "text"


_PLACED = "call"
JOBS = {
    job.name: job
    for job in (
        Job("leaf"),
        Job("flaky", Options(retry=Constant(3, delay=2)), fails=0.6),
        Job("timed", Options(timeout=30), longest_ms=40_000),
        Job("limited", Options(retry=Exponential(3, delay=1), attempt_timeout=5, timeout=60), longest_ms=8_000),
        Job("fresh", Options(max_age=20)),
        Job("strict", Options(on_rejected="raise"), fails=0.5),
        Job("step", Options(keyed_by=_PLACED)),
        Job("paid", Options(keyed_by=_PLACED, retry=Constant(2, delay=1)), fails=0.4),
        Job("dated", Options(keyed_by=_PLACED, timeout=20), longest_ms=25_000),
        Job("stage", Options(keyed_by=_PLACED), calls=("step", "step")),
        Job("order", calls=("step", "leaf", "step")),
        Job("batch", Options(retry=Constant(3, delay=3)), calls=("step", "paid", "step"), fails=0.3),
        Job("deep", Options(timeout=90), calls=("stage", "dated"), fails=0.3),
        Job("fan", calls=("step", "step", "step"), at_once=True),
        Job("large", returns="much"),
        Job("odd", returns="what cannot be stored"),
        Job("older", Options(version=1), work="coded"),
        Job("newer", Options(version=1, on_drift="rerun"), work="coded"),
        Job("reused", Options(id="one", on_reuse="rerun")),
        Job("ping", calls=("pong",), fails=0.1),
        Job("pong", calls=("ping",), fails=0.1),
    )
}
"""The town. Few functions, so that calls meet."""
LONGEST_DELAY = 4.0
"""Of all policies, in seconds."""


class _Source:
    """The code of a job, which never changes."""

    def __init__(self, name: str) -> None:
        self._key = CodeKey((name.encode().hex() * 32)[:32], "", {}, {}, {}, (), (), (), {})

    def key(self) -> CodeKey:
        return self._key

    standing = key

    def watched(self) -> tuple[()]:
        return ()

    def caches(self) -> tuple[()]:
        return ()

    def outside(self) -> dict[str, str]:
        return {}

    def described(self, names: object) -> dict[str, object]:
        return {}


def named(job: Job, argument: int) -> tuple[Work, Identity]:
    work = Work(job.work or job.name, cast(Subject, _Source(job.name)), job.options, label=job.name)
    found = identify(work, {"x": argument})
    assert isinstance(found, Identity)
    return work, found


NAMES = {(job.name, argument): named(job, argument) for job in JOBS.values() for argument in (1, 2)}
