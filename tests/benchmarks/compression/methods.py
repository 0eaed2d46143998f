"""The recipes of the table: every method on the same network, as anybody would write them down."""

from __future__ import annotations

from typing import Any

from workbench.recipe import Recipe

__all__ = ["METHODS", "recipe_of"]

# The rows of `fashion`: 14,000 train images, as they come with the package.
METHODS: dict[str, list[Any]] = {
    "int8 static": ["quantization"],
    "int8 static, int8 activations": [{"quantization": {"activation_type": "int8"}}],
    "int8 static, entropy": [{"quantization": {"calibration": "entropy"}}],
    "int8 dynamic": [{"quantization": {"method": "dynamic"}}],
    "int8 weights only": [{"quantization": {"method": "weight_only"}}],
    "int4 weights only": [{"quantization": {"method": "weight_only", "weight_bits": 4}}],
    "fp16 weights": [{"quantization": {"method": "float16"}}],
    "int8 aware": [{"quantization": {"method": "aware"}}],
    "unstructured 90 %": [{"pruning": {"method": "unstructured", "pruning_ratio": 0.9, "iterations": 10}}],
    "2:4 sparse": [{"pruning": {"method": "n_m"}}],
    "pruned 50 %": [{"pruning": {"pruning_ratio": 0.5}}],
    "pruned 50 % + int8": [{"pruning": {"pruning_ratio": 0.5}}, "quantization"],
    "pruned 50 %, taught, + int8": [{"pruning": {"pruning_ratio": 0.5, "distill_alpha": 0.9}}, "quantization"],
}


def recipe_of(name: str, budget: str) -> Recipe:
    """The recipe of a row of the table, by its name."""
    return Recipe.make("fashion", METHODS[name], start="resnet20", seed=0, budget=budget)
