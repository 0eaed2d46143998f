"""Sensitivity: a cached result for each layer and ratio, and plans that keep their limit."""

from __future__ import annotations

import pandas as pd
import pytest

from workbench.data.tensors import tensor
from workbench.errors import Cancelled, SettingsError
from workbench.events import Report
from workbench.measure import macs_torch
from workbench.techniques import get_technique
from workbench.techniques.pruning import PruningSettings, sensitivity
from workbench.techniques.pruning.cost import WidthCost
from workbench.techniques.pruning.plan import macs_limit, plan_ratios
from workbench.techniques.pruning.selection import (
    ChannelRatios,
    least_important,
    pruned_copy,
    scores_of,
)
from workbench.techniques.pruning.sensitivity import RATIOS, analyse
from workbench.techniques.pruning.verification import verified_groups

QUICK = PruningSettings(budget="smoke", scope="sensitivity", fit={"epochs": 0})


def test_every_layer_is_pruned_at_every_ratio_and_more_pruning_loses_more(job_of):
    tables = sensitivity(job_of(), QUICK)
    table = tables["sensitivity"]
    assert list(table.columns) == ["layer", "ratio", "quality", "change", "loss", "macs"]
    assert set(table.layer) == {"0", "3", "6", "9"}
    assert table.groupby("layer").ratio.apply(list).tolist() == [[0.0, *RATIOS["smoke"]]] * 4
    assert (table[table.ratio == 0].change == 0).all()
    assert (
        table[table.ratio == RATIOS["smoke"][-1]].change.mean()
        < table[table.ratio == RATIOS["smoke"][0]].change.mean()
        < 0
    )
    assert tables["plan"].set_index("layer").loc["14", "protected"]


def test_second_run_reads_the_cache_and_a_cancelled_one_continues(job_of):
    first = []
    with pytest.raises(Cancelled):
        sensitivity(job_of(report=Report(first.append, cancelled=lambda: len(first) >= 4)), QUICK)
    cache = next((job_of().cache).glob("sensitivity-*.jsonl"))
    n_kept = len(cache.read_text().split())
    assert n_kept > 0
    whole = sensitivity(job_of(), QUICK)["sensitivity"]
    n_all = cache.read_text().count('"name"')
    again = sensitivity(job_of(), QUICK)["sensitivity"]
    assert cache.read_text().count('"name"') == n_all == 1 + len(whole[whole.ratio > 0]), (
        "nothing is computed twice"
    )
    pd.testing.assert_frame_equal(whole, again)


def test_other_weights_are_not_read_from_the_cache(job_of, digits_cnn):
    import copy
    import dataclasses

    sensitivity(job_of(), QUICK)
    other = copy.deepcopy(digits_cnn.model)
    other[0].weight.data.mul_(1.5)
    sensitivity(job_of(start=dataclasses.replace(digits_cnn, model=other)), QUICK)
    assert len(list(job_of().cache.glob("sensitivity-*.jsonl"))) == 2


@pytest.mark.parametrize("name", ["cnn", "resnet20"])
def test_cost_of_widths_is_that_of_the_pruned_network(name, job_of, digits_task):
    candidate, _ = digits_task.candidate(name)
    job = job_of(start=candidate)
    inputs = {k: tensor(a, "cpu") for k, a in job.example(2).items()}
    groups = verified_groups(candidate.model, inputs)
    cost = WidthCost(candidate.model, inputs, job.example(1), groups)
    ratios = {g.root: 0.25 * (i % 4) for i, g in enumerate(groups) if not g.protected}
    scores = scores_of(candidate.model, inputs, groups, "l2", job)
    removed = least_important(scores, groups, ChannelRatios(0.0, ratios))
    pruned = pruned_copy(candidate.model, inputs, removed)
    assert cost.of({}) == macs_torch(candidate.model, job.example(1))
    assert cost.of({root: 1 - r for root, r in ratios.items()}) == pytest.approx(
        macs_torch(pruned, job.example(1))
    )


def test_plan_prunes_insensitive_layers_more_and_keeps_the_limit(job_of):
    _, groups, cost = analyse(job_of(), QUICK)
    rows = [
        (root, ratio, 1 - slope * ratio, -slope * ratio, None, 0)
        for root, slope in (("0", 9), ("3", 9), ("6", 0.1), ("9", 0.1))
        for ratio in (0.0, 0.5, 1.0)
    ]
    table = pd.DataFrame(rows, columns=["layer", "ratio", "quality", "change", "loss", "macs"])
    ratios = plan_ratios(table, groups, cost, 0.5 * cost.total, round_to=4)
    assert max(ratios["6"], ratios["9"]) > 0.5 > max(ratios["0"], ratios["3"])
    assert cost.of({root: 1 - r for root, r in ratios.items()}) <= 0.5 * cost.total
    with pytest.raises(
        SettingsError, match="Cannot reduce the multiply-adds to 0.1 %; the narrowest plan keeps"
    ):
        plan_ratios(table, groups, cost, 0.001 * cost.total)


def test_scope_sensitivity_costs_what_the_uniform_ratio_would_and_reproduces_without_the_analysis(
    job_of, digits_task, tmp_path
):
    job = job_of()
    outcome = get_technique("pruning")(job, QUICK)
    uniform = get_technique("pruning")(job_of(), PruningSettings(fit={"epochs": 0}))
    example = digits_task.example(1)
    planned, same = (macs_torch(o.candidate.model, example) for o in (outcome, uniform))
    assert 0.85 * same < planned <= same
    assert (outcome.resolved.scope, outcome.resolved.target) == ("uniform", "ratio")
    (tmp_path / "again").mkdir()
    again = get_technique("pruning")(job_of(folder=tmp_path / "again"), outcome.resolved)
    assert again.evidence["widths"].equals(outcome.evidence["widths"])
    assert again.resolved == outcome.resolved
    assert "sensitivity" not in again.evidence


def test_limit_by_macs_is_the_fraction_that_stays(job_of):
    _, groups, cost = analyse(job_of(), QUICK)
    assert macs_limit(
        QUICK.replace(target="macs", pruning_ratio=0.3), groups, cost
    ) == pytest.approx(0.7 * cost.total)


def test_action_is_declared():
    assert get_technique("pruning").actions["sensitivity"] is sensitivity
