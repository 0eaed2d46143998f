"""Waterfall chart of a ledger: the change of one measured value by each step.

A ledger is a table with one row a step: `step` (the first is "start") and the values measured after
it, such as `latency_ms`, `size_bytes`, `quality`. `<value>_low` and `<value>_high` are the bounds
of an interval, if the ledger has them.
"""

from __future__ import annotations

import html
import math
import textwrap
from typing import TYPE_CHECKING, Any

from workbench.errors import DataError
from workbench.figures.theme import figure, palette
from workbench.figures.units import amount, axis, is_higher_better, is_score, times, title_of

if TYPE_CHECKING:
    import numpy as np
    from pandas import DataFrame, Series
    from plotly.graph_objects import Figure

__all__ = ["bound_of", "check_ledger", "plot_ledger", "wrapped"]

_HALF_WIDTH = 0.31  # of a bar, in steps
_MAX_LABELLED_BARS = 8  # with more bars the changes would overlap; the hover text has them
_RESULT = "result"


def plot_ledger(
    rows: DataFrame,
    *,
    value: str = "latency_ms",
    title: str | None = None,
    higher_is_better: bool | None = None,
) -> Figure:
    """Waterfall of one column of a ledger: the start, the change by each step, and the result.

    The label of a bar is the factor reached against the start (2.7x is 2.7 times better) and the
    change. A score is drawn as its difference from the start, as its changes are small compared to
    its value. A step whose interval overlaps that of the step before is drawn as undecided, unless
    the column `<value>_verdict` has another verdict. `higher_is_better=None` reads the direction
    from the name. Raises DataError when a column or a value is missing.
    """
    up = is_higher_better(value) if higher_is_better is None else higher_is_better
    table = _waterfall(rows, value, higher_is_better=up)
    y_title, scale = axis(value, float(table[["bottom", "top"]].abs().to_numpy().max()))
    figure_ = figure()
    _add_connectors(figure_, table, scale)
    _add_bars(figure_, table, value, scale)
    for i, row in enumerate(table.itertuples()):
        figure_.add_annotation(
            x=i,
            y=_peak(row) / scale,
            text=_label(row, table, value),
            yanchor="bottom",
            yshift=4,
            showarrow=False,
        )
    heading = {
        "text": title or f"Change by each step: {title_of(value)}",
        "subtitle": {"text": _subtitle(table, value)},
    }
    figure_.update_layout(
        title=heading,
        height=430,
        margin={"t": 116},
        hovermode="closest",
        legend={"traceorder": "normal"},
    )
    figure_.update_xaxes(
        tickvals=table.index.to_numpy(),
        ticktext=[wrapped(s) for s in table["step"]],
        range=[-0.6, len(table) - 0.4],
    )
    figure_.update_yaxes(
        title={"text": f"{y_title}, change from start" if is_score(value) else y_title}
    )
    figure_.update_yaxes(range=_span(table, scale))
    return figure_


def check_ledger(rows: DataFrame, columns: list[str]) -> None:
    """Raise DataError unless a ledger has rows, the steps, and all values of these columns."""
    missing = [c for c in ("step", *columns) if c not in rows]
    if missing:
        raise DataError(
            f"The ledger has no column {', '.join(f'`{c}`' for c in missing)}; it has "
            f"{', '.join(map(str, rows))}."
        )
    if not len(rows):
        raise DataError("A ledger must have at least the row of its start, got no row.")
    gaps = [
        f"`{c}` at {', '.join(map(str, rows.loc[rows[c].isna(), 'step']))}"
        for c in columns
        if rows[c].isna().any()
    ]
    if gaps:
        raise DataError(
            f"The ledger has no value for {'; '.join(gaps)}: measure these steps, or remove their "
            "rows."
        )


def bound_of(rows: DataFrame, value: str, side: str) -> np.ndarray:
    """Low or high bounds `(rows,)` of a column's intervals; NaN for a row without an interval."""
    import numpy as np

    column = f"{value}_{side}"
    return rows[column].to_numpy(float) if column in rows else np.full(len(rows), np.nan)


