"""The committed notebooks: executed, small, clean, with generated cells that agree with the
settings classes.
"""

from __future__ import annotations

import re
from pathlib import Path

import nbformat
import pytest

from workbench.lessons.cells import parameters_cell, recipe_cells, settings_cell
from workbench.lessons.prepare import LIMIT_BYTES, clean
from workbench.techniques import get_technique, technique_names

FOLDER = Path(__file__).parents[2] / "notebooks"
NOTEBOOKS = sorted(FOLDER.glob("*.ipynb"))
CHECKED = "nbval-check-output"


@pytest.fixture(params=NOTEBOOKS, ids=lambda p: p.name)
def notebook(request):
    return nbformat.read(request.param, as_version=4)


def _tagged(notebook, tag):
    return [c for c in notebook.cells if tag in c.metadata.get("tags", [])]


def _code(notebook):
    return [c for c in notebook.cells if c.cell_type == "code"]


def test_there_is_a_first_notebook():
    assert (FOLDER / "00_start_here.ipynb") in NOTEBOOKS


def test_every_cell_was_executed_in_order_without_stderr(notebook):
    counts = [c.execution_count for c in _code(notebook)]
    assert counts == list(range(1, len(counts) + 1))
    assert not [
        o
        for c in _code(notebook)
        for o in c.outputs
        if o.get("name") == "stderr" or o.output_type == "error"
    ]


def test_something_is_checked_and_every_checked_cell_has_an_output(notebook):
    checked = _tagged(notebook, CHECKED)
    assert len(checked) >= 5
    assert all(c.outputs for c in checked)
    text = "\n".join(o.text for c in checked for o in c.outputs)
    assert text.count("True") >= 3, "verdicts are among what is checked"
    results = [c for c in checked if "settings" not in c.metadata["tags"]]  # those are as written
    shown = "\n".join(o.text for c in results for o in c.outputs)
    assert not re.search(r"\d+\.\d{3,}", shown), "no float that changes from run to run is checked"


def test_notebook_is_small_and_holds_no_widget_state(notebook, request):
    path = request.node.callspec.params["notebook"]
    assert path.stat().st_size <= LIMIT_BYTES
    assert "widgets" not in notebook.metadata
    before = nbformat.writes(notebook)
    clean(notebook)
    assert nbformat.writes(notebook) == before, (
        "what `python -m workbench.lessons.prepare` wrote was not edited since"
    )


def test_figures_are_kept_for_jupyter_and_for_code_hosts(notebook):
    kinds = [set(o.data) for c in _code(notebook) for o in c.outputs if "data" in o]
    plotly = [k for k in kinds if "application/vnd.plotly.v1+json" in k]
    assert plotly
    assert all("image/png" in k for k in plotly)
    assert any("text/html" in k for k in kinds), "tables as HTML"


def test_generated_cells_agree_with_the_declarations(notebook, request):
    (parameters,), (settings,) = _tagged(notebook, "parameters"), _tagged(notebook, "settings")
    values: dict = {}
    exec(parameters.source, values)
    name = request.node.callspec.params["notebook"].stem.partition("_")[2]
    if name in technique_names():
        declared = get_technique(name)
        given = {k: v for k, v in values.items() if not k.startswith("__")}
        assert parameters.source == parameters_cell(declared.settings, given)
        assert settings.source == settings_cell(name)
    else:
        assert (parameters.source, settings.source) == recipe_cells(values["steps"])


def test_prose_and_code_are_short(notebook):
    for cell in notebook.cells:
        if "parameters" in cell.metadata.get("tags", []):
            continue  # generated: a line a setting
        if cell.cell_type == "code":
            assert len(cell.source.splitlines()) <= 15, cell.source
        else:
            open_text = re.sub(r"<details>.*?</details>", "", cell.source, flags=re.DOTALL)
            assert len(open_text.split()) <= 120, cell.source[:80]
