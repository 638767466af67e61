"""Policy: makes calls durable over the law, a store, fingerprints and codecs. Knows no notebook and no terminal.

Whatever looks, searches or checks is loaded at its first use: a call needs none of it.
"""

import importlib
from typing import TYPE_CHECKING, Any

from resonate_nb.codec import know_services
from resonate_nb.fingerprint import is_service, service_text

from ._config import configure, engine, existing_engine, is_enabled, open_engine
from ._engine import Engine
from ._generators import generators_advice, generators_phrase, is_numpy_fresh
from ._held import hold_interrupt
from ._hits import saved_in_all
from ._identity import Identity, Undurable, identify, meets_another
from ._outside import check_files, is_path, outside_of
from ._registry import (
    OPTION_NAMES,
    Options,
    Work,
    checked_options,
    plainly_phrase,
    refuse_reserved,
    register,
)
from ._say import Line, duration, live, log_call, say, speak_on, warn
from ._template import check_template
from .call import MISS, Lane, Request, Result, call, call_async, without_our_frames

know_services(is_service, service_text)

if TYPE_CHECKING:
    from ._absent import absent_phrase
    from ._accept import accept, accept_promise
    from ._asked import Moment, States, checked_query, state_label
    from ._changes import Change
    from ._checking import Report, check
    from ._current import CurrentCall, current
    from ._declared import Equal
    from ._declaring import accept_packages
    from ._handle import Handle
    from ._look import Detail, Record, Shown
    from ._public import forget, get, mark_rerun, search, source, to_frame
    from ._reading import Source, forget_generations, id_of, record_of
    from ._why import Explanation, Verdict, explain_call, explain_promise, sections
else:
    _LATE = {
        "_absent": ("absent_phrase",),
        "_accept": ("accept", "accept_promise"),
        "_asked": ("Moment", "States", "checked_query", "state_label"),
        "_changes": ("Change",),
        "_checking": ("Report", "check"),
        "_current": ("CurrentCall", "current"),
        "_declared": ("Equal",),
        "_declaring": ("accept_packages",),
        "_handle": ("Handle",),
        "_look": ("Detail", "Record", "Shown"),
        "_public": ("forget", "get", "mark_rerun", "search", "source", "to_frame"),
        "_reading": ("Source", "forget_generations", "id_of", "record_of"),
        "_why": ("Explanation", "Verdict", "explain_call", "explain_promise", "sections"),
    }

    def __getattr__(name: str) -> Any:
        for module, names in _LATE.items():
            if name in names:
                found = globals()[name] = getattr(importlib.import_module(f".{module}", __name__), name)
                return found
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


__all__ = [
    "MISS",
    "OPTION_NAMES",
    "Change",
    "CurrentCall",
    "Detail",
    "Engine",
    "Equal",
    "Explanation",
    "Handle",
    "Identity",
    "Lane",
    "Line",
    "Moment",
    "Options",
    "Record",
    "Report",
    "Request",
    "Result",
    "Shown",
    "Source",
    "States",
    "Undurable",
    "Verdict",
    "Work",
    "absent_phrase",
    "accept",
    "accept_packages",
    "accept_promise",
    "call",
    "call_async",
    "check",
    "check_files",
    "check_template",
    "checked_options",
    "checked_query",
    "configure",
    "current",
    "duration",
    "engine",
    "existing_engine",
    "explain_call",
    "explain_promise",
    "forget",
    "forget_generations",
    "generators_advice",
    "generators_phrase",
    "get",
    "hold_interrupt",
    "id_of",
    "identify",
    "is_enabled",
    "is_numpy_fresh",
    "is_path",
    "live",
    "log_call",
    "mark_rerun",
    "meets_another",
    "open_engine",
    "outside_of",
    "plainly_phrase",
    "record_of",
    "refuse_reserved",
    "register",
    "saved_in_all",
    "say",
    "search",
    "sections",
    "source",
    "speak_on",
    "state_label",
    "to_frame",
    "warn",
    "without_our_frames",
]
