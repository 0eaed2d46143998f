"""A trail as it is shown: the sentence, then the short table, with the factors of the figure."""

from __future__ import annotations

import pytest

from tests.factories import make_run
from workbench.figures.units import times
from workbench.runs.trail import Trail


@pytest.fixture
def folder(tmp_path):
    return make_run(tmp_path)


def _with(folder, text):
    (folder / "recipe.yml").write_text((folder / "recipe.yml").read_text() + text)
    return Trail(folder)


def test_summary_is_the_sentence_and_opens_the_html(folder):
    trail = Trail(folder)
    assert trail.summary.endswith("as good as before on test (within 1 point).")
    page = trail._repr_html_()
    assert page.index(trail.summary) < page.index("<table")
    assert page.count("<table") == 2
    assert trail.test.text in page


def test_limit_of_the_run_is_in_the_sentence(folder):
    trail = _with(folder, "accepted_drop: 2.5\n")
    assert trail.accepted_drop == 2.5
    assert trail.summary.endswith("your limit is 2.5 points: kept.")
    assert "your limit is 2.5 points: kept." in trail._repr_html_()


def test_run_whose_recipe_cannot_be_read_has_no_limit(folder):
    (folder / "recipe.yml").write_text("task: [")
    assert Trail(folder).accepted_drop is None
    assert "your limit" not in Trail(folder).summary


def test_figure_has_the_factors_of_the_ledger(folder):
    trail = Trail(folder)
    for value, factor in (("latency_ms", "speedup_start"), ("size_bytes", "size_ratio")):
        last = times(trail.ledger[factor].iloc[-1])
        labels = [a.text for a in trail.plot(value).layout.annotations]
        assert labels[-1].startswith(f"<b>{last}</b>")
