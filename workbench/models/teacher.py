"""Logits of a fine-tuned MiniLM for every review, for use without its 90 MB of weights.

`workbench.reproduce.teacher` computed them. Train students on the logits of train; the logits of
test are for one comparison at the end.
"""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np

from workbench.data.rows import SPLIT_NAMES
from workbench.errors import CandidateError, UnknownName, unknown
from workbench.system.files import checked_bytes, read_json

__all__ = ["teacher_logits"]

FILES = Path(__file__).parent / "files"
LOGITS = FILES / "reviews-minilm-logits.npz"
LOG = FILES / "reviews-minilm-logits.json"  # command, seed, settings, history, hash, accuracy


def teacher_logits(split: str = "train") -> np.ndarray:
    """Logits of the fine-tuned MiniLM, float32 `(rows, 2)`, in the order of the rows of `reviews`.

    Raises UnknownName for an unknown split, CandidateError when the file is missing or its hash is
    not that of its log.
    """
    if split not in SPLIT_NAMES:
        raise UnknownName(unknown("split", split, SPLIT_NAMES))
    content = checked_bytes(
        LOGITS, read_json(LOG)["sha256"], CandidateError, way_out="install the package again"
    )
    with np.load(io.BytesIO(content)) as arrays:
        return arrays[split].astype(np.float32)
