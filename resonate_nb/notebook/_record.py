"""Records what a cell shows while it shows it, and shows a recorded display again.

Nothing is held back: the live display is what it would be without us. Under ipykernel every message that leaves for
the page passes `Session.send`, also those from other threads, subprocesses and `os.write`; those whose parent is the
cell's own request are the cell's display. Elsewhere (IPython in a terminal) the writers themselves are listened to.
`IPython.utils.capture` would show nothing until the end, and the hooks of the publisher are bound to one thread.
"""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from html import escape
from typing import Any

from ._reel import LINE, Output, Reel

_OURS_STYLE = "opacity:.65;font-size:12px;border-left:3px solid currentColor;padding-left:8px"
_SHOWN = frozenset({"stream", "display_data", "execute_result", "update_display_data", "clear_output"})


class Recorder:
    """While it is entered, what the current cell shows is recorded; `outputs` says what that comes to."""

    def __init__(self, shell: Any) -> None:
        self._shell = shell
        self._reel = Reel()
        self._lock = threading.Lock()
        self._pid = os.getpid()
        self._stack = ExitStack()

    def __enter__(self) -> Recorder:
        session = getattr(getattr(self._shell, "kernel", None), "session", None)
        request = _request_id(self._shell)
        flush_streams()  # what came before is not ours
        if session is not None and request is not None:
            self._stack.enter_context(_listening(session, request, self))
        else:
            self._stack.enter_context(self._listening_to_writers())
        return self

    def __exit__(self, *error: object) -> None:
        try:
            flush_figures()
            flush_streams()
        finally:
            self._stack.close()

    def outputs(self) -> list[Output]:
        """What was shown and is still to be seen, in the manner of nbformat."""
        with self._lock:
            return self._reel.outputs(_widget_text)

    def take(self, kind: str, content: Mapping[str, Any]) -> None:
        """One message to the page."""
        if os.getpid() != self._pid:
            return  # a forked child has its own copy of us, whose lock may be held for ever
        with self._lock:
            match kind:
                case "stream":
                    self._reel.stream(content["name"], content["text"])
                case "display_data" | "execute_result":
                    self._reel.display(
                        content["data"],
                        content.get("metadata"),
                        display_id=(content.get("transient") or {}).get("display_id"),
                        is_result=kind == "execute_result",
                    )
                case "update_display_data":
                    if display_id := (content.get("transient") or {}).get("display_id"):
                        self._reel.update(display_id, content["data"], content.get("metadata"))
                case "clear_output":
                    self._reel.clear(wait=bool(content.get("wait")))

    @contextmanager
    def _listening_to_writers(self) -> Iterator[None]:
        # In a terminal a display is printed: while that happens, the text is not recorded a second time.
        muted = threading.local()

        def muting(function: Callable[..., Any]) -> Callable[..., Any]:
            def quiet(*args: Any, **kwargs: Any) -> Any:
                muted.is_on = True
                try:
                    return function(*args, **kwargs)
                finally:
                    muted.is_on = False

            return quiet

        def writing(name: str, write: Callable[[str], Any]) -> Callable[[str], Any]:
            def write_and_record(text: str) -> Any:
                if not getattr(muted, "is_on", False):
                    self.take("stream", {"name": name, "text": text})
                return write(text)

            return write_and_record

        def publishing(publish: Callable[..., Any]) -> Callable[..., Any]:
            def publish_and_record(data: Any, metadata: Any = None, *args: Any, **kwargs: Any) -> Any:
                kind = "update_display_data" if kwargs.get("update") else "display_data"
                self.take(kind, {"data": data, "metadata": metadata, "transient": kwargs.get("transient")})
                return publish(data, metadata, *args, **kwargs)

            return publish_and_record

        def clearing(clear: Callable[..., Any]) -> Callable[..., Any]:
            def clear_and_record(wait: bool = False) -> Any:
                self.take("clear_output", {"wait": wait})
                return clear(wait)

            return clear_and_record

        def formatting(write: Callable[..., Any]) -> Callable[..., Any]:
            def write_and_record(data: Any, metadata: Any = None) -> Any:
                self.take("execute_result", {"data": data, "metadata": metadata})
                return write(data, metadata)

            return write_and_record

        publisher, hook = self._shell.display_pub, self._shell.displayhook
        with ExitStack() as stack:
            for name in ("stdout", "stderr"):
                stream = getattr(sys, name)
                is_heard = name == "stderr" and stream is sys.stdout
                if stream is not None and hasattr(stream, "__dict__") and not is_heard:
                    stack.enter_context(_replaced(stream, "write", writing(name, stream.write)))
            stack.enter_context(_replaced(publisher, "publish", muting(publishing(publisher.publish))))
            stack.enter_context(_replaced(publisher, "clear_output", muting(clearing(publisher.clear_output))))
            stack.enter_context(_replaced(hook, "write_format_data", formatting(hook.write_format_data)))
            # The kernel of the shell calls `sys.displayhook`, which prints a prompt around the value.
            stack.enter_context(_replaced(sys, "displayhook", muting(sys.displayhook)))
            yield


