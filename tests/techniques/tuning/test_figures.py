"""Figures of tuning: the numbers that they show, and the tables that they refuse."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from workbench.errors import DataError
from workbench.metrics import METRICS
from workbench.settings.spaces import Space
from workbench.techniques.tuning.figures import (
    plot_contour,
    plot_curse,
    plot_front,
    plot_history,
    plot_importance,
    plot_parallel,
    plot_slices,
    plot_timeline,
)
from workbench.techniques.tuning.importance import FEWEST_TRIALS, importance

ACCURACY, ERROR = METRICS["accuracy"], METRICS["mse"]
SPACE = Space.of(
    {
        "fit.lr": {"low": 0.0001, "high": 0.1, "log": True},
        "model.width": {"low": 4, "high": 64},
        "fit.optimizer": ["adamw", "sgd"],
        "fit.momentum": {"low": 0.5, "high": 0.99, "if": {"fit.optimizer": "sgd"}},
    }
)
MOST_BYTES = 3_000_000


def trials(n: int = 40, seed: int = 0) -> pd.DataFrame:
    """A study of `n` trials whose score depends on the learning rate alone, with all states."""
    rng = np.random.default_rng(seed)
    points = [SPACE.sample(rng) for _ in range(n)]
    table = pd.DataFrame(points).reindex(columns=list(SPACE.names))
    score = 0.95 - 0.1 * (np.log10(table["fit.lr"]) + 2.5) ** 2 + 0.005 * rng.random(n)
    state = np.where(np.arange(n) % 10 == 7, "failed", "complete")
    state = np.where(np.arange(n) % 5 == 3, "pruned", state)
    worker = np.arange(n) % 2
    return pd.DataFrame(
        {
            "number": np.arange(n),
            "state": state,
            "score": np.where(state == "failed", np.nan, score),
            "std": 0.01,
            "unseen": np.where(state == "complete", score - 0.01, np.nan),
            "seconds": np.where(state == "pruned", 1.0, 3.0),
            "started": 4.0 * (np.arange(n) // 2),
            "worker": worker,
            "n_folds": 3,
            "latency_ms": table["model.width"] / 10.0,
            "feasible": table["model.width"] < 60,
            **{name: table[name] for name in table},
        }
    )


def named(drawn, name):
    return next(trace for trace in drawn.data if trace.name == name)


def subtitle(drawn) -> str:
    return drawn.layout.title.subtitle.text.replace("<br>", " ")


def test_history_shows_the_best_so_far_and_its_score_on_unseen_rows():
    table = trials(4).assign(
        score=[0.8, 0.9, 0.7, 0.95], state=["complete", "complete", "complete", "pruned"]
    )
    table["unseen"] = [0.79, 0.86, 0.7, np.nan]
    table["feasible"] = True
    drawn = plot_history(table, ACCURACY)
    best = named(drawn, "best so far")
    assert list(best.x) == [0, 1, 3], "a pruned trial is never the best"
    np.testing.assert_allclose(named(drawn, "the same on unseen rows").y, [79, 86, 86])
    assert "best 90.00 % in trial 1 of 4" in subtitle(drawn)
    assert "no trial saw 86.00 %; nothing better in the last 2" in subtitle(drawn)
    assert named(drawn, "pruned").marker.symbol == "circle-open"


def test_history_of_an_error_goes_down():
    table = trials(4).assign(score=[3.0, 2.0, 4.0, 1.0], state="complete", feasible=True)
    np.testing.assert_allclose(named(plot_history(table, ERROR), "best so far").x, [0, 1, 3, 3])
    lacking = plot_history(table.drop(columns="unseen"), ERROR)
    assert not any(t.name == "the same on unseen rows" for t in lacking.data)


def test_bad_trials_are_counted_on_the_edge_and_do_not_press_the_others_together():
    scores = np.concatenate([np.linspace(0.93, 0.95, 30), [0.1, 0.11]])
    table = trials(32).assign(score=scores, unseen=scores - 0.01, state="complete")
    drawn = plot_history(table, ACCURACY)
    assert drawn.layout.yaxis.range[0] > 90
    assert "worse are on the edge" in subtitle(drawn)
    edge = next(t for t in drawn.data if t.marker.symbol == "triangle-down")
    assert {0.1, 0.11} <= {round(float(v) / 100, 2) for v in edge.customdata[:, 1]}


def test_slices_have_a_panel_a_parameter_with_log_axes_and_categories():
    drawn = plot_slices(trials(), ACCURACY, space=SPACE)
    titles = [drawn.layout[f"xaxis{i}"].title.text for i in ("", 2, 3, 4)]
    assert titles == ["fit.lr (log)", "model.width", "fit.optimizer", "fit.momentum"]
    assert drawn.layout.xaxis.range[0] < np.log10(0.0001)
    assert list(drawn.layout.xaxis3.ticktext) == ["adamw", "sgd"]
    assert len([t for t in drawn.data if t.name == "best"]) == 4
    momentum = [t for t in drawn.data if t.xaxis == "x4" and t.name == "complete"]
    n_active = (trials()["fit.momentum"].notna() & (trials()["state"] == "complete")).sum()
    assert sum(len(t.x) for t in momentum) == n_active


def test_contour_is_highest_where_the_scores_are():
    drawn = plot_contour(trials(200), ACCURACY, "fit.lr", "model.width", space=SPACE)
    surface = drawn.data[0]
    best = np.asarray(surface.x)[np.nanargmax(np.nanmean(surface.z, axis=0))]
    assert best == pytest.approx(-2.5, abs=0.4)
    two = plot_contour(trials(200), ACCURACY, "fit.lr", "fit.optimizer", space=SPACE)
    assert np.isnan(np.asarray(two.data[0].z, float)).any(), "between two categories is nothing"


def test_parallel_colours_the_best_tenth_and_names_the_best_trial():
    table = trials(60)
    drawn = plot_parallel(table, ACCURACY, space=SPACE)
    done = table[table["state"] == "complete"]
    n_axes = len(SPACE.names) + 1
    best = named(drawn, f"best {round(0.1 * len(done))}")
    assert len(best.x) == round(0.1 * len(done)) * (n_axes + 1)
    assert "below an axis: not active" in subtitle(drawn)
    feasible = done[done["feasible"]]
    number = int(feasible.loc[feasible["score"].idxmax(), "number"])
    assert any(t.name == f"best: trial {number}" for t in drawn.data)


def test_timeline_tells_the_time_without_a_complete_trial():
    table = trials(20)
    drawn = plot_timeline(table, ACCURACY)
    lengths = {
        s: float(table.loc[table["state"] == s, "seconds"].sum())
        for s in ("complete", "pruned", "failed")
    }
    total = 2 * float((table["started"] + table["seconds"]).max())
    assert f"{total - lengths['complete']:.1f} s of {total:.1f} s" in drawn.layout.title.text
    assert f"pruned trials {lengths['pruned']:.1f} s" in subtitle(drawn)
    assert [t.name.split()[0] for t in drawn.data] == ["complete", "pruned", "failed"]
    assert list(drawn.layout.yaxis.ticktext) == ["worker 0", "worker 1"]


def test_sums_over_spans_keep_every_second():
    many = plot_timeline(trials(4_000), ACCURACY)
    table = trials(4_000)
    for trace in many.data:
        state = trace.name.split()[0]
        seconds = float(table.loc[table["state"] == state, "seconds"].sum())
        assert float(np.sum(trace.x)) == pytest.approx(seconds, rel=1e-4)


def test_front_joins_the_trials_that_none_beats_and_keep_the_constraints():
    table = trials(5).assign(
        state="complete",
        score=[0.5, 0.8, 0.7, 0.9, 0.95],
        latency_ms=[1.0, 2.0, 3.0, 4.0, 0.5],
        feasible=[True, True, True, True, False],
    )
    drawn = plot_front(table, ACCURACY)
    front = named(drawn, "best trade-offs")
    np.testing.assert_allclose(front.x, [1, 2, 4])
    assert len(named(drawn, "breaks a constraint").x) == 1
    error = plot_front(table.assign(feasible=True), ERROR)
    np.testing.assert_allclose(named(error, "best trade-offs").x, [0.5, 1])


def test_curse_tells_the_gap_at_both_ends():
    curse = pd.DataFrame(
        {
            "n_trials": [1, 10, 100],
            "score": [0.9, 0.95, 0.97],
            "unseen": [0.9, 0.94, 0.945],
            "unseen_low": [0.88, 0.92, 0.93],
            "unseen_high": [0.92, 0.96, 0.96],
        }
    )
    drawn = plot_curse(curse, ACCURACY)
    text = "unseen rows by +0.00 points after 1 trial, +2.50 points after 100 trials"
    assert text in subtitle(drawn)
    assert len(named(drawn, "95 % interval").x) == 6
    changes = plot_curse(curse, ACCURACY, change=True)
    np.testing.assert_allclose(named(changes, "the same trial on unseen rows").y, [0, 4, 4.5])
    assert text in subtitle(changes)
    no_interval = curse.assign(unseen_low=np.nan, unseen_high=np.nan)
    assert plot_curse(no_interval, ACCURACY).data[0].name != "95 % interval"


def test_importance_finds_the_parameter_that_matters_and_has_a_spread():
    table = importance(trials(80), SPACE, ACCURACY)
    assert table["parameter"].iloc[0] == "fit.lr"
    assert set(table["parameter"]) == set(SPACE.names), "conditional parameters take part"
    assert table["importance"].sum() == pytest.approx(1)
    assert (table["low"] <= table["importance"]).all()
    assert (table["importance"] <= table["high"]).all()
    assert (table["high"] > table["low"]).any()
    pd.testing.assert_frame_equal(table, importance(trials(80), SPACE, ACCURACY))
    drawn = plot_importance(table, ACCURACY)
    assert drawn.data[0].y[0] == "fit.lr"


def test_importance_of_an_error_looks_at_small_values():
    table = trials(80)
    turned = importance(table.assign(score=1 - table["score"]), SPACE, ERROR)
    pd.testing.assert_frame_equal(turned, importance(table, SPACE, ACCURACY))


@pytest.mark.parametrize(
    ("table", "reason"),
    [
        (trials(FEWEST_TRIALS - 1), "at least 10 trials with a score, got 8"),
        (trials(40).assign(score=0.5), "same score"),
    ],
)
def test_importance_without_enough_trials_is_empty_and_says_why(table, reason):
    empty = importance(table, SPACE, ACCURACY)
    assert not len(empty)
    assert reason in empty.attrs["reason"]
    assert reason in subtitle(plot_importance(empty, ACCURACY))


def test_ten_thousand_trials_stay_small_and_say_that_some_are_left_out():
    many = trials(10_000)
    drawn = {
        "history": plot_history(many, ACCURACY),
        "slices": plot_slices(many, ACCURACY, space=SPACE),
        "contour": plot_contour(many, ACCURACY, "fit.lr", "model.width", space=SPACE),
        "parallel": plot_parallel(many, ACCURACY, space=SPACE),
        "timeline": plot_timeline(many, ACCURACY),
        "front": plot_front(many, ACCURACY),
    }
    sizes = {name: len(shown.to_json()) for name, shown in drawn.items()}
    assert max(sizes.values()) < MOST_BYTES, sizes
    for name in ("history", "slices", "contour"):
        assert "trials are drawn" in subtitle(drawn[name])
    assert "left out" in subtitle(drawn["parallel"])
    assert "sums over spans" in subtitle(drawn["timeline"])


FIGURES = {
    "history": plot_history,
    "slices": plot_slices,
    "parallel": plot_parallel,
    "timeline": plot_timeline,
    "front": plot_front,
    "contour": lambda table, metric: plot_contour(table, metric, "fit.lr", "model.width"),
    "curse": plot_curse,
}


@pytest.mark.parametrize("name", FIGURES)
def test_wrong_or_empty_tables_are_refused(name):
    with pytest.raises(DataError, match="missing, got"):
        FIGURES[name](pd.DataFrame({"x": [1]}), ACCURACY)
    columns = ["n_trials", "score", "unseen", "unseen_low", "unseen_high"]
    empty = pd.DataFrame(columns=columns) if name == "curse" else trials()[:0]
    with pytest.raises(DataError, match="at least one"):
        FIGURES[name](empty, ACCURACY)


def test_trials_that_all_failed_have_no_best():
    failed = trials().assign(state="failed", score=np.nan)
    with pytest.raises(DataError, match="at least one complete trial, got 40 that failed"):
        plot_history(failed, ACCURACY)
    assert "failed" in plot_timeline(failed, ACCURACY).data[0].name


def test_unknown_parameters_are_refused_with_the_nearest_name():
    with pytest.raises(DataError, match=r"fit\.lr"):
        plot_contour(trials(), ACCURACY, "fit.l", "model.width")


def test_long_names_of_a_pipeline_are_shown_without_their_step():
    name = "estimator.randomforestclassifier__max_features"
    table = trials().rename(columns={"model.width": name, "fit.lr": "estimator.svc__C"})
    drawn = plot_slices(table, ACCURACY)
    titles = {drawn.layout[f"xaxis{i}"].title.text for i in ("", 2, 3, 4)}
    assert {"svc__C (log)", "max_features"} <= titles


def test_names_are_escaped():
    table = trials().rename(columns={"model.width": "model.<b>w"})
    drawn = plot_slices(table, ACCURACY)
    assert "model.&lt;b&gt;w" in drawn.layout.xaxis2.title.text
