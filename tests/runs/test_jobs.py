"""The builder that a job hands to a technique makes a model as the task itself makes it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from tests.runs.example_techniques import rebuilt
from workbench.errors import SettingsError
from workbench.models.lazy import lazy_layers
from workbench.runs.candidates import candidate_named
from workbench.runs.jobs import builder_for
from workbench.task import Task
from workbench.tasks.make import make_task
from workbench.technique import Job, TechniqueSettings

ROWS = np.random.default_rng(0).normal(size=(300, 6)).astype(np.float32)
LABELS = (ROWS[:, 0] + ROWS[:, 1] > 0).astype(int)


def lazy(width: int = 8) -> nn.Module:
    return nn.Sequential(nn.LazyLinear(width), nn.ReLU(), nn.LazyLinear(2))


class TwoOutputs(nn.Module):
    """Gives a mapping; its last layer is lazy."""

    def __init__(self) -> None:
        super().__init__()
        self.main, self.aux = nn.Linear(6, 2), nn.LazyLinear(2)

    def forward(self, x: torch.Tensor) -> dict[str, torch.Tensor]:
        return {"main": self.main(x), "aux": self.aux(x)}


ready = lazy()


class FirstThree:
    """Prepares rows as their first three columns."""

    def __call__(self, inputs: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        return {"x": inputs["x"][:, :3]}


def task_of(model: Any, **options: Any) -> Task:
    return make_task("jobs", model=model, train=(ROWS, LABELS), **options)


def builder_of(task: Task, **changes: Any) -> Callable[..., Any]:
    build = builder_for(replace(task.candidate()[0], **changes), task)
    assert build is not None
    return build


@pytest.mark.parametrize("model", [lazy, lazy()], ids=["builder", "instance"])
def test_lazy_layers_have_their_sizes(model):
    built = builder_of(task_of(model))()
    assert lazy_layers(built) == []
    assert [tuple(p.shape) for p in built.parameters()] == [(8, 6), (8,), (2, 8), (2,)]


def test_lazy_layers_have_the_sizes_of_the_arguments_and_of_the_prepare_of_the_candidate():
    build = builder_of(task_of(lazy), prepare=FirstThree(), builder_args={"width": 5})
    assert build()[0].weight.shape == (5, 3)
    assert build(width=4)[0].weight.shape == (4, 3)


@pytest.mark.parametrize("model", [TwoOutputs, TwoOutputs()], ids=["builder", "instance"])
def test_built_network_gives_the_output_of_the_task(model):
    built = builder_of(task_of(model, output="aux"))()
    rows = torch.from_numpy(ROWS[:4])
    assert torch.equal(built(rows), built.aux(rows))


@pytest.mark.filterwarnings("ignore:The weights were float64")
def test_built_network_is_settled():
    built = builder_of(task_of(lambda: nn.Linear(6, 2).double()))()
    assert built.weight.dtype is torch.float32


def test_unknown_argument_is_refused_by_name():
    with pytest.raises(SettingsError, match="argument of model `lazy` `widht`.*`width`"):
        builder_of(task_of(lazy))(widht=3)


def test_technique_trains_a_lazy_network_that_it_builds(tmp_path):
    task = task_of(lazy).without_test()
    start = task.candidate()[0]
    job = Job(task, start, tmp_path, build=builder_for(start, task))
    outcome = rebuilt(job, TechniqueSettings(budget="smoke"))
    assert outcome.candidate.model[0].weight.shape == (8, 6)


def test_lazy_module_by_reference_is_sized_by_the_seed_and_is_not_trained():
    task = task_of(lazy)
    first, again, other = (
        candidate_named("tests.runs.test_jobs:ready", task, seed=seed) for seed in (0, 0, 1)
    )
    assert not first.is_trained
    assert first.candidate.model[0].weight.shape == (8, 6)
    assert lazy_layers(ready) == ["0", "2"], "the original stays as it is"
    weights = [named.candidate.model[0].weight for named in (first, again, other)]
    assert torch.equal(weights[0], weights[1])
    assert not torch.equal(weights[0], weights[2])
