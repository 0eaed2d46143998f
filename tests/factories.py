"""Run folders as a finished run leaves them, made in milliseconds without training anything."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from workbench.ledger.rows import Row, TestLine
from workbench.measure.statistics.verdict import Verdict
from workbench.system.files import write_bytes, write_json, write_text
from workbench.system.machine import Host

__all__ = ["make_host", "make_row", "make_run", "make_verdict"]

RECIPE = """version: 1
task: {task}
start: {start}
seed: {seed}
budget: {budget}
device: auto
steps:
- pruning: {{pruning_ratio: 0.5, fit: {{epochs: 3}}}}
- quantization
"""
SETTINGS = {
    "start": {},
    "pruning": {
        "budget": "standard",
        "pruning_ratio": 0.5,
        "ignored_layers": ["head"],
        "ratios": {},
        "fit": {"epochs": 3, "lr": 0.01},
    },
    "quantization": {"budget": "standard", "activation_type": "uint8", "calibration_rows": 512},
}


def make_verdict(
    metric: str = "accuracy", decision: Any = "equivalent", difference: float = -0.002
) -> Verdict:
    return Verdict(
        metric,
        decision,
        0.9,
        0.9 + difference,
        difference,
        difference - 0.004,
        difference + 0.004,
        0.01,
        0.006,
        "points",
        1000,
        f"{metric} is {decision}",
    )


def make_row(step: str = "start", technique: str = "", **changes: Any) -> Row:
    row = Row(
        step=step,
        technique=technique,
        candidate=f"resnet20 {step}",
        runtime="onnx",
        metric="accuracy",
        quality=0.9,
        quality_low=0.88,
        quality_high=0.92,
        unit="points",
        size_bytes=1_000_000,
        size_gzip_bytes=900_000,
        parameters=250_000,
        macs=None,
        latencies_ms={1: changes.pop("latency_ms", 1.5), 64: changes.pop("latency_64_ms", 60.0)},
        throughput=1066.0,
        core_seconds_per_million=938.0,
        memory_bytes=50_000_000,
        load_ms=20.0,
        seconds=3.0,
    )
    return replace(row, **changes)


def make_host(**changes: Any) -> Host:
    host = Host(
        "host-a",
        "Some Processor",
        2,
        ("avx2", "avx512_vnni"),
        8 * 2**30,
        "Linux x86_64",
        "3.11.9",
        {"torch": "2.13.0"},
    )
    return replace(host, **changes)


def make_run(
    root: Path,
    name: str = "20261122-101500-fashion-resnet20",
    *,
    task: str = "fashion",
    start: str = "resnet20",
    created: float = 1.8e9,
    quality: float = 0.89,
    seed: int = 0,
    budget: str = "standard",
    status: str = "finished",
) -> Path:
    """The folder of a run: start as torch and ONNX, pruning, quantization; `quality` is what the
    last step reached.
    """
    folder = root / name
    against = (make_verdict(), make_verdict("batch-1 latency", "better", 0.4))
    pruned = make_row(
        "pruning",
        "pruning",
        quality=0.895,
        size_bytes=400_000,
        size_ratio=2.5,
        against_start=against,
    )
    quantized = make_row(
        "quantization",
        "quantization",
        quality=quality,
        size_bytes=110_000,
        size_ratio=9.1,
        speedup_start=4.2,
        against_start=against,
        budget=budget,
    )
    rows = {
        "00-start": (
            "start",
            [make_row("start", runtime="torch"), make_row("onnx", against_start=(make_verdict(),))],
        ),
        "01-pruning": ("pruning", [pruned]),
        "02-quantization": ("quantization", [quantized]),
    }
    for place, (technique, made) in rows.items():
        step = {
            "version": 1,
            "technique": technique,
            "settings": SETTINGS[technique],
            "resolved": SETTINGS[technique],
            "seconds": 3.0,
            "notes": [],
            "rows": [r.to_json() for r in made],
            "host": make_host().to_json(),
        }
        write_json(folder / "steps" / place / "step.json", step)
        write_json(
            folder / "steps" / place / "candidate.json",
            {"version": 1, "name": technique, "sha256": {"model.onnx": f"sha-{place}"}},
        )
        write_bytes(folder / "steps" / place / "model.onnx", b"onnx")
    write_text(
        folder / "recipe.yml", RECIPE.format(task=task, start=start, seed=seed, budget=budget)
    )
    write_json(
        folder / "run.json",
        {"version": 1, "name": name, "store": "", "created": created, "started_in": str(root)},
    )
    write_json(
        folder / "state.json",
        {"status": status, "error": "", "time": created + 30, "pid": None, "born": None},
    )
    write_json(folder / "ledger.json", [r.to_json() for _, made in rows.values() for r in made])
    line = TestLine(
        "resnet20 quantization",
        "accuracy",
        "points",
        2000,
        (0.9, 0.88, 0.92),
        (quality, 0.87, 0.91),
        (make_verdict(),),
    )
    write_json(folder / "final.json", line.to_json())
    return folder
