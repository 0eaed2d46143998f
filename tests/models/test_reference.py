"""The reference weights have the logged hash and reach the logged accuracy."""

from __future__ import annotations

import hashlib
import json

import numpy as np
import pytest

from workbench.errors import CandidateError
from workbench.models import reference
from workbench.models.resnet import resnet20
from workbench.tasks import load_task
from workbench.training.evaluate import predict_torch


def test_weights_are_those_of_the_log_and_reach_their_accuracy_on_test():
    log = json.loads(reference.LOG.read_text(encoding="utf-8"))
    assert hashlib.sha256(reference.WEIGHTS.read_bytes()).hexdigest() == log["sha256"]
    task = load_task("fashion")
    model = resnet20()
    reference.load_resnet20(model)
    test = task.data.test
    accuracy = float(
        np.mean(predict_torch(model, test, prepare=task.prepare).argmax(1) == test.targets)
    )
    assert accuracy >= 0.925
    assert accuracy == pytest.approx(log["accuracy"]["test"], abs=0.001)


def test_changed_weights_are_refused(tmp_path, monkeypatch):
    changed = tmp_path / "w.safetensors"
    changed.write_bytes(reference.WEIGHTS.read_bytes()[:-1] + b"\x01")
    monkeypatch.setattr(reference, "WEIGHTS", changed)
    with pytest.raises(
        CandidateError, match="was changed: its SHA-256 .*: install the package again"
    ):
        reference.load_resnet20(resnet20())


def test_sizes_of_the_reference_networks_are_as_documented():
    from workbench.models.cnn import cnn

    assert sum(p.numel() for p in resnet20().parameters()) == pytest.approx(270_000, rel=0.05)
    assert sum(p.numel() for p in cnn().parameters()) == pytest.approx(100_000, rel=0.1)
