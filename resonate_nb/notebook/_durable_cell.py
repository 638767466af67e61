"""A durable cell: a body that runs in the shell, made one use of a durable call, and a bundle of names coming back."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import field
from functools import partial
from typing import Any, cast

from resonate_nb.errors import PromiseNotFoundError, UnacceptableError
from resonate_nb.fingerprint import Subject
from resonate_nb.records import dataclass
from resonate_nb.runtime import (
    Explanation,
    Handle,
    Options,
    Request,
    Result,
    Verdict,
    Work,
    accept,
    call,
    call_async,
    duration,
    explain_call,
    generators_advice,
    generators_phrase,
    get,
    is_enabled,
    plainly_phrase,
    say,
    without_our_frames,
)

from . import _generators
from ._bindings import Bundle, bind, bundle_of, is_bundle, unmet, why_not_of
from ._execute import Body, prepare, run, run_async
from ._judge import Witness
from ._observed import observed
from ._record import Recorder, show, show_mark
from ._reel import Output, from_bytes, to_bytes


@dataclass(frozen=True, slots=True)
class CellOptions:
    """What stands behind ``%%durable``, checked."""

    header: str
    """The magic's line as written, for tracebacks."""
    label: str | None = None
    options: Options = field(default_factory=Options)
    rerun: bool = False
    shows_output: bool = True
    """False binds the names on a hit and leaves out the recorded display."""


def run_cell(shell: Any, options: CellOptions, text: str) -> None:
    """Run a cell or replay it. Raises what the body raised."""
    __tracebackhide__ = True
    use = _begun(shell, options, text)
    if use.runs_plainly():
        run(shell, use.body)
        return
    rerun = options.rerun
    while True:
        with use.between_tries():
            result = call(use.request(rerun=rerun, is_async=False))
        if (again := use.finish(result)) is None:
            return
        if rerun:
            use.say_plainly(again)
            run(shell, use.body)
            return
        use.say_again(again)
        rerun = True


async def run_cell_async(shell: Any, options: CellOptions, text: str) -> None:
    """The same for a body that awaits at its top level."""
    __tracebackhide__ = True
    use = _begun(shell, options, text)
    if use.runs_plainly():
        await run_async(shell, use.body)
        return
    rerun = options.rerun
    while True:
        with use.between_tries():
            result = await call_async(use.request(rerun=rerun, is_async=True))
        if (again := use.finish(result)) is None:
            return
        if rerun:
            use.say_plainly(again)
            await run_async(shell, use.body)
            return
        use.say_again(again)
        rerun = True


def accept_cell(shell: Any, label: str | None, source: str | None) -> Handle:
    """What a durable cell came to before it was edited counts for it as it is now: for the text and the names with
    which it was last run in this session, be it stopped.

    Args:
        label: of the cell; "" for the last one without a label, None for whichever was last.
        source: the id of the promise to accept; None for the newest of that label.

    Raises:
        PromiseNotFoundError, PromiseBusyError, UnacceptableError: as `runtime.accept`.
    """
    remedy = "run it as it is now, interrupt it if it begins to compute, then accept"
    return _last_use(shell, label, remedy).accept(source)


def explain_cell(shell: Any, label: str | None) -> Explanation:
    """Why a durable cell would run or not, with the text and the options with which it was last run in this session.

    Args:
        label: of the cell; None for whichever was last.

    Raises:
        PromiseNotFoundError: no such cell has been run.
    """
    return _last_use(shell, label, "run it, then ask; of a call ask %durable why clean(df)").explained()


def _last_use(shell: Any, label: str | None, remedy: str) -> _Use:
    last = _last_uses.get((id(shell), label))
    if last is None:
        which = f" labelled {label!r}" if label else " without a label" if label == "" else ""
        raise PromiseNotFoundError(f"no durable cell{which} has been run in this session: {remedy}")
    return _Use(shell, *last)


def _begun(shell: Any, options: CellOptions, text: str) -> _Use:
    """A cell is run: it is the last one from now on."""
    use = _Use(shell, options, text)
    for label in (None, options.label or ""):
        _last_uses[id(shell), label] = options, text
    return use


def has_run(shell: Any, label: str) -> bool:
    """Whether a durable cell of this label was run in this session."""
    return (id(shell), label) in _last_uses


def is_async(shell: Any, header: str, text: str) -> bool:
    """Whether a body awaits at its top level. Raises SyntaxError."""
    return prepare(shell, header, text).facts.is_async


