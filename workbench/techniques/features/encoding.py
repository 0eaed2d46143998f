"""encoder_for(): the columns of a table as numbers, and the columns that each feature comes from.

Every part is a transformer that is fitted with the model, in each fold anew.
"""

from __future__ import annotations

from collections.abc import Mapping
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

import numpy as np

from workbench.data.cells import DateParts, Finite, Spans, TextParts, Texts
from workbench.data.labels import Kind
from workbench.data.past_rows import PastRows
from workbench.data.table_columns import ColumnKind, TableColumns
from workbench.errors import DataError, MissingExtra, SettingsError, unknown

if TYPE_CHECKING:
    from sklearn.compose import ColumnTransformer

    from workbench.techniques.features import FeaturesSettings

__all__ = ["chosen_encode", "columns_used", "encoder_for", "origins"]

MOST_INTERACTIONS = 60  # number columns of which all pairs are multiplied
N_KNOTS = 5
N_BINS = 8
N_TEXT = 30

Block = tuple[str, Any, Any]


def chosen_encode(settings: FeaturesSettings, columns: TableColumns) -> str:
    """`encode` with `auto` replaced: `skrub` for a table with texts, dates or many categories.

    Numbers and few categories have scikit-learn's encoding, which ONNX converters know; so has a
    table for which a setting is on that only that encoding serves. Raises MissingExtra for skrub
    that is asked for and not installed.
    """
    if settings.encode == "skrub" and find_spec("skrub") is None:
        raise MissingExtra("`encode='skrub'`", "features")
    if settings.encode != "auto":
        return settings.encode
    is_plain = all(kind in ("number", "category") for kind in columns.kinds.values())
    asks_simple = (
        settings.interactions
        or settings.splines
        or settings.bins == "on"
        or settings.past_rows != ""
        or settings.dates != "cyclical"
    )
    if is_plain or asks_simple or find_spec("skrub") is None:
        return "simple"
    return "skrub"


def columns_used(inputs: Mapping[str, np.ndarray], settings: FeaturesSettings) -> TableColumns:
    """The columns to encode; raises DataError where there is none.

    `settings.columns` names those that may be used. There and in `settings.prices` a name that is
    no column is refused.
    """
    if set(inputs) == {"x"} and np.ndim(inputs["x"]) == 1:
        raise DataError(
            "The rows are one column `x`, which estimators take as an array and not as a table: "
            "rename the column, or give a table."
        )
    columns = TableColumns.of(inputs, max_categories=settings.max_categories)
    names = {str(name): name for name in (*columns.kinds, *columns.unused)}
    for option, named in (("columns", settings.columns), ("prices", list(settings.prices))):
        wrong = [unknown("column", name, names) for name in named if name not in names]
        if wrong:
            raise SettingsError(f"`{option}`: " + " ".join(wrong))
    if settings.columns:
        chosen = {names[name] for name in settings.columns}
        columns = columns.without({n: "not in `columns`" for n in columns.kinds if n not in chosen})
    if settings.dates == "off":
        columns = columns.without(dict.fromkeys(columns.of_kind("date"), "`dates` is off"))
    if not columns.kinds:
        reasons = "; ".join(f"`{n}`: {reason}" for n, reason in list(columns.unused.items())[:5])
        raise DataError(f"No column of train can be encoded ({reasons}): give other columns.")
    return columns


def encoder_for(
    settings: FeaturesSettings,
    columns: TableColumns,
    kind: Kind,
    *,
    seed: int,
    sparse: bool,
    is_for_network: bool,
) -> ColumnTransformer:
    """An unfitted transformer of raw columns to numbers `(rows, features)`; `encode` is resolved.

    A network gets one-hot columns in place of target encoding: it trains on rows that were encoded
    with their own targets otherwise.
    """
    from sklearn.compose import ColumnTransformer

    if settings.encode == "skrub":
        blocks = [_skrub_block(settings, columns, seed)]
    else:
        blocks = _blocks(settings, columns, kind, seed, sparse, is_for_network)
    return ColumnTransformer(
        blocks, sparse_threshold=1.0 if sparse else 0.0, verbose_feature_names_out=False
    )


def _skrub_block(settings: FeaturesSettings, columns: TableColumns, seed: int) -> Block:
    from sklearn.impute import SimpleImputer
    from sklearn.pipeline import Pipeline
    from sklearn.preprocessing import StandardScaler
    from skrub import DatetimeEncoder, StringEncoder, TableVectorizer

    periodic = "circular" if settings.dates == "cyclical" else None
    table = TableVectorizer(
        cardinality_threshold=settings.max_categories,
        high_cardinality=StringEncoder(n_components=N_TEXT, random_state=seed),
        datetime=DatetimeEncoder(periodic_encoding=periodic),
    )
    steps = [
        ("table", table),
        ("missing", SimpleImputer(strategy="median", keep_empty_features=True)),
        ("scale", StandardScaler()),
    ]
    return ("skrub", Pipeline(steps), list(columns.kinds))


