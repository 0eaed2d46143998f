"""Networks with lazy layers: sized by rows of train when a task builds them."""

from __future__ import annotations

import copy
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from torch import nn
from torch.utils.data import DataLoader

from workbench.errors import TaskError
from workbench.forms.torch import FORM
from workbench.keeping.structure import read_network, save_network
from workbench.models.lazy import lazy_layers, shaped
from workbench.models.networks import copied
from workbench.tasks.make import make_task

RNG = np.random.default_rng(0)
Y = RNG.integers(0, 3, 120)
IMAGES = RNG.normal(size=(120, 1, 8, 8)).astype(np.float32)
TABLE = RNG.normal(size=(120, 5)).astype(np.float32)


def sequential() -> nn.Sequential:
    return nn.Sequential(
        nn.LazyConv2d(8, 3), nn.LazyBatchNorm2d(), nn.ReLU(), nn.Flatten(), nn.LazyLinear(3)
    )


class Nested(nn.Module):
    """Lazy layers inside a dictionary of modules."""

    def __init__(self) -> None:
        super().__init__()
        block = nn.Sequential(nn.LazyConv2d(8, 3, padding=1), nn.LazyBatchNorm2d(), nn.ReLU())
        self.body = nn.ModuleDict({"first": block})
        self.head = nn.LazyLinear(3)

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        return self.head(self.body["first"](image).mean((2, 3)))


