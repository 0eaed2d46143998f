"""Transformed, a fitted scikit-learn transformer as the `prepare` of a model."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from workbench.data.rows import AnyRows
from workbench.models.estimators import as_features, is_fitted, unfitted

__all__ = ["Transformed"]


@dataclass(frozen=True)
class Transformed:
    """Raw named arrays `(rows, ...)` to one float32 matrix `x` `(rows, features)`."""

    transformer: Any

    @classmethod
    def fitted(cls, transformer: Any, train: AnyRows) -> Transformed:
        """The transformer as it is, if it was fitted; else a copy of it fitted on train rows."""
        if is_fitted(transformer):
            return cls(transformer)
        return cls(transformer).refitted(train)

    def refitted(self, train: AnyRows) -> Transformed:
        """A copy fitted on other train rows."""
        rows = train.take(slice(None))
        fresh = unfitted(self.transformer)
        return Transformed(fresh.fit(as_features(rows.inputs), rows.targets))

    def __call__(self, inputs: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        columns = self.transformer.transform(as_features(inputs))
        dense = columns.toarray() if hasattr(columns, "toarray") else columns
        return {"x": np.asarray(dense, np.float32).reshape(len(dense), -1)}
