"""What make_task takes, converts, warns of and refuses in models, losses and outputs."""

from __future__ import annotations

import threading

import numpy as np
import pytest
import torch
from torch import nn

import workbench as wb
from workbench.errors import TaskError, WorkbenchWarning

RNG = np.random.default_rng(0)
X = RNG.normal(size=(300, 6)).astype(np.float32)
Y = (X[:, 0] > 0).astype(int)
COUNTS = RNG.integers(0, 50, (300, 6))


def mlp() -> nn.Sequential:
    return nn.Sequential(nn.Linear(6, 16), nn.ReLU(), nn.Linear(16, 2))


class Two(nn.Module):
    """Gives features of one width, then scores of another."""

    def __init__(self, width: int = 16, names: tuple[str, str] | None = None) -> None:
        super().__init__()
        self.names = names
        self.a, self.b = nn.Linear(6, width), nn.Linear(width, 2)

    def forward(self, x: torch.Tensor) -> object:
        hidden = self.a(x).relu()
        outputs = (hidden, self.b(hidden))
        return dict(zip(self.names, outputs, strict=True)) if self.names else outputs


@pytest.mark.parametrize("dtype", ["float64", "float16", ">f4", ">f8", "int16", "int64", "uint8"])
def test_arrays_of_any_number_type_reach_the_network(dtype):
    rows = (X * 10).astype(dtype) if np.dtype(dtype).kind == "f" else COUNTS.astype(dtype)
    task = wb.make_task("t", model=mlp(), train=(rows, Y))
    assert task.read((rows[:4], Y[:4])).inputs["x"].shape == (4, 6)


def test_whole_numbers_that_are_looked_up_stay_whole():
    net = nn.Sequential(nn.EmbeddingBag(50, 8), nn.Linear(8, 2))
    task = wb.make_task("t", model=net, train=(COUNTS, Y))
    assert task.data.train.inputs["x"].dtype.kind == "i"


def test_only_the_inputs_that_are_multiplied_become_floats():
    class Mixed(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.look, self.own = nn.Embedding(50, 4), nn.Linear(6, 6)
            self.head = nn.Linear(24 + 6, 2)

        def forward(self, tokens: torch.Tensor, counts: torch.Tensor) -> torch.Tensor:
            return self.head(torch.cat([self.look(tokens).flatten(1), self.own(counts)], 1))

    task = wb.make_task("t", model=Mixed(), train=({"tokens": COUNTS, "counts": COUNTS}, Y))
    assert task.data.valid.inputs["tokens"].dtype.kind == "i"
    assert task.data.valid.inputs["counts"].dtype == np.float32
    assert task.read(({"tokens": COUNTS, "counts": COUNTS}, Y)).inputs["counts"].dtype.kind == "f"


def test_whole_numbers_of_a_torch_dataset_become_floats():
    data = torch.utils.data.TensorDataset(torch.tensor(COUNTS), torch.tensor(Y))
    task = wb.make_task("t", model=mlp(), train=data)
    assert task.data.train.take(slice(0, 2)).inputs["x"].dtype == np.float32


def test_what_was_changed_of_a_model_is_warned_of():
    with pytest.warns(WorkbenchWarning, match=r"weights were float64.*model\.float\(\)"):
        task = wb.make_task("t", model=mlp().double(), train=(X, Y))
    assert next(task.start.model.parameters()).dtype is torch.float32


def test_a_builder_of_wrapped_modules_builds_plain_ones():
    task = wb.make_task("t", model=lambda: nn.DataParallel(mlp().double()), train=(X, Y))
    built = task.build(next(iter(task.builders)))
    assert type(built) is nn.Sequential
    assert built[0].weight.dtype is torch.float32


def test_an_output_of_the_wrong_width_is_refused_and_the_right_one_named():
    with pytest.raises(TaskError, match=r"gave \(32, 16\).*`output=1` has such a shape"):
        wb.make_task("t", model=Two(), train=(X, Y))
    with pytest.raises(TaskError, match="`output='scores'` has such a shape"):
        wb.make_task("t", model=Two(names=("features", "scores")), train=(X, Y))


@pytest.mark.parametrize(
    ("names", "output"), [(None, 1), (("features", "scores"), "scores"), (("f", "logits"), None)]
)
def test_the_right_output_is_taken_in_the_network_and_in_its_onnx_file(names, output):
    from workbench.runtimes.outputs import outputs_of
    from workbench.runtimes.to_onnx import to_onnx

    task = wb.make_task("t", model=Two(names=names), train=(X, Y), output=output)
    inputs = task.example(16)
    outputs = outputs_of(task.start, inputs)
    assert outputs.shape == (16, 2)
    exported = to_onnx(task.start, inputs)
    np.testing.assert_allclose(outputs_of(exported, inputs), outputs, rtol=1e-4, atol=1e-5)


def test_two_outputs_of_a_right_shape_are_warned_of():
    with pytest.warns(WorkbenchWarning, match="several outputs of a right shape.*`output=1`"):
        wb.make_task("t", model=Two(width=2), train=(X, Y))


@pytest.mark.parametrize(
    ("loss", "words"),
    [
        (nn.CrossEntropyLoss(reduction="none"), r"gave shape \(32,\).*reduction='mean'"),
        (lambda o, t: float(nn.functional.cross_entropy(o, t)), "must give a tensor"),
        (lambda o, t: nn.functional.cross_entropy(o, t).detach(), "without a gradient"),
        (lambda o, t: o.sum() * float("nan"), "gave nan"),
        (nn.MSELoss(), "compares outputs .* each with each"),
        (lambda o: o.sum(), "raised TypeError"),
    ],
)
def test_a_loss_that_cannot_train_is_refused(loss, words):
    with pytest.raises(TaskError, match=words):
        wb.make_task("t", model=mlp, train=(X, Y), loss=loss)


def test_a_training_step_is_tried():
    def step(model, inputs, targets):
        return nn.functional.cross_entropy(model(inputs["x"]), targets, reduction="none")

    with pytest.raises(TaskError, match=r"train_step `step` gave shape \(32,\)"):
        wb.make_task("t", model=mlp, train=(X, Y), train_step=step)


def test_a_good_loss_is_accepted():
    wb.make_task("t", model=mlp, train=(X, Y), loss=nn.CrossEntropyLoss(label_smoothing=0.1))


def test_an_exported_program_is_refused_with_the_way_out():
    program = torch.export.export(mlp().eval(), (torch.rand(3, 6),))
    with pytest.raises(TaskError, match="ExportedProgram"):
        wb.make_task("t", model=program, train=(X, Y))


def test_a_module_with_a_lock_is_refused_by_the_name_of_the_attribute():
    net = mlp()
    net[0].guard = threading.Lock()
    with pytest.raises(TaskError, match=r"`0\.guard` \(lock\)"):
        wb.make_task("t", model=net, train=(X, Y))
