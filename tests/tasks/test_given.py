"""A user's own model: every shape that it may come in gives a candidate, a builder, or a refusal
that says why.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from sklearn.datasets import load_diabetes, load_digits
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.multiclass import OneVsRestClassifier
from sklearn.multioutput import MultiOutputClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from torch import nn

from tests.small_tasks import accuracy_of, fitted_pipeline, iris, wine, wine_net
from workbench.errors import TaskError, UnknownName
from workbench.models.estimators import as_features, is_fitted
from workbench.runtimes import predictor
from workbench.runtimes.to_onnx import to_onnx
from workbench.task import Candidate
from workbench.tasks.make import make_task


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
    task = (
        make_task("iris", model=model, train=frame.assign(shop="a"), target="species")
        if as_frame
        else make_task("iris", model=model, train=frame, target="species")
    )
    given = as_features(task.data.test.inputs)
    assert (
        list(given.columns) == list(features.columns)
        if as_frame
        else given.shape == (len(task.data.test), 4)
    )
    assert accuracy_of(task, task.data.test) > 0.9
    assert not is_fitted(task.build("untrained"))


def test_a_fitted_classifiers_own_order_of_labels_wins() -> None:
    frame = iris()
    model = fitted_pipeline(frame.drop(columns="species"), frame["species"])
    task = make_task(
        "iris",
        model=model,
        train=frame,
        target="species",
        classes=["virginica", "versicolor", "setosa"],
    )
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
def test_an_onnx_file_becomes_the_start_and_answers_as_its_source(
    as_path: bool, tmp_path: Path
) -> None:
    frame = iris()
    model = fitted_pipeline(frame.drop(columns="species").to_numpy(), frame["species"])
    source = make_task("iris", model=model, train=frame, target="species")
    content = to_onnx(source.start, source.example(8)).model
    (tmp_path / "iris.onnx").write_bytes(content)
    task = make_task(
        "iris", model=tmp_path / "iris.onnx" if as_path else content, train=frame, target="species"
    )
    assert (task.start.form, task.start.outputs) == ("onnx", "probabilities")
    assert accuracy_of(task, task.data.test) == accuracy_of(source, source.data.test)


def _bits() -> tuple[np.ndarray, np.ndarray]:
    """Digits with several labels a row: the bits of the digit."""
    raw = load_digits()
    return (raw.data / 16).astype(np.float32), (raw.target[:, None] >> np.arange(4)) & 1


@pytest.mark.parametrize("wrapper", [OneVsRestClassifier, MultiOutputClassifier])
def test_an_estimator_of_several_labels_is_judged_by_its_own_predictions(wrapper: type) -> None:
    x, labels = _bits()
    model = wrapper(LogisticRegression(max_iter=2000))
    built = make_task("bits", model=model, train=(x, labels))
    assert built.candidate()[0].outputs == "label_probabilities"
    task = make_task("bits", model=model.fit(x, labels), train=(x, labels))
    wanted = (model.predict(as_features(task.data.test.inputs)) == task.data.test.targets).mean()
    assert (task.kind, task.start.outputs) == ("multilabel", "label_probabilities")
    assert accuracy_of(task, task.data.test) == pytest.approx(wanted)


def test_probabilities_declared_for_several_labels_are_one_a_label() -> None:
    torch.manual_seed(0)
    task = make_task(
        "bits",
        model=nn.Sequential(nn.Linear(64, 4), nn.Sigmoid()),
        train=_bits(),
        outputs="probabilities",
    )
    assert task.start.outputs == "label_probabilities"
    assert (predictor(task.start).predict(task.example(50)) > 0).any()


@pytest.mark.parametrize(
    ("n_labels", "outputs"), [(1, "probabilities"), (4, "label_probabilities")]
)
@pytest.mark.parametrize("squashed", [True, False])
def test_an_onnx_file_that_ends_in_a_sigmoid_is_noticed(
    n_labels: int, outputs: str, squashed: bool
) -> None:
    x, labels = _bits()
    targets = labels if n_labels > 1 else labels[:, 0]
    torch.manual_seed(0)
    net = nn.Sequential(nn.Linear(64, n_labels), nn.Sigmoid() if squashed else nn.Identity())
    with torch.no_grad():
        net[0].weight.mul_(5)
    content = to_onnx(Candidate("net", "torch", net), {"x": x[:8]}).model
    task = make_task("bits", model=content, train=(x, targets))
    assert task.start.outputs == (outputs if squashed else "logits")
    rows = task.data.test.inputs["x"]
    logits = net[0](torch.from_numpy(rows)).detach()
    assert np.allclose(predictor(task.start).predict({"x": rows}), logits, atol=1e-2)


def test_a_reference_is_imported_and_names_the_model(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = (
        "from torch import nn\n\ndef my_net():\n    return nn.Linear(13, 3)\n\nready = "
        "nn.Linear(13, 3)\n"
    )
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
        (b"no onnx", TaskError, "`model` is no ONNX file: it is text"),
        (nn.Linear(5, 3), TaskError, r"raised RuntimeError on the inputs `x` float32 \(32, 13\)"),
        (
            nn.Linear(13, 2),
            TaskError,
            r"must give outputs \(batch, n_classes\) with n_classes = 3, and gave \(32, 2\)",
        ),
    ],
)
def test_make_task_refuses_a_model_that_does_not_fit_and_says_why(
    model: object, error: type, message: str
) -> None:
    with pytest.raises(error, match=message):
        make_task("wine", model=model, train=wine())


def test_make_task_refuses_an_estimator_with_prepare_or_without_its_columns() -> None:
    frame = iris()
    model = fitted_pipeline(frame.drop(columns="species"), frame["species"])
    with pytest.raises(TaskError, match="put the work of `prepare` into its pipeline"):
        make_task("iris", model=model, train=frame, target="species", prepare=lambda inputs: inputs)
    with pytest.raises(
        TaskError, match=r"fitted on columns that the data lack: petal width \(cm\)"
    ):
        make_task(
            "iris", model=model, train=frame.drop(columns="petal width (cm)"), target="species"
        )


def test_further_models_take_the_number_of_inputs_as_the_model_does():
    task = make_task("wine", models={"small": lambda n_in: nn.Linear(n_in, 3)}, train=wine())
    assert task.build("small").in_features == 13


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda a, b: None, "`small` needs a, b; wrap it in a function without arguments"),
        (nn.Linear(13, 3), "`small` is a torch module: give the function or class that makes it"),
    ],
)
def test_further_model_that_cannot_be_built_is_refused(build, message):
    with pytest.raises(TaskError, match=message):
        make_task("wine", models={"small": build}, train=wine())
