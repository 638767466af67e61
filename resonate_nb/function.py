"""What `@durable` makes of a function: each call is handed to the runtime, and the rest of a function stays as it was.

Follow a call: `DurableFunction.__call__` binds the arguments and hands a `Request` to `resonate_nb.runtime.call`
(`runtime/call/_drive.py`), which names it (`runtime/_identity.py`), looks (`_plan.py`), and replays, waits, or claims
(`_claim.py`), runs (`_attempt.py`) and settles (`_settle.py`) through the engine's `submit` (`runtime/_engine.py`),
where the law (`protocol.apply`) decides and the store (`store/_sqlite.py`) writes the row.
"""

from __future__ import annotations

import functools
import inspect
import operator
import sys
from collections.abc import Callable, Mapping
from dataclasses import replace
from types import CodeType, FunctionType, MethodType
from typing import TYPE_CHECKING, Any, Concatenate, Generic, ParamSpec, TypeVar, cast, overload

from resonate_nb.errors import InvalidOptionError, ResonateNbError, UndecoratableError
from resonate_nb.fingerprint import CodeKey, Declared, Subject
from resonate_nb.runtime import (
    MISS,
    OPTION_NAMES,
    Engine,
    Identity,
    Lane,
    Options,
    Request,
    Undurable,
    Work,
    call,
    call_async,
    check_files,
    check_template,
    checked_options,
    existing_engine,
    identify,
    is_enabled,
    meets_another,
    outside_of,
    register,
    say,
    without_our_frames,
)

if TYPE_CHECKING:
    from resonate_nb.protocol import Promise
    from resonate_nb.runtime import Explanation, Handle

P = ParamSpec("P")
Q = ParamSpec("Q")
R = TypeVar("R")


