"""Settings of pruning: few are shown for each method, and hidden ones have no effect."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from workbench.errors import SettingsError
from workbench.settings import knobs
from workbench.task import Candidate
from workbench.techniques.pruning import PruningSettings, prune
from workbench.training import FitSettings

METHODS = ("structured", "unstructured", "n_m", "depth")
ALWAYS = ["method", "distill_alpha"]
VISIBLE = {
    "structured": ["pruning_ratio", "target", "importance", "scope", "iterations"],
    "unstructured": ["pruning_ratio", "importance", "scope", "iterations"],
    "n_m": ["n", "m"],
    "depth": ["pruning_ratio"],
}
# A value for each setting with a condition, other than its default.
OTHER_VALUES = {
    "pruning_ratio": 0.75,
    "target": "latency",
    "importance": "random",
    "scope": "sensitivity",
    "iterations": 3,
    "round_to": 1,
    "ratios": {"stem": 0.75},
    "n": 1,
    "m": 8,
    "distill_temperature": 1.0,
    "distill_from": "another",
}


class Residual(nn.Module):
    """A tiny residual network for images `(batch, 1, 8, 8)`, with two removable blocks."""

    def __init__(self):
        super().__init__()
        self.stem = nn.Conv2d(1, 8, 3, padding=1)
        self.blocks = nn.ModuleList(
            nn.Sequential(nn.Conv2d(8, 8, 3, padding=1), nn.ReLU(), nn.Conv2d(8, 8, 3, padding=1))
            for _ in range(2)
        )
        self.head = nn.Linear(8, 10)

    def forward(self, image):
        features = torch.relu(self.stem(image))
        for block in self.blocks:
            features = torch.relu(features + block(features))
        return self.head(features.mean((2, 3)))


def _conditional_knobs():
    return [k for k in knobs(PruningSettings) if k.only_if]


def _ineffective(settings):
    values = settings.flat()
    return [k for k in _conditional_knobs() if not k.applies(values)]


def test_every_conditional_setting_is_tested():
    assert {k.name for k in _conditional_knobs()} == set(OTHER_VALUES)


@pytest.mark.parametrize("method", METHODS)
def test_at_most_seven_settings_are_visible_at_the_defaults_of_each_method(method):
    visible = [k.name for k in PruningSettings(method=method).visible() if k.name != "budget"]
    assert set(visible) == {*ALWAYS, *VISIBLE[method]}
    assert len(visible) <= 7


def test_settings_of_the_teacher_are_visible_once_distillation_is_on():
    visible = {k.name for k in PruningSettings(distill_alpha=0.5).visible()}
    assert {"distill_temperature", "distill_from"} <= visible


@pytest.mark.parametrize("method", METHODS)
def test_settings_without_effect_change_nothing(method, job_of, digits_cnn, tmp_path):
    torch.manual_seed(0)
    start = Candidate("residual", "torch", Residual(), prepare=digits_cnn.prepare)
    fit = {"epochs": 1, "max_steps": 2, "precision": "fp32", "memory_format": "contiguous"}
    settings = PruningSettings(method=method, budget="smoke", fit=fit)
    others = {k.name: OTHER_VALUES[k.name] for k in _ineffective(settings)}
    changed = settings.model_copy(update=others)  # `model_copy` does not refuse them
    outcomes = []
    for folder, variant in (("default", settings), ("changed", changed)):
        (tmp_path / folder).mkdir()
        job = job_of(start=start, folder=tmp_path / folder, cache=tmp_path / folder / "cache")
        outcomes.append(prune.function(job, variant))
    default_weights, changed_weights = (o.candidate.model.state_dict() for o in outcomes)
    assert changed.flat() != settings.flat()
    assert list(default_weights) == list(changed_weights)
    for name, weight in default_weights.items():
        assert torch.equal(weight, changed_weights[name]), name


@pytest.mark.parametrize("method", METHODS)
def test_settings_without_effect_are_refused_with_the_reason(method):
    for knob in _ineffective(PruningSettings(method=method)):
        with pytest.raises(SettingsError) as refused:
            PruningSettings(method=method, **{knob.name: OTHER_VALUES[knob.name]})
        text = str(refused.value)
        assert f"`{knob.name}` has an effect only if {knob.condition}" in text
        other = knob.only_if[0][0]
        assert f"here `{other}` is" in text, "the value that hides it"


def test_numbers_have_a_search_range_within_their_bounds():
    nested = {f"fit_{k.name}" for k in knobs(FitSettings)}
    numbers = [
        k for k in knobs(PruningSettings) if k.kind in ("int", "float") and k.name not in nested
    ]
    for knob in numbers:
        low, high = knob.search
        assert knob.low <= low < high <= knob.high, knob.name
    by_name = {k.name: k for k in numbers}
    assert by_name["n"].search[1] < by_name["m"].search[0], "n is below m in every trial"
