"""Runs that go on from earlier ones: starts by reference, the first start, and looks at test."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.preprocessing import StandardScaler
from torch import nn

import workbench as wb
from workbench.errors import StoreError, UnknownName
from workbench.model_form import Training
from workbench.runs.candidates import candidate_named, trained
from workbench.runs.jobs import builder_for
from workbench.runs.looks import count_look
from workbench.runs.step_folders import FIRST
from workbench.system.files import read_json
from workbench.tasks.make import make_task

ROWS = np.random.default_rng(0).normal(size=(300, 6))
LABELS = np.digitize(ROWS[:, 0] + ROWS[:, 1], [-0.6, 0.6])  # of two classes AUCs take seconds


def net(width: int = 16):
    return nn.Sequential(nn.Linear(6, width), nn.ReLU(), nn.Linear(width, 3))


@pytest.fixture(scope="module")
def task():
    return make_task("chain", model=net, train=(ROWS.astype(np.float32), LABELS))


@pytest.fixture(scope="module")
def first(task, tmp_path_factory):
    """A finished run with one step, its test left closed."""
    step = {"pruning": {"pruning_ratio": 0.5, "fit": {"epochs": 1, "max_steps": 20}}}
    root = tmp_path_factory.mktemp("runs")
    return wb.run([step], task, budget="smoke", test="never", root=root)


@pytest.mark.slow
def test_run_goes_on_from_another_and_compares_with_its_first_start(task, first):
    root = first.folder.parent
    second = wb.run([], task, start=str(first.folder), budget="smoke", root=root)
    copied = second.folder / "steps" / "00-start" / FIRST / "candidate.json"
    assert read_json(copied)["name"] == "net", "the start of the first run, not its last candidate"
    assert second.rows[0].candidate == "net-pruned"
    assert second.rows[0].against_start, "judged against the start of the first run"
    assert second.rows[0].size_ratio > 1.2
    third = wb.run([], task, start=str(second.folder), budget="smoke", root=root)
    again = third.folder / "steps" / "00-start" / FIRST / "candidate.json"
    assert read_json(again)["sha256"] == read_json(copied)["sha256"]
    assert third.test.looks == second.test.looks + 1, "the same test rows, whatever run looks"


@pytest.mark.slow
def test_registered_model_is_a_start(task, first):
    root = first.folder.parent
    named = candidate_named("models:/chain-net@challenger", task, root=root)
    assert named.is_trained
    assert named.candidate.name == "net-pruned"
    assert named.candidate.form == "torch"
    with pytest.raises(StoreError, match="has no model `models:/nothing@champion`"):
        candidate_named("models:/nothing@champion", task, root=root)
    with pytest.raises(StoreError, match="write models:/NAME@ALIAS"):
        candidate_named("models:/nothing", task, root=root)


@pytest.mark.slow
def test_test_stays_closed_until_it_is_opened_by_hand(task, first):
    assert first.test is None
    assert not (first.folder / "final.json").exists()
    run = wb.attach(first.folder)
    line = run.open_test()
    assert line.looks >= 1
    assert wb.attach(first.folder).result.test.text == line.text
    assert not list((first.folder / "private").glob("*.pkl")), "nothing private is left"


def test_looks_are_counted_for_rows_and_not_for_folders(task, tmp_path):
    test = task.data.test
    assert [count_look(tmp_path, test) for _ in range(3)] == [1, 2, 3]
    assert count_look(tmp_path, task.data.valid) == 1
    assert count_look(tmp_path, test, before=9) == 10, "as a run of 0.1.0 counted"


def test_builder_is_asked_again_for_the_number_of_inputs_after_another_prepare():
    class Half:
        def __call__(self, inputs):
            return {"x": inputs["x"][:, :3].astype(np.float32)}

    task = make_task("t", model=lambda n_in: nn.Linear(n_in, 3), train=(ROWS, LABELS))
    candidate, _ = task.candidate()
    assert candidate.model.in_features == 6
    narrow = wb.Candidate(**{**candidate.__dict__, "prepare": Half()})
    assert builder_for(narrow, task)().in_features == 3


def test_builder_arguments_travel(tmp_path):
    task = make_task("t", model=net, train=(ROWS, LABELS), prepare=StandardScaler())
    candidate, _ = task.candidate("net", args={"width": 96})
    assert candidate.builder_args == {"width": 96}
    assert builder_for(candidate, task)()[0].out_features == 96
    assert builder_for(candidate, task)(width=8)[0].out_features == 8
    with pytest.raises(wb.WorkbenchError, match="argument of model `net` `widht`.*`width`"):
        task.build("net", widht=3)
    from workbench.keeping.candidates import keep
    from workbench.runs.candidates import load_candidate

    fitted = trained(candidate_named("net", task), task, Training("smoke"))
    assert fitted.builder == "t/net"
    keep(candidate, tmp_path / "kept", task.example(16, candidate.prepare), task=task)
    assert load_candidate(tmp_path / "kept", task).model[0].out_features == 96


def test_name_that_is_nothing_known_is_refused(task):
    with pytest.raises(UnknownName, match="models:/NAME@ALIAS"):
        candidate_named("nothing", task)
