"""Peak speed of this machine in each precision, and the fraction of it that a model reaches.

The peak is that of a large matrix product. A model at 80 % of the peak gets faster only with fewer
multiply-adds (pruning, distillation); one at 5 % gets faster with fewer or larger operators, larger
batches, or another runtime. See Williams, Waterman, Patterson, "Roofline" (CACM 52, 2009); of its
two limits, only the one of arithmetic is measured here.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from contextlib import suppress
from functools import lru_cache
from pathlib import Path

import numpy as np

from workbench.measure.coverage import Coverage
from workbench.measure.timing.records import Timing
from workbench.system.files import read_json, write_json
from workbench.system.machine import machine_file
from workbench.system.turns import timing_turn

__all__ = ["fraction_of_peak", "peak_share", "peaks"]

# Rows and columns of the square matrices: large enough for the peak, small enough for the caches.
SIZE = 1024
PROBE_SECONDS = 0.25  # for each precision and library
KEPT_SECONDS = 7 * 24 * 3600
UNDISTURBED = 0.9  # share of the time that a thread must get for its measurement to be kept


def peaks(threads: int = 1) -> dict[str, float]:
    """Peak in fp32, bf16 and int8, in billions of operations a second (a multiply-add is two).

    It is the peak of the fastest installed library. Each is measured in about half a second, and
    kept for this machine for a week, unless other work slowed the measurement. int8 multiplies
    uint8 with int8, as quantized networks do.
    """
    return {precision: peak_of(precision, threads) for precision in PROBES}


@lru_cache(maxsize=32)
def peak_of(precision: str, threads: int = 1) -> float:
    """The peak in one precision, as `peaks` gives it."""
    file = _file(precision, threads)
    with suppress(OSError, ValueError, KeyError, TypeError):  # none, or a damaged one
        kept = read_json(file)
        if 0 <= time.time() - float(kept["time"]) < KEPT_SECONDS:
            return float(kept["peak"])
    peak, is_disturbed = _measured(precision, threads)
    if not is_disturbed:
        _keep(precision, threads, peak)
    return peak


def _keep(precision: str, threads: int, peak: float) -> None:
    file = _file(precision, threads)
    with suppress(OSError):  # a cache that cannot be written is not needed
        file.parent.mkdir(parents=True, exist_ok=True)
        write_json(file, {"peak": peak, "time": time.time()})


def _file(precision: str, threads: int) -> Path:
    return machine_file("peaks", suffix=f"-{precision}-{threads}.json")


def _measured(precision: str, threads: int) -> tuple[float, bool]:
    """The peak, and whether the threads had less than most of the time for themselves."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        with timing_turn():
            started, used = time.perf_counter(), time.process_time()
            speed = max(probe(threads) for probe in PROBES[precision])
            seconds, cpu_seconds = time.perf_counter() - started, time.process_time() - used
    finally:
        torch.set_num_threads(before)
    return round(speed, 1), cpu_seconds < UNDISTURBED * seconds


def fraction_of_peak(macs: int, latency_ms: float, batch_size: int, peak: float) -> float:
    """Fraction of a peak (in billions of operations a second) that a call of a batch reaches.

    `macs` are the multiply-adds of one sample, `latency_ms` is the time of the call.
    """
    return 2 * macs * batch_size / (latency_ms * 1e6) / peak


def peak_share(
    covered: Coverage | None, macs: int | None, timing: Timing
) -> tuple[str, float | None]:
    """Precision of most operators, and the fraction of its peak that the largest batch reaches.

    The shortest call counts. The fraction is None if multiply-adds could not be counted, if the
    device is not the CPU, and if other work on the machine slowed the measurement of the peak so
    much that the model seems faster than it.
    """
    precision = "int8" if covered is not None and covered.share > 0.5 else "fp32"
    if not macs or timing.device != "cpu":
        return precision, None
    largest = timing.largest
    peak = peak_of(precision, timing.threads)
    share = fraction_of_peak(macs, largest.best_ms, largest.batch_size, peak)
    if share > 1:  # perhaps other work slowed the measurement of the peak
        peak = max(peak, _peak_again(precision, timing.threads))
        share = fraction_of_peak(macs, largest.best_ms, largest.batch_size, peak)
    return precision, share if share <= 1 else None


@lru_cache(maxsize=32)
def _peak_again(precision: str, threads: int) -> float:
    """The peak, measured once more in this process; kept for the machine where it is higher."""
    before = peak_of(precision, threads)
    peak, _ = _measured(precision, threads)
    if peak > before:
        _keep(precision, threads, peak)
        peak_of.cache_clear()
    return peak


def _torch_gemm(dtype: str) -> float:
    import torch

    kind = getattr(torch, dtype)
    a, b = torch.randn(SIZE, SIZE).to(kind), torch.randn(SIZE, SIZE).to(kind)
    with torch.inference_mode():
        return _best(lambda: torch.mm(a, b))


def _onnx_gemm(kind: str, threads: int) -> float:
    import onnxruntime as ort
    from onnx import TensorProto, helper, numpy_helper

    rng = np.random.default_rng(0)
    shape = (SIZE, SIZE)
    if kind == "MatMul":
        types = (TensorProto.FLOAT, TensorProto.FLOAT)
        left = rng.standard_normal(shape).astype(np.float32)
        right = rng.standard_normal(shape).astype(np.float32)
    else:
        types = (TensorProto.UINT8, TensorProto.INT32)
        left = rng.integers(0, 255, shape).astype(np.uint8)
        right = rng.integers(-64, 64, shape).astype(np.int8)
    graph = helper.make_graph(
        [helper.make_node(kind, ["a", "b"], ["c"])],
        "gemm",
        [helper.make_tensor_value_info("a", types[0], [SIZE, SIZE])],
        [helper.make_tensor_value_info("c", types[1], [SIZE, SIZE])],
        [numpy_helper.from_array(right, "b")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)
    options = ort.SessionOptions()
    options.log_severity_level = 3
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    session = ort.InferenceSession(
        model.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )
    return _best(lambda: session.run(None, {"a": left}))


def _best(call: Callable[[], object]) -> float:
    """Billions of operations a second of the fastest call."""
    call()
    best = math.inf
    until = time.perf_counter() + PROBE_SECONDS
    while time.perf_counter() < until:
        started = time.perf_counter()
        call()
        best = min(best, time.perf_counter() - started)
    return 2 * SIZE**3 / best / 1e9


PROBES: dict[str, tuple[Callable[[int], float], ...]] = {
    "fp32": (lambda _: _torch_gemm("float32"), lambda threads: _onnx_gemm("MatMul", threads)),
    "bf16": (lambda _: _torch_gemm("bfloat16"),),
    "int8": (lambda threads: _onnx_gemm("MatMulInteger", threads),),
}
"""Measurements of the peak in each precision, in billions of operations a second."""
