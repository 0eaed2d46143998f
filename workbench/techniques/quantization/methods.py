"""Quantize a float model by the method of the settings."""

from __future__ import annotations

from typing import TYPE_CHECKING

from workbench.errors import Cancelled, CandidateError
from workbench.technique import Job
from workbench.techniques.quantization.aware import aware_int8
from workbench.techniques.quantization.base import FloatModel, Quantized
from workbench.techniques.quantization.dynamic import dynamic
from workbench.techniques.quantization.network import failure
from workbench.techniques.quantization.static import static_int8
from workbench.techniques.quantization.strip import stripped
from workbench.techniques.quantization.weight_only import half, weights_only

if TYPE_CHECKING:
    from onnx import ModelProto

    from workbench.techniques.quantization import QuantizationSettings

__all__ = ["quantized"]


def quantized(source: FloatModel, settings: QuantizationSettings, job: Job) -> Quantized:
    """The quantized file, by the method of `settings`, which are resolved.

    Raises CandidateError when the method has no form for the network, Cancelled on request.
    """
    if settings.method == "static":
        return static_int8(source, settings, job)
    if settings.method == "aware":
        return aware_int8(settings, job)
    try:
        model, notes = _without_rows(source, settings)
    except (Cancelled, CandidateError):
        raise
    except Exception as error:
        raise failure(error, job.start.name, settings.method, source.network.model) from error
    return Quantized(stripped(model), settings, {}, notes)


def _without_rows(
    source: FloatModel, settings: QuantizationSettings
) -> tuple[ModelProto, tuple[str, ...]]:
    """The graph and the notes of a method that needs no rows."""
    network, float_nodes = source.network, source.float_nodes
    if settings.method == "dynamic":
        return dynamic(
            network,
            per_channel=settings.per_channel,
            reduce_range=bool(settings.reduce_range),
            float_nodes=float_nodes,
        )
    if settings.method == "weight_only":
        return weights_only(
            network,
            bits=settings.weight_bits,
            per_channel=settings.per_channel,
            float_nodes=float_nodes,
        )
    return half(network, data_type=settings.method, float_nodes=float_nodes)
