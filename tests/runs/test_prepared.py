"""Ledgers prepared earlier: written from a run, read as they were, and shown by the lessons."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.factories import make_run
from workbench.errors import RunError
from workbench.ledger.tables import html
from workbench.runs import prepared
from workbench.runs.prepared import prepare_ledger, prepared_ledger
from workbench.runs.trail import Trail

NOTEBOOKS = Path(__file__).parents[2] / "notebooks"
LESSONS = sorted(p.stem for p in NOTEBOOKS.glob("0[2-9]_*.ipynb"))
MOST_BYTES = 20_000


@pytest.fixture
def notebooks(tmp_path, monkeypatch):
    monkeypatch.setattr(prepared, "notebooks_folder", lambda: tmp_path / "notebooks")
    return tmp_path / "notebooks"


def test_ledger_is_read_as_it_was_written(notebooks, tmp_path):
    run = make_run(tmp_path / "runs")
    path = prepare_ledger("07_example", run)
    assert path == notebooks / "prepared" / "07_example.json"
    trail, read = Trail(run), prepared_ledger("07_example")
    assert list(read.rows) == trail.rows
    assert read.test == trail.test
    assert read.summary == trail.summary


def test_it_says_processor_date_and_command_before_the_table(notebooks, tmp_path):
    prepare_ledger("07_example", make_run(tmp_path / "runs"))
    read = prepared_ledger("07_example")
    first, second = repr(read).splitlines()
    assert first.startswith("Prepared earlier on ")
    assert first.endswith("with: workbench run recipe.yml")
    assert second == read.summary
    shown = read._repr_html_()
    assert shown.index("Prepared earlier on") < shown.index("<table")
    assert shown.endswith(html(read.rows, read.test))


def test_run_that_did_not_finish_is_not_taken(notebooks, tmp_path):
    run = make_run(tmp_path / "runs", status="failed")
    with pytest.raises(RunError, match="failed"):
        prepare_ledger("07_example", run)
    assert not notebooks.exists()


def test_unknown_and_damaged_ones_are_refused_by_name(notebooks, tmp_path):
    path = prepare_ledger("07_example", make_run(tmp_path / "runs"))
    with pytest.raises(RunError, match="Did you mean `07_example`"):
        prepared_ledger("7_example")
    path.write_text("{}")
    with pytest.raises(RunError, match=r"07_example\.json is damaged"):
        prepared_ledger("07_example")


@pytest.mark.parametrize("name", LESSONS)
def test_every_lesson_shows_its_own_of_the_budget_standard(name):
    read = prepared_ledger(name)
    technique = name.partition("_")[2]
    assert read.command.startswith(f"workbench {technique} ")
    assert read.command.endswith("--budget standard")
    assert {row.budget for row in read.rows} == {"standard"}
    assert read.rows[-1].technique == technique
    assert read.test is not None
    assert read.test.looks == 1
    assert (NOTEBOOKS / "prepared" / f"{name}.json").stat().st_size < MOST_BYTES
    cells = json.loads((NOTEBOOKS / f"{name}.ipynb").read_text(encoding="utf-8"))["cells"]
    (cell,) = [c for c in cells if f'wb.prepared_ledger("{name}")' in "".join(c["source"])]
    assert cell["metadata"]["tags"] == ["lesson"]
    (output,) = cell["outputs"]
    assert "".join(output["data"]["text/plain"]) == repr(read)
    assert read.command in "".join(output["data"]["text/html"])
