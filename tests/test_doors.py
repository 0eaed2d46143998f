"""The front doors: every shape of data and model that a user may bring becomes the same kind of task."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.datasets import load_breast_cancer, load_diabetes, load_digits, load_iris, load_wine
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from torch import nn
from torch.utils.data import DataLoader, Dataset, IterableDataset, TensorDataset

from workbench.checks import outputs_of, row_hashes
from workbench.data.prepare import Columns
from workbench.data.rows import Rows
from workbench.doors import infer_kind, make_task
from workbench.errors import DataError, TaskError, UnknownName
from workbench.metrics import Metric
from workbench.models.estimators import as_features, is_fitted
from workbench.runtimes import predictor
from workbench.runtimes.to_onnx import to_onnx
from workbench.task import Task
from workbench.training import FitSettings, fit

SPLITS = ("train", "valid", "calibration", "test")


def wine() -> tuple[np.ndarray, np.ndarray]:
    raw = load_wine()
    scaled = (raw.data - raw.data.mean(0)) / raw.data.std(0)
    return scaled.astype(np.float32), raw.target.astype(np.int64)


def wine_net(n_in: int = 13) -> nn.Module:
    return nn.Sequential(nn.Linear(n_in, 16), nn.ReLU(), nn.Linear(16, 3))


def iris() -> pd.DataFrame:
    raw = load_iris(as_frame=True)
    return raw.data.assign(species=raw.target_names[raw.target])


def fitted_pipeline(features: object, labels: object) -> object:
    return make_pipeline(StandardScaler(), LogisticRegression()).fit(features, labels)


def accuracy_of(task: Task, rows: Rows) -> float:
    outputs = predictor(task.start).predict(dict(rows.prepared(task.start.prepare).inputs))
    return task.metric(outputs, rows.targets)


class DictSamples(Dataset):
    """A dataset whose samples are mappings, as tokenized texts are."""

    def __init__(self, x: np.ndarray, y: np.ndarray) -> None:
        self.x, self.y = x, y

    def __len__(self) -> int:
        return len(self.y)

    def __getitem__(self, index: int) -> dict[str, object]:
        return {"features": self.x[index], "labels": self.y[index]}


class Stream(IterableDataset):
    def __iter__(self) -> Iterator[tuple[np.ndarray, np.int64]]:
        yield from zip(*wine(), strict=True)


# ---- data ----


@pytest.mark.parametrize(
    "door",
    [
        lambda x, y: (x, y),
        lambda x, y: (torch.from_numpy(x), torch.from_numpy(y)),
        lambda x, y: ({"x": x}, y),
        lambda x, y: {"x": x, "labels": y},
        lambda x, y: Rows({"x": x}, y),
        lambda x, y: TensorDataset(torch.from_numpy(x), torch.from_numpy(y)),
        lambda x, y: list(zip(x, y, strict=True)),
        lambda x, y: DataLoader(TensorDataset(torch.from_numpy(x), torch.from_numpy(y)), batch_size=32, shuffle=True),
        lambda x, y: DataLoader(Stream(), batch_size=50),
        lambda x, y: Stream(),
    ],
    ids=["arrays", "tensors", "dict", "mapping", "Rows", "Dataset", "samples", "DataLoader", "iterable loader", "iterable"],
)
def test_make_task_holds_the_same_rows_whatever_the_door(door: object) -> None:
    x, y = wine()
    task = make_task("wine", model=wine_net, train=door(x, y))
    parts = [getattr(task.data, split).take(slice(None)) for split in SPLITS]
    held = np.concatenate([np.column_stack([rows.inputs["x"], rows.targets]) for rows in parts])
    wanted = np.column_stack([x, y]).astype(held.dtype)
    assert task.kind == "classification"
    assert np.array_equal(held[np.lexsort(held.T)], wanted[np.lexsort(wanted.T)])


def test_make_task_takes_batches_that_are_mappings_and_calls_the_model_by_these_names() -> None:
    x, y = wine()
    task = make_task("wine", model=wine_net, train=DataLoader(DictSamples(x, y), batch_size=16))
    assert set(task.example(2)) == {"features"}
    fitted = fit(task.build("wine_net"), task, FitSettings(epochs=2, precision="fp32"))
    assert fitted.history[-1]["train_loss"] < fitted.history[0]["train_loss"]


def test_make_task_uses_the_loaders_collate_function() -> None:
    x, y = wine()

    def doubled(samples: list[tuple[np.ndarray, int]]) -> tuple[torch.Tensor, torch.Tensor]:
        return 2 * torch.stack([torch.as_tensor(s[0]) for s in samples]), torch.tensor([int(s[1]) for s in samples])

    rows = list(zip(x, y, strict=True))
    task = make_task("wine", train=DataLoader(rows, batch_size=8, collate_fn=doubled))
    first = task.data.train.dataset.indices[0]
    assert np.allclose(task.data.train.take(slice(0, 1)).inputs["x"][0], 2 * x[first])


def test_make_task_prepares_a_dataframe_by_columns_fitted_on_train_only() -> None:
    task = make_task("iris", model=lambda n_in: nn.Linear(n_in, 3), train=iris(), target="species")
    assert task.classes == ("setosa", "versicolor", "virginica")
    assert task.prepare == Columns.fitted(task.data.train)
    assert outputs_of(task.candidate()[0], task.example(5)).shape == (5, 3)


def test_make_task_prepares_a_table_given_beside_its_targets_too() -> None:
    frame = iris()
    task = make_task("iris", model=lambda n: nn.Linear(n, 3), train=(frame.drop(columns="species"), frame["species"]))
    assert task.prepare == Columns.fitted(task.data.train)
    assert task.classes == ("setosa", "versicolor", "virginica")


def test_make_task_keeps_missing_numbers_of_a_dataframe_and_fills_them_by_the_median() -> None:
    frame = iris().astype({"petal width (cm)": "Float64"})
    frame.loc[::9, "petal width (cm)"] = pd.NA
    task = make_task("iris", model=lambda n_in: nn.Linear(n_in, 3), train=frame, target="species")
    column = task.data.train.inputs["petal width (cm)"]
    assert column.dtype == np.float64
    assert np.isnan(column).any()
    assert np.isfinite(task.example(80)["x"]).all()


def test_make_task_reads_several_target_columns_as_labels() -> None:
    frame = iris()
    frame = frame.assign(big=(frame["petal length (cm)"] > 4).astype(int), wide=(frame["sepal width (cm)"] > 3).astype(int))
    task = make_task("iris", model=lambda n: nn.Linear(n, 2), train=frame.drop(columns="species"), target=["big", "wide"])
    assert (task.kind, task.classes, task.metric.name) == ("multilabel", ("big", "wide"), "label_accuracy")
    assert task.data.test.targets.shape[1] == 2


@pytest.mark.parametrize(
    ("train", "options", "message"),
    [
        ((np.zeros((10, 2)), np.zeros(9, int)), {}, r"`train`: Arrays of unequal length: \{'x': 10, 'targets': 9\}"),
        (np.zeros((10, 2)), {}, "ndarray holds no targets: give a tuple"),
        (iris(), {}, "a DataFrame needs `target=`, the name of a column among sepal length"),
        (iris(), {"target": "specie"}, "Unknown column `specie`. Did you mean `species`"),
        (wine(), {"times": "date"}, "`times='date'` names a column, and this is no DataFrame"),
        (wine(), {"times": np.arange(3)}, "`times` has 3 values for 178 train rows"),
        ((np.zeros((0, 2)), np.zeros(0, int)), {}, "`train` is empty"),
        ((np.eye(9), np.arange(9) // 3 % 3), {}, "class number 0 has 3 rows with 3 different rows cannot be cut"),
        ((np.eye(100), np.arange(100)), {}, "100 different values in 100 rows: say `kind='regression'`"),
        ((np.eye(4), np.asarray(["a", None, "b", "a"], object)), {}, "miss 1 values, the first in row 1"),
        ((np.eye(40), np.tile(["a", "b"], 20)), {"classes": ["a", "c"]}, r"not among \['a', 'c'\]: b"),
        ((np.eye(40), np.arange(40) % 2 + 1), {}, r"must be 0 to 1, and \d+ are not \(2.*give `classes=` with the label"),
        ((np.eye(40), np.zeros((40, 3, 3))), {}, "kind `custom` needs `metric=`, and `loss=` or `train_step=`"),
    ],
)
def test_make_task_refuses_data_it_cannot_use_and_names_the_way_out(train: object, options: dict, message: str) -> None:
    with pytest.raises((DataError, TaskError), match=message):
        make_task("bad", train=train, **options)


def test_make_task_tells_the_problems_of_all_splits_at_once() -> None:
    short = (np.zeros((5, 2)), np.zeros(4, int))
    with pytest.raises(DataError, match=r"(?s)2 problems.*`valid`: Arrays.*`test`: Arrays"):
        make_task("bad", train=(np.eye(40), np.arange(40) % 2), valid=short, test=short)


# ---- kinds and labels ----


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


# ---- splits ----


def test_splits_are_the_same_for_the_same_seed_and_others_for_another() -> None:
    digests = [
        [getattr(make_task("wine", train=wine(), seed=seed).data, split).digest for split in SPLITS] for seed in (0, 0, 1)
    ]
    assert digests[0] == digests[1]
    assert digests[0] != digests[2]


def test_splits_are_disjoint_stratified_and_of_the_documented_shares() -> None:
    raw = load_digits()
    task = make_task("digits", train=(raw.data, raw.target))
    sizes = task.data.sizes()
    shares = {n: size / len(raw.target) for n, size in sizes.items()}
    assert sum(sizes.values()) == len(raw.target)
    assert shares == pytest.approx({"train": 0.6, "valid": 0.2, "calibration": 0.05, "test": 0.15}, abs=0.005)
    hashes = [set(row_hashes(getattr(task.data, s)).tolist()) for s in SPLITS]
    assert len(set.union(*hashes)) == sum(map(len, hashes))
    for split in SPLITS:
        counts = np.bincount(getattr(task.data, split).targets, minlength=10)
        assert counts.max() - counts.min() <= max(2, 0.1 * counts.max())


def test_copies_of_a_row_land_in_one_split() -> None:
    x, y = wine()
    task = make_task("wine", train=(np.tile(x, (3, 1)), np.tile(y, 3)))
    hashes = [set(row_hashes(getattr(task.data, s)).tolist()) for s in SPLITS]
    assert sum(map(len, hashes)) == len(set.union(*hashes)) == len(x)


def test_splits_given_are_never_touched() -> None:
    x, y = wine()
    order = np.random.default_rng(0).permutation(len(y))
    valid, test, train = order[:40], order[40:80], order[80:]
    task = make_task("wine", train=(x[train], y[train]), valid=(x[valid], y[valid]), test=(x[test], y[test]))
    assert np.array_equal(task.data.test.inputs["x"], x[test])
    assert np.array_equal(task.data.valid.targets, y[valid])
    assert len(task.data.train) + len(task.data.calibration) == len(train)


def test_splits_follow_time_and_part_no_day_when_times_are_given() -> None:
    frame = iris().sample(frac=1, random_state=0).reset_index(drop=True)
    frame["day"] = pd.Timestamp("2020-01-01") + pd.to_timedelta(np.random.default_rng(1).integers(0, 30, len(frame)), "D")
    task = make_task("iris", train=frame, target="species", times="day")
    spans = [(getattr(task.data, s).times.min(), getattr(task.data, s).times.max()) for s in SPLITS]
    assert "day" not in task.data.train.inputs
    assert all(before[1] < after[0] for before, after in pairwise(spans))
    assert all((np.diff(getattr(task.data, s).times).astype(int) >= 0).all() for s in SPLITS)


def test_splits_follow_an_array_of_times() -> None:
    x, y = wine()
    shuffled = np.random.default_rng(0).permutation(len(y))
    task = make_task("wine", train=(x[shuffled], y[shuffled]), times=np.arange(len(y)))
    assert np.array_equal(task.data.train.times, np.arange(len(task.data.train)))
    assert task.data.test.times[-1] == len(y) - 1


# ---- models ----


def test_a_network_becomes_the_start_and_can_be_built_again_untrained() -> None:
    x, y = wine()
    net = wine_net()
    task = make_task("wine", model=net, train=(x, y))
    with torch.no_grad():
        net[0].weight.zero_()  # what the user does later must not reach the task
    assert (task.start.form, task.start.builder, task.candidate()[1]) == ("torch", None, True)
    assert task.start.model[0].weight.abs().sum() > 0
    first, second = (task.candidate("untrained", seed=s)[0].model for s in (0, 1))
    assert not torch.equal(first[0].weight, second[0].weight)
    assert not torch.equal(first[0].weight, task.start.model[0].weight)


def test_a_network_with_parameters_that_cannot_be_reset_gets_no_builder() -> None:
    class Scaled(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.scale, self.linear = nn.Parameter(torch.ones(13)), nn.Linear(13, 3)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.linear(x * self.scale)

    task = make_task("wine", model=Scaled(), train=wine())
    assert task.builders == {}
    assert task.start.name == "scaled"


@pytest.mark.parametrize("as_frame", [True, False], ids=["columns", "matrix"])
def test_a_fitted_estimator_gets_back_what_it_was_trained_on(as_frame: bool) -> None:
    frame = iris()
    features = frame.drop(columns="species")
    model = fitted_pipeline(features if as_frame else features.to_numpy(), frame["species"])
    task = make_task("iris", model=model, train=frame.assign(shop="a"), target="species") if as_frame else make_task(
        "iris", model=model, train=frame, target="species"
    )  # fmt: skip
    given = as_features(task.data.test.inputs)
    assert list(given.columns) == list(features.columns) if as_frame else given.shape == (len(task.data.test), 4)
    assert accuracy_of(task, task.data.test) > 0.9
    assert not is_fitted(task.build("untrained"))


def test_a_fitted_classifiers_own_order_of_labels_wins() -> None:
    frame = iris()
    model = fitted_pipeline(frame.drop(columns="species"), frame["species"])
    task = make_task("iris", model=model, train=frame, target="species", classes=["virginica", "versicolor", "setosa"])
    assert task.classes == tuple(model.classes_)
    assert accuracy_of(task, task.data.train) > 0.9


def test_an_estimator_that_is_not_fitted_becomes_a_builder() -> None:
    x, y = wine()
    task = make_task("wine", model=LogisticRegression(C=0.5), train=(x, y))
    candidate, trained = task.candidate()
    assert (candidate.form, trained, candidate.model.C) == ("sklearn", False, 0.5)
    candidate.model.fit(as_features(task.data.train.inputs), task.data.train.targets)
    assert not is_fitted(task.build("logisticregression"))


def test_an_estimator_gets_images_as_a_matrix_that_its_onnx_file_takes_too() -> None:
    raw = load_digits()
    model = make_pipeline(StandardScaler(), LogisticRegression()).fit(raw.data, raw.target)
    task = make_task("digits", model=model, train=(raw.images, raw.target))
    assert task.data.train.inputs["x"].shape[1:] == (64,)
    written = to_onnx(task.start, task.example(8))
    assert predictor(written).predict(task.example(8)).shape == (8, 10)


def test_an_estimator_of_texts_gets_an_array_of_texts() -> None:
    texts = np.asarray([f"{'good' if i % 2 else 'bad'} film number {i}" for i in range(60)], object)
    model = make_pipeline(TfidfVectorizer(), LogisticRegression()).fit(texts, np.arange(60) % 2)
    task = make_task("texts", model=model, train=(texts, np.arange(60) % 2))
    assert task.kind == "binary"
    assert accuracy_of(task, task.data.test) == 1.0


def test_a_regressor_makes_whole_number_targets_a_regression() -> None:
    raw = load_diabetes()
    task = make_task("diabetes", model=LinearRegression(), train=(raw.data, raw.target.astype(int)))
    assert (task.kind, task.candidate()[0].outputs) == ("regression", "values")


@pytest.mark.parametrize("as_path", [True, False], ids=["path", "bytes"])
def test_an_onnx_file_becomes_the_start_and_answers_as_its_source(as_path: bool, tmp_path: Path) -> None:
    frame = iris()
    model = fitted_pipeline(frame.drop(columns="species").to_numpy(), frame["species"])
    source = make_task("iris", model=model, train=frame, target="species")
    content = to_onnx(source.start, source.example(8)).model
    (tmp_path / "iris.onnx").write_bytes(content)
    task = make_task("iris", model=tmp_path / "iris.onnx" if as_path else content, train=frame, target="species")
    assert (task.start.form, task.start.outputs) == ("onnx", "probabilities")
    assert accuracy_of(task, task.data.test) == accuracy_of(source, source.data.test)


def test_a_reference_is_imported_and_names_the_model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = "from torch import nn\n\ndef my_net():\n    return nn.Linear(13, 3)\n\nready = nn.Linear(13, 3)\n"
    (tmp_path / "doors_own_models.py").write_text(text, encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    try:
        built = make_task("wine", model="doors_own_models:my_net", train=wine())
        ready = make_task("wine", model="doors_own_models:ready", train=wine())
    finally:
        sys.modules.pop("doors_own_models", None)
    assert list(built.builders) == ["my_net"]
    assert built.start is None
    assert ready.start.name == "ready"


@pytest.mark.parametrize(
    ("model", "error", "message"),
    [
        ("nowhere.at.all:net", UnknownName, "cannot be imported"),
        ("missing.onnx", TaskError, "names no file missing.onnx"),
        (3, TaskError, "`model` is int: give a torch module"),
        (lambda a, b: None, TaskError, r"needs a, b: wrap it, as in `model=lambda"),
        (lambda: "net", TaskError, "made str; it must make a torch module"),
        (lambda: 1 / 0, TaskError, "raised ZeroDivisionError when it was called to build"),
        (b"no onnx", TaskError, "`onnx` raised CandidateError"),
        (nn.Linear(5, 3), TaskError, r"raised RuntimeError on the inputs `x` float32 \(2, 13\)"),
        (nn.Linear(13, 2), TaskError, r"must give outputs \(batch, n_classes\) with n_classes = 3, and gave \(2, 2\)"),
    ],
)
def test_make_task_refuses_a_model_that_does_not_fit_and_says_why(model: object, error: type, message: str) -> None:
    with pytest.raises(error, match=message):
        make_task("wine", model=model, train=wine())


def test_make_task_refuses_an_estimator_with_prepare_or_without_its_columns() -> None:
    frame = iris()
    model = fitted_pipeline(frame.drop(columns="species"), frame["species"])
    with pytest.raises(TaskError, match="put what `prepare` does into a scikit-learn Pipeline"):
        make_task("iris", model=model, train=frame, target="species", prepare=lambda inputs: inputs)
    with pytest.raises(TaskError, match=r"fitted on columns that the data lack: petal width \(cm\)"):
        make_task("iris", model=model, train=frame.drop(columns="petal width (cm)"), target="species")


# ---- loss, metric, step, outputs ----


def test_own_loss_metric_and_augment_are_what_fit_uses() -> None:
    seen: dict[str, int] = {"loss": 0, "augment": 0}

    def margin(outputs: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        seen["loss"] += 1
        return nn.functional.multi_margin_loss(outputs, targets)

    def jitter(inputs: dict[str, torch.Tensor], generator: torch.Generator) -> dict[str, torch.Tensor]:
        seen["augment"] += 1
        return {n: t + 0.01 * torch.randn(t.shape, generator=generator) for n, t in inputs.items()}

    def sure(outputs: np.ndarray, targets: np.ndarray) -> np.ndarray:
        return 10.0 + (outputs.argmax(1) == targets)

    task = make_task("wine", model=wine_net, train=wine(), loss=margin, metric=[sure, "accuracy"], augment=jitter)
    seen["loss"] = 0
    fitted = fit(task.build("wine_net"), task, FitSettings(epochs=3, batch_size=32, precision="fp32"))
    assert seen == {"loss": fitted.n_steps, "augment": fitted.n_steps}
    assert task.metric.per_sample is not None
    assert all(row["valid_score"] >= 10 for row in fitted.history)


def test_own_train_step_replaces_forward_and_loss() -> None:
    steps = []

    def step(model: nn.Module, inputs: dict[str, torch.Tensor], targets: torch.Tensor) -> torch.Tensor:
        steps.append(len(targets))
        return nn.functional.cross_entropy(model(inputs["x"]), targets, label_smoothing=0.1)

    task = make_task("wine", model=wine_net, train=wine(), train_step=step)
    fitted = fit(task.build("wine_net"), task, FitSettings(epochs=2, batch_size=32, precision="fp32"))
    assert len(steps) == fitted.n_steps


def test_own_metric_may_score_the_whole_and_prefer_small_values() -> None:
    def worst(outputs: np.ndarray, targets: np.ndarray) -> float:
        return np.abs(outputs.reshape(-1) - targets).max()

    worst.higher_is_better = False
    raw = load_diabetes()
    task = make_task("diabetes", model=nn.Linear(10, 1), train=(raw.data, raw.target), metric=worst)
    assert (task.metric.whole is not None, task.metric.higher_is_better) == (True, False)
    assert task.metric(np.zeros((2, 1)), np.array([1.0, 5.0])) == 5.0


@pytest.mark.parametrize(
    ("metric", "error", "message"),
    [
        ("acuracy", UnknownName, "Unknown metric `acuracy`. Did you mean `accuracy`"),
        (7, TaskError, "A metric is a name, a Metric or a function"),
        (lambda o, t: o, TaskError, r"gave shape \(32, 3\) for 32 rows: one number, or one a row"),
        (lambda o, t: o.nothing, TaskError, r"`metric` raised AttributeError on outputs \(32, 3\) and targets \(32,\)"),
        (["accuracy", Metric("accuracy", whole=lambda o, t: 0.0)], TaskError, "Two metrics have one name"),
    ],
)
def test_make_task_refuses_a_metric_that_cannot_score(metric: object, error: type, message: str) -> None:
    with pytest.raises(error, match=message):
        make_task("wine", model=wine_net, train=wine(), metric=metric)


class Answer:
    def __init__(self, logits: torch.Tensor) -> None:
        self.logits = logits


class MeanOfWords(nn.Module):
    """Tokens `(batch, length)` and their mask, of any length, to something with `.logits`."""

    def __init__(self) -> None:
        super().__init__()
        self.words, self.head = nn.Embedding(20, 8), nn.Linear(8, 2)

    def forward(self, attention_mask: torch.Tensor, input_ids: torch.Tensor) -> Answer:
        mask = attention_mask[..., None].float()
        return Answer(self.head((self.words(input_ids) * mask).sum(1) / mask.sum(1)))


def _padded(samples: list[tuple[list[int], int]]) -> dict[str, torch.Tensor]:
    longest = max(len(tokens) for tokens, _ in samples)
    ids = torch.tensor([tokens + [0] * (longest - len(tokens)) for tokens, _ in samples])
    return {"input_ids": ids, "attention_mask": (ids > 0).long(), "labels": torch.tensor([label for _, label in samples])}


def test_sequences_keep_their_length_by_batch_and_logits_are_found() -> None:
    rng = np.random.default_rng(0)
    samples = [([int(t) for t in rng.integers(1, 10, rng.integers(2, 9)) + 10 * (i % 2)], i % 2) for i in range(80)]
    task = make_task("words", model=MeanOfWords, train=DataLoader(samples, batch_size=8, collate_fn=_padded))
    candidate, _ = task.candidate()
    lengths = {inputs["input_ids"].shape[1] for inputs, _ in task.data.train.batches(3)}
    assert len(lengths) > 1
    for n in (1, 7):
        assert outputs_of(candidate, task.data.valid.take(slice(0, n)).inputs).shape == (n, 2)
    fitted = fit(candidate.model, task, FitSettings(epochs=10, batch_size=16, lr=0.05, precision="fp32"))
    assert fitted.history[-1]["valid_score"] == 1.0  # the tokens of the two classes do not overlap