def _blocks(
    settings: FeaturesSettings,
    columns: TableColumns,
    kind: Kind,
    seed: int,
    sparse: bool,
    is_for_network: bool,
) -> list[Block]:
    blocks = [
        *_number_blocks(settings, columns),
        *_category_blocks(settings, columns, kind, seed, sparse, is_for_network),
    ]
    dates = columns.of_kind("date")
    if dates:
        parts = DateParts("parts" if settings.dates == "parts" else "cyclical")
        blocks.append(("dates", _scaled(parts), dates))
    for number, name in enumerate(columns.of_kind("text")):
        blocks.append((f"text{number}", TextParts(N_TEXT, random_state=seed), name))
    spans = columns.of_kind("span")
    if spans:
        blocks.append(("spans", _scaled(Spans()), spans))
    if settings.past_rows:
        blocks.append(_past_block(settings, columns, kind))
    return blocks


def _number_blocks(settings: FeaturesSettings, columns: TableColumns) -> list[Block]:
    from sklearn.pipeline import Pipeline
    from sklearn.preprocessing import KBinsDiscretizer, PolynomialFeatures, SplineTransformer

    numbers = columns.of_kind("number")
    if not numbers:
        return []
    first = [("finite", Finite())] if columns.infinite else []
    base = _scaled(*(step for _, step in first))
    if settings.interactions:
        if len(numbers) > MOST_INTERACTIONS:
            raise SettingsError(
                f"`interactions` multiplies each pair of at most {MOST_INTERACTIONS} number "
                f"columns, got {len(numbers):,}: name the columns in `columns`, or leave it off."
            )
        pairs = PolynomialFeatures(degree=2, interaction_only=True, include_bias=False)
        base.steps.append(("pairs", pairs))
    blocks: list[Block] = [("numbers", base, numbers)]
    filled = [*first, ("missing", _imputer())]
    if settings.splines:
        spline = SplineTransformer(n_knots=N_KNOTS, knots="quantile", include_bias=False)
        blocks.append(("splines", Pipeline([*filled, ("splines", spline)]), numbers))
    if settings.bins == "on":
        bins = KBinsDiscretizer(
            N_BINS,
            encode="onehot-dense",  # skl2onnx has no converter for sparse ones
            strategy="quantile",
            quantile_method="averaged_inverted_cdf",
            dtype=np.float32,
        )
        blocks.append(("bins", Pipeline([*filled, ("bins", bins)]), numbers))
    return blocks


def _category_blocks(
    settings: FeaturesSettings,
    columns: TableColumns,
    kind: Kind,
    seed: int,
    sparse: bool,
    is_for_network: bool,
) -> list[Block]:
    from sklearn.pipeline import Pipeline
    from sklearn.preprocessing import OneHotEncoder, StandardScaler, TargetEncoder

    def one_hot(most: int | None) -> Any:
        unseen = "ignore" if most is None else "infrequent_if_exist"
        return OneHotEncoder(
            handle_unknown=unseen, sparse_output=sparse, dtype=np.float32, max_categories=most
        )

    def by_target() -> list[tuple[str, Any]]:
        targets: Any = {"regression": "continuous", "binary": "binary"}.get(kind, "multiclass")
        encoder = TargetEncoder(target_type=targets, **_target_folds(kind, seed))
        return [("target", encoder), ("scale", StandardScaler())]

    can_target = settings.target_encode and kind in ("binary", "classification", "regression")
    is_by_target = can_target and not is_for_network
    blocks: list[Block] = []
    kinds: tuple[ColumnKind, ...] = ("category", "many")
    for its_kind in kinds:
        names = columns.of_kind(its_kind)
        for is_untidy in (False, True):
            part = [name for name in names if (name in columns.untidy) == is_untidy]
            if not part:
                continue
            steps: list[tuple[str, Any]] = [("texts", Texts())] if is_untidy else []
            if its_kind == "many" and is_by_target:
                steps += by_target()
            else:
                most = settings.max_categories if its_kind == "many" else None
                steps.append(("one_hot", one_hot(most)))
            label = f"{its_kind}{'_untidy' if is_untidy else ''}"
            blocks.append((label, steps[0][1] if len(steps) == 1 else Pipeline(steps), part))
    return blocks


