"""Candidates named by reference, and analyses that keep what they computed."""

from __future__ import annotations

import numpy as np
import pytest
from torch import nn

from workbench.errors import UnknownName
from workbench.events import Report
from workbench.keeping.candidates import keep
from workbench.model_form import Training
from workbench.runs.candidates import candidate_named, trained
from workbench.task import Candidate

SMOKE = Training("smoke", 0, "cpu", Report())


def network() -> nn.Module:
    return nn.Sequential(nn.Flatten(), nn.Linear(64, 10))


def unannotated():
    raise AssertionError("a function without the annotation must not be called")


def wrong() -> nn.Module:
    return 5


ready = network()


def test_kept_folder_gives_its_candidate(digits_task, digits_cnn, tmp_path):
    keep(digits_cnn, tmp_path / "step", digits_task.example(4))
    named = candidate_named(str(tmp_path / "step"), digits_task.without_test())
    assert (named.candidate.name, named.candidate.form) == (digits_cnn.name, "torch")
    assert named.is_trained
    assert named.folder == tmp_path / "step"


def test_untrained_model_of_the_task_is_trained_first(digits_task, monkeypatch):
    import dataclasses

    import workbench.training as training

    seen = []
    own = {"max_steps": 20, "lr": 0.01}
    task = dataclasses.replace(digits_task.without_test(), fits={"cnn": own})
    fit = training.fit
    monkeypatch.setattr(training, "fit", lambda *a, **k: seen.append(a[2]) or fit(*a, **k))
    candidate = trained(candidate_named("cnn", task), task, SMOKE)
    assert (seen[0].max_steps, seen[0].lr) == (20, 0.01), (
        "with what the task changes in the usual settings"
    )
    assert seen[0].batch_size == 128, "and the usual settings elsewhere"
    assert candidate.fit == own, "steps after it take the same where theirs are None"
    fresh = task.candidate("cnn", seed=0)[0].model
    assert any(
        not np.array_equal(a.detach(), b.detach())
        for a, b in zip(candidate.model.parameters(), fresh.parameters(), strict=True)
    )


def test_code_gives_a_candidate_and_everything_else_is_refused(digits_task):
    task = digits_task.without_test()
    for name in ("network", "ready"):
        candidate = candidate_named(f"tests.runs.test_candidates:{name}", task).candidate
        assert isinstance(candidate, Candidate)
        assert candidate.prepare == task.prepare
    with pytest.raises(UnknownName, match="gave int, not a Candidate or a torch module"):
        candidate_named("tests.runs.test_candidates:wrong", task)
    with pytest.raises(UnknownName, match="was not called: .* must be annotated `-> Candidate`"):
        candidate_named("tests.runs.test_candidates:unannotated", task)
    with pytest.raises(UnknownName, match="was not called"):
        candidate_named("os:system", task)
    with pytest.raises(UnknownName, match="Did you mean `cnn`.*folder of a run"):
        candidate_named("cn", task)


def test_models_given_to_make_task_can_be_built_by_name(digits_task):
    from workbench.tasks.make import make_task

    rows = digits_task.data.train
    images = np.asarray(rows.inputs["image"], np.float32)
    task = make_task(
        "mine", model=network(), train=(images, rows.targets), models={"small": network}
    )
    assert set(task.builders) == {"untrained", "small"}
    assert task.candidate()[1], "the model itself is still where it starts"
