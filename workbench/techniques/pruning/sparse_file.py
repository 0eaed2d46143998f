"""A compressed file of sparse weights: positions of the values that are not zero, then the values.

    magic | compressed ( length of header | header JSON | positions and values of each tensor )

A tensor with few zeros is stored whole. Positions are a bitmap, or the gaps between values in bytes
(255 means "255 zeros, and the gap continues"), whichever compresses better. The bytes of the values
are sorted by significance (all first bytes, all second bytes, ...), because exponents repeat and
mantissas do not. Every tensor is restored bit for bit, with its type and shape; -0.0 is a value.
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
UNSIGNED = {1: np.uint8, 2: np.uint16, 4: np.uint32, 8: np.uint64}  # by bytes of an element
MIN_SPARSITY = 0.1  # below it, positions need more bytes than the zeros
CONTINUES = 255  # a gap of 255 zeros that the next byte continues


def compress(model: nn.Module | Candidate | Mapping[str, torch.Tensor]) -> bytes:
    """The content of a compressed file with the weights of a network, candidate or state dict."""
    state = model.model if isinstance(model, Candidate) else model
    state = state.state_dict() if hasattr(state, "state_dict") else state
    header = []
    contents = []
    for name, tensor in state.items():
        entry, positions, values = _packed(tensor.detach().cpu().contiguous())
        header.append({"name": name, **entry})
        contents += [positions, values]
    text = json.dumps(header, separators=(",", ":")).encode()
    raw = struct.pack("<Q", len(text)) + text + b"".join(contents)
    return MAGIC + lzma.compress(raw, preset=9 | lzma.PRESET_EXTREME)


def decompress(content: bytes) -> dict[str, torch.Tensor]:
    """The state dict of a compressed file.

    Raises CandidateError for content of another kind, or that is damaged.
    """
    if not content.startswith(MAGIC):
        raise CandidateError(
            "This content is not a file of sparse weights: use content that `compress` returned."
        )
    try:
        return _state_of(lzma.decompress(content[len(MAGIC) :]))
    except (lzma.LZMAError, EOFError, ValueError, KeyError, struct.error) as error:
        raise CandidateError(
            f"The file of sparse weights is damaged ({error}): write it again."
        ) from error


def _state_of(raw: bytes) -> dict[str, torch.Tensor]:
    """The state dict of the decompressed content."""
    (header_length,) = struct.unpack_from("<Q", raw)
    header_start = struct.calcsize("<Q")
    offset = header_start + header_length
    state = {}
    for entry in json.loads(raw[header_start:offset]):
        size = entry["positions"] + entry["bytes"]
        state[entry["name"]] = _unpacked(entry, raw[offset : offset + size])
        offset += size
    return state


def dense_bytes(model: nn.Module) -> int:
    """Bytes of the same weights as a safetensors file."""
    from safetensors.torch import save

    weights = model.state_dict()
    return len(save({k: v.detach().cpu().contiguous().clone() for k, v in weights.items()}))


def compressed_table(model: nn.Module, content: bytes) -> DataFrame:
    """Bytes of the dense file and of the compressed one, and their ratio, in one row."""
    import pandas as pd

    dense = dense_bytes(model)
    return pd.DataFrame(
        [{"dense_bytes": dense, "compressed_bytes": len(content), "ratio": len(content) / dense}]
    )


def _packed(tensor: torch.Tensor) -> tuple[dict[str, Any], bytes, bytes]:
    """The header entry of a tensor, the bytes of its positions, and those of its values."""
    import torch

    n_bytes = tensor.element_size()
    if n_bytes not in UNSIGNED or tensor.is_complex():
        raise CandidateError(
            f"Weights of type {tensor.dtype} cannot be compressed: convert them to a real type of "
            "at most 8 bytes."
        )
    bits = tensor.reshape(-1).view(torch.uint8).numpy().view(UNSIGNED[n_bytes])
    is_value = bits != 0  # compared as bits, so that -0.0 is a value
    if len(bits) == 0 or 1 - is_value.mean() < MIN_SPARSITY:
        how = "all"
        positions = b""
        values = bits
    else:
        encodings = {"bitmap": np.packbits(is_value).tobytes(), "gaps": _gaps(is_value)}
        how = min(encodings, key=lambda name: len(zlib.compress(encodings[name], 6)))
        positions = encodings[how]
        values = bits[is_value]
    by_significance = b""
    if len(values):
        by_significance = values.view(np.uint8).reshape(-1, n_bytes).T.tobytes()
    entry = {
        "dtype": str(tensor.dtype).removeprefix("torch."),
        "shape": list(tensor.shape),
        "how": how,
        "positions": len(positions),
        "bytes": len(by_significance),
    }
    return entry, positions, by_significance


def _unpacked(entry: Mapping[str, Any], content: bytes) -> torch.Tensor:
    """The tensor of a header entry and its bytes: positions, then values."""
    import torch

    dtype = getattr(torch, entry["dtype"])
    n_bytes = torch.empty(0, dtype=dtype).element_size()
    n_elements = int(np.prod(entry["shape"], dtype=np.int64))
    if not n_elements:
        return torch.empty(entry["shape"], dtype=dtype)
    positions = np.frombuffer(content[: entry["positions"]], np.uint8)
    by_significance = np.frombuffer(content, np.uint8, offset=entry["positions"])
    if len(by_significance) != entry["bytes"]:
        raise ValueError(f"{entry['name']} is incomplete")
    values = np.empty(0, UNSIGNED[n_bytes])
    if len(by_significance):
        by_value = np.ascontiguousarray(by_significance.reshape(n_bytes, -1).T)
        values = by_value.reshape(-1).view(UNSIGNED[n_bytes])
    bits = np.zeros(n_elements, UNSIGNED[n_bytes])
    if entry["how"] == "all":
        bits[:] = values
    elif entry["how"] == "bitmap":
        bits[np.unpackbits(positions, count=n_elements).astype(bool)] = values
    else:
        bits[_places(positions)] = values
    return torch.from_numpy(bits.view(np.uint8).copy()).view(dtype).reshape(entry["shape"])


def _gaps(is_value: np.ndarray) -> bytes:
    """Number of zeros before each value, in bytes."""
    gaps = np.diff(np.flatnonzero(is_value), prepend=-1) - 1
    n_continued = gaps // CONTINUES
    encoded = np.full(int(n_continued.sum()) + len(gaps), CONTINUES, np.uint8)
    encoded[np.cumsum(n_continued + 1) - 1] = gaps % CONTINUES
    return encoded.tobytes()


def _places(gaps: np.ndarray) -> np.ndarray:
    """Places of the values, from the bytes that `_gaps` returned."""
    ends = gaps != CONTINUES
    steps = gaps.astype(np.int64) + ends
    return np.cumsum(steps)[ends] - 1
