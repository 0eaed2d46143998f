"""What turns raw rows into what a model takes: fitted on train only, callable, and written as plain
JSON.

A `prepare` travels with its candidate, so that the model and the numbers that it was trained with
never part.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np

from workbench.data.rows import Rows
from workbench.data.tokens import Tokens, WordPieces
from workbench.errors import DataError, unknown

__all__ = ["Columns", "Normalize", "from_json", "to_json"]


@dataclass(frozen=True)
class Normalize:
    """Grey images `(rows, height, width)` of any number type to float32 `(rows, 1, height, width)`,
    mean 0 and deviation 1.
    """

    mean: float
    std: float
    name: str = "image"

    @classmethod
    def fitted(cls, train: Rows, name: str = "image") -> Normalize:
        values = train.inputs[name]
        return cls(float(values.mean()), float(values.std()), name)

    def __call__(self, inputs: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        image = np.asarray(inputs[self.name], np.float32)
        return {self.name: ((image - np.float32(self.mean)) / np.float32(self.std))[:, None]}


@dataclass(frozen=True)
class Columns:
    """Columns of a table to one float32 matrix `x` `(rows, features)`: numbers scaled, categories
    one-hot.

    Missing numbers become the train median; a category never seen in train becomes all zeros.
    """

    numeric: dict[str, tuple[float, float, float]] = field(
        default_factory=dict
    )  # median, mean, deviation
    categories: dict[str, list[str]] = field(default_factory=dict)

    @classmethod
    def fitted(cls, train: Rows, *, max_categories: int = 128) -> Columns:
        """Learn scales and categories; raises DataError for a column with more than
        `max_categories` of them.
        """
        numeric, categories = {}, {}
        for name, column in train.inputs.items():
            if column.dtype.kind in "biuf":
                values = column.astype(np.float64)
                median = float(np.nanmedian(values)) if np.isfinite(values).any() else 0.0
                values = np.where(np.isfinite(values), values, median)
                numeric[name] = (median, float(values.mean()), float(values.std()) or 1.0)
            else:
                found = sorted({str(v) for v in column})
                if len(found) > max_categories:
                    raise DataError(
                        f"Column `{name}` has {len(found)} categories, more than {max_categories}: "
                        "drop or group them."
                    )
                categories[name] = found
        return cls(numeric, categories)

    @property
    def n_features(self) -> int:
        return len(self.numeric) + sum(map(len, self.categories.values()))

    def __call__(self, inputs: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        parts = []
        for name, (median, mean, std) in self.numeric.items():
            values = np.asarray(inputs[name], np.float64)
            parts.append(((np.where(np.isfinite(values), values, median) - mean) / std)[:, None])
        for name, found in self.categories.items():
            parts.append(np.asarray(inputs[name]).astype(str)[:, None] == np.asarray(found)[None])
        return {"x": np.concatenate([np.asarray(p, np.float32) for p in parts], axis=1)}


@dataclass(frozen=True)
class _Yours:
    """A function of the user's own, known by its name only."""

    reference: str

    def __call__(self, inputs: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        from workbench.system.references import resolve

        return resolve(self.reference)(inputs)


KINDS = {"normalize": Normalize, "columns": Columns, "tokens": Tokens, "word_pieces": WordPieces}


def to_json(prepare: Any) -> dict[str, Any] | None:
    """Plain data for a candidate's file; raises DataError for a `prepare` of the user's own that
    has no such form.
    """
    if prepare is None:
        return None
    for kind, cls in KINDS.items():
        if isinstance(prepare, cls):
            return {"kind": kind, **asdict(prepare)}
    if isinstance(prepare, _Yours):
        return {"kind": "yours", "reference": prepare.reference}
    name = getattr(prepare, "__qualname__", type(prepare).__qualname__)
    module = getattr(prepare, "__module__", None)
    return {"kind": "yours", "reference": f"{module}:{name}"}


def from_json(data: Mapping[str, Any] | None) -> Any:
    """The `prepare` that `to_json` described; a user's own is imported by its reference when it is
    first called.
    """
    if data is None:
        return None
    values = dict(data)
    kind = values.pop("kind")
    if kind == "yours":
        return _Yours(values["reference"])
    if kind not in KINDS:
        raise DataError(unknown("prepare", kind, KINDS))
    return KINDS[kind](**values)
