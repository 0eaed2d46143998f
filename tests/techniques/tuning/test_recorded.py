"""The recorded tables that lesson 01 reads."""

import pytest

from workbench.techniques.tuning.recorded import recorded_curses, recorded_tools, replays


@pytest.mark.parametrize("read", [replays, recorded_curses, recorded_tools])
def test_a_recorded_table_has_finite_scores_and_no_row_twice(read):
    table = read()
    score = table["mean" if read is replays else "score"]
    assert score.between(0, 1).all()
    keys = [c for c in ("task", "tool", "method", "seed", "n_trials") if c in table]
    assert not table.duplicated(keys).any()


def test_each_tool_has_the_same_seeds_and_searched_for_the_same_time():
    table = recorded_tools()
    assert set(table["tool"]) >= {"workbench", "optuna", "flaml"}
    assert table.groupby("tool")["seed"].apply(sorted).map(tuple).nunique() == 1
    assert (table["low"] <= table["score"]).all()
    assert (table["score"] <= table["high"]).all()
    assert table["search_seconds"].max() < 1.2 * table["search_seconds"].min()
