"""Measuring any ONNX file or kept candidate on this machine, for `workbench measure FILE`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from workbench.errors import CandidateError
from workbench.events import Report
from workbench.keeping.candidates import load_kept
from workbench.measure.card import card_of, prepare_ms
from workbench.measure.everywhere import Everywhere, measure_everywhere
from workbench.measure.scorecard import Scorecard
from workbench.measure.statistics.quality import quality
from workbench.measure.timing.latency import InputsOf, time_side_by_side
from workbench.runtimes.found_graphs import read_graph
from workbench.runtimes.graphs import fixed_batch, graph_inputs
from workbench.runtimes.outputs import predict_rows
from workbench.system.files import path_of
from workbench.task import Candidate

__all__ = ["measure_file", "measure_file_everywhere"]

FREE_LENGTH = 32  # of a free dimension other than the batch, without the rows of a task


def measure_file(
    path: str | Path,
    *,
    task: Any = None,
    task_args: Mapping[str, Any] | None = None,
    batch_sizes: Sequence[int] = (1, 64),
    threads: int = 1,
    budget: str = "standard",
    price_per_core_hour: float | None = None,
    report: Report | None = None,
) -> Scorecard:
    """The scorecard of an ONNX file or of a kept candidate's folder.

    With a task (or its name, with `task_args` for the function that makes it), its rows are timed,
    and quality on its valid rows is measured too. Without one, random numbers in the shapes of the
    graph's inputs are timed. A graph with a fixed batch is timed at that size instead of
    `batch_sizes`. Raises CandidateError when there is no such file or it does not load.
    """
    candidate, chosen, inputs_of = _opened(path, task, task_args)
    timing = time_side_by_side(
        {candidate.name: (candidate, "auto")},
        inputs_of,
        batch_sizes=_timed_sizes(candidate.model, batch_sizes),
        threads=threads,
        budget=budget,
        report=report,
    )[candidate.name]
    card, _ = card_of(
        candidate,
        inputs_of(candidate, 1),
        quality=_quality(candidate, chosen) if chosen else (),
        timing=timing,
        budget=budget,
        price_per_core_hour=price_per_core_hour,
        prepare_ms=prepare_ms(candidate, chosen.data.train) if chosen else None,
    )
    return card


def measure_file_everywhere(
    path: str | Path,
    *,
    task: Any = None,
    task_args: Mapping[str, Any] | None = None,
    batch_sizes: Sequence[int] = (1, 64),
    threads: int = 1,
    budget: str = "standard",
    report: Report | None = None,
) -> Everywhere:
    """An ONNX file or kept candidate on every installed runtime; see `measure_everywhere`.

    It is timed at the smallest of `batch_sizes`, or at the graph's own batch where that is fixed.
    """
    candidate, _, inputs_of = _opened(path, task, task_args)
    return measure_everywhere(
        candidate,
        inputs_of,
        batch_size=min(_timed_sizes(candidate.model, batch_sizes)),
        threads=threads,
        budget=budget,
        report=report,
    )


def _opened(
    path: str | Path, task: Any, task_args: Mapping[str, Any] | None
) -> tuple[Candidate, Any, InputsOf]:
    """The candidate of a file, its task if there is one, and a function that gives its inputs."""
    from workbench.tasks import load_task

    chosen = load_task(task, task_args) if isinstance(task, str) and task else task
    candidate = _candidate(path_of(path, error=CandidateError), chosen)
    if chosen:
        return candidate, chosen, lambda c, n: chosen.example(n, c.prepare)
    return candidate, chosen, lambda c, n: _random_inputs(c.model, n)


def _timed_sizes(content: bytes, batch_sizes: Sequence[int]) -> tuple[int, ...]:
    """The batch sizes at which a graph can be timed."""
    fixed = fixed_batch(content)
    return (fixed,) if fixed else tuple(batch_sizes)


def _candidate(path: Path, task: Any) -> Candidate:
    if path.is_dir():
        return load_kept(path, form="onnx")
    if not path.exists():
        raise CandidateError(
            f"There is no file {path.resolve()}. Give an ONNX file, or the folder of a kept "
            "candidate."
        )
    if (path.parent / "candidate.json").exists() and path.name == "model.onnx":
        return load_kept(path.parent, form="onnx")
    content, _ = read_graph(path, f"`{path.name}`")
    return Candidate(path.stem, "onnx", content, prepare=task.prepare if task else None)


def _quality(candidate: Candidate, task: Any) -> tuple[Any, ...]:
    rows = task.data.valid.prepared(candidate.prepare)
    outputs = predict_rows(candidate, rows)
    targets = np.asarray(task.data.valid.targets)
    return tuple(
        quality(outputs, targets, metric, blocks=task.data.valid.blocks, split="valid")
        for metric in task.metrics
    )


def _random_inputs(content: bytes, n: int) -> dict[str, np.ndarray]:
    """Random inputs `(n, ...)` in the shapes of a graph; its first free dimension is the batch."""
    import onnx

    rng = np.random.default_rng(0)
    inputs = {}
    for value in graph_inputs(content):
        kind = value.type.tensor_type
        dims = [d.dim_value or (n if i == 0 else FREE_LENGTH) for i, d in enumerate(kind.shape.dim)]
        dtype = np.dtype(onnx.helper.tensor_dtype_to_np_dtype(kind.elem_type))
        if dtype == np.object_:
            raise CandidateError(
                f"Input `{value.name}` takes text: give the task whose rows it is for (`--task`)."
            )
        numbers = rng.standard_normal(dims) if dtype.kind == "f" else rng.integers(0, 2, dims)
        inputs[value.name] = numbers.astype(dtype)
    return inputs
