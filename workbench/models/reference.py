"""Load and check the reference weights, which `workbench.reproduce.resnet20` trained."""

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
    """Load the reference weights into a resnet20.

    Raises CandidateError when the hash of the file is not that of its log.
    """
    from safetensors.torch import load

    content = WEIGHTS.read_bytes()
    digest = hashlib.sha256(content).hexdigest()
    logged = json.loads(LOG.read_text(encoding="utf-8"))["sha256"]
    if digest != logged:
        raise CandidateError(
            f"{WEIGHTS} has the hash {digest[:12]}, not {logged[:12]} of its log: install the "
            "package again."
        )
    model.load_state_dict(load(content))
    model.eval()
