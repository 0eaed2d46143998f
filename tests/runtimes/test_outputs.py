"""Outputs of a candidate: those that cannot fit the task are refused, and asking for them changes
nothing in a network.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from sklearn.datasets import load_wine
from torch import nn

from tests.small_tasks import digits_task, with_split
from workbench.errors import TaskError
from workbench.runtimes.outputs import outputs_of
from workbench.task import Candidate, Task
from workbench.tasks.checks import check_task

SPLITS = ("train", "valid", "calibration", "test")


@pytest.mark.parametrize(
    ("kind", "n_out", "wanted"),
    [
        (
            "classification",
            9,
            r"\(batch, n_classes\) with n_classes = 10, and gave \(32, 9\) for 32 rows",
        ),
        ("binary", 3, r"\(batch,\), \(batch, 1\) or \(batch, 2\), and gave \(32, 3\)"),
        ("regression", 2, r"\(batch, 1\), and gave \(32, 2\)"),
        ("multilabel", 5, r"\(batch, 4\), and gave \(32, 5\)"),
    ],
)
def test_check_task_refuses_outputs_that_do_not_fit_the_labels(
    kind: str, n_out: int, wanted: str
) -> None:
    task = digits_task(kind=kind, start=Candidate("net", "torch", nn.Linear(64, n_out)))
    to_targets = {
        "classification": lambda t: t,
        "binary": lambda t: t % 2,
        "regression": lambda t: t * 1.5,
        "multilabel": lambda t: (t[:, None] >> np.arange(4)) & 1,
    }[kind]
    splits = {
        n: replace(getattr(task.data, n), targets=to_targets(getattr(task.data, n).targets))
        for n in SPLITS
    }
    with pytest.raises(TaskError, match=f"`net` must give outputs {wanted}"):
        check_task(with_split(task, **splits))


def test_check_task_warns_of_a_softmax_at_the_end() -> None:
    (warning,) = check_task(
        digits_task(
            start=Candidate("net", "torch", nn.Sequential(nn.Linear(64, 10), nn.Softmax(1)))
        )
    )
    assert "seems to end in a softmax" in warning


def test_outputs_of_leaves_every_part_of_a_network_in_its_mode() -> None:
    net = nn.Sequential(nn.Linear(13, 8), nn.BatchNorm1d(8), nn.Dropout(0.5)).train()
    net[1].eval()
    before = net[1].running_mean.clone()
    x = load_wine().data[:5]
    first, second = (outputs_of(Candidate("net", "torch", net), {"x": x}) for _ in range(2))
    assert np.array_equal(first, second)
    assert [m.training for m in net.modules()] == [True, True, False, True]
    assert torch.equal(net[1].running_mean, before)


def _binary(task: Task, n_labels: int = 1) -> Task:
    """Digits as one label (odd or not), or as the bits of the digit."""
    bits = {
        n: (rows.targets[:, None] >> np.arange(n_labels)) & 1 for n, rows in vars(task.data).items()
    }
    splits = {
        n: replace(getattr(task.data, n), targets=b if n_labels > 1 else b[:, 0])
        for n, b in bits.items()
    }
    return replace(
        with_split(task, **splits), kind="multilabel" if n_labels > 1 else "binary", classes=()
    )


@pytest.mark.parametrize("n_labels", [1, 4])
def test_check_task_warns_of_a_sigmoid_at_the_end(n_labels: int) -> None:
    squashed = nn.Sequential(nn.Linear(64, 16), nn.ReLU(), nn.Linear(16, n_labels), nn.Sigmoid())
    (warning,) = check_task(
        _binary(digits_task(start=Candidate("net", "torch", squashed)), n_labels)
    )
    assert "`net` seems to end in a sigmoid: loss and metrics read logits; leave it out" in warning


@pytest.mark.parametrize("value", [0.0, 0.3])
def test_check_task_does_not_take_small_logits_for_probabilities(value: float) -> None:
    plain = nn.Sequential(nn.Linear(64, 16), nn.ReLU(), nn.Linear(16, 1))
    nn.init.zeros_(plain[2].weight)
    nn.init.constant_(plain[2].bias, value)
    before = [w.clone() for w in plain.parameters()]
    assert check_task(_binary(digits_task(start=Candidate("net", "torch", plain)))) == []
    assert all(torch.equal(a, b) for a, b in zip(before, plain.parameters(), strict=True))
