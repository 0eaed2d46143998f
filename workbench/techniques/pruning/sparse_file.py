"""A file of sparse weights that is really small: zeros as one bit each, or as lengths of runs, and
the other values packed.

    magic | compressed ( length of header | header JSON | positions and values of one tensor after the other )

A tensor with few zeros is stored as it is. Positions are a bitmap, or gaps between values in bytes
(255 means "go on"), whichever packs smaller; bytes of equal weight stand together (all first bytes,
all second, ...), as exponents repeat and mantissas do not. Everything comes back bit for bit: -0.0
counts as a value, and types and shapes are kept.
"""

from __future__ import annotations

import json
import lzma
import struct
import zlib
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from workbench.errors import CandidateError
from workbench.task import Candidate

if TYPE_CHECKING:
    import torch
    from pandas import DataFrame
    from torch import nn

__all__ = ["compress", "compressed_table", "decompress", "dense_bytes"]

MAGIC = b"SPARSE1\n"
ITEM = {1: np.uint8, 2: np.uint16, 4: np.uint32, 8: np.uint64}
WORTH = 0.1  # share of zeros from which positions cost less than they save


def compress(model: nn.Module | Candidate | Mapping[str, torch.Tensor]) -> bytes:
    """The weights of a network (or of a candidate, or a state dict) as the content of a compressed
    file.
    """
    state = model.model if isinstance(model, Candidate) else model
    state = state.state_dict() if hasattr(state, "state_dict") else state
    header, parts = [], []
    for name, tensor in state.items():
        entry, content = _packed(tensor.detach().cpu().contiguous())
        header.append({"name": name, **entry})
        parts += content
    text = json.dumps(header, separators=(",", ":")).encode()
    return MAGIC + lzma.compress(
        struct.pack("<Q", len(text)) + text + b"".join(parts), preset=9 | lzma.PRESET_EXTREME
    )


def decompress(content: bytes) -> dict[str, torch.Tensor]:
    """The state dict that a compressed file holds; raises CandidateError for a file that is none,
    or is damaged.
    """
    if not content.startswith(MAGIC):
        raise CandidateError("These bytes are no file of sparse weights: `compress` writes them.")
    try:
        raw = lzma.decompress(content[len(MAGIC) :])
        (length,) = struct.unpack_from("<Q", raw)
        header = json.loads(raw[8 : 8 + length])
        state, at = {}, 8 + length
        for entry in header:
            size = entry["positions"] + entry["bytes"]
            state[entry["name"]] = _unpacked(entry, raw[at : at + size])
            at += size
    except (lzma.LZMAError, EOFError, ValueError, KeyError, struct.error) as error:
        raise CandidateError(
            f"The file of sparse weights is damaged ({error}): write it again."
        ) from error
    return state


def dense_bytes(model: nn.Module) -> int:
    """Size of the same weights as a plain safetensors file."""
    from safetensors.torch import save

    return len(
        save({k: v.detach().cpu().contiguous().clone() for k, v in model.state_dict().items()})
    )


def compressed_table(model: nn.Module, content: bytes) -> DataFrame:
    """Bytes of the dense file and of the compressed one, and their ratio."""
    import pandas as pd

    dense = dense_bytes(model)
    return pd.DataFrame(
        [{"dense_bytes": dense, "compressed_bytes": len(content), "ratio": len(content) / dense}]
    )


def _packed(tensor: torch.Tensor) -> tuple[dict[str, Any], list[bytes]]:
    """The header entry of a tensor and its bytes: positions, then values."""
    import torch

    item = tensor.element_size()
    entry: dict[str, Any] = {
        "dtype": str(tensor.dtype).removeprefix("torch."),
        "shape": list(tensor.shape),
    }
    if item not in ITEM or tensor.is_complex():
        raise CandidateError(f"Weights of the type {tensor.dtype} cannot be compressed.")
    bits = tensor.reshape(-1).view(torch.uint8).numpy().view(ITEM[item])
    there = bits != 0  # by bits: -0.0 is a value, and comes back as one
    if len(bits) == 0 or 1 - there.mean() < WORTH:
        values, positions, how = bits, b"", "all"
    else:
        values = bits[there]
        bitmap, gaps = np.packbits(there).tobytes(), _gaps(there)
        how, positions = min(
            (("bitmap", bitmap), ("gaps", gaps)),
            key=lambda option: len(zlib.compress(option[1], 6)),
        )
    planes = values.view(np.uint8).reshape(-1, item).T.tobytes() if len(values) else b""
    return {**entry, "how": how, "positions": len(positions), "bytes": len(planes)}, [
        positions,
        planes,
    ]


def _unpacked(entry: Mapping[str, Any], content: bytes) -> torch.Tensor:
    import torch

    dtype = getattr(torch, entry["dtype"])
    item = torch.empty(0, dtype=dtype).element_size()
    n = int(np.prod(entry["shape"], dtype=np.int64))
    if not n:
        return torch.empty(entry["shape"], dtype=dtype)
    positions, planes = (
        content[: entry["positions"]],
        np.frombuffer(content, np.uint8, offset=entry["positions"]),
    )
    if len(planes) != entry["bytes"]:
        raise ValueError(f"{entry['name']} is cut short")
    values = (
        np.ascontiguousarray(planes.reshape(item, -1).T).reshape(-1).view(ITEM[item])
        if len(planes)
        else np.empty(0, ITEM[item])
    )
    bits = np.zeros(n, ITEM[item])
    if entry["how"] == "all":
        bits[:] = values
    elif entry["how"] == "bitmap":
        bits[np.unpackbits(np.frombuffer(positions, np.uint8), count=n).astype(bool)] = values
    else:
        bits[_places(np.frombuffer(positions, np.uint8))] = values
    return torch.from_numpy(bits.view(np.uint8).copy()).view(dtype).reshape(entry["shape"])


def _gaps(there: np.ndarray) -> bytes:
    """Zeros before each value, one byte each; 255 stands for 255 zeros and no value yet."""
    places = np.flatnonzero(there)
    gaps = np.diff(places, prepend=-1) - 1
    n_long = gaps // 255
    out = np.full(int(n_long.sum()) + len(gaps), 255, np.uint8)
    out[np.cumsum(n_long + 1) - 1] = gaps % 255
    return out.tobytes()


def _places(gaps: np.ndarray) -> np.ndarray:
    """The places of the values that `_gaps` wrote."""
    steps = gaps.astype(np.int64) + (gaps != 255)
    return np.cumsum(steps)[gaps != 255] - 1
