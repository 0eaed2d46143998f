"""All that peers made, measured alike: quality on the test rows, latency side by side with torch
eager fp32, size.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from tests.benchmarks.compression.peers.engines import Compiled, entries, size_bytes
from tests.benchmarks.compression.peers.environments import Peer
from tests.benchmarks.compression.peers.handoff import last_line
from workbench.measure import compare_quality, compare_timings, quality, time_side_by_side
from workbench.runtimes import predictor
from workbench.task import Candidate, Task

__all__ = ["Failure", "markdown", "measured"]

EAGER = "torch eager"
BATCH_SIZES = (1, 64)
# test rows in a call, which divides their number: a compiled program is compiled for one size
CHUNK = 250


@dataclass(frozen=True)
class Failure:
    """What could not be had of a peer, and why."""

    peer: Peer
    name: str
    why: str
    version: str = ""


@dataclass(frozen=True)
class _Line:
    candidate: Candidate
    runtime: str
    about: dict[str, Any]
    outputs: np.ndarray


def measured(
    made: Mapping[str, tuple[Peer, Path]],
    failures: list[Failure],
    task: Task,
    start: Candidate,
    onnx: Candidate,
    budget: str,
) -> pd.DataFrame:
    """A row a model and engine, failures last; `made` maps peers' names to the folders of their
    results.
    """
    inputs = task.data.test.prepared(start.prepare).inputs
    name, images = next(iter(inputs.items()))
    lines = {
        EAGER: _line(
            start,
            "torch",
            {"peer": "none", "does": "fp32", "engine": EAGER, "bytes": 0},
            images,
            name,
        )
    }
    own = {"peer": "none", "does": "fp32, as ONNX", "bytes": len(onnx.model)}
    for engine, runtime in (
        ("ONNX Runtime", "onnxruntime"),
        ("OpenVINO", "openvino"),
        ("OpenVINO in bf16", "openvino-bf16"),
    ):
        lines[f"fp32 {engine}"] = _line(onnx, runtime, own | {"engine": engine}, images, name)
    for peer, folder in made.values():
        result = json.loads((folder / "result.json").read_text(encoding="utf-8"))
        version = result["versions"].get(peer.package, "")
        for each in result["made"]:
            if not each["file"]:
                failures.append(Failure(peer, each["name"], each["error"], version))
                continue
            about = {
                "peer": peer.title,
                "version": version,
                "recipe": each["name"],
                "does": each["does"],
                "seconds": each["seconds"],
            }
            _add(lines, about, folder / each["file"], (start, images, name), failures, peer)
    return _table(lines, failures, task, budget)


def _add(
    lines: dict[str, _Line],
    about: dict[str, Any],
    file: Path,
    given: Any,
    failures: list[Failure],
    peer: Peer,
) -> None:
    """A line for each engine that runs the file, and a failure for each that does not."""
    start, images, name = given
    about = about | {"bytes": size_bytes(file)}
    try:
        for engine, candidate, runtime in entries(about["recipe"], file, start, images.shape[1:]):
            try:
                lines[f"{about['recipe']} {engine}"] = _line(
                    candidate, runtime, about | {"engine": engine}, images, name
                )
            except Exception as error:
                failures.append(
                    Failure(
                        peer, f"{about['recipe']} on {engine}", last_line(error), about["version"]
                    )
                )
    except Exception as error:
        failures.append(Failure(peer, about["recipe"], last_line(error), about["version"]))


def _line(
    candidate: Candidate, runtime: str, about: dict[str, Any], images: np.ndarray, name: str
) -> _Line:
    runner = predictor(candidate, runtime)
    try:
        parts = [
            runner.predict({name: images[i : i + CHUNK]}) for i in range(0, len(images), CHUNK)
        ]
    finally:
        runner.close()
    return _Line(candidate, runtime, about, np.concatenate(parts))


def _table(
    lines: dict[str, _Line], failures: list[Failure], task: Task, budget: str
) -> pd.DataFrame:
    os.environ["TORCHINDUCTOR_FREEZING"] = (
        "1"  # without it torch.compile leaves quantized graphs in float
    )
    timings = time_side_by_side(
        {name: (line.candidate, line.runtime) for name, line in lines.items()},
        lambda candidate, n: _inputs(candidate, task.example(n, candidate.prepare)),
        batch_sizes=BATCH_SIZES,
        threads=1,
        budget=budget,
    )
    targets, first = task.data.test.targets, lines[EAGER]
    rows = []
    for name, line in lines.items():
        score = quality(line.outputs, targets, task.metric)
        verdict = compare_quality(first.outputs, line.outputs, targets, task.metric)
        row = line.about | {
            "accuracy": score.value,
            "accuracy_low": score.low,
            "accuracy_high": score.high,
            "verdict": verdict.decision,
            "points_lost": -100 * verdict.difference,
            "points_lost_at_most": -100 * verdict.low,
            "busy": timings[name].busy,
        }
        for size in BATCH_SIZES:
            speed = compare_timings(timings[EAGER], timings[name], batch_size=size)
            row |= {
                f"ms_{size}": timings[name].at(size).best_ms,
                f"factor_{size}": 1 / speed.difference,
                f"factor_{size}_low": 1 / speed.high,
                f"factor_{size}_high": 1 / speed.low,
            }
        rows.append(row)
    rows += [
        {"peer": f.peer.title, "version": f.version, "recipe": f.name, "failed": f.why}
        for f in failures
    ]
    return pd.DataFrame(rows)


def _inputs(candidate: Candidate, inputs: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """An estimator's predictor flattens images and copies them, unless they come as a matrix `x`:
    20 us that are not OpenVINO's.
    """
    if not isinstance(candidate.model, Compiled):
        return inputs
    return {"x": np.concatenate([a.reshape(len(a), -1) for a in inputs.values()], axis=1)}


def markdown(table: pd.DataFrame) -> str:
    """The table as people read it."""
    head = (
        "peer",
        "version",
        "what it did",
        "engine",
        "accuracy (95 %)",
        "points lost, at most",
        "verdict",
        "KB",
        "faster at 1",
        "at 64",
    )
    lines = [f"| {' | '.join(head)} |", "|" + "---|" * len(head)]
    for row in table.to_dict("records"):
        shown = [row["peer"], _text(row.get("version")), _text(row.get("does")) or row["recipe"]]
        if _text(row.get("failed")):
            lines.append(
                f"| {' | '.join(shown)} | failed: {row['failed'].replace('|', '/')} |" + " |" * 6
            )
            continue
        shown += [
            row["engine"],
            f"{100 * row['accuracy']:.2f} ({100 * row['accuracy_low']:.2f} to "
            f"{100 * row['accuracy_high']:.2f})",
            f"{row['points_lost']:+.2f}, {row['points_lost_at_most']:+.2f}",
            row["verdict"],
            f"{row['bytes'] / 1000:.0f}" if row["bytes"] else "",
            f"{row['factor_1']:.1f}",
            f"{row['factor_64']:.1f}",
        ]
        lines.append(f"| {' | '.join(shown)} |")
    return "\n".join(lines) + "\n"


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""
