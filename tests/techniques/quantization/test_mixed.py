"""Sensitivity and mixed precision: a layer that int8 damages is measured and put back to float."""

from __future__ import annotations

import copy
import dataclasses

import numpy as np
import pytest
import torch

from workbench.errors import Cancelled
from workbench.events import Report
from workbench.techniques import get_technique
from workbench.techniques.quantization import QuantizationSettings, sensitivity
from workbench.techniques.quantization.layer_noise import sqnr_db
from workbench.techniques.quantization.sensitivity import Probe


def _settings(**changes):
    return QuantizationSettings(
        **{"budget": "smoke", "activation_type": "uint8", "per_channel": False, **changes}
    )


def test_sqnr_is_in_decibels():
    signal = np.ones(100)
    assert sqnr_db(signal, signal + 0.1) == pytest.approx(20)
    assert sqnr_db(signal, signal) == 150


def test_every_layer_has_its_noise_and_its_price(job_of):
    table = sensitivity(job_of(), _settings())["sensitivity"]
    assert set(table.layer) == {"0", "3", "6", "9", "14"}
    assert {"sqnr_db", "output_sqnr_db", "only_this", "without_this"} <= set(table)
    assert (table.sqnr_db > 15).all()


def test_choice_of_layers_reproduces_the_file(job_of):
    job = job_of()
    outcome = get_technique("quantization")(job, _settings(at_most_lost=0.0))
    table = outcome.evidence["mixed"]
    assert outcome.resolved.keep_float == list(table[table.kept_float].layer)
    assert outcome.resolved.at_most_lost is None
    again = get_technique("quantization")(job, outcome.resolved)
    assert again.candidate.model == outcome.candidate.model


def test_outlier_channel_hurts_most_without_scales_a_channel(job_of, digits_cnn):
    """One output channel gets large weights, the next layer small ones: the same function."""
    model = copy.deepcopy(digits_cnn.model)
    with (
        torch.no_grad()
    ):  # relu(a x) = a relu(x): the norm's gain grows, the next convolution undoes it
        model[4].weight[0] *= 400
        model[4].bias[0] *= 400
        model[6].weight[:, 0] /= 400
    job = job_of(start=dataclasses.replace(digits_cnn, model=model))
    table = sensitivity(job, _settings())["sensitivity"].set_index("layer")
    usual = sensitivity(job_of(), _settings())["sensitivity"].set_index("layer")
    fallen = (usual.output_sqnr_db - table.output_sqnr_db).sort_values(ascending=False)
    assert fallen.index[0] in ("3", "6")
    assert fallen.iloc[0] > 6, "more than a bit"
    outcome = get_technique("quantization")(job, _settings(at_most_lost=0.005))
    float_layers = set(outcome.resolved.keep_float)
    assert float_layers
    assert float_layers <= {"3", "6"}, "no other layer has the error"
    assert "stay in float" in " ".join(outcome.notes)


def test_choice_that_lost_least_is_taken_when_none_is_within_the_bound(job_of, monkeypatch):
    """Float layers can lose more than int8 ones by chance on few rows; not all must be chosen."""
    from workbench.techniques.quantization import mixed

    measured = mixed._measured

    def worse(probe, float_outputs, inputs, float_layers):
        verdict = measured(probe, float_outputs, inputs, float_layers)
        loss = 0.01 if len(float_layers) == 2 else 0.02
        return dataclasses.replace(verdict, after=verdict.before - loss)

    monkeypatch.setattr(mixed, "_measured", worse)
    outcome = get_technique("quantization")(job_of(), _settings(at_most_lost=0.001))
    assert len(outcome.resolved.keep_float) == 2
    assert "The choice with the smallest loss was taken" in " ".join(outcome.notes)


def test_analysis_is_that_of_static_int8_whatever_the_method(job_of):
    settings = QuantizationSettings(budget="smoke", method="weight_only")
    table = sensitivity(job_of(), settings)["sensitivity"]
    assert len(table) == 5
    static = QuantizationSettings(budget="smoke", activation_type="uint8")
    assert table.equals(sensitivity(job_of(), static)["sensitivity"]), "on as many rows too"


def test_scores_are_saved_and_survive_a_cancel(job_of, monkeypatch):
    seen = []
    with pytest.raises(Cancelled):
        sensitivity(
            job_of(report=Report(seen.append, cancelled=lambda: len(seen) >= 4)), _settings()
        )
    first = sensitivity(job_of(), _settings())["sensitivity"]
    computed = []
    outputs = Probe.outputs
    monkeypatch.setattr(Probe, "outputs", lambda *a, **k: computed.append(1) or outputs(*a, **k))
    assert sensitivity(job_of(), _settings())["sensitivity"].equals(first)
    assert not computed, "nothing is computed twice"
