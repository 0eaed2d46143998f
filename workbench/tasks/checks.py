"""check_task(): do data, labels and model fit each other? Every problem is told at once.

Rows in memory are checked in full. Of a torch dataset all targets are read, but only its first 256
inputs; whether it shares rows with test is told from the dataset object and its indices, not from
the content.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from workbench.data.overlap import overlap_is_natural, row_keys
from workbench.data.rows import SPLIT_NAMES, AnyRows, Rows
from workbench.errors import DataError, TaskError, WorkbenchError, all_of
from workbench.model_form import form_named
from workbench.runtimes.outputs import ends_in, misfit, outputs_of
from workbench.task import Candidate, Task
from workbench.tasks.losses import loss_problem
from workbench.tasks.probe import Probe, bad_rows, clean

__all__ = ["check_task"]

N_SAMPLE = 256
SHARED = (
    0.01  # real data hold a few rows twice; more than this share of test seen elsewhere is a leak
)


@dataclass
class _Findings:
    """What the checks gather; `model` problems make the error a TaskError."""

    data: list[str] = field(default_factory=list)
    model: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)


def check_task(
    task: Task, candidate: Candidate | None = None, *, probe: Probe | None = None
) -> list[str]:
    """Warnings about a task that can be used.

    Raises one error that holds all problems of a task that cannot be used.

    `candidate` defaults to the task's own start, or its first builder; `probe` is its answer where
    it was asked before. Raises TaskError when the
    model does not fit (weights, inputs, outputs), DataError when only the data are at fault (empty
    splits, shapes, values that are not finite, labels, missing classes, rows shared with test).
    """
    findings = _Findings()
    splits: dict[str, AnyRows] = {
        n: r for n in SPLIT_NAMES if (r := getattr(task.data, n)) is not None
    }
    for name in [n for n, rows in splits.items() if not len(rows)]:
        findings.data.append(
            f"`{name}` is empty: give it rows, or leave it out of `make_task` to have it cut from "
            "train."
        )
        del splits[name]
    if candidate is None:
        candidate = probe.candidate if probe is not None else _own_candidate(task, findings)
    samples = {name: rows.take(slice(0, N_SAMPLE)) for name, rows in splits.items()}
    _check_shapes(samples, findings)
    prepare = candidate.prepare if candidate else task.prepare
    for name, rows in splits.items():
        _check_inputs(
            name, rows if isinstance(rows, Rows) else samples[name], prepare, candidate, findings
        )
    prepared = prepare is None or False not in [
        _check_prepared(n, rows, prepare, findings) for n, rows in samples.items()
    ]
    targets = {name: np.asarray(rows.targets) for name, rows in splits.items()}
    readable = [n for n, t in targets.items() if _check_targets(task, n, t, findings)]
    if task.kind in ("classification", "binary", "multilabel"):
        _check_classes(task, {n: targets[n] for n in readable}, findings)
    _check_blocks(splits, findings)
    _check_shared(splits, findings)
    if candidate is not None and "train" in samples and prepared:
        _check_output(task, probe or Probe(task, candidate), targets["train"], findings)
    if findings.data or findings.model:
        kind = TaskError if findings.model else DataError
        raise kind(all_of(findings.model + findings.data, f"Task `{task.name}` cannot be used"))
    return findings.warnings


def _own_candidate(task: Task, findings: _Findings) -> Candidate | None:
    if task.start is None and not task.builders:
        return None
    try:
        return task.candidate()[0]
    except WorkbenchError as error:  # it says already what is wrong with the model
        findings.model.append(str(error))
        return None
    except Exception as error:  # a builder is the user's code: anything can come out of it
        findings.model.append(f"The model's builder raised {type(error).__name__}: {error}")
        return None


def _check_shapes(samples: Mapping[str, Rows], findings: _Findings) -> None:
    """Compare names, shapes and kinds of arrays with those of train.

    The batch and the length of sequences may differ.
    """
    if "train" not in samples:
        return
    wanted = {name: _shape(a) for name, a in samples["train"].inputs.items()}
    for split, rows in samples.items():
        got = {name: _shape(a) for name, a in rows.inputs.items()}
        if set(got) != set(wanted):
            findings.data.append(
                f"`{split}` has the inputs {sorted(got)}, train has {sorted(wanted)}."
            )
            continue
        findings.data += [
            f"`{name}` of {split} holds {_described(got[name])}, train has "
            f"{_described(wanted[name])} a row."
            for name in wanted
            if got[name] != wanted[name]
        ]


def _shape(array: np.ndarray) -> tuple[Any, ...]:
    """Kind and shape of a row; None where a length may vary.

    These are tokens `(rows, length)` and series `(rows, length, features)`.
    """
    numbers = array.dtype.kind in "biuf"
    floating = array.dtype.kind == "f"
    shape: list[int | None] = list(array.shape[1:])
    if (array.ndim == 2 and numbers and not floating) or (array.ndim == 3 and floating):
        shape[0] = None
    return ("numbers" if numbers else "text", *shape)


def _described(shape: tuple[Any, ...]) -> str:
    return f"{shape[0]} of shape ({', '.join('*' if n is None else str(n) for n in shape[1:])})"


def _check_inputs(
    split: str, rows: Rows, prepare: Any, candidate: Candidate | None, findings: _Findings
) -> None:
    """Look for values that the model cannot compute with, raw or after `prepare`.

    Estimators and ONNX graphs may fill missing values.
    """
    torch_raw = candidate is not None and _takes_numbers_only(candidate) and prepare is None
    for name, array in rows.inputs.items():
        if array.dtype.kind in "OUSM" and torch_raw:
            findings.data.append(
                f"`{name}` of {split} has dtype {array.dtype}, and a network takes numbers: give a "
                "`prepare` that makes them (for a table `workbench.data.prepare.Columns`), or pad "
                "ragged rows to one length."
            )
        bad = bad_rows(array)
        if len(bad) and not _copes(rows.take(bad[:64]), prepare, candidate):
            findings.data.append(
                f"`{name}` of {split} holds {_n_bad(array):,} values that are not finite (NaN or "
                f"infinite), the first in row {bad[0]}: clean them, or give a `prepare` that fills "
                "them."
            )


def _check_prepared(split: str, sample: Rows, prepare: Any, findings: _Findings) -> bool:
    """Whether `prepare` makes finite numbers of clean rows."""
    sample, before = clean(sample), len(findings.data)
    try:
        prepared = sample.prepared(prepare).inputs
    except Exception as error:  # `prepare` may be the user's code
        findings.data.append(
            f"`prepare` raised {type(error).__name__} on {split} with {_listed(sample.inputs)}: "
            f"{error}"
        )
        return False
    for name, array in prepared.items():
        if np.asarray(array).dtype.kind in "OUS":
            findings.data.append(
                f"`prepare` made `{name}` of dtype {array.dtype} from {split}: it must give "
                "numbers."
            )
        elif len(bad_rows(np.asarray(array))):
            findings.data.append(
                f"`prepare` made values that are not finite in `{name}` from finite rows of "
                f"{split}."
            )
    return len(findings.data) == before


def _copes(rows: Rows, prepare: Any, candidate: Candidate | None) -> bool:
    """Whether what stands between raw rows and outputs takes values that are not finite."""
    try:
        prepared = rows.prepared(prepare).inputs
        if not any(len(bad_rows(a)) for a in prepared.values()):
            return True
        if candidate is None or _takes_numbers_only(candidate):
            return False
        form = form_named(candidate.form)
        if not form.is_trained(candidate.model):
            infinite = any(np.isinf(a).any() for a in prepared.values() if a.dtype.kind == "f")
            return not infinite and form.fills_missing(candidate.model)
        return bool(np.isfinite(outputs_of(candidate, prepared)).all())
    except (
        Exception
    ):  # what the model says about these rows is not the user's problem: the values are
        return False


def _n_bad(array: np.ndarray) -> int:
    return int((~np.isfinite(array)).sum())


def _listed(inputs: Mapping[str, np.ndarray]) -> str:
    return ", ".join(f"`{name}` {a.dtype} {tuple(a.shape)}" for name, a in inputs.items())


def _check_targets(task: Task, split: str, targets: np.ndarray, findings: _Findings) -> bool:
    """Whether the targets are of the kind that the task says."""
    before = len(findings.data)
    if targets.dtype.kind not in "biuf":
        findings.data.append(
            f"Targets of {split} have dtype {targets.dtype}: they must be numbers; `make_task` "
            "makes them so."
        )
    elif len(bad := bad_rows(targets)):
        findings.data.append(
            f"Targets of {split} hold {_n_bad(targets):,} values that are not finite, the first in "
            f"row {bad[0]}."
        )
    elif task.kind in ("classification", "binary"):
        _check_labels(task, split, targets, findings)
    elif task.kind == "multilabel" and (targets.ndim != 2 or not np.isin(targets, (0, 1)).all()):
        findings.data.append(
            f"Targets of {split} must be 0 or 1, in shape (rows, labels); got shape "
            f"{targets.shape}."
        )
    return len(findings.data) == before


def _check_labels(task: Task, split: str, targets: np.ndarray, findings: _Findings) -> None:
    if targets.ndim != 1 or targets.dtype.kind == "f":
        findings.data.append(
            f"Labels of {split} must be whole numbers in shape (rows,), got {targets.dtype} "
            f"{targets.shape}."
        )
        return
    n = 2 if task.kind == "binary" else len(task.classes) or None
    outside = np.flatnonzero((targets < 0) | (targets >= n) if n else targets < 0)
    if len(outside):
        values = ", ".join(map(str, np.unique(targets[outside])[:5]))
        findings.data.append(
            f"Labels of {split} must be 0 to {n - 1 if n else 'n-1'}, and {len(outside):,} are not "
            f"({values}; the first in row {outside[0]}): number them from 0, or give `classes=` "
            "with the label values in order."
        )


def _check_classes(task: Task, targets: Mapping[str, np.ndarray], findings: _Findings) -> None:
    """Every class in every split; calibration only needs two of them."""
    train = targets.get("train")
    if train is None:
        return
    multilabel = task.kind == "multilabel"
    n = train.shape[1] if multilabel else max(2, len(task.classes) or int(train.max()) + 1)
    names = task.classes if len(task.classes) == n else tuple(map(str, range(n)))
    for split, labels in targets.items():
        counts = labels.sum(axis=0) if multilabel else np.bincount(labels, minlength=n)
        missing = [names[i] if i < n else str(i) for i in np.flatnonzero(counts[:n] == 0)]
        if split == "calibration":
            if not multilabel and n - len(missing) < 2:
                findings.data.append(
                    "Every row of calibration has the same class: it needs rows of two classes at "
                    "least."
                )
        elif missing:
            shown = ", ".join(f"`{m}`" for m in missing[:8]) + (
                f" and {len(missing) - 8} more" if len(missing) > 8 else ""
            )
            findings.data.append(
                f"{split} has no row of class {shown}: add rows of it, cut the splits stratified "
                "by class, or give `classes=` with the labels that there are."
            )


def _check_blocks(splits: Mapping[str, AnyRows], findings: _Findings) -> None:
    """Two times or groups or more in the splits that are scored."""
    for name in ("valid", "test"):
        rows = splits.get(name)
        if rows is None or rows.blocks is None or len(np.unique(rows.blocks)) > 1:
            continue
        noun = "time" if rows.groups is None else "group"
        findings.data.append(
            f"`{name}` holds one {noun} only: intervals resample whole {noun}s, so at least two "
            f"are needed; give rows of more {noun}s, finer {noun}s, or no `{noun}s`."
        )


def _check_shared(splits: Mapping[str, AnyRows], findings: _Findings) -> None:
    """Rows of train, valid and calibration that are in test too, and rows of train in valid."""
    for held, others in (("test", ("train", "valid", "calibration")), ("valid", ("train",))):
        keys = row_keys(splits, (held, *others))
        if held not in keys:
            continue
        everywhere = np.zeros(len(keys[held]), bool)
        shared_by = [n for n in others if n in keys and np.isin(keys[held], keys[n]).any()]
        if _is_natural(splits["train"], held, shared_by, keys):
            n = int(np.isin(keys[held], np.concatenate([keys[o] for o in shared_by])).sum())
            findings.warnings.append(
                f"{n:,} of {len(keys[held]):,} {held} rows are in {', '.join(shared_by)} too. Rows "
                "of few different values are drawn more than once, so this is no leak; but the "
                "score says little about rows that were never seen."
            )
            continue
        for other in (n for n in others if n in keys):
            shared = np.isin(keys[held], keys[other])
            everywhere |= shared
            n_other = int(np.isin(keys[other], keys[held]).sum())
            if not n_other:
                continue
            counts = f"{int(shared.sum()):,} of {len(shared):,} {held} rows are in {other} too"
            text = f"{counts}, the first is row {int(shared.argmax())} of {held}"
            leaks = everywhere.sum() > max(1, SHARED * len(shared))
            leaks |= other == "calibration" and n_other > max(1, SHARED * len(keys[other]))
            if leaks and held == "test":
                findings.data.append(
                    f"{text}: what is measured on test would not be honest; keep a row in one "
                    "split only."
                )
            else:
                findings.warnings.append(f"{text}.")


def _is_natural(
    train: AnyRows, held: str, shared_by: list[str], keys: Mapping[str, np.ndarray]
) -> bool:
    """Whether the overlap of a split with others is as large as random draws make it."""
    if not shared_by or not isinstance(train, Rows):
        return False
    others = np.concatenate([keys[name] for name in shared_by])
    return overlap_is_natural(train, keys[held], others)


def _check_output(task: Task, probe: Probe, targets: np.ndarray, findings: _Findings) -> None:
    """Finite weights, and outputs on a few clean rows in the shape that the labels need."""
    candidate, outputs = probe.candidate, probe.outputs
    form = form_named(candidate.form)
    problems = form.problems(candidate.model)
    findings.model += [f"`{candidate.name}` {problem}" for problem in problems]
    if problems or not form.is_trained(candidate.model):
        return
    if outputs is None:
        findings.model.append(
            f"`{candidate.name}` raised {type(probe.error).__name__} on the inputs "
            f"{_listed(probe.inputs)}: {probe.error}"
        )
        return
    n_rows = len(probe.rows)
    others = _other_outputs(task, probe, outputs, targets)
    if expected := misfit(task, outputs, targets, n_rows):
        way_out = f" Its output {_choice(others[0])} has such a shape." if others else ""
        findings.model.append(
            f"`{candidate.name}` must give outputs {expected}, and gave {outputs.shape} for "
            f"{n_rows} rows.{way_out} {task.reading.labels_note}".rstrip()
        )
    elif not np.isfinite(outputs).all() and clean(probe.rows) is probe.rows:
        findings.model.append(
            f"`{candidate.name}` gives outputs that are not finite on rows of train."
        )
    elif problem := loss_problem(task, probe) if form.trained_by_loss else "":
        findings.model.append(problem)
    elif form.trained_by_loss and (end := ends_in(task, candidate, probe.inputs, outputs)):
        findings.warnings.append(
            f"`{candidate.name}` seems to end in a {end}: loss and metrics read logits; leave it "
            "out."
        )
    if others and not findings.model and task.output is None:
        names = " and ".join(map(_choice, others[:2]))
        findings.warnings.append(
            f"`{candidate.name}` gives several outputs of a right shape, and the usual one counts "
            f"here; others are chosen by {names}."
        )


def _other_outputs(
    task: Task, probe: Probe, outputs: np.ndarray, targets: np.ndarray
) -> list[str | int]:
    """Names or places of further outputs whose shape fits the targets."""
    if task.kind == "custom" or probe.outputs is None:
        return []
    every = probe.outputs_by_name
    fits = not misfit(task, outputs, targets, len(probe.rows))
    if fits and next(iter(every), None) == "logits":
        return []  # a model that says which output counts
    return [
        name
        for name, array in list(every.items())[1:]
        if array.ndim and not misfit(task, array, targets, len(probe.rows))
    ]


def _choice(output: str | int) -> str:
    return f"`output={output!r}`"


def _takes_numbers_only(candidate: Candidate) -> bool:
    """Whether the model itself neither takes columns of text nor fills missing values."""
    return not form_named(candidate.form).takes_columns
