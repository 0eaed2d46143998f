"""Intel Neural Compressor: static int8 by PT2E, with min-max and KL calibration, and tuned to an
accuracy.

Its engine is torch.compile; the same graph is also written as QDQ ONNX, which ONNX Runtime and
OpenVINO run.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from handoff import Handoff
from neural_compressor.torch.export import export
from neural_compressor.torch.quantization import (
    StaticQuantConfig,
    TuningConfig,
    autotune,
    convert,
    prepare,
)

TOLERABLE_LOSS = 0.005  # of accuracy on valid, relative
DYNAMIC = ({0: torch.export.Dim("batch")},)


def main() -> None:
    work = Handoff.from_command_line()
    example = (torch.from_numpy(work.rows("calibration")[0][:3]),)

    def exported() -> Any:
        return export(work.network(), example, dynamic_shapes=DYNAMIC)

    def calibrate(model: Any) -> None:
        for images, _ in work.batches("calibration"):
            model(torch.from_numpy(images))

    def static(algorithm: str) -> Callable[[], Any]:
        def make() -> Any:
            model = prepare(
                exported(), StaticQuantConfig(act_algo=algorithm), example_inputs=example
            )
            calibrate(model)
            return convert(model)

        return make

    def tuned() -> Any:
        configs = [
            StaticQuantConfig(act_algo=a, act_sym=s)
            for a in ("minmax", "kl")
            for s in (False, True)
        ]
        settings = TuningConfig(config_set=configs, tolerable_loss=TOLERABLE_LOSS)
        return autotune(
            exported(),
            settings,
            lambda model: _accuracy(model, work),
            run_fn=calibrate,
            example_inputs=example,
        )

    for name, does, make in (
        ("inc-minmax", "PT2E static, min-max", static("minmax")),
        ("inc-kl", "PT2E static, KL", static("kl")),
        ("inc-autotune", "autotune over four static configurations", tuned),
    ):
        made: list[Any] = []
        work.recipe(
            name,
            f"{does}, as ONNX",
            lambda file, m=make, k=made: _as_onnx(_once(m, k), example, file),
        )
        work.recipe(
            f"{name}-inductor",
            f"{does}, torch.compile",
            lambda file, m=make, k=made: _as_program(_once(m, k), example, file),
            ending=".pt2",
        )


def _once(make: Callable[[], Any], kept: list[Any]) -> Any:
    if not kept:
        kept.append(make())
    return kept[0]


def _accuracy(model: Any, work: Handoff) -> float:
    right, n = 0, 0
    with torch.no_grad():
        for images, targets in work.batches("valid", 250):
            right += int(
                (model(torch.from_numpy(images)).argmax(1) == torch.from_numpy(targets)).sum()
            )
            n += len(targets)
    return right / n


def _as_onnx(model: Any, example: tuple[Any, ...], file: Path) -> None:
    with torch.no_grad():
        torch.onnx.export(
            model,
            example,
            dynamo=True,
            dynamic_shapes=DYNAMIC,
            input_names=["image"],
            output_names=["output"],
            opset_version=18,
            verbose=False,
        ).save(file)


def _as_program(model: Any, example: tuple[Any, ...], file: Path) -> None:
    with torch.no_grad():
        torch.export.save(torch.export.export(model, example, dynamic_shapes=DYNAMIC), file)


if __name__ == "__main__":
    main()
