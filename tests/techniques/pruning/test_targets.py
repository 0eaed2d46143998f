"""Targets of multiply-adds and latency: the ratio that reaches them is searched and kept."""

from __future__ import annotations

import pytest

from workbench.errors import SettingsError
from workbench.measure import macs_torch
from workbench.techniques import get_technique
from workbench.techniques.pruning import PruningSettings


def _run(job, **settings):
    return get_technique("pruning")(job, PruningSettings(fit={"epochs": 0}, **settings))


@pytest.mark.parametrize(
    ("scope", "reduction"), [("uniform", 0.5), ("uniform", 0.8), ("global", 0.5)]
)
def test_share_of_macs_is_removed_and_the_ratio_reproduces_it(
    scope, reduction, job_of, digits_task
):
    job, example = job_of(), digits_task.example(1)
    outcome = _run(job, target="macs", pruning_ratio=reduction, scope=scope, round_to=1)
    removed = 1 - macs_torch(outcome.candidate.model, example) / macs_torch(
        job.start.model, example
    )
    assert removed == pytest.approx(reduction, abs=0.02)
    assert outcome.resolved.target == "ratio"
    assert outcome.evidence["search"].chosen.sum() == 1
    again = get_technique("pruning")(job_of(), outcome.resolved)
    assert again.evidence["widths"].equals(outcome.evidence["widths"])


def test_target_that_cannot_be_reached_is_refused_with_the_largest_that_can(job_of):
    with pytest.raises(
        SettingsError,
        match=r"Cannot reduce multiply-adds by 90 %; the largest reduction.* is \d+\.\d %\. Use a",
    ):
        _run(job_of(), target="macs", pruning_ratio=0.9, ignored_layers=["0", "3", "6"])


@pytest.mark.timing
def test_latency_that_is_measured_falls_about_as_far_as_asked(job_of):
    outcome = _run(job_of(), target="latency", pruning_ratio=0.3)
    search = outcome.evidence["search"]
    assert list(search.columns) == ["ratio", "latency_ms", "removed", "chosen"]
    assert outcome.resolved.target == "ratio"
    assert 0 < outcome.resolved.pruning_ratio < 0.97
    assert outcome.resolved.pruning_ratio == search[search.chosen].ratio.item()
