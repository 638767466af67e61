"""One durable call: plan, attempt, settle."""

from ._accepted import BY, FROM, made_at, origin_of, value_of
from ._children import ADOPTS
from ._claim import Request, canceling, param_of, steps_not_used
from ._drive import call, call_async
from ._lane import MISS, Lane
from ._plan import Hit, Refuse, Run, Wait, changed_file, ended_how, file_differs, load, plan, why_no_hit
from ._result import Result, stored_error, without_our_frames

__all__ = [
    "ADOPTS",
    "BY",
    "FROM",
    "MISS",
    "Hit",
    "Lane",
    "Refuse",
    "Request",
    "Result",
    "Run",
    "Wait",
    "call",
    "call_async",
    "canceling",
    "changed_file",
    "ended_how",
    "file_differs",
    "load",
    "made_at",
    "origin_of",
    "param_of",
    "plan",
    "steps_not_used",
    "stored_error",
    "value_of",
    "why_no_hit",
    "without_our_frames",
]
