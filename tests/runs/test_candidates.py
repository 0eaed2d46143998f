"""Candidates named by reference, and analyses that keep what they computed."""

from __future__ import annotations

import numpy as np
import pytest
from torch import nn

from workbench.errors import CandidateError, UnknownName
from workbench.events import Report
from workbench.keeping.candidates import keep
from workbench.runs.candidates import candidate_named
from workbench.task import Candidate

COMMON = {"budget": "smoke", "seed": 0, "device": "cpu", "report": Report()}


def network():
    return nn.Sequential(nn.Flatten(), nn.Linear(64, 10))


def wrong():
    return 5


def test_kept_folder_gives_its_candidate(digits_task, digits_cnn, tmp_path):
    keep(digits_cnn, tmp_path / "step", digits_task.example(4))
    found = candidate_named(str(tmp_path / "step"), digits_task.without_test(), **COMMON)
    assert (found.name, found.form) == (digits_cnn.name, "torch")


def test_untrained_model_of_the_task_is_trained_first(digits_task, monkeypatch):
    import dataclasses

    seen = []
    task = dataclasses.replace(
        digits_task.without_test(), fits={"cnn": {"max_steps": 20, "lr": 0.01}}
    )
    from workbench.training import loop as training

    fit = training.fit
    monkeypatch.setattr(training, "fit", lambda *a, **k: seen.append(a[2]) or fit(*a, **k))
    found = candidate_named("cnn", task, **COMMON)
    assert (seen[0].max_steps, seen[0].lr) == (20, 0.01), (
        "with what the task changes in the usual settings"
    )
    fresh = task.candidate("cnn", seed=0)[0].model
    assert any(
        not np.array_equal(a.detach(), b.detach())
        for a, b in zip(found.model.parameters(), fresh.parameters(), strict=True)
    )


def test_code_gives_a_candidate_and_everything_else_is_refused(digits_task):
    task = digits_task.without_test()
    found = candidate_named("tests.test_starting:network", task, **COMMON)
    assert isinstance(found, Candidate)
    assert found.prepare == task.prepare
    with pytest.raises(CandidateError, match="gave int; it must give a trained torch module"):
        candidate_named("tests.test_starting:wrong", task, **COMMON)
    with pytest.raises(UnknownName, match="Did you mean `cnn`.*folder of a run"):
        candidate_named("cn", task, **COMMON)


def test_models_given_to_make_task_can_be_built_by_name(digits_task):
    from workbench.tasks.make import make_task

    rows = digits_task.data.train
    images = np.asarray(rows.inputs["image"], np.float32)
    task = make_task(
        "mine", model=network(), train=(images, rows.targets), models={"small": network}
    )
    assert set(task.builders) == {"untrained", "small"}
    assert task.candidate()[1], "the model itself is still where it starts"
