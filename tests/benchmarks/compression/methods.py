"""The recipes of the table: every method on the same network, as anybody would write them down."""

from __future__ import annotations

from typing import Any

from workbench.recipe import Recipe

__all__ = ["FULL", "METHODS", "recipe_of"]

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
    "unstructured 90 %": [
        {"pruning": {"method": "unstructured", "pruning_ratio": 0.9, "iterations": 10}}
    ],
    "2:4 sparse": [{"pruning": {"method": "n_m"}}],
    "pruned 50 %": [{"pruning": {"pruning_ratio": 0.5}}],
    "pruned 50 % + int8": [{"pruning": {"pruning_ratio": 0.5}}, "quantization"],
    "pruned 50 %, taught, + int8": [
        {"pruning": {"pruning_ratio": 0.5, "distill_alpha": 0.9}},
        "quantization",
    ],
    "distilled into convnet + int8": [
        {"distillation": {"student": "convnet", "control_seeds": 0}},
        "quantization",
    ],
}

# The 54,000 train images of `fashion-full` (Debian's package dataset-fashion-mnist): what can be
# reached with the data that trained the reference. Four of nine blocks go, as operators decide the
# latency of one row; then channels of the last stage.
LONG = {"optimizer": "sgd", "lr": 0.1, "weight_decay": 0.0005, "patience": 1000}
FULL: dict[str, list[Any]] = {
    "blocks and channels pruned, taught, + int8": [
        {
            "pruning": {
                "method": "depth",
                "pruning_ratio": 0.99,
                "ignored_layers": ["blocks.4", "blocks.5", "blocks.7"],
                "fit": {"epochs": 0},
            }
        },
        {
            "pruning": {
                "pruning_ratio": 0.0,
                "ratios": {
                    "blocks.6.conv1": 0.5625,
                    "blocks.7.conv1": 0.625,
                    "blocks.7.conv2": 0.25,
                },
                "distill_alpha": 0.9,
                "distill_from": "resnet20",
                "fit": {**LONG, "epochs": 18},
            }
        },
        {"quantization": {"calibration": "percentile"}},
    ],
    "distilled into slim_resnet + int8": [
        {
            "distillation": {
                "student": "slim_resnet",
                "views": 6,
                "control_seeds": 0,
                "fit": {**LONG, "weight_decay": 0.0002, "epochs": 90},
            }
        },
        {"quantization": {"calibration": "percentile"}},
    ],
}


def recipe_of(name: str, budget: str) -> Recipe:
    """The recipe of a row of the table, by its name."""
    task = "fashion-full" if name in FULL else "fashion"
    return Recipe.make(task, (METHODS | FULL)[name], start="resnet20", seed=0, budget=budget)
