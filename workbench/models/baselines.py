"""Baselines, the simple models that a better one must beat: made from the rows of a task.

`dummy` predicts the same for every row: the shares of the classes, or the mean. `linear` is a
logistic or a ridge regression behind the usual preparation of the rows; `boosting` are trees.
For images and texts there is the smallest sensible network in place of trees.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from workbench.data.columns import WORDS_OF_A_TEXT, missing_rows
from workbench.data.labels import Kind
from workbench.data.prepare import Normalize, refuse_no_category
from workbench.data.rows import AnyRows, Rows
from workbench.data.table_columns import is_date_text
from workbench.data.tokens import Tokens
from workbench.errors import DataError
from workbench.models.estimators import ARRAY, encoded_columns, scaled_numbers

if TYPE_CHECKING:
    from sklearn.pipeline import Pipeline

__all__ = ["BASELINES", "Baselines", "baselines_for"]

BASELINES = ("dummy", "linear", "boosting")
"""Names of the baselines that tables have; images and texts have the first two, and a network."""

MOST_CATEGORIES = 100  # of a column; the rarest of more than these are put together
N_SAMPLE = 20_000  # train rows that are looked at
MOST_CHANNELS = 4  # of an image whose first axis counts channels
FULL_ROWS = 5_000  # up to which every tree of `boosting` sees all rows


@dataclass(frozen=True)
class Baselines:
    """Builders of untrained models by name, the one to start from first.

    `prepares` are those that stand before networks, by the name of the model; `left_out` names
    columns that no baseline uses.
    """

    builders: Mapping[str, Callable[[], Any]] = field(default_factory=dict)
    prepares: Mapping[str, Any] = field(default_factory=dict)
    left_out: tuple[str, ...] = ()


def baselines_for(kind: Kind, train: AnyRows, n_classes: int = 0) -> Baselines:
    """The baselines of a task of this kind with these train rows; none for a kind `custom`.

    `n_classes` is the number of classes of a task `classification`; 0 counts them. Raises DataError
    for rows that are neither columns, nor one matrix, nor images, nor texts, with what to do.
    """
    if kind == "custom":
        return Baselines()
    rows = train.take(slice(0, N_SAMPLE))
    targets = np.asarray(rows.targets)
    if kind == "classification":
        n_outputs = n_classes or int(np.max(train.targets)) + 1
    else:
        n_outputs = int(np.prod(targets.shape[1:]))
    text = _text_column(rows)
    if text is not None:
        _refuse_missing_texts(text, train)
        return _of_texts(kind, rows, text, n_outputs)
    if all(np.ndim(a) == 1 for a in rows.inputs.values()):
        return _of_columns(kind, rows, len(train))
    if all(_is_matrix(a) for a in rows.inputs.values()):
        return _of_matrix(kind, len(train))
    if all(np.ndim(a) >= 3 and a.dtype.kind in "biuf" for a in rows.inputs.values()):
        return _of_images(kind, rows, n_outputs, len(train))
    shapes = {name: (str(a.dtype), *np.shape(a)[1:]) for name, a in rows.inputs.items()}
    raise DataError(
        f"There is no baseline for rows of {shapes}: give `model=`, or columns, one matrix, images "
        "or texts."
    )


def _of_columns(kind: Kind, rows: Rows, n: int) -> Baselines:
    left_out = tuple(name for name, a in rows.inputs.items() if not _is_usable(name, a))
    used = {name: a for name, a in rows.inputs.items() if name not in left_out}
    if not used:
        raise DataError(
            "No column is a number or a category, so there is no baseline: add such columns, made "
            "of the dates for example."
        )
    numeric = {name: a.dtype.kind in "biuf" for name, a in used.items()}

    def features(*, sparse: bool) -> Any:
        return encoded_columns(numeric, sparse=sparse, max_categories=MOST_CATEGORIES)

    return Baselines(
        {
            "linear": partial(_pipeline, partial(features, sparse=True), "linear", kind, n),
            "boosting": partial(_pipeline, partial(features, sparse=False), "boosting", kind, n),
            "dummy": partial(_dummy, kind),
        },
        left_out=left_out,
    )


def _is_usable(name: str, column: np.ndarray) -> bool:
    """Whether a column holds numbers or categories; categories are all texts, or all no texts.

    Texts that are dates, as a CSV file has them, are no categories.
    """
    if column.dtype.kind in "biuf":
        return True
    try:
        refuse_no_category(name, column)
    except DataError:
        return False
    present = np.delete(column, missing_rows(column))
    return len({isinstance(value, str) for value in present.tolist()}) < 2 and not is_date_text(
        column
    )


def _refuse_missing_texts(name: str, train: AnyRows) -> None:
    missing = missing_rows(np.asarray(train.take(slice(None)).inputs[name]))
    if len(missing):
        raise DataError(
            f"`{name}` has no text in {len(missing):,} train rows, the first in row {missing[0]}, "
            "so there is no baseline: put an empty text there, as by `fillna('')`."
        )


def _of_matrix(kind: Kind, n_rows: int) -> Baselines:
    return Baselines(
        {
            "linear": partial(_pipeline, scaled_numbers, "linear", kind, n_rows),
            "boosting": partial(_pipeline, scaled_numbers, "boosting", kind, n_rows),
            "dummy": partial(_dummy, kind),
        }
    )


def _of_images(kind: Kind, rows: Rows, n_outputs: int, n_rows: int) -> Baselines:
    builders: dict[str, Callable[[], Any]] = {
        "linear": partial(_pipeline, scaled_numbers, "linear", kind, n_rows),
        "dummy": partial(_dummy, kind),
    }
    if len(rows.inputs) > 1:
        return Baselines(builders)
    (name, images), prepares = next(iter(rows.inputs.items())), {}
    is_grey = images.ndim == 3
    if is_grey or (images.ndim == 4 and images.shape[1] <= MOST_CHANNELS):
        n_in = 1 if is_grey else images.shape[1]
        builders["convnet"] = partial(_convnet, n_outputs, n_in)
        prepares["convnet"] = Normalize.fitted(rows, name)
    return Baselines(builders, prepares)


def _of_texts(kind: Kind, rows: Rows, name: str, n_outputs: int) -> Baselines:
    words = Tokens.fitted(rows, name=name)
    column = None if name == ARRAY else name
    return Baselines(
        {
            "linear": partial(_pipeline, partial(_word_weights, column), "linear", kind, 0, c=10.0),
            "dummy": partial(_dummy, kind),
            "text_cnn": partial(_text_cnn, words.n_words, n_outputs),
        },
        {"text_cnn": words},
    )


def _text_column(rows: Rows) -> str | None:
    """The name of the only column, where it holds texts of several words."""
    if len(rows.inputs) != 1:
        return None
    name, values = next(iter(rows.inputs.items()))
    if np.ndim(values) != 1 or values.dtype.kind not in "OU":
        return None
    texts = [value for value in values[:500] if isinstance(value, str)]
    n_words = np.mean([len(text.split()) for text in texts]) if texts else 0.0
    return name if n_words >= WORDS_OF_A_TEXT else None


def _is_matrix(array: np.ndarray) -> bool:
    return np.ndim(array) == 2 and array.dtype.kind in "biuf"


def _pipeline(
    features: Callable[[], Any], name: str, kind: Kind, n_rows: int, *, c: float = 1.0
) -> Pipeline:
    """An unfitted pipeline: features, then the estimator of this name for this kind of task.

    `c` is the inverse strength of the regularization of a linear classifier.
    """
    from sklearn.pipeline import Pipeline

    estimator = _regressor(name, n_rows) if kind == "regression" else _classifier(name, n_rows, c)
    return Pipeline([("features", features()), ("model", _for_labels(estimator, kind))])


def _dummy(kind: Kind) -> Any:
    """The shares of the classes, or the mean, for every row."""
    from sklearn.dummy import DummyClassifier, DummyRegressor

    if kind == "regression":
        return DummyRegressor()
    return _for_labels(DummyClassifier(strategy="prior"), kind)


def _for_labels(estimator: Any, kind: Kind) -> Any:
    """The estimator, once for each label where a row has several."""
    if kind != "multilabel":
        return estimator
    from sklearn.multiclass import OneVsRestClassifier

    return OneVsRestClassifier(estimator)


def _classifier(name: str, n_rows: int, c: float) -> Any:
    if name == "linear":
        from sklearn.linear_model import LogisticRegression

        return LogisticRegression(C=c, max_iter=500)
    from sklearn.ensemble import GradientBoostingClassifier

    return GradientBoostingClassifier(**_trees(n_rows))


def _regressor(name: str, n_rows: int) -> Any:
    if name == "linear":
        from sklearn.linear_model import Ridge

        return Ridge()
    from sklearn.ensemble import GradientBoostingRegressor

    return GradientBoostingRegressor(**_trees(n_rows))


def _trees(n_rows: int) -> dict[str, Any]:
    """Settings of boosted trees that skl2onnx can write, and that take seconds on many rows."""
    return {
        "n_estimators": 150,
        "learning_rate": 0.1,
        "max_depth": 4,
        "min_samples_leaf": 20 if n_rows > FULL_ROWS else 5,
        "subsample": 1.0 if n_rows <= FULL_ROWS else max(0.1, FULL_ROWS / n_rows),
        "max_features": "sqrt" if n_rows > FULL_ROWS else None,
        "random_state": 0,
    }


def _word_weights(column: str | None) -> Any:
    from workbench.models.text import word_weights

    return word_weights(column)


def _convnet(n_outputs: int, n_in: int) -> Any:
    from workbench.models.compact import convnet

    return convnet(n_outputs, n_in=n_in)


def _text_cnn(n_words: int, n_outputs: int) -> Any:
    from workbench.models.text import text_cnn

    return text_cnn(n_words, n_outputs)