def show(shell: Any, outputs: list[Output]) -> None:
    """Shows a recorded display again, in order, each text on its stream and each bundle as it was shown."""
    for output in outputs:
        match output.get("output_type"):
            case "stream":
                stream = sys.stderr if output.get("name") == "stderr" else sys.stdout
                stream.write(str(output.get("text", "")))
                stream.flush()  # one stream after the other: they leave by separate ways
            case "display_data" | "execute_result" | "update_display_data" as kind:
                shell.display_pub.publish(
                    data=output.get("data") or {},
                    metadata=output.get("metadata") or {},
                    transient=output.get("transient") or {},
                    update=kind == "update_display_data",
                )
            case _:
                continue


def show_mark(shell: Any, text: str) -> None:
    """Shows a small line of ours, e.g. ``replayed · 3 m 12 s saved``, that nobody takes for output of the cell."""
    html = f'<div class="rnb-mark" style="{_OURS_STYLE}">{escape(text)}</div>'
    shell.display_pub.publish(data={"text/plain": f"[{text}]", "text/html": html}, metadata={})


def show_line(shell: Any, text: str) -> bool:
    """Shows one line of ours in a kernel, calmer than stderr, which pages paint like an error.

    False where it would not reach the page: a forked child cannot send displays; what it writes to stderr arrives.
    """
    if not is_sendable(shell):
        return False
    shell.display_pub.publish(data=line_bundle(text), metadata=LINE)
    return True


def is_sendable(shell: Any) -> bool:
    """Whether messages of this process reach the page: not those of a forked child."""
    session = shell.kernel.session
    return not session.check_pid or session.pid == os.getpid()


def line_bundle(text: str) -> dict[str, str]:
    """One line of ours as a display; nothing to be seen for an empty one."""
    style = f"{_OURS_STYLE};white-space:pre-wrap;font-variant-numeric:tabular-nums" if text else ""
    return {"text/plain": text, "text/html": f'<div class="rnb-line" style="{style}">{escape(text)}</div>'}


def flush_streams() -> None:
    """Texts written so far have left for the page (a kernel sends them from a thread of its own, a little later)."""
    for stream in (sys.stdout, sys.stderr):
        if stream is not None:
            stream.flush()


def flush_figures() -> None:
    """Figures drawn so far are shown, and closed, as the inline backend would do after the cell."""
    backend = sys.modules.get("matplotlib_inline.backend_inline")
    if backend is not None:
        backend.flush_figures()


_recorders: dict[str, list[Recorder]] = {}
_recorders_lock = threading.Lock()


@contextmanager
def _listening(session: Any, request: str, recorder: Recorder) -> Iterator[None]:
    with _recorders_lock:
        if not hasattr(session.send, "_resonate_nb_original"):
            session.send = _listening_send(session.send)
        _recorders.setdefault(request, []).append(recorder)
    try:
        yield
    finally:
        with _recorders_lock:
            _recorders[request].remove(recorder)
            if not _recorders[request]:
                del _recorders[request]
            # Put the method back once nobody records, unless somebody has wrapped it since.
            if not _recorders and "send" in session.__dict__:
                original = getattr(session.__dict__["send"], "_resonate_nb_original", None)
                if original is not None:
                    session.send = original
                    if getattr(original, "__self__", None) is session:
                        del session.__dict__["send"]


def _listening_send(send: Callable[..., Any]) -> Callable[..., Any]:
    # All arguments go through as they came: replies and errors pass them by position.
    def send_and_record(
        stream: Any, msg_or_type: Any, content: Any = None, parent: Any = None, *a: Any, **k: Any
    ) -> Any:
        if isinstance(msg_or_type, Mapping):
            kind = msg_or_type.get("msg_type") or (msg_or_type.get("header") or {}).get("msg_type")
            shown, above = msg_or_type.get("content"), msg_or_type.get("parent_header")
        else:
            kind, shown, above = msg_or_type, content, parent
        if kind in _SHOWN and isinstance(shown, Mapping) and isinstance(above, Mapping):
            request = (above.get("header") or above).get("msg_id")
            for recorder in tuple(_recorders.get(request or "", ())):
                recorder.take(kind, shown)
        return send(stream, msg_or_type, content, parent, *a, **k)

    send_and_record._resonate_nb_original = send  # type: ignore[attr-defined]
    return send_and_record


def _request_id(shell: Any) -> str | None:
    parent = shell.get_parent() if hasattr(shell, "get_parent") else getattr(shell, "parent_header", None)
    if not isinstance(parent, Mapping):
        return None
    return (parent.get("header") or parent).get("msg_id")


@contextmanager
def _replaced(thing: Any, name: str, value: object) -> Iterator[None]:
    own = vars(thing)
    had, old = name in own, own.get(name)
    setattr(thing, name, value)
    try:
        yield
    finally:
        if had:
            setattr(thing, name, old)
        elif name in own:
            delattr(thing, name)


def _widget_text(model_id: str) -> str | None:
    """The last text of a widget that is still alive; its later values went to the page by another way."""
    module = sys.modules.get("ipywidgets.widgets.widget")
    widget = getattr(module, "_instances", {}).get(model_id) if module is not None else None
    return None if widget is None else repr(widget)
