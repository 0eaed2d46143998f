"""Tables of a step of features: features, columns, scores, correlation and cost."""

from __future__ import annotations

import pickle
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from workbench.data.columns import missing_rows
from workbench.data.table_columns import TableColumns
from workbench.techniques.features.stability import chosen_table

if TYPE_CHECKING:
    import pandas as pd

    from workbench.task import Candidate
    from workbench.techniques.features.choice import Choice
    from workbench.techniques.features.setup import Setup

__all__ = ["correlation_of", "cost_of", "evidence_of"]

MOST_CORRELATED = 30  # features in the table of correlations
ROWS_OF_CORRELATION = 2_000
ROWS_OF_LATENCY = 1_000
N_TIMES = 5
NEAR = 0.3  # clusters hold features whose mean distance 1 - |r| is below this


def evidence_of(
    setup: Setup, candidate: Candidate, choice: Choice | None, nested: pd.DataFrame | None
) -> dict[str, pd.DataFrame]:
    """All tables of a step, by name."""
    preparation = preparation_of(candidate)
    features = feature_table(setup, preparation)
    tables = {"features": features, "columns": column_table(setup, features)}
    if choice is not None:
        tables["scores"] = choice.scores
        tables["stability"] = chosen_table([("choice", choice)])
    if nested is not None:
        tables["nested"] = nested
    correlation = correlation_of(setup, preparation, features)
    if len(correlation):
        tables["correlation"] = correlation
    tables["cost"] = cost_of(setup, features)
    return tables


def preparation_of(candidate: Candidate) -> Any:
    """The fitted pipeline of encoding and selection of a candidate."""
    if candidate.form != "sklearn":
        return candidate.prepare.transformer
    return candidate.model[:-1]


def feature_table(setup: Setup, preparation: Any) -> pd.DataFrame:
    """A row a feature: its name, its raw columns, whether it is kept, and its score."""
    import pandas as pd

    steps = dict(preparation.steps)
    selector = steps.get("select")
    encoder = steps.get("encode")
    if selector is not None:
        n = selector.n_features_in_
    elif setup.settings.encode == "none":
        n = int(preparation.transform(setup.features_of(np.arange(2))).shape[1])
    else:
        n = 0
    found = setup.origins(encoder, n)
    kept = np.ones(len(found), bool) if selector is None else selector.support_
    scores = np.full(len(found), np.nan) if selector is None else selector.scores_
    return pd.DataFrame(
        {
            "feature": [name for name, _ in found],
            "columns": [", ".join(columns) for _, columns in found],
            "kept": np.asarray(kept, bool),
            "score": np.where(np.isfinite(scores), scores, np.nan),
        }
    )


def column_table(setup: Setup, features: pd.DataFrame) -> pd.DataFrame:
    """A row a raw column: its kind, its missing share, how many of its features are kept."""
    import pandas as pd

    counts: dict[str, list[int]] = {}
    for columns, kept in zip(features["columns"], features["kept"], strict=True):
        for column in filter(None, columns.split(", ")):
            seen = counts.setdefault(column, [0, 0])
            seen[0] += 1
            seen[1] += int(kept)
    kinds: Mapping[Any, str] = setup.columns.kinds
    rows = []
    for name in (*kinds, *setup.columns.unused):
        n, n_kept = counts.get(str(name), (0, 0))
        rows.append(
            {
                "column": str(name),
                "kind": kinds.get(name, "unused"),
                "missing": _missing_share(setup, name),
                "n_features": n,
                "n_kept": n_kept,
                "reason": setup.columns.unused.get(name, ""),
            }
        )
    return pd.DataFrame(rows)


def _missing_share(setup: Setup, name: str | int) -> float:
    if setup.columns.is_matrix:
        matrix = np.asarray(setup.features_of(setup.sample))
        column = matrix[:, int(name)]
    else:
        column = np.asarray(setup.train.inputs[str(name)])
    return len(missing_rows(column)) / max(1, len(column))


def correlation_of(setup: Setup, preparation: Any, features: pd.DataFrame) -> pd.DataFrame:
    """Correlations of the best kept features, in the order of their clusters, a row a pair.

    Clusters are those of average linkage on 1 - |r|. Columns: feature, other, r and cluster.
    """
    import pandas as pd
    from scipy.cluster.hierarchy import fcluster, leaves_list, linkage
    from scipy.spatial.distance import squareform

    index = setup.sample[:: max(1, len(setup.sample) // ROWS_OF_CORRELATION)]
    x = preparation.transform(setup.features_of(index))
    x = np.asarray(x.toarray() if hasattr(x, "toarray") else x, float)
    kept = features[features["kept"]].reset_index(drop=True)
    if len(kept) != x.shape[1]:
        return pd.DataFrame()
    best = kept["score"].fillna(0.0).to_numpy().argsort(kind="stable")[::-1][:MOST_CORRELATED]
    varies = [place for place in sorted(best.tolist()) if np.ptp(x[:, place]) > 0]
    if len(varies) < 2:
        return pd.DataFrame()
    r = np.corrcoef(x[:, varies], rowvar=False)
    distance = np.clip(1 - np.abs(r), 0, 1)
    np.fill_diagonal(distance, 0.0)
    tree = linkage(squareform(distance, checks=False), "average")
    clusters = fcluster(tree, NEAR, "distance")
    order = leaves_list(tree)
    names = kept["feature"].to_numpy()[varies]
    return pd.DataFrame(
        [
            {
                "feature": names[i],
                "other": names[j],
                "r": float(r[i, j]),
                "cluster": int(clusters[i]),
            }
            for i in order
            for j in order
        ]
    )


def cost_of(setup: Setup, features: pd.DataFrame) -> pd.DataFrame:
    """Cost of the preparation with all columns, and with those that the kept features need.

    Columns: columns, n_columns, n_features, ms_per_1000_rows, size_bytes, and price_per_1000_rows
    where the settings name prices. Times are the best of five; they hold for this machine only.
    """
    import pandas as pd

    needed = {c for text in features[features["kept"]]["columns"] for c in text.split(", ")}
    rows = [_cost_row(setup, "all", setup.columns)]
    others = {n: "not needed" for n in setup.columns.kinds if str(n) not in needed}
    if setup.settings.encode != "none" and others and not setup.columns.is_matrix:
        past = setup.settings.past_rows
        others.pop(past, None)
        rows.append(_cost_row(setup, "needed", setup.columns.without(others)))
    return pd.DataFrame(rows)


def _cost_row(setup: Setup, label: str, columns: TableColumns) -> dict[str, Any]:
    index = setup.sample[: 2 * ROWS_OF_LATENCY]
    encoder = setup.encoder(columns)
    row: dict[str, Any] = {"columns": label, "n_columns": len(columns.kinds)}
    prices = setup.settings.prices
    if prices:
        row["price_per_1000_rows"] = sum(prices.get(str(name), 0.0) for name in columns.kinds)
    if encoder is None:
        return {**row, "n_features": len(columns.kinds), "ms_per_1000_rows": 0.0, "size_bytes": 0}
    encoder.fit(setup.features_of(index), setup.targets_of(index))
    rows = setup.features_of(index[:ROWS_OF_LATENCY])
    times = []
    for _ in range(N_TIMES):
        setup.job.report.check()
        began = time.perf_counter()
        encoded = encoder.transform(rows)
        times.append(time.perf_counter() - began)
    return {
        **row,
        "n_features": int(encoded.shape[1]),
        "ms_per_1000_rows": 1e3 * min(times) * ROWS_OF_LATENCY / len(rows),
        "size_bytes": len(pickle.dumps(encoder)),
    }
