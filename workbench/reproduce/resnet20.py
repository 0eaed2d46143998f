"""Train the reference weights of fashion/resnet20, and write them with their log.

The command is `python -m workbench.reproduce.resnet20`. It trains on the 54,000 train rows of
`fashion-full`: no row of valid, calibration or test is among them.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import Any

from workbench.models.reference import FILES, LOG, WEIGHTS
from workbench.system.files import sha256_of

__all__ = ["train_resnet20"]


def train_resnet20(
    *, epochs: int = 24, seed: int = 0, checkpoint: Path | None = None
) -> dict[str, Any]:
    """Train, write weights and log, and return the log; test is used once, at the end."""
    import numpy as np
    from safetensors.torch import save_file

    from workbench.events import Event, Report
    from workbench.models.networks import build_seeded
    from workbench.models.resnet import resnet20
    from workbench.system.machine import host
    from workbench.tasks import load_task
    from workbench.training import FitSettings, fit
    from workbench.training.evaluate import predict_torch

    def show(event: Event) -> None:
        if event.kind == "curve" and event.data["name"].startswith("valid"):
            print(f"step {event.data['x']}: {event.data['name']} {event.data['y']:.4f}", flush=True)

    task = load_task("fashion-full")
    settings = FitSettings(
        epochs=epochs, max_steps=None, lr=0.1, optimizer="sgd", weight_decay=5e-4, patience=1000
    )
    started = time.time()
    fitted = fit(
        build_seeded(resnet20, seed),
        task.without_test(),
        settings.resolved("standard"),
        report=Report(show),
        seed=seed,
        checkpoint=checkpoint,
    )
    FILES.mkdir(exist_ok=True)
    save_file({k: v.contiguous() for k, v in fitted.model.state_dict().items()}, WEIGHTS)
    accuracy = {}
    for split in ("valid", "test"):
        rows = getattr(task.data, split)
        outputs = predict_torch(fitted.model, rows, prepare=task.prepare)
        accuracy[split] = float(np.mean(outputs.argmax(1) == rows.targets))
    log = {
        "command": f"python -m workbench.reproduce.resnet20 --epochs {epochs} --seed {seed}",
        "seed": seed,
        "task": "fashion-full",
        "settings": settings.resolved("standard").tree(),
        "choices": fitted.choices,
        "n_steps": fitted.n_steps,
        "seconds": round(time.time() - started),
        "accuracy": accuracy,
        "best_epoch": fitted.best_epoch,
        "history": fitted.history,
        "sha256": sha256_of(WEIGHTS),
        "host": {**host().to_json(), "name": ""},
    }
    LOG.write_text(json.dumps(log, indent=1), encoding="utf-8")
    return log


def main(arguments: list[str]) -> None:
    """Train with the options of the command line, and print the accuracy on valid and test."""
    import argparse

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--epochs", type=int, default=24)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument(
        "--checkpoint", type=Path, help="file to continue from after an interruption"
    )
    options = parser.parse_args(arguments)
    print(json.dumps(train_resnet20(**vars(options))["accuracy"]))


if __name__ == "__main__":
    main(sys.argv[1:])
