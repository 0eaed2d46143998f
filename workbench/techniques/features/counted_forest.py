"""Random forests that tell a listener of each fit, so that Boruta shows progress and cancels."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

__all__ = ["counted_forest"]


def counted_forest(
    kind: str, seed: int, on_step: Callable[[float, float, str], None], total: int
) -> Any:
    """A forest as Boruta wants it, whose `fit` calls `on_step(done, total, text)` first."""
    from sklearn.ensemble import RandomForestClassifier, RandomForestRegressor

    parent: Any = RandomForestRegressor if kind == "regression" else RandomForestClassifier
    n_done = 0

    class Counted(parent):
        def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Any:
            nonlocal n_done
            on_step(min(n_done, total), total, "Boruta")
            n_done += 1
            return super().fit(X, y, sample_weight)

    return Counted(max_depth=5, random_state=seed)
