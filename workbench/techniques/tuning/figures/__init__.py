"""Figures of tuning, a question each; most take the table `trials`, a row a trial.

Its columns are `number`, `state` (complete, pruned or failed), `score` (the mean of the deciding
metric over the folds; missing if the trial failed), `std`, `unseen` (the score on valid; may be
missing), `seconds`, `started` (seconds since the study began), `worker`, `n_folds`, then a column a
parameter, named as in the space (`fit.lr`). `latency_ms`, `size_bytes` and `feasible` may be there.
"""

from workbench.techniques.tuning.figures.comparison import plot_replays
from workbench.techniques.tuning.figures.curse import plot_curse
from workbench.techniques.tuning.figures.front import plot_front
from workbench.techniques.tuning.figures.history import plot_history
from workbench.techniques.tuning.figures.importances import plot_importance
from workbench.techniques.tuning.figures.landscape import plot_contour, plot_slices
from workbench.techniques.tuning.figures.parallel import plot_parallel
from workbench.techniques.tuning.figures.timeline import plot_timeline

__all__ = [
    "plot_contour",
    "plot_curse",
    "plot_front",
    "plot_history",
    "plot_importance",
    "plot_parallel",
    "plot_replays",
    "plot_slices",
    "plot_timeline",
]
