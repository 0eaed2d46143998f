"""Commands about one run: run, resume, cancel, test and show."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import rich_click as click

from workbench.cli.clean import clean
from workbench.cli.console import console, output, print_json
from workbench.cli.listing import list_runs
from workbench.cli.options import (
    ARGUMENT,
    command,
    detach_flag,
    dry_run_flag,
    flag,
    json_flag,
    run_argument,
    run_option,
    task_names,
)
from workbench.cli.results import print_result
from workbench.errors import (
    CandidateError,
    RecipeError,
    RunError,
    UnknownName,
    WorkbenchError,
    unknown,
)

if TYPE_CHECKING:
    from workbench.ledger.rows import Row
    from workbench.recipe import Recipe
    from workbench.runs.handle import Run

__all__ = ["COMMANDS", "PANEL", "follow"]

PANEL = "Runs"


def _recipe_argument() -> click.Parameter:
    kind = click.Path(path_type=Path)
    return click.RichArgument(
        ["recipe"], type=kind, required=False, help="YAML file.", panel=ARGUMENT
    )


def _resume_option() -> click.Parameter:
    text = "Go on with a run that was interrupted, instead of starting one."
    return click.RichOption(["--resume"], metavar="RUN", default="", help=text)


@command(
    "run",
    _recipe_argument,
    _resume_option,
    detach_flag(),
    dry_run_flag(),
    run_option("root"),
    run_option("store"),
    panel=PANEL,
)
def run(
    recipe: Path | None, resume: str, detach: bool, dry_run: bool, root: str, store: str
) -> int:
    """Run a recipe."""
    from workbench.recipe import Recipe

    if resume and (recipe or dry_run):
        raise click.UsageError("`--resume` takes neither a recipe nor `--dry-run`.")
    if resume:
        return _go_on(resume, root, detach=detach)
    if recipe is None:
        raise WorkbenchError(
            "Name a recipe: `workbench run recipe.yml`, or go on with a run by `--resume RUN`."
        )
    read = Recipe.from_yaml(recipe)
    return follow(read, root=root, store=store, detach=detach, dry_run=dry_run)


@command(
    "resume",
    run_argument,
    flag("trust", "Resume a run whose task travelled as a pickle, which may run any code."),
    run_option("root"),
    panel=PANEL,
)
def resume(run: str, trust: bool, root: str) -> int:
    """Go on with a run that was interrupted."""
    return _go_on(run, root, trust=trust)


@command("cancel", run_argument, run_option("root"), panel=PANEL)
def cancel(run: str, root: str) -> None:
    """Stop a run; finished steps are kept."""
    handle = _find(run, root)
    handle.cancel()
    print(f"{handle.name}: {handle.status}; finished steps are kept.")


@command("test", run_argument, run_option("root"), panel=PANEL)
def test(run: str, root: str) -> None:
    """Measure a run's last candidate on the test split.

    For a run that left the test closed (`test: never`).
    """
    print(_find(run, root).open_test().text)


@command(
    "show",
    run_argument,
    flag("all", "Show all numbers: intervals, changes by each step, throughput, costs, times."),
    json_flag,
    run_option("root"),
    panel=PANEL,
)
def show(run: str, all: bool, json: bool, root: str) -> int:
    """Show the result of a run: a sentence, and a row a step."""
    handle = _find(run, root)
    if json:
        print_json(_as_data(handle))
        return 0
    if handle.status == "failed":
        print(f"{handle.name} failed: {handle.error}")
    has_steps = (handle.folder / "steps").exists()
    return _print_trail(handle, everything=all) if has_steps else 0


COMMANDS = (run, resume, cancel, show, list_runs, clean, test)


def follow(
    recipe: Recipe,
    *,
    root: str = "",
    store: str = "",
    detach: bool = False,
    dry_run: bool = False,
) -> int:
    """Start a recipe and show its progress until it ends; returns the exit status.

    An estimate of its time is printed before. `dry_run` checks the recipe and prints it, with the
    estimate as a comment; `detach` returns as soon as the run is started.
    """
    from workbench.runs.estimates import estimate
    from workbench.runs.handle import start

    if dry_run:
        _check(recipe)
        print(f"# {estimate(recipe).text}\n{recipe.to_yaml()}", end="")
        return 0
    print(estimate(recipe).text, flush=True)
    started = start(recipe, root=root or recipe.root, store=store or recipe.store)
    print(f"Run folder: {started.folder}")
    return 0 if detach else _watch(started)


def _check(recipe: Recipe) -> None:
    """Raise UnknownName for a task, or RecipeError for steps in an impossible order.

    The task is not loaded, and so the form of the start is not known: any form will do that lets
    all steps follow each other.
    """
    if ":" not in recipe.task and recipe.task not in task_names():
        way = " Or name your own as package.module:function."
        raise UnknownName(unknown("task", recipe.task, task_names()) + way)
    refused: RecipeError | CandidateError | None = None
    for form in recipe.steps[0].declared.accepts if recipe.steps else ():
        try:
            recipe.check_forms(form, recipe.start or "the start")
            return
        except (RecipeError, CandidateError) as error:
            refused = error
    if refused is not None:
        raise refused


def _find(name: str, root: str) -> Run:
    from workbench.runs.handle import find_run

    return find_run(name, root)


def _go_on(name: str, root: str, *, detach: bool = False, trust: bool = False) -> int:
    resumed = _find(name, root).resume(**({"trust": True} if trust else {}))
    print(f"Run folder: {resumed.folder}")
    return 0 if detach else _watch(resumed)


def _watch(run: Run) -> int:
    with console() as bar:
        run.follow(bar)
    if run.status != "finished":
        run.check()
    return _print_trail(run)


def _print_trail(run: Run, *, everything: bool = False) -> int:
    trail, out = run.result, output()
    print_result(trail, f"{run.name} ({run.status})", everything=everything)
    out.print(f"Run folder: {run.folder}", soft_wrap=True)
    try:
        out.print(f"Model file: {trail.onnx_path} (takes {trail.onnx_takes})", soft_wrap=True)
    except RunError:
        reason = f"`workbench show {run.name} --all` gives the reason"
        out.print(
            f"Model: {trail.steps[-1]} (it could not be written as ONNX; {reason})", soft_wrap=True
        )
    return 0


def _as_data(run: Run) -> dict[str, Any]:
    """A run's state, ledger and test line as plain data.

    `rows` are as measured, each in its own session; `shown` holds the milliseconds and the factors
    of the tables.
    """
    from workbench.ledger.factors import with_factors

    about: dict[str, Any] = {
        "name": run.name,
        "status": run.status,
        "error": run.error,
        "folder": str(run.folder),
        "summary": "",
        "rows": [],
        "baselines": [],
        "shown": [],
        "test": None,
        "model_file": None,
    }
    if not (run.folder / "steps").exists():
        return about
    trail = run.result
    about["summary"] = trail.summary
    about["rows"] = [row.to_json() for row in trail.rows]
    about["baselines"] = [row.to_json() for row in trail.baselines]
    about["shown"] = [_shown(row) for row in with_factors(trail.rows)]
    about["test"] = trail.test.to_json() if trail.test else None
    try:
        about["model_file"] = str(trail.onnx_path)
    except RunError:
        about["model_file"] = None
    return about


def _shown(row: Row) -> dict[str, Any]:
    """The latencies of a row in the session of the last row, and the factors that they give."""
    names = ("step", "size_bytes", "size_ratio", "size_ratio_parent")
    return {
        **{name: getattr(row, name) for name in names},
        "latencies_ms": dict(row.latencies_ms),
        "speedup_start": row.speedup_start,
        "speedup_parent": row.speedup_parent,
    }
