"""The method static: int8 weights and activations, the ranges of activations fixed beforehand.

    calibration rows -> ranges of activations
    timing of both   -> uint8 or int8 activations
    `at_most_lost`   -> layers that go back to float
    all of these     -> graph with quantize and dequantize nodes

`qdq` writes the graph, `calibration` computes the ranges.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from workbench.errors import Cancelled, CandidateError, required
from workbench.technique import Job
from workbench.techniques.quantization.activation_type import faster_activation_type
from workbench.techniques.quantization.base import FloatModel, Quantized
from workbench.techniques.quantization.calibration import (
    calibration_rows,
    doubts,
    finite_rows,
    histograms,
    magnitudes,
    ranges_of,
)
from workbench.techniques.quantization.masks import note_on_masks, unscalable_nodes
from workbench.techniques.quantization.mixed import fewest_in_float
from workbench.techniques.quantization.network import Network, failure
from workbench.techniques.quantization.qdq import OPERATORS, check_operators
from workbench.techniques.quantization.sensitivity import Probe, impacts, layer_noise
from workbench.techniques.quantization.strip import compacted

if TYPE_CHECKING:
    import pandas as pd

    from workbench.techniques.quantization import QuantizationSettings

__all__ = ["sensitivity_table", "static_int8"]


def static_int8(source: FloatModel, settings: QuantizationSettings, job: Job) -> Quantized:
    """Quantize weights and activations to int8, with ranges from the calibration rows.

    The resolved settings hold the chosen `activation_type` and `symmetric`, and in `keep_float` the
    layers that `at_most_lost` moved back to float. Tables: sqnr, ranges; activation_type if it was
    timed; mixed if layers were chosen.
    """
    n_rows = required(settings.calibration_rows)
    job.report.progress(1, 4, f"calibrating on {n_rows} rows")
    calibrated = _calibrated(source, settings, job)
    source, rows, ranges = calibrated.source, calibrated.rows, calibrated.ranges
    notes = [*doubts(job, n_rows), *calibrated.notes, *_float_layers_note(source.network)]
    tables: dict[str, pd.DataFrame] = {}
    activation_type = settings.activation_type
    if activation_type == "auto":
        job.report.progress(2, 4, "timing uint8 against int8 activations")
        activation_type, tables["activation_type"], note = faster_activation_type(
            source, ranges, settings, job
        )
        notes.append(note)
    probe = Probe.make(source, ranges, rows, activation_type, settings, job)
    job.report.progress(3, 4, "noise of each layer")
    float_layers: tuple[str, ...] = ()
    if settings.at_most_lost is not None:
        mixed = fewest_in_float(
            probe, rows, settings.at_most_lost, estimate=settings.budget == "smoke"
        )
        float_layers, tables["mixed"] = mixed.float_layers, mixed.table
        notes += mixed.notes
    tables["sqnr"] = layer_noise(probe, rows)
    tables["ranges"] = histograms(source, ranges, rows)
    model = probe.graph([node for layer in float_layers for node in probe.groups[layer]])
    choices = {
        "activation_type": activation_type,
        "symmetric": probe.symmetric,
        "at_most_lost": None,
        "keep_float": list(
            dict.fromkeys([*settings.keep_float, *calibrated.masked, *float_layers])
        ),
    }
    return Quantized(
        compacted(model, _weight_names(source.network)),
        settings.model_copy(update=choices),
        tables,
        tuple(notes),
    )


def sensitivity_table(source: FloatModel, settings: QuantizationSettings, job: Job) -> pd.DataFrame:
    """Noise of each layer in static int8, and the change of the metric on valid that it causes."""
    n_layers = len(source.network.layers)
    job.report.progress(0, n_layers, f"calibrating on {settings.calibration_rows} rows")
    activation_type = "uint8" if settings.activation_type == "auto" else settings.activation_type
    calibrated = _calibrated(source, settings, job)
    rows = calibrated.rows
    probe = Probe.make(calibrated.source, calibrated.ranges, rows, activation_type, settings, job)
    return impacts(probe, rows)


@dataclass(frozen=True)
class _Calibrated:
    """The float model, the rows, the ranges from them, and the nodes that have no useful range.

    `masked` are the names of these nodes; `source` keeps them in float.
    """

    source: FloatModel
    rows: dict[str, np.ndarray]
    ranges: Any
    masked: tuple[str, ...]
    notes: tuple[str, ...]


def _calibrated(source: FloatModel, settings: QuantizationSettings, job: Job) -> _Calibrated:
    check_operators(source.network, source.float_nodes)
    rows = calibration_rows(job, required(settings.calibration_rows))
    try:
        rows, notes = finite_rows(source, rows, job.report)
        sizes = magnitudes(source, rows, OPERATORS, job.report)
        masked = unscalable_nodes(source.network, sizes, OPERATORS)
        unscalable = [name for name, size in sizes.items() if not size.has_scale]
        ranges = ranges_of(
            source, rows, settings.calibration, list(OPERATORS), job.report, unscalable
        )
    except (Cancelled, CandidateError):
        raise
    except Exception as error:
        raise failure(error, job.start.name, "static", source.network.model) from error
    masked = tuple(node for node in masked if node not in source.float_nodes)
    notes = (*notes, *note_on_masks(source.network, masked))
    source = replace(source, float_nodes=(*source.float_nodes, *masked))
    check_operators(source.network, source.float_nodes)
    return _Calibrated(source, rows, ranges, masked, notes)


def _float_layers_note(network: Network) -> tuple[str, ...]:
    """A note on the layers that have no static int8 form."""
    op_types = [layer.op_type for layer in network.layers if layer.op_type not in OPERATORS]
    if not op_types:
        return ()
    counts = ", ".join(
        f"{op_types.count(op_type)} {op_type}" for op_type in dict.fromkeys(op_types)
    )
    others = "dynamic (for LSTM) or weight_only" if "LSTM" in op_types else "weight_only"
    return (
        f"{counts} stayed in float: static has no int8 form for them. The method {others} makes "
        "them smaller.",
    )


def _weight_names(network: Network) -> dict[str, str]:
    """New names of quantized weights: those of their layers, which readers of the file look for."""
    return {
        f"{weight}_quantized": f"{layer.base}.weight"
        for layer in network.layers
        for weight in layer.weights[:1]
    }
