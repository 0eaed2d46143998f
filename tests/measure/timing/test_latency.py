"""Timing side by side: right about who is slower, clear when a worker dies, and no process stays
behind.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import psutil
import pytest
import torch
from torch import nn

from tests.measure.small_models import conv_net
from workbench.errors import Cancelled, CandidateError, RunError, SettingsError, UnknownName
from workbench.events import Event, Report
from workbench.measure import Timing, compare_timings, time_side_by_side
from workbench.task import Candidate

IMAGES = np.random.default_rng(0).normal(size=(64, 1, 28, 28)).astype(np.float32)
QUICK = {"rounds": 6, "block_seconds": 0.02}


def images(_: Candidate, n: int) -> dict[str, np.ndarray]:
    return {"x": IMAGES[:n]}


def onnx_candidate(n_layers: int = 2) -> Candidate:
    return Candidate(f"conv{n_layers}", "onnx", conv_net(n_layers=n_layers))


def sklearn_candidate(predict: Callable[[np.ndarray], np.ndarray]) -> Candidate:
    """An estimator whose class exists in this test only, as one of a notebook does."""
    made = type("Estimator", (), {"__module__": "__main__", "predict": lambda self, x: predict(x)})
    return Candidate("estimator", "sklearn", made())


def children() -> list[psutil.Process]:
    return psutil.Process().children(recursive=True)


@pytest.fixture(autouse=True)
def nothing_left_behind():
    before = {p.pid for p in children()}
    yield
    assert [p for p in children() if p.pid not in before] == []


@pytest.fixture(scope="module")
def timings() -> dict[str, Timing]:
    candidates = {"small": (onnx_candidate(1), "auto"), "deep": (onnx_candidate(11), "onnxruntime")}
    return time_side_by_side(candidates, images, batch_sizes=(8, 1), **QUICK)


@pytest.mark.timing
def test_model_with_ten_times_the_work_is_judged_worse(timings: dict[str, Timing]) -> None:
    for batch_size in (1, 8):
        verdict = compare_timings(timings["small"], timings["deep"], batch_size=batch_size)
        assert verdict.decision == "worse"
        assert "times higher" in verdict.text
        assert (
            compare_timings(timings["deep"], timings["small"], batch_size=batch_size).decision
            == "better"
        )


@pytest.mark.timing
def test_timing_holds_every_number_and_reads_back_from_json(timings: dict[str, Timing]) -> None:
    for timing in timings.values():
        assert [b.batch_size for b in timing.batches] == [1, 8]
        for batch in timing.batches:
            assert 0 < batch.best_ms <= batch.p10_ms <= batch.p50_ms <= batch.p95_ms
            assert len(batch.block_bests) == len(batch.block_medians) == len(batch.block_cpus) == 6
            assert batch.best_ms == min(batch.block_bests)
            assert batch.n_calls >= 12
            assert batch.cpu_ms > 0
        assert timing.throughput == pytest.approx(8000 / timing.at(8).p50_ms)
        assert 0 < timing.model_memory_bytes < timing.peak_memory_bytes
        assert timing.load_time_ms > 0 < timing.import_time_ms
        assert 0 <= timing.busy <= 1
        assert bool(timing.warning) == (timing.busy > 0.2)
        assert timing.details["threads"] == timing.threads == 1
        assert Timing.from_json(json.loads(json.dumps(timing.to_json()))) == timing


@pytest.mark.timing
def test_processor_time_is_that_of_one_thread_unless_more_are_asked_for(
    timings: dict[str, Timing],
) -> None:
    batch = timings["deep"].at(8)
    assert batch.cpu_ms < 1.3 * batch.p95_ms


def test_worker_of_onnxruntime_imports_no_torch() -> None:
    code = (
        "import sys, workbench.measure.timing.worker, workbench.runtimes.onnx_runtime; "
        "sys.exit('torch' in sys.modules)"
    )
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(p or os.getcwd() for p in sys.path)}
    assert subprocess.run([sys.executable, "-c", code], env=environment).returncode == 0


def test_torch_and_sklearn_candidates_travel_with_classes_nobody_can_import() -> None:
    net = type(
        "Net",
        (nn.Module,),
        {"__module__": "__main__", "forward": lambda self, x: x.flatten(1).sum(1, keepdim=True)},
    )()
    candidates = {
        "torch": (Candidate("net", "torch", net), "auto"),
        "sklearn": (sklearn_candidate(lambda x: np.zeros(len(x))), "sklearn"),
    }
    found = time_side_by_side(
        candidates, lambda _, n: {"x": IMAGES[:n].reshape(n, -1)}, batch_sizes=(2,), **QUICK
    )
    assert found["torch"].runtime == "torch"
    assert found["sklearn"].runtime == "sklearn"
    assert not torch.is_inference_mode_enabled()


def test_worker_that_dies_names_the_candidate_and_its_last_words() -> None:
    def die(x: np.ndarray) -> np.ndarray:
        import os
        import sys

        sys.stderr.write("the disk is on fire\n")
        sys.stderr.flush()
        os._exit(7)

    with pytest.raises(
        RunError, match=r"(?s)`mine` on sklearn ended with code 7.*the disk is on fire"
    ):
        time_side_by_side({"mine": (sklearn_candidate(die), "auto")}, images, **QUICK)


def test_exception_in_a_worker_comes_back_with_its_trace() -> None:
    def fail(x: np.ndarray) -> np.ndarray:
        raise ValueError("wants 7 columns")

    with pytest.raises(
        RunError,
        match=r"(?s)`mine` could not be timed on sklearn: ValueError: wants 7 columns.*in fail",
    ):
        time_side_by_side({"mine": (sklearn_candidate(fail), "auto")}, images, **QUICK)


def test_prints_of_a_model_do_not_garble_the_answers_and_its_worker_imports_what_it_needs() -> None:
    def chat(x: np.ndarray) -> np.ndarray:
        import sys

        print("hello from the model")
        assert "torch" not in sys.modules
        return np.zeros(len(x))

    found = time_side_by_side(
        {"mine": (sklearn_candidate(chat), "auto")}, images, batch_sizes=(1,), **QUICK
    )
    assert found["mine"].at(1).n_calls > 0


def test_cancel_ends_the_workers_even_in_the_middle_of_a_call() -> None:
    def sleep(x: np.ndarray) -> np.ndarray:
        import time

        time.sleep(60)
        return np.zeros(len(x))

    before = {p.pid for p in children()}  # runs that other tests started and nobody waited for
    started = time.monotonic()
    report = Report(cancelled=lambda: time.monotonic() - started > 3)
    candidates = {"other": (onnx_candidate(), "auto"), "slow": (sklearn_candidate(sleep), "auto")}
    with pytest.raises(Cancelled):
        time_side_by_side(candidates, images, report=report, **QUICK)
    assert time.monotonic() - started < 40  # less than the call that was under way
    assert not [p for p in children() if p.pid not in before]


@pytest.mark.timing
def test_cancel_during_the_rounds_is_noticed_and_progress_is_told() -> None:
    events: list[Event] = []
    report = Report(events.append, cancelled=lambda: len(events) >= 3)
    with pytest.raises(Cancelled):
        time_side_by_side(
            {"a": (onnx_candidate(), "auto")},
            images,
            rounds=1000,
            block_seconds=0.01,
            report=report,
        )
    assert [e.data["done"] for e in events] == [0, 1, 2]


@pytest.mark.skipif(sys.platform == "win32", reason="kill -9 is not Windows'")
@pytest.mark.parametrize("wait", [0.0, 3.0])
def test_workers_end_and_delete_their_files_when_their_parent_is_killed(
    wait: float, tmp_path: Path
) -> None:
    code = """
        import numpy as np
        from tests.measure.small_models import conv_net
        from workbench.measure import time_side_by_side
        from workbench.task import Candidate
        candidates = {name: (Candidate(name, "onnx", conv_net()), "auto") for name in "ab"}
        inputs_of = lambda _, n: {"x": np.ones((n, 1, 28, 28), np.float32)}
        time_side_by_side(candidates, inputs_of, rounds=10_000, block_seconds=0.5)
    """
    environment = os.environ | {
        "PYTHONPATH": os.pathsep.join(p or os.getcwd() for p in sys.path),
        "TMPDIR": str(tmp_path),
    }
    parent = subprocess.Popen([sys.executable, "-c", textwrap.dedent(code)], env=environment)
    workers = _wait_for(
        lambda: found if len(found := psutil.Process(parent.pid).children()) == 2 else None
    )
    time.sleep(wait)
    parent.send_signal(signal.SIGKILL)
    parent.wait()
    assert psutil.wait_procs(workers, timeout=20)[1] == []
    assert (
        list(tmp_path.iterdir()) == []
    )  # the workers delete the private files then, and no telemetry left its own


def _wait_for(look: Callable[[], list[psutil.Process] | None]) -> list[psutil.Process]:
    for _ in range(600):
        if found := look():
            return found
        time.sleep(0.05)
    raise AssertionError("the workers never started")


def test_what_cannot_be_pickled_is_named() -> None:
    import threading

    lock = threading.Lock()
    candidate = Candidate("locked", "sklearn", lock)
    with pytest.raises(CandidateError, match=r"`locked` \(lock\) cannot be handed"):
        time_side_by_side({"x": (candidate, "auto")}, images)


@pytest.mark.parametrize(
    ("options", "error", "words"),
    [
        ({"budget": "quick"}, UnknownName, "smoke"),
        ({"batch_sizes": ()}, SettingsError, "batch_sizes"),
        ({"batch_sizes": (0,)}, SettingsError, "batch_sizes"),
        ({"threads": 0}, SettingsError, "threads"),
    ],
)
def test_wrong_options_are_refused_before_anything_starts(
    options: dict, error: type[Exception], words: str
) -> None:
    with pytest.raises(error, match=words):
        time_side_by_side({"a": (onnx_candidate(), "auto")}, images, **options)


def test_private_files_are_gone_after_timing(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    seen = []

    def see(event):
        if event.data.get("text", "").startswith(
            "timing"
        ):  # not while it waits for the turn of another run
            seen.append([p.name for p in tmp_path.rglob("*") if p.is_file()])

    time_side_by_side(
        {"a": (onnx_candidate(), "auto")},
        images,
        batch_sizes=(1,),
        rounds=3,
        block_seconds=0.01,
        report=Report(see),
    )
    assert len(seen) == 4
    assert not any(seen)
    assert list(tmp_path.iterdir()) == []
