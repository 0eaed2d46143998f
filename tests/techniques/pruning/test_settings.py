"""Settings of pruning: few are shown for each method, and hidden ones have no effect."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from workbench.errors import RecipeError, SettingsError
from workbench.recipe import Recipe
from workbench.settings import knobs
from workbench.task import Candidate
from workbench.techniques.pruning import PruningSettings, prune
from workbench.training import FitSettings

METHODS = ("auto", "structured", "unstructured", "n_m", "depth")  # of networks
ALWAYS = ["method", "distill_alpha"]
VISIBLE = {
    "auto": ["pruning_ratio", "target", "importance", "scope", "iterations"],
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
    "n_rounds": 3,
    "ignored_layers": ["stem"],
    "distill_alpha": 0.5,
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
    """Those of training have one condition, that of all of them: a method for networks."""
    return [k for k in knobs(PruningSettings) if k.only_if and k.path[0] != "fit"]


def _ineffective(settings):
    values = settings.flat()
    return [k for k in _conditional_knobs() if not k.applies(values)]


def test_every_conditional_setting_is_tested():
    assert {k.name for k in _conditional_knobs()} == set(OTHER_VALUES)


@pytest.mark.parametrize("method", METHODS)
def test_at_most_seven_settings_are_visible_at_the_defaults_of_each_method(method):
    form = "sklearn" if method == "trees" else "torch"
    shown = PruningSettings(method=method).visible(model_form=form)
    visible = [k.name for k in shown if k.name != "budget"]
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


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (
            {"method": "unstructured", "importance": "taylor"},
            "`importance` taylor cannot be used with.*Allowed: l2, l1, random",
        ),
        (
            {"method": "unstructured", "target": "macs"},
            "`target` has an effect only if method is auto or structured; here `method` is "
            "'unstructured'",
        ),
        (
            {"method": "n_m", "scope": "global"},
            "`scope` has an effect only if method is auto or structured or unstructured",
        ),
        ({"method": "n_m", "n": 4, "m": 4}, "`n` must be below `m`, got `n` 4 and `m` 4"),
        ({"scope": "sensitivity", "target": "latency"}, "use `target` ratio or macs"),
        (
            {"method": "depth", "iterations": 3},
            "`iterations` has an effect only if method is auto or structured or unstructured",
        ),
        ({"method": "n_m", "n": 5, "m": 4}, "Use a lower `n` or a higher `m`"),
        (
            {"scope": "sensitivity", "importance": "random"},
            "`scope` sensitivity needs a deterministic importance: l2, l1, taylor or bn_scale",
        ),
        (
            {"method": "unstructured", "scope": "global", "importance": "random"},
            "Use `scope` uniform, or `importance` l2",
        ),
        (
            {"method": "unstructured", "scope": "sensitivity"},
            "`scope` sensitivity cannot be used with.*Allowed: uniform, global",
        ),
        ({"ratios": {"0": 1.5}}, "`ratios` must be from 0 to below 1, got {'0': 1.5}"),
        ({"ratios": {"0": -0.1}}, "`ratios` must be from 0 to below 1"),
        ({"ratios": {"": 0.5}}, "`ratios` must name layers, got an empty name"),
        ({"ignored_layers": ["0", " "]}, "`ignored_layers` must name layers"),
    ],
)
def test_settings_that_exclude_each_other_are_refused_with_those_that_are_allowed(
    settings, message
):
    with pytest.raises(SettingsError, match=message) as refused:
        PruningSettings(**settings)
    assert {name for name, _ in refused.value.problems} & set(settings), "the field to mark"
    with pytest.raises(RecipeError, match=message):
        Recipe.make("digits", [{"pruning": settings}])


def test_all_settings_that_exclude_each_other_are_told_at_once():
    with pytest.raises(SettingsError) as refused:
        PruningSettings(scope="sensitivity", target="latency", importance="random")
    assert [name for name, _ in refused.value.problems] == ["target", "importance"]


def test_settings_changed_in_a_copy_are_refused_by_the_step(job_of):
    changed = PruningSettings(method="n_m").model_copy(update={"n": 4})
    with pytest.raises(SettingsError, match="`n` must be below `m`, got `n` 4 and `m` 4"):
        prune.function(job_of(), changed)


def test_ratio_of_a_module_that_holds_layers_is_refused_with_its_layers(job_of, digits_cnn):
    start = Candidate("residual", "torch", Residual(), prepare=digits_cnn.prepare)
    with pytest.raises(
        SettingsError, match="name the layers inside it: `blocks.0.0`, `blocks.0.2`"
    ):
        prune(job_of(start=start), PruningSettings(ratios={"blocks": 0.5}))


def test_ratio_of_a_layer_that_is_not_pruned_is_noted_with_the_reason(job_of, digits_cnn):
    start = Candidate("residual", "torch", Residual(), prepare=digits_cnn.prepare)
    ratios = {"head": 0.5, "blocks.0.0": 0.75, "blocks.1.0": 0.75}
    settings = PruningSettings(ratios=ratios, ignored_layers=["blocks.1"], fit={"epochs": 0})
    notes = prune(job_of(start=start), settings).notes
    assert any(note.startswith("`ratios` of `head` has no effect: ") for note in notes), notes
    assert "`ratios` of `blocks.1.0` has no effect: named in `ignored_layers`." in notes
    assert not any("blocks.0.0" in note for note in notes)


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
