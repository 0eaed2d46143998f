"""Coverage: the operators of a quantized graph that run in int8, and the reasons of the others.

A file of int8 weights may still run in float. An engine fuses a quantized operator only if all of
its inputs and its output are quantized as its int8 kernel requires; else it converts to floats
around it, which costs more time than int8 saves. So each engine reads the graph as it has rewritten
it on this machine.
"""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from io import StringIO
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["CONVERSIONS", "MOVES", "Coverage"]

COLUMNS = ("name", "op_type", "precision", "why")

# They move or reshape numbers and compute nothing. Conversions are counted too, as they cost time.
MOVES = frozenset(
    {
        "Reshape",
        "Flatten",
        "Transpose",
        "Squeeze",
        "Unsqueeze",
        "Identity",
        "Cast",
        "Shape",
        "Gather",
        "Slice",
        "Split",
        "Expand",
        "Constant",
        "ConstantOfShape",
        "Range",
        "Concat",
        "Pad",
        "Tile",
        "ReorderInput",
        "ReorderOutput",
        "Size",
        "Where",
        "Equal",
        "Not",
        "And",
        "Or",
        "Less",
        "Greater",
        "Reorder",
        "MemoryInput",
        "MemoryOutput",
        "ShapeOf",
        "Broadcast",
        "StridedSlice",
        "Memory",
        "ScatterND",
        "GatherND",
        "GatherElements",
        "Convert",
        "Trilu",
    }
)
CONVERSIONS = frozenset(
    {"QuantizeLinear", "DequantizeLinear", "DynamicQuantizeLinear", "FakeQuantize", "Reorder"}
)


@dataclass(frozen=True)
class Coverage:
    """The operators of one graph as one runtime runs it.

    `rows` has a mapping for each operator that computes: name, op_type, precision, and why, the
    reason of those in float. `n_conversions` operators convert between floats and integers.
    """

    runtime: str
    rows: tuple[Mapping[str, str], ...]
    n_conversions: int

    @property
    def operators(self) -> pd.DataFrame:
        """The rows as a table."""
        import pandas as pd

        return pd.DataFrame(self.rows, columns=COLUMNS)

    @property
    def csv(self) -> str:
        """The rows as the text of a CSV file."""
        file = StringIO()
        writer = csv.DictWriter(file, COLUMNS, lineterminator="\n")
        writer.writeheader()
        writer.writerows(self.rows)
        return file.getvalue()

    @property
    def n_all(self) -> int:
        """How many operators compute."""
        return len(self.rows)

    @property
    def n_low(self) -> int:
        """How many of them run in 8 bits or fewer."""
        return sum(r["precision"] in ("int8", "int4") for r in self.rows)

    @property
    def share(self) -> float:
        """Share of operators that run in 8 bits or fewer; 0 for a graph without any operator."""
        return self.n_low / self.n_all if self.n_all else 0.0

    @property
    def text(self) -> str:
        """The coverage in a sentence, with the operators in float and the first reason."""
        sentence = f"{self.n_low} of {self.n_all} operators run in int8 in {self.runtime}"
        in_float = [r for r in self.rows if r["why"]]
        if not self.n_low or not in_float:
            return f"{sentence}."
        counts = Counter(r["op_type"] for r in in_float).most_common()
        kinds = ", ".join(f"{n} {kind}" for kind, n in counts)
        return f"{sentence}; in float stay {kinds} ({in_float[0]['why']})."

    def to_json(self) -> dict[str, Any]:
        return {
            "runtime": self.runtime,
            "n_low": self.n_low,
            "n_all": self.n_all,
            "n_conversions": self.n_conversions,
            "text": self.text,
        }
