"""One durable call: plan, attempt, settle."""

from ._attempt import Request
from ._drive import Result, call, call_async, stored_error, without_our_frames
from ._lane import MISS, Lane
from ._plan import load

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
