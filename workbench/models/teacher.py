"""Logits of a fine-tuned MiniLM for every review: a teacher's answers without its 90 MB of weights.

`workbench.reproduce.teacher` made them. A student learns from those of train; those of test serve
one comparison at the end.
"""

from __future__ import annotations

import hashlib
import io
import json
from pathlib import Path

import numpy as np

from workbench.data.rows import SPLIT_NAMES
from workbench.errors import CandidateError, UnknownName, unknown

__all__ = ["teacher_logits"]

FILES = Path(__file__).parent / "files"
LOGITS = FILES / "reviews-minilm-logits.npz"
LOG = FILES / "reviews-minilm-logits.json"  # command, seed, settings, history, hash, accuracy


def teacher_logits(split: str = "train") -> np.ndarray:
    """Logits of the fine-tuned MiniLM, float32 `(rows, 2)`, in the order of the rows of `reviews`.

    Raises UnknownName for a split that there is not, CandidateError when the file is not the one
    that was logged.
    """
    if split not in SPLIT_NAMES:
        raise UnknownName(unknown("split", split, SPLIT_NAMES))
    content = LOGITS.read_bytes()
    found, wanted = (
        hashlib.sha256(content).hexdigest(),
        json.loads(LOG.read_text(encoding="utf-8"))["sha256"],
    )
    if found != wanted:
        raise CandidateError(
            f"{LOGITS} has the hash {found[:12]}, not {wanted[:12]} of its log: install the "
            "package again."
        )
    with np.load(io.BytesIO(content)) as arrays:
        return arrays[split].astype(np.float32)
