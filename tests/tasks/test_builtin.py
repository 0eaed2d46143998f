"""The tasks that come with the package, and those that a reference names."""

from __future__ import annotations

import sys

import numpy as np
import pytest
import torch

from tests.published import needs_published
from workbench.data.tensors import tensor
from workbench.errors import SettingsError, UnknownName, WorkbenchError
from workbench.models.networks import call_model
from workbench.tasks import TASKS, _loaded, load_task
from workbench.tasks.builtin import flip_and_shift

SIZES = {
    "digits": (1_000, 350, 97, 350),
    "fashion": (14_000, 5_000, 1_000, 10_000),
    "flights": (188_971, 70_293, 14_091, 53_991),
    "reviews": (6_041, 1_500, 500, 2_000),
}


@pytest.mark.parametrize("name", SIZES)
def test_built_in_task_has_its_rows_and_models(name):
    task = load_task(name)
    assert task.built_in
    assert task.name == name
    assert (
        tuple(task.data.sizes()[s] for s in ("train", "valid", "calibration", "test"))
        == SIZES[name]
    )
    assert set(task.reference) <= set(task.builders)
    assert len({getattr(task.data, s).digest for s in task.data.sizes()}) == 4, (
        "no split is another one"
    )
    assert set(task.data.train.targets.tolist()) == set(range(len(task.classes)))
    assert set(task.data.valid.targets.tolist()) <= set(range(len(task.classes)))


@needs_published
def test_fashion_full_has_the_valid_and_test_rows_of_fashion():
    small, full = load_task("fashion").data, load_task("fashion-full").data
    assert len(full.train) == 54_000
    assert (full.valid.digest, full.test.digest) == (small.valid.digest, small.test.digest)


def test_every_built_in_task_was_looked_at():
    assert set(TASKS) == {*SIZES, "fashion-full"}


def test_a_task_is_loaded_once():
    assert load_task("digits") is load_task("digits")


def test_splits_of_digits_share_no_image(digits_task):
    seen = [
        {r.tobytes() for r in getattr(digits_task.data, s).inputs["image"]}
        for s in digits_task.data.sizes()
    ]
    assert sum(map(len, seen)) == len(set().union(*seen)) == 1_797


@pytest.mark.parametrize(
    ("name", "model"),
    [("digits", "cnn"), ("digits", "resnet20"), ("fashion", "cnn"), ("flights", "table_net")],
)
def test_network_takes_what_its_task_prepares(name, model):
    task = load_task(name)
    prepared = task.example(5)
    assert all(a.dtype == np.float32 and np.isfinite(a).all() for a in prepared.values())
    with torch.no_grad():
        outputs = call_model(
            task.build(model).eval(), {n: tensor(a, "cpu") for n, a in prepared.items()}
        )
    assert outputs.shape == (5, 1 if task.kind == "binary" else len(task.classes))
    assert torch.isfinite(outputs).all()


@pytest.mark.parametrize("model", ["text_cnn", "bigru", "transformer2"])
def test_small_network_for_reviews_takes_words_and_has_a_tenth_of_minilm(model):
    task = load_task("reviews")
    candidate, trained = task.candidate(model)
    assert not trained
    assert candidate.prepare is task.prepare
    prepared = task.example(5, candidate.prepare)
    with torch.no_grad():
        outputs = call_model(
            candidate.model.eval(), {n: tensor(a, "cpu") for n, a in prepared.items()}
        )
    assert outputs.shape == (5, 2)
    assert sum(p.numel() for p in candidate.model.parameters()) < 22_565_378 / 10


def test_reviews_list_minilm_with_its_own_prepare_where_the_extra_is_not_installed(monkeypatch):
    from workbench.errors import MissingExtra

    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    task = load_task("reviews")
    assert "minilm" in task.builders
    assert task.prepares["minilm"] != task.prepare
    with pytest.raises(MissingExtra, match=r"extra `text`.*\[text\]"):
        task.candidate("minilm")


def test_settings_that_reviews_train_with_are_valid_ones():
    from workbench.training import FitSettings

    task = load_task("reviews")
    assert set(task.fits) <= set(task.builders)
    assert {FitSettings(**changes).lr for changes in task.fits.values()} != {FitSettings().lr}


def test_tfidf_learns_from_the_words_of_reviews():
    task = load_task("reviews")
    from workbench.models.estimators import as_features

    train, valid = task.data.train.take(slice(0, 2000)), task.data.valid
    model = task.build("tfidf").fit(as_features(train.inputs), train.targets)
    assert model.score(as_features(valid.inputs), valid.targets) > 0.68


