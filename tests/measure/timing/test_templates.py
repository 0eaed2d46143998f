"""Workers forked of a template: they give what fresh ones give, and nobody outlives the run."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
import time

import numpy as np
import psutil
import pytest

from tests.measure.small_models import conv_net
from workbench.errors import RunError
from workbench.measure.timing import templates
from workbench.measure.timing.latency import time_side_by_side
from workbench.measure.timing.processes import Worker
from workbench.measure.timing.templates import HAS_FORK, template_of, warm_templates
from workbench.task import Candidate

pytestmark = pytest.mark.skipif(not HAS_FORK, reason="templates fork, which Linux does")

IMAGES = np.random.default_rng(0).normal(size=(4, 1, 28, 28)).astype(np.float32)
CANDIDATE = Candidate("conv", "onnx", conv_net())


def _timed(candidates=None, **changes):
    return time_side_by_side(
        candidates or {"a": (CANDIDATE, "onnxruntime"), "b": (CANDIDATE, "onnxruntime")},
        lambda _, n: {"x": IMAGES[:n]},
        batch_sizes=(1, 4),
        rounds=2,
        block_seconds=0.01,
        **changes,
    )


def _descendants() -> set[int]:
    return {p.pid for p in psutil.Process().children(recursive=True)}


def _wait_until(condition, seconds=20.0):
    limit = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < limit, "waited too long"
        time.sleep(0.02)


def test_forked_workers_time_as_fresh_ones_do_and_end_with_their_template():
    before = _descendants()
    fresh = _timed()
    with warm_templates():
        forked = _timed()
        _wait_until(lambda: len(_descendants() - before) == 1)  # the template alone is left
    _wait_until(lambda: _descendants() == before)
    for name in ("a", "b"):
        assert forked[name].runtime == fresh[name].runtime
        assert forked[name].details == fresh[name].details
        assert forked[name].import_time_ms > 20, "the template's import counts"
        assert forked[name].load_time_ms > 0
        assert forked[name].peak_memory_bytes > 20_000_000


def test_second_session_uses_the_template_of_the_first():
    before = _descendants()
    with warm_templates():
        _timed()
        _wait_until(lambda: len(_descendants() - before) == 1)  # the workers are gone
        first = _descendants() - before
        _timed()
        _wait_until(lambda: _descendants() - before == first)


def test_torch_worker_is_forked_and_computes():
    import torch

    model = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(784, 10)).eval()
    with warm_templates():
        timings = _timed({"net": (Candidate("net", "torch", model), "torch")})
    assert timings["net"].at(1).best_ms > 0
    assert timings["net"].details["threads"] == 1


def test_worker_that_is_killed_is_told_as_killed(tmp_path):
    from workbench.events import Report

    with (
        warm_templates(),
        Worker(
            "conv",
            CANDIDATE,
            "onnxruntime",
            {1: {"x": IMAGES[:1]}},
            threads=1,
            device="cpu",
            folder=tmp_path / "worker",
            report=Report(),
        ) as worker,
    ):
        worker.answer()
        os.kill(worker.pid, signal.SIGKILL)
        with pytest.raises(RunError, match="ended with code -9. It was killed, often for lack of"):
            worker.ask(do="load")


def test_worker_is_started_anew_when_its_template_was_killed():
    with warm_templates():
        template = template_of("onnxruntime")
        template._process.kill()
        template._process.wait()
        assert _timed()["a"].at(1).best_ms > 0


def test_error_of_a_forked_worker_has_its_traceback():
    def fail(self, x):
        raise ValueError("this model is broken")

    broken = type("Estimator", (), {"__module__": "__main__", "predict": fail})()
    with warm_templates(), pytest.raises(RunError, match="this model is broken"):
        _timed({"broken": (Candidate("broken", "sklearn", broken), "sklearn")})


def test_template_and_workers_end_when_the_run_is_killed(tmp_path):
    code = """
    import time, sys
    import numpy as np
    sys.path.insert(0, {here!r})
    from tests.measure.small_models import conv_net
    from workbench.events import Report
    from workbench.measure.timing.processes import Worker
    from workbench.measure.timing.templates import warm_templates
    from workbench.task import Candidate
    from pathlib import Path
    with warm_templates(), Worker(
        "conv", Candidate("conv", "onnx", conv_net()), "onnxruntime",
        {{1: {{"x": np.zeros((1, 1, 28, 28), np.float32)}}}},
        threads=1, device="cpu", folder=Path({folder!r}), report=Report(),
    ) as worker:
        worker.answer()
        print("ready", flush=True)
        time.sleep(3600)
    """
    text = textwrap.dedent(code).format(here=os.getcwd(), folder=str(tmp_path / "w"))
    run = subprocess.Popen([sys.executable, "-c", text], stdout=subprocess.PIPE, text=True)
    assert run.stdout is not None
    assert run.stdout.readline().strip() == "ready"
    family = psutil.Process(run.pid).children(recursive=True)
    assert len(family) == 3, "template, keeper and worker"
    run.kill()
    run.wait()
    _wait_until(lambda: not any(p.is_running() and p.status() != "zombie" for p in family))
    assert not (tmp_path / "w").exists(), "the worker deletes its private files"


def test_outside_of_a_run_there_is_no_template():
    assert template_of("onnxruntime") is None


def test_without_fork_workers_import_by_themselves(monkeypatch):
    monkeypatch.setattr(templates, "HAS_FORK", False)
    with warm_templates():
        assert template_of("onnxruntime") is None
        assert _timed()["a"].at(1).best_ms > 0


def test_template_that_hangs_while_importing_does_not_hold_up_the_step(monkeypatch, tmp_path):
    stopped = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
    monkeypatch.setattr(templates, "IMPORT_SECONDS", 0.3)
    monkeypatch.setattr(templates.subprocess, "Popen", lambda *_, **__: stopped)
    template = templates.Template("onnxruntime", dict(os.environ))
    began = time.monotonic()
    with (tmp_path / "errors").open("wb") as errors, pytest.raises(OSError, match="not answer"):
        template.worker(tmp_path, errors)
    assert time.monotonic() - began < 60, "it did not wait for the import"
    template.close()
    assert stopped.poll() is not None
