"""One graph of a network from those of its two modes, train and eval."""

from __future__ import annotations

from typing import Any

from workbench.keeping.load_network import StructureError

__all__ = ["with_modes"]

OTHER_CALLS = "forward makes other calls in train mode than in eval mode"


def with_modes(evaluated: list[Any], trained: list[Any], helpers: dict[str, Any]) -> list[Any]:
    """One graph from those of eval and train mode: constants that differ become `Choice` helpers.

    Raises StructureError if the two differ in more than constants.
    """
    merged: list[Any] = []

    def choose(a: Any, b: Any) -> Any:
        if a == b and type(a) is type(b):
            return a
        if isinstance(a, list) and isinstance(b, list) and len(a) == len(b):
            return [choose(x, y) for x, y in zip(a, b, strict=True)]
        if isinstance(a, (bool, int, float)) and isinstance(b, (bool, int, float)):
            name = f"_choice_{len(helpers)}"
            helpers[name] = {"class": "Choice", "args": {"train": b, "evaluate": a}}
            merged.append(
                {"op": "call_module", "name": name, "target": name, "args": [], "kwargs": {}}
            )
            return {"$node": name}
        raise StructureError(OTHER_CALLS)

    def calls(nodes: list[Any]) -> list[tuple[str, str, str]]:
        return [(node["op"], node["name"], node["target"]) for node in nodes]

    if calls(evaluated) != calls(trained):
        raise StructureError(OTHER_CALLS)
    for a, b in zip(evaluated, trained, strict=True):
        kwargs = {name: choose(value, b["kwargs"].get(name)) for name, value in a["kwargs"].items()}
        merged.append(a | {"args": choose(a["args"], b["args"]), "kwargs": kwargs})
    return merged
