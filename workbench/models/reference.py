"""Reference weights, loaded and checked; `workbench.reproduce.resnet20` trained them."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

from workbench.errors import CandidateError

__all__ = ["load_resnet20"]

FILES = Path(__file__).parent / "files"
WEIGHTS = FILES / "fashion-resnet20.safetensors"
LOG = FILES / "fashion-resnet20.json"  # command, seed, settings, history, hash, accuracy


def load_resnet20(model: Any) -> None:
    """Load the reference weights into a resnet20; raises CandidateError when the file is not the
    one that was logged.
    """
    from safetensors.torch import load

    content = WEIGHTS.read_bytes()
    found, wanted = (
        hashlib.sha256(content).hexdigest(),
        json.loads(LOG.read_text(encoding="utf-8"))["sha256"],
    )
    if found != wanted:
        raise CandidateError(
            f"{WEIGHTS} has the hash {found[:12]}, not {wanted[:12]} of its log: install the "
            "package again."
        )
    model.load_state_dict(load(content))
    model.eval()
