"""Training anew: each kind of `prepare` fitted on other rows, models of every source."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler
from torch import nn
from torch.utils.data import TensorDataset

from tests.small_tasks import digits_task
from workbench.data.prepare import Columns, Normalize
from workbench.data.rows import DatasetRows, Rows
from workbench.data.tokens import Tokens, WordPieces
from workbench.errors import CandidateError, DataError
from workbench.events import Report
from workbench.measure.anew import Anew, refitted
from workbench.measure.cross_validation import cross_validate
from workbench.models.transformed import Transformed
from workbench.task import Candidate

FIT = {"epochs": 20, "precision": "fp32", "memory_format": "contiguous"}


def linear() -> nn.Module:
    """A builder that a reference can name."""
    return nn.Linear(64, 10)


def _rows(**inputs: np.ndarray) -> Rows:
    return Rows(inputs, np.arange(len(next(iter(inputs.values())))) % 2)


def test_images_are_scaled_by_the_new_rows_under_the_same_name() -> None:
    images = np.arange(32.0).reshape(2, 4, 4)
    fresh = refitted(Normalize(1.0, 2.0, name="photo"), _rows(photo=images))
    assert fresh == Normalize(15.5, pytest.approx(images.std()), "photo")


def test_columns_have_the_categories_of_the_new_rows() -> None:
    old = Columns.fitted(_rows(a=np.array([1.0, 3.0]), b=np.array(["x", "y"], object)))
    fresh = refitted(old, _rows(a=np.array([5.0, 7.0]), b=np.array(["y", "y"], object)))
    assert fresh.categories == {"b": ["y"]}
    assert fresh.numeric["a"] == (6.0, 6.0, 1.0)


def test_columns_may_have_as_many_categories_as_before() -> None:
    names = np.array([f"c{i}" for i in range(200)], object)
    wide = Columns.fitted(_rows(b=names), max_categories=200)
    assert refitted(wide, _rows(b=names[:150])).n_features == 150
    with pytest.raises(DataError, match="150 categories"):
        refitted(Columns({}, {"b": ["x"]}), _rows(b=names[:150]))


def test_vocabulary_is_that_of_the_new_rows_and_never_larger_than_the_embedding() -> None:
    old = Tokens(("good", "bad"), length=7, name="review")
    texts = np.array(["fine fine fine", "poor poor", "dull dull"], object)
    assert refitted(old, _rows(review=texts)) == Tokens(("fine", "dull"), 7, "review")
    pieces = WordPieces()
    assert refitted(pieces, _rows(text=texts)) is pieces


def test_transformer_that_was_fitted_is_fitted_again_on_a_copy() -> None:
    old = Transformed(StandardScaler().fit(np.array([[100.0], [300.0]])))
    fresh = refitted(old, _rows(x=np.array([[1.0], [3.0]])))
    assert fresh.transformer.mean_ == [2.0]
    assert old.transformer.mean_ == [200.0]


def test_function_is_not_fitted() -> None:
    assert refitted(lambda inputs: inputs, _rows(x=np.zeros((2, 1)))) is None


def test_rows_of_a_torch_dataset_are_learned_from_too() -> None:
    task = digits_task(start=None, builders={"net": linear})
    train = task.data.train
    dataset = TensorDataset(torch.as_tensor(train.inputs["x"]), torch.as_tensor(train.targets))
    streamed = replace(task, data=replace(task.data, train=DatasetRows(dataset, ("x",))))
    candidate = replace(task.candidate()[0], fit=FIT)
    assert cross_validate(candidate, streamed, folds=2).mean > 0.3


def test_function_that_a_reference_names_makes_the_model() -> None:
    task = digits_task(builders={})
    assert task.start is not None
    named = replace(task.start, builder=f"{__name__}:linear", fit=FIT)
    result = cross_validate(named, task, folds=2)
    assert result.notes == ()
    assert result.mean > 0.3


def test_builder_of_another_form_is_refused() -> None:
    task = digits_task(builders={"net": LogisticRegression})
    assert task.start is not None
    with pytest.raises(CandidateError, match="is a torch module and cannot be trained anew"):
        Anew.of(replace(task.start, builder="digits/net"), task)


def test_estimator_learns_from_all_rows_of_its_part_and_a_network_keeps_some_for_stopping() -> None:
    task = digits_task(builders={"net": linear}, start=None)
    index = np.arange(0, 1000, 2)
    options = {"budget": "smoke", "seed": 0, "device": "cpu", "report": Report()}
    n_seen: list[int] = []

    class Counting(LogisticRegression):
        def fit(self, features: np.ndarray, targets: np.ndarray) -> Counting:
            n_seen.append(len(features))
            return super().fit(features, targets)

    Anew.of(Candidate("counting", "sklearn", Counting(max_iter=2000, C=0.01)), task).trained(
        index, **options
    )
    assert n_seen == [500]
    sizes: list[int] = []

    def prepare(inputs: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        sizes.append(len(inputs["x"]))
        return inputs

    net = replace(task.candidate()[0], prepare=prepare, fit=FIT)
    trained, notes = Anew.of(net, task).trained(index, **options)
    assert trained.model is not net.model
    assert len(notes) == 1
    assert max(sizes) <= 0.86 * 500