def _target_folds(kind: Kind, seed: int) -> dict[str, Any]:
    """The folds of target encoding by a seed, as arguments of scikit-learn before and from 1.9."""
    import inspect

    from sklearn.model_selection import KFold, StratifiedKFold
    from sklearn.preprocessing import TargetEncoder

    if inspect.signature(TargetEncoder).parameters["random_state"].default is None:
        return {"random_state": seed}
    splitter = KFold if kind == "regression" else StratifiedKFold
    return {"cv": splitter(5, shuffle=True, random_state=seed)}


def _past_block(settings: FeaturesSettings, columns: TableColumns, kind: Kind) -> Block:
    date = settings.past_rows
    dates = [str(name) for name in columns.of_kind("date")]
    if date not in dates:
        raise SettingsError(
            "`past_rows` names the column of dates that orders the rows. "
            + unknown("column of dates", date, dates)
            + (
                " Give `times=` as an array to `make_task`, so that the column stays an input."
                if not dates
                else ""
            )
        )
    categories = [*columns.of_kind("category"), *columns.of_kind("many")]
    if not categories:
        raise SettingsError("`past_rows` needs a column of categories, and there is none.")
    past = PastRows(with_mean=kind in ("binary", "regression"))
    return ("past", _scaled(past), [date, *categories])


def _imputer() -> Any:
    from sklearn.impute import SimpleImputer

    return SimpleImputer(strategy="median", keep_empty_features=True)


def _scaled(*first: Any) -> Any:
    """Steps, then the median for missing numbers, then scaling."""
    from sklearn.pipeline import Pipeline
    from sklearn.preprocessing import StandardScaler

    steps = [(type(step).__name__.lower(), step) for step in first]
    return Pipeline([*steps, ("missing", _imputer()), ("scale", StandardScaler())])


def origins(encoder: Any) -> list[tuple[str, tuple[str, ...]]]:
    """Name and raw columns of each feature of a fitted encoder, in their order."""
    features: list[tuple[str, tuple[str, ...]]] = []
    for label, block, columns in encoder.transformers_:
        if label == "remainder" or (isinstance(block, str) and block == "drop"):
            continue
        names = [columns] if isinstance(columns, (str, int)) else list(columns)
        features += _features_of(label, block, [str(name) for name in names])
    return features


def _features_of(label: str, block: Any, columns: list[str]) -> list[tuple[str, tuple[str, ...]]]:
    last = block.steps[-1][1] if hasattr(block, "steps") else block
    first = block.steps[0][1] if hasattr(block, "steps") else block
    if label == "skrub":
        return [(str(name), (str(column),)) for name, column in first.output_to_input_.items()]
    if label == "numbers" and hasattr(last, "powers_"):
        pairs = [[columns[i] for i in np.flatnonzero(powers)] for powers in last.powers_]
        return [(" x ".join(names), tuple(names)) for names in pairs]
    if label == "splines":
        n = last.n_features_out_ // len(columns)
        return [(f"{c} spline {i + 1}", (c,)) for c in columns for i in range(n)]
    if label == "bins":
        return [
            (f"{c} bin {i + 1}", (c,))
            for c, n in zip(columns, last.n_bins_, strict=True)
            for i in range(n)
        ]
    if label == "dates":
        return _named(first.names_by_column(), columns)
    if label == "past":
        named = _named(first.names_by_column(), columns[1:])
        return [(name, (columns[0], *column)) for name, column in named]
    if label.startswith("text"):
        return [(str(name), (columns[0],)) for name in last.get_feature_names_out()]
    if hasattr(last, "categories_") and hasattr(last, "sparse_output"):
        return _one_hot_features(last, columns)
    targets = block.named_steps.get("target") if hasattr(block, "named_steps") else None
    if targets is not None and targets.target_type_ == "multiclass":
        n = len(targets.classes_)
        return [(f"{c} target {i}", (c,)) for c in columns for i in range(n)]
    if targets is not None:
        return [(f"{c} target", (c,)) for c in columns]
    return [(c, (c,)) for c in columns]


def _named(names: list[list[str]], columns: list[str]) -> list[tuple[str, tuple[str, ...]]]:
    return [(n, (c,)) for of_one, c in zip(names, columns, strict=True) for n in of_one]


def _one_hot_features(encoder: Any, columns: list[str]) -> list[tuple[str, tuple[str, ...]]]:
    features: list[tuple[str, tuple[str, ...]]] = []
    # Without `max_categories` the encoder has no list of infrequent ones.
    infrequent = getattr(encoder, "infrequent_categories_", None) or [None] * len(columns)
    for column, categories, rare in zip(columns, encoder.categories_, infrequent, strict=True):
        left_out = set() if rare is None else set(rare.tolist())
        kept = [c for c in categories.tolist() if c not in left_out]
        features += [(f"{column} = {category}", (column,)) for category in kept]
        if left_out:
            features.append((f"{column} = (rare)", (column,)))
    return features
