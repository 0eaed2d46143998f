"""MiniLM on `reviews` in int8: `python -m tests.benchmarks.compression.text_int8 --weights FILE`.

The rows are fp32 in ONNX Runtime, its own dynamic quantization, this workbench, and other tools in
environments of their own (`--peers nncf olive optimum`). All files are timed in one process on one thread,
in interleaved blocks. `--weights` is the fine-tuned network of `python -m
workbench.reproduce.teacher --weights FILE`; without it the head is untrained, so that only equal
predictions say something about the loss.

Two times are printed for each call: the shortest by the clock, and the shortest of processor time,
which other work on the machine disturbs less.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from tests.benchmarks.compression.peers.environments import (
    DEFAULT,
    TEXT_PEERS,
    PeerError,
    ready,
    run_script,
)
from workbench.measure.macs import macs_onnx
from workbench.measure.roofline import peaks
from workbench.runtimes import predictor
from workbench.runtimes.to_onnx import to_onnx
from workbench.task import Candidate, Task
from workbench.tasks import load_task
from workbench.technique import Job
from workbench.techniques import get_technique
from workbench.techniques.quantization import QuantizationSettings

BATCHES = {1: 10, 64: 1}  # batch sizes, and the calls of a block
ROWS_AT_ONCE = 64


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--weights", type=Path, help="the fine-tuned MiniLM")
    parser.add_argument("--blocks", type=int, default=8, help="blocks of calls of each row")
    parser.add_argument("--valid-rows", type=int, default=None, help="rows of valid; default all")
    parser.add_argument("--peers", nargs="*", default=[], choices=list(TEXT_PEERS))
    parser.add_argument("--environments", type=Path, default=DEFAULT)
    parser.add_argument("--out", type=Path, default=Path("runs/text_int8"))
    given = parser.parse_args()
    given.out.mkdir(parents=True, exist_ok=True)
    task = load_task("reviews").without_test()
    start, _ = task.candidate("minilm", seed=0)
    if given.weights:
        from safetensors.torch import load_file

        start.model.load_state_dict(load_file(given.weights))
    start.model.eval()
    exported = to_onnx(start, task.example(16, start.prepare))
    files = {"fp32": exported.model, **_own(task, start, exported, given.out)}
    for per_channel in (False, True):
        name = f"quantize_dynamic{', per channel' if per_channel else ''}"
        files[name] = _plain_dynamic(exported.model, per_channel)
    files |= _of_peers(given.peers, task, exported, given)
    table = measured(files, exported, task, given.blocks, given.valid_rows)
    table.to_csv(given.out / "table.csv", index=False)
    print(table.to_string(index=False, float_format="{:.4g}".format))


def _own(task: Task, start: Candidate, exported: Candidate, folder: Path) -> dict[str, bytes]:
    """The files of the workbench, by method."""
    technique = get_technique("quantization")
    files = {}
    for method in ("dynamic", "static"):
        job = Job(task, start, folder, cache=folder / "cache", exported=exported)
        settings = {"activation_type": "uint8"} if method == "static" else {}
        outcome = technique(job, QuantizationSettings(method=method, budget="smoke", **settings))
        print(f"workbench, {method}:", *outcome.notes, sep="\n  ", flush=True)
        files[f"workbench, {method}"] = outcome.candidate.model
    return files


def _plain_dynamic(content: bytes, per_channel: bool) -> bytes:
    """ONNX Runtime's own dynamic quantization, after its own preparation, 7 bits where needed."""
    from onnxruntime.quantization import QuantType, quantize_dynamic
    from onnxruntime.quantization.shape_inference import quant_pre_process

    from workbench.system.machine import lacks_int8_products

    with tempfile.TemporaryDirectory() as scratch:
        plain, prepared, int8 = (
            Path(scratch) / f"{name}.onnx" for name in ("fp32", "prepared", "int8")
        )
        plain.write_bytes(content)
        quant_pre_process(str(plain), str(prepared), skip_symbolic_shape=True)
        quantize_dynamic(
            str(prepared),
            str(int8),
            weight_type=QuantType.QInt8,
            per_channel=per_channel,
            reduce_range=lacks_int8_products(),
        )
        return int8.read_bytes()


