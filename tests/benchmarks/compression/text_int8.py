"""MiniLM on `reviews` in int8: `python -m tests.benchmarks.compression.text_int8 --weights FILE`.

The rows are fp32 in ONNX Runtime, its own dynamic quantization, this workbench, and other tools in
environments of their own (`--peers nncf olive optimum`). All files are timed in one process on one
thread, in interleaved blocks. `--weights` is the fine-tuned network of `python -m
workbench.reproduce.teacher --weights FILE`; without it the head is untrained, so that only equal
predictions say something about the loss.

Times are medians of all calls, by the clock and of processor time, which other work on the machine
disturbs less. A factor is that of the medians of processor time. Files that an earlier run wrote
into `--out` are not made again, so that making them and timing them can be two runs.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial
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
    parser.add_argument(
        "--blocks", type=int, default=8, help="blocks of calls of each row; 0 only makes the files"
    )
    parser.add_argument("--valid-rows", type=int, default=None, help="rows of valid; default all")
    parser.add_argument("--peers", nargs="*", default=[], choices=list(TEXT_PEERS))
    parser.add_argument("--runtime", default="onnxruntime", choices=["onnxruntime", "openvino"])
    parser.add_argument(
        "--only", nargs="*", default=[], help="words that a file's name begins with"
    )
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
    files = {"fp32": exported.model}
    files |= _kept(given.out, "workbench", lambda: _own(task, start, exported, given.out))
    files |= _kept(given.out, "onnxruntime", lambda: _plain_dynamic(exported.model))
    for name in given.peers:
        files |= _kept(given.out, name, partial(_of_peer, name, task, exported, given))
    if not given.blocks:
        return
    if given.only:
        files = {n: f for n, f in files.items() if n.startswith(("fp32", *given.only))}
    table = measured(files, exported, task, given)
    table.to_csv(given.out / f"{given.runtime}.csv", index=False)
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


def _kept(folder: Path, group: str, make: Callable[[], dict[str, bytes]]) -> dict[str, bytes]:
    """The files of a group by their names, from an earlier run if it made them."""
    record = folder / f"{group}.json"
    if not record.exists():
        files = make()
        for number, content in enumerate(files.values()):
            (folder / f"{group}-{number}.onnx").write_bytes(content)
        if not files:
            return {}
        record.write_text(json.dumps(list(files)), encoding="utf-8")
    names = json.loads(record.read_text(encoding="utf-8"))
    return {name: (folder / f"{group}-{n}.onnx").read_bytes() for n, name in enumerate(names)}


def _plain_dynamic(content: bytes) -> dict[str, bytes]:
    """ONNX Runtime's own dynamic quantization, after its own preparation, 7 bits where needed."""
    from onnxruntime.quantization import QuantType, quantize_dynamic
    from onnxruntime.quantization.shape_inference import quant_pre_process

    from workbench.system.machine import lacks_int8_products

    files = {}
    with tempfile.TemporaryDirectory() as scratch:
        plain, prepared, int8 = (
            Path(scratch) / f"{name}.onnx" for name in ("fp32", "prepared", "int8")
        )
        plain.write_bytes(content)
        quant_pre_process(str(plain), str(prepared), skip_symbolic_shape=True)
        for per_channel in (False, True):
            quantize_dynamic(
                str(prepared),
                str(int8),
                weight_type=QuantType.QInt8,
                per_channel=per_channel,
                reduce_range=lacks_int8_products(),
            )
            name = f"quantize_dynamic{', per channel' if per_channel else ''}"
            files[name] = int8.read_bytes()
    return files


def _of_peer(
    name: str, task: Task, exported: Candidate, given: argparse.Namespace
) -> dict[str, bytes]:
    """The files of another tool; one that fails is told and left out."""
    peer, folder = TEXT_PEERS[name], given.out / "made" / name
    handed = given.out / "given"
    (handed / "network").mkdir(parents=True, exist_ok=True)
    (handed / "network" / "model.onnx").write_bytes(exported.model)
    rows = task.data.calibration.take(slice(0, 128)).prepared(exported.prepare)
    np.savez(handed / "calibration.npz", **rows.inputs, targets=rows.targets)
    try:
        run_script(peer, ready(peer, given.environments), handed, folder)
    except PeerError as error:
        print(f"{peer.title}: {error}", flush=True)
    if not (folder / "result.json").exists():
        return {}
    files = {}
    for line in json.loads((folder / "result.json").read_text(encoding="utf-8"))["made"]:
        print(f"{peer.title}: {line['does']}: {line.get('error') or 'made'}", flush=True)
        if line["file"]:
            files[f"{peer.title}: {line['does']}"] = (folder / line["file"]).read_bytes()
    return files


def measured(
    files: dict[str, bytes], exported: Candidate, task: Task, given: argparse.Namespace
) -> pd.DataFrame:
    """A row for each file: times, factor against the first file, share of the peak, size, loss."""
    runners = {
        name: predictor(replace(exported, model=content), given.runtime, threads=1)
        for name, content in files.items()
    }
    times = {
        size: _times(runners, task.example(size, exported.prepare), given.blocks, size)
        for size in BATCHES
    }
    macs = macs_onnx(exported.model, task.example(2, exported.prepare))
    peak = peaks(1)
    valid = task.data.valid.take(slice(0, given.valid_rows))
    prepared: Any = valid.prepared(exported.prepare)
    outputs = {name: _outputs(runner, prepared.inputs) for name, runner in runners.items()}
    first = next(iter(files))
    expected = outputs[first].argmax(1)
    table = []
    for name, content in files.items():
        row: dict[str, Any] = {"file": name, "MB": len(content) / 1e6}
        for size in BATCHES:
            clock, processor = np.median(times[size][name], axis=0)
            row |= {
                f"b{size} ms": 1e3 * clock,
                f"b{size} cpu ms": 1e3 * processor,
                f"b{size} best": 1e3 * times[size][name][:, 1].min(),
                f"b{size} x": np.median(times[size][first], axis=0)[1] / processor,
            }
        operations = 2 * macs * max(BATCHES) / times[max(BATCHES)][name][:, 1].min() / 1e9
        row["of peak"] = operations / peak["fp32" if name == first else "int8"]
        row["accuracy"] = float(task.metric(outputs[name], valid.targets))
        row["equal predictions"] = float(np.mean(outputs[name].argmax(1) == expected))
        table.append(row)
    return pd.DataFrame(table)


def _times(
    runners: dict[str, Any], inputs: dict[str, np.ndarray], blocks: int, size: int
) -> dict[str, np.ndarray]:
    """Seconds of all calls of each runner `(calls, 2)`: by the clock, and of processor time.

    The blocks of the runners alternate, every other round in reverse order.
    """
    times: dict[str, list[tuple[float, float]]] = {name: [] for name in runners}
    for runner in runners.values():
        runner.predict(inputs)
    for block in range(blocks):
        for name in list(runners) if block % 2 else list(reversed(runners)):
            for _ in range(BATCHES[size]):
                started, busy = time.perf_counter(), time.process_time()
                runners[name].predict(inputs)
                processor = time.process_time() - busy
                times[name].append((time.perf_counter() - started, processor))
    return {name: np.array(calls) for name, calls in times.items()}


def _outputs(runner: Any, inputs: dict[str, np.ndarray]) -> np.ndarray:
    n_rows = len(next(iter(inputs.values())))
    parts = [
        runner.predict({name: a[start : start + ROWS_AT_ONCE] for name, a in inputs.items()})
        for start in range(0, n_rows, ROWS_AT_ONCE)
    ]
    return np.concatenate(parts)


if __name__ == "__main__":
    main()
