"""The manual in a real kernel: killed with SIGKILL in the middle of a step, run again from the top, and compared with
a run that nothing disturbed: every variable by content, every output as it is shown."""

from __future__ import annotations

import ast
import asyncio
import json
import os
import re
import signal
import subprocess
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import nbformat
import pytest
from jupyter_client.kernelspec import KernelSpecManager
from jupyter_client.manager import AsyncKernelManager
from nbclient import NotebookClient
from nbclient.exceptions import DeadKernelError

from resonate_nb.clock import SystemClock
from resonate_nb.protocol import Promise, State, TaskState
from resonate_nb.runtime import Engine
from resonate_nb.store import Query, SqliteStore

NOTEBOOKS = Path(__file__).resolve().parents[2] / "notebooks"

PROBE = """
def _probe():
    import hashlib, json, types
    import resonate_nb as rnb

    def digest(raw):
        return hashlib.sha256(raw).hexdigest()[:16]

    def describe(value):
        kind = type(value).__name__
        if hasattr(value, "to_frame") or hasattr(value, "columns"):
            import pandas as pd
            hashed = pd.util.hash_pandas_object(value, index=True).to_numpy().tobytes()
            columns = [str(part) for part in getattr(value, "columns", [value.name if kind == "Series" else ""])]
            return [kind, list(value.shape), columns, str(value.dtypes), digest(hashed)]
        if hasattr(value, "tobytes"):
            return [kind, str(value.dtype), list(value.shape), digest(value.tobytes())]
        if hasattr(value, "estimators_"):
            return [kind, digest(value.predict_proba(X).tobytes())]
        if isinstance(value, dict):
            return [kind, [[repr(key), describe(item)] for key, item in value.items()]]
        return [kind, repr(value)]

    plain = (types.ModuleType, types.FunctionType, type)
    hidden = get_ipython().user_ns_hidden
    return json.dumps({
        name: describe(value)
        for name, value in get_ipython().user_ns.items()
        if not (name.startswith("_") or name in hidden or name in ("In", "Out"))
        and not isinstance(value, plain) and not hasattr(value, "__wrapped__")
    }, sort_keys=True)
"""

ENGINE = "__import__('resonate_nb.runtime', fromlist=['engine']).engine()"
HITS = f"{{id: [each.count, each.saved_ms] for id, each in {ENGINE}.hits.items() if each.count}}"


@dataclass(frozen=True)
class Case:
    """A notebook, made smaller where that changes no idea in it, and where to kill its kernel."""

    name: str
    kill_in: str
    after_finished: int
    smaller: Mapping[str, str]
    """Cell id -> its source in the test; every other cell is the manual's own."""
    rewritten: tuple[tuple[str, str], ...] = ()


TOUR = Case("00_tour", "longest_chain/*", 1, {}, (("600_000", "200_000"), ("50_000", "5_000")))
FLIGHTS = Case(
    "10_flights",
    "fold/*",
    2,
    {"parameters": "N_FLIGHTS = 12_000\nN_FOLDS = 4\nN_TREES = 20\nSEED = 20130101"},
)
WHAT_COUNTS = Case("20_what_counts", "", 0, {})
PAGES = [TOUR, FLIGHTS, WHAT_COUNTS]


@dataclass(frozen=True)
class Left:
    """What a run left behind."""

    outputs: dict[str, list[object]]
    variables: dict[str, Any]
    promises: list[Promise]
    replayed: dict[str, list[int]]
    """Promise id -> hits in this run, milliseconds saved."""


