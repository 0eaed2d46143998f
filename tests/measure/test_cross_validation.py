"""Cross-validation: nothing leaks into a fold, every model starts anew, settings are kept."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.dummy import DummyClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.tree import DecisionTreeClassifier
from torch import nn

import workbench as wb
from tests.measure.small_models import conv_net
from tests.small_tasks import digits_task, wine, wine_net
from workbench.data.rows import Rows
from workbench.errors import Cancelled, CandidateError, DataError, SettingsError, TaskError
from workbench.events import Event, Report
from workbench.measure.anew import Anew
from workbench.measure.cross_validation import (
    CrossValidation,
    compare,
    compare_all,
    cross_validate,
)
from workbench.metrics import METRICS, Metric
from workbench.task import Candidate, Task
from workbench.tasks.make import make_task


@dataclass(frozen=True)
class Recorder:
    """A `prepare` that notes the rows it was fitted on, by the number in their first column."""

    numbers: tuple[int, ...]

    @classmethod
    def fitted(cls, train: Rows) -> Recorder:
        made = cls(tuple(train.inputs["x"][:, 0].astype(int).tolist()))
        FITTED.append(made)
        return made

    def __call__(self, inputs: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        numbers = np.asarray(inputs["x"])[:, 0].astype(int)
        if len(numbers) != 2:  # a look at the shape of two rows is no use of them
            USED.append((self, frozenset(numbers.tolist())))
        return {"x": np.asarray(inputs["x"], np.float32)[:, 1:]}


FITTED: list[Recorder] = []
USED: list[tuple[Recorder, frozenset[int]]] = []


def _numbered(n: int = 200, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    y = np.arange(n) % 2
    x = np.c_[np.arange(n), rng.normal(size=(n, 3)) + y[:, None]]
    return x.astype(np.float32), y.astype(np.int64)


def _linear() -> nn.Module:
    return nn.Linear(3, 2)


FEW = {"epochs": 1, "precision": "fp32", "memory_format": "contiguous"}


def _net(task: Task, **changes: Any) -> Candidate:
    return replace(task.candidate()[0], fit=FEW, **changes)


@pytest.fixture(scope="module")
def wines() -> Task:
    return make_task("wine", train=wine(), model=_pipeline())


def _pipeline() -> Any:
    return make_pipeline(StandardScaler(), LogisticRegression())


def test_prepare_is_fitted_anew_and_never_on_rows_that_are_held_out() -> None:
    task = make_task("numbers", train=_numbered(), model=_linear, prepare=Recorder, kind="binary")
    train = set(task.data.train.inputs["x"][:, 0].astype(int).tolist())
    FITTED.clear()
    USED.clear()
    result = cross_validate(_net(task), task, folds=4)
    assert len(FITTED) == 4
    held: list[int] = []
    for fitted in FITTED:
        assert set(fitted.numbers) < train
        own = [rows for by, rows in USED if by is fitted]
        scored = own[-1]
        assert not scored & set(fitted.numbers)
        assert all(not rows & scored for rows in own[:-1]), "held-out rows were seen before"
        held += sorted(scored)
    assert sorted(held) == sorted(train), "each train row is scored once, and no other row"
    assert sum(result.n_held) == len(train)
    assert result.notes == ()


def test_network_stops_early_by_a_part_of_the_train_rows_of_the_fold() -> None:
    task = make_task("numbers", train=_numbered(), model=_linear, prepare=Recorder, kind="binary")
    FITTED.clear()
    result = cross_validate(_net(task), task, folds=4)
    for fitted, n_train in zip(FITTED, result.n_train, strict=True):
        assert len(fitted.numbers) / n_train == pytest.approx(0.85, abs=0.02)


def test_start_is_never_the_trained_model() -> None:
    x, y = _numbered(300)
    noise = np.random.default_rng(5).integers(0, 2, len(y))
    memory = DecisionTreeClassifier(random_state=0)
    task = make_task("noise", train=(x[:, 1:], noise), model=memory.fit(x[:, 1:], noise))
    assert task.start is not None
    result = cross_validate(task.start, task, folds=5, repeats=2)
    assert result.score("accuracy").low < 0.5 < result.score("accuracy").high
    assert result.mean == pytest.approx(0.5, abs=0.1)


def test_weights_of_a_trained_network_are_never_a_start() -> None:
    x, _ = _numbered(240)
    y = (x[:, 1] > 0).astype(np.int64)
    perfect = _linear()
    perfect.weight.data = torch.tensor([[-9.0, 0, 0], [9.0, 0, 0]])
    perfect.bias.data.zero_()
    task = make_task("easy", train=(x[:, 1:], y), model=perfect, kind="binary")
    assert task.start is not None
    untrained = {**FEW, "epochs": 0}
    by_reset = cross_validate(replace(task.start, fit=untrained), task, folds=4)
    built = replace(task.start, fit=untrained, builder="easy/net")
    task = replace(task, builders={"net": _linear})
    by_builder = cross_validate(built, task, folds=4)
    for result in (by_reset, by_builder):
        assert result.mean < 0.9, "the weights that were given have all rows right"


def test_network_on_noise_has_half_of_the_classes_right() -> None:
    x, _ = _numbered(300)
    noise = np.random.default_rng(6).integers(0, 2, 300)
    task = make_task("noise", train=(x[:, 1:], noise), model=_linear, kind="binary")
    result = cross_validate(_net(task), task, folds=3)
    assert result.mean == pytest.approx(0.5, abs=0.1)


def test_only_train_rows_are_used_and_the_task_stays_as_it_was(wines: Task) -> None:
    broken = Rows({"x": np.full((3, 13), np.nan)}, np.zeros(3, np.int64))
    task = replace(wines, data=replace(wines.data, valid=broken, calibration=broken, test=broken))
    candidate, _ = wines.candidate()
    expected = cross_validate(candidate, wines, folds=3)
    result = cross_validate(candidate, task, folds=3)
    assert [s.values for s in result.scores] == [s.values for s in expected.scores]
    assert task.data.test is broken


def test_estimator_scores_are_those_of_scikit_learn(wines: Task) -> None:
    from sklearn.model_selection import PredefinedSplit, cross_val_score

    from workbench.data.folds import fold_indices

    train = wines.data.train
    folds = fold_indices(train, wines.kind, 4, seed=3)
    place = np.empty(len(train), int)
    for number, (_, held) in enumerate(folds):
        place[held] = number
    expected = cross_val_score(
        _pipeline(), train.inputs["x"], train.targets, cv=PredefinedSplit(place)
    )
    result = cross_validate(wines.candidate()[0], wines, folds=4, seed=3)
    assert result.scores[0].values == pytest.approx(tuple(expected))


def test_builder_that_takes_the_number_of_inputs_is_made_for_each_fold() -> None:
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({"a": rng.normal(size=120), "b": ["common"] * 119 + ["rare"]})
    frame["b"] = np.r_[["common"] * 60, ["usual"] * 59, ["rare"]]
    frame["y"] = np.arange(120) % 2
    task = make_task("table", train=frame, target="y", model=lambda n_in: nn.Linear(n_in, 2))
    result = cross_validate(_net(task), task, folds=4)
    assert len(result.scores[0].values) == 4
    assert result.notes == ()


def test_prepare_that_would_change_the_inputs_of_a_fixed_network_is_kept_with_a_note() -> None:
    frame = pd.DataFrame({"a": np.linspace(0, 1, 120), "b": [f"c{i // 2}" for i in range(120)]})
    frame["y"] = np.arange(120) % 2
    task = make_task("table", train=frame, target="y", model=lambda n_in: nn.Linear(n_in, 2))
    n_in = task.prepare.n_features
    fixed = replace(task, builders={"net": lambda: nn.Linear(n_in, 2)})
    result = cross_validate(_net(fixed), fixed, folds=3)
    assert any("another number of inputs" in note for note in result.notes)


def test_prepare_without_fitted_is_noted() -> None:
    def scaled(inputs: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        return {"x": np.asarray(inputs["x"], np.float32)[:, 1:]}

    task = make_task("numbers", train=_numbered(), model=_linear, prepare=scaled, kind="binary")
    (note,) = cross_validate(_net(task), task, folds=2).notes
    assert note.startswith("`prepare` is not fitted anew in each fold, as it has no `fitted`")


def test_fit_settings_and_builder_arguments_of_the_candidate_are_kept() -> None:
    made: list[int] = []

    def net(width: int = 4) -> nn.Module:
        made.append(width)
        return nn.Sequential(nn.Linear(3, width), nn.ReLU(), nn.Linear(width, 2))

    x, y = _numbered()
    task = make_task("numbers", train=(x[:, 1:], y), models={"net": net}, kind="binary")
    candidate, _ = task.candidate("net", args={"width": 7})
    made.clear()
    still = replace(candidate, fit={**FEW, "epochs": 0})
    untrained = cross_validate(still, task, folds=2)
    assert set(made) == {7}
    trained = cross_validate(
        replace(candidate, fit={**FEW, "epochs": 20, "lr": 0.05}), task, folds=2
    )
    assert trained.score("log_loss").mean < untrained.score("log_loss").mean


def test_same_seed_gives_the_same_scores_and_another_seed_other_folds(wines: Task) -> None:
    task = digits_task(start=None, builders={"net": lambda: nn.Linear(64, 10)})
    first, again = (cross_validate(_net(task), task, folds=2, seed=4) for _ in range(2))
    assert first.scores == again.scores
    assert first.digest == again.digest
    candidate, _ = wines.candidate()
    seeds = [cross_validate(candidate, wines, folds=2, seed=seed).digest for seed in (0, 1)]
    assert seeds[0] != seeds[1]


def test_groups_are_never_parted_and_times_never_go_backward() -> None:
    x, y = _numbered(200)
    task = make_task("groups", train=(x, y), model=LogisticRegression(), kind="binary")
    groups = task.data.train.inputs["x"][:, 0].astype(int) // 6
    result = cross_validate(task.candidate()[0], task, folds=3, groups=groups)
    assert not result.in_time
    seen: list[tuple[float, float]] = []

    class Watching(LogisticRegression):
        def fit(self, features: Any, targets: Any) -> Any:
            seen.append((features[:, 0].max(), np.nan))
            return super().fit(features, targets)

        def predict_proba(self, features: Any) -> Any:
            if len(features) > 8:
                seen.append((np.nan, features[:, 0].min()))
            return super().predict_proba(features)

    ordered = make_task("times", train=(x, y), model=Watching(), times=np.arange(200))
    seen.clear()
    result = cross_validate(ordered.candidate()[0], ordered, folds=3)
    assert result.in_time
    assert "the rows before it" in result.sentence
    latest, earliest = (np.array(values) for values in zip(*seen, strict=True))
    assert (latest[0::2] < earliest[1::2]).all()


def test_network_on_groups_and_on_times_is_trained_on_its_own_rows_alone() -> None:
    task = make_task("numbers", train=_numbered(), model=_linear, prepare=Recorder, kind="binary")
    groups = task.data.train.inputs["x"][:, 0].astype(int) // 4
    FITTED.clear()
    USED.clear()
    cross_validate(_net(task), task, folds=3, groups=groups)
    for fitted in FITTED:
        learned = {n // 4 for n in fitted.numbers}
        others = [rows for by, rows in USED if by is fitted and not rows <= set(fitted.numbers)]
        assert others
        assert all(not learned & {n // 4 for n in rows} for rows in others)


def test_comparison_of_two_candidates_is_that_of_the_same_folds(wines: Task) -> None:
    task = replace(wines, builders={**wines.builders, "mean": lambda: DummyClassifier()})
    start, mean = (task.candidate(n)[0] for n in (next(iter(wines.builders)), "mean"))
    good, bad = (cross_validate(c, task, folds=5) for c in (start, mean))
    verdict = compare(bad, good)
    assert (verdict.decision, verdict.metric) == ("better", "accuracy")
    assert compare(good, bad, metric="log_loss").decision == "worse"
    assert compare(good, good).decision in ("equivalent", "undecided")
    assert [v.decision for v in compare_all(bad, good)] == ["better", "better"]
    with pytest.raises(DataError, match="were scored on other folds"):
        compare(good, cross_validate(start, task, folds=5, seed=1))
    with pytest.raises(DataError, match="Unknown metric `f1`"):
        compare(good, bad, metric="f1")


def test_result_comes_back_from_json_and_has_a_row_a_fold(wines: Task) -> None:
    result = cross_validate(wines.candidate()[0], wines, folds=2, repeats=2)
    assert CrossValidation.from_json(json.loads(json.dumps(result.to_json()))) == result
    table = result.to_frame()
    assert table["repeat"].tolist() == [1, 1, 2, 2]
    assert table["fold"].tolist() == [1, 2, 1, 2]
    assert tuple(table["accuracy"]) == result.scores[0].values
    assert "50 % of the train rows" in result.sentence


def test_one_hold_out_has_a_score_and_no_interval(wines: Task) -> None:
    result = cross_validate(wines.candidate()[0], wines, folds=1)
    assert np.isinf(result.scores[0].high)
    assert result.sentence.startswith("One hold-out")


def test_onnx_file_and_result_of_a_step_are_refused_with_a_way_out() -> None:
    task = digits_task()
    file = Candidate("file", "onnx", conv_net(), builder="digits/net")
    with pytest.raises(CandidateError, match=r"ONNX.*cannot be trained anew.*`model=`"):
        cross_validate(file, task)
    assert task.start is not None
    pruned = task.start.child("net pruning", "pruning")
    with pytest.raises(CandidateError, match=r"`pruning` changed trained weights.*several seeds"):
        cross_validate(pruned, task)
    tuned = task.start.child("net tuned", "tuning", trains_anew=True, fit=FEW)
    assert cross_validate(tuned, task, folds=2).notes == (
        "No builder is known: weights were drawn anew, so a pretraining does not count.",
    )


def test_network_without_builder_and_reset_is_refused() -> None:
    class Own(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.weight = nn.Parameter(nn.Linear(64, 10).weight.detach())

        def forward(self, x: Any) -> Any:
            return x @ self.weight.T

    task = digits_task(start=Candidate("own", "torch", Own()))
    assert task.start is not None
    with pytest.raises(CandidateError, match="no function is known that makes it untrained"):
        cross_validate(task.start, task)


def test_metric_that_is_not_defined_on_a_fold_is_named(wines: Task) -> None:
    def fails(outputs: np.ndarray, targets: np.ndarray) -> float:
        raise ValueError("no score here")

    for whole, message in ((fails, "no score here"), (lambda o, t: np.nan, "is nan on")):
        task = replace(wines, metrics=(METRICS["accuracy"], Metric("own", whole=whole)))
        with pytest.raises(TaskError, match=rf"`own`.*{message}") as error:
            cross_validate(wines.candidate()[0], task, folds=3)
        assert "fold 1 of 3" in str(error.value)


def test_class_without_train_rows_in_a_fold_is_refused_for_an_estimator() -> None:
    x, _ = _numbered(200)
    y = np.r_[np.arange(160) % 2, np.arange(40) % 3]
    task = make_task("late", train=(x, y), model=LogisticRegression(), times=np.arange(200))
    train = Rows({"x": x}, y, np.arange(200))
    task = replace(task, data=replace(task.data, train=train))
    with pytest.raises(DataError, match="Class number 2 has no train row in fold 1 of 3"):
        cross_validate(task.candidate()[0], task, folds=3)


def test_prepare_that_fails_is_named() -> None:
    class Failing(Recorder):
        @classmethod
        def fitted(cls, train: Rows) -> Recorder:
            if len(train) < 100:
                raise RuntimeError("too few")
            return cls(())

    task = make_task("numbers", train=_numbered(), model=_linear, prepare=Failing, kind="binary")
    with pytest.raises(TaskError, match="RuntimeError when it was fitted on the train rows of a"):
        cross_validate(_net(task), task, folds=2)


def _stopping_after(n: int, events: list[Event]) -> Callable[[], bool]:
    return lambda: sum(e.kind == "progress" for e in events) >= n


def test_progress_names_the_fold_and_a_request_stops_it() -> None:
    task = digits_task(start=None, builders={"net": lambda: nn.Linear(64, 10)})
    events: list[Event] = []
    cross_validate(_net(task), task, folds=2, report=Report(events.append))
    texts = [e.data["text"] for e in events]
    assert {e.kind for e in events} == {"progress"}
    assert texts[0] == "fold 1 of 2"
    assert any(t.startswith("fold 2 of 2: step ") for t in texts)
    done = [e.data["done"] for e in events]
    assert done == sorted(done)
    assert done[-1] == 2
    events.clear()
    stopping = Report(events.append, cancelled=_stopping_after(3, events))
    with pytest.raises(Cancelled):
        cross_validate(_net(task), task, folds=2, report=stopping)
    assert len(events) == 3


def test_it_is_on_the_shelf_and_refuses_wrong_numbers(wines: Task) -> None:
    assert wb.cross_validate is cross_validate
    with pytest.raises(SettingsError, match="`n_folds` must be a whole number from 1 on, got 0"):
        wb.cross_validate(wines.candidate()[0], wines, folds=0)


def test_network_of_wine_is_scored_on_every_metric() -> None:
    task = make_task("wine", train=wine(), model=wine_net)
    result = cross_validate(_net(task), task, folds=2)
    assert [s.metric for s in result.scores] == ["accuracy", "log_loss"]
    assert result.candidate == "wine_net"


def test_stopped_validation_goes_on_after_its_finished_folds(
    wines: Task, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    candidate, _ = wines.candidate()
    whole = cross_validate(candidate, wines, folds=3, budget="smoke")
    events: list[Event] = []
    report = Report(events.append, cancelled=_stopping_after(2, events))
    with pytest.raises(Cancelled):
        cross_validate(candidate, wines, folds=3, budget="smoke", report=report, cache=tmp_path)
    trained, plain = [], Anew.trained
    monkeypatch.setattr(
        Anew, "trained", lambda self, *a, **k: trained.append(1) or plain(self, *a, **k)
    )
    resumed = cross_validate(candidate, wines, folds=3, budget="smoke", cache=tmp_path)
    assert 0 < len(trained) < 3
    assert resumed.score().values == whole.score().values
    trained.clear()
    cross_validate(candidate, wines, folds=3, seed=1, budget="smoke", cache=tmp_path)
    assert len(trained) == 3, "other folds"


def test_groups_may_be_numbers_and_texts(wines: Task) -> None:
    groups = pd.Series([i % 9 if i % 2 else f"g{i % 9}" for i in range(len(wines.data.train))])
    candidate, _ = wines.candidate()
    assert cross_validate(candidate, wines, folds=3, budget="smoke", groups=groups).mean > 0
