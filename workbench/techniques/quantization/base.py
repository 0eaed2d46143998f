"""FloatModel and Quantized: the input and the result that all methods share."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from workbench.runtimes.to_onnx import to_onnx
from workbench.system.machine import lacks_int8_products
from workbench.task import Candidate
from workbench.technique import Job
from workbench.techniques.quantization.network import Network, excluded, network_of

if TYPE_CHECKING:
    import pandas as pd

    from workbench.techniques.quantization import QuantizationSettings

__all__ = [
    "DEFAULT_LR",
    "FloatModel",
    "Quantized",
    "float_model",
    "is_symmetric",
    "with_weight_range",
]

DEFAULT_LR = 2e-4  # of the method aware


@dataclass(frozen=True)
class FloatModel:
    """The model before quantization, in float32.

    `candidate` is its ONNX file, `network` is its graph, prepared, and `float_nodes` are the names
    of the nodes that stay in float.
    """

    candidate: Candidate
    network: Network
    float_nodes: tuple[str, ...]


@dataclass(frozen=True)
class Quantized:
    """The quantized ONNX file, the settings with all automatic choices, tables and notes."""

    content: bytes
    resolved: QuantizationSettings
    tables: Mapping[str, pd.DataFrame]
    notes: tuple[str, ...] = ()


def float_model(job: Job, settings: QuantizationSettings) -> FloatModel:
    """Export the job's candidate to ONNX and prepare its graph.

    Raises CandidateError when the graph cannot be loaded or holds weights that are not finite, and
    SettingsError for a name in `keep_float` that the graph does not have.
    """
    candidate = job.exported or to_onnx(job.start, job.example(16))
    module = job.start.model if job.start.form == "torch" else None
    network = network_of(candidate.model, job.start.name, module)
    return FloatModel(candidate, network, tuple(excluded(network, settings.keep_float)))


def with_weight_range(settings: QuantizationSettings) -> QuantizationSettings:
    """The settings with `reduce_range` written down, where the method computes in integers."""
    if settings.reduce_range is not None or settings.method not in ("static", "dynamic", "aware"):
        return settings
    return settings.model_copy(update={"reduce_range": lacks_int8_products()})


def is_symmetric(settings: QuantizationSettings, activation_type: str) -> bool:
    """Whether ranges of activations are centred on zero; by default those of int8 are."""
    return activation_type == "int8" if settings.symmetric is None else settings.symmetric
