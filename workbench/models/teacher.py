"""What a fine-tuned MiniLM says about every review: a teacher's answers, at hand without its 90 MB of weights.

`python -m workbench.models.teacher` fine-tunes MiniLM on the train rows of `reviews` (the best epoch on valid is kept), and
writes its logits for all rows, with the log beside them. Whoever learns from them gets those of train; those of test are
there to compare with, once, at the end.
"""

from __future__ import annotations

import hashlib
import io
import json
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np

from workbench.data.rows import SPLIT_NAMES
from workbench.errors import CandidateError, UnknownName, unknown

__all__ = ["teacher_logits", "train_teacher"]

FILES = Path(__file__).parent / "files"
LOGITS = FILES / "reviews-minilm-logits.npz"
LOG = FILES / "reviews-minilm-logits.json"  # command, seed, settings, history, hash, accuracy


def teacher_logits(split: str = "train") -> np.ndarray:
    """Logits of the fine-tuned MiniLM, float32 `(rows, 2)`, in the order of the rows of `reviews`.

    Raises UnknownName for a split that there is not, CandidateError when the file is not the one that was logged.
    """
    if split not in SPLIT_NAMES:
        raise UnknownName(unknown("split", split, SPLIT_NAMES))
    content = LOGITS.read_bytes()
    found, wanted = hashlib.sha256(content).hexdigest(), json.loads(LOG.read_text(encoding="utf-8"))["sha256"]
    if found != wanted:
        raise CandidateError(f"{LOGITS} has the hash {found[:12]}, not {wanted[:12]} of its log: install the package again.")
    with np.load(io.BytesIO(content)) as arrays:
        return arrays[split].astype(np.float32)


def train_teacher(
    *,
    epochs: int | None = None,
    lr: float | None = None,
    seed: int = 0,
    checkpoint: Path | None = None,
    weights: Path | None = None,
) -> dict[str, Any]:
    """Fine-tune, write logits and log, and return the log; test is looked at once, at the end. `weights` keeps those too."""
    import torch
    from safetensors.torch import save_file

    from workbench.events import Event, Report
    from workbench.system.machine import host
    from workbench.measure.statistics.quality import quality
    from workbench.measure.statistics.verdict import compare_quality
    from workbench.models.estimators import as_features
    from workbench.training.evaluate import predict_torch
    from workbench.runtimes import predictor
    from workbench.tasks.builtin import load_task
    from workbench.training.loop import FitSettings, fit

    def show(event: Event) -> None:
        if event.kind == "curve":
            print(
                f"{time.time() - started:.0f} s, step {event.data['x']}: {event.data['name']} {event.data['y']:.4f}", flush=True
            )

    task = load_task("reviews")
    candidate, _ = task.candidate("minilm", seed=seed)
    chosen = {k: v for k, v in {"epochs": epochs, "lr": lr}.items() if v is not None}
    settings = FitSettings(**{**task.fits["minilm"], **chosen}).resolved("standard")
    started = time.time()
    fitted = fit(
        candidate.model, task.without_test(), settings, prepare=candidate.prepare, report=Report(show), seed=seed,
        checkpoint=checkpoint,
    )  # fmt: skip
    seconds = round(time.time() - started)
    if weights:
        save_file({k: v.contiguous() for k, v in fitted.model.state_dict().items()}, weights)
    logits = {n: predict_torch(fitted.model, getattr(task.data, n), prepare=candidate.prepare) for n in SPLIT_NAMES}
    np.savez_compressed(LOGITS, **{n: a.astype(np.float16) for n, a in logits.items()})
    given = {n: (a.astype(np.float16).astype(np.float32), getattr(task.data, n).targets) for n, a in logits.items()}
    baseline, _ = task.candidate("tfidf")
    train, test = task.data.train, task.data.test
    baseline.model.fit(as_features(train.inputs), train.targets)
    before = predictor(baseline).predict(dict(test.inputs))
    log = {
        "command": f"python -m workbench.models.teacher --seed {seed}", "seed": seed, "task": "reviews",
        "settings": settings.tree(), "choices": fitted.choices, "n_steps": fitted.n_steps, "seconds": seconds,
        "accuracy": {n: task.metric(*pair) for n, pair in given.items()},
        "quality": {n: quality(*given[n], task.metric).text for n in ("valid", "test")},
        "baseline": {"model": "tfidf", "test": quality(before, test.targets, task.metric).text},
        "against_baseline": compare_quality(before, *given["test"], task.metric).to_json(),
        "best_epoch": fitted.best_epoch, "history": fitted.history, "n_threads": torch.get_num_threads(),
        "sha256": hashlib.sha256(LOGITS.read_bytes()).hexdigest(), "host": {**host().to_json(), "name": ""},
    }  # fmt: skip
    LOG.write_text(json.dumps(log, indent=1), encoding="utf-8")
    return log


def main(arguments: list[str]) -> None:
    import argparse

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--epochs", type=int)
    parser.add_argument("--lr", type=float)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--checkpoint", type=Path, help="file to continue from after an interruption")
    parser.add_argument("--weights", type=Path, help="file to keep the fine-tuned weights in")
    given = parser.parse_args(arguments)
    print(json.dumps(train_teacher(**vars(given))["accuracy"]))


if __name__ == "__main__":
    main(sys.argv[1:])
