"""ModelOpt: int8 of the ONNX file with its two calibrations, and FastNAS pruning with fine-tuning
before it.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from handoff import BATCH, Handoff
from modelopt.onnx.quantization import quantize
from torch.nn import functional as F

FLOPS = "50%"
EPOCHS = 12


def main() -> None:
    work = Handoff.from_command_line()

    def int8(source: Path, method: str) -> Callable[[Path], None]:
        return lambda file: quantize(
            str(source),
            quantize_mode="int8",
            calibration_data=work.rows("calibration")[0],
            calibration_method=method,
            calibration_eps=["cpu"],
            high_precision_dtype="fp32",
            output_path=str(file),
            log_level="ERROR",
        )

    for method in ("entropy", "max"):
        settings = {"calibration_method": method, "high_precision_dtype": "fp32"}
        work.recipe(
            f"modelopt-{method}",
            f"ONNX int8, {method} calibration",
            int8(work.onnx, method),
            **settings,
        )
    settings = {"flops": FLOPS, "epochs": EPOCHS}
    work.recipe(
        "modelopt-fastnas",
        "FastNAS pruning and fine-tuning",
        lambda file: _pruned(work, file),
        **settings,
    )
    pruned = work.made / "modelopt-fastnas.onnx"
    if pruned.exists():
        work.recipe(
            "modelopt-fastnas-int8",
            "FastNAS, fine-tuning, then int8",
            int8(pruned, "max"),
            **settings,
        )


def _pruned(work: Handoff, file: Path) -> dict[str, Any]:
    import modelopt.torch.prune as mtp

    example = torch.from_numpy(work.rows("calibration")[0][:2])
    batches = [torch.from_numpy(images) for images, _ in work.batches("calibration")]
    pruned, _ = mtp.prune(
        work.network(),
        mode=[("fastnas", mtp.fastnas.FastNASConfig())],
        constraints={"flops": FLOPS},
        dummy_input=example[:1],
        config={
            "data_loader": batches,
            "score_func": lambda model: _accuracy(model, work),
            "collect_func": lambda batch: batch,
            "checkpoint": str(work.made / "fastnas-search.pth"),
        },
    )
    before = _accuracy(pruned, work)
    tuned = _fine_tuned(pruned, work)
    torch.onnx.export(
        tuned.eval(),
        (example,),
        str(file),
        dynamo=False,
        input_names=["image"],
        output_names=["output"],
        dynamic_axes={"image": {0: "batch"}, "output": {0: "batch"}},
        opset_version=17,
    )
    return {"valid_before": before, "valid_after": _accuracy(tuned, work)}


def _fine_tuned(model: Any, work: Handoff) -> Any:
    """SGD with a cosine, mirrored images; the best epoch by valid."""
    images, targets = (torch.from_numpy(a) for a in work.rows("train"))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.02, momentum=0.9, weight_decay=5e-4)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, EPOCHS)
    best, kept = 0.0, model
    generator = torch.Generator().manual_seed(0)
    for _ in range(EPOCHS):
        model.train()
        for chosen in torch.randperm(len(images), generator=generator).split(2 * BATCH):
            rows = images[chosen]
            rows = rows.flip(3) if torch.rand((), generator=generator) < 0.5 else rows
            optimizer.zero_grad(set_to_none=True)
            F.cross_entropy(model(rows), targets[chosen]).backward()
            optimizer.step()
        schedule.step()
        found = _accuracy(model, work)
        if found > best:
            best, kept = found, copy.deepcopy(model)
    return kept


def _accuracy(model: Any, work: Handoff) -> float:
    model.eval()
    with torch.no_grad():
        right = [
            (model(torch.from_numpy(x)).argmax(1) == torch.from_numpy(y)).float()
            for x, y in work.batches("valid", 250)
        ]
    return float(torch.cat(right).mean())


if __name__ == "__main__":
    main()
