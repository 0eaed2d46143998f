"""Notebooks are executed with more time for late outputs than papermill gives by itself."""

from __future__ import annotations

from importlib.metadata import entry_points

import nbformat
import papermill
import papermill.engines
import pytest
from nbformat import v4

from workbench.lessons.engine import OUTPUT_SECONDS


@pytest.fixture
def chosen(monkeypatch):
    """The options that the client of papermill is made with, in place of an execution."""
    options_seen = {}

    class Client:
        def __init__(self, nb_man, **options):
            options_seen.update(options)

        def execute(self):
            return None

    monkeypatch.setattr(papermill.engines, "PapermillNotebookClient", Client)
    return options_seen


def test_notebook_gets_its_parameters_and_time_for_late_outputs(tmp_path, chosen):
    tagged = v4.new_code_cell("root = ''", metadata={"tags": ["parameters"]})
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    notebook = v4.new_notebook(cells=[tagged], metadata={"kernelspec": kernel})
    nbformat.write(notebook, tmp_path / "in.ipynb")
    out = tmp_path / "out.ipynb"
    papermill.execute_notebook(
        tmp_path / "in.ipynb",
        out,
        parameters={"root": "elsewhere"},
        kernel_name="python3",
        engine_name="workbench",
    )
    assert chosen["iopub_timeout"] == OUTPUT_SECONDS > 4
    assert chosen["kernel_name"] == "python3"
    assert 'root = "elsewhere"' in nbformat.read(out, as_version=4).cells[1].source


def test_engine_of_papermill_waits_as_long(chosen):
    (entry,) = entry_points(group="papermill.engine", name="workbench")
    entry.load().execute_managed_notebook(None, "python3")
    assert chosen["iopub_timeout"] == OUTPUT_SECONDS
    assert chosen["kernel_name"] == "python3"
