"""The tasks that come with the package, by name."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

from workbench.data.prepare import Columns, Normalize
from workbench.data.rows import Splits
from workbench.data.sets.digits import digits
from workbench.data.sets.fashion import CLASSES, fashion, fashion_full
from workbench.data.sets.neighbours import neighbours
from workbench.data.sets.reviews import CLASSES as SENTIMENTS
from workbench.data.sets.reviews import reviews
from workbench.data.sets.rewording import reword
from workbench.data.tokens import Tokens, WordPieces, minilm_folder
from workbench.errors import MissingExtra
from workbench.metrics import BY_KIND, METRICS
from workbench.models.usual_spaces import network_space
from workbench.task import SizedBuilder, Task

if TYPE_CHECKING:
    import numpy as np
    import torch

    from workbench.models.estimators import EstimatorKind

__all__ = ["BUILT_IN"]


def _images(
    name: str, splits: Splits, classes: tuple[str, ...], mean: float, std: float, **values: Any
) -> Task:
    from workbench.models.cnn import cnn
    from workbench.models.compact import convnet, dscnn, resnet8, slim_resnet
    from workbench.models.resnet import resnet20

    n = len(classes)
    return Task(
        name=name,
        kind="classification",
        data=splits,
        metrics=_metrics("classification"),
        classes=classes,
        builders={
            "resnet20": partial(resnet20, n),
            "cnn": partial(cnn, n),
            "convnet": partial(convnet, n),
            "dscnn": partial(dscnn, n),
            "resnet8": partial(resnet8, n),
            "slim_resnet": partial(slim_resnet, n),
        },
        prepare=Normalize(mean, std),
        spaces={
            "resnet20": network_space(),
            "cnn": network_space({"low": 8, "high": 48, "step": 8}),
            "convnet": network_space(),
            "dscnn": network_space({"low": 8, "high": 48, "step": 8}),
            "resnet8": network_space({"low": 4, "high": 24, "step": 4}),
            "slim_resnet": network_space(),
        },
        built_in=True,
        **values,
    )


def _fashion(name: str) -> Task:
    from workbench.models.reference import load_resnet20

    splits = fashion() if name == "fashion" else fashion_full()
    # The constants of the reference weights' train rows, so that both fashion tasks prepare images
    # alike.
    return _images(
        name,
        splits,
        CLASSES,
        72.994149,
        90.065398,
        augment=flip_and_shift,
        reference={"resnet20": load_resnet20},
    )


def _digits(name: str) -> Task:
    return _images(name, digits(), tuple("0123456789"), 4.8798125, 6.0119796)


def _flights(name: str) -> Task:
    from workbench.data.sets.flights import flights
    from workbench.models.table import table_net

    splits = flights()
    train = splits.train.take(slice(None))
    prepare = Columns.fitted(train)
    numeric = {name: a.dtype.kind in "biuf" for name, a in train.inputs.items()}
    return Task(
        name=name,
        kind="binary",
        data=splits,
        metrics=_metrics("binary", first="pr_auc"),
        classes=("on time", "late"),
        builders={
            "table_net": SizedBuilder(partial(table_net, n_out=1), prepare.n_features),
            "logistic": partial(_estimator, "logistic", numeric),
            "boosting": partial(_estimator, "boosting", numeric),
            "lightgbm": partial(_estimator, "lightgbm", numeric),
            "xgboost": partial(_estimator, "xgboost", numeric),
        },
        prepare=prepare,
        spaces={
            "table_net": network_space({"low": 32, "high": 256, "step": 32}),
            "boosting": {
                "estimator.model__learning_rate": {"low": 0.03, "high": 0.5, "log": True},
                "estimator.model__max_depth": {"low": 3, "high": 7},
                "estimator.model__min_samples_leaf": {"low": 5, "high": 200, "log": True},
            },
            "lightgbm": {
                "estimator.model__learning_rate": {"low": 0.03, "high": 0.5, "log": True},
                "estimator.model__num_leaves": {"low": 7, "high": 127, "log": True},
                "estimator.model__min_child_samples": {"low": 5, "high": 200, "log": True},
                "estimator.model__subsample": {"low": 0.1, "high": 1.0},
                "estimator.model__colsample_bytree": {"low": 0.2, "high": 1.0},
            },
            "xgboost": {
                "estimator.model__learning_rate": {"low": 0.03, "high": 0.5, "log": True},
                "estimator.model__max_depth": {"low": 3, "high": 9},
                "estimator.model__min_child_weight": {"low": 1.0, "high": 100.0, "log": True},
                "estimator.model__subsample": {"low": 0.1, "high": 1.0},
                "estimator.model__colsample_bytree": {"low": 0.2, "high": 1.0},
            },
        },
        built_in=True,
    )


def _estimator_of_splits(kind: EstimatorKind, splits: Splits) -> Any:
    """The builder that sealed tasks of version 0.1.0 name."""
    columns = splits.train.take(slice(0, 1)).inputs
    return _estimator(kind, {name: a.dtype.kind in "biuf" for name, a in columns.items()})


def _estimator(kind: EstimatorKind, numeric: dict[str, bool]) -> Any:
    from workbench.models.estimators import make_estimator

    return make_estimator(kind, numeric)


def _reviews(name: str) -> Task:
    from workbench.models.minilm import minilm, thin_cnn, thin_transformer
    from workbench.models.text import bigru, text_cnn, tfidf, transformer2

    splits = reviews()
    prepare = Tokens.fitted(splits.train.take(slice(None)))
    small = {"lr": 0.002, "epochs": 8, "batch_size": 64, "patience": 3}
    return Task(
        name=name,
        kind="classification",
        data=splits,
        metrics=(*_metrics("classification"), METRICS["f1"]),
        classes=SENTIMENTS,
        builders={
            "text_cnn": partial(text_cnn, prepare.n_words),
            "bigru": partial(bigru, prepare.n_words),
            "transformer2": partial(transformer2, prepare.n_words, length=prepare.length),
            "tfidf": tfidf,
            "minilm": minilm,
            "thin_cnn": thin_cnn,
            "thin_transformer": thin_transformer,
        },
        prepare=prepare,
        reword=_reword(),
        built_in=True,
        prepares={
            "minilm": WordPieces(),
            "thin_cnn": WordPieces(masked=False),
            "thin_transformer": WordPieces(),
        },
        fits={
            "text_cnn": small,
            "bigru": small,
            "transformer2": {**small, "lr": 0.001},
            "thin_transformer": {**small, "lr": 0.001},
            "thin_cnn": {**small, "batch_size": 128},
            "minilm": {"lr": 8e-5, "epochs": 3, "batch_size": 32, "patience": 2},
        },
    )


def _reword() -> Callable[..., dict[str, np.ndarray]]:
    """Reword sentences: words are swapped for their neighbours among MiniLM's vectors.

    Without the extra `text`, they are swapped for any other words of train.
    """
    try:
        minilm_folder()
    except MissingExtra:
        return reword
    return partial(reword, alike=neighbours)


BUILT_IN: dict[str, Callable[..., Task]] = {
    "digits": partial(_digits, "digits"),
    "fashion": partial(_fashion, "fashion"),
    "fashion-full": partial(_fashion, "fashion-full"),
    "flights": partial(_flights, "flights"),
    "reviews": partial(_reviews, "reviews"),
}


def _metrics(kind: str, first: str = "") -> tuple[Any, ...]:
    names = BY_KIND[kind]
    return tuple(
        METRICS[n] for n in ((first, *(n for n in names if n != first)) if first else names)
    )


def flip_and_shift(
    inputs: dict[str, torch.Tensor], generator: torch.Generator
) -> dict[str, torch.Tensor]:
    """Images `(batch, 1, height, width)` mirrored half of the time, moved by up to two pixels.

    Edges are repeated.
    """
    import torch
    from torch.nn import functional as F

    changed = {}
    for name, images in inputs.items():
        n, _, height, width = images.shape
        dx, dy = torch.randint(0, 5, (2, n), generator=generator)
        flip = torch.rand(n, generator=generator) < 0.5
        columns = (
            torch.where(
                flip[:, None], width - 1 - torch.arange(width)[None], torch.arange(width)[None]
            )
            + dx[:, None]
        )
        rows = torch.arange(height)[None] + dy[:, None]
        padded = F.pad(images, (2, 2, 2, 2), mode="replicate")[:, 0]
        index = (torch.arange(n)[:, None, None], rows[:, :, None], columns[:, None, :])
        changed[name] = padded[tuple(i.to(images.device) for i in index)][:, None]
    return changed