class Session:
    """One kernel over a folder; the store is all it shares with the next one."""

    def __init__(self, case: Case, folder: Path) -> None:
        self.case = case
        self.folder = folder
        self.store = folder / "store"
        self.notebook = nbformat.read(NOTEBOOKS / f"{case.name}.ipynb", 4)
        known = {cell.id for cell in self.notebook.cells}
        assert set(case.smaller) <= known, "the notebook has lost a cell that the test makes smaller"
        for cell in self.notebook.cells:
            if cell.cell_type != "code":
                continue
            cell.outputs = []
            cell.source = case.smaller.get(cell.id, cell.source)
            for old, new in case.rewritten:
                cell.source = cell.source.replace(old, new)

    def run(self, *, kill: bool = False) -> Left | None:
        """Run All in a new kernel. With `kill`, SIGKILL as soon as the step in question runs; None is left then."""
        return asyncio.run(self._run(kill))

    async def _run(self, kill: bool) -> Left | None:
        self.folder.mkdir(exist_ok=True)
        manager = AsyncKernelManager(kernel_name="python3", kernel_spec_manager=KernelSpecManager(kernel_dirs=[]))
        environment = {k: v for k, v in os.environ.items() if k not in ("RESONATE_NB", "MPLBACKEND")}
        environment["RESONATE_NB_STORE"] = str(self.store)
        client = NotebookClient(self.notebook, km=manager, timeout=300)
        try:
            await client.async_start_new_kernel(env=environment, cwd=str(self.folder), stderr=subprocess.DEVNULL)
            await client.async_start_new_kernel_client()
            cells = asyncio.ensure_future(self._cells(client))
            if kill:
                await self._until(self._in_the_middle, cells)
                await manager.signal_kernel(signal.SIGKILL)
                with pytest.raises(DeadKernelError):
                    await cells
                return None
            await cells
            variables = await self._ask(client, "_probe()")
            replayed = await self._ask(client, f"__import__('json').dumps({HITS})")
        finally:
            if client.kc is not None:
                client.kc.stop_channels()
            await manager.shutdown_kernel(now=True)
        outputs = {cell.id: _shown(cell.outputs) for cell in self.notebook.cells if cell.cell_type == "code"}
        return Left(outputs, variables, self._promises(), replayed)

    async def _cells(self, client: NotebookClient) -> None:
        for index, cell in enumerate(self.notebook.cells):
            await client.async_execute_cell(cell, index)

    async def _ask(self, client: NotebookClient, expression: str) -> dict[str, Any]:
        message = client.kc.execute(PROBE, silent=True, user_expressions={"answer": expression})
        reply = await client.async_wait_for_reply(message)
        answer = reply["content"]["user_expressions"]["answer"]
        assert answer["status"] == "ok", answer
        return json.loads(ast.literal_eval(answer["data"]["text/plain"]))

    async def _until(self, condition: Callable[[Engine], bool], cells: asyncio.Future[None]) -> None:
        """Return once the condition holds, looked at after each commit of any process."""
        changed = asyncio.Event()
        loop = asyncio.get_running_loop()
        engine = Engine(SqliteStore.open(self.store, clock=SystemClock()))
        unwatch = engine.watch(lambda: loop.call_soon_threadsafe(changed.set))
        try:
            while not condition(engine):
                waiter = asyncio.ensure_future(changed.wait())
                await asyncio.wait({waiter, cells}, timeout=120, return_when=asyncio.FIRST_COMPLETED)
                assert waiter.done(), "the notebook came to its end, or nothing happened, before it could be killed"
                changed.clear()
        finally:
            unwatch()
            engine.close()

    def _in_the_middle(self, engine: Engine) -> bool:
        steps = [p for p in engine.search(Query()) if fnmatchcase(p.id, self.case.kill_in)]
        finished = sum(step.state is State.RESOLVED for step in steps)
        running = [step for step in steps if step.state is State.PENDING and step.task is TaskState.ACQUIRED]
        return finished >= self.case.after_finished and bool(running)

    def _promises(self) -> list[Promise]:
        engine = Engine(SqliteStore.open(self.store, clock=SystemClock()))
        try:
            return engine.search(Query())
        finally:
            engine.close()


def _shown(outputs: list[Any]) -> list[object]:
    """Outputs without what may differ between two good runs: addresses, times, owners, counts and the replay mark.

    Our own lines say what happened in *this* run and are left out; anything else is compared.
    """
    shown: list[object] = []
    for output in outputs:
        if output.output_type == "stream":
            text = "".join(
                line for line in output.text.splitlines(keepends=True) if not line.startswith("[resonate_nb] ")
            )
            # How a stream falls into messages is chance, and our lines may have stood between two of them.
            if shown and isinstance(shown[-1], list) and shown[-1][0] == output.name:
                shown[-1][1] += _same(text)
            elif text:
                shown.append([output.name, _same(text)])
        elif output.output_type in ("display_data", "execute_result"):
            # The last value of a replayed cell is displayed, not returned: there is no place of its own for it.
            data, html = dict(output.data), str(output.data.get("text/html", ""))
            if "application/vnd.jupyter.widget-view+json" in data:
                shown.append(["widget", sorted(data)])
            elif "rnb-static" in html:
                shown.append(["static inspector", sorted(data)])
            elif "rnb-why" in html:
                shown.append(["why", data["text/plain"].splitlines()[0]])
            elif "rnb-handle" in html:  # says who computed it, and in which attempt: another one after a kill
                shown.append(["handle", re.sub(r", attempt \d+", "", data["text/plain"])])
            elif "rnb-mark" not in html and "rnb-line" not in html:
                shown.append({kind: _same(str(body)) for kind, body in sorted(data.items())})
        else:
            shown.append([output.output_type, output.ename, output.evalue])
    return shown