def wrapped(step: str, width: int = 14) -> str:
    """The label of a step on lines of `width` characters, escaped, as Plotly reads HTML."""
    return "<br>".join(html.escape(line) for line in textwrap.wrap(step, width)) or " "


def _waterfall(rows: DataFrame, value: str, *, higher_is_better: bool = False) -> DataFrame:
    """Table of one row a bar, the last of which repeats the last value as a total.

    The columns are step, kind (total or change), value, low, high, delta, factor, verdict, bottom,
    top and origin. `delta` is the change by the step, `factor` how many times better than the start
    the value is. `bottom` and `top` are the ends of the bar above `origin`, which is zero, or the
    start for a score.
    """
    import pandas as pd

    check_ledger(rows, [value])
    now = rows[value].astype(float).reset_index(drop=True)
    origin = now.iloc[0] if is_score(value) else 0.0
    bars = pd.DataFrame(
        {
            "step": rows["step"].astype(str).to_numpy(),
            "kind": "change",
            "value": now,
            "low": bound_of(rows, value, "low"),
            "high": bound_of(rows, value, "high"),
            "delta": now.diff().fillna(0.0),
            "factor": _factor(now, higher_is_better),
            "bottom": now.shift(1, fill_value=origin) - origin,
            "top": now - origin,
            "origin": origin,
        }
    )
    bars["verdict"] = _verdicts(rows, bars, value, higher_is_better)
    bars.loc[0, ["kind", "verdict"]] = "total"
    if len(bars) > 1:
        result = bars.iloc[[-1]].assign(step=_RESULT, kind="total", verdict="total", bottom=0.0)
        bars = pd.concat([bars, result.assign(delta=now.iloc[-1] - now.iloc[0])], ignore_index=True)
    return bars


def _factor(now: Series, higher_is_better: bool) -> Series:
    """How many times better than the first each value is; NaN unless both are above zero."""
    start = now.iloc[0]
    return (now / start if higher_is_better else start / now).where((now > 0) & (start > 0))


def _verdicts(rows: DataFrame, bars: DataFrame, value: str, higher_is_better: bool) -> list[str]:
    """The column of verdicts, or verdicts from the changes and from overlapping intervals."""
    if f"{value}_verdict" in rows:
        return [v if isinstance(v, str) and v else "undecided" for v in rows[f"{value}_verdict"]]
    # overlapping intervals do not prove equality: the verdict is undecided, not equivalent
    overlap = (bars["low"] <= bars["high"].shift(1)) & (bars["high"] >= bars["low"].shift(1))
    gains = bars["delta"] if higher_is_better else -bars["delta"]
    return [
        _verdict(gain, overlaps=bool(overlaps))
        for gain, overlaps in zip(gains, overlap, strict=True)
    ]


def _verdict(gain: float, *, overlaps: bool) -> str:
    if gain == 0:
        return "equivalent"
    if overlaps:
        return "undecided"
    return "better" if gain > 0 else "worse"


def _add_bars(figure_: Figure, table: DataFrame, value: str, scale: float) -> None:
    for verdict, part in sorted(table.groupby("verdict"), key=lambda item: item[0]):
        color = palette.total if verdict == "total" else palette.of(str(verdict))
        bars = {"low": part["low"] - part["origin"], "high": part["high"] - part["origin"]}
        figure_.add_bar(
            x=part.index.to_numpy() - _HALF_WIDTH,
            y=((part["top"] - part["bottom"]) / scale).to_numpy(),
            offset=0,
            width=2 * _HALF_WIDTH,
            base=(part["bottom"] / scale).to_numpy(),
            name=str(verdict),
            showlegend=verdict != "total",
            # the outline shows a bar of height zero
            marker={"color": color, "line": {"width": 1.5, "color": color}},
            hovertext=[_hover(row, value) for row in part.itertuples()],
            hovertemplate="%{hovertext}<extra></extra>",
        )
        if part["high"].notna().any():
            # beside the bar: on its colours, no grey has enough contrast in both themes
            figure_.add_scatter(
                x=part.index.to_numpy() + _HALF_WIDTH + 0.07,
                y=(part["top"] / scale).to_numpy(),
                mode="markers",
                marker={"size": 1, "opacity": 0},
                hoverinfo="skip",
                showlegend=False,
                error_y={
                    "type": "data",
                    "symmetric": False,
                    "color": palette.text,
                    "thickness": 1.5,
                    "width": 5,
                    "array": ((bars["high"] - part["top"]) / scale).to_numpy(),
                    "arrayminus": ((part["top"] - bars["low"]) / scale).to_numpy(),
                },
            )


