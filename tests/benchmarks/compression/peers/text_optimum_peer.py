"""Optimum on a text network: its quantizer for ONNX files, alone and after its graph optimizer."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

from handoff import Handoff
from optimum.onnxruntime import ORTOptimizer, ORTQuantizer
from optimum.onnxruntime.configuration import AutoQuantizationConfig, OptimizationConfig
from transformers import BertConfig

BERT = BertConfig(hidden_size=384, num_attention_heads=12, num_hidden_layers=6)  # MiniLM


def main() -> None:
    work = Handoff.from_command_line()
    advised = {"reduce_range": True}  # by its documentation, for processors without VNNI
    work.recipe("optimum", "AutoQuantizationConfig.avx2, dynamic", _quantized(work))
    work.recipe(
        "optimum-advised",
        "AutoQuantizationConfig.avx2, dynamic, 7 bits",
        _quantized(work, **advised),
        **advised,
    )
    work.recipe(
        "optimum-optimized",
        "ORTOptimizer of level 2, then avx2, dynamic, 7 bits",
        _quantized(work, optimize=True, **advised),
        **advised,
    )


def _quantized(
    work: Handoff, *, optimize: bool = False, **settings: Any
) -> Callable[[Path], dict[str, Any]]:
    def make(file: Path) -> dict[str, Any]:
        scratch = work.made / f"{file.stem}-optimum"
        source = work.onnx
        if optimize:
            ORTOptimizer([source], BERT).optimize(
                OptimizationConfig(optimization_level=2), scratch / "optimized", file_suffix=""
            )
            source = next((scratch / "optimized").glob("*.onnx"))
        config = AutoQuantizationConfig.avx2(is_static=False, **settings)
        ORTQuantizer(source, BERT).quantize(config, scratch / "int8")
        shutil.copyfile(next((scratch / "int8").glob("*.onnx")), file)
        shutil.rmtree(scratch, ignore_errors=True)
        return {"weights": str(config.weights_dtype), "per_channel": config.per_channel}

    return make


if __name__ == "__main__":
    main()
