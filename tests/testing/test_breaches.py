"""The contracts notice what breaks them."""

from __future__ import annotations

import dataclasses
from types import SimpleNamespace
from typing import Literal

import numpy as np
import pytest

from workbench.events import Report
from workbench.metrics import METRICS, Metric
from workbench.settings import TechniqueSettings, knob
from workbench.technique import Job, Outcome, technique
from workbench.testing import MetricContract, TaskContract, TechniqueContract, torch_task
from workbench.testing.contract import content_of
from workbench.testing.examples import ready_candidate
from workbench.testing.values import search_points, walk


class CrowdedSettings(TechniqueSettings):
    """Eight settings at once, and a condition that always holds."""

    method: Literal["one", "two"] = knob("one")
    """Method."""
    a: int = knob(1, low=1, high=9, search=(1, 9))
    """A number."""
    b: int = knob(1, low=1, high=9, only_if={"method": ("one", "two")})
    """A number with a needless condition."""
    c: float = knob(0.1, above=0, high=10, log=True, search=(0.01, 1), only_if={"method": "two"})
    """A number of the method two."""
    d: int = knob(1)
    """A number."""
    e: int = knob(1)
    """A number."""
    f: int = knob(1)
    """A number."""
    g: int = knob(1)
    """A number."""
    h: int = knob(1)
    """A number."""


@technique("crowded", title="Crowded", accepts=("torch",))
def crowded(job: Job, settings: CrowdedSettings) -> Outcome:
    """Changes its input."""
    job.report.progress(0, 1, "changing")
    next(job.start.model.parameters()).data.mul_(0.5)
    return Outcome(job.start.child("crowded", "crowded"), settings)


def test_too_many_visible_settings_are_noticed():
    with pytest.raises(AssertionError, match="mark some of .* as expert"):
        TechniqueContract().test_at_most_seven_settings_are_visible_at_the_defaults_of_each_method(
            crowded
        )


def test_condition_that_always_holds_is_noticed():
    with pytest.raises(AssertionError, match="the condition of `b` always holds"):
        TechniqueContract().test_value_without_an_effect_is_refused_with_the_reason(crowded)


def test_changed_input_is_noticed(tmp_path):
    candidate = ready_candidate(["torch"])
    before = content_of(candidate.model)
    crowded(Job(torch_task().without_test(), candidate, tmp_path, report=Report()))
    assert content_of(candidate.model) != before
    assert content_of(ready_candidate(["torch"]).model) == before, "others get a copy"


def test_candidate_of_a_technique_that_promises_none_is_noticed():
    silent = dataclasses.replace(crowded, gives=None)
    outcome = Outcome(ready_candidate(["torch"]), CrowdedSettings())

    first = SimpleNamespace(outcome=outcome)
    with pytest.raises(AssertionError, match="`gives` says whether there is a candidate"):
        TechniqueContract().test_defaults_finish_and_the_result_still_solves_the_task(
            silent, first, torch_task(), outcome.candidate, 0.8
        )


def test_walk_sets_only_what_has_an_effect_and_reaches_every_setting():
    walked = list(walk(CrowdedSettings))
    assert {values["method"] for values in walked} == {"one", "two"}
    assert all(values["c"] == 0.1 for values in walked if values["method"] == "one")
    assert any(values["c"] != 0.1 for values in walked)
    for values in walked:
        CrowdedSettings.from_flat(values)


def test_points_of_the_search_space_are_the_same_each_time_and_even_on_a_log_scale():
    points = search_points(CrowdedSettings, 400)
    assert points == search_points(CrowdedSettings, 400)
    drawn = [point["c"] for point in points if point["method"] == "two"]
    assert len(drawn) == 200
    assert 0.07 < float(np.exp(np.mean(np.log(drawn)))) < 0.14, "the middle of 0.01 and 1"
    assert {point["a"] for point in points} == set(range(1, 10))


def test_metric_in_the_wrong_direction_is_noticed():
    turned = dataclasses.replace(METRICS["accuracy"], higher_is_better=False)
    with pytest.raises(AssertionError, match="classification|binary"):
        MetricContract().test_right_predictions_score_better_than_wrong_ones(turned)


def test_metric_without_a_score_for_each_row_is_noticed():
    wrong = Metric("wrong", lambda outputs, targets: outputs * 0, kinds=("classification",))
    with pytest.raises(AssertionError, match="one score a row"):
        MetricContract().test_mean_over_samples_equals_the_call(wrong)


def test_task_whose_builder_holds_test_rows_is_noticed():
    from functools import partial

    task = torch_task()

    def build(data: object) -> object:
        return task.builders["net"]()

    leaking = dataclasses.replace(task, builders={"net": partial(build, task.data)})
    with pytest.raises(AssertionError, match="something of the task holds test rows"):
        TaskContract().test_task_travels_to_another_process_without_its_test_rows(leaking)