class _Use:
    """One use of one cell: what the runtime asks for, and what it gives back."""

    def __init__(self, shell: Any, options: CellOptions, text: str) -> None:
        self.shell = shell
        self.options = options
        self.body: Body = prepare(shell, options.header, text)
        self.title = _title(options, text)
        self._outputs: list[Output] = []
        self._witness: Witness | None = None
        """Of the names as they were before the first try."""
        self._has_failed = False
        """The last try has, and no other one has begun."""
        self._undecided: list[str] = []
        self._standing = _generators.Standing({})

    def why_plainly(self) -> str:
        """Why the text alone says that the cell cannot be durable; nothing where it can."""
        facts = self.body.facts
        if facts.foreign:
            first = facts.foreign[0]
            return f"it uses `{_short(first.text)}` (line {first.line})"
        if facts.history:
            name = facts.history[0]
            return f"it reads `{name}` (line {facts.reads[name]}), which differs from session to session"
        return ""

    def runs_plainly(self) -> bool:
        """Whether the text alone says that the cell cannot be durable; says why."""
        why = self.why_plainly()
        if why:
            self.say_plainly(why)
        return bool(why)

    def explained(self) -> Explanation:
        """As `explain_cell`."""
        if why := self.why_plainly():
            return Explanation(self.title, Verdict.PLAIN, why)
        return explain_call(self.request(rerun=False, is_async=False).work, {})

    def accept(self, source: str | None) -> Handle:
        """As `accept_cell`."""
        facts = self.body.facts
        if self.why_plainly():
            raise UnacceptableError(f"{self.title} runs plainly, so there is nothing to accept")
        doubt = partial(why_not_of, facts=facts, namespace=self.shell.user_ns)
        return accept(self.request(rerun=False, is_async=False), source=source, doubt=doubt)

    def say_plainly(self, why: str) -> None:
        if is_enabled():  # switched off, every cell runs plainly, and nobody wants to hear of it
            how = plainly_phrase(self.options.options, is_cell=True)
            say(f"{self.title} {how}: {why}", once=True, about=self.body.text)

    def say_again(self, why: str) -> None:
        say(f"{self.title}: {why}")

    def request(self, *, rerun: bool, is_async: bool) -> Request:
        subject = observed(self.shell, self.body, self.options.options)
        name = self.options.label or "cell"
        self._witness, self._has_failed = None, False
        # Before anything of a replay is unpickled: that imports packages, and some draw when they are imported.
        self._standing = _generators.look()
        work = Work(name, cast("Subject", subject), self.options.options, is_cell=True, label=self.title)

        def before() -> bool:
            # The runtime has asked for the key just now, unless everything is switched off.
            key = subject.last
            if key is None or key.undurable:
                return False
            self._put_back()
            if self._witness is None:
                facts, namespace, ignore = self.body.facts, self.shell.user_ns, self.options.options.ignore
                self._witness = Witness(
                    facts, namespace, key.values, ignore, subject.changed_attributes, key.sources.values()
                )
            return True

        def body() -> Bundle | None:
            __tracebackhide__ = True
            if not before():
                run(self.shell, self.body)
                return None
            with self._recording(), self._trying():
                run(self.shell, self.body)
            return self._bundle()

        async def body_async() -> Bundle | None:
            __tracebackhide__ = True
            if not before():
                await run_async(self.shell, self.body)
                return None
            with self._recording(), self._trying():
                await run_async(self.shell, self.body)
            return self._bundle()

        return Request(
            work,
            {},
            body_async if is_async else body,
            judge=self._judge,
            notes=lambda: {"output": to_bytes(self._outputs)},
            rerun=rerun,
        )

    def finish(self, result: Result) -> str | None:
        """Raise what there is to raise, bind and show what came back; or say why the cell must run after all."""
        __tracebackhide__ = True
        if result.error is not None:
            raise _shown_from_the_cell(self.shell, result.error)
        if not result.replayed:
            return None
        bundle = result.value
        if not is_bundle(bundle):
            return "what is stored under its id is no cell's"
        if (name := unmet(bundle, self.shell.user_ns)) is not None:
            return f"`{name}`, which it may bind, is not what it was when the cell was recorded"
        moves, elsewhere = _generators.split(bundle.get("generators", {}), self._standing)
        why = "from another place than now" if elsewhere else "and is not loaded now"
        try:
            elsewhere += bind(self.shell, bundle, moves)
        except Exception as error:
            # An import of the cell fails here: all of the cell runs, and fails where the person sees it.
            return f"its imports cannot be repeated ({type(error).__name__}: {error})"
        if elsewhere:
            # One line, once: the names are right, and what is drawn later without a seed goes on from somewhere else.
            say(
                f"{self.title}: {generators_phrase(elsewhere)} moved while it first ran, {why}: what came back was "
                f"drawn then, and the replay leaves the generator alone, so later unseeded draws differ from those "
                f"after the first run ({generators_advice(elsewhere)})",
                once=True,
                about=self.body.text,
            )
        saved = f"replayed · {duration(result.saved_ms)} saved{_failures(result)}"
        show_mark(self.shell, saved if self.options.shows_output else f"{saved} · output not shown")
        if self.options.shows_output and "output" in result.notes:
            show(self.shell, from_bytes(result.notes["output"]))
        return None

    @contextmanager
    def _trying(self) -> Iterator[None]:
        try:
            yield
        except Exception:
            self._has_failed = True
            raise

    @contextmanager
    def between_tries(self) -> Iterator[None]:
        """A call that is stopped in the wait for another try leaves the names as that try would have found them: the
        same cell is the same promise when it is run again. An interrupt is shown from where it met the cell."""
        try:
            yield
        except BaseException as stop:
            self._put_back()
            if isinstance(stop, KeyboardInterrupt):
                _shown_from_the_cell(self.shell, without_our_frames(stop))
            raise

    def _put_back(self) -> None:
        """The names that the cell binds are what they were before the try that has failed."""
        if not self._has_failed or self._witness is None:
            return
        self._has_failed = False
        namespace, before = self.shell.user_ns, self._witness.before
        for name in {*self.body.facts.bound, *self.body.facts.deleted}:
            if name in before:
                namespace[name] = before[name]
            else:
                namespace.pop(name, None)

    def _recording(self) -> _Recording:
        return _Recording(self.shell, self._outputs)

    def _bundle(self) -> Bundle:
        assert self._witness is not None
        generators = self._witness.generators(self.shell.user_ns)
        bundle, self._undecided = bundle_of(self.body.facts, self._witness.before, self.shell.user_ns)
        return {**bundle, "generators": generators} if generators else bundle

    def _judge(self, bundle: Bundle | None) -> tuple[str, ...]:
        if bundle is None or self._witness is None:
            return ()
        return self._witness.reasons(self.shell.user_ns, bundle, self._undecided)


