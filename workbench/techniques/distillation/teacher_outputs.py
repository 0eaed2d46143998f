"""Outputs of the teachers for all rows of a transfer set, computed once and kept in the cache.

Outputs are kept as `.npy` files under a fingerprint of the teacher's weights and of its input rows.
A second temperature, alpha, seed or student therefore costs no call of the teacher. A large teacher
with many rows runs in bf16, several times as fast, if processor and runtime have it; a note names
the runtime.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from workbench.errors import CandidateError
from workbench.metrics import positive_logit
from workbench.model_form import form_named
from workbench.runtimes import installed_for, runtimes_for
from workbench.runtimes.outputs import predict_rows
from workbench.system.cache import fingerprint
from workbench.system.files import write_bytes
from workbench.task import Candidate
from workbench.techniques.distillation.transfer_set import TransferSet

if TYPE_CHECKING:
    from workbench.technique import Job

__all__ = ["cached_array", "compute_outputs", "runtime_of", "teacher_rows"]

MIN_WORK_FOR_BF16 = 25 * 10**9  # rows times parameters, from which fp32 takes minutes


def compute_outputs(
    teachers: Sequence[Candidate], transfer_set: TransferSet, job: Job
) -> np.ndarray:
    """Outputs `(rows of all views, teachers, outputs)`, float32: logits, or values of a regression.

    Raises CandidateError when teachers give different numbers of outputs, or outputs that are not
    finite.
    """
    of_teachers = [_outputs_of_one(teacher, transfer_set, job) for teacher in teachers]
    widths = {t.name: o.shape[1] for t, o in zip(teachers, of_teachers, strict=True)}
    if len(set(widths.values())) > 1:
        numbers = ", ".join(f"`{name}` {width}" for name, width in widths.items())
        raise CandidateError(
            f"All teachers must give the same number of outputs, got {numbers}. Remove one from "
            "`teachers`."
        )
    return np.stack(of_teachers, axis=1)


def _outputs_of_one(teacher: Candidate, transfer_set: TransferSet, job: Job) -> np.ndarray:
    """Outputs `(rows, outputs)` of one teacher; two logits of a binary task become one."""
    rows = teacher_rows(teacher, transfer_set)
    runtime = runtime_of(teacher, transfer_set, job)
    key = fingerprint(
        "teacher outputs 1",
        _weights(teacher),
        rows,
        teacher.outputs,
        repr(teacher.prepare),
        runtime,
    )
    outputs = cached_array(
        job.cache / f"teacher-outputs-{key}.npy",
        lambda: _predict(teacher, rows, runtime, job),
    )
    if transfer_set.task.kind == "binary" and outputs.shape[1] == 2:
        outputs = positive_logit(outputs)[:, None]
    n_invalid = int((~np.isfinite(outputs)).any(axis=1).sum())
    if n_invalid:
        raise CandidateError(
            f"The teacher `{teacher.name}` gives outputs that are not finite on {n_invalid:,} of "
            f"{len(outputs):,} train rows: look for NaN in its weights."
        )
    return outputs


def teacher_rows(teacher: Candidate, transfer_set: TransferSet) -> Any:
    """Input rows of a teacher: those of the transfer set, prepared if they are raw."""
    rows = transfer_set.task.data.train
    return rows if transfer_set.prepared else rows.prepared(teacher.prepare)


def cached_array(path: Path, compute: Callable[[], np.ndarray]) -> np.ndarray:
    """The array in a file, or the computed one, which is then written there in one step."""
    if path.exists():
        try:
            return np.load(path, allow_pickle=False)
        except (ValueError, OSError, EOFError):
            pass  # a damaged file, or one of another program: computed again below
    array = compute()
    buffer = io.BytesIO()
    np.save(buffer, array, allow_pickle=False)
    write_bytes(path, buffer.getvalue())
    return array


def runtime_of(teacher: Candidate, transfer_set: TransferSet, job: Job) -> str:
    """The runtime for a teacher: the first one of its fastest form, or bf16 if it has much work."""
    candidate = _fastest_form(teacher, job)
    default = runtimes_for(candidate)[0]
    in_bf16 = [name for name in installed_for(candidate) if name.endswith("bf16")]
    if not in_bf16:
        return default
    n_parameters = form_named(candidate.form).n_parameters(candidate.model) or 0
    work = len(transfer_set.task.data.train) * n_parameters
    return default if work < MIN_WORK_FOR_BF16 else in_bf16[0]


def _fastest_form(teacher: Candidate, job: Job) -> Candidate:
    """The teacher, or its ONNX form if the job holds one, which takes half of the time on a CPU."""
    if teacher is job.start and job.exported is not None and job.device == "cpu":
        return job.exported
    return teacher


def _predict(teacher: Candidate, rows: Any, runtime: str, job: Job) -> np.ndarray:
    import torch

    outputs = predict_rows(
        _fastest_form(teacher, job),
        rows,
        text=f"outputs of {teacher.name} on {runtime}",
        threads=torch.get_num_threads(),
        device=job.device if form_named(teacher.form).on_device else "cpu",
        report=job.report,
        runtime=runtime,
    )
    return outputs.astype(np.float32).reshape(len(outputs), -1)


def _weights(teacher: Candidate) -> Any:
    """Content of a teacher for its fingerprint."""
    return form_named(teacher.form).content(teacher.model)
