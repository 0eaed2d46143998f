"""Candidates by the reference that an option or a setting holds, and from their folders."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from workbench.errors import RunError, UnknownName, shown, unknown
from workbench.keeping.candidates import describe, load_kept
from workbench.keeping.skops_files import types_of
from workbench.model_form import Training, form_named, form_of
from workbench.models.networks import build_seeded
from workbench.recipe import Recipe
from workbench.system.declared import named_object
from workbench.system.files import path_of
from workbench.task import Candidate, Task

__all__ = [
    "MODELS",
    "Named",
    "candidate_named",
    "first_start",
    "last_step",
    "load_candidate",
    "trained",
]

MODELS = "models:/"  # begins the reference of a registered model


@dataclass(frozen=True)
class Named:
    """A candidate by reference: whether it is trained, and the folder that it was kept in."""

    candidate: Candidate
    is_trained: bool = True
    folder: Path | None = None


def candidate_named(
    reference: str, task: Task, *, seed: int = 0, store: str = "", root: Path | None = None
) -> Named:
    """The candidate that a text names.

    Known are a model of the task (empty: its first), the folder of a run or of one of its steps,
    a registered model `models:/NAME@ALIAS` or `models:/NAME/VERSION`, and `package.module:name`,
    which is a candidate or a torch module, or a function annotated to return one. Raises
    UnknownName for a name that is none of these.
    """
    if not isinstance(reference, str):
        raise UnknownName(unknown("candidate", shown(reference), task.builders))
    is_start = task.start is not None and reference == task.start.name
    if not reference or reference in task.builders or is_start:
        candidate, is_trained = task.candidate(reference, seed=seed)
        return Named(candidate, is_trained)
    folder = path_of(reference, error=UnknownName)
    if reference.startswith(MODELS):
        from workbench.store.pending import settle
        from workbench.store.registry import model_folder

        home = root or Path.cwd()
        settle(home)
        folder = model_folder(reference, store, home)
    if (folder / "candidate.json").exists():
        return Named(load_candidate(folder, task), folder=folder)
    if (folder / "steps").is_dir():
        step = last_step(folder)
        return Named(load_candidate(step, task), folder=step)
    if ":" in reference and not folder.exists():
        return _from_code(reference, task, seed)
    raise UnknownName(
        unknown("candidate", reference, task.builders) + " Or give the folder of a run or of one "
        "of its steps, models:/NAME@ALIAS, or package.module:function."
    )


def trained(named: Named, task: Task, training: Training) -> Candidate:
    """The candidate as it is where it is trained; else trained on the task's train rows."""
    candidate = named.candidate
    if named.is_trained:
        return candidate
    return form_named(candidate.form).fit(candidate, task, training)


def load_candidate(place: Path, task: Task | None, *, trusted: Sequence[Any] = ()) -> Candidate:
    """A finished step's candidate, its network in the user's own class if the task can build it."""
    about = describe(place)
    name = (about["builder"] or "").rpartition("/")[2]
    build = None
    if task is not None and name in task.builders:
        build = partial(task.build, name, **about.get("builder_args", {}))
    elif task is not None and task.start is not None and task.start.form == about["form"]:
        build = partial(_instance, task)
    return load_kept(
        place, build=build, task=task, trusted=[*trusted, *_types_at_hand(task, about)]
    )


def last_step(folder: Path) -> Path:
    """The last step of a run's folder that made a candidate; raises RunError when there is none."""
    steps = [p.parent for p in sorted((folder / "steps").glob("*/candidate.json"))]
    if not steps:
        raise RunError(f"{folder} holds no finished step with a candidate.")
    return steps[-1]


def first_start(place: Path) -> Path | None:
    """The folder of the first start behind a step's folder: that of its run, or of an earlier one.

    None for a folder that belongs to no run.
    """
    run = place.parent.parent
    start = next(iter(sorted(run.glob("steps/00-*/candidate.json"))), None)
    if place.parent.name != "steps" or start is None:
        return None
    earlier = start.parent / "first"
    return earlier if (earlier / "candidate.json").exists() else start.parent


def task_name_of(place: Path) -> str:
    """The name of the task of the run that a step's folder belongs to; empty for other folders."""
    run = place.parent.parent
    if not (run / "recipe.yml").exists():
        return ""
    return str(Recipe.of_run(run).options.task)


def _instance(task: Task) -> Any:
    return task.start.model if task.start is not None else None


def _types_at_hand(task: Task | None, about: dict[str, Any]) -> list[str]:
    """Types of the task's own estimators, which this session has loaded, and their packages."""
    has_transformer = (about["prepare"] or {}).get("kind") == "transformer"
    if task is None or not (has_transformer or about.get("kept") == "skops"):
        return []
    at_hand: list[Any] = [getattr(task.prepare, "transformer", None)]
    if task.start is not None:
        at_hand.append(task.start.model)
    name = (about["builder"] or "").rpartition("/")[2]
    if name in task.builders:
        at_hand.append(task.build(name, **about.get("builder_args", {})))
    types = {t for value in at_hand if value is not None for t in types_of(value)}
    return sorted(types | {f"{t.partition('.')[0]}.*" for t in types})


def _from_code(reference: str, task: Task, seed: int) -> Named:
    """A trained module, a Candidate, or the result of a function that is annotated to give one.

    A module whose lazy layers have no weights yet is not trained; they are drawn from `seed`.
    """
    from torch import nn

    named = named_object(reference, (Candidate, nn.Module), "a Candidate or a torch module")
    name = reference.rpartition(":")[2]
    if isinstance(named, Candidate):
        return Named(replace(named, name=name))
    form = form_of(named)
    prepare = task.prepare_for(name, form.name)
    model = build_seeded(lambda: task.fitting(form.copy(named), prepare), seed)
    return Named(Candidate(name, form.name, model, prepare=prepare), form.is_trained(named))