class DurableFunction(Generic[P, R]):
    """The function, durable: a call runs it once per code and arguments, and replays it ever after.

    `__wrapped__` is the plain function. For an async function the call, and `rerun`, are awaitable.
    """

    __name__: str
    __qualname__: str

    def __init__(
        self, function: Callable[P, R], options: Options, *, kind: str = "plain", subject: Subject | None = None
    ) -> None:
        functools.update_wrapper(self, function)
        self._plain = _function_below(function)
        self.__wrapped__: Callable[P, R] = function
        self.__durable_ignore__ = options.ignore
        self._options = options
        self._kind = kind
        self._look_at_signature()
        self._is_async = inspect.iscoroutinefunction(function)
        if self._is_async:
            self._is_coroutine = _coroutine_mark()
        name = options.name or function.__qualname__.replace("<locals>.", "")
        if options.id is not None:
            _announce_template(name, options.id, tuple(self._signature.parameters), options)
        if options.files:
            check_files(name, options.files, tuple(self._signature.parameters), options.ignore)
        declared = Declared(
            outside_of(options.files, options.env, self._signature.parameters), options.depends, bool(options.files)
        )
        self.__durable_declared__ = declared
        if subject is None:
            subject = Subject.of_function(
                plain_or_wrapper(function),
                ignore=options.ignore,
                packages=options.packages,
                declared=declared,
            )
        self._work = Work(name, subject, options, defaults=self._defaults())
        register(self._work)
        self._make_lane()

    # What `inspect` asks of anything that should pass for a function (signature, coroutine checks, getsource), and what
    # code sets that takes it for one: it is the function's own.

    @property
    def __code__(self) -> CodeType:
        return self._plain.__code__

    @__code__.setter
    def __code__(self, code: CodeType) -> None:
        self._plain.__code__ = code

    @property
    def __defaults__(self) -> tuple[Any, ...] | None:
        return self._plain.__defaults__

    @__defaults__.setter
    def __defaults__(self, defaults: tuple[Any, ...] | None) -> None:
        self._plain.__defaults__ = defaults

    @property
    def __kwdefaults__(self) -> dict[str, Any] | None:
        return self._plain.__kwdefaults__

    @__kwdefaults__.setter
    def __kwdefaults__(self, defaults: dict[str, Any] | None) -> None:
        self._plain.__kwdefaults__ = defaults  # type: ignore[assignment, unused-ignore]

    def _look_at_signature(self) -> None:
        self._signature = inspect.signature(self.__wrapped__)
        self._names = _positional(self._signature)
        self._seen = _signed(self._plain)

    def _defaults(self) -> dict[str, Any]:
        has_one = (each for each in self._signature.parameters.values() if each.default is not inspect.Parameter.empty)
        return {each.name: each.default for each in has_one}

    def _make_lane(self) -> None:
        names = None if self._options.ignore else self._names
        self._lane = Lane(self._work, names, _least_given(self._signature))

    def replace_by(self, other: DurableFunction[Any, Any]) -> None:
        """From here on it is what the other one is: who reloads a module does so with all that was imported from it."""
        vars(self).update(vars(other))

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R:
        """Run or replay. Raises what the function raised."""
        __tracebackhide__ = True
        child_id = None
        if not kwargs and not self._is_async:
            if self._options.keyed_by == "args":
                value = self._lane.hit(args)
            else:
                value, child_id = self._lane.child(args)
            if value is not MISS:
                return value  # type: ignore[no-any-return]
        if not is_enabled():
            return cast(Callable[..., R], self.__wrapped__)(*args, **kwargs)
        if self._is_async:
            return cast(R, self._awaited(args, kwargs, rerun=False))
        value, error = self._outcome(args, kwargs, rerun=False, child_id=child_id)
        if error is not None:
            raise error
        return cast(R, value)

    async def _awaited(self, args: tuple[Any, ...], kwargs: Mapping[str, Any], *, rerun: bool) -> Any:
        __tracebackhide__ = True
        error: BaseException | None
        try:
            result = await call_async(self._request(args, kwargs, rerun=rerun))
        except (ResonateNbError, _MisfitError) as refusal:
            value, error = None, _as_a_refusal(refusal)
        else:
            value, error = result.value, result.error
        if error is not None:
            raise error
        return value

    def _outcome(
        self, args: tuple[Any, ...], kwargs: Mapping[str, Any], *, rerun: bool, child_id: str | None = None
    ) -> tuple[Any, BaseException | None]:
        """The value, or what to raise: handed on, so that the traceback shows one frame of ours, and that one hidden
        where tracebacks hide frames."""
        try:
            result = call(self._request(args, kwargs, rerun=rerun, child_id=child_id))
        except (ResonateNbError, _MisfitError) as refusal:
            return None, _as_a_refusal(refusal)
        except KeyboardInterrupt as stop:
            return None, without_our_frames(stop)
        if not kwargs:
            self._lane.learn(args, result)
        return result.value, result.error

    def rerun(self, *args: P.args, **kwargs: P.kwargs) -> R:
        """Run the next generation, whatever is stored. Joins a run that is in progress, and says so."""
        __tracebackhide__ = True
        if not is_enabled():
            return cast(Callable[..., R], self.__wrapped__)(*args, **kwargs)
        if self._is_async:
            return cast(R, self._awaited(args, kwargs, rerun=True))
        value, error = self._outcome(args, kwargs, rerun=True)
        if error is not None:
            raise error
        return cast(R, value)

    def get(self, *args: P.args, **kwargs: P.kwargs) -> Handle | None:
        """The promise of this call, or None. Looks only; nothing runs.

        Raises:
            UnfingerprintableError: an argument has no stable content.
        """
        found = self._found(args, kwargs)
        if found is None:
            return None
        from resonate_nb.runtime import Handle  # nothing that looks is loaded for a call

        return Handle(found[0], found[1].id)

    def why(self, *args: P.args, **kwargs: P.kwargs) -> Explanation:
        """Whether this call would be a hit, and in one line why; which pieces changed, with a diff of the code; and
        what its key does not see. Looks only: nothing runs, is stored or waited for.

        Raises:
            TypeError: the arguments do not fit the signature.
            InvalidOptionError: the id template cannot be filled.
        """
        __tracebackhide__ = True
        from resonate_nb.runtime import explain_call  # nothing that looks is loaded for a call

        try:
            return explain_call(self._work, self._bound(args, kwargs))
        except (ResonateNbError, _MisfitError) as refusal:
            raise _as_a_refusal(refusal) from None

    def forget(self, *args: P.args, **kwargs: P.kwargs) -> list[str]:
        """Drop every generation of this call's promise, with its children; the ids that were dropped, none if there
        was no promise.

        Raises:
            PromiseBusyError: it runs under a living owner.
        """
        found = self._found(args, kwargs)
        if found is None:
            return []
        from resonate_nb.runtime import forget_generations

        return forget_generations(*found)

    def accept(self, *args: P.args, **kwargs: P.kwargs) -> Handle:
        """What this call came to before its code, or data that the code reads, was edited counts for it now: the
        promise that says so. Nothing runs.

        A call that was in the middle goes on at its next use, with the steps that it had finished.

        Raises:
            PromiseNotFoundError: there is nothing to accept.
            PromiseBusyError: it runs under a living owner.
            UnacceptableError: what there is cannot be accepted, or it has a result under the code as it is now.
        """
        __tracebackhide__ = True
        return self._accept(args, kwargs)

    def _accept(self, args: tuple[Any, ...], kwargs: Mapping[str, Any], owner: str | None = None) -> Handle:
        __tracebackhide__ = True
        from resonate_nb.runtime import accept

        try:
            return accept(self._request(args, kwargs, rerun=False), owner=owner)
        except (ResonateNbError, _MisfitError) as refusal:
            raise _as_a_refusal(refusal) from None

    def options(self, **overrides: Any) -> DurableFunction[P, R]:
        """The same function with other options; what is not given stays.

        Raises:
            InvalidOptionError: an unknown option, or a wrong value.
        """
        mine = {name: getattr(self._options, name) for name in OPTION_NAMES}
        return DurableFunction(self.__wrapped__, checked(mine | overrides), kind=self._kind)

    @property
    def version(self) -> str:
        """The version that a call made now would have: the given one, or the first digits of the code's fingerprint."""
        if self._options.version is not None:
            return str(self._options.version)
        return self.fingerprint[:8]

    @property
    def fingerprint(self) -> str:
        """Fingerprint of the code and all it reaches: 32 hexadecimal digits.

        A call whose arguments come from a package that the code does not name (`frame.dropna()`) has that package's
        version in its own as well.
        """
        options = checked_options(ignore=self._options.ignore)
        identity = identify(Work(self._work.name, self._work.subject, options), {})
        if isinstance(identity, Undurable):
            raise UndecoratableError(f"{self._work.name} has no fingerprint: {'; '.join(identity.reasons)}")
        return identity.code

    @overload
    def __get__(self, instance: None, owner: type | None = None) -> DurableFunction[P, R]: ...
    @overload
    def __get__(
        self: DurableFunction[Concatenate[Any, Q], R], instance: object, owner: type | None = None
    ) -> BoundDurableFunction[Q, R]: ...
    def __get__(self, instance: object, owner: type | None = None) -> Any:
        if self._kind == "static" or (instance is None and self._kind == "plain"):
            return self
        return BoundDurableFunction(cast(Any, self), instance if self._kind == "plain" else owner or type(instance))

    def __reduce_ex__(self, protocol: Any) -> Any:
        # A plain function is pickled by its name. cloudpickle, which ships functions of a notebook and of other
        # functions to other processes, must carry the function itself instead; only its own pickler can be told by
        # its caller.
        caller = sys._getframe(1).f_globals.get("__name__", "")
        if "cloudpickle" in caller and (self.__module__ == "__main__" or "<locals>" in self.__qualname__):
            mine = {name: getattr(self._options, name) for name in OPTION_NAMES}
            return _rebuilt, (self.__wrapped__, mine, self._kind)
        return self.__qualname__

    def __repr__(self) -> str:
        return f"<durable function {self.__qualname__}>"

    def _request(
        self, args: tuple[Any, ...], kwargs: Mapping[str, Any], *, rerun: bool, child_id: str | None = None
    ) -> Request:
        function: Callable[..., Any] = self.__wrapped__
        bound = self._bound(args, kwargs)
        return Request(self._work, bound, lambda: function(*args, **kwargs), rerun=rerun, child_id=child_id)

    def _bound(self, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> dict[str, Any]:
        """The arguments with defaults, in the signature's order, ignored ones left out. TypeError as the function's."""
        if not _is_signed(self._plain, self._seen):
            # Its code or its defaults were replaced, by hand or by `%autoreload`.
            self._look_at_signature()
            self._work = replace(self._work, defaults=self._defaults())
            self._make_lane()
        names = self._names
        if names is not None and not kwargs and len(args) == len(names) and not self._options.ignore:
            return dict(zip(names, args, strict=True))
        try:
            bound = self._signature.bind(*args, **kwargs)
        except TypeError as error:
            raise _MisfitError(f"{self.__name__}() {error}") from None
        bound.apply_defaults()
        ignored = self._options.ignore
        return {name: value for name, value in bound.arguments.items() if name not in ignored}

    def _found(self, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> tuple[Engine, Promise] | None:
        """The latest generation of this call's promise, under the wider id where two calls met in the short form."""
        found_engine = existing_engine()
        identity = self._identity(args, kwargs)
        if found_engine is None or identity is None:
            return None
        for each in (identity.wider, identity):
            found = None if each is None else found_engine.latest(each.base)[0]
            if found is not None and not meets_another(identity, found):
                return found_engine, found
        return None

    def _identity(self, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Identity | None:
        __tracebackhide__ = True
        try:
            identity = identify(self._work, self._bound(args, kwargs))
        except (ResonateNbError, _MisfitError) as refusal:
            raise _as_a_refusal(refusal) from None
        return None if isinstance(identity, Undurable) else identity


class BoundDurableFunction(Generic[P, R]):
    """A durable method of an object or class; the object is the first argument, and counts by content."""

    __name__: str
    __qualname__: str

    def __init__(self, function: DurableFunction[Concatenate[Any, P], R], owner: object) -> None:
        functools.update_wrapper(self, function, updated=())
        self.__func__ = function
        self.__self__ = owner
        # The plain method, which also tells `inspect` the signature without the object.
        self.__wrapped__ = MethodType(function.__wrapped__, owner)
        self.__code__: CodeType = function.__code__
        self.__defaults__ = function.__defaults__
        self.__kwdefaults__ = function.__kwdefaults__
        if function._is_async:
            self._is_coroutine = _coroutine_mark()

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R:
        __tracebackhide__ = True
        return self.__func__(self.__self__, *args, **kwargs)

    def rerun(self, *args: P.args, **kwargs: P.kwargs) -> R:
        """Run the next generation, whatever is stored."""
        __tracebackhide__ = True
        return self.__func__.rerun(self.__self__, *args, **kwargs)

    def get(self, *args: P.args, **kwargs: P.kwargs) -> Handle | None:
        """The promise of this call, or None."""
        return self.__func__.get(self.__self__, *args, **kwargs)

    def why(self, *args: P.args, **kwargs: P.kwargs) -> Explanation:
        """Whether this call would be a hit, and why."""
        return self.__func__.why(self.__self__, *args, **kwargs)

    def forget(self, *args: P.args, **kwargs: P.kwargs) -> list[str]:
        """Drop every generation of this call's promise."""
        return self.__func__.forget(self.__self__, *args, **kwargs)

    def accept(self, *args: P.args, **kwargs: P.kwargs) -> Handle:
        """What this call came to before the edit counts for it now."""
        __tracebackhide__ = True
        owner = next(iter(self.__func__._signature.parameters))
        return self.__func__._accept((self.__self__, *args), kwargs, owner)

    def options(self, **overrides: Any) -> BoundDurableFunction[P, R]:
        """The same method with other options."""
        return BoundDurableFunction(self.__func__.options(**overrides), self.__self__)

    @property
    def version(self) -> str:
        """The version that a call made now would have."""
        return self.__func__.version

    @property
    def fingerprint(self) -> str:
        """Fingerprint of the code and all it reaches: 32 hexadecimal digits."""
        return self.__func__.fingerprint

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, BoundDurableFunction):
            return NotImplemented
        return self.__self__ is other.__self__ and self.__func__ is other.__func__

    def __hash__(self) -> int:
        return hash((id(self.__self__), self.__func__))

    def __reduce__(self) -> tuple[Any, ...]:
        # As a plain method is pickled.
        return getattr, (self.__self__, self.__func__.__name__)

    def __repr__(self) -> str:
        return f"<bound durable function {self.__func__.__qualname__} of {self.__self__!r}>"


def checked(options: Mapping[str, Any]) -> Options:
    """The options of a decoration. Raises InvalidOptionError for an unknown one, and for a wrong value."""
    unknown = [name for name in options if name not in OPTION_NAMES]
    if unknown:
        raise InvalidOptionError(f"unknown option {unknown[0]!r}; durable() takes {', '.join(OPTION_NAMES)}")
    return checked_options(**options)


def decorated(given: Any, options: Options) -> DurableFunction[Any, Any]:
    """The function made durable. Raises UndecoratableError for what cannot be."""
    kind = "plain"
    if isinstance(given, staticmethod | classmethod):
        kind = "static" if isinstance(given, staticmethod) else "class"
        given = given.__func__
    if isinstance(given, DurableFunction | BoundDurableFunction):
        raise UndecoratableError(f"{given.__qualname__} is durable already; use {given.__qualname__}.options(...)")
    if isinstance(given, type):
        raise UndecoratableError(f"{given.__qualname__} is a class; put @durable on its methods, or on a function")
    if isinstance(given, str | int):
        raise UndecoratableError(f"durable({given!r}) decorates nothing; write @durable(id={str(given)!r})")
    if not callable(given) or not isinstance(_function_below(given), FunctionType):
        what = getattr(given, "__qualname__", None) or repr(given)
        raise UndecoratableError(
            f"{what} is a {type(given).__name__}, not a function written in Python; wrap it: "
            "@durable on a `def` that calls it"
        )
    below = _function_below(given)
    if inspect.isgeneratorfunction(below) or inspect.isasyncgenfunction(below):
        raise UndecoratableError(
            f"{given.__qualname__} is a generator function, whose value is used up by reading it; "
            "return a list, or make the step that consumes it durable"
        )
    return DurableFunction(given, options, kind=kind)


_Signed = tuple[CodeType, tuple[Any, ...] | None, tuple[Any, ...]]
"""The code and the defaults of a function."""


def _signed(function: FunctionType) -> _Signed:
    return function.__code__, function.__defaults__, tuple((function.__kwdefaults__ or {}).values())


def _is_signed(function: FunctionType, seen: _Signed) -> bool:
    code, defaults, named = _signed(function)
    same = code is seen[0] and defaults is seen[1] and len(named) == len(seen[2])
    return same and all(map(operator.is_, named, seen[2]))


def _positional(signature: inspect.Signature) -> tuple[str, ...] | None:
    """The names of the parameters, where each of them takes one positional argument."""
    takes_one = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    if all(parameter.kind in takes_one for parameter in signature.parameters.values()):
        return tuple(signature.parameters)
    return None


def _least_given(signature: inspect.Signature) -> int:
    """With how many positional arguments no parameter is left to a default that may change in place."""
    least = 0
    for at, parameter in enumerate(signature.parameters.values(), 1):
        if parameter.default is not inspect.Parameter.empty and not _is_fixed(parameter.default):
            least = sys.maxsize if parameter.kind is inspect.Parameter.KEYWORD_ONLY else at
    return least


def _is_fixed(value: object) -> bool:
    if type(value) is tuple:
        return all(map(_is_fixed, value))
    return type(value) in (type(None), bool, int, float, complex, str, bytes)


class _MisfitError(TypeError):
    """The arguments do not fit the signature; raised to the user as the TypeError it is for a plain function."""


def _as_a_refusal(error: Exception) -> Exception:
    """What the user is told: the message says it all, and the frames beneath are of no help to them."""
    if isinstance(error, _MisfitError):
        return TypeError(*error.args)
    below: BaseException | None = error
    while below is not None:
        below.__traceback__ = None
        below = below.__cause__ or below.__context__
    return error


def _coroutine_mark() -> object:
    """What Python 3.11's asyncio.iscoroutinefunction knows functions by; 3.12 brought a public mark."""
    import asyncio.coroutines  # slow to load, and whoever has an async function has it

    return getattr(asyncio.coroutines, "_is_coroutine", True)


def plain_or_wrapper(function: Callable[..., Any]) -> FunctionType:
    """The function that durable received: a wrapper of decorators below ours counts by its own code."""
    if isinstance(function, FunctionType):
        return function
    return _function_below(function)


def _function_below(given: Any) -> FunctionType:
    return cast(FunctionType, given if isinstance(given, FunctionType) else inspect.unwrap(given))


_REUSED = {
    "raise": "is refused",
    "rerun": "is computed anew",
    "warn": "gets what is stored, with a warning",
    "ignore": "gets what is stored",
}
"""What becomes of a call that finds its id used with other arguments."""


def _announce_template(name: str, template: str, parameters: tuple[str, ...], options: Options) -> None:
    left_out, is_new_each_time = check_template(template, parameters, options.ignore)
    if is_new_each_time:
        say(
            f"{name}: the id {template!r} is new at each call, so a call never finds an earlier one; "
            "find it with rnb.search()",
            once=True,
        )
    elif left_out:
        named = ", ".join(left_out)
        what = _REUSED[options.on_reuse]
        say(f"{name}: the id {template!r} leaves out {named}; the same id with another {named} {what}", once=True)


class _WithoutSource:
    """The subject of a function that was shipped to this process, and its source was not."""

    def key(self) -> CodeKey:
        reason = (
            "it was sent to this process as bytes, which carry no source; "
            "put it into a module that both import, and its calls are durable here too"
        )
        return CodeKey("", "", {}, {}, {}, (reason,), (), (), {})


def _rebuilt(function: Callable[..., Any], options: dict[str, Any], kind: str) -> DurableFunction[Any, Any]:
    known = checked(options)
    try:
        return DurableFunction(function, known, kind=kind)
    except UndecoratableError:
        # It was durable where it came from: here its calls run, plainly, and say so.
        return DurableFunction(function, known, kind=kind, subject=cast(Subject, _WithoutSource()))


__all__ = ["BoundDurableFunction", "DurableFunction", "checked", "decorated"]
