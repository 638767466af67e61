"""A notebook that was run and exported: its file and its HTML hold the table, with no widget and no script needed."""

from __future__ import annotations

from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient
from nbconvert import HTMLExporter

pytestmark = pytest.mark.slow

CELLS = [
    "import resonate_nb as rnb\nfrom resonate_nb import durable",
    "rnb.inspect()",
    "@durable(id='made-after-{n}', version=1)\ndef work(n):\n    return n\n\nwork(1)",
    "work(1)",
]


def test_export_holds_the_table_as_it_was_at_the_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path / "ipython"))
    monkeypatch.setenv("RESONATE_NB_STORE", str(tmp_path / "store"))
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(source) for source in CELLS])
    notebook.metadata["kernelspec"] = {"name": "python3", "display_name": "Python 3", "language": "python"}
    NotebookClient(
        notebook, kernel_name="python3", store_widget_state=True, resources={"metadata": {"path": str(tmp_path)}}
    ).execute()

    widget, static = (output for output in notebook.cells[1].outputs if output.output_type == "display_data")
    assert "application/vnd.jupyter.widget-view+json" in widget.data
    html = static.data["text/html"]
    assert "data-rnb-static=" in html
    assert "made-after-1@1" in html, "the table was written once and never again"
    assert "1 promise: 1 resolved" in html
    assert "replayed" in html, "a hit commits nothing, and is to be seen all the same"
    assert "made-after-1@1" in static.data["text/plain"]

    model = widget.data["application/vnd.jupyter.widget-view+json"]["model_id"]
    saved = notebook.metadata["widgets"]["application/vnd.jupyter.widget-state+json"]["state"][model]
    assert {"base", "middle", "tail"} == {buffer["path"][0] for buffer in saved["buffers"]}

    page, _ = HTMLExporter().from_notebook_node(notebook)
    assert "data-rnb-static=" in page
    assert page.count("made-after-1@1") >= 1
