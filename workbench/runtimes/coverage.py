"""Coverage, the operators of a quantized graph that really run in int8, and why the others do not.

A file full of int8 weights is no promise: an engine fuses a quantized operator only when all of its
inputs and its output are quantized in the way that its kernel wants; else it turns everything back
into floats around it, which costs more than it saves. So each engine's declaration reads the graph
as the engine has rewritten it on this machine.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["CONVERSIONS", "MOVES", "Coverage", "counted"]

# They move or reshape numbers and compute nothing; conversions are told apart, as they cost time.
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

    `operators` has a row for each that computes: name, op_type, precision, why (of those in float).
    `n_low` of `n_all` run in 8 bits or fewer; `n_conversions` go between floats and integers.
    """

    runtime: str
    operators: pd.DataFrame
    n_low: int
    n_all: int
    n_conversions: int

    @property
    def share(self) -> float:
        """The share of operators that run in 8 bits or fewer; 0 for a graph without any operator."""
        return self.n_low / self.n_all if self.n_all else 0.0

    @property
    def text(self) -> str:
        """The finding in a sentence, with those that stay in float and the first reason."""
        said = f"{self.n_low} of {self.n_all} operators run in int8 in {self.runtime}"
        left = self.operators[self.operators.why != ""]
        if not self.n_low or not len(left):
            return f"{said}."
        kinds = ", ".join(f"{n} {kind}" for kind, n in left.op_type.value_counts().items())
        return f"{said}; in float stay {kinds} ({left.why.iloc[0]})."

    def to_json(self) -> dict[str, Any]:
        return {
            "runtime": self.runtime,
            "n_low": self.n_low,
            "n_all": self.n_all,
            "n_conversions": self.n_conversions,
            "text": self.text,
        }


def counted(runtime: str, rows: list[dict[str, str]], n_conversions: int) -> Coverage:
    """The coverage from a row an operator: name, op_type, precision, why."""
    import pandas as pd

    table = pd.DataFrame(rows, columns=["name", "op_type", "precision", "why"])
    n_low = int(table.precision.isin(("int8", "int4")).sum())
    return Coverage(runtime, table, n_low, len(table), n_conversions)
