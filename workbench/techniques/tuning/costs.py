"""Costs of a trial: latency, size and multiply-adds of its model, where objectives ask for them."""

from __future__ import annotations

from workbench.errors import ExportError
from workbench.measure.timing.latency import time_side_by_side
from workbench.model_form import form_named
from workbench.runtimes.to_onnx import to_onnx
from workbench.task import Candidate
from workbench.technique import Job
from workbench.techniques.tuning.settings import TuningSettings

__all__ = ["costs_of"]

N_EXAMPLES = 16  # train rows with which the model is written as ONNX


def costs_of(trained: Candidate, job: Job, settings: TuningSettings) -> dict[str, float]:
    """The costs that the objectives or the limits name.

    The latency is that of the best call at batch 1 on one thread, of the ONNX file where the model
    can be written as one, timed as all candidates are.
    """
    wanted = {*settings.objectives, *settings.limits}
    form = form_named(trained.form)
    costs: dict[str, float] = {}
    if "size_bytes" in wanted:
        costs["size_bytes"] = float(form.size(trained.model)[0])
    if "macs" in wanted:
        inputs = job.task.example(1, trained.prepare)
        costs["macs"] = float(form.macs(trained.model, inputs) or 0)
    if "latency_ms" in wanted:
        costs["latency_ms"] = _latency_ms(trained, job)
    return costs


def _latency_ms(trained: Candidate, job: Job) -> float:
    try:
        shipped = to_onnx(trained, job.task.example(N_EXAMPLES, trained.prepare))
    except ExportError:
        shipped = trained
    timing = time_side_by_side(
        {trained.name: (shipped, "auto")},
        lambda candidate, n: job.task.example(n, candidate.prepare),
        batch_sizes=(1,),
        budget="smoke",
        report=job.report.silent(),
    )[trained.name]
    return timing.batches[0].best_ms
