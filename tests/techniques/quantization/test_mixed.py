"""Which layer hurts, and the fewest of them kept in float: a layer made hostile is found, shown,
and put back.
"""

from __future__ import annotations

import copy
import dataclasses

import numpy as np
import pytest
import torch

from workbench.errors import Cancelled, SettingsError
from workbench.events import Report
from workbench.techniques import get_technique
from workbench.techniques.quantization import QuantizationSettings, sensitivity
from workbench.techniques.quantization.sensitivity import Probe, sqnr_db


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
    """Weights of one output channel are blown up and the next layer's are shrunk to match: the
    function stays the same.
    """
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
    kept = set(outcome.resolved.keep_float)
    assert kept
    assert kept <= {"3", "6"}, "no other layer is to blame"
    assert "stay in float" in " ".join(outcome.notes)


def test_choice_that_lost_least_is_taken_when_none_is_within_the_bound(job_of, monkeypatch):
    """Float layers that lose more than int8 ones, as chance has it on few rows: the greedy choice
    must not end with all.
    """
    from workbench.techniques.quantization import mixed

    plain = mixed._tried

    def worse(probe, before, inputs, kept):
        found = plain(probe, before, inputs, kept)
        return dataclasses.replace(found, after=found.before - (0.01 if len(kept) == 2 else 0.02))

    monkeypatch.setattr(mixed, "_tried", worse)
    outcome = get_technique("quantization")(job_of(), _settings(at_most_lost=0.001))
    assert len(outcome.resolved.keep_float) == 2
    assert "this one lost least" in " ".join(outcome.notes)


def test_analysis_looks_at_static_int8_whatever_the_method(job_of):
    assert len(sensitivity(job_of(), _settings(method="weight_only"))["sensitivity"]) == 5


def test_scores_are_saved_and_survive_a_cancel(job_of, monkeypatch):
    seen = []
    with pytest.raises(Cancelled):
        sensitivity(
            job_of(report=Report(seen.append, cancelled=lambda: len(seen) >= 4)), _settings()
        )
    first = sensitivity(job_of(), _settings())["sensitivity"]
    asked = []
    plain = Probe.outputs
    monkeypatch.setattr(Probe, "outputs", lambda *a, **k: asked.append(1) or plain(*a, **k))
    assert sensitivity(job_of(), _settings())["sensitivity"].equals(first)
    assert not asked, "nothing is computed twice"


def test_mixed_precision_goes_with_static_only(job_of):
    with pytest.raises(
        SettingsError, match="`at_most_lost` goes with the method static, got dynamic"
    ):
        get_technique("quantization")(job_of(), _settings(method="dynamic", at_most_lost=0.01))