def _of_peers(
    names: list[str], task: Task, exported: Candidate, given: argparse.Namespace
) -> dict[str, bytes]:
    """The files of other tools; a tool that fails is told and left out."""
    if not names:
        return {}
    handed = given.out / "given"
    (handed / "network").mkdir(parents=True, exist_ok=True)
    (handed / "network" / "model.onnx").write_bytes(exported.model)
    rows = task.data.calibration.take(slice(0, 128)).prepared(exported.prepare)
    np.savez(handed / "calibration.npz", **rows.inputs, targets=rows.targets)
    files = {}
    for name in names:
        peer, folder = TEXT_PEERS[name], given.out / "made" / name
        try:
            run_script(peer, ready(peer, given.environments), handed, folder)
        except PeerError as error:
            print(f"{peer.title}: {error}", flush=True)
        if (folder / "result.json").exists():
            for line in json.loads((folder / "result.json").read_text(encoding="utf-8"))["made"]:
                print(f"{peer.title}: {line['does']}: {line.get('error') or 'made'}", flush=True)
                if line["file"]:
                    files[f"{peer.title}: {line['does']}"] = (folder / line["file"]).read_bytes()
    return files


def measured(
    files: dict[str, bytes], exported: Candidate, task: Task, blocks: int, valid_rows: int | None
) -> pd.DataFrame:
    """A row for each file: times, factor against the first file, share of the peak, size, loss."""
    runners = {
        name: predictor(replace(exported, model=content), "onnxruntime", threads=1)
        for name, content in files.items()
    }
    best = {
        size: _best(runners, task.example(size, exported.prepare), blocks, size) for size in BATCHES
    }
    macs = macs_onnx(exported.model, task.example(2, exported.prepare))
    peak = peaks(1)
    valid = task.data.valid.take(slice(0, valid_rows))
    prepared: Any = valid.prepared(exported.prepare)
    outputs = {name: _outputs(runner, prepared.inputs) for name, runner in runners.items()}
    first = next(iter(files))
    expected = outputs[first].argmax(1)
    table = []
    for name, content in files.items():
        row: dict[str, Any] = {"file": name, "MB": len(content) / 1e6}
        for size in BATCHES:
            clock, processor = best[size][name]
            row |= {
                f"b{size} ms": 1e3 * clock,
                f"b{size} cpu ms": 1e3 * processor,
                f"b{size} cpu x": best[size][first][1] / processor,
            }
        operations = 2 * macs * max(BATCHES) / best[max(BATCHES)][name][1] / 1e9
        row["of peak"] = operations / peak["fp32" if name == first else "int8"]
        row["accuracy"] = float(task.metric(outputs[name], valid.targets))
        row["equal predictions"] = float(np.mean(outputs[name].argmax(1) == expected))
        table.append(row)
    return pd.DataFrame(table)


def _best(
    runners: dict[str, Any], inputs: dict[str, np.ndarray], blocks: int, size: int
) -> dict[str, tuple[float, float]]:
    """Shortest call of each runner in seconds, by the clock and of processor time."""
    clock = dict.fromkeys(runners, float("inf"))
    processor = dict(clock)
    for block in range(blocks):
        names = list(runners) if block % 2 else list(reversed(runners))
        for name in names:
            for _ in range(BATCHES[size]):
                started, busy = time.perf_counter(), time.process_time()
                runners[name].predict(inputs)
                processor[name] = min(processor[name], time.process_time() - busy)
                clock[name] = min(clock[name], time.perf_counter() - started)
    return {name: (clock[name], processor[name]) for name in runners}


def _outputs(runner: Any, inputs: dict[str, np.ndarray]) -> np.ndarray:
    n_rows = len(next(iter(inputs.values())))
    parts = [
        runner.predict({name: a[start : start + ROWS_AT_ONCE] for name, a in inputs.items()})
        for start in range(0, n_rows, ROWS_AT_ONCE)
    ]
    return np.concatenate(parts)


if __name__ == "__main__":
    main()
