"""Features: encode the columns of a table, choose the best features, and train behind them.

The preparation is fitted with the model and travels with it: as a pipeline of scikit-learn, or as
the `prepare` of a network. Encoding is scikit-learn's own, or skrub's TableVectorizer
(https://skrub-data.org). The number of features is chosen on folds of train, and each fold selects
by its own rows (Ambroise and McLachlan, "Selection bias in gene extraction", PNAS 2002).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Literal

from workbench.settings import TechniqueSettings, free_form, knob, scaled
from workbench.technique import Job, Outcome, technique
from workbench.techniques.features.methods import WITH_NUMBER

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["FeaturesSettings", "importance", "make_features", "stability"]

OWN_ENCODING = ("auto", "simple", "skrub")
SCIKIT_LEARN = ("auto", "simple")


class FeaturesSettings(TechniqueSettings):
    """Encoding of the columns, and selection of features."""

    encode: Literal["auto", "simple", "skrub", "none"] = knob("auto", title="Encoding")
    """Encoding of columns: simple is scikit-learn's (scaled numbers, one-hot categories), skrub its
    TableVectorizer; auto takes skrub for dates, texts and many categories if it is installed; none
    keeps the preparation of the start.
    """

    dates: Literal["cyclical", "parts", "off"] = knob(
        "cyclical", only_if={"encode": OWN_ENCODING}, title="Dates"
    )
    """Dates as sine and cosine of month, weekday and hour, as plain parts, or left out."""

    target_encode: bool = knob(
        True, only_if={"encode": SCIKIT_LEARN}, title="Encode many categories by the target"
    )
    """Columns of many categories as the mean target of the category, cross-fitted within train. A
    network always gets one-hot columns in its place.
    """

    interactions: bool = knob(False, only_if={"encode": SCIKIT_LEARN}, title="Products of numbers")
    """Products of each pair of number columns as further features."""

    bins: Literal["auto", "on", "off"] = knob(
        "auto", only_if={"encode": SCIKIT_LEARN}, title="Bins of numbers"
    )
    """Eight bins of equal numbers of rows for each number column, as further features; auto adds
    them for linear models with 1,000 rows and at most 100 number columns.
    """

    select: Literal[
        "none",
        "variance",
        "mutual_information",
        "f_test",
        "l1",
        "from_model",
        "rfecv",
        "sequential",
        "permutation",
        "shap",
        "boruta",
        "mrmr",
    ] = knob("none", title="Selection")
    """Method that ranks the features: by each feature alone (variance, mutual_information, f_test),
    by weights or importances of a model (l1, from_model, rfecv), by its score (sequential,
    permutation) or its single predictions (shap), or against shuffled copies (boruta) and
    redundancy (mrmr).
    """

    n_features: int = knob(
        0,
        low=0,
        high=1_000_000,
        search=(0, 200),
        only_if={"select": WITH_NUMBER},
        title="Number of features",
    )
    """Number of features to keep. 0: chosen by cross-validation on train."""

    splines: bool = knob(
        False, only_if={"encode": SCIKIT_LEARN}, expert=True, title="Splines of numbers"
    )
    """Cubic splines of each number column as further features; ONNX has no converter for them."""

    past_rows: str = knob(
        "", only_if={"encode": SCIKIT_LEARN}, expert=True, title="Aggregates over the past by"
    )
    """Column of dates. Each category column gets the mean target and the number of earlier rows of
    the same category. Empty: no such features.
    """

    max_categories: int = knob(
        100,
        low=2,
        high=1_000,
        search=(20, 200),
        only_if={"encode": OWN_ENCODING},
        expert=True,
        title="Most one-hot categories",
    )
    """Most categories of a column that become one-hot; a column with more has many categories."""

    columns: list[str] = free_form([], only_if={"encode": OWN_ENCODING}, expert=True)
    """Names of the columns to use. Empty: all."""

    threshold: float = knob(
        0.01,
        low=0,
        high=0.25,
        step=0.005,
        search=(0, 0.1),
        only_if={"select": "variance"},
        title="Least variance",
    )
    """Least variance of a feature, scaled to 0..1, that is kept."""

    rule: Literal["best", "one_se"] = knob(
        "best", only_if={"select": WITH_NUMBER}, expert=True, title="Rule for the number"
    )
    """Number of features with the best mean score over folds, or the smallest one within one
    standard error of it.
    """

    folds: int = knob(
        3, low=2, high=20, only_if={"select": WITH_NUMBER}, expert=True, title="Folds of the choice"
    )
    """Folds of train on which the number of features is chosen."""

    n_sizes: int | None = scaled(
        smoke=4,
        standard=8,
        thorough=14,
        low=2,
        high=100,
        only_if={"select": WITH_NUMBER},
        expert=True,
        title="Numbers of features to try",
    )
    """Numbers of features that are tried on each fold, from few to all."""

    nested_folds: int | None = scaled(
        smoke=0, standard=5, thorough=5, low=0, high=20, expert=True, title="Nested folds"
    )
    """Outer folds that judge the whole procedure, with selection and choice inside. 0: none."""

    max_rows: int | None = scaled(
        smoke=3_000,
        standard=20_000,
        thorough=100_000,
        low=50,
        expert=True,
        title="Rows to choose by",
    )
    """Most train rows that features are ranked and chosen by; the model is trained on all."""

    prices: dict[str, float] = free_form({}, expert=True, title="Prices of columns")
    """Price of a column for 1,000 rows, by its name, for the table of costs."""


def stability(
    job: Job, settings: FeaturesSettings, *, n_seeds: int = 3
) -> Mapping[str, pd.DataFrame]:
    """Choose the features on folds of train, with several seeds, and count how often each is in."""
    from workbench.techniques.features.setup import setup_of
    from workbench.techniques.features.stability import measure_stability

    return measure_stability(setup_of(job, job.resolved(settings)), n_seeds)


def importance(
    job: Job, settings: FeaturesSettings, *, n_repeats: int = 3
) -> Mapping[str, pd.DataFrame]:
    """Loss of score when a raw column is shuffled, on rows that each fold of train holds out."""
    from workbench.techniques.features.importance import measure_importance
    from workbench.techniques.features.setup import setup_of

    return {"importance": measure_importance(setup_of(job, job.resolved(settings)), n_repeats)}


@technique(
    "features",
    title="Features",
    accepts=("sklearn", "torch"),
    gives="same",
    aim="quality",
    actions={"stability": stability, "importance": importance},
)
def make_features(job: Job, settings: FeaturesSettings) -> Outcome:
    """Encodes the columns of a table, keeps the best features and trains the model behind them."""
    from workbench.techniques.features.procedure import run

    return run(job, job.resolved(settings))
