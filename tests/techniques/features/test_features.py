"""The procedure: encode, choose, train, control; kept candidates; bad tables."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LogisticRegression

from tests.techniques.features.tables import (
    baseline_task,
    features,
    job_of,
    mixed_frame,
    mixed_task,
    net,
)
from workbench.errors import Cancelled, CandidateError, DataError, SettingsError
from workbench.events import Event, Report
from workbench.keeping.candidates import keep, load_kept
from workbench.measure.cross_validation import cross_validate
from workbench.runtimes.outputs import outputs_of, outputs_on
from workbench.tasks.make import make_task
from workbench.techniques import get_technique

pytestmark = pytest.mark.filterwarnings("ignore:Skipping features", "ignore:.*The baselines do not")

TRUSTED = ["workbench.*", "sklearn.*", "skrub.*"]
IN_A_NEW_PROCESS = """
import sys
import numpy as np
from tests.techniques.features.tables import mixed_task
from workbench.keeping.candidates import load_kept
from workbench.runtimes.outputs import outputs_on

candidate = load_kept(sys.argv[1], trusted=["workbench.*", "sklearn.*", "skrub.*"])
np.save(sys.argv[2], outputs_on(candidate, mixed_task().data.valid))
"""


def _score(task, candidate):
    return task.metric(outputs_on(candidate, task.data.valid), task.data.valid.targets)


def test_estimator_gains_by_dates_texts_and_categories_that_the_start_leaves_out(tmp_path):
    task = baseline_task()
    outcome = features(job_of(task, tmp_path), encode="simple", max_categories=40)
    assert _score(task, outcome.candidate) > _score(task, outcome.control) + 0.05
    kinds = outcome.evidence["columns"].set_index("column")["kind"].to_dict()
    assert kinds == {
        "number": "number",
        "count": "number",
        "colour": "category",
        "shop": "many",
        "date": "date",
        "review": "text",
        "constant": "unused",
        "empty": "unused",
    }
    assert any("`constant`, as all rows of train have one value" in n for n in outcome.notes)
    assert any("`empty`, as no row of train has a value" in n for n in outcome.notes)


def test_control_is_the_start_trained_the_same_way(tmp_path):
    task = baseline_task()
    job = job_of(task, tmp_path)
    control = features(job, encode="simple", select="f_test", n_features=5).control
    valid = task.data.valid
    np.testing.assert_array_equal(outputs_on(control, valid), outputs_on(job.start, valid))


@pytest.mark.parametrize("encode", ["simple", "skrub"])
def test_kept_network_gives_identical_predictions_on_raw_rows_in_a_new_process(tmp_path, encode):
    if encode == "skrub":
        pytest.importorskip("skrub", reason='pip install "model-optimization-workbench[features]"')
    task = mixed_task()
    outcome = features(job_of(task, tmp_path), encode=encode, select="f_test", n_features=8)
    candidate = outcome.candidate
    few = task.data.train.take(slice(0, 4)).prepared(candidate.prepare)
    keep(candidate, tmp_path / "kept", dict(few.inputs), task=task)
    command = [sys.executable, "-W", "ignore", "-c", IN_A_NEW_PROCESS]
    subprocess.run([*command, str(tmp_path / "kept"), str(tmp_path / "told.npy")], check=True)
    expected = outputs_on(candidate, task.data.valid)
    np.testing.assert_array_equal(np.load(tmp_path / "told.npy"), expected)


def test_single_rows_with_gaps_and_unseen_categories_are_predicted(tmp_path):
    task = baseline_task()
    candidate = features(job_of(task, tmp_path), encode="simple").candidate
    row = {name: a[:1].copy() for name, a in task.data.valid.inputs.items()}
    alone = outputs_of(candidate, row)
    np.testing.assert_allclose(alone, outputs_on(candidate, task.data.valid)[:1], rtol=1e-6)
    row |= {
        "colour": np.array([None], object),
        "shop": np.array(["never seen"], object),
        "date": np.array(["NaT"], "datetime64[ns]"),
        "review": np.array([np.nan], object),
        "number": np.array([np.nan]),
    }
    assert np.isfinite(outputs_of(candidate, row)).all()


@pytest.mark.parametrize(("task", "model"), [(baseline_task, "linear"), (mixed_task, "net")])
def test_candidate_is_trained_anew_in_each_fold_with_its_preparation(tmp_path, task, model):
    outcome = features(job_of(task(), tmp_path, model), encode="simple", select="f_test")
    assert outcome.candidate.trains_anew
    validation = cross_validate(outcome.candidate, task(), folds=2, budget="smoke")
    assert validation.notes == ()


def test_onnx_of_numbers_and_categories_is_written_and_a_step_without_converter_is_named(tmp_path):
    frame = mixed_frame()[["number", "count", "target"]].assign(
        place=[f"p{i % 50}" for i in range(400)], kind=[f"k{i % 3}" for i in range(400)]
    )
    frame["number"] = frame["number"].fillna(0.0)
    task = make_task("plain", train=frame, target="target")
    outcome = features(job_of(task, tmp_path, "linear"), n_features=8, select="f_test", bins="on")
    rows = dict(task.data.train.take(slice(0, 8)).inputs)
    about = keep(outcome.candidate, tmp_path / "kept", rows)
    onnx = load_kept(tmp_path / "kept", form="onnx")
    ours, theirs = (outputs_of(c, rows) for c in (outcome.candidate, onnx))
    np.testing.assert_allclose(ours, theirs, atol=1e-4)
    dated = baseline_task()
    candidate = features(job_of(dated, tmp_path / "b"), encode="simple", columns=["date"]).candidate
    rows = dict(dated.data.train.take(slice(0, 4)).inputs)
    about = keep(candidate, tmp_path / "dated", rows)
    assert "no converter for `DateParts`" in about["onnx_error"]


def test_interval_of_nested_cross_validation_holds_one_half_on_pure_noise(tmp_path):
    rng = np.random.default_rng(5)
    noise = rng.normal(size=(160, 2_000)).astype(np.float32)
    targets = rng.permutation(np.arange(160) % 2)
    task = make_task(
        "noise",
        model=LogisticRegression(max_iter=50),
        train=(noise[:100], targets[:100]),
        valid=(noise[100:130], targets[100:130]),
        calibration=(noise[130:145], targets[130:145]),
        test=(noise[145:], targets[145:]),
        metric="accuracy",
    )
    job = job_of(task, tmp_path)
    outcome = features(job, select="f_test", nested_folds=5, n_sizes=3, folds=2)
    note = next(n for n in outcome.notes if n.startswith("Nested"))
    low, high = (float(v) for v in note.split("(")[1].split(" %)")[0].split(" % to "))
    assert low < 50 < high


def test_rows_in_time_are_chosen_by_later_rows_and_the_past_alone_is_aggregated(tmp_path):
    frame = mixed_frame().dropna(subset=["date"]).sort_values("date", ignore_index=True)
    task = make_task(
        "ordered",
        train=frame.drop(columns=["review"]),
        target="target",
        times=frame["date"].to_numpy(),
    )
    job = job_of(_with_start(task), tmp_path)
    outcome = features(job, past_rows="date", select="none")
    names = outcome.evidence["features"]["feature"].tolist()
    assert "shop past mean" in names
    assert "shop past rows" in names


def _with_start(task):
    """The task with a start on its numbers alone."""
    from dataclasses import replace

    from workbench.models.estimators import make_estimator

    numeric = {"number": True, "count": True}
    return replace(task, builders={"start": lambda: make_estimator("logistic", numeric)})


def test_network_with_a_fixed_number_of_inputs_is_refused(tmp_path):
    task = make_task(
        "fixed",
        model=lambda: net(2),
        train=mixed_frame()[["number", "count", "target"]].dropna(),
        target="target",
    )
    with pytest.raises(CandidateError, match="function of the number of inputs"):
        features(job_of(task, tmp_path))


def test_wrong_column_names_are_refused_with_the_nearest(tmp_path):
    job = job_of(baseline_task(), tmp_path)
    with pytest.raises(SettingsError, match="`columns`: .*`numbers`.*number"):
        features(job, columns=["numbers"])
    with pytest.raises(SettingsError, match="`prices`: .*`shopp`.*shop"):
        features(job, prices={"shopp": 5.0})
    with pytest.raises(SettingsError, match="`past_rows` names the column of dates.*date"):
        features(job, encode="simple", past_rows="day")


def test_fold_of_one_class_is_refused(tmp_path):
    frame = mixed_frame(200)[["number", "count", "target"]]
    frame["target"] = (np.arange(200) >= 60) * (np.arange(200) % 2)
    task = make_task("one_class", train=frame, target="target", times=np.arange(200))
    with pytest.raises(DataError, match="rows of one class"):
        features(job_of(task, tmp_path, "linear"), select="f_test")


def test_no_usable_column_is_refused_with_the_reasons(tmp_path):
    job = job_of(baseline_task(), tmp_path)
    with pytest.raises(DataError, match="No column of train can be encoded .*`constant`: all rows"):
        features(job, columns=["date"], dates="off")


def test_column_names_of_any_type_are_kept(tmp_path):
    frame = mixed_frame()[["number", "count", "colour", "target"]]
    frame.columns = [0, ("a", 1), "ünï, cödé = x", "target"]
    task = make_task("names", train=frame, target="target")
    outcome = features(job_of(task, tmp_path, "linear"), select="none")
    assert outcome.evidence["columns"]["column"].tolist() == ["0", "a.1", "ünï, cödé = x"]


def test_many_categories_are_encoded_and_an_identifier_is_told(tmp_path):
    n = 100_000
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(
        {
            "customer": [f"c{i}" for i in rng.integers(0, 1_000_000, n)],
            "visitor": [f"v{i}" for i in rng.integers(0, 20_000, n)],
            "number": rng.normal(size=n),
        }
    )
    frame["target"] = (frame["number"] > 0).astype(int)
    task = make_task("large", train=frame, target="target")
    outcome = features(_raw_job(task, tmp_path), bins="off")
    kinds = outcome.evidence["columns"].set_index("column")["kind"]
    assert kinds["visitor"] == "many"
    assert kinds["customer"] == "unused"
    assert any("`customer`, as nearly every row has a value of its own" in n for n in outcome.notes)


@pytest.mark.slow
def test_a_million_rows_are_chosen_from_by_a_part_and_all_of_them_are_encoded(tmp_path):
    n = 1_000_000
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(
        {
            "amount": rng.lognormal(3, 1, n).astype(np.float32),
            "age": np.where(rng.random(n) < 0.05, np.nan, rng.normal(40, 12, n)),
            "at": pd.Timestamp("2025-01-01") + pd.to_timedelta(rng.integers(0, 31_536_000, n), "s"),
        }
    )
    frame["target"] = (np.log(frame["amount"]) - 3 + rng.normal(size=n) > 0).astype(int)
    task = make_task("million", train=frame, target="target")
    job = _raw_job(task, tmp_path)
    outcome = features(job, bins="off", splines="off")
    valid = task.data.valid
    probabilities = outcome.candidate.model.predict_proba(pd.DataFrame(dict(valid.inputs)))[:, 1]
    assert len(valid) == 200_000
    assert np.isfinite(probabilities).all()
    assert np.mean((probabilities > 0.5) == valid.targets) > 0.72


def _raw_job(task, folder):
    """A job whose start is not trained: it could not be, on texts."""
    from workbench.technique import Job

    return Job(task.without_test(), task.candidate()[0], folder)


def test_cancel_stops_a_slow_selection_between_two_models(tmp_path):
    seen: list[Event] = []

    def is_slow(event):
        return "forward selection" in event.data.get("text", "")

    report = Report(seen.append, cancelled=lambda: any(map(is_slow, seen)))
    job = job_of(baseline_task(), tmp_path, report=report)
    with pytest.raises(Cancelled):
        features(job, encode="simple", select="sequential", n_features=3)
    assert sum(map(is_slow, seen)) == 1


def test_actions_tell_importance_of_columns_and_stability_of_the_choice(tmp_path):
    technique = get_technique("features")
    job = job_of(baseline_task(), tmp_path)
    settings = technique.settings(budget="smoke", encode="simple", select="f_test", n_features=6)
    table = technique.actions["importance"](job, settings)["importance"]
    assert set(table["column"]) == {"number", "count", "colour", "shop", "date", "review"}
    assert table.iloc[0]["column"] in ("number", "review", "date")
    assert (table["low"] <= table["importance"]).all()
    assert (table["importance"] <= table["high"]).all()
    tables = technique.actions["stability"](job, settings)
    assert tables["stability"]["set"].nunique() == 9
    assert 0.3 < tables["index"]["index"].item() <= 1
    assert tables["frequency"]["frequency"].between(0, 1).all()


def test_cost_of_fewer_columns_is_told_with_prices(tmp_path):
    job = job_of(baseline_task(), tmp_path)
    prices = {"number": 2.0, "shop": 5.0}
    cost = (
        features(job, encode="simple", select="f_test", n_features=2, prices=prices)
        .evidence["cost"]
        .set_index("columns")
    )
    assert cost.loc["all", "price_per_1000_rows"] == 7.0
    assert cost.loc["needed", "n_columns"] < cost.loc["all", "n_columns"]
    assert cost.loc["needed", "size_bytes"] < cost.loc["all", "size_bytes"]


def test_preparation_of_the_start_stays_with_encode_none(tmp_path):
    task = baseline_task()
    outcome = features(job_of(task, tmp_path), encode="none", select="f_test", n_features=2)
    assert outcome.evidence["features"]["kept"].sum() == 2
    assert set(outcome.evidence["features"]["columns"]) <= {
        "number",
        "count",
        "colour",
        "shop",
        "review",
        "constant",
    }
