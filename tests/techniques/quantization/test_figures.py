"""Figures of quantization: their numbers, their titles and their refusals."""

from __future__ import annotations

import pandas as pd
import pytest

from workbench.errors import DataError
from workbench.techniques.quantization import figures

SQNR = pd.DataFrame({"layer": ["quiet", "loud <b>"], "sqnr_db": [40.0, 12.0]})


def test_layer_with_the_most_noise_is_first_and_named():
    chart = figures.plot_sqnr(SQNR)
    assert chart.data[0].x.tolist() == [12.0, 40.0]
    assert chart.layout.title.subtitle.text.startswith(
        "loud &lt;b&gt; has the most noise, 12 dB at the layer's own output"
    )
    kept = figures.plot_sqnr(SQNR.assign(output_sqnr_db=[9.0, 30.0], kept_float=[True, False]))
    assert "1 kept in float" in kept.layout.title.subtitle.text
    assert len(set(kept.data[0].marker.color)) == 2


def test_ranges_draw_both_ends_of_each_layer():
    rows = [
        (f"l{i}", b / 10, (b + 1) / 10, 10 - b, 0.0, 0.7, 0.01 * i)
        for i in range(9)
        for b in range(10)
    ]
    table = pd.DataFrame(
        rows, columns=["layer", "bin_low", "bin_high", "count", "clip_low", "clip_high", "clipped"]
    )
    chart = figures.plot_ranges(table)
    assert len(chart.data) == 6
    assert len(chart.layout.shapes) == 12
    assert "most values are clipped before l8, 8.00%" in chart.layout.title.subtitle.text


def test_methods_are_bubbles_with_areas_of_their_files():
    table = pd.DataFrame(
        {
            "method": ["fp32", "int8"],
            "latency_ms": [0.3, 0.1],
            "quality": [0.94, 0.93],
            "size_bytes": [1_000_000, 250_000],
        }
    )
    chart = figures.plot_methods(table)
    assert chart.layout.title.subtitle.text.startswith("fastest: int8; smallest: int8")
    assert chart.data[0].marker.size == 64
    assert chart.data[1].marker.size == 39


def test_flips_count_pairs_of_classes():
    table = pd.DataFrame(
        {"target": ["a", "b", "b"], "before": ["b", "b", "b"], "after": ["a", "c", "c"]}
    )
    chart = figures.plot_flips(table)
    assert chart.layout.title.subtitle.text == "3 shown: 1 became right, 2 became wrong"
    assert chart.data[0].z[1][2] == 2
    assert "no prediction changed" in figures.plot_flips(table.iloc[:0]).layout.title.subtitle.text


def test_table_of_another_kind_is_refused():
    for plot in (figures.plot_sqnr, figures.plot_ranges, figures.plot_methods, figures.plot_flips):
        with pytest.raises(DataError, match="has no column"):
            plot(pd.DataFrame({"x": [1]}))
