"""Labels: the kind of task of the targets, and the coding of texts as numbers."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from sklearn.datasets import load_breast_cancer, load_diabetes, load_digits, load_iris
from torch import nn

from tests.small_tasks import iris, wine, wine_net
from workbench.data.labels import Coding, infer_kind, refuse_missing
from workbench.data.notices import WorkbenchWarning
from workbench.errors import DataError, TaskError
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
        (np.tile([-1.0, 1.0], 20), "binary"),
        (np.tile([10, 20, 30], 20), "classification"),
        (np.tile([0.3, 0.7], 20), "regression"),
    ],
)
@pytest.mark.filterwarnings("ignore::workbench.data.notices.WorkbenchWarning")
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
        (np.array(["2020", "NaT"], "datetime64[D]"), "1 target of train is missing, .* row 1"),
        (np.array([["a", "b"], ["a", None]], object), "1 target of train is missing, .* row 1"),
    ],
)
def test_missing_targets_are_refused_with_their_number_and_first_row(
    targets: list[object], message: str
) -> None:
    with pytest.raises(DataError, match=message):
        refuse_missing(np.asarray(targets))


def test_missing_texts_are_told_as_labels_that_pandas_may_have_read_as_missing() -> None:
    hint = r"drop this row\. If a label is a text such as `NA` .*keep_default_na=False"
    with pytest.raises(DataError, match=hint):
        refuse_missing(np.array(["yes", np.nan], object))
    with pytest.raises(DataError, match=r"The file has `NA`, `None` there, which is read as miss"):
        refuse_missing(np.array(["yes", np.nan], object), lambda: ["NA", "None"])
    with pytest.raises(DataError, match=r"drop this row\.$"):
        refuse_missing(np.array([1.0, np.nan]))


@pytest.mark.parametrize("dtype", ["string", "str", "object", "category", "string[pyarrow]"])
def test_missing_targets_are_counted_in_each_type_of_text(dtype: str) -> None:
    texts = pd.Series(["u", None, "v"] * 100, dtype=dtype)
    frame = pd.DataFrame({"a": np.arange(300.0), "t": texts})
    with pytest.raises(DataError, match="100 targets of train are missing, the first in row 1"):
        make_task("t", train=frame, target="t")
    with pytest.raises(DataError, match="100 targets of train are missing"):
        make_task("t", train=(frame[["a"]], texts))


@pytest.mark.parametrize("dtype", ["boolean", "Int64", "Float64", "int64[pyarrow]"])
def test_missing_targets_are_counted_in_each_type_of_numbers(dtype: str) -> None:
    values = pd.Series([1, None, 0] * 100).astype(dtype)
    frame = pd.DataFrame({"a": np.arange(300.0), "t": values})
    with pytest.raises(DataError, match="100 targets of train are missing, the first in row 1"):
        make_task("t", train=frame, target="t")


def test_missing_targets_of_another_split_are_told_by_its_name() -> None:
    x, y = wine()
    with pytest.raises(DataError, match="`test` misses 1 targets, the first in row 0"):
        make_task("wine", train=(x, y), test=(x[:2], np.array([np.nan, 1.0])))


@pytest.mark.parametrize(
    ("targets", "message"),
    [
        (np.ones(40, int), "Every target of train is 1: .*Give rows with other targets"),
        (np.repeat("a", 40), "Every target of train is 'a'"),
        (pd.date_range("2020", periods=40), "targets are dates or spans of time: give numbers"),
        (pd.period_range("2020", periods=40, freq="D"), "targets are dates or spans of time"),
        (pd.to_timedelta(range(40), "s"), "targets are dates or spans of time"),
        (pd.Series([[1, 2], [3]] * 20), "The first target is a list: give one number"),
    ],
)
def test_targets_that_are_none_are_refused_in_words(targets: object, message: str) -> None:
    with pytest.raises(DataError, match=message):
        make_task("t", train=(np.eye(40), targets))


@pytest.mark.parametrize(
    ("values", "classes"),
    [
        ([1, 2, 3], ("1", "2", "3")),
        ([10, 20, 30], ("10", "20", "30")),
        ([-1, 1], ("-1", "1")),
        ([-1.0, 1.0], ("-1", "1")),
        ([0, 2], ("0", "2")),
        ([0, 100, 200], ("0", "100", "200")),
        ([0, 1, 2], ()),
        ([0, 1], ()),
        ([False, True], ()),
        ([0.0, 1.0], ()),
    ],
)
def test_numbers_that_do_not_count_from_0_are_numbered_in_their_order(
    values: list, classes: tuple
) -> None:
    n = len(values)
    drawn = np.arange(120) % n
    x = np.random.default_rng(0).normal(size=(120, 4)).astype(np.float32)
    task = make_task("t", model=lambda: nn.Linear(4, n), train=(x, np.asarray(values)[drawn]))
    assert task.classes == classes
    assert np.bincount(task.data.train.targets).shape == (n,)
    more = task.read((x[:n], np.asarray(values)))
    assert more.targets.tolist() == list(range(n))


def test_numbers_as_floats_are_classes_where_the_kind_says_so() -> None:
    x, y = wine()
    task = make_task("wine", train=(x, y + 1.0), kind="classification")
    assert task.classes == ("1", "2", "3")
    with pytest.warns(WorkbenchWarning, match="values 1, 2, 3, .*say `kind='classification'`"):
        assert make_task("wine", train=(x, y + 1.0)).kind == "regression"


def test_labels_of_other_numbers_take_the_names_of_classes_in_order_with_a_warning() -> None:
    x, y = wine()
    with pytest.warns(WorkbenchWarning, match="1 as p, 2 as q, 3 as r"):
        task = make_task("wine", train=(x, y + 1), classes=["p", "q", "r"])
    assert task.classes == ("p", "q", "r")


def test_labels_that_may_be_numbers_of_outputs_are_told_with_the_model() -> None:
    x, y = wine()
    with pytest.raises(
        TaskError, match=r"n_classes = 3.*labels 1, 2, 3 are taken as 3 classes; .*"
    ):
        make_task("wine", model=nn.Linear(13, 4), train=(x, y + 1))


def test_one_hot_targets_are_told_to_be_taken_as_several_labels() -> None:
    x, y = wine()
    for one_hot in (np.eye(3)[y], np.eye(3, dtype=bool)[y]):
        with pytest.warns(
            WorkbenchWarning, match=r"3 columns with exactly one 1.*argmax\(axis=1\)"
        ):
            assert make_task("wine", train=(x, one_hot)).kind == "multilabel"
    with pytest.raises(DataError, match=r"shape \(178, 3\).*one class.*argmax\(axis=1\)"):
        make_task("wine", train=(x, np.eye(3)[y]), kind="classification")


def test_category_that_no_row_has_is_no_class() -> None:
    frame = iris()
    frame["species"] = pd.Categorical(frame["species"], [*frame["species"].unique(), "lily"])
    task = make_task("iris", train=frame, target="species")
    assert task.classes == ("setosa", "versicolor", "virginica")


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


def test_targets_are_refused_when_one_is_an_object_of_a_class():
    with pytest.raises(DataError, match="The first target is a object: give one number or text"):
        infer_kind(np.array([object()] * 4, dtype=object))


def test_floats_beyond_64_bits_stay_floats_when_labels_are_coded():
    targets = np.array([1e30, 0.0])
    assert Coding("binary")(targets).dtype == np.float64


def test_one_label_a_row_is_refused_when_the_kind_is_multilabel():
    with pytest.raises(DataError, match="has one label a row"):
        Coding("multilabel")(np.array([0, 1]))
