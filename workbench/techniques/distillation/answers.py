"""What students learn from: the train rows, several other views of them, and what the teachers
answer to each, once.

Views of images are augmented, and their labels hold. Views of text are other sentences made from
the words of train, whose labels nobody knows: only what the teachers answer counts for them, and
the control never sees them.

Answers are kept in the cache as `.npy` files under a fingerprint of the teacher's weights and of
the very rows that it was asked, so that every temperature, alpha, seed and student after the first
costs no call of the teacher. A large teacher with many rows to answer is asked in bf16 where
processor and runtime have it, several times as fast; what answered is said.
"""

from __future__ import annotations

import pickle
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from workbench.data.rows import Rows
from workbench.errors import CandidateError
from workbench.runtimes import installed_for, runtimes_for
from workbench.runtimes.outputs import predict_rows
from workbench.system.cache import fingerprint
from workbench.system.files import write_bytes
from workbench.task import Candidate, Task

if TYPE_CHECKING:
    from workbench.technique import Job

__all__ = ["Course", "answers_of", "asked_on", "course_of", "kept_array", "teacher_rows"]

AT_MOST_BYTES = 1 << 30  # of all views together, as tensors are kept in memory up to this size
AT_ONCE = 4096  # rows augmented together; a part of what decides a view
LONG = 10**11  # rows times bytes of a teacher from which asking in fp32 takes minutes


@dataclass(frozen=True)
class Course:
    """The task as students are trained on it: `n_views` of the train rows one after the other,
    prepared by `prepare`.

    `shared` says that the teacher saw the same prepared views; else it answers to raw rows,
    prepared in its own way, and students see what `task.augment` makes. `labelled` is the task with
    the rows that have labels, where the views have none.
    """

    task: Task
    prepare: Any
    n_views: int = 1
    shared: bool = False
    note: str = ""
    labelled: Task | None = None

    @property
    def control(self) -> Course:
        """The course of a student without a teacher: rows with labels only."""
        return self if self.labelled is None else Course(self.labelled, self.prepare)

    def decided(self, answers: np.ndarray) -> Course:
        """The same course, where views have no labels with what the teachers `(rows, teachers,
        outputs)` decide together.
        """
        if self.labelled is None:
            return self
        train, n = self.task.data.train, len(self.labelled.data.train)
        targets = np.asarray(train.targets).copy()
        targets[n:] = _decisions(self.task.kind, answers[n:].mean(1)).reshape(targets[n:].shape)
        return replace(self, task=_with_train(self.task, replace(train, targets=targets)))

    @property
    def digest(self) -> str:
        data = self.task.data
        return fingerprint(
            data.train,
            data.valid,
            repr(self.prepare),
            self.n_views,
            self.task.name,
            self.task.augment is None,
        )


