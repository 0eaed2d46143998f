"""Names of the methods of selection, by what they need."""

from __future__ import annotations

__all__ = ["OWN_NUMBER", "WITH_NUMBER"]

WITH_NUMBER = (
    "mutual_information",
    "f_test",
    "l1",
    "from_model",
    "rfecv",
    "sequential",
    "permutation",
    "shap",
    "mrmr",
)
"""Methods that rank; the number of features is chosen beside them."""

OWN_NUMBER = ("variance", "boruta")
"""Methods that say themselves how many features to keep."""
