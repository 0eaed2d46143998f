"""The published files of Fashion-MNIST, which tests compare with where this machine has them."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from workbench.data.sets.fashion import DEBIAN

__all__ = ["PUBLISHED", "needs_published"]

PUBLISHED = Path(os.environ.get("WORKBENCH_FASHION") or DEBIAN)
FILES = ("train-images", "train-labels", "t10k-images", "t10k-labels")
MISSING = [name for name in FILES if not list(PUBLISHED.glob(f"{name}-idx?-ubyte.gz"))]

needs_published = pytest.mark.skipif(
    bool(MISSING),
    reason=f"{PUBLISHED} lacks {', '.join(MISSING)} of Fashion-MNIST: apt-get install "
    "dataset-fashion-mnist, or set WORKBENCH_FASHION to a folder that has them",
)