def test_prepared_flights_hold_no_missing_number_in_any_split():
    task = load_task("flights")
    late_rows = task.data.test.take(slice(-2000, None))  # no weather on the last days of the year
    assert np.isnan(late_rows.inputs["temp"]).any()
    for rows in (
        late_rows,
        task.data.train.take(slice(0, 2000)),
        task.data.valid.take(slice(0, 2000)),
    ):
        x = rows.prepared(task.prepare).inputs["x"]
        assert x.shape == (2000, task.prepare.n_features)
        assert np.isfinite(x).all()


@pytest.mark.parametrize("model", ["logistic", "boosting"])
def test_estimators_of_flights_learn_from_its_columns(model):
    task = load_task("flights")
    from workbench.models.estimators import as_features

    rows = task.data.train.take(slice(0, 600))
    scores = (
        task.build(model)
        .fit(as_features(rows.inputs), rows.targets)
        .predict_proba(as_features(rows.inputs))
    )
    assert scores.shape == (600, 2)
    assert scores[rows.targets == 1, 1].mean() > scores[rows.targets == 0, 1].mean()


@pytest.mark.parametrize(
    ("typed", "meant"), [("digit", "digits"), ("fasion", "fashion"), ("flight", "flights")]
)
def test_unknown_task_is_refused_with_the_nearest_name(typed, meant):
    with pytest.raises(
        UnknownName,
        match=f"Unknown task `{typed}`. Did you mean `{meant}`.*package.module:function",
    ):
        load_task(typed)


def test_unknown_model_of_a_task_is_refused_with_the_nearest_name(digits_task):
    with pytest.raises(
        UnknownName, match="model of task `digits` `resnet2`.*Did you mean `resnet20`"
    ):
        digits_task.build("resnet2")


@pytest.fixture
def my_tasks(tmp_path, monkeypatch):
    """A module of the user's own in the working folder."""
    (tmp_path / "my_tasks_here.py").write_text(
        "from dataclasses import replace\n"
        "from workbench.task import Task\nfrom workbench.tasks import load_task\n"
        "ready = replace(load_task('digits'), name='mine', built_in=False)\n"
        "def make() -> Task: return ready\ndef wrong() -> Task: return 3\n"
        "def plain(): return ready\n"
    )
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    yield "my_tasks_here"
    sys.modules.pop("my_tasks_here", None)
    _loaded.cache_clear()


def test_reference_makes_a_task_from_the_working_folder(my_tasks):
    assert load_task(f"{my_tasks}:make").name == "mine"
    assert load_task(f"{my_tasks}:ready").name == "mine"


def test_reference_to_something_else_is_refused(my_tasks):
    with pytest.raises(UnknownName, match="gave int, not a Task"):
        load_task(f"{my_tasks}:wrong")
    with pytest.raises(UnknownName, match="must be annotated `-> Task`"):
        load_task(f"{my_tasks}:plain")
    with pytest.raises(UnknownName, match="cannot be imported"):
        load_task(f"{my_tasks}:missing")


def test_augmented_images_are_moved_copies_of_the_same_images():
    images = torch.arange(2 * 36, dtype=torch.float32).reshape(2, 1, 6, 6)
    kept = images.clone()
    changed = flip_and_shift({"image": images}, torch.Generator().manual_seed(0))["image"]
    again = flip_and_shift({"image": images}, torch.Generator().manual_seed(0))["image"]
    assert torch.equal(images, kept)
    assert torch.equal(changed, again)
    assert changed.shape == images.shape
    assert not torch.equal(changed, images)
    for one, source in zip(changed, images, strict=True):
        assert set(one.unique().tolist()) <= set(source.unique().tolist())


@pytest.mark.parametrize(
    ("name", "args", "words"),
    [
        (None, None, "Unknown task `None`"),
        (b"digits", None, "Unknown task"),
        ("digits", [1], "must be a mapping of names to plain values"),
        ("digits", {3: 1}, "must be a mapping of names to plain values"),
        ("digits", {"a": {1, 2}}, "must be a mapping of names to plain values"),
    ],
)
def test_task_is_refused_when_name_or_arguments_are_of_another_kind(name, args, words):
    with pytest.raises(WorkbenchError, match=words):
        load_task(name, args)


def test_model_is_refused_when_its_builder_cannot_take_an_argument(digits_task):
    with pytest.raises(SettingsError, match="Model `cnn` cannot be made with"):
        digits_task.candidate("cnn", args={"width": "wide"})


@pytest.mark.parametrize(
    ("model", "args"), [([], None), (None, None), ("cnn", [1]), ("cnn", {1: 2})]
)
def test_model_is_refused_when_name_or_arguments_are_of_another_kind(digits_task, model, args):
    with pytest.raises(WorkbenchError, match=r"Unknown model|must be a mapping"):
        digits_task.candidate(model, args=args)
