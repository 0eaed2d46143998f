"""The control and the grid: each training runs once; their numbers and sentences are right."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from tests.techniques.distillation.examples import SMALL, counted, settings
from workbench.errors import Cancelled
from workbench.events import Report
from workbench.metrics import METRICS
from workbench.techniques import get_technique
from workbench.techniques.distillation import control, grid, trainer
from workbench.techniques.distillation.control import gain_sentence
from workbench.techniques.distillation.evidence import ensemble_outputs, expected_calibration_error
from workbench.techniques.distillation.grids import summary


def gain(*differences: float) -> pd.DataFrame:
    rows = [
        {"seed": i, "with": 0.9 + d, "without": 0.9, "difference": d}
        for i, d in enumerate(differences)
    ]
    return pd.DataFrame(rows, columns=["seed", "with", "without", "difference"])


@pytest.fixture
def trainings(monkeypatch):
    """Seeds of all trainings that were started."""
    seen, fit = [], trainer.fit
    monkeypatch.setattr(trainer, "fit", lambda *a, **k: seen.append(k["seed"]) or fit(*a, **k))
    return seen


def test_teacher_runs_once_for_all_temperatures_alphas_seeds_and_students(job_of):
    start, calls = counted(job_of().start)
    job = job_of(start=start)
    trainer.make_trainer(job, settings(student=SMALL))
    probes = [n for n in calls if n <= 4]
    assert sum(calls) - sum(probes) == 1000, "every train row once"
    calls.clear()
    for values in (
        {"temperature": 1.0},
        {"alpha": 0.3},
        {"student": "workbench.models.compact:dscnn"},
    ):
        trainer.make_trainer(replace(job, seed=5), settings(**{"student": SMALL, **values}))
    assert all(n <= 4 for n in calls), "it runs only for the shape of its outputs"


def test_gain_interval_is_students_over_seeds():
    sentence = gain_sentence(gain(0.01, 0.02, 0.03), METRICS["accuracy"])
    assert "+2.00 points (-0.48 to +4.48;" in sentence  # 2 +- 4.303 * 1 / sqrt(3)
    assert "undecided" in sentence
    assert "undecided, as all seeds gave the same" in gain_sentence(
        gain(0.02, 0.02, 0.02), METRICS["accuracy"]
    )
    assert "better with it" in gain_sentence(gain(0.019, 0.02, 0.021), METRICS["accuracy"])
    assert "worse with it" in gain_sentence(gain(-0.019, -0.02, -0.021), METRICS["accuracy"])
    assert "better with it" in gain_sentence(gain(-0.019, -0.02, -0.021), METRICS["mse"]), (
        "less error is better"
    )


def test_sentence_is_about_two_models_only_when_seeds_are_few():
    assert "these two models only" in gain_sentence(gain(0.02, 0.03), METRICS["accuracy"])
    assert "No control was trained" in gain_sentence(gain(), METRICS["accuracy"])


def test_control_trains_each_student_once_and_the_next_run_none(job_of, trainings):
    outcome = get_technique("distillation")(job_of(), settings(student=SMALL, control_seeds=2))
    assert trainings == [0, 0, 1, 1], "the distilled student of the first seed is the candidate"
    table = outcome.evidence["gain"]
    np.testing.assert_allclose(table["difference"], table["with"] - table["without"])
    assert table["with"][0] == outcome.evidence["models"]["accuracy"][1]
    trainings.clear()
    again = control(job_of(), settings(student=SMALL, control_seeds=2))["gain"]
    assert not trainings
    pd.testing.assert_frame_equal(again, table)


def test_grid_trains_the_control_once_a_seed_and_goes_on_after_a_cancel(job_of, trainings):
    values = {"temperatures": (1.0, 4.0), "alphas": (0.0, 1.0), "n_seeds": 1}
    stop = Report(cancelled=lambda: len(trainings) >= 3)
    with pytest.raises(Cancelled):
        grid(job_of(report=stop), settings(student=SMALL), **values)
    assert len(trainings) == 3, "cancelled in the third training"
    trainings.clear()
    tables = grid(job_of(), settings(student=SMALL), **values)
    assert len(trainings) == 1, "two were kept, and the temperature has no effect at alpha 0"
    cells = tables["grid"].set_index(["temperature", "alpha"])["score"]
    assert cells[1.0, 0.0] == cells[4.0, 0.0]
    assert tables["cells"]["n"].tolist() == [1] * 4


def test_summary_has_mean_and_spread_of_each_cell():
    rows = pd.DataFrame(
        {"temperature": [1.0] * 3, "alpha": [0.5] * 3, "seed": range(3), "score": [0.1, 0.2, 0.3]}
    )
    cell = summary(rows).iloc[0]
    assert (cell["mean"], cell["spread"], cell["n"]) == (pytest.approx(0.2), pytest.approx(0.1), 3)


def test_calibration_error_is_the_gap_weighted_by_rows():
    bins = pd.DataFrame(
        {
            "model": ["a", "a", "b"],
            "confidence": [0.6, 0.9, 0.5],
            "accuracy": [0.5, 0.9, 0.1],
            "n": [10, 30, 5],
        }
    )
    assert expected_calibration_error(bins, "a") == pytest.approx(0.025)


def test_outputs_of_several_teachers_are_their_mean_distribution():
    outputs = np.log(np.array([[[0.9, 0.1], [0.5, 0.5]]]))
    np.testing.assert_allclose(np.exp(ensemble_outputs(outputs, "classification")), [[0.7, 0.3]])
    assert ensemble_outputs(np.array([[[1.0], [3.0]]]), "regression").tolist() == [[2.0]]