def _same(text: str) -> str:
    text = re.sub(r"0x[0-9a-f]+", "0x…", text)
    return re.sub(r"\b\d+(\.\d+)? (ms|s|m|h)\b", "… s", text)


@pytest.mark.parametrize("case", PAGES, ids=lambda case: case.name)
def test_committed_notebook_shows_a_good_run_and_is_small(case: Case) -> None:
    """Readers on GitHub see these outputs; what only a living kernel can show is not kept."""
    path = NOTEBOOKS / f"{case.name}.ipynb"
    assert path.stat().st_size < 300_000
    notebook = nbformat.read(path, 4)
    nbformat.validate(notebook)
    assert "widgets" not in notebook.metadata
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert [cell.execution_count for cell in code] == list(range(1, len(code) + 1)), "run from the top, once"
    outputs = [output for cell in code for output in cell.outputs]
    assert {output.output_type for output in outputs} <= {"stream", "execute_result", "display_data"}
    assert not [output for output in outputs if "application/vnd.jupyter.widget-view+json" in output.get("data", {})]
    assert not [output.text for output in outputs if output.get("name") == "stderr"]
    assert any("rnb-static" in output.get("data", {}).get("text/html", "") for output in outputs)


@pytest.mark.slow
def test_what_counts_is_as_the_page_says(tmp_path: Path) -> None:
    """The page is about which edits run: what it shows is what happens. It has a store of its own each time."""
    page = nbformat.read(NOTEBOOKS / f"{WHAT_COUNTS.name}.ipynb", 4)
    written = {cell.id: _shown(cell.outputs) for cell in page.cells if cell.cell_type == "code"}
    left = Session(WHAT_COUNTS, tmp_path / "page").run()
    assert left is not None
    # The live view is not kept in a file.
    del written["inspect"], left.outputs["inspect"]
    assert written == left.outputs
    ran = [cell for cell, outputs in written.items() if ["stdout", "computing\n"] in outputs]
    assert ["define", "edit", "global", "file", "file-edited", "service", "unsure", "depends", "in-place"] == ran


def test_the_tour_has_fewer_than_ten_cells() -> None:
    assert len(nbformat.read(NOTEBOOKS / "00_tour.ipynb", 4).cells) < 10


@pytest.fixture(scope="module", params=[TOUR, FLIGHTS], ids=lambda case: case.name)
def runs(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Left]:
    """Four kernels: an undisturbed one, one that is killed, the one after it, and one more over the same store."""
    case: Case = request.param
    folder = tmp_path_factory.mktemp(case.name)
    undisturbed = Session(case, folder / "undisturbed").run()
    killed = folder / "killed"
    Session(case, killed).run(kill=True)
    after = Session(case, killed).run()
    again = Session(case, killed).run()
    assert undisturbed is not None
    assert after is not None
    assert again is not None
    return {"undisturbed": undisturbed, "after": after, "again": again}


@pytest.mark.slow
@pytest.mark.parametrize("which", ["after", "again"])
def test_variables_are_those_of_an_undisturbed_run(runs: dict[str, Left], which: str) -> None:
    assert runs["undisturbed"].variables, "the probe must have seen something"
    assert runs["undisturbed"].variables == runs[which].variables


@pytest.mark.slow
@pytest.mark.parametrize("which", ["after", "again"])
def test_displayed_output_is_that_of_an_undisturbed_run(runs: dict[str, Left], which: str) -> None:
    expected, got = runs["undisturbed"].outputs, runs[which].outputs
    assert any(expected.values())
    assert list(expected) == list(got)
    for cell, outputs in expected.items():
        assert outputs == got[cell], f"cell {cell}"


@pytest.mark.slow
def test_the_run_after_the_kill_replays_what_had_finished(runs: dict[str, Left]) -> None:
    """The interrupted step has a second attempt; what the first kernel settled has no second generation."""
    after = runs["after"]
    assert after.replayed
    assert all(promise.state is State.RESOLVED for promise in after.promises)
    assert [promise.id for promise in after.promises if "~" in promise.id] == []
    taken_over = {promise.id for promise in after.promises if promise.version > 1}
    assert taken_over, "some promise must have been acquired twice"
    assert taken_over.isdisjoint(after.replayed)


@pytest.mark.slow
def test_the_next_run_computes_nothing(runs: dict[str, Left]) -> None:
    after, again = runs["after"], runs["again"]
    assert {p.id: p.version for p in after.promises} == {p.id: p.version for p in again.promises}
    assert again.replayed
