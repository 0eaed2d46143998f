"""`wb.run` in a notebook: an estimate of its time is printed first."""

from __future__ import annotations

import sys
from types import SimpleNamespace

import pytest

import workbench as wb
from workbench.errors import RecipeError
from workbench.runs import launch
from workbench.widgets import running


@pytest.fixture
def started(monkeypatch):
    """Arguments of runs, which are not started."""
    seen = []
    monkeypatch.setattr(launch, "run", lambda *words, **options: seen.append((words, options)))
    return seen


@pytest.fixture
def notebook(monkeypatch):
    shell = SimpleNamespace(kernel=object())
    monkeypatch.setitem(sys.modules, "IPython", SimpleNamespace(get_ipython=lambda: shell))


def test_shelf_has_this_run():
    assert wb.run is running.run


def test_estimate_is_one_line_before_the_run(started, notebook, capsys, tmp_path):
    wb.run(["pruning"], "digits", budget="smoke", root=tmp_path)
    assert started == [((["pruning"], "digits"), {"budget": "smoke", "root": tmp_path})]
    (line,) = capsys.readouterr().out.splitlines()
    assert line.startswith(("About", "At least", "First run"))


def test_whole_recipe_is_estimated_too(started, notebook, capsys):
    wb.run(wb.Recipe.make("digits", ["pruning"]), root=None, store="")
    assert len(capsys.readouterr().out.splitlines()) == 1


def test_script_prints_nothing(started, capsys):
    wb.run(["pruning"], "digits")
    assert len(started) == 1
    assert not capsys.readouterr().out


def test_wrong_recipe_is_refused_before_anything_is_printed(started, notebook, capsys):
    with pytest.raises(RecipeError, match="Did you mean `pruning`"):
        wb.run(["prunin"], "digits")
    assert not started
    assert not capsys.readouterr().out
