"""Small tasks, trained teachers and small students for the tests of distillation."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import torch
from sklearn.datasets import load_breast_cancer, load_diabetes
from torch import nn

from workbench.data.rows import Rows, Splits
from workbench.metrics import METRICS
from workbench.task import Candidate, Task
from workbench.techniques import get_technique
from workbench.training import FitSettings, fit

FIXED = {"precision": "fp32", "memory_format": "contiguous"}
QUICK = {"epochs": 3, "max_steps": 25, **FIXED}


def settings(**values: Any) -> Any:
    """Settings of a training that takes a tenth of a second."""
    fit_values = {**QUICK, **values.pop("fit", {})}
    return get_technique("distillation").settings(
        **{"budget": "smoke", "fit": fit_values, **values}
    )


def small(n_classes: int = 10) -> nn.Module:
    """A student for 8x8 images, smaller than all of the package."""
    return nn.Sequential(
        nn.Conv2d(1, 8, 3, 2, padding=1),
        nn.BatchNorm2d(8),
        nn.ReLU(),
        nn.Conv2d(8, 16, 3, padding=1),
        nn.ReLU(),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(16, n_classes),
    )


def nine() -> nn.Module:
    return small(9)


def ending() -> nn.Module:
    return nn.Sequential(small(), nn.Softmax(1))


SMALL = "tests.techniques.distillation.examples:small"


def table_task(kind: str, *, n_out: int = 1) -> Task:
    """Breast cancer with one or two labels, or diabetes; the builders are `big` and `little`."""
    raw = load_diabetes() if kind == "regression" else load_breast_cancer()
    order = np.random.default_rng(0).permutation(len(raw.target))
    x = ((raw.data - raw.data.mean(0)) / raw.data.std(0))[order].astype(np.float32)
    y = raw.target[order]
    if kind == "regression":
        y = ((y - y.mean()) / y.std()).astype(np.float32)
    if kind == "multilabel":
        y = np.stack([y, x[:, 0] > 0], axis=1).astype(np.float32)
    rows = Rows({"x": x}, y)
    n = len(rows)
    cuts = {"train": (0, n - 160), "valid": (n - 160, n - 40), "calibration": (n - 40, n)}
    metric = {"regression": "mse", "multilabel": "label_accuracy"}.get(kind, "accuracy")
    n_in, n_out = x.shape[1], y.shape[1] if y.ndim == 2 else n_out
    return Task(
        f"small {kind}",
        kind,
        Splits(**{k: rows.take(slice(*c)) for k, c in cuts.items()}),
        (METRICS[metric],),
        builders={
            "big": lambda: nn.Sequential(nn.Linear(n_in, 64), nn.ReLU(), nn.Linear(64, n_out)),
            "little": lambda: nn.Sequential(nn.Linear(n_in, 4), nn.ReLU(), nn.Linear(4, n_out)),
        },
        classes=("no", "yes") if kind == "binary" else (),
    )


def trained(task: Task, name: str = "big") -> Candidate:
    """A candidate of the task, trained for 8 epochs."""
    candidate, _ = task.candidate(name)
    return candidate.fitted(fit(candidate.model, task, FitSettings(epochs=8, **FIXED)).model)


def shifted(inputs: dict[str, torch.Tensor], generator: torch.Generator) -> dict[str, torch.Tensor]:
    """Images rolled by one to three pixels."""
    return {
        n: torch.roll(t, int(torch.randint(1, 4, (1,), generator=generator)), -1)
        for n, t in inputs.items()
    }


def counted(candidate: Candidate) -> tuple[Candidate, list[int]]:
    """The candidate with a network that records the rows of each call, also in its copies."""
    calls: list[int] = []
    model = candidate.model.eval()
    recording = type(model)(*model)  # the layers are shared, the hook is not
    recording.eval().register_forward_hook(_record(calls))
    return replace(candidate, model=recording), calls


def _record(calls: list[int]) -> Any:
    def hook(_module: Any, inputs: Any, _output: Any) -> None:
        calls.append(len(inputs[0]))

    return hook
