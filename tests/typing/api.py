"""Every public name as a user writes it. Checked by the type checker (tests/test_gates.py), never run.

`assert_type` says what a user's editor must know; a public name without a line here fails tests/test_architecture.py.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any, assert_type

import pandas as pd

import resonate_nb as rnb
from resonate_nb import durable


@durable
def clean(raw: list[str], limit: int = 3) -> dict[str, int]:
    return dict.fromkeys(raw, limit)


@durable(id="features/{day:%Y-%m-%d}/{region}", version=2, name="features", tags={"team": "growth"}, ignore=("conn",))
def features(day: date, region: str, conn: object = None) -> float:
    return len(region) / day.day


@durable
async def fetch(url: str) -> bytes:
    return url.encode()


@durable(version="2024-q3")
async def fetch_named(url: str) -> bytes:
    return url.encode()


@durable(
    keyed_by="call",
    retry=rnb.Exponential(max_attempts=5, non_retryable=(KeyError,)),
    timeout="2h",
    attempt_timeout=timedelta(minutes=5),
    max_age=3600,
    on_reuse="rerun",
    on_drift="raise",
    on_rejected="raise",
    packages="exact",
    files=("path", Path("data")),
    env=("MODE",),
    depends=({"a": 1}, Path),
)
def charge(card: str) -> str:
    call = rnb.current()
    assert_type(call, rnb.CurrentCall | None)
    assert call is not None
    assert_type(call.attempt, int)
    assert_type(call.deadline, int | None)
    return call.idempotency_key + card


policies = (rnb.Linear(3, delay="1s"), rnb.Constant(delay=2.0), rnb.Never())


def guards() -> None:
    try:
        assert_type(charge("1"), str)
    except rnb.DurableTimeoutError as error:
        assert_type(error.has_value, bool)
    except rnb.DriftError as error:
        assert_type(error.diff, str)
    except rnb.UnwritableStoreError:
        pass


def functions() -> None:
    assert_type(clean(["a"]), dict[str, int])
    assert_type(clean(["a"], limit=4), dict[str, int])
    assert_type(features(date(2026, 11, 24), "no"), float)
    assert_type(clean.rerun(["a"]), dict[str, int])
    assert_type(clean.get(["a"]), rnb.Handle | None)
    assert_type(clean.forget(["a"]), list[str])
    assert_type(clean.why(["a"]), rnb.Explanation)
    clean.why(7)  # type: ignore[arg-type]
    assert_type(clean.accept(["a"]), rnb.Handle)
    clean.accept(7)  # type: ignore[arg-type]
    assert_type(clean.options(name="other", ignore=("limit",))(["a"]), dict[str, int])
    assert_type(clean.version, str)
    assert_type(clean.fingerprint, str)
    assert_type(clean.__wrapped__(["a"]), dict[str, int])
    clean(7)  # type: ignore[arg-type]  # the user's own mistake is still found
    clean(["a"], limits=4)  # type: ignore[call-arg]


async def async_functions() -> None:
    assert_type(await fetch("x"), bytes)
    assert_type(await fetch_named("x"), bytes)
    assert_type(await fetch.rerun("x"), bytes)
    assert_type(fetch.get("x"), rnb.Handle | None)
    assert_type(fetch.accept("x"), rnb.Handle)
    why = fetch.why("x")
    assert_type(why, rnb.Explanation)
    assert_type(
        (why.would_hit, why.reason, why.diff, why.unsure, why.id), tuple[bool, str, str, tuple[str, ...], str | None]
    )
    assert_type([change.text for change in why.changes], list[str])


def takes_any_durable(function: rnb.DurableFunction[[list[str]], dict[str, int]]) -> dict[str, int]:
    return function(["a"])


class Model:
    def __init__(self, depth: int) -> None:
        self.depth = depth

    @durable
    def fit(self, rows: list[float]) -> float:
        return sum(rows) * self.depth

    @durable
    @staticmethod
    def load(path: str) -> str:
        return path


def methods(model: Model) -> None:
    model.fit([1.0])
    model.fit.get([1.0])
    model.fit.rerun([1.0])
    assert_type(model.fit.accept([1.0]), rnb.Handle)
    Model.load("x")


def looking(handle: rnb.Handle) -> None:
    assert_type(handle.why(), rnb.Explanation)
    rnb.configure(store=Path("results.store"), durability="process", enabled=True)
    rnb.configure(store="results.store")
    rnb.configure(durability="sometimes")  # type: ignore[arg-type]

    assert_type(rnb.get("features/2026-11-24/no"), rnb.Handle | None)
    assert_type(rnb.search("features/*", state="pending", tags={"team": "growth"}, limit=10), list[rnb.Handle])
    assert_type(rnb.search(state=["resolved", "rejected"]), list[rnb.Handle])
    moment = datetime(2026, 11, 24)
    assert_type(rnb.search(name="clean*", since="2h", until=moment, order="oldest"), list[rnb.Handle])
    assert_type(rnb.to_frame("features/*"), pd.DataFrame)
    assert_type(rnb.forget("features/*"), list[str])
    rnb.inspect()
    report = rnb.check(repair=True)
    assert_type((report.is_sound, report.headline, report.where), tuple[bool, str, str])
    assert_type([problem.done for problem in report.problems], list[str])

    assert_type(handle.id, str)
    text: str = handle.state  # a state is a string too
    tags: Mapping[str, str] = handle.tags
    attempts: Sequence[object] = handle.attempts
    owner: object | None = handle.owner
    print(text, tags, attempts, owner)
    assert_type(handle.created_at, int)
    assert_type(handle.settled_at, int | None)
    assert_type(handle.done(), bool)
    assert_type(handle.wait(1.5), bool)
    assert_type(handle.wait(timeout=None), bool)
    assert_type(handle.exception(), Exception | None)
    value: str = handle.result(timeout=2)
    print(value)


async def waiting(handle: rnb.Handle) -> None:
    value: str = await handle
    print(value)


def extension(shell: Any) -> None:
    rnb.load_ipython_extension(shell)
    rnb.unload_ipython_extension(shell)


def errors() -> None:
    try:
        clean(["a"])
    except rnb.IdReuseError as error:
        assert_type(error.id, str)
        assert_type(error.differing, tuple[str, ...])
    except rnb.WaitCycleError as error:
        assert_type(error.cycle, tuple[str, ...])
    except rnb.RejectedError as error:
        assert_type((error.id, error.type_name, error.message, error.traceback), tuple[str, str, str, str])
    except (rnb.UnfingerprintableError, rnb.UnstorableError) as error:
        assert_type((error.path, error.type_name, error.reason), tuple[str, str, str])
    except (rnb.InvalidOptionError, rnb.UndecoratableError, rnb.PromiseBusyError, rnb.WaitTimeoutError):
        raise
    except (rnb.PromiseNotFoundError, rnb.NotStoredError, rnb.UntrustedValueError, rnb.ReadOnlyStoreError):
        raise
    except rnb.SchemaError as error:
        store: rnb.StoreError = error
        raise store
    except rnb.ResonateNbError:
        raise


class Weighted:
    weights: list[float]

    def __durable_fingerprint__(self) -> list[float]:
        return self.weights


def fingerprints() -> None:
    assert_type(rnb.fingerprint({"a": [1, 2.5]}), str)
    rnb.register_fingerprint(Path, lambda path: path.read_bytes())
    rnb.register_fingerprint("torch.nn.Module", lambda module: module.state_dict())
    rnb.register_fingerprint(Path, "read_bytes")  # type: ignore[arg-type]


def builtins_that_a_user_would_expect() -> None:
    value: type[ValueError] = rnb.InvalidOptionError
    unacceptable: type[ValueError] = rnb.UnacceptableError
    lookup: type[LookupError] = rnb.PromiseNotFoundError
    timeout: type[TimeoutError] = rnb.WaitTimeoutError
    kind: type[TypeError] = rnb.UndecoratableError
    system: type[OSError] = rnb.StoreError
    warning: type[UserWarning] = rnb.DurableWarning
    print(value, unacceptable, lookup, timeout, kind, system, warning)


def services() -> None:
    class Api:
        url: str = ""

    rnb.register_service(Api)
    rnb.register_service("acme.api.Client", lambda client: {"url": client.url, "timeout": 3})
    rnb.register_service("acme.api.Session", identity=lambda session: str(session.name))
