"""Mixed precision: the fewest layers in float with which no more is lost than was allowed.

Greedy: all layers start in int8. While too much is lost, the most sensitive one
(`sensitivity.impacts`) goes back to float. Then each layer that went back, the least sensitive
first, is tried in int8 once more and stays there if nothing breaks: the order is a forecast, and
this second pass takes out what the forecast got wrong. Where no choice is within the bound, the one
that lost least is taken, and said to be no more than that.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from workbench.measure.statistics.verdict import Verdict, compare_quality, within
from workbench.techniques.quantization.sensitivity import Probe, impacts

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pandas as pd

__all__ = ["Mixed", "fewest_in_float"]


@dataclass(frozen=True)
class Mixed:
    """Names of the layers kept in float, the table that shows why, and notes."""

    kept: tuple[str, ...]
    table: pd.DataFrame
    notes: tuple[str, ...]


def fewest_in_float(
    probe: Probe, rows: Mapping[str, np.ndarray], at_most_lost: float, *, estimate: bool
) -> Mixed:
    """Choose the layers that stay in float so that at most `at_most_lost` of the metric on valid is
    lost.

    With `estimate` the plain difference is held against the bound (a smoke run); without, the bound
    of its 95 % interval, as `measure.within` does, unless valid is too small to prove such a bound
    even of the float network against itself.
    """
    valid = probe.job.task.data.valid
    inputs = dict(valid.prepared(probe.job.start.prepare).inputs)
    before = probe.outputs(None, inputs)
    notes = []
    if not estimate and not within(_verdict(probe, before, before), at_most_lost):
        estimate = True
        notes.append(
            f"{len(valid.targets)} valid rows cannot prove that at most {at_most_lost:g} is lost, "
            "whatever the model: the plain difference decided. More valid rows would allow a "
            "proof."
        )

    def lost(kept: list[str]) -> tuple[bool, float]:
        verdict = _tried(probe, before, inputs, kept)
        worse = (
            verdict.before - verdict.after
            if verdict.higher_is_better
            else verdict.after - verdict.before
        )
        fits = worse <= at_most_lost + 1e-12 if estimate else within(verdict, at_most_lost)
        probe.job.report.message(
            f"{len(kept)} of {len(probe.groups)} layers in float: {worse:.4g} lost on valid."
        )
        return fits, worse

    fits, first = lost([])
    table = impacts(probe, rows, accuracy=False)
    kept: list[str] = []
    tried = [(first, kept)]
    for name in [] if fits else table["layer"]:
        kept = [*kept, name]
        fits, last = lost(kept)
        tried.append((last, kept))
        if fits:
            break
    if not fits:
        kept = min(tried, key=lambda t: (t[0], len(t[1])))[1]
        notes.append(
            f"No choice of layers is within {at_most_lost:g}, not even all in float, as other "
            "operators stay in int8: this one lost least. Allow more, name kinds of operators in "
            "`keep_float` too, or take the method aware."
        )
    for name in list(reversed(kept[:-1])) if fits else ():
        fewer = [k for k in kept if k != name]
        if lost(fewer)[0]:
            kept = fewer
    last = lost(kept)[1] if kept else first
    how = "the plain difference on valid" if estimate else "the bound of the 95 % interval on valid"
    what = f"{len(kept)} of {len(table)} layers stay in float" + (
        f" ({', '.join(kept)})" if kept else ""
    )
    notes.append(
        f"{what}: {first:.4g} lost with all in int8, {last:.4g} now, at most {at_most_lost:g} "
        f"allowed ({how})."
    )
    table["kept_float"] = table["layer"].isin(kept)
    return Mixed(tuple(kept), table, tuple(notes))


def _verdict(probe: Probe, before: np.ndarray, after: np.ndarray) -> Verdict:
    valid = probe.job.task.data.valid
    return compare_quality(
        before, after, valid.targets, probe.job.task.metric, times=getattr(valid, "times", None)
    )


def _tried(
    probe: Probe, before: np.ndarray, inputs: Mapping[str, np.ndarray], kept: list[str]
) -> Verdict:
    """The verdict with some layers in float, saved, so that the next run need not try again."""
    name = f"kept {sorted(kept)}"
    known = probe.cache.get(name)
    if known is not None:
        return Verdict.from_json(known)
    nodes = [n for layer in kept for n in probe.groups[layer]]
    groups = probe.groups
    all_kept = len(kept) == len(groups)
    verdict = _verdict(
        probe,
        before,
        before if all_kept and not _others(probe) else probe.outputs(probe.graph(nodes), inputs),
    )
    probe.cache.put(name, verdict.to_json())
    return verdict


def _others(probe: Probe) -> bool:
    """Whether operators besides layers are quantized."""
    from workbench.techniques.quantization.static import OPERATORS

    layers = {layer.node for layer in probe.network.layers}
    return any(
        n.op_type in OPERATORS and n.name not in layers for n in probe.network.model.graph.node
    )
