"""The results of a wizard: each opens with its sentence."""

from __future__ import annotations

from tests.ledger.test_factors import session_rows
from workbench.ledger.rows import Row
from workbench.ledger.summary import summary
from workbench.recipe import Recipe
from workbench.technique import Decision
from workbench.widgets.ledgerview import LedgerView


def _shown(rows, **options) -> str:
    view = LedgerView()
    view.show("a-run", Recipe.make("fashion", ["pruning"], **options), rows)
    return view.children[0].value


def test_result_opens_with_the_sentence_and_the_limit_of_the_recipe():
    page = _shown(session_rows(), accepted_drop=2.5)
    sentence = summary(session_rows(), accepted_drop=2.5)
    assert sentence.endswith("your limit is 2.5 points: kept.")
    assert page.index(sentence) < page.index("<table") < page.index("<details>")


def test_result_that_is_only_a_decision_has_no_table():
    row = Row("monitoring", "monitoring", decision=Decision("drift", "", {}, ""))
    assert "<table" not in _shown([row])
