"""analyse(): one of a technique's analyses, here and now, without a run."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from workbench.errors import UnknownName, unknown
from workbench.events import Event, Report
from workbench.runs.candidates import candidate_named, train_start
from workbench.runs.folders import runs_root
from workbench.runs.steps import CACHE, looked_at
from workbench.system.files import write_text
from workbench.system.machine import device_of
from workbench.task import Task
from workbench.tasks.builtin import load_task
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
    settings: Any = None,
    seed: int = 0,
    device: str = "auto",
    root: str | Path | None = None,
    listener: Callable[[Event], None] | None = None,
    **options: Any,
) -> dict[str, pd.DataFrame]:
    """The tables of one of a technique's analyses (`pruning`, `sensitivity`), by name, on valid; no
    candidate is made.

    They are also written to `<runs>/analyses/<technique>-<action>/`. What was computed is kept in
    the runs' cache, so that an analysis that was interrupted goes on, and one that was done is
    there at once. `options` go to the analysis. Raises UnknownName for an action that the technique
    does not have.
    """
    declared = get_technique(technique)
    if action not in declared.actions:
        raise UnknownName(unknown(f"action of `{technique}`", action, declared.actions))
    chosen = settings if settings is not None else declared.settings()
    known = looked_at(
        (load_task(task) if isinstance(task, str) else task).without_test(), chosen.budget
    )
    report, home = Report(*([listener] if listener else [])), runs_root(root)
    folder = home / "analyses" / f"{technique}-{action}"
    folder.mkdir(parents=True, exist_ok=True)
    common = {"budget": chosen.budget, "seed": seed, "device": device_of(device), "report": report}
    candidate, trained = known.candidate(start, seed=seed)
    declared.check_form(candidate.form, candidate.name)
    if not trained:
        candidate = train_start(candidate, known, **common)
    others = {r: candidate_named(r, known, **common) for r in declared.referred(chosen)}
    job = Job(
        known,
        candidate,
        folder,
        others=others,
        seed=seed,
        device=common["device"],
        report=report,
        cache=home / CACHE,
        build=known.builders.get(candidate.name),
    )
    tables = dict(declared.actions[action](job, chosen, **options))
    for name, table in tables.items():
        write_text(folder / f"{name}.csv", table.to_csv(index=False))
    return tables
