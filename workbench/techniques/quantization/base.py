"""FloatModel and Quantized: the input and the result that all methods share."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from workbench.errors import CandidateError
from workbench.runtimes import predictor
from workbench.runtimes.attention import with_short_attention
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
EXAMPLES = (2, 5)  # batch sizes on which a rewritten graph must give the same outputs


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
    import torch

    candidate = job.exported or to_onnx(job.start, job.example(16))
    module = job.start.model if isinstance(job.start.model, torch.nn.Module) else None
    network = network_of(_short(candidate, job), job.start.name, module)
    return FloatModel(candidate, network, tuple(excluded(network, settings.keep_float)))


def _short(candidate: Candidate, job: Job) -> bytes:
    """The file with attention and GELU in short forms, if its outputs stay the same."""
    content, _ = with_short_attention(candidate.model)
    if content == candidate.model:
        return content
    short = replace(candidate, model=content)
    for n_rows in EXAMPLES:
        rows = job.example(n_rows)
        try:
            outputs = predictor(short).predict(rows)
        except CandidateError:
            return candidate.model
        expected = predictor(candidate).predict(rows)
        if not np.allclose(outputs, expected, rtol=1e-3, atol=1e-4, equal_nan=True):
            return candidate.model
    return content


def with_weight_range(settings: QuantizationSettings) -> QuantizationSettings:
    """The settings with `reduce_range` written down, where the method computes in integers."""
    if settings.reduce_range is not None or settings.method not in ("static", "dynamic", "aware"):
        return settings
    return settings.model_copy(update={"reduce_range": lacks_int8_products()})


def is_symmetric(settings: QuantizationSettings, activation_type: str) -> bool:
    """Whether ranges of activations are centred on zero; by default those of int8 are."""
    return activation_type == "int8" if settings.symmetric is None else settings.symmetric