def course_of(
    task: Task, prepare: Any, teachers: Sequence[Candidate], n_views: int, seed: int
) -> Course:
    """Views of the train rows for students with this `prepare`: the first as the rows are, the
    others augmented by `seed`.

    Where the task has a `reword`, views are raw rows, which everybody prepares in his own way. One
    view, of raw rows, where the task has no `augment` either, the teachers prepare rows in another
    way, or rows are read from a dataset. Views that would not fit in memory are left out.
    """
    if task.reword is not None and isinstance(task.data.train, Rows):
        return _reworded(task, prepare, n_views, seed)
    if task.augment is None:
        return Course(task, prepare)
    alike = all(t.form == "torch" and t.prepare == prepare for t in teachers)
    if not alike or not isinstance(task.data.train, Rows):
        why = (
            "rows are read from a dataset"
            if alike
            else "teacher and student prepare rows in different ways"
        )
        return Course(
            task, prepare, note=f"The teacher answered to rows that are not augmented, as {why}."
        )
    rows = task.data.train.prepared(prepare)
    size = sum(a.nbytes for a in rows.inputs.values())
    n = max(1, min(n_views, AT_MOST_BYTES // max(size, 1)))
    note = f"{n} of {n_views} views fit in memory." if n < n_views else ""
    views = [rows.inputs, *(_augmented(task, rows, seed * 1009 + number) for number in range(1, n))]
    inputs = {name: np.concatenate([v[name] for v in views]) for name in rows.inputs}
    data = replace(task.data, valid=task.data.valid.prepared(prepare))
    task = replace(task, data=data, prepare=None, augment=None)
    return Course(
        _with_train(task, Rows(inputs, np.concatenate([np.asarray(rows.targets)] * n))),
        None,
        n,
        True,
        note,
    )


def _reworded(task: Task, prepare: Any, n_views: int, seed: int) -> Course:
    """The train rows and `n_views - 1` times as many that `task.reword` makes of them, for which
    the teachers decide.
    """
    rows = task.data.train
    views = [
        rows.inputs,
        *(task.reword(rows.inputs, np.random.default_rng([seed, n])) for n in range(1, n_views)),
    ]
    inputs = {name: np.concatenate([v[name] for v in views]) for name in rows.inputs}
    train = Rows(inputs, np.concatenate([np.asarray(rows.targets)] * n_views))
    return Course(_with_train(task, train), prepare, n_views, labelled=task)


def _decisions(kind: str, answers: np.ndarray) -> np.ndarray:
    """What answers `(rows, outputs)` decide, as targets: a class, yes or no, or the value itself."""
    if kind == "classification":
        return answers.argmax(1)
    return answers > 0 if kind in ("binary", "multilabel") else answers


def _with_train(task: Task, train: Rows) -> Task:
    return replace(task, data=replace(task.data, train=train))


def _augmented(task: Task, rows: Rows, seed: int) -> dict[str, np.ndarray]:
    import torch

    from workbench.data.tensors import tensor

    generator = torch.Generator().manual_seed(seed)
    parts = [
        task.augment(
            {name: tensor(a[i : i + AT_ONCE], "cpu").clone() for name, a in rows.inputs.items()},
            generator,
        )
        for i in range(0, len(rows), AT_ONCE)
    ]
    return {
        name: np.concatenate([p[name].numpy() for p in parts]).astype(a.dtype)
        for name, a in rows.inputs.items()
    }


def answers_of(teachers: Sequence[Candidate], course: Course, job: Job) -> np.ndarray:
    """Answers `(rows of all views, teachers, outputs)` as float32: logits, or values of a
    regression.

    Raises CandidateError when teachers give different numbers of outputs, or outputs that are not
    finite.
    """
    found = []
    for teacher in teachers:
        rows = teacher_rows(teacher, course)
        runtime = asked_on(teacher, course, job)
        key = fingerprint(
            "answers 1", _weights(teacher), rows, teacher.outputs, repr(teacher.prepare), runtime
        )
        answers = kept_array(
            job.cache / f"answers-{key}.npy",
            lambda t=teacher, r=rows, e=runtime: _asked(t, r, e, job),
        )
        if course.task.kind == "binary" and answers.shape[1] == 2:
            answers = answers[:, 1:] - answers[:, :1]  # the one logit that two stand for
        wrong = int((~np.isfinite(answers)).any(axis=1).sum())
        if wrong:
            raise CandidateError(
                f"The teacher `{teacher.name}` gives outputs that are not finite on {wrong:,} of "
                f"{len(answers):,} train rows: look for NaN in its weights."
            )
        found.append(answers)
    widths = {t.name: a.shape[1] for t, a in zip(teachers, found, strict=True)}
    if len(set(widths.values())) > 1:
        told = ", ".join(f"`{n}` {w}" for n, w in widths.items())
        raise CandidateError(
            f"Teachers must give the same number of outputs, and they give: {told}. Leave one out "
            "of `teachers`."
        )
    return np.stack(found, axis=1)


def teacher_rows(teacher: Candidate, course: Course) -> Any:
    """The rows that a teacher is asked: the views as they are, or raw rows prepared its own way."""
    return (
        course.task.data.train
        if course.shared
        else course.task.data.train.prepared(teacher.prepare)
    )


def kept_array(path: Path, make: Callable[[], np.ndarray]) -> np.ndarray:
    """The array kept in a file, or made now and kept there; a kill leaves no half of one."""
    import io

    if path.exists():
        try:
            return np.load(path, allow_pickle=False)
        except (ValueError, OSError, EOFError):
            pass  # not ours, or damaged: it is made again
    made = make()
    buffer = io.BytesIO()
    np.save(buffer, made, allow_pickle=False)
    write_bytes(path, buffer.getvalue())
    return made


def asked_on(teacher: Candidate, course: Course, job: Job) -> str:
    """The engine that a teacher is asked on: by the form in which it answers soonest, without a
    clock.
    """
    candidate = _asked_as(teacher, job)
    if candidate.form == "onnx" and len(course.task.data.train) * len(candidate.model) >= LONG:
        return next(
            (name for name in installed_for(candidate) if name.endswith("bf16")),
            runtimes_for(candidate)[0],
        )
    return runtimes_for(candidate)[0]


def _asked_as(teacher: Candidate, job: Job) -> Candidate:
    """The teacher, or the ONNX form of it that the job holds, which answers alike in half of the
    time.
    """
    on_cpu = teacher is job.start and job.exported is not None and job.device == "cpu"
    return job.exported if on_cpu else teacher


def _asked(teacher: Candidate, rows: Any, runtime: str, job: Job) -> np.ndarray:
    import torch

    device = job.device if teacher.form == "torch" else "cpu"
    given = predict_rows(
        _asked_as(teacher, job),
        rows,
        text=f"asking {teacher.name} on {runtime}",
        threads=torch.get_num_threads(),
        device=device,
        report=job.report,
        runtime=runtime,
    )
    return given.astype(np.float32).reshape(len(given), -1)


def _weights(teacher: Candidate) -> Any:
    """What tells two teachers apart; a fitted estimator has no other content than its pickle, which
    is not kept.
    """
    return pickle.dumps(teacher.model) if teacher.form == "sklearn" else teacher.model
