"""Mixed precision: the fewest layers in float that keep the loss within a bound.

Greedy search: all layers start in int8. While the loss is too large, the most sensitive layer
(`sensitivity.impacts`) goes back to float. Then each layer in float, the least sensitive first, is
tried in int8 again, and stays there if the loss stays within the bound: this corrects errors of the
ranking. If no choice is within the bound, the choice with the smallest loss is taken, and a note
says so.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from workbench.measure.statistics.verdict import Verdict, compare_quality, within
from workbench.techniques.quantization.qdq import OPERATORS
from workbench.techniques.quantization.sensitivity import Probe, impacts

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pandas as pd

__all__ = ["Mixed", "fewest_in_float"]

ROUNDING = 1e-12  # tolerance of the comparison with the bound


@dataclass(frozen=True)
class Mixed:
    """Names of the layers that stay in float, the table of all layers, and notes."""

    float_layers: tuple[str, ...]
    table: pd.DataFrame
    notes: tuple[str, ...]


@dataclass(frozen=True)
class _Trial:
    """A choice of layers in float, its loss on valid, and whether that is within the bound."""

    float_layers: tuple[str, ...]
    loss: float
    fits: bool


def fewest_in_float(
    probe: Probe, rows: Mapping[str, np.ndarray], at_most_lost: float, *, estimate: bool
) -> Mixed:
    """Choose the layers that stay in float so that the loss on valid is at most `at_most_lost`.

    With `estimate` the difference of the scores is compared with the bound (a smoke run). Without
    it, the bound of the 95 % interval of the difference is, as in `measure.within`; if valid has
    too few rows to prove that even for the float network against itself, the difference is used. A
    column kept_float is added to the table of `impacts`.
    """
    search = _Search(probe, at_most_lost, estimate)
    notes = search.notes
    all_int8 = search.try_layers(())
    table = impacts(probe, rows, accuracy=False)
    chosen = _grow(search, all_int8, table["layer"].tolist())
    if chosen.fits:
        chosen = _shrink(search, chosen)
    else:
        notes.append(
            f"No choice of layers has a loss of at most {at_most_lost:g}, not even all layers in "
            "float, because other operators stay in int8. The choice with the smallest loss was "
            "taken. Allow a larger loss, name types of operators in `keep_float` too, or use the "
            "method aware."
        )
    notes.append(_summary(chosen, all_int8, len(table), search))
    table["kept_float"] = table["layer"].isin(chosen.float_layers)
    return Mixed(chosen.float_layers, table, tuple(notes))


class _Search:
    """Measures the loss of choices of layers on valid."""

    def __init__(self, probe: Probe, at_most_lost: float, estimate: bool) -> None:
        valid = probe.job.task.data.valid
        self.probe = probe
        self.at_most_lost = at_most_lost
        self.estimate = estimate
        prepared: Any = valid.prepared(probe.job.start.prepare)
        self.inputs = dict(prepared.inputs)
        self.float_outputs = probe.outputs(None, self.inputs)
        self.notes: list[str] = []
        same = _verdict(probe, self.float_outputs, self.float_outputs)
        if not estimate and not within(same, at_most_lost):
            self.estimate = True
            self.notes.append(
                f"{len(valid.targets)} valid rows are too few to prove a loss of at most "
                f"{at_most_lost:g} for any model, so the difference of the scores decided. More "
                "valid rows would allow a proof."
            )

    def try_layers(self, float_layers: tuple[str, ...]) -> _Trial:
        """The loss with these layers in float, and all others in int8."""
        verdict = _measured(self.probe, self.float_outputs, self.inputs, float_layers)
        loss = verdict.before - verdict.after
        if not verdict.higher_is_better:
            loss = -loss
        if self.estimate:
            fits = loss <= self.at_most_lost + ROUNDING
        else:
            fits = within(verdict, self.at_most_lost)
        self.probe.job.report.message(
            f"{len(float_layers)} of {len(self.probe.groups)} layers in float: loss {loss:.4g} on "
            "valid."
        )
        return _Trial(float_layers, loss, fits)


def _grow(search: _Search, all_int8: _Trial, ranked_layers: list[str]) -> _Trial:
    """Put layers back to float, the most sensitive first, until the loss is within the bound.

    If it never is, returns the trial with the smallest loss, of equal ones that with the fewest
    layers in float.
    """
    trials = [all_int8]
    for layer in ranked_layers:
        if trials[-1].fits:
            break
        trials.append(search.try_layers((*trials[-1].float_layers, layer)))
    if trials[-1].fits:
        return trials[-1]
    return min(trials, key=lambda trial: (trial.loss, len(trial.float_layers)))


def _shrink(search: _Search, trial: _Trial) -> _Trial:
    """Put layers back to int8, the least sensitive first, where the loss allows it."""
    for layer in reversed(trial.float_layers[:-1]):
        others = tuple(name for name in trial.float_layers if name != layer)
        smaller = search.try_layers(others)
        if smaller.fits:
            trial = smaller
    return trial


def _summary(chosen: _Trial, all_int8: _Trial, n_layers: int, search: _Search) -> str:
    names = f" ({', '.join(chosen.float_layers)})" if chosen.float_layers else ""
    measure = (
        "difference of the scores on valid"
        if search.estimate
        else "bound of the 95 % interval on valid"
    )
    return (
        f"{len(chosen.float_layers)} of {n_layers} layers stay in float{names}: loss "
        f"{all_int8.loss:.4g} with all layers in int8, {chosen.loss:.4g} now, at most "
        f"{search.at_most_lost:g} allowed (compared: the {measure})."
    )


def _verdict(probe: Probe, before: np.ndarray, after: np.ndarray) -> Verdict:
    valid = probe.job.task.data.valid
    return compare_quality(before, after, valid.targets, probe.job.task.metric, blocks=valid.blocks)


def _measured(
    probe: Probe,
    float_outputs: np.ndarray,
    inputs: Mapping[str, np.ndarray],
    float_layers: tuple[str, ...],
) -> Verdict:
    """The verdict on a choice of layers; it is saved, and read if it was saved before."""
    name = f"kept {sorted(float_layers)}"
    saved = probe.cache.get(name)
    if saved is not None:
        return Verdict.from_json(saved)
    groups = probe.groups
    if len(float_layers) == len(groups) and not _quantizes_other_operators(probe):
        outputs = float_outputs
    else:
        nodes = [node for layer in float_layers for node in groups[layer]]
        outputs = probe.outputs(probe.graph(nodes), inputs)
    verdict = _verdict(probe, float_outputs, outputs)
    probe.cache.put(name, verdict.to_json())
    return verdict


def _quantizes_other_operators(probe: Probe) -> bool:
    """Whether operators without weights are quantized too."""
    network = probe.source.network
    layer_nodes = {layer.node for layer in network.layers}
    return any(
        node.op_type in OPERATORS and node.name not in layer_nodes.union(probe.source.float_nodes)
        for node in network.model.graph.node
    )
