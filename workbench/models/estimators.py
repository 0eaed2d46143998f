"""scikit-learn estimators: reference pipelines for tables, and the features of an estimator."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from workbench.errors import UnknownName, unknown

if TYPE_CHECKING:
    import pandas as pd
    from sklearn.compose import ColumnTransformer
    from sklearn.pipeline import Pipeline

__all__ = [
    "as_features",
    "encoded_columns",
    "fills_missing",
    "is_estimator",
    "is_fitted",
    "make_estimator",
    "scaled_numbers",
    "unfitted",
]

ARRAY = "x"  # the name of an array that the user gave without a name


def make_estimator(kind: Literal["logistic", "boosting"], numeric: Mapping[str, bool]) -> Pipeline:
    """An unfitted classifier for rows of named columns.

    `numeric` tells for each column whether it holds numbers. Missing numbers become the median;
    numbers are scaled. Categories become one-hot columns; an unseen category gives zeros. skl2onnx
    can write every step (it cannot write HistGradientBoosting). Raises UnknownName for another
    kind.
    """
    from sklearn.ensemble import GradientBoostingClassifier
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import Pipeline

    if kind not in ("logistic", "boosting"):
        raise UnknownName(unknown("estimator", kind, ("logistic", "boosting")))
    # lbfgs is several times faster on sparse one-hot columns; trees need them dense.
    sparse = kind == "logistic"
    if kind == "logistic":
        model: Any = LogisticRegression(max_iter=500)
    else:
        # A tenth of the rows and the square root of the columns a tree: 20 times faster on 190,000
        # rows, and regularizing.
        model = GradientBoostingClassifier(
            n_estimators=150,
            learning_rate=0.15,
            max_depth=5,
            min_samples_leaf=20,
            subsample=0.1,
            max_features="sqrt",
            random_state=0,
        )
    return Pipeline([("columns", encoded_columns(numeric, sparse=sparse)), ("model", model)])


def encoded_columns(
    numeric: Mapping[str, bool], *, sparse: bool, max_categories: int | None = None
) -> ColumnTransformer:
    """The columns of a table as features: numbers scaled, categories one-hot.

    `numeric` tells for each column whether it holds numbers; `max_categories` puts the rarest
    categories of a column together.
    """
    from sklearn.compose import ColumnTransformer
    from sklearn.preprocessing import OneHotEncoder

    numbers = [name for name, is_number in numeric.items() if is_number]
    categories = [name for name, is_number in numeric.items() if not is_number]
    parts: list[tuple[str, Any, list[str]]] = []
    if numbers:
        parts.append(("numbers", scaled_numbers(), numbers))
    if categories:
        encoder = OneHotEncoder(
            handle_unknown="ignore",
            sparse_output=sparse,
            dtype=np.float32,
            max_categories=max_categories,
        )
        parts.append(("categories", encoder, categories))
    return ColumnTransformer(parts, sparse_threshold=1.0 if sparse else 0.0)


def scaled_numbers() -> Pipeline:
    """Missing numbers become the median, then all are scaled."""
    from sklearn.impute import SimpleImputer
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    return make_pipeline(SimpleImputer(strategy="median"), StandardScaler())


def as_features(inputs: Mapping[str, np.ndarray]) -> pd.DataFrame | np.ndarray:
    """Inputs for an estimator, from named arrays.

    Columns `(rows,)` become a DataFrame `(rows, columns)`. Arrays of more dimensions are flattened
    and joined to a matrix `(rows, features)`. A single array named `x` stays an array, also with
    shape `(rows,)` (texts for a vectorizer).
    """
    if set(inputs) == {ARRAY} and np.ndim(inputs[ARRAY]) <= 2:
        return np.asarray(inputs[ARRAY])
    if all(np.ndim(a) == 1 for a in inputs.values()):
        import pandas as pd

        return pd.DataFrame(dict(inputs))
    return np.concatenate([np.asarray(a).reshape(len(a), -1) for a in inputs.values()], axis=1)


def is_estimator(model: Any) -> bool:
    """Whether a model is an instance with `fit` and `predict`, and no torch module."""
    if isinstance(model, type) or hasattr(model, "state_dict"):
        return False
    return hasattr(model, "fit") and hasattr(model, "predict")


def is_fitted(estimator: Any) -> bool:
    """Whether an estimator was fitted, as scikit-learn's `check_is_fitted` says.

    Any other class counts as fitted if it has attributes that end in an underscore.
    """
    from sklearn.exceptions import NotFittedError
    from sklearn.utils.validation import check_is_fitted

    try:
        check_is_fitted(estimator)
    except NotFittedError:
        return False
    except (TypeError, AttributeError):  # not one of scikit-learn's own kind
        return any(name.endswith("_") and not name.startswith("__") for name in vars(estimator))
    return True


def fills_missing(estimator: Any) -> bool:
    """Whether an estimator accepts missing values, by its tags or by an imputer among its steps.

    An estimator without tags counts as one that does.
    """
    from sklearn.utils import get_tags

    inner = estimator.get_params(deep=True).values() if hasattr(estimator, "get_params") else ()
    if any("Imputer" in type(step).__name__ for step in inner):
        return True  # the tags of a pipeline do not say so
    last = estimator.steps[-1][1] if hasattr(estimator, "steps") else estimator
    try:
        return bool(get_tags(last).input_tags.allow_nan)
    except (AttributeError, TypeError):
        return True


def unfitted(estimator: Any) -> Any:
    """A new, unfitted estimator with the same settings; a deep copy if it has no `get_params`."""
    from sklearn.base import clone

    return clone(estimator) if hasattr(estimator, "get_params") else copy.deepcopy(estimator)
