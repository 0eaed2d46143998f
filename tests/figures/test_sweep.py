"""The sweep figure: a line a candidate and thread count, and readable ticks."""

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


def test_lines_are_named_once_and_told_apart_by_their_dashes():
    shown = plot_sweep(TABLE)
    assert len(shown.data) == 4
    assert [t.name for t in shown.data if t.showlegend] == ["eager", "int8 &lt;b&gt;"]
    assert {t.line.dash for t in shown.data} == {"solid", "dash"}
    assert (
        shown.layout.title.subtitle.text
        == "solid: 1 thread, dashed: 2 threads; most: 20,000 by int8 &lt;b&gt; at batch 1 on 2 "
        "threads"
    )
    assert list(shown.layout.xaxis.ticktext) == ["1", "64"]
    assert "1,000" in shown.layout.yaxis.ticktext


def test_table_of_another_kind_is_refused():
    with pytest.raises(DataError, match="`best_ms`"):
        plot_sweep(TABLE.drop(columns="best_ms"))
