"""Settings of quantization: few are visible, and the conditions under which they act are true."""

from __future__ import annotations

import re
import typing

import numpy as np
import pytest
import torch
from torch import nn

from workbench.data.rows import Rows, Splits
from workbench.errors import SettingsError
from workbench.metrics import METRICS
from workbench.runtimes.to_onnx import to_onnx
from workbench.settings import knobs
from workbench.system.machine import lacks_int8_products
from workbench.task import Candidate, Task
from workbench.technique import Job
from workbench.techniques.quantization import QuantizationSettings, quantize
from workbench.training import FitSettings

METHODS = typing.get_args(QuantizationSettings.model_fields["method"].annotation)
BASE = {
    "static": {"activation_type": "uint8"},
    "aware": {"fit": FitSettings(lr=0.0002, epochs=1, max_steps=2)},
}
CHANGES = {
    "weight_bits": 4,
    "activation_type": "int8",
    "per_channel": False,
    "symmetric": True,
    "reduce_range": not lacks_int8_products(),
    "calibration": "percentile",
    "calibration_rows": 16,
    "keep_float": ["3"],
    "at_most_lost": 0.0,
    "fit": FitSettings(lr=0.1, epochs=1, max_steps=2),
}


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """Quantizes a tiny network; `files(method, **changes)` returns the outcome; each runs once."""
    torch.manual_seed(0)
    layers = [nn.Conv2d(1, 8, 3), nn.ReLU(), nn.Flatten(), nn.Linear(288, 16), nn.ReLU()]
    network = nn.Sequential(*layers, nn.Linear(16, 3)).eval()
    rng = np.random.default_rng(0)
    images = rng.standard_normal((120, 1, 8, 8)).astype(np.float32)
    rows = Rows({"x": images}, rng.integers(0, 3, 120))
    data = Splits(rows.take(slice(0, 40)), rows.take(slice(40, 80)), rows.take(slice(80, 120)))
    task = Task("tiny", "classification", data, (METRICS["accuracy"],), classes=("a", "b", "c"))
    start = Candidate("net", "torch", network)
    exported = to_onnx(start, task.example(16))
    outcomes = {}

    def make(method, **changes):
        key = (method, repr(changes))
        if key not in outcomes:
            plain = QuantizationSettings(budget="smoke", method=method, **BASE.get(method, {}))
            settings = plain.model_copy(update=changes)  # refuses nothing
            job = Job(task, start, tmp_path_factory.mktemp("job"), exported=exported)
            outcomes[key] = quantize(job, settings)
        return outcomes[key]

    return make


def _acting(method: str) -> set[str]:
    """Fields of the settings with an effect at the defaults of a method."""
    return {k.path[0] for k in QuantizationSettings(method=method).visible(expert=True)}


def _other_value(knob):
    if knob.path[-1] in CHANGES:
        return CHANGES[knob.path[-1]]
    if knob.kind == "choice":
        return next(choice for choice in knob.choices if choice != knob.default)
    smallest = 1 if knob.kind == "int" else 0.1
    return 2 * (knob.default or knob.low or smallest)


def test_every_setting_but_method_and_budget_is_changed_by_these_tests():
    assert set(CHANGES) == set(QuantizationSettings.model_fields) - {"method", "budget"}


@pytest.mark.parametrize("method", METHODS)
def test_at_most_seven_settings_are_visible(method):
    names = [k.name for k in QuantizationSettings(method=method).visible() if k.name != "budget"]
    assert len(names) <= 7, names
    assert {"method", "keep_float"} <= set(names)


@pytest.mark.parametrize("method", METHODS)
def test_value_without_an_effect_is_refused_with_the_reason(method):
    plain = QuantizationSettings(method=method)
    refused = [k for k in knobs(QuantizationSettings) if not k.applies(plain.flat())]
    assert refused
    for knob in refused:
        reason = re.escape(f"`{knob.name}` has an effect only if {knob.condition}; here `method`")
        with pytest.raises(SettingsError, match=reason):
            QuantizationSettings.from_flat({"method": method, knob.name: _other_value(knob)})


def test_scale_per_channel_is_refused_for_4_bits():
    with pytest.raises(SettingsError, match="`per_channel` has an effect only if"):
        QuantizationSettings(method="weight_only", weight_bits=4, per_channel=False)


@pytest.mark.parametrize("method", METHODS)
def test_settings_declared_without_an_effect_change_nothing(files, method):
    vain = {name: value for name, value in CHANGES.items() if name not in _acting(method)}
    assert vain
    assert files(method, **vain).candidate.model == files(method).candidate.model


def test_scale_per_channel_changes_nothing_for_4_bits(files):
    plain = files("weight_only", weight_bits=4).candidate.model
    assert files("weight_only", weight_bits=4, per_channel=False).candidate.model == plain


@pytest.mark.parametrize("method", METHODS)
def test_settings_declared_with_an_effect_change_the_file(files, method):
    plain = files(method).candidate.model
    for name in _acting(method) & (set(CHANGES) - {"at_most_lost"}):
        changed = files(method, **{name: CHANGES[name]}).candidate.model
        assert changed != plain, name


def test_bound_of_the_loss_is_searched_by_static(files):
    assert "mixed" in files("static", at_most_lost=0.0).evidence
    assert "mixed" not in files("static").evidence


@pytest.mark.parametrize("method", METHODS)
def test_resolved_settings_are_accepted_again(files, method):
    resolved = files(method).resolved
    assert QuantizationSettings(**resolved.tree()) == resolved
