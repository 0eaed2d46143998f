"""The sweep figure: one line a candidate and thread count, and readable ticks."""

from __future__ import annotations

import pandas as pd
import pytest

from workbench.errors import DataError
from workbench.figures import plot_sweep

TABLE = pd.DataFrame(
    [
        {
            "name": name,
            "threads": n,
            "batch_size": b,
            "best_ms": ms * b / n,
            "throughput": 1000 * n / ms,
        }
        for name, ms in (("eager", 1.5), ("int8 <b>", 0.1))
        for n in (1, 2)
        for b in (1, 64)
    ]
)


def test_lines_have_one_legend_entry_a_candidate_and_one_dash_a_thread_count():
    shown = plot_sweep(TABLE)
    assert len(shown.data) == 4
    assert [t.name for t in shown.data if t.showlegend] == ["eager", "int8 &lt;b&gt;"]
    assert {t.line.dash for t in shown.data} == {"solid", "dash"}
    assert (
        shown.layout.title.subtitle.text
        == "solid: 1 thread, dashed: 2 threads; highest: 20,000 by int8 &lt;b&gt; at batch 1 on 2 "
        "threads"
    )
    assert list(shown.layout.xaxis.ticktext) == ["1", "64"]
    assert "1,000" in shown.layout.yaxis.ticktext


def test_table_without_a_column_or_without_rows_is_refused():
    with pytest.raises(DataError, match="missing: `best_ms`"):
        plot_sweep(TABLE.drop(columns="best_ms"))
    with pytest.raises(DataError, match="at least one row"):
        plot_sweep(TABLE[:0])
