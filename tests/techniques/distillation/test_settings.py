"""Settings of distillation: seven at most are visible, and values without effect are refused."""

from __future__ import annotations

import pytest

from tests.techniques.distillation.examples import SMALL, settings
from workbench.errors import SettingsError
from workbench.settings import knobs
from workbench.techniques.distillation import DistillationSettings
from workbench.techniques.distillation.methods import FEATURE_METHODS
from workbench.techniques.distillation.trainer import make_trainer

METHODS = ("logits", *FEATURE_METHODS, "self")
ALWAYS = {"method", "temperature", "alpha", "views", "control_seeds"}
VISIBLE = {
    "logits": ALWAYS | {"student"},
    "self": ALWAYS,
    **dict.fromkeys(FEATURE_METHODS, ALWAYS | {"student", "hint_weight"}),
}


def _names(values: DistillationSettings, *, expert: bool = False) -> set[str]:
    return {knob.name for knob in values.visible(expert=expert)} - {"budget"}


def test_the_test_knows_all_methods():
    method = next(k for k in knobs(DistillationSettings) if k.name == "method")
    assert set(method.choices) == set(METHODS) == set(VISIBLE)


@pytest.mark.parametrize("method", METHODS)
def test_at_most_seven_settings_are_visible_for_each_method(method):
    values = DistillationSettings(method=method)
    assert _names(values) == VISIBLE[method]
    assert len(_names(values)) <= 7


@pytest.mark.parametrize("method", METHODS)
def test_training_and_layers_are_one_fold_away(method):
    folded = _names(DistillationSettings(method=method), expert=True) - VISIBLE[method]
    layers = {"hint_layer", "student_layer"}
    assert {"teachers", "fit_epochs", "fit_lr", "fit_batch_size"} <= folded
    assert folded & layers == (layers if method in FEATURE_METHODS else set())


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        (
            {"method": "self", "student": "cnn"},
            "`student` has an effect only if method is not self",
        ),
        ({"hint_layer": "7"}, "`hint_layer` has an effect only if method is hint or attention"),
        ({"student_layer": "7"}, "here `method` is 'logits'"),
        ({"hint_weight": 2.0}, "`hint_weight` has an effect only if method is hint or attention"),
        ({"method": "self", "hint_weight": 2.0}, "here `method` is 'self'"),
        (
            {"method": "hint", "hint_weight": 0, "hint_layer": "7"},
            "`hint_layer` has an effect only if .* and hint_weight is set.*`hint_weight` is 0",
        ),
        (
            {"alpha": 0, "temperature": 2.0},
            "`temperature` has an effect only if alpha is set; here `alpha` is 0",
        ),
    ],
)
def test_values_without_effect_are_refused_with_the_reason(values, reason):
    with pytest.raises(SettingsError, match=reason):
        DistillationSettings(**values)


def test_every_number_has_a_search_range_inside_its_bounds():
    own = [k for k in knobs(DistillationSettings) if len(k.path) == 1 and k.kind == "float"]
    assert own
    for knob in own:
        low, high = knob.search
        assert (knob.low or 0) <= low < high <= knob.high, knob.name


@pytest.mark.parametrize("values", [{"method": "hint"}, {"method": "hint", "hint_weight": 0}, {}])
def test_resolved_settings_are_valid_settings(job_of, values):
    resolved = make_trainer(job_of(), settings(student=SMALL, **values)).settings
    assert DistillationSettings.from_flat(resolved.flat()) == resolved
    assert bool(resolved.hint_layer) == (values == {"method": "hint"})
