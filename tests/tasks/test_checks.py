"""The door check: every bad input is refused with its name and the way out, and good ones pass
quickly.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from sklearn.linear_model import LogisticRegression
from sklearn.tree import DecisionTreeClassifier
from torch import nn

from tests.small_tasks import changed, digits_task, with_split
from workbench.data.prepare import Columns, Normalize
from workbench.data.rows import Rows, Splits
from workbench.errors import DataError, TaskError
from workbench.models.estimators import as_features, make_estimator
from workbench.runtimes.to_onnx import to_onnx
from workbench.task import Candidate
from workbench.tasks import load_task
from workbench.tasks.checks import check_task

SPLITS = ("train", "valid", "calibration", "test")


@pytest.mark.parametrize("name", ["digits", "fashion"])
def test_check_task_has_nothing_to_say_about_a_built_in_task(name: str) -> None:
    assert check_task(load_task(name)) == []


def test_check_task_accepts_a_task_handed_over_without_test() -> None:
    assert check_task(digits_task().without_test()) == []


# ---- values ----


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("split", SPLITS)
def test_check_task_names_array_split_count_and_row_of_values_not_finite(
    split: str, value: float
) -> None:
    task = digits_task()
    bad = with_split(
        task, **{split: changed(changed(getattr(task.data, split), value, 7), value, 3)}
    )
    with pytest.raises(
        DataError,
        match=f"`x` of {split} holds 2 values that are not finite .*the first in row 3: clean them",
    ):
        check_task(bad)


def test_check_task_finds_infinities_that_cancel_out() -> None:
    task = digits_task()
    bad = changed(changed(task.data.train, np.inf, 1), -np.inf, 2)
    with pytest.raises(DataError, match="holds 2 values"):
        check_task(with_split(task, train=bad))


def test_check_task_accepts_missing_values_that_prepare_fills() -> None:
    task = digits_task()
    pixels = {name: rows.inputs["x"] for name, rows in vars(task.data).items()}
    columns = {
        n: Rows({"a": x[:, 20].copy(), "b": x[:, 30]}, getattr(task.data, n).targets)
        for n, x in pixels.items()
    }
    columns["train"].inputs["a"][::7] = np.nan
    prepare = Columns.fitted(columns["train"])
    start = Candidate("net", "torch", nn.Linear(2, 10), prepare=prepare)
    filled = replace(task, data=Splits(**columns), start=start)
    told = check_task(filled)  # two columns of small numbers: rows do repeat
    assert "test rows are in train, valid, calibration too. Rows of few different" in told[0]
    assert check_task(replace(filled, data=replace(filled.data, test=None))) is not None
    with pytest.raises(TaskError, match="`a` of train holds 143 values that are not finite"):
        check_task(replace(filled.without_test(), start=replace(start, prepare=None)))


def test_check_task_asks_an_estimator_whether_it_takes_missing_values() -> None:
    task = digits_task()
    holes = with_split(
        task, train=changed(task.data.train, np.nan), valid=changed(task.data.valid, np.nan)
    )
    with pytest.raises(DataError, match=r"(?s)2 problems.*`x` of train.*`x` of valid"):
        check_task(replace(holes, start=None, builders={"m": LogisticRegression}))
    assert check_task(replace(holes, start=None, builders={"m": DecisionTreeClassifier})) == []
    fitted = DecisionTreeClassifier().fit(holes.data.train.inputs["x"], holes.data.train.targets)
    assert check_task(replace(holes, start=Candidate("fitted", "sklearn", fitted))) == []
    with pytest.raises(DataError, match="`x` of train"):
        check_task(
            with_split(holes, train=changed(task.data.train, np.inf)),
            Candidate("fitted", "sklearn", fitted),
        )


def test_check_task_accepts_missing_values_in_a_pipeline_that_imputes() -> None:
    task = digits_task()
    columns = {
        n: Rows({f"p{i}": r.inputs["x"][:, i].copy() for i in range(64)}, r.targets)
        for n, r in vars(task.data).items()
    }
    columns["train"].inputs["p10"][::9] = np.nan
    model = make_estimator("logistic", dict.fromkeys(columns["train"].inputs, True))
    table = replace(task, data=Splits(**columns), start=None, builders={"logistic": lambda: model})
    assert check_task(table) == []
    model.fit(as_features(columns["train"].inputs), columns["train"].targets)
    fitted = Candidate("logistic", "sklearn", model)
    assert check_task(table, fitted) == []
    assert check_task(table, to_onnx(fitted, columns["valid"].take(slice(0, 8)).inputs)) == []


def test_check_task_refuses_dtype_object_where_a_network_takes_numbers() -> None:
    task = digits_task()
    text = replace(task.data.valid, inputs={"x": task.data.valid.inputs["x"].astype(object)})
    with pytest.raises(
        DataError,
        match="`x` of valid has dtype object, and a network takes numbers: give a `prepare`",
    ):
        check_task(with_split(task, valid=text))


def test_check_task_reports_a_prepare_that_raises_or_spoils_rows() -> None:
    task = digits_task()
    raising = replace(
        task, start=replace(task.start, prepare=lambda inputs: {"x": inputs["pixels"]})
    )
    with pytest.raises(
        DataError, match=r"`prepare` raised KeyError on train with `x` float32 \(256, 64\)"
    ):
        check_task(raising)
    flat = replace(task, start=replace(task.start, prepare=Normalize(0.0, 0.0, "x")))
    message = "`prepare` made values that are not finite in `x` from finite rows of train"
    with np.errstate(all="ignore"), pytest.raises(DataError, match=message):
        check_task(flat)


# ---- shapes and splits ----


def test_check_task_refuses_an_empty_split() -> None:
    task = digits_task()
    with pytest.raises(
        DataError, match="`calibration` is empty: give it rows, or leave it out of `make_task`"
    ):
        check_task(with_split(task, calibration=task.data.calibration.take(slice(0, 0))))


@pytest.mark.parametrize(
    ("inputs", "message"),
    [
        (
            lambda x: {"x": x[:, :60]},
            r"`x` of test holds numbers of shape \(60\), train has numbers of shape \(64\) a row",
        ),
        (lambda x: {"x": x.astype(str)}, r"`x` of test holds text of shape \(64\)"),
        (lambda x: {"pixels": x}, r"`test` has the inputs \['pixels'\], train has \['x'\]"),
    ],
)
def test_check_task_refuses_shapes_that_differ_across_splits(inputs: object, message: str) -> None:
    task = digits_task()
    test = replace(task.data.test, inputs=inputs(task.data.test.inputs["x"]))
    with pytest.raises(DataError, match=message):
        check_task(with_split(task, test=test))


def test_check_task_accepts_tokens_of_another_length_in_another_split() -> None:
    rng = np.random.default_rng(0)

    def rows(n: int, length: int) -> Rows:
        return Rows({"ids": rng.integers(0, 9, (n, length))}, np.arange(n) % 2)

    class Mean(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.words = nn.Embedding(9, 2)

        def forward(self, ids: torch.Tensor) -> torch.Tensor:
            return self.words(ids).mean(1)

    data = Splits(rows(40, 12), rows(40, 16), rows(20, 9), rows(40, 20))
    assert (
        check_task(
            digits_task(
                kind="binary", data=data, classes=(), start=Candidate("mean", "torch", Mean())
            )
        )
        == []
    )


# ---- labels ----


@pytest.mark.parametrize("label", [-1, 10])
def test_check_task_refuses_labels_outside_the_classes(label: int) -> None:
    task = digits_task()
    targets = task.data.valid.targets.copy()
    targets[4] = label
    with pytest.raises(
        DataError,
        match=rf"Labels of valid must be 0 to 9, and 1 are not \({label}; the first in row 4\)",
    ):
        check_task(with_split(task, valid=replace(task.data.valid, targets=targets)))


@pytest.mark.parametrize("split", ["train", "valid", "test"])
def test_check_task_refuses_a_split_that_lacks_a_class(split: str) -> None:
    task = digits_task()
    rows = getattr(task.data, split)
    with pytest.raises(DataError, match=f"{split} has no row of class `7`: add rows of it"):
        check_task(with_split(task, **{split: rows.take(np.flatnonzero(rows.targets != 7))}))


def test_check_task_lets_calibration_lack_classes_but_not_all_but_one() -> None:
    task = digits_task()
    rows = task.data.calibration
    assert (
        check_task(with_split(task, calibration=rows.take(np.flatnonzero(rows.targets < 2)))) == []
    )
    with pytest.raises(DataError, match="Every row of calibration has the same class"):
        check_task(with_split(task, calibration=rows.take(np.flatnonzero(rows.targets == 1))))


def test_check_task_refuses_targets_of_the_wrong_kind() -> None:
    task = digits_task()
    for targets, kind, message in (
        (
            task.data.valid.targets + 0.5,
            "classification",
            r"must be whole numbers in shape \(rows,\), got float64 \(350,\)",
        ),
        (
            np.full(350, np.nan),
            "regression",
            "Targets of valid hold 350 values that are not finite, the first in row 0",
        ),
        (task.data.valid.targets.astype(str), "classification", "Targets of valid have dtype <U"),
        (np.full((350, 2), 3), "multilabel", "Targets of valid must be 0 or 1"),
    ):
        with pytest.raises((DataError, TaskError), match=message):
            check_task(
                with_split(
                    replace(task, kind=kind, start=None),
                    valid=replace(task.data.valid, targets=targets),
                )
            )


@pytest.mark.parametrize("split", ["valid", "test"])
def test_check_task_refuses_one_time_only_in_a_split_that_is_scored(split: str) -> None:
    task = digits_task()
    timed = {
        n: replace(rows, times=np.arange(len(rows)) // 50) for n, rows in vars(task.data).items()
    }
    assert check_task(with_split(task, **timed)) == []
    timed[split] = replace(timed[split], times=np.zeros(len(timed[split])))
    with pytest.raises(
        DataError,
        match=f"`{split}` holds one time only: intervals resample whole times, so at least two",
    ):
        check_task(with_split(task, **timed))


# ---- models ----


def test_check_task_reports_a_forward_that_raises_with_names_and_shapes() -> None:
    with pytest.raises(
        TaskError,
        match=r"`net` raised RuntimeError on the inputs `x` float32 \(32, 64\): mat1 and mat2",
    ):
        check_task(digits_task(start=Candidate("net", "torch", nn.Linear(32, 10))))


def test_check_task_finds_weights_that_are_not_finite_before_it_runs_the_model() -> None:
    net = nn.Sequential(nn.Linear(64, 8), nn.Linear(8, 10))
    with torch.no_grad():
        net[1].bias[3] = float("nan")
    with pytest.raises(
        TaskError, match=r"`net` has 1 weight arrays that are not finite, first `1.bias`"
    ):
        check_task(digits_task(start=Candidate("net", "torch", net)))


def test_check_task_reports_a_builder_that_raises() -> None:
    with pytest.raises(TaskError, match="The model's builder raised ZeroDivisionError"):
        check_task(digits_task(start=None, builders={"net": lambda: 1 / 0}))


def test_check_task_tells_all_problems_in_one_error() -> None:
    task = digits_task(start=Candidate("net", "torch", nn.Linear(64, 3)))
    bad = with_split(task, train=changed(task.data.train, np.nan), calibration=task.data.test)
    everything = (
        r"(?s)`digits` cannot be used, 3 problems:.*must give outputs.*`x` of train"
        r".*are in calibration"
    )
    with pytest.raises(TaskError, match=everything):
        check_task(bad)
