"""analyse(): one of a technique's analyses, here and now, without a run."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from workbench.errors import TaskError, UnknownName, unknown
from workbench.events import Event, Report
from workbench.model_form import Training
from workbench.runs.candidates import candidate_named, trained
from workbench.runs.folders import runs_root, telling_storage
from workbench.runs.jobs import CACHE, builder_for
from workbench.runs.valid_rows import limit_valid
from workbench.system.files import write_text
from workbench.system.machine import device_of
from workbench.task import Task
from workbench.tasks import load_task
from workbench.technique import Job
from workbench.techniques import get_technique

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["analyse"]


def analyse(
    technique: str,
    action: str,
    task: Task | str,
    *,
    start: str = "",
    task_args: Mapping[str, Any] | None = None,
    settings: Any = None,
    seed: int = 0,
    device: str = "auto",
    root: str | Path | None = None,
    store: str = "",
    listener: Callable[[Event], None] | None = None,
    **options: Any,
) -> dict[str, pd.DataFrame]:
    """The tables of an analysis of a technique (`pruning`, `sensitivity`), by name.

    The analysis scores valid and makes no candidate. Its tables are also written to
    `<runs>/analyses/<technique>-<action>/`. Its results are kept in the cache of the runs, so that
    an analysis that was interrupted goes on, and the same analysis is not computed twice.

    `task_args` are keyword arguments for the function that makes a task given by name. `store` is
    the store that a start `models:/NAME@ALIAS` is read from. `options` go to the analysis. Raises
    UnknownName for an action that the technique does not have, SettingsError for settings without
    effect on this model, TaskError for `task_args` beside a task that is an object.
    """
    declared = get_technique(technique)
    if action not in declared.actions:
        raise UnknownName(unknown(f"action of `{technique}`", action, declared.actions))
    chosen = settings if settings is not None else declared.settings()
    whole = _task(task, task_args)
    seen = limit_valid(whole.without_test(), chosen.budget)
    report, home = Report(*([listener] if listener else [])), runs_root(root)
    folder = home / "analyses" / f"{technique}-{action}"
    with telling_storage(home):
        folder.mkdir(parents=True, exist_ok=True)
    training = Training(chosen.budget, seed, device_of(device), report)
    named = candidate_named(start, seen, seed=seed, root=home, store=store)
    declared.check_form(named.candidate.form, named.candidate.name)
    declared.check_settings(chosen, named.candidate.form, named.candidate.name)
    candidate = trained(named, seen, training)
    others = {
        reference: trained(
            candidate_named(reference, seen, seed=seed, root=home, store=store), seen, training
        )
        for reference in declared.referred(chosen)
    }
    job = Job(
        seen,
        candidate,
        folder,
        others=others,
        seed=seed,
        device=training.device,
        report=report,
        cache=home / CACHE,
        build=builder_for(candidate, seen),
    )
    tables = dict(declared.actions[action](job, chosen, **options))
    for name, table in tables.items():
        write_text(folder / f"{name}.csv", table.to_csv(index=False))
    return tables


def _task(task: Task | str, args: Mapping[str, Any] | None) -> Task:
    """The task, made with its arguments if it is given by name."""
    if isinstance(task, str):
        return load_task(task, args)
    if args:
        raise TaskError(
            f"`task_args` are arguments for a task given by name; `{task.name}` is a task already: "
            "make it with these arguments, or leave `task_args` out."
        )
    return task