class Resets(nn.Module):
    """Has `reset_parameters` of its own, which resets a lazy layer too."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.last = nn.LazyLinear(8), nn.Linear(8, 3)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        self.first.reset_parameters()
        nn.init.xavier_uniform_(self.last.weight)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.last(torch.relu(self.first(x)))


class TwoInputs(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.first, self.last = nn.LazyLinear(4), nn.LazyLinear(3)

    def forward(self, left: torch.Tensor, right: torch.Tensor) -> torch.Tensor:
        return self.last(torch.cat([self.first(left), right], 1))


class Unused(nn.Module):
    """Calls one of its lazy layers in train mode only."""

    def __init__(self) -> None:
        super().__init__()
        self.used, self.extra = nn.LazyLinear(3), nn.LazyLinear(3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.used(x) + (self.extra(x) if self.training else 0)


class Fails(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.first = nn.LazyLinear(3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        raise RuntimeError("no such mode.")


def loader(**inputs: np.ndarray) -> DataLoader:
    """A data loader of dicts."""
    rows = [
        {**{name: torch.tensor(array[i]) for name, array in inputs.items()}, "labels": int(Y[i])}
        for i in range(len(Y))
    ]
    return DataLoader(rows, batch_size=16)


TWO = {"left": TABLE, "right": TABLE[:, :2].copy()}
CASES = {
    "builder": (sequential, (IMAGES, Y)),
    "instance": (sequential(), (IMAGES, Y)),
    "nested builder": (Nested, loader(image=IMAGES)),
    "nested instance": (Nested(), loader(image=IMAGES)),
    "own reset": (Resets, (TABLE, Y)),
    "own reset, instance": (Resets(), (TABLE, Y)),
    "two inputs": (TwoInputs, (TWO, Y)),
    "two inputs of a loader": (TwoInputs(), loader(**TWO)),
    "double": (lambda: sequential().double(), (IMAGES, Y)),
    "wrapped": (nn.DataParallel(sequential()), (IMAGES, Y)),
    "whole numbers": (
        lambda: nn.Sequential(nn.LazyLinear(8), nn.ReLU(), nn.LazyLinear(3)),
        (RNG.integers(0, 9, (120, 4)), Y),
    ),
    "tokens": (
        lambda: nn.Sequential(nn.Embedding(10, 4), nn.Flatten(), nn.LazyLinear(3)),
        (RNG.integers(0, 9, (120, 6)), Y),
    ),
}


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("case", CASES)
def test_candidate_has_all_sizes_and_weights_by_the_seed(case):
    model, data = CASES[case]
    task = make_task("lazy", model=model, train=data)
    (first, trained), (again, _), (other, _) = (task.candidate(seed=s) for s in (0, 0, 1))
    assert not trained, "weights that do not exist yet are not trained"
    assert lazy_layers(first.model) == []
    weights = [list(c.model.state_dict().values()) for c in (first, again, other)]
    assert all(torch.equal(a, b) for a, b in zip(weights[0], weights[1], strict=True))
    assert not all(torch.equal(a, b) for a, b in zip(weights[0], weights[2], strict=True))
    norms = [m for m in first.model.modules() if isinstance(m, nn.BatchNorm2d)]
    assert all(int(norm.num_batches_tracked) == 0 for norm in norms), "called in eval mode"
    assert first.model.training
    assert FORM.outputs(first, task.example(4)).shape == (4, 3)


def test_model_of_a_table_is_sized_by_its_prepared_columns():
    frame = pd.DataFrame({"a": TABLE[:, 0], "b": np.where(Y > 1, "x", "y"), "label": Y})
    models = {"lazy": lambda: nn.Sequential(nn.LazyLinear(8), nn.ReLU(), nn.LazyLinear(3))}
    task = make_task(
        "table",
        model=lambda: nn.Sequential(nn.LazyLinear(3)),
        models=models,
        train=frame,
        target="label",
    )
    for name in task.builders:
        model = task.candidate(name)[0].model
        assert model[0].in_features == next(iter(task.example(2).values())).shape[1]


@pytest.mark.parametrize(
    ("model", "words"),
    [
        (Unused, r"lazy layers \(`extra`\).*the call does not reach them\. Mend `forward`"),
        (Fails, r"lazy layers \(`first`\).*the call raised RuntimeError: no such mode\. Mend"),
    ],
)
def test_layer_without_a_size_is_refused_by_name(model, words):
    with pytest.raises(TaskError, match=words):
        make_task("lazy", model=model, train=(TABLE, Y))


def test_network_without_lazy_layers_is_not_called():
    def rows():
        raise AssertionError("asked for rows")

    net = nn.Linear(5, 3)
    assert shaped(net, rows) is net


def test_copy_of_a_lazy_network_leaves_the_original_lazy():
    net = Nested()
    with pytest.raises(ValueError, match="uninitialized"):
        copy.deepcopy(net)
    twin = copied(net)
    shaped(twin, lambda: {"image": IMAGES[:2]})
    assert lazy_layers(net) == ["body.first.0", "body.first.1", "head"]
    assert twin.body["first"][0].weight.shape == (8, 1, 3, 3)


def test_kept_network_loads_into_a_lazy_template(tmp_path: Path):
    torch.manual_seed(0)
    net = shaped(Nested(), lambda: {"image": IMAGES[:2]}).eval()
    rows = {"image": torch.from_numpy(IMAGES[:4])}
    save_network(net, tmp_path, rows)
    loaded = read_network(tmp_path, Nested())
    assert type(loaded) is Nested
    assert torch.equal(loaded(**rows), net(**rows))


def test_student_with_lazy_layers_is_sized_by_the_seed(job_of, tmp_path):
    from workbench.techniques.distillation.students import find_student

    student = find_student(job_of(), "tests.models.test_lazy:sequential_of", 10)
    first, again = student.build(0), student.build(0)
    assert lazy_layers(first) == []
    assert torch.equal(first[1].weight, again[1].weight)


def sequential_of(n_classes: int) -> nn.Sequential:
    return nn.Sequential(nn.Flatten(), nn.LazyLinear(n_classes))


def test_every_size_is_found_before_the_size_of_a_model_is_asked(job_of):
    from workbench.techniques.distillation.students import _size_of

    task = make_task("lazy", model=sequential, train=(IMAGES, Y))
    name = next(iter(task.builders))
    assert _size_of(partial(task.build, name)) > 0
