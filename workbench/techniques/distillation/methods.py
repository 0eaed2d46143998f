"""Names of the methods that compare inner layers, for the settings and the trainer."""

from __future__ import annotations

__all__ = ["FEATURE_METHODS"]

FEATURE_METHODS = ("hint", "attention", "relational")
"""Methods that also compare a layer of the student with a layer of the teacher."""
