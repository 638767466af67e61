"""A real ipykernel for tests: started with this interpreter, driven cell by cell, killed with SIGKILL."""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any

from jupyter_client.kernelspec import KernelSpec
from jupyter_client.manager import KernelManager

LIMIT = 120.0
"""Seconds after which a cell counts as hung; a guard against a stuck suite, not a measurement."""


@dataclass
class Ran:
    """What a cell gave: its reply, and its outputs as a page that obeys the messages would hold them."""

    status: str
    outputs: list[dict[str, Any]] = field(default_factory=list)
    error: tuple[str, str] | None = None
    """Name and message."""
    traceback: str = ""

    def text(self, name: str = "stdout") -> str:
        return "".join(o["text"] for o in self.outputs if o["output_type"] == "stream" and o["name"] == name)

    @property
    def said(self) -> str:
        """Lines of resonate_nb: small displays where its extension is loaded, text on stderr elsewhere."""
        lines = [text for text in self.bundles() if text.startswith("[resonate_nb] ")]
        lines += [line for line in self.text("stderr").splitlines() if line.startswith("[resonate_nb] ")]
        return "\n".join(lines)

    @property
    def result(self) -> str | None:
        """The text of the last value."""
        results = [o for o in self.outputs if o["output_type"] == "execute_result"]
        return results[-1]["data"]["text/plain"] if results else None

    def bundles(self, mime: str = "text/plain") -> list[Any]:
        return [o["data"][mime] for o in self.outputs if mime in o.get("data", {})]


class Kernel:
    """One kernel process in directory `cwd`. A context manager: the process is gone afterwards."""

    def __init__(self, cwd: Path, env: Mapping[str, str] | None = None) -> None:
        self._cwd = cwd
        self._env = {**os.environ, "IPYTHONDIR": str(cwd / ".ipython"), "PYTHONUNBUFFERED": "1", **(env or {})}
        self._start()

    def _start(self) -> None:
        # A spec of our own: the kernelspecs of the machine may name another interpreter.
        spec = KernelSpec(
            argv=[sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}"], language="python"
        )
        self._manager = KernelManager()
        self._manager._kernel_spec = spec
        with open(self._cwd / "kernel.log", "ab") as log:  # what the process itself says, not what cells print
            self._manager.start_kernel(cwd=str(self._cwd), env=self._env, stdout=log, stderr=log)
        self._client = self._manager.blocking_client()
        self._client.start_channels()
        self._client.wait_for_ready(timeout=LIMIT)

    @property
    def pid(self) -> int:
        return int(self._manager.provisioner.pid)

    def submit(self, code: str) -> str:
        """Send a cell without waiting; `collect` it by the id given back, in the order of sending."""
        return str(self._client.execute(code, allow_stdin=False))

    def collect(self, request: str) -> Ran:
        """Wait for a cell's reply and for the kernel to be idle again."""
        ran = Ran("lost")
        is_clear_due = False
        displays: dict[str, list[dict[str, Any]]] = {}
        until = time.monotonic() + LIMIT
        while True:
            message = self._client.get_iopub_msg(timeout=max(0.1, until - time.monotonic()))
            if message["parent_header"].get("msg_id") != request:
                continue
            kind, content = message["msg_type"], message["content"]
            if kind == "status" and content["execution_state"] == "idle":
                break
            if kind == "clear_output":
                is_clear_due = content["wait"]
                if not is_clear_due:
                    ran.outputs.clear()
                continue
            if kind == "update_display_data":
                for output in displays.get(content["transient"]["display_id"], []):
                    output.update(data=content["data"], metadata=content["metadata"])
                continue
            if kind not in ("stream", "display_data", "execute_result", "error"):
                continue
            if is_clear_due:
                ran.outputs.clear()
                is_clear_due = False
            if kind == "stream":
                last = ran.outputs[-1] if ran.outputs else {}
                if last.get("name") == content["name"]:
                    last["text"] += content["text"]
                else:
                    ran.outputs.append({"output_type": "stream", "name": content["name"], "text": content["text"]})
                continue
            output = {"output_type": kind, **{k: v for k, v in content.items() if k != "transient"}}
            ran.outputs.append(output)
            if display_id := content.get("transient", {}).get("display_id"):
                displays.setdefault(display_id, []).append(output)
            if kind == "error":
                ran.error = (content["ename"], content["evalue"])
                ran.traceback = "\n".join(content["traceback"])
        while True:
            reply = self._client.get_shell_msg(timeout=max(0.1, until - time.monotonic()))
            if reply["parent_header"].get("msg_id") == request:
                ran.status = reply["content"]["status"]
                return ran

    def run(self, code: str) -> Ran:
        """Run a cell to its end."""
        return self.collect(self.submit(code))

    def ok(self, code: str) -> Ran:
        """Run a cell that must not fail."""
        ran = self.run(code)
        assert ran.status == "ok", f"{code}\n{ran.traceback or ran.outputs}"
        return ran

    def value(self, expression: str) -> Any:
        """The value of an expression of plain data, by its repr."""
        import ast

        result = self.ok(f"print(repr(({expression})))").text()
        return ast.literal_eval(result.strip())

    def wait_for(self, path: Path, least_bytes: int = 0) -> None:
        """Until the cell that is running has made a file, of at least this size: how a test knows that a body has
        begun."""
        until = time.monotonic() + LIMIT
        while not (path.exists() and path.stat().st_size >= least_bytes):
            if time.monotonic() > until:
                raise TimeoutError(f"{path} did not appear")
            time.sleep(0.01)

    def interrupt(self) -> None:
        """SIGINT, as the stop button sends it."""
        self._manager.interrupt_kernel()

    def kill(self) -> None:
        """SIGKILL; nothing in the process has a chance to clean up."""
        os.kill(self.pid, signal.SIGKILL)
        self._client.stop_channels()
        self._manager.provisioner.process.wait()
        self._manager.cleanup_resources()

    def restart(self) -> None:
        """SIGKILL, then a fresh kernel in the same place."""
        self.kill()
        self._start()

    def close(self) -> None:
        self._client.stop_channels()
        self._manager.shutdown_kernel(now=True)

    def __enter__(self) -> Kernel:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._manager.has_kernel:
            self.close()