def _failures(result: Result) -> str:
    """How many tries had failed before the one that is shown; nothing for none."""
    promise = result.promise
    if promise is None or "attempt" not in promise.value.headers or (handle := get(promise.id)) is None:
        return ""
    failed = sum(attempt.outcome in ("failed", "late") for attempt in handle.attempts)
    return f" · after {failed} failed {'try' if failed == 1 else 'tries'}" if failed else ""


class _Recording:
    """A recorder whose outputs are there however the body ends."""

    def __init__(self, shell: Any, outputs: list[Output]) -> None:
        self._recorder = Recorder(shell)
        self._outputs = outputs

    def __enter__(self) -> None:
        self._outputs.clear()
        self._recorder.__enter__()

    def __exit__(self, *error: object) -> None:
        self._recorder.__exit__(*error)
        self._outputs.extend(self._recorder.outputs())


_last_uses: dict[tuple[int, str | None], tuple[CellOptions, str]] = {}
"""By shell and label, as they were last run: "" stands for those without one, None for whichever was last."""


def _title(options: CellOptions, text: str) -> str:
    if options.label is not None:
        return f"cell `{options.label}`"
    lines = (line.strip() for line in text.splitlines())
    first = next((line for line in lines if line and not line.startswith("#")), "")
    return f"cell `{_short(first)}`"


def _short(text: str) -> str:
    return text if len(text) <= 40 else text[:37] + "…"


def _shown_from_the_cell(shell: Any, error: BaseException) -> BaseException:
    """The same error, shown by IPython from the user's first frame on.

    On its way out it passes frames of ours, of the runtime and of IPython's `run_cell_magic`, which say nothing to
    the person; IPython asks an exception that knows how to show itself. It does so once, then forgets it.
    """
    trace = error.__traceback__

    def render() -> list[str]:
        error.__dict__.pop("_render_traceback_", None)
        return list(shell.InteractiveTB.structured_traceback(type(error), error, trace, tb_offset=0))

    if hasattr(error, "__dict__"):
        error._render_traceback_ = render  # type: ignore[attr-defined]
    return error


__all__ = ["CellOptions", "accept_cell", "explain_cell", "has_run", "is_async", "run_cell", "run_cell_async"]
