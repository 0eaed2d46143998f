"""scikit-learn estimators: reference pipelines for tables, and the features of an estimator."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Literal, get_args

import numpy as np

from workbench.errors import MissingExtra, TaskError, UnknownName, line_of, unknown

if TYPE_CHECKING:
    import pandas as pd
    from sklearn.compose import ColumnTransformer
    from sklearn.pipeline import Pipeline

__all__ = [
    "ARRAY",
    "EstimatorKind",
    "as_features",
    "encoded_columns",
    "fills_missing",
    "is_estimator",
    "is_fitted",
    "last_step",
    "make_estimator",
    "scaled_numbers",
    "unfitted",
]

ARRAY = "x"  # the name of an array that the user gave without a name


EstimatorKind = Literal["logistic", "boosting", "lightgbm", "xgboost"]


def make_estimator(kind: EstimatorKind, numeric: Mapping[str, bool]) -> Pipeline:
    """An unfitted classifier for rows of named columns.

    `numeric` tells for each column whether it holds numbers. Missing numbers become the median.
    Categories become one-hot columns; an unseen category gives zeros. All kinds can be written as
    ONNX. Raises UnknownName for another kind, MissingExtra where LightGBM or
    XGBoost is not installed.
    """
    from sklearn.pipeline import Pipeline

    makers = {
        "logistic": _logistic,
        "boosting": _boosting,
        "lightgbm": _lightgbm,
        "xgboost": _xgboost,
    }
    if kind not in get_args(EstimatorKind):
        raise UnknownName(unknown("estimator", kind, get_args(EstimatorKind)))
    # lbfgs is several times faster on sparse one-hot columns. Trees get them dense: XGBoost takes
    # the zeros of a sparse matrix for missing values. It compares numbers with values of train,
    # which must be the same to the last digit in an ONNX file: they are not scaled.
    columns = encoded_columns(
        numeric, sparse=kind == "logistic", scaled=kind in ("logistic", "boosting")
    )
    return Pipeline([("columns", columns), ("model", makers[kind]())])


def _logistic() -> Any:
    from sklearn.linear_model import LogisticRegression

    return LogisticRegression(max_iter=500)


def _boosting() -> Any:
    """A tenth of the rows and the square root of the columns a tree.

    That is 20 times faster on 190,000 rows, and regularizing.
    """
    from sklearn.ensemble import GradientBoostingClassifier

    return GradientBoostingClassifier(
        n_estimators=150,
        learning_rate=0.15,
        max_depth=5,
        min_samples_leaf=20,
        subsample=0.1,
        max_features="sqrt",
        random_state=0,
    )


def _lightgbm() -> Any:
    """With the threads of the process, and the same trees each time."""
    try:
        from lightgbm import LGBMClassifier
    except ImportError as error:
        raise MissingExtra("The model `lightgbm`", "boosting") from error
    except OSError as error:
        raise TaskError(
            f"LightGBM cannot be loaded: {line_of(error)}. Install the OpenMP library of the "
            "system; on Debian and Ubuntu it is the package libgomp1."
        ) from error
    return LGBMClassifier(
        n_estimators=150,
        learning_rate=0.1,
        num_leaves=31,
        min_child_samples=50,
        subsample=0.5,
        subsample_freq=1,
        colsample_bytree=0.5,
        random_state=0,
        n_jobs=0,
        deterministic=True,
        force_row_wise=True,  # else the layout is chosen by a clock, and sums are rounded otherwise
        verbosity=-1,
    )


def _xgboost() -> Any:
    """With the threads of the process, and the same trees each time."""
    try:
        from xgboost import XGBClassifier
    except ImportError as error:
        raise MissingExtra("The model `xgboost`", "boosting") from error
    return XGBClassifier(
        n_estimators=150,
        learning_rate=0.1,
        max_depth=6,
        min_child_weight=5.0,
        reg_lambda=1.0,
        subsample=0.5,
        colsample_bytree=0.5,
        tree_method="hist",
        random_state=0,
        n_jobs=0,
    )


def encoded_columns(
    numeric: Mapping[str, bool],
    *,
    sparse: bool,
    max_categories: int | None = None,
    scaled: bool = True,
) -> ColumnTransformer:
    """The columns of a table as features: numbers filled and scaled, categories one-hot.

    `numeric` tells for each column whether it holds numbers; `max_categories` puts the rarest
    categories of a column together; `scaled` is false for models that need no scale.
    """
    from sklearn.compose import ColumnTransformer
    from sklearn.impute import SimpleImputer
    from sklearn.preprocessing import OneHotEncoder

    numbers = [name for name, is_number in numeric.items() if is_number]
    categories = [name for name, is_number in numeric.items() if not is_number]
    parts: list[tuple[str, Any, list[str]]] = []
    if numbers:
        filled = scaled_numbers() if scaled else SimpleImputer(strategy="median")
        parts.append(("numbers", filled, numbers))
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
    try:
        return bool(get_tags(last_step(estimator)[1]).input_tags.allow_nan)
    except (AttributeError, TypeError):
        return True


def last_step(estimator: Any) -> tuple[str, Any]:
    """The last step of a pipeline, through pipelines, and the prefix of its parameters.

    Any other estimator is its own last step, with an empty prefix.
    """
    prefix = ""
    while hasattr(estimator, "steps"):
        name, estimator = estimator.steps[-1]
        prefix += f"{name}__"
    return prefix, estimator


def unfitted(estimator: Any) -> Any:
    """A new, unfitted estimator with the same settings; a deep copy if it has no `get_params`."""
    from sklearn.base import clone

    return clone(estimator) if hasattr(estimator, "get_params") else copy.deepcopy(estimator)
