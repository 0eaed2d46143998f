"""`workbench settings`: all settings, those of one method, and the expert ones."""

from __future__ import annotations

import pytest

from tests.cli.sample import SampleSettings, sample
from workbench.cli import main as cli
from workbench.cli.settings import settings_shown
from workbench.settings import knobs
from workbench.techniques import TECHNIQUES


@pytest.fixture(autouse=True)
def _registered(monkeypatch):
    monkeypatch.setitem(TECHNIQUES._places, "sample", [sample])
    monkeypatch.setattr(TECHNIQUES, "_loaded", dict(TECHNIQUES._loaded))


def test_settings_of_a_technique_are_shown_as_a_table(capsys):
    assert cli.main(["settings", "pruning"]) == 0
    assert "pruning_ratio" in capsys.readouterr().out


def test_settings_of_a_method_are_those_with_an_effect():
    names = {k.name for k in settings_shown(sample, method="bits")}
    assert names == {"budget", "method", "n_bits", "fit_lr"}
    assert "n_bits" not in {k.name for k in settings_shown(sample, method="channels")}


def test_expert_settings_are_shown_only_when_asked_for(capsys):
    assert {k.name for k in settings_shown(sample, expert=True)} == {
        k.name for k in knobs(SampleSettings)
    }
    assert cli.main(["settings", "sample"]) == 0
    assert "fit_patience" not in capsys.readouterr().out
    assert cli.main(["settings", "sample", "--expert", "--method", "bits"]) == 0
    shown = capsys.readouterr().out
    assert "fit_patience" in shown
    assert "Fraction to remove" not in shown, "the ratio has no effect with this method"


def test_unknown_method_is_refused_with_the_valid_ones(capsys):
    assert cli.main(["settings", "sample", "--method", "bitz"]) == 1
    assert "Did you mean `bits`?" in capsys.readouterr().err


def test_without_a_technique_all_tables_are_printed(capsys):
    assert cli.main(["settings"]) == 0
    shown = capsys.readouterr().out
    assert all(f"workbench {name}" in shown for name in ("pruning", "quantization", "sample"))
