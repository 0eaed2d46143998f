"""analyse(): the task, the start and the options that an analysis gets."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pandas as pd
import pytest

from tests.runs.example_techniques import PlainSettings
from workbench.errors import SettingsError, TaskError, UnknownName
from workbench.runs.analyses import analyse
from workbench.task import Task
from workbench.technique import Job, Outcome, technique
from workbench.techniques import TECHNIQUES, get_technique
from workbench.testing import torch_candidate, torch_task

REFERENCE = f"{__name__}:named_task"
JOBS: list[Job] = []


def named_task(name: str) -> Task:
    """A task with a trained start, under a name."""
    return replace(torch_task(), name=name, start=torch_candidate())


def _count(job: Job, settings: PlainSettings, *, offset: int = 0) -> dict[str, pd.DataFrame]:
    JOBS.append(job)
    return {"rows": pd.DataFrame({"valid": [len(job.task.data.valid) + offset]})}


@technique("counting", title="Counting", accepts=("torch",), actions={"rows": _count})
def counting(job: Job, settings: PlainSettings) -> Outcome:
    """Changes nothing."""
    return Outcome(job.start, settings)


@pytest.fixture(autouse=True)
def registered(monkeypatch):
    monkeypatch.setitem(TECHNIQUES._places, "counting", [counting])
    monkeypatch.setattr(TECHNIQUES, "_loaded", dict(TECHNIQUES._loaded))
    JOBS.clear()


def _analyse(task: Any, tmp_path, **options: Any) -> dict[str, pd.DataFrame]:
    return analyse("counting", "rows", task, root=tmp_path, **options)


def test_task_by_reference_gets_its_arguments(tmp_path):
    tables = _analyse(REFERENCE, tmp_path, task_args={"name": "mine"})
    assert JOBS[0].task.name == "mine"
    assert JOBS[0].task.data.test is None
    assert tables["rows"].valid.item() == 350
    written = pd.read_csv(tmp_path / "analyses" / "counting-rows" / "rows.csv")
    assert written.valid.item() == 350


def test_other_options_go_to_the_analysis(tmp_path):
    assert _analyse(named_task("mine"), tmp_path, offset=7)["rows"].valid.item() == 357


def test_arguments_beside_a_task_that_is_an_object_are_refused(tmp_path):
    with pytest.raises(TaskError, match=r"`mine` is a task already: make it with these arguments"):
        _analyse(named_task("mine"), tmp_path, task_args={"name": "yours"})
    assert not JOBS


def test_unknown_action_is_refused_with_those_that_there_are(tmp_path):
    with pytest.raises(UnknownName, match="Did you mean `rows`"):
        analyse("counting", "row", named_task("mine"), root=tmp_path)


def test_registered_start_is_read_from_the_given_store(tmp_path, monkeypatch):
    seen = []

    def model_folder(reference, store, root):
        seen.append((reference, store, root))
        raise UnknownName("not here")

    monkeypatch.setattr("workbench.store.registry.model_folder", model_folder)
    with pytest.raises(UnknownName, match="not here"):
        _analyse(named_task("mine"), tmp_path, start="models:/net@champion", store="sqlite:///x.db")
    assert seen == [("models:/net@champion", "sqlite:///x.db", tmp_path)]


def test_settings_without_effect_on_the_model_are_refused(tmp_path):
    settings = get_technique("regularization").settings(penalty="ridge")
    with pytest.raises(SettingsError, match="`penalty` is for sklearn models.*form torch"):
        analyse("regularization", "sweep", "digits", start="cnn", settings=settings, root=tmp_path)
