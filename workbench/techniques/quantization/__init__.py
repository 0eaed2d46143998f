"""Quantization: fewer bits than float32 for weights and, in three methods, for the arithmetic.

    method        weights      computes in   needs                  saves
    static        int8         int8          calibration rows       time of convolutions, file size
    dynamic       int8         int8          nothing                time of products, file size
    weight_only   int8, int4   float32       nothing                file size
    float16,      half floats  float32       nothing                file size
    bfloat16
    aware         int8         int8          train rows, a network  as static, for a smaller loss

This file declares the technique. `methods` calls the file of each method: `static`, `dynamic`,
`weight_only` and `aware`. `network` prepares the float graph for all of them; `sensitivity` and
`mixed` choose the layers that stay in float.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Literal

from workbench.settings import TechniqueSettings, free_form, knob, nested, scaled
from workbench.technique import Job, Outcome, technique
from workbench.techniques.quantization.base import DEFAULT_LR, float_model, with_weight_range
from workbench.techniques.quantization.checks import check_file, compared
from workbench.techniques.quantization.evidence import weights
from workbench.techniques.quantization.methods import quantized
from workbench.techniques.quantization.static import sensitivity_table
from workbench.training import FitSettings

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["QuantizationSettings", "quantize", "sensitivity"]

SUFFIXES = {
    "static": "int8",
    "dynamic": "dynamic-int8",
    "float16": "float16",
    "bfloat16": "bfloat16",
    "aware": "int8-aware",
}
INT8_ACTIVATIONS = ("static", "aware")  # methods that fix the ranges of activations in the file


class QuantizationSettings(TechniqueSettings):
    """Method of quantization, and its precision."""

    method: Literal["static", "dynamic", "weight_only", "float16", "bfloat16", "aware"] = knob(
        "static", title="Method"
    )
    """Quantization method: static suits most networks, dynamic suits LSTMs and matrix products,
    weight_only, float16 and bfloat16 only shrink the file, aware trains the network for int8.
    """

    weight_bits: Literal[8, 4] = knob(
        8, only_if={"method": "weight_only"}, title="Bits of a weight"
    )
    """Bits of a stored weight."""

    activation_type: Literal["auto", "uint8", "int8"] = knob(
        "auto", only_if={"method": INT8_ACTIVATIONS}, title="Type of activations"
    )
    """Integer type of activations; auto times both on this machine and takes the faster one, and
    with the method aware takes uint8.
    """

    per_channel: bool = knob(
        True,
        only_if={"method": ("static", "dynamic", "weight_only", "aware"), "weight_bits": 8},
        expert=True,
        title="One scale per output channel",
    )
    """Compute one scale per output channel of a weight, instead of one for the whole weight."""

    symmetric: bool | None = knob(
        None, only_if={"method": INT8_ACTIVATIONS}, expert=True, title="Symmetric activations"
    )
    """Centre the range of each activation on zero. None: yes for int8, no for uint8."""

    reduce_range: bool | None = knob(
        None,
        only_if={"method": ("static", "dynamic", "aware")},
        expert=True,
        title="7 bits of a weight",
    )
    """Use 7 of the 8 bits of a weight, so that sums of products fit into 16 bits. None: yes on an
    x86 processor without int8 dot products (VNNI), where the sums would saturate; no elsewhere.
    """

    calibration: Literal["minmax", "percentile", "entropy"] = knob(
        "minmax", only_if={"method": "static"}, title="Calibration"
    )
    """Rule for the range of an activation: minmax takes all values of the calibration rows,
    percentile leaves out the rarest, entropy takes the range that loses the least information.
    """

    calibration_rows: int | None = scaled(
        smoke=128,
        standard=512,
        thorough=1000,
        low=1,
        search=(64, 1000),
        only_if={"method": INT8_ACTIVATIONS},
        title="Calibration rows",
    )
    """Number of rows of the calibration split from which ranges of activations are computed."""

    keep_float: list[str] = free_form([], title="Layers kept in float")
    """Layers, parts of the network or operators (such as Add) that stay in float."""

    at_most_lost: float | None = knob(
        None, low=0.0, search=(0.001, 0.02), only_if={"method": "static"}, title="Largest loss"
    )
    """Largest loss allowed on valid, in the unit of the metric: as few layers as possible go back
    to float to meet it. None: all layers in int8.
    """

    fit: FitSettings = nested(
        FitSettings,
        only_if={"method": "aware"},
        forms=("torch",),
        expert=True,
        title="Training",
        lr=DEFAULT_LR,
    )
    """Training with int8 rounding. It always computes in fp32, with contiguous memory."""


def sensitivity(job: Job, settings: QuantizationSettings) -> Mapping[str, pd.DataFrame]:
    """Measure the noise of each layer in int8, and its effect on the metric.

    The method is static whatever the settings say: only static has ranges to analyse for each
    layer. Returns the table `sensitivity`, the most sensitive layer first. Scores are saved, so a
    second call continues the first one.
    """
    settings = job.resolved(settings.model_copy(update={"method": "static"}))
    settings = with_weight_range(settings)
    return {"sensitivity": sensitivity_table(float_model(job, settings), settings, job)}


@technique(
    "quantization",
    title="Quantization",
    accepts=("torch", "sklearn", "onnx"),
    gives="onnx",
    actions={"sensitivity": sensitivity},
)
def quantize(job: Job, settings: QuantizationSettings) -> Outcome:
    """Store weights in fewer bits and, where that is faster, compute in int8.

    Raises CandidateError when the method has no form for the network, or gives outputs that are not
    finite, and SettingsError for a name in `keep_float` that the network does not have.
    """
    settings = with_weight_range(job.resolved(settings))
    job.report.progress(0, 1, f"quantizing, method {settings.method}")
    source = float_model(job, settings)
    result = quantized(source, settings, job)
    candidate = source.candidate.child(
        f"{job.start.name}-{_suffix(settings)}",
        "quantization",
        model=result.content,
        form="onnx",
        macs=job.start.macs,
    )
    check_file(candidate, job, settings.method)
    losses, loss_notes = compared(source.candidate, candidate, settings.budget, job)
    tables = {
        **result.tables,
        "weights": weights(source.candidate.model, result.content),
        **losses,
    }
    for note in result.notes:
        job.report.message(note)
    return Outcome(candidate, result.resolved, evidence=tables, notes=(*result.notes, *loss_notes))


def _suffix(settings: QuantizationSettings) -> str:
    if settings.method == "weight_only":
        return f"int{settings.weight_bits}-weights"
    return SUFFIXES[settings.method]
