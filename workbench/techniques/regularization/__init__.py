"""Regularization: train the model anew so that it fits the train rows less and others better.

Every switch is named in `SwitchedFit`, for estimators in `estimators.TABLE`. Sources: Srivastava et
al., "Dropout", JMLR 2014; Loshchilov, Hutter, "Decoupled Weight Decay Regularization", ICLR 2019;
Szegedy et al., "Rethinking the Inception Architecture", CVPR 2016 (label smoothing); those of
mixup, cutmix and averaging stand in `workbench.training`. The one-standard-error rule: Breiman et
al., "Classification and Regression Trees", 1984.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Literal

from workbench.settings import TechniqueSettings, knob, nested, scaled
from workbench.technique import Job, Outcome, technique
from workbench.techniques.regularization.switched_fit import SwitchedFit

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["RegularizationSettings", "SwitchedFit", "regularize", "sweep", "switches"]


class RegularizationSettings(TechniqueSettings):
    """Switches, their strength, and the analyses of them."""

    strength: float | None = knob(
        None, low=0, high=1000, log=True, search=(0.25, 4), title="Strength"
    )
    """Factor on all numeric switches of a network, and on the parameters that regularize an
    estimator; 1 leaves them as they are. Empty: chosen on folds of train by the one-standard-error
    rule; networks in the budget smoke take 1.
    """

    penalty: Literal["own", "ridge", "lasso", "elastic_net"] = knob(
        "own", title="Penalty of linear estimators", forms=("sklearn",)
    )
    """Penalty of a linear estimator: its own, L2 (ridge), L1 (lasso) or both."""

    l1_ratio: float = knob(
        0.5,
        low=0.01,
        high=0.99,
        only_if={"penalty": "elastic_net"},
        forms=("sklearn",),
        title="Share of L1",
    )
    """Weight of L1 beside L2 in an elastic net."""

    initial: Literal["new", "start"] = knob(
        "new", forms=("torch",), expert=True, title="Initial weights"
    )
    """Weights that a network is trained from: newly drawn ones, or those of the start, which is a
    fine-tuning.
    """

    swept: Literal[
        "strength",
        "dropout",
        "l1",
        "l2",
        "weight_decay",
        "label_smoothing",
        "mixup",
        "cutmix",
        "clip_norm",
    ] = knob("strength", expert=True, title="Swept by the action sweep")
    """Setting that the action sweep varies: the strength of all, or one switch of a network."""

    n_seeds: int | None = scaled(
        smoke=2, standard=3, thorough=5, low=1, high=100, expert=True, title="Seeds"
    )
    """Trainings at each value in a choice or an analysis, with a seed and a fold of train each."""

    fit: SwitchedFit = nested(
        SwitchedFit, forms=("torch",), title="Switches and training of a network", folded=False
    )
    """Training of a network, with its switches."""


def sweep(
    job: Job, settings: RegularizationSettings, *, values: Sequence[float] = ()
) -> Mapping[str, pd.DataFrame]:
    """Train at each value of `swept` with each seed; missing values are those of the budget.

    Tables: `curves` (a row a training: score on its train rows, and on the rows of train that were
    held out), `summary` (means with bands and the gap), `choice` by the one-standard-error rule.
    """
    from workbench.techniques.regularization.sweep import swept

    return swept(job, settings, values)


def switches(job: Job, settings: RegularizationSettings) -> Mapping[str, pd.DataFrame]:
    """Train with each switch alone and with all together, beside none, with each seed.

    Tables: `scores` (a row a training) and `gains`, the difference from no switch with its interval
    over the seeds.
    """
    from workbench.techniques.regularization.comparison import compared

    return compared(job, settings)


@technique(
    "regularization",
    title="Regularization",
    accepts=("torch", "sklearn"),
    gives="same",
    aim="quality",
    actions={"sweep": sweep, "switches": switches},
)
def regularize(job: Job, settings: RegularizationSettings) -> Outcome:
    """Trains the model anew with regularization, beside a control with default settings."""
    from workbench.techniques.regularization.estimator import regularize_estimator
    from workbench.techniques.regularization.network import regularize_network

    if job.start.form == "torch":
        return regularize_network(job, settings)
    return regularize_estimator(job, settings)
