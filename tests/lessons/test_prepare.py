"""Preparing notebooks for a commit: executed, cleaned of what readers never see, refused when they
are noisy.
"""

from __future__ import annotations

import os

import nbformat
import pytest
from nbformat import v4

from workbench.errors import RunError
from workbench.lessons import prepare as module
from workbench.lessons.prepare import clean, prepare

WIDGET = "application/vnd.jupyter.widget-view+json"


@pytest.fixture
def environment(monkeypatch):
    """`prepare` sets variables for the kernel; they are put back afterwards."""
    for name in ("WORKBENCH_RUNS", "PLOTLY_RENDERER"):
        monkeypatch.setenv(name, os.environ.get(name, ""))


@pytest.fixture
def written(tmp_path, environment):
    """`written(cells)` is the file of a notebook with these cells, run by the kernel python3."""

    def write(*cells):
        notebook = v4.new_notebook(cells=list(cells))
        notebook.metadata["kernelspec"] = {
            "name": "python3",
            "language": "python",
            "display_name": "Mine",
        }
        path = tmp_path / "tiny.ipynb"
        nbformat.write(notebook, path)
        return path

    return write


def _cell(source, *outputs, **metadata):
    return v4.new_code_cell(source, outputs=list(outputs), metadata=metadata)


def test_clean_takes_out_widget_state_and_keeps_what_readers_see():
    shown = v4.new_output(
        "display_data",
        data={WIDGET: {"model_id": "1"}, "text/plain": "Form()", "text/html": "<b>x</b>"},
    )
    notebook = v4.new_notebook(cells=[_cell("show()", shown), v4.new_markdown_cell("words")])
    notebook.metadata["widgets"] = {"application/vnd.jupyter.widget-state+json": {"state": {}}}
    clean(notebook)
    assert set(notebook.metadata) == {"kernelspec", "language_info"}
    assert notebook.metadata["kernelspec"]["name"] == "python3"
    assert notebook.cells[0].outputs[0].data == {"text/plain": "Form()", "text/html": "<b>x</b>"}
    assert notebook.cells[1].source == "words"
    nbformat.validate(notebook)


def test_clean_keeps_tags_and_drops_all_other_metadata_of_cells():
    notebook = v4.new_notebook(
        cells=[
            _cell(
                "a = 1",
                tags=["parameters"],
                papermill={"duration": 1.5},
                execution={"iopub.status.busy": "2026"},
            ),
            _cell("b = 1", papermill={"duration": 1.5}),
            _cell("c = 1", tags=[]),
        ]
    )
    clean(notebook)
    folded = {"tags": ["parameters"], "jupyter": {"source_hidden": True}}
    assert [dict(c.metadata) for c in notebook.cells] == [folded, {}, {}]


def test_clean_takes_out_injected_parameters():
    notebook = v4.new_notebook(
        cells=[
            _cell("a = 1", tags=["parameters"]),
            _cell("a = 2", tags=["injected-parameters"]),
            _cell("print(a)"),
        ]
    )
    clean(notebook)
    assert [c.source for c in notebook.cells] == ["a = 1", "print(a)"]


def test_clean_does_nothing_more_the_second_time():
    notebook = v4.new_notebook(
        cells=[_cell("a = 1", v4.new_output("stream", text="x"), tags=["settings"], other=1)]
    )
    clean(notebook)
    once = nbformat.writes(notebook)
    clean(notebook)
    assert nbformat.writes(notebook) == once


def test_prepared_notebook_is_executed_in_place_with_runs_in_a_folder_of_their_own(written):
    source = (
        "import os\nprint(n * 7, os.environ['WORKBENCH_RUNS'] != before, "
        "os.environ['PLOTLY_RENDERER'])"
    )
    before = os.environ["WORKBENCH_RUNS"]
    path = written(
        _cell(f"n = 2\nbefore = {before!r}", tags=["parameters"]), _cell(source, tags=["checked"])
    )
    assert prepare(path, parameters={"n": 6}) == path
    notebook = nbformat.read(path, as_version=4)
    assert [c.source.splitlines()[0] for c in notebook.cells] == ["n = 2", "import os"], (
        "injected parameters are not kept"
    )
    assert notebook.cells[1].outputs[0].text == f"42 True {module.RENDERER}\n"
    assert [dict(c.metadata) for c in notebook.cells] == [
        {"tags": ["parameters"], "jupyter": {"source_hidden": True}},
        {"tags": ["checked"]},
    ]
    assert "papermill" not in notebook.metadata
    assert [p.name for p in path.parent.iterdir()] == ["tiny.ipynb"]


def test_notebook_that_writes_to_stderr_is_refused_and_left_as_it_was(written):
    path = written(_cell("print('fine')"), _cell("import sys\nprint('noise', file=sys.stderr)"))
    before = path.read_bytes()
    noisy = nbformat.read(path, as_version=4).cells[1]["id"]
    with pytest.raises(RunError, match=rf"tiny.ipynb: the cells {noisy} write to stderr"):
        prepare(path)
    assert path.read_bytes() == before


def _pretend_to_run(monkeypatch, *outputs):
    """Execution replaced: the notebook comes back with these outputs in its first cell."""
    import papermill

    def execute(source, target, **_):
        notebook = nbformat.read(source, as_version=4)
        notebook.cells[0].outputs = list(outputs)
        nbformat.write(notebook, target)

    monkeypatch.setattr(papermill, "execute_notebook", execute)


def test_notebook_over_the_limit_is_refused_and_left_as_it_was(written, monkeypatch):
    path = written(_cell("print('x' * 300_000)"))
    before = path.read_bytes()
    _pretend_to_run(monkeypatch, v4.new_output("stream", text="x" * module.LIMIT_BYTES))
    with pytest.raises(RunError, match="would have 30. KB, over 300"):
        prepare(path)
    assert path.read_bytes() == before


def test_stdout_is_no_noise(written, monkeypatch):
    path = written(_cell("print('x')"))
    _pretend_to_run(monkeypatch, v4.new_output("stream", name="stdout", text="x\n"))
    assert nbformat.read(prepare(path), as_version=4).cells[0].outputs[0].text == "x\n"
