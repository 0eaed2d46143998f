"""Labels: the kind of task of the targets, and the coding of texts as numbers."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.datasets import load_breast_cancer, load_diabetes, load_digits, load_iris

from tests.small_tasks import iris, wine, wine_net
from workbench.data.labels import infer_kind, refuse_missing
from workbench.errors import DataError
from workbench.tasks.make import make_task


@pytest.mark.parametrize(
    ("targets", "kind"),
    [
        (load_diabetes().target, "regression"),
        (load_breast_cancer().target, "binary"),
        (load_breast_cancer().target.astype(np.float32), "binary"),
        (load_breast_cancer().target.astype(bool)[:, None], "binary"),
        (load_digits().target, "classification"),
        (np.asarray(load_iris().target_names)[load_iris().target], "classification"),
        (np.eye(3)[load_iris().target], "multilabel"),
        (load_diabetes().data[:, :2], "regression"),
        (np.zeros((5, 4, 4), np.int64), "custom"),
        (np.arange(20).reshape(10, 2), "custom"),
    ],
)
def test_infer_kind_follows_type_and_values_of_targets(targets: np.ndarray, kind: str) -> None:
    assert infer_kind(targets) == kind


@pytest.mark.parametrize(
    ("targets", "message"),
    [
        (
            [0.5, np.nan, np.nan, np.nan],
            "3 targets of train are missing, .* row 1: drop these rows",
        ),
        (["a", "b", None], "1 target of train is missing, .* row 2: drop this row"),
    ],
)
def test_missing_targets_are_refused_with_their_number_and_first_row(
    targets: list[object], message: str
) -> None:
    with pytest.raises(DataError, match=message):
        refuse_missing(np.asarray(targets))


def test_make_task_numbers_text_labels_in_the_order_of_classes() -> None:
    order = ["virginica", "setosa", "versicolor"]
    task = make_task("iris", train=iris(), target="species", classes=order)
    names = np.asarray(order)[task.data.train.targets]
    assert task.classes == tuple(order)
    assert task.data.train.targets.dtype == np.int64
    setosa = task.data.train.inputs["petal length (cm)"][names == "setosa"]
    assert len(setosa) > 20
    assert setosa.max() < 2  # the one species with petals as short


def test_make_task_numbers_text_labels_of_a_dataset_too() -> None:
    x, y = wine()
    names = np.asarray(["barolo", "grignolino", "barbera"])[y]
    task = make_task("wine", model=wine_net, train=list(zip(x, names.tolist(), strict=True)))
    assert task.classes == ("barbera", "barolo", "grignolino")
    _, targets = next(task.data.valid.batches(16))
    assert targets.dtype == np.int64
    assert np.array_equal(targets, task.data.valid.targets[:16])
