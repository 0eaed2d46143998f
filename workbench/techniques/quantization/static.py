"""The method static: int8 weights and activations, the ranges of activations fixed beforehand.

    calibration rows -> ranges of activations
    timing of both   -> uint8 or int8 activations
    `at_most_lost`   -> layers that go back to float
    all of these     -> graph with quantize and dequantize nodes

`qdq` writes the graph, `calibration` computes the ranges.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from workbench.errors import Cancelled, CandidateError, required
from workbench.technique import Job
from workbench.techniques.quantization.activation_type import faster_activation_type
from workbench.techniques.quantization.base import FloatModel, Quantized
from workbench.techniques.quantization.calibration import (
    calibration_rows,
    doubts,
    histograms,
    ranges_of,
)
from workbench.techniques.quantization.mixed import fewest_in_float
from workbench.techniques.quantization.network import Network, failure
from workbench.techniques.quantization.qdq import OPERATORS
from workbench.techniques.quantization.sensitivity import Probe, impacts, layer_noise
from workbench.techniques.quantization.strip import stripped

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
    rows = calibration_rows(job, required(settings.calibration_rows))
    n_rows = len(next(iter(rows.values())))
    job.report.progress(1, 4, f"calibrating on {n_rows} rows")
    ranges = _ranges(source, rows, settings, job)
    notes = [*doubts(job, n_rows), *_float_layers_note(source.network)]
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
        "keep_float": list(dict.fromkeys([*settings.keep_float, *float_layers])),
    }
    return Quantized(
        stripped(model, _weight_names(source.network)),
        settings.model_copy(update=choices),
        tables,
        tuple(notes),
    )


def sensitivity_table(source: FloatModel, settings: QuantizationSettings, job: Job) -> pd.DataFrame:
    """Noise of each layer in static int8, and the change of the metric on valid that it causes."""
    rows = calibration_rows(job, required(settings.calibration_rows))
    n_layers = len(source.network.layers)
    job.report.progress(0, n_layers, f"calibrating on {settings.calibration_rows} rows")
    activation_type = "uint8" if settings.activation_type == "auto" else settings.activation_type
    ranges = _ranges(source, rows, settings, job)
    return impacts(Probe.make(source, ranges, rows, activation_type, settings, job), rows)


def _ranges(
    source: FloatModel, rows: dict[str, np.ndarray], settings: QuantizationSettings, job: Job
) -> Any:
    try:
        return ranges_of(source, rows, settings.calibration, list(OPERATORS), job.report)
    except (Cancelled, CandidateError):
        raise
    except Exception as error:
        raise failure(error, job.start.name, "static", source.network.model) from error


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