def _add_connectors(figure_: Figure, table: DataFrame, scale: float) -> None:
    import numpy as np

    n = len(table) - 1
    x = np.stack(
        [np.arange(n) + _HALF_WIDTH, np.arange(n) + 1 - _HALF_WIDTH, np.full(n, np.nan)], axis=1
    ).ravel()
    y = np.repeat((table["top"] / scale).to_numpy()[:n], 3)
    figure_.add_scatter(
        x=x,
        y=y,
        mode="lines",
        line={"color": palette.text, "width": 1},
        hoverinfo="skip",
        showlegend=False,
    )


def _peak(row: Any) -> float:
    """The highest value of a bar and its interval, above the origin."""
    tops = (row.bottom, row.top, row.high - row.origin)
    return float(max(top for top in tops if not math.isnan(top)))


def _label(row: Any, table: DataFrame, value: str) -> str:
    """Label of a bar: the value of a total, the change of a step, and the factor reached."""
    if row.Index == 0:
        return f"<b>{amount(row.value, value)}</b>"
    is_total = row.kind == "total"
    change = amount(row.delta, value, signed=True)
    if is_score(value):
        return f"<b>{amount(row.value, value)}</b><br>{change}" if is_total else f"<b>{change}</b>"
    text = amount(row.value, value) if is_total else change
    if math.isnan(row.factor):
        return text
    factor = f"<b>{times(row.factor)}</b>"
    if len(table) > _MAX_LABELLED_BARS and not is_total:
        return factor
    return f"{factor}<br>{text}"


def _hover(row: Any, value: str) -> str:
    lines = [f"<b>{html.escape(row.step)}</b>", amount(row.value, value)]
    if not (math.isnan(row.low) or math.isnan(row.high)):
        lines[1] += f" [{amount(row.low, value)}, {amount(row.high, value)}]"
    if row.kind == "change":
        lines.append(f"{amount(row.delta, value, signed=True)}: {row.verdict}")
    return "<br>".join(lines)


def _subtitle(table: DataFrame, value: str) -> str:
    """First and last value, number of steps, and the factor or the difference."""
    first, last = table.iloc[0], table.iloc[-1]
    if len(table) == 1:
        return f"{amount(first['value'], value)} at the start"
    n = len(table) - 2  # all bars but the first and the last
    text = (
        f"{amount(first['value'], value)} → {amount(last['value'], value)} in {n} "
        f"step{'s' if n > 1 else ''}"
    )
    if is_score(value):
        return f"{text}, {amount(last['delta'], value, signed=True)}"
    return text if math.isnan(last["factor"]) else f"{text}, {times(last['factor'])}"


def _span(table: DataFrame, scale: float) -> list[float]:
    """Range of the axis, with room for two lines of text above the highest bar."""
    low = min(
        0.0,
        float(table[["top", "bottom"]].min().min()),
        float((table["low"] - table["origin"]).fillna(0.0).min()),
    )
    high = max(0.0, *(_peak(row) for row in table.itertuples()))
    room = (high - low) or 1.0
    return [(low - (0.06 * room if low < 0 else 0.0)) / scale, (high + 0.2 * room) / scale]
