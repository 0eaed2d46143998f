"""Shared figures: `plot_*(numbers)` returns a Plotly figure.

Importing this package does not import Plotly.
"""

from __future__ import annotations

from workbench.figures.curves import plot_curves
from workbench.figures.sweep import plot_sweep
from workbench.figures.theme import Palette, palette, use_theme
from workbench.figures.threshold import plot_threshold
from workbench.figures.tradeoff import plot_tradeoff
from workbench.figures.waterfall import plot_ledger

__all__ = [
    "Palette",
    "palette",
    "plot_curves",
    "plot_ledger",
    "plot_sweep",
    "plot_threshold",
    "plot_tradeoff",
    "use_theme",
]
