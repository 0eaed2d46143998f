"""Columns of a table for the checks: their types, and their values as numbers and codes."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np

from workbench.data.columns import WORDS_OF_A_TEXT
from workbench.data.rows import Rows

__all__ = ["Column", "codes_of", "columns_of", "is_time_name", "n_pairs_of", "numbers_of"]

Type = Literal["number", "category", "text", "date"]

MOST_COLUMNS = 6_000  # of one array that are taken one by one
N_SAMPLE = 2_000  # values that a type is told from
TIME_NAME = re.compile(r"(^|_)(date|datetime|timestamp|time|year|epoch|ts)($|_)", re.IGNORECASE)
DATE_TEXT = re.compile(r"^\s*\d{1,4}[-/.]\d{1,2}[-/.]\d{1,4}([ T].*)?$")


@dataclass(frozen=True, eq=False)
class Column:
    """One column: its values by split `(rows,)`, as they are in the task."""

    name: str
    type: Type
    values: Mapping[str, np.ndarray]

    @property
    def train(self) -> np.ndarray:
        """The values of train rows."""
        return self.values["train"]

    def numbers(self, split: str) -> np.ndarray:
        """The values as floats `(rows,)`, dates as seconds; NaN where missing or no number."""
        return numbers_of(self.values[split], self.type)

    def missing(self, split: str) -> np.ndarray:
        """Whether each value is missing `(rows,)`; an empty text is missing too."""
        import pandas as pd

        values = self.values[split]
        if values.dtype.kind in "iub":
            return np.zeros(len(values), bool)
        missing = np.asarray(pd.isna(values))
        return missing | (values == "") if values.dtype.kind in "OU" else missing


def is_time_name(name: str) -> bool:
    """Whether the name of a column is that of a time."""
    return TIME_NAME.search(name) is not None


def numbers_of(values: np.ndarray, type: Type) -> np.ndarray:
    """Values of a column as floats `(rows,)`, dates as seconds since 1970; NaN where none is."""
    import pandas as pd

    if values.dtype.kind in "biuf":
        return values.astype(np.float64)
    if type == "date":
        dates = pd.to_datetime(pd.Series(values), errors="coerce", format="mixed", utc=True)
        seconds = dates.dt.tz_localize(None).to_numpy("datetime64[ns]").astype(np.int64) / 1e9
        return np.where(dates.isna().to_numpy(), np.nan, seconds)
    if values.dtype.kind == "m":
        return np.where(np.isnat(values), np.nan, values.astype("m8[ns]").astype(np.int64) / 1e9)
    return pd.to_numeric(pd.Series(values.astype(object)), errors="coerce").to_numpy(np.float64)


def codes_of(*arrays: np.ndarray) -> tuple[list[np.ndarray], int]:
    """Equal values of several arrays as equal numbers from 0, and the number of values."""
    import pandas as pd

    joined = np.concatenate([_comparable(a) for a in arrays])
    codes, values = pd.factorize(joined, use_na_sentinel=False)
    ends = np.cumsum([len(a) for a in arrays])[:-1]
    return np.split(codes, ends), len(values)


def n_pairs_of(codes: np.ndarray, others: np.ndarray) -> int:
    """The number of different pairs of two arrays of codes `(rows,)`."""
    n = int(others.max(initial=0)) + 1
    return len(np.unique(codes.astype(np.int64) * n + others))


def _comparable(values: np.ndarray) -> np.ndarray:
    if values.dtype.kind == "U":
        return values.astype(object)
    if values.dtype.kind != "O":
        return values
    return np.array([v if isinstance(v, str) else str(v) for v in values.tolist()], object)


def columns_of(sample: Mapping[str, Rows], notes: list[str]) -> tuple[tuple[Column, ...], bool]:
    """The columns of a sample of train and valid, and whether they are columns and no images."""
    columns: list[Column] = []
    are_columns = True
    for name, array in sample["train"].inputs.items():
        if any(name not in rows.inputs for rows in sample.values()):
            notes.append(f"Input `{name}` is not in every split, and was left out.")
            continue
        if array.ndim == 1:
            type_ = _type_of(array)
            if type_ is None:
                notes.append(f"Column `{name}` holds lists or other containers, and was left out.")
            else:
                columns.append(Column(name, type_, {s: r.inputs[name] for s, r in sample.items()}))
            continue
        are_columns &= array.ndim == 2
        columns += _flat(name, sample, notes)
    return tuple(columns), are_columns


def _flat(name: str, sample: Mapping[str, Rows], notes: list[str]) -> list[Column]:
    """The columns of a matrix, or the pixels of images."""
    shape = sample["train"].inputs[name].shape[1:]
    if any(rows.inputs[name].shape[1:] != shape for rows in sample.values()):
        notes.append(f"Rows of `{name}` have other shapes in valid; its parts were not scored.")
        return []
    if sample["train"].inputs[name].dtype.kind not in "biuf":
        return []
    n = int(np.prod(shape))
    chosen = np.unique(np.linspace(0, n - 1, min(n, MOST_COLUMNS)).astype(int))
    if n > MOST_COLUMNS:
        notes.append(f"{MOST_COLUMNS:,} of the {n:,} values of a row of `{name}` were scored.")
    flat = {s: r.inputs[name].reshape(len(r), -1) for s, r in sample.items()}
    places = np.array(np.unravel_index(chosen, shape)).T
    return [
        Column(
            f"{name}[{', '.join(map(str, place))}]",
            "number",
            {s: np.ascontiguousarray(a[:, at]) for s, a in flat.items()},
        )
        for at, place in zip(chosen, places.tolist(), strict=True)
    ]


def _type_of(values: np.ndarray) -> Type | None:
    import pandas as pd

    if values.dtype.kind in "biufm":
        return "number"
    if values.dtype.kind == "M":
        return "date"
    present = values[~np.asarray(pd.isna(values))][:N_SAMPLE]
    cells = [v for v in present.tolist() if v != ""]
    if not cells:
        return "category"
    if isinstance(cells[0], (list, tuple, dict, set, np.ndarray)):
        return None
    if hasattr(cells[0], "year") and hasattr(cells[0], "month"):
        return "date"
    texts = [str(v) for v in cells]
    if sum(DATE_TEXT.match(t) is not None for t in texts) > 0.95 * len(texts):
        parsed = pd.to_datetime(pd.Series(texts), errors="coerce", format="mixed")
        if parsed.notna().mean() > 0.95:
            return "date"
    words = np.mean([len(t.split()) for t in texts])
    are_many = len(set(texts)) > 0.2 * len(texts)
    return "text" if words >= WORDS_OF_A_TEXT and are_many else "category"
