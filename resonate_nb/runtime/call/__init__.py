"""One durable call: plan, attempt, settle."""

from ._attempt import Request
from ._drive import call, call_async
from ._lane import MISS, Lane
from ._plan import load
from ._result import Result, stored_error, without_our_frames

__all__ = [
    "MISS",
    "Lane",
    "Request",
    "Result",
    "call",
    "call_async",
    "load",
    "stored_error",
    "without_our_frames",
]
