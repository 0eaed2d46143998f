"""Coverage: the operators of a quantized graph that run in int8, and the reasons of the others.

A file of int8 weights may still run in float. An engine fuses a quantized operator only if all of
its inputs and its output are quantized as its int8 kernel requires; else it converts to floats
around it, which costs more time than int8 saves. So each engine reads the graph as it has rewritten
it on this machine.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["CONVERSIONS", "MOVES", "Coverage", "counted"]

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

    `operators` has a row for each operator that computes: name, op_type, precision, why (the reason
    of those in float). `n_low` of `n_all` run in 8 bits or fewer; `n_conversions` operators convert
    between floats and integers.
    """

    runtime: str
    operators: pd.DataFrame
    n_low: int
    n_all: int
    n_conversions: int

    @property
    def share(self) -> float:
        """Share of operators that run in 8 bits or fewer; 0 for a graph without any operator."""
        return self.n_low / self.n_all if self.n_all else 0.0

    @property
    def text(self) -> str:
        """The coverage in a sentence, with the operators in float and the first reason."""
        sentence = f"{self.n_low} of {self.n_all} operators run in int8 in {self.runtime}"
        in_float = self.operators[self.operators.why != ""]
        if not self.n_low or not len(in_float):
            return f"{sentence}."
        kinds = ", ".join(f"{n} {kind}" for kind, n in in_float.op_type.value_counts().items())
        return f"{sentence}; in float stay {kinds} ({in_float.why.iloc[0]})."

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
