"""Arguments of make_task that are of a wrong kind are refused by name, all in one error."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

import workbench as wb
from workbench.errors import DataError, TaskError

X = np.random.default_rng(0).normal(size=(200, 6)).astype(np.float32)
Y = (X[:, 0] > 0).astype(np.int64)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"kind": "classifier"}, "Unknown kind `classifier`. Did you mean `classification`"),
        ({"kind": ["binary"]}, "Unknown kind"),
        ({"classes": "ab"}, "`classes` must be a list of labels"),
        ({"classes": {"a", "b"}}, "`classes` must be a list of labels"),
        ({"classes": ["a", "a"]}, "`classes` names 'a' twice"),
        ({"classes": np.array(3)}, "labels or names in order, got one value, array(3)"),
        ({"metric": []}, "`metric` is an empty list"),
        ({"loss": 3}, "`loss` must be a function, got 3"),
        ({"augment": {}}, "`augment` must be a function"),
        ({"prepare": 3}, "`prepare` must be a function of named arrays"),
        ({"seed": -1}, "`seed` must be a whole number from 0 on, got -1"),
        ({"seed": True}, "`seed` must be a whole number from 0 on, got True"),
        ({"outputs": "logit"}, "Did you mean `logits`"),
        ({"output": 1.5}, "`output` must be the name of an output, or its place"),
        ({"models": ["a"]}, "`models` must map names to functions"),
        ({"train": None}, "`train` is missing"),
        ({"name": 3}, "`name` must be text, got 3"),
    ],
)
def test_argument_of_a_wrong_kind_is_refused_by_its_name(arguments: Any, words: str) -> None:
    usual = {"name": "t", "model": nn.Linear(6, 2), "train": (X, Y)}
    with pytest.raises(TaskError) as refused:
        wb.make_task(**{**usual, **arguments})
    assert words in str(refused.value)


def test_all_wrong_arguments_are_told_at_once() -> None:
    with pytest.raises(TaskError, match=r"(?s)2 problems.*`seed`.*`loss`"):
        wb.make_task("t", train=(X, Y), seed="a", loss="b")


def test_classes_are_taken_when_they_are_an_array() -> None:
    task = wb.make_task("t", train=(X, Y), classes=np.array(["no", "yes"]))
    assert task.classes == ("no", "yes")


def test_generator_of_samples_is_read_into_memory() -> None:
    samples = ((x, y) for x, y in zip(X, Y, strict=True))
    task = wb.make_task("t", model=nn.Linear(6, 2), train=samples)
    assert sum(task.data.sizes().values()) == 200


class Broken(torch.utils.data.Dataset):
    def __len__(self) -> int:
        return 200

    def __getitem__(self, i: int) -> Any:
        raise LookupError("row 5 is not on the disk")


def _broken() -> Iterator[Any]:
    yield X[0], Y[0]
    raise LookupError("row 5 is not on the disk")


@pytest.mark.parametrize("data", [Broken(), _broken()])
def test_error_of_a_users_dataset_is_told_with_its_class(data: Any) -> None:
    with pytest.raises(DataError, match="raised LookupError.*row 5 is not on the disk"):
        wb.make_task("t", train=data)


def test_class_in_place_of_a_dataset_is_refused() -> None:
    with pytest.raises(DataError, match="`Broken` is a class: give an object of it"):
        wb.make_task("t", train=Broken)


def test_loss_that_compares_each_output_with_each_target_is_refused() -> None:
    with pytest.raises(TaskError, match="each with each: give both one shape"):
        wb.make_task("t", model=nn.Linear(6, 2), train=(X, Y), loss=nn.functional.mse_loss)


def test_network_is_refused_when_its_outputs_are_complex() -> None:
    class Net(nn.Linear):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return super().forward(x).to(torch.complex64)

    with pytest.raises(TaskError, match="outputs are complex numbers"):
        wb.make_task("t", model=Net(6, 2), train=(X, Y))


def test_metric_is_refused_when_it_gives_no_number() -> None:
    with pytest.raises(TaskError, match="it gave 'good', which is no number"):
        wb.make_task("t", model=nn.Linear(6, 2), train=(X, Y), metric=lambda o, t: "good")


@pytest.mark.parametrize("given", [None, {}, 3])
def test_prepare_is_refused_when_it_gives_no_named_arrays(given: Any) -> None:
    with pytest.raises(DataError, match="must give named arrays"):
        wb.make_task("t", train=(X, Y), prepare=lambda rows: given)


def test_lazy_network_is_refused_with_its_own_error_when_it_cannot_be_called() -> None:
    net = nn.Sequential(nn.Conv2d(1, 2, 3), nn.Flatten(), nn.LazyLinear(2))
    with pytest.raises(TaskError, match="the call raised RuntimeError: Expected 3D"):
        wb.make_task("t", model=net, train=(X, Y))
