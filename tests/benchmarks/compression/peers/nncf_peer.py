"""NNCF: int8 after training, of the ONNX file and of OpenVINO's own form, without and with control
of the accuracy.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import nncf
import numpy as np
import onnx
import openvino
from handoff import Handoff

MAX_DROP = 0.005  # of accuracy on valid


def main() -> None:
    work = Handoff.from_command_line()
    images, _ = work.rows("calibration")
    calibration = nncf.Dataset(list(images[:, None]), lambda image: {"image": image})
    valid = nncf.Dataset(
        list(zip(*work.rows("valid"), strict=True)), lambda row: {"image": row[0][None]}
    )
    plain = {"subset_size": len(images)}
    thorough = {
        "subset_size": len(images),
        "fast_bias_correction": False,
        "target_device": nncf.TargetDevice.CPU,
    }
    controlled = plain | {"max_drop": MAX_DROP}

    def quantized(
        read: Callable[[], Any], write: Callable[[Any, Path], None], **settings: Any
    ) -> Callable[[Path], None]:
        return lambda file: write(nncf.quantize(read(), calibration, **settings), file)

    def kept_accurate(
        read: Callable[[], Any], write: Callable[[Any, Path], None], check: Any
    ) -> Callable[[Path], None]:
        return lambda file: write(
            nncf.quantize_with_accuracy_control(read(), calibration, valid, check, **controlled),
            file,
        )

    onnx_form = (lambda: _onnx(work.onnx), lambda model, file: onnx.save(model, file))
    own_form = (
        lambda: openvino.Core().read_model(work.onnx),
        lambda model, file: openvino.save_model(model, file),
    )
    work.recipe(
        "nncf-onnx", "nncf.quantize on the ONNX file", quantized(*onnx_form, **plain), **plain
    )
    work.recipe(
        "nncf-ir",
        "nncf.quantize, OpenVINO IR",
        quantized(*own_form, **plain),
        ending=".xml",
        **plain,
    )
    work.recipe(
        "nncf-ir-bias",
        "nncf.quantize, OpenVINO IR, thorough bias correction",
        quantized(*own_form, **thorough),
        ending=".xml",
        **thorough,
    )
    work.recipe(
        "nncf-onnx-control",
        "quantize_with_accuracy_control on the ONNX file",
        kept_accurate(*onnx_form, _session_accuracy),
        **controlled,
    )
    work.recipe(
        "nncf-ir-control",
        "quantize_with_accuracy_control, OpenVINO IR",
        kept_accurate(*own_form, _compiled_accuracy),
        ending=".xml",
        **controlled,
    )


def _onnx(path: Path) -> Any:
    model = onnx.load(path)
    if model.graph.input[0].name != "image":
        raise ValueError(f"the input is called {model.graph.input[0].name}")
    return model


def _session_accuracy(model: Any, rows: Iterable[Any]) -> tuple[float, list[float]]:
    import onnxruntime

    content = model if isinstance(model, bytes) else model.SerializeToString()
    session = onnxruntime.InferenceSession(content, providers=["CPUExecutionProvider"])
    right = [
        float(session.run(None, {"image": row[0][None]})[0].argmax() == row[1]) for row in rows
    ]
    return float(np.mean(right)), right


def _compiled_accuracy(model: Any, rows: Iterable[Any]) -> tuple[float, list[float]]:
    right = [float(np.asarray(model(row[0][None])[0]).argmax() == row[1]) for row in rows]
    return float(np.mean(right)), right


if __name__ == "__main__":
    main()
