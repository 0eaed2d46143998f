"""analyse(): one of a technique's analyses, here and now, without a run."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from workbench.errors import UnknownName, unknown
from workbench.events import Event, Report
from workbench.model_form import Training
from workbench.runs.candidates import candidate_named, trained
from workbench.runs.folders import runs_root, telling_storage
from workbench.runs.steps import CACHE, builder_for, looked_at
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
    settings: Any = None,
    seed: int = 0,
    device: str = "auto",
    root: str | Path | None = None,
    listener: Callable[[Event], None] | None = None,
    **options: Any,
) -> dict[str, pd.DataFrame]:
    """The tables of an analysis of a technique (`pruning`, `sensitivity`), by name.

    The analysis looks at valid and makes no candidate.

    They are also written to `<runs>/analyses/<technique>-<action>/`. What was computed is kept in
    the runs' cache, so that an analysis that was interrupted goes on, and one that was done is
    there at once. `options` go to the analysis. Raises UnknownName for an action that the technique
    does not have.
    """
    declared = get_technique(technique)
    if action not in declared.actions:
        raise UnknownName(unknown(f"action of `{technique}`", action, declared.actions))
    chosen = settings if settings is not None else declared.settings()
    whole = load_task(task) if isinstance(task, str) else task
    seen = looked_at(whole.without_test(), chosen.budget)
    report, home = Report(*([listener] if listener else [])), runs_root(root)
    folder = home / "analyses" / f"{technique}-{action}"
    with telling_storage(home):
        folder.mkdir(parents=True, exist_ok=True)
    training = Training(chosen.budget, seed, device_of(device), report)
    named = candidate_named(start, seen, seed=seed, root=home)
    declared.check_form(named.candidate.form, named.candidate.name)
    candidate = trained(named, seen, training)
    others = {
        reference: trained(candidate_named(reference, seen, seed=seed, root=home), seen, training)
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
