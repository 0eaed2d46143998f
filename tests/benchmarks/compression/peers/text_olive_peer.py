"""Olive on a text network: its dynamic ONNX quantization, alone and after its graph optimizer."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import olive
from handoff import Handoff

MINILM = {"model_type": "bert", "num_heads": 12, "hidden_size": 384}


def main() -> None:
    work = Handoff.from_command_line()
    work.recipe("olive-text", "OnnxDynamicQuantization, defaults", _run(work))
    advised = {"per_channel": True, "reduce_range": True}
    work.recipe(
        "olive-text-advised",
        "OnnxDynamicQuantization, per channel, 7 bits",
        _run(work, **advised),
        **advised,
    )
    work.recipe(
        "olive-text-optimized",
        "OrtTransformersOptimization, then OnnxDynamicQuantization, per channel, 7 bits",
        _run(work, {"optimize": {"type": "OrtTransformersOptimization", **MINILM}}, **advised),
        **advised,
    )


def _run(
    work: Handoff, before: dict[str, Any] | None = None, **settings: Any
) -> Callable[[Path], None]:
    def make(file: Path) -> None:
        scratch = work.made / f"{file.stem}-olive"
        result = olive.run(
            {
                "input_model": {"type": "ONNXModel", "model_path": str(work.onnx)},
                "passes": {
                    **(before or {}),
                    "quantize": {"type": "OnnxDynamicQuantization", **settings},
                },
                "cache_dir": str(scratch / "cache"),
                "output_dir": str(scratch / "out"),
                "log_severity_level": 3,
            }
        )
        shutil.copyfile(result.get_best_candidate().model_path, file)
        shutil.rmtree(scratch, ignore_errors=True)

    return make


if __name__ == "__main__":
    main()
