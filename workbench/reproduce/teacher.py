"""Fine-tune MiniLM on the train rows of `reviews`, and write its logits for all rows.

The command is `python -m workbench.reproduce.teacher`. The epoch with the best score on valid is
kept; the log is written beside the logits.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np

from workbench.data.rows import SPLIT_NAMES
from workbench.models.teacher import LOG, LOGITS
from workbench.system.files import sha256_of

__all__ = ["train_teacher"]


def train_teacher(
    *,
    epochs: int | None = None,
    lr: float | None = None,
    seed: int = 0,
    checkpoint: Path | None = None,
    weights: Path | None = None,
) -> dict[str, Any]:
    """Fine-tune, write logits and log, and return the log; test is used once, at the end.

    `weights` is a file for the fine-tuned weights, which are not written without it.
    """
    import torch
    from safetensors.torch import save_file

    from workbench.events import Event, Report
    from workbench.measure.statistics.quality import quality
    from workbench.measure.statistics.verdict import compare_quality
    from workbench.models.estimators import as_features
    from workbench.runtimes import predictor
    from workbench.system.machine import host
    from workbench.tasks import load_task
    from workbench.training import FitSettings, fit
    from workbench.training.evaluate import predict_torch

    def show(event: Event) -> None:
        if event.kind == "curve":
            print(
                f"{time.time() - started:.0f} s, step {event.data['x']}: {event.data['name']} "
                f"{event.data['y']:.4f}",
                flush=True,
            )

    task = load_task("reviews")
    candidate, _ = task.candidate("minilm", seed=seed)
    chosen = {k: v for k, v in {"epochs": epochs, "lr": lr}.items() if v is not None}
    settings = FitSettings(**{**task.fits["minilm"], **chosen}).resolved("standard")
    started = time.time()
    fitted = fit(
        candidate.model,
        task.without_test(),
        settings,
        prepare=candidate.prepare,
        report=Report(show),
        seed=seed,
        checkpoint=checkpoint,
    )
    seconds = round(time.time() - started)
    if weights:
        save_file({k: v.contiguous() for k, v in fitted.model.state_dict().items()}, weights)
    logits = {
        n: predict_torch(fitted.model, getattr(task.data, n), prepare=candidate.prepare)
        for n in SPLIT_NAMES
    }
    halves = {n: a.astype(np.float16) for n, a in logits.items()}
    np.savez_compressed(LOGITS, allow_pickle=False, **halves)
    scored = {n: (a.astype(np.float32), getattr(task.data, n).targets) for n, a in halves.items()}
    baseline, _ = task.candidate("tfidf")
    train: Any = task.data.train
    test: Any = task.data.test
    baseline.model.fit(as_features(train.inputs), train.targets)
    before = predictor(baseline).predict(dict(test.inputs))
    log = {
        "command": f"python -m workbench.reproduce.teacher --seed {seed}",
        "seed": seed,
        "task": "reviews",
        "settings": settings.tree(),
        "choices": fitted.choices,
        "n_steps": fitted.n_steps,
        "seconds": seconds,
        "accuracy": {n: task.metric(*pair) for n, pair in scored.items()},
        "quality": {n: quality(*scored[n], task.metric).text for n in ("valid", "test")},
        "baseline": {"model": "tfidf", "test": quality(before, test.targets, task.metric).text},
        "against_baseline": compare_quality(before, *scored["test"], task.metric).to_json(),
        "best_epoch": fitted.best_epoch,
        "history": fitted.history,
        "n_threads": torch.get_num_threads(),
        "sha256": sha256_of(LOGITS),
        "host": {**host().to_json(), "name": ""},
    }
    LOG.write_text(json.dumps(log, indent=1), encoding="utf-8")
    return log


def main(arguments: list[str]) -> None:
    """Fine-tune with the options of the command line, and print the accuracy by split."""
    import argparse

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--epochs", type=int)
    parser.add_argument("--lr", type=float)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument(
        "--checkpoint", type=Path, help="file to continue from after an interruption"
    )
    parser.add_argument("--weights", type=Path, help="file to keep the fine-tuned weights in")
    options = parser.parse_args(arguments)
    print(json.dumps(train_teacher(**vars(options))["accuracy"]))


if __name__ == "__main__":
    main(sys.argv[1:])
