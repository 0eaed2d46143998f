"""The door check: every bad input is refused with its name and the way out, and good ones pass quickly."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from sklearn.datasets import load_digits, load_wine
from sklearn.linear_model import LogisticRegression
from sklearn.tree import DecisionTreeClassifier
from torch import nn
from torch.utils.data import Subset, TensorDataset

from workbench.checks import check_task, outputs_of, row_hashes
from workbench.data.prepare import Columns, Normalize
from workbench.data.rows import DatasetRows, Rows, Splits
from workbench.errors import DataError, TaskError
from workbench.metrics import METRICS
from workbench.models.estimators import as_features, make_estimator
from workbench.runtimes.to_onnx import to_onnx
from workbench.task import Candidate, Task
from workbench.tasks import load_task

SPLITS = ("train", "valid", "calibration", "test")


def digits_task(**changes: object) -> Task:
    """Real digits as float rows `(rows, 64)`, split 1000 / 350 / 97 / 350, with a linear network to start from."""
    raw = load_digits()
    order = np.random.default_rng(0).permutation(len(raw.target))
    rows = Rows({"x": raw.data[order].astype(np.float32)}, raw.target[order].astype(np.int64))
    cuts = {"train": (0, 1000), "valid": (1000, 1350), "calibration": (1350, 1447), "test": (1447, 1797)}
    data = Splits(**{name: rows.take(np.arange(*cut)) for name, cut in cuts.items()})
    values = {"kind": "classification", "data": data, "metrics": (METRICS["accuracy"],), "classes": tuple("0123456789")}
    return Task("digits", **{**values, "start": Candidate("net", "torch", nn.Linear(64, 10)), **changes})


def with_split(task: Task, **splits: Rows) -> Task:
    return replace(task, data=replace(task.data, **splits))


def changed(rows: Rows, value: float, row: int = 3, column: int = 5) -> Rows:
    x = rows.inputs["x"].copy()
    x[row, column] = value
    return replace(rows, inputs={"x": x})


@pytest.mark.parametrize("name", ["digits", "fashion"])
def test_check_task_has_nothing_to_say_about_a_built_in_task(name: str) -> None:
    assert check_task(load_task(name)) == []


def test_check_task_accepts_a_task_handed_over_without_test() -> None:
    assert check_task(digits_task().without_test()) == []


# ---- values ----


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("split", SPLITS)
def test_check_task_names_array_split_count_and_row_of_values_not_finite(split: str, value: float) -> None:
    task = digits_task()
    bad = with_split(task, **{split: changed(changed(getattr(task.data, split), value, 7), value, 3)})
    with pytest.raises(DataError, match=f"`x` of {split} holds 2 values that are not finite .*the first in row 3: clean them"):
        check_task(bad)


def test_check_task_finds_infinities_that_cancel_out() -> None:
    task = digits_task()
    bad = changed(changed(task.data.train, np.inf, 1), -np.inf, 2)
    with pytest.raises(DataError, match="holds 2 values"):
        check_task(with_split(task, train=bad))


def test_check_task_accepts_missing_values_that_prepare_fills() -> None:
    task = digits_task()
    pixels = {name: rows.inputs["x"] for name, rows in vars(task.data).items()}
    columns = {n: Rows({"a": x[:, 20].copy(), "b": x[:, 30]}, getattr(task.data, n).targets) for n, x in pixels.items()}
    columns["train"].inputs["a"][::7] = np.nan
    prepare = Columns.fitted(columns["train"])
    start = Candidate("net", "torch", nn.Linear(2, 10), prepare=prepare)
    filled = replace(task, data=Splits(**columns), start=start)
    with pytest.raises(DataError, match="are in"):  # two columns of small numbers: rows do repeat
        check_task(filled)
    assert check_task(replace(filled, data=replace(filled.data, test=None))) is not None
    with pytest.raises(TaskError, match="`a` of train holds 143 values that are not finite"):
        check_task(replace(filled.without_test(), start=replace(start, prepare=None)))


def test_check_task_asks_an_estimator_whether_it_takes_missing_values() -> None:
    task = digits_task()
    holes = with_split(task, train=changed(task.data.train, np.nan), valid=changed(task.data.valid, np.nan))
    with pytest.raises(DataError, match=r"(?s)2 problems.*`x` of train.*`x` of valid"):
        check_task(replace(holes, start=None, builders={"m": LogisticRegression}))
    assert check_task(replace(holes, start=None, builders={"m": DecisionTreeClassifier})) == []
    fitted = DecisionTreeClassifier().fit(holes.data.train.inputs["x"], holes.data.train.targets)
    assert check_task(replace(holes, start=Candidate("fitted", "sklearn", fitted))) == []
    with pytest.raises(DataError, match="`x` of train"):
        check_task(with_split(holes, train=changed(task.data.train, np.inf)), Candidate("fitted", "sklearn", fitted))


def test_check_task_accepts_missing_values_in_a_pipeline_that_imputes() -> None:
    task = digits_task()
    columns = {n: Rows({f"p{i}": r.inputs["x"][:, i].copy() for i in range(64)}, r.targets) for n, r in vars(task.data).items()}
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
    with pytest.raises(DataError, match="`x` of valid has dtype object, and a network takes numbers: give a `prepare`"):
        check_task(with_split(task, valid=text))


def test_check_task_reports_a_prepare_that_raises_or_spoils_rows() -> None:
    task = digits_task()
    raising = replace(task, start=replace(task.start, prepare=lambda inputs: {"x": inputs["pixels"]}))
    with pytest.raises(DataError, match=r"`prepare` raised KeyError on train with `x` float32 \(256, 64\)"):
        check_task(raising)
    flat = replace(task, start=replace(task.start, prepare=Normalize(0.0, 0.0, "x")))
    message = "`prepare` made values that are not finite in `x` from finite rows of train"
    with np.errstate(all="ignore"), pytest.raises(DataError, match=message):
        check_task(flat)


# ---- shapes and splits ----


def test_check_task_refuses_an_empty_split() -> None:
    task = digits_task()
    with pytest.raises(DataError, match="`calibration` is empty: give it rows, or leave it out of `make_task`"):
        check_task(with_split(task, calibration=task.data.calibration.take(slice(0, 0))))


@pytest.mark.parametrize(
    ("inputs", "message"),
    [
        (lambda x: {"x": x[:, :60]}, r"`x` of test holds numbers of shape \(60\), train has numbers of shape \(64\) a row"),
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
    assert check_task(digits_task(kind="binary", data=data, classes=(), start=Candidate("mean", "torch", Mean()))) == []


# ---- labels ----


@pytest.mark.parametrize("label", [-1, 10])
def test_check_task_refuses_labels_outside_the_classes(label: int) -> None:
    task = digits_task()
    targets = task.data.valid.targets.copy()
    targets[4] = label
    with pytest.raises(DataError, match=rf"Labels of valid must be 0 to 9, and 1 are not \({label}; the first in row 4\)"):
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
    assert check_task(with_split(task, calibration=rows.take(np.flatnonzero(rows.targets < 2)))) == []
    with pytest.raises(DataError, match="Every row of calibration has the same class"):
        check_task(with_split(task, calibration=rows.take(np.flatnonzero(rows.targets == 1))))


def test_check_task_refuses_targets_of_the_wrong_kind() -> None:
    task = digits_task()
    for targets, kind, message in (
        (task.data.valid.targets + 0.5, "classification", r"must be whole numbers in shape \(rows,\), got float64 \(350,\)"),
        (np.full(350, np.nan), "regression", "Targets of valid hold 350 values that are not finite, the first in row 0"),
        (task.data.valid.targets.astype(str), "classification", "Targets of valid have dtype <U"),
        (np.full((350, 2), 3), "multilabel", "Targets of valid must be 0 or 1"),
    ):
        with pytest.raises((DataError, TaskError), match=message):
            check_task(with_split(replace(task, kind=kind, start=None), valid=replace(task.data.valid, targets=targets)))


# ---- rows shared ----


@pytest.mark.parametrize("split", ["train", "valid", "calibration"])
def test_check_task_refuses_a_split_cut_out_of_test(split: str) -> None:
    task = digits_task()
    with pytest.raises(DataError, match=rf"200 of 350 test rows are in {split} too, the first is row 0 of test"):
        check_task(with_split(task, **{split: task.data.test.take(slice(0, 200))}))


def test_check_task_refuses_a_small_calibration_cut_out_of_a_large_test() -> None:
    fashion = load_task("fashion")
    with pytest.raises(DataError, match="50 of 10,000 test rows are in calibration too"):  # 0.5 % of test, all of calibration
        check_task(with_split(fashion, calibration=fashion.data.test.take(slice(0, 50))))


def test_check_task_only_warns_of_a_few_rows_that_occur_twice() -> None:
    task = digits_task()
    twice = np.r_[0:999, 1449:1452]
    everything = {n: np.concatenate([getattr(task.data, s).inputs["x"] for s in SPLITS]) for n in ("x",)}
    targets = np.concatenate([getattr(task.data, s).targets for s in SPLITS])
    warnings = check_task(with_split(task, train=Rows(everything, targets).take(twice)))
    assert warnings == ["3 of 350 test rows are in train too, the first is row 2 of test."]


def test_check_task_warns_of_train_rows_in_valid() -> None:
    task = digits_task()
    (warning,) = check_task(with_split(task, valid=task.data.train.take(slice(0, 300))))
    assert warning.startswith("300 of 300 valid rows are in train too")


def test_check_task_tells_shared_rows_of_one_dataset_by_their_indices() -> None:
    raw = load_digits()
    dataset = TensorDataset(torch.from_numpy(raw.data).float(), torch.from_numpy(raw.target).long())
    parts = {"train": range(1000), "valid": range(1000, 1300), "calibration": range(1300, 1400), "test": range(1400, 1797)}
    rows = {n: DatasetRows(Subset(dataset, list(i)), ()) for n, i in parts.items()}
    task = digits_task(data=Splits(**rows))
    assert check_task(task) == []
    nested = DatasetRows(Subset(Subset(dataset, list(range(500, 1797))), list(range(1000))), ())
    with pytest.raises(DataError, match="100 of 397 test rows are in train too"):
        check_task(with_split(task, train=nested))


def test_row_hashes_tell_rows_apart_by_inputs_and_targets() -> None:
    rows = Rows({"a": np.array([1.0, 1.0, 1.0, np.nan]), "b": np.array(["u", "u", "v", "u"], object)}, np.array([0, 0, 0, 0]))
    hashes = row_hashes(rows)
    assert hashes[0] == hashes[1]
    assert len(set(hashes.tolist())) == 3
    other = row_hashes(replace(rows, targets=np.array([0, 1, 0, 0])))
    assert other[0] != other[1]


def test_row_hashes_take_missing_values_as_equal() -> None:
    hashes = row_hashes(Rows({"a": np.array([np.nan, np.nan, 1.0])}, np.array([0, 0, 0])))
    assert hashes[0] == hashes[1] != hashes[2]


# ---- models ----


@pytest.mark.parametrize(
    ("kind", "n_out", "wanted"),
    [
        ("classification", 9, r"\(batch, n_classes\) with n_classes = 10, and gave \(2, 9\) for 2 rows"),
        ("binary", 3, r"\(batch,\), \(batch, 1\) or \(batch, 2\), and gave \(2, 3\)"),
        ("regression", 2, r"\(batch, 1\), and gave \(2, 2\)"),
        ("multilabel", 5, r"\(batch, 4\), and gave \(2, 5\)"),
    ],
)
def test_check_task_refuses_outputs_that_do_not_fit_the_labels(kind: str, n_out: int, wanted: str) -> None:
    task = digits_task(kind=kind, start=Candidate("net", "torch", nn.Linear(64, n_out)))
    to_targets = {
        "classification": lambda t: t, "binary": lambda t: t % 2, "regression": lambda t: t * 1.5,
        "multilabel": lambda t: (t[:, None] >> np.arange(4)) & 1,
    }[kind]  # fmt: skip
    splits = {n: replace(getattr(task.data, n), targets=to_targets(getattr(task.data, n).targets)) for n in SPLITS}
    with pytest.raises(TaskError, match=f"`net` must give outputs {wanted}"):
        check_task(with_split(task, **splits))


def test_check_task_reports_a_forward_that_raises_with_names_and_shapes() -> None:
    with pytest.raises(TaskError, match=r"`net` raised RuntimeError on the inputs `x` float32 \(2, 64\): mat1 and mat2"):
        check_task(digits_task(start=Candidate("net", "torch", nn.Linear(32, 10))))


def test_check_task_finds_weights_that_are_not_finite_before_it_runs_the_model() -> None:
    net = nn.Sequential(nn.Linear(64, 8), nn.Linear(8, 10))
    with torch.no_grad():
        net[1].bias[3] = float("nan")
    with pytest.raises(TaskError, match=r"`net` has 1 weight arrays that are not finite, first `1.bias`"):
        check_task(digits_task(start=Candidate("net", "torch", net)))


def test_check_task_warns_of_a_softmax_at_the_end() -> None:
    (warning,) = check_task(digits_task(start=Candidate("net", "torch", nn.Sequential(nn.Linear(64, 10), nn.Softmax(1)))))
    assert "seems to end in a softmax" in warning


def test_check_task_reports_a_builder_that_raises() -> None:
    with pytest.raises(TaskError, match="The model's builder raised ZeroDivisionError"):
        check_task(digits_task(start=None, builders={"net": lambda: 1 / 0}))


def test_check_task_tells_all_problems_in_one_error() -> None:
    task = digits_task(start=Candidate("net", "torch", nn.Linear(64, 3)))
    bad = with_split(task, train=changed(task.data.train, np.nan), calibration=task.data.test)
    everything = r"(?s)`digits` cannot be used, 3 problems:.*must give outputs.*`x` of train.*are in calibration"
    with pytest.raises(TaskError, match=everything):
        check_task(bad)


def test_outputs_of_leaves_every_part_of_a_network_in_its_mode() -> None:
    net = nn.Sequential(nn.Linear(13, 8), nn.BatchNorm1d(8), nn.Dropout(0.5)).train()
    net[1].eval()
    before = net[1].running_mean.clone()
    x = load_wine().data[:5]
    first, second = (outputs_of(Candidate("net", "torch", net), {"x": x}) for _ in range(2))
    assert np.array_equal(first, second)
    assert [m.training for m in net.modules()] == [True, True, False, True]
    assert torch.equal(net[1].running_mean, before)
