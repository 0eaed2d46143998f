"""Figures of pruning: numbers, titles and errors."""

from __future__ import annotations

import copy

import numpy as np
import pandas as pd
import pytest
import torch
from torch import nn

from workbench.errors import DataError
from workbench.techniques.pruning import figures


def _curves():
    rows = [(f"l{i}", r, 0.9 - r * i / 10) for i in range(9) for r in (0.0, 0.5, 0.75)]
    return pd.DataFrame(rows, columns=["layer", "ratio", "quality"])


def test_sensitivity_names_the_layers_at_both_ends():
    chart = figures.plot_sensitivity(_curves())
    assert figures._ranked(_curves())[0] == "l8"
    assert {t.name for t in chart.data if t.showlegend} == {"l0", "l1", "l2", "l6", "l7", "l8"}
    assert "l8 loses most, l0 least" in chart.layout.title.subtitle.text


def test_widths_say_how_many_channels_are_removed():
    table = pd.DataFrame(
        {
            "layer": ["a", "b"],
            "channels": [8, 4],
            "channels_after": [4, 4],
            "protected": [False, True],
        }
    )
    chart = figures.plot_widths(table)
    assert "4 of 12 channels are removed" in chart.layout.title.subtitle.text
    assert chart.data[1].x.tolist() == [4, 4]
    assert chart.data[1].marker.color[0] != chart.data[1].marker.color[1]


def test_histogram_leaves_zeros_out_and_counts_them():
    before = nn.Sequential(nn.Linear(50, 40))
    after = copy.deepcopy(before)
    with torch.no_grad():
        after[0].weight[:, :25] = 0
    counts, _, n_zeros, n_all = figures._histogram(before, after)
    assert (n_zeros, n_all) == (1000, 2000)
    assert counts[0].sum() > 1.9 * counts[1].sum()
    assert "50.0% of 2,000" in figures.plot_weights(before, after).layout.title.subtitle.text


def test_changes_add_up_to_what_is_left():
    before = {f"l{i}": 1_000_000 + i for i in range(40)}
    after = {name: macs // 2 for name, macs in before.items()} | {"l0": before["l0"]}
    changes = figures._changes(before, after)
    assert len(changes) == 24
    assert sum(before.values()) + sum(change for _, change in changes) == sum(after.values())
    assert (
        "51% of the multiply-adds are left"
        in figures.plot_macs(before, after).layout.title.subtitle.text
    )


def test_speedup_names_the_largest_of_each_method():
    table = pd.DataFrame(
        {
            "method": ["unstructured"] * 3 + ["structured"] * 3,
            "removed": [0, 0.5, 0.9] * 2,
            "speedup": [1, 1.01, 0.99, 1, 2.1, 6.3],
        }
    )
    chart = figures.plot_speedup(table)
    assert "unstructured 1.0x, structured 6.3x" in chart.layout.title.subtitle.text
    assert np.allclose(chart.data[1].y, [1, 2.1, 6.3])


def test_missing_columns_are_named():
    with pytest.raises(DataError, match="missing: quality"):
        figures.plot_sensitivity(_curves().drop(columns="quality"))
