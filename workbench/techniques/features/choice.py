"""The choice of the number of features on folds of train, and its nested cross-validation."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from workbench.data.folds import Fold, fold_indices
from workbench.events import Report
from workbench.models.estimators import unfitted
from workbench.techniques.features.setup import Setup, chooses_number, on_step_of

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Choice", "choose", "nested_scores", "sampled_folds"]


@dataclass(frozen=True)
class Choice:
    """The number of features, and the scores that it was chosen by.

    `scores` has the columns fold, n_features and score; `chosen` has, for each fold, the names of
    the features that it keeps. `n_features` of 0 leaves the number to the method.
    """

    n_features: int
    scores: pd.DataFrame
    chosen: tuple[tuple[str, ...], ...]
    names: tuple[str, ...] = ()


def sampled_folds(setup: Setup, index: np.ndarray, n_folds: int, seed: int) -> list[Fold]:
    """Folds of the train rows `index`, as numbers of train rows.

    Rows in time stay in their order. Raises DataError for rows that do not give so many folds, or
    a fold of one class.
    """
    rows = setup.train.take(index)
    folds = fold_indices(rows, setup.kind, n_folds, seed=seed)
    return [(index[rest], index[held]) for rest, held in folds]


def choose(setup: Setup, index: np.ndarray, report: Report, *, n_features: int = 0) -> Choice:
    """The number of features for these train rows, by the scores on folds of them.

    Each fold fits encoding and ranking on its own train rows. With `n_features` that number alone
    is scored.
    """
    import pandas as pd

    folds = sampled_folds(setup, index, setup.settings.folds, setup.job.seed)
    report.progress(0, 1, "counting the features")
    sizes = [n_features]
    if chooses_number(setup.settings) and not n_features:
        sizes = _sizes(setup, _n_features(setup, index))
    rows: list[dict[str, Any]] = []
    ranked: list[tuple[list[str], np.ndarray]] = []
    for number, fold in enumerate(folds):
        part = report.part(number, len(folds), f"fold {number + 1} of {len(folds)}")
        found, names, order = _scores_of(setup, fold, part, sizes)
        rows += [{"fold": number + 1, "n_features": n, "score": score} for n, score in found]
        ranked.append((names, order))
    scores = pd.DataFrame(rows)
    chosen = _by_rule(setup, scores) if len(sizes) > 1 else n_features
    sets = tuple(
        tuple(names[place] for place in (order[:chosen] if chosen else order))
        for names, order in ranked
    )
    every = tuple(dict.fromkeys(name for names, _ in ranked for name in names))
    return Choice(chosen, scores, sets, every)


def _n_features(setup: Setup, index: np.ndarray) -> int:
    """The number of features of these rows; of all train rows for the sample of them."""
    rows = np.arange(len(setup.train)) if index is setup.sample else index
    encoder, features = setup.encoder(), setup.features_of(rows)
    if encoder is None:
        return int(features.shape[1])
    return int(encoder.fit_transform(features, setup.targets_of(rows)).shape[1])


def _scores_of(
    setup: Setup, fold: Fold, report: Report, sizes: Sequence[int]
) -> tuple[list[tuple[int, float]], list[str], np.ndarray]:
    """Scores by number of features on the held-out rows, names of all features, their ranking.

    A size of 0 leaves the number to the method, which then ranks no others. A fold with fewer
    features than a size keeps all of them.
    """
    rest, held = fold
    on_step = on_step_of(report)
    on_step(0, 1, "encoding")
    train, targets = setup.features_of(rest), setup.targets_of(rest)
    encoder = setup.encoder()
    if encoder is None:
        x, x_held = np.asarray(train), np.asarray(setup.features_of(held))
    else:
        x = encoder.fit_transform(train, targets)
        x_held = encoder.transform(setup.features_of(held))
    names = [name for name, _ in setup.origins(encoder, x.shape[1])]
    selector = setup.selector(0)
    if selector is None:
        order = np.arange(x.shape[1])
    else:
        selector.fit(x, targets, on_step=on_step)
        order = selector.order_
        if sizes[0] == 0:
            order = order[: int(selector.support_.sum())]
    found = []
    for number, size in enumerate(sizes):
        on_step(number, len(sizes), f"{size or len(order):,} features")
        kept = order[: size or len(order)]
        model = setup.fitted(unfitted(setup.estimator), x[:, kept], targets)
        score = setup.score(model, x_held[:, kept], setup.targets_of(held))
        found.append((size or len(order), score))
    return found, names, order


def _sizes(setup: Setup, n: int) -> list[int]:
    """Numbers of features to try, from few to all, in equal ratios."""
    n_sizes = setup.settings.n_sizes or 2
    first = max(1, min(5, n // 20))
    return sorted({round(size) for size in np.geomspace(first, n, n_sizes)})


def _by_rule(setup: Setup, scores: pd.DataFrame) -> int:
    """The number of features by the rule of the settings; ties go to fewer features."""
    sign = setup.job.task.metric.sign
    by_size = scores.groupby("n_features")["score"]
    means = sign * by_size.mean()
    best = int(means.idxmax())
    if setup.settings.rule == "best":
        return best
    error = float(by_size.std().loc[best]) / np.sqrt(float(by_size.count().loc[best]))
    within = means[means >= means.loc[best] - np.nan_to_num(error)]
    return int(within.index.min())


def nested_scores(setup: Setup, report: Report) -> pd.DataFrame:
    """Scores of the whole procedure on outer folds, a row a fold, beside the plain model.

    Encoding, selection and the choice of the number are made anew on the train rows of each outer
    fold. Columns: fold, n_features, score, plain, n_train and n_held.
    """
    import pandas as pd

    folds = sampled_folds(setup, setup.sample, setup.settings.nested_folds or 2, setup.job.seed + 1)
    rows = []
    for number, (rest, held) in enumerate(folds):
        part = report.part(number, len(folds), f"outer fold {number + 1} of {len(folds)}")
        n = setup.settings.n_features
        if chooses_number(setup.settings):
            n = choose(setup, rest, part).n_features
        part.progress(1, 1, "scoring the held-out rows")
        targets = setup.targets_of(held)
        model = setup.fitted(setup.pipeline(n), setup.features_of(rest), setup.targets_of(rest))
        plain = setup.fitted(
            unfitted(setup.job.start.model), setup.features_of(rest), setup.targets_of(rest)
        )
        rows.append(
            {
                "fold": number + 1,
                "n_features": n_kept(model),
                "score": setup.score(model, setup.features_of(held), targets),
                "plain": setup.score(plain, setup.features_of(held), targets),
                "n_train": len(rest),
                "n_held": len(held),
            }
        )
    return pd.DataFrame(rows)


def n_kept(pipeline: Any) -> int:
    """The number of features that reach the last step of a fitted pipeline."""
    selector = dict(pipeline.steps).get("select")
    if selector is not None:
        return int(selector.support_.sum())
    return int(getattr(pipeline.steps[-1][1], "n_features_in_", 0))
