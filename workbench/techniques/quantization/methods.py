"""Quantize a float model by the method of the settings."""

from __future__ import annotations

from typing import TYPE_CHECKING

from workbench.errors import Cancelled, CandidateError
from workbench.technique import Job
from workbench.techniques.quantization.applicable import check_method
from workbench.techniques.quantization.aware import aware_int8
from workbench.techniques.quantization.base import FloatModel, Quantized
from workbench.techniques.quantization.calibration import magnitudes
from workbench.techniques.quantization.dynamic import OPERATORS, dynamic
from workbench.techniques.quantization.masks import note_on_masks
from workbench.techniques.quantization.network import failure
from workbench.techniques.quantization.static import static_int8
from workbench.techniques.quantization.strip import compacted
from workbench.techniques.quantization.weight_only import half, weights_only

if TYPE_CHECKING:
    from onnx import ModelProto

    from workbench.techniques.quantization import QuantizationSettings

__all__ = ["quantized"]

EXAMPLE_ROWS = 64


def quantized(source: FloatModel, settings: QuantizationSettings, job: Job) -> Quantized:
    """The quantized file, by the method of `settings`, which are resolved.

    Raises CandidateError when the method has no form for the network, Cancelled on request.
    """
    check_method(source.network, settings.method, job)
    if settings.method == "static":
        return static_int8(source, settings, job)
    if settings.method == "aware":
        return aware_int8(settings, job)
    try:
        if settings.method == "dynamic":
            return _dynamic(source, settings, job)
        model, notes = _small_weights(source, settings)
    except (Cancelled, CandidateError):
        raise
    except Exception as error:
        raise failure(error, job.start.name, settings.method, source.network.model) from error
    return Quantized(compacted(model), settings, {}, notes)


def _dynamic(source: FloatModel, settings: QuantizationSettings, job: Job) -> Quantized:
    """The method dynamic; the resolved `keep_float` holds the layers whose inputs are masked."""
    masked = _masked_layers(source, job)
    model, notes = dynamic(
        source.network,
        per_channel=settings.per_channel,
        reduce_range=bool(settings.reduce_range),
        float_nodes=(*source.float_nodes, *masked),
    )
    keep_float = list(dict.fromkeys([*settings.keep_float, *masked]))
    resolved = settings.model_copy(update={"keep_float": keep_float})
    notes = (*note_on_masks(source.network, masked), *notes)
    return Quantized(compacted(model), resolved, {}, notes)


def _masked_layers(source: FloatModel, job: Job) -> tuple[str, ...]:
    """The layers whose inputs have no useful scale on example rows, as masks have none."""
    sizes = magnitudes(source, job.example(EXAMPLE_ROWS), OPERATORS, job.report)
    return tuple(
        layer.node
        for layer in source.network.layers
        if layer.op_type in OPERATORS
        and layer.node not in source.float_nodes
        and layer.source in sizes
        and not sizes[layer.source].has_scale
    )


def _small_weights(
    source: FloatModel, settings: QuantizationSettings
) -> tuple[ModelProto, tuple[str, ...]]:
    """The graph and the notes of a method that computes in float32."""
    network, float_nodes = source.network, source.float_nodes
    if settings.method == "weight_only":
        return weights_only(
            network,
            bits=settings.weight_bits,
            per_channel=settings.per_channel,
            float_nodes=float_nodes,
        )
    return half(network, data_type=settings.method, float_nodes=float_nodes)
