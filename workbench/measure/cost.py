"""Costs that are counted, not timed: bytes, parameters and multiply-adds (MACs)."""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

import numpy as np

from workbench.data.tensors import tensor
from workbench.errors import CandidateError
from workbench.measure.macs import macs_onnx
from workbench.model_form import form_named
from workbench.models.networks import call_model, copied
from workbench.task import Candidate

if TYPE_CHECKING:
    from torch import nn

__all__ = ["macs_onnx", "macs_torch", "n_parameters", "size_of"]

CHUNK_BYTES = 2**20
GZIP_WINDOW_BITS = 31  # zlib's code for the gzip format


def size_of(content: bytes | Path) -> tuple[int, int]:
    """Bytes of a model's file (or of all files in a folder): as they are, and gzipped.

    Raises CandidateError when there is no such file.
    """
    raw = 0
    zipped = 0
    for chunks in _chunks_by_file(content):
        packer = zlib.compressobj(6, zlib.DEFLATED, GZIP_WINDOW_BITS)
        for chunk in chunks:
            raw += len(chunk)
            zipped += len(packer.compress(chunk))
        zipped += len(packer.flush())
    return raw, zipped


def _chunks_by_file(content: bytes | Path) -> Iterator[Iterable[bytes]]:
    if isinstance(content, bytes):
        yield [content]
        return
    path = Path(content)
    if not path.exists():
        raise CandidateError(f"There is no model file `{path}` whose size could be measured.")
    files = sorted(p for p in path.rglob("*") if p.is_file()) if path.is_dir() else [path]
    for file in files:
        with file.open("rb") as stream:
            yield _chunks(stream)


def _chunks(stream: BinaryIO) -> Iterator[bytes]:
    while chunk := stream.read(CHUNK_BYTES):
        yield chunk


def n_parameters(candidate: Candidate) -> int | None:
    """Number of learned parameters; None if the form or the kind of estimator has no count."""
    return form_named(candidate.form).n_parameters(candidate.model)


def macs_torch(module: nn.Module, inputs: Mapping[str, np.ndarray]) -> int:
    """Multiply-adds of one sample through a network: half of the operations that torch counts.

    `inputs` are prepared arrays `(rows, ...)`; the first row is used. Matrix products, convolutions
    and attention count, operations element by element do not.
    """
    import torch
    from torch.utils.flop_counter import FlopCounterMode

    model = copied(module).eval()
    device = next((p.device for p in model.parameters()), torch.device("cpu"))
    tensors = {name: tensor(a[:1], str(device)) for name, a in inputs.items()}
    # The fused path of nn.TransformerEncoderLayer is one operator, which the counter does not know.
    fused = torch.backends.mha.get_fastpath_enabled()
    torch.backends.mha.set_fastpath_enabled(False)
    try:
        with torch.no_grad(), FlopCounterMode(display=False) as counter:
            call_model(model, tensors)
    finally:
        torch.backends.mha.set_fastpath_enabled(fused)
    return int(counter.get_total_flops()) // 2
