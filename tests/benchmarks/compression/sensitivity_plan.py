"""Planned ratios against the same ratio everywhere: `python -m
tests.benchmarks.compression.sensitivity_plan`.

resnet20 on fashion, pruned to the same multiply-adds by `scope: uniform` and `scope: sensitivity`,
fine-tuned alike (the same epochs, the same seeds in both), judged on the 10,000 test images.
Verdicts are paired: a seed's two networks on the same images; over seeds, the mean of each image's
difference, with Student's interval over images, and another over seeds.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

import numpy as np

from workbench.events import Report
from workbench.measure import compare_quality, macs_torch
from workbench.measure.statistics.intervals import student
from workbench.task import Task
from workbench.tasks import load_task
from workbench.technique import Job
from workbench.techniques import get_technique
from workbench.techniques.pruning import PruningSettings
from workbench.training.evaluate import predict_torch

ARMS = ("uniform", "sensitivity")


def outputs(
    task: Task, scope: str, seed: int, options: argparse.Namespace, cache: Path
) -> tuple[np.ndarray, int]:
    """Outputs on test `(10000, 10)` of one network, and its multiply-adds."""
    start, _ = task.candidate("resnet20")
    settings = PruningSettings(
        scope=scope,
        pruning_ratio=options.ratio,
        importance=options.importance,
        fit={
            "epochs": options.epochs,
            "precision": options.precision,
            "memory_format": "channels_last",
        },
    )
    with tempfile.TemporaryDirectory() as folder:
        job = Job(task.without_test(), start, Path(folder), seed=seed, cache=cache, report=Report())
        outcome = get_technique("pruning")(job, settings)
    model = outcome.candidate.model
    if seed == 0:
        widths = outcome.evidence["widths"]
        print(
            f"{scope}: "
            + ", ".join(f"{r.layer} {r.channels_after}/{r.channels}" for r in widths.itertuples()),
            flush=True,
        )
    return predict_torch(model, task.data.test, prepare=start.prepare), macs_torch(
        model, task.example(1)
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--ratio", type=float, default=0.5)
    parser.add_argument("--epochs", type=int, default=4)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--importance", default="l2")
    parser.add_argument("--precision", default="bf16")
    parser.add_argument(
        "--cache", type=Path, default=Path(tempfile.gettempdir()) / "workbench-sensitivity"
    )
    options = parser.parse_args()
    task = load_task("fashion")
    targets = np.asarray(task.data.test.targets)
    hits: dict[str, list[np.ndarray]] = {arm: [] for arm in ARMS}
    for seed in range(options.seeds):
        made = {arm: outputs(task, arm, seed, options, options.cache) for arm in ARMS}
        for arm, (values, macs) in made.items():
            hits[arm].append((values.argmax(1) == targets).astype(float))
            print(
                f"seed {seed}, {arm}: {macs / 1e6:.3f} M MACs, accuracy {hits[arm][-1].mean():.4f}",
                flush=True,
            )
        print(
            compare_quality(made["uniform"][0], made["sensitivity"][0], targets, task.metric).text,
            flush=True,
        )
    by_image = np.mean(hits["sensitivity"], 0) - np.mean(hits["uniform"], 0)
    by_seed = np.array(
        [a.mean() - b.mean() for a, b in zip(hits["sensitivity"], hits["uniform"], strict=True)]
    )
    for what, change in (("images", by_image), ("seeds", by_seed)):
        low, high = student(change, 0.05)
        print(
            f"plan - uniform, points: {100 * change.mean():+.2f} [{100 * low:+.2f}, "
            f"{100 * high:+.2f}] over {len(change)} {what}"
        )


if __name__ == "__main__":
    main()
