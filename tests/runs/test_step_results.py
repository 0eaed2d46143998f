"""Notes on a step whose technique should raise the score."""

from __future__ import annotations

import pytest

from tests.factories import make_row, make_verdict
from workbench.runs.step_results import _not_better


@pytest.mark.parametrize("decision", ["worse", "equivalent", "undecided"])
def test_step_that_is_not_proved_better_names_the_simpler_model(decision):
    verdicts = (make_verdict("accuracy", decision),)
    row = make_row("tuning", "tuning", parent="start", aim="quality", against_parent=verdicts)
    (note,) = _not_better(row)
    assert "Not proved better than `start`" in note
    assert "keep that one" in note


def test_better_step_and_step_that_lowers_the_cost_have_no_note():
    better, worse = (make_verdict("accuracy", decision) for decision in ("better", "worse"))
    assert _not_better(make_row("t", "t", aim="quality", against_parent=(better,))) == ()
    assert _not_better(make_row("pruning", "pruning", against_parent=(worse,))) == ()
