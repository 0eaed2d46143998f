"""Cost that needs no clock: bytes, parameters and multiply-adds (MACs)."""

from __future__ import annotations

import copy
import zlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from workbench.errors import CandidateError
from workbench.measure.macs import macs_onnx
from workbench.model_form import form_named
from workbench.models.networks import call_model
from workbench.task import Candidate

if TYPE_CHECKING:
    from torch import nn

__all__ = ["macs_onnx", "macs_torch", "n_parameters", "size_of"]

CHUNK = 1 << 20
GZIP = 31  # zlib's window bits for the gzip format


def size_of(content: bytes | Path) -> tuple[int, int]:
    """Bytes of a model's file (or of all files in a folder): as they are, and gzipped."""
    raw = zipped = 0
    for chunks in _files(content):
        packer = zlib.compressobj(6, zlib.DEFLATED, GZIP)
        for chunk in chunks:
            raw += len(chunk)
            zipped += len(packer.compress(chunk))
        zipped += len(packer.flush())
    return raw, zipped


def _files(content: bytes | Path) -> Iterator[Iterator[bytes]]:
    if isinstance(content, bytes):
        yield iter([content])
        return
    path = Path(content)
    if not path.exists():
        raise CandidateError(f"There is no model file `{path}` to take the size of.")
    for file in sorted(p for p in path.rglob("*") if p.is_file()) if path.is_dir() else [path]:
        with file.open("rb") as stream:
            yield iter(lambda stream=stream: stream.read(CHUNK), b"")


def n_parameters(candidate: Candidate) -> int | None:
    """Learned numbers of a model; None where its form, or its kind of estimator, has no count."""
    return form_named(candidate.form).n_parameters(candidate.model)


def macs_torch(module: nn.Module, inputs: Mapping[str, np.ndarray]) -> int:
    """Multiply-adds of one sample through a network: half of what torch's own counter calls
    operations.

    `inputs` are prepared arrays `(rows, ...)`, of which the first row is taken. Matrix products,
    convolutions and attention count; what is added or compared element by element does not.
    """
    import torch
    from torch.utils.flop_counter import FlopCounterMode

    model = copy.deepcopy(module).eval()
    device = next((p.device for p in model.parameters()), torch.device("cpu"))
    tensors = {
        name: torch.from_numpy(np.ascontiguousarray(a[:1])).to(device) for name, a in inputs.items()
    }
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        call_model(model, tensors)
    return int(counter.get_total_flops()) // 2
