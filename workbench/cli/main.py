"""The command `workbench`: tour, lab, doctor, run and its relatives, and one command a technique
made from its settings.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from workbench.errors import RunError, WorkbenchError

__all__ = ["main"]

COMMON = {
    "task": "built-in task, or package.module:function that makes one",
    "start": "model to start from; the task's first by default",
    "seed": "seed of everything random",
    "device": "auto, cpu, cuda or mps",
    "store": "URL of an MLflow server, or of a database; SQLite under runs/ by default",
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command line; returns the exit status: 0 done, 1 refused or failed, 2 wrong usage, 130
    interrupted.
    """
    given = _parser(list(sys.argv[1:] if arguments is None else arguments))
    try:
        return given.function(given) or 0
    except WorkbenchError as error:
        print(f"workbench: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print(
            "\nInterrupted. A run that was started goes on: `workbench list` shows it, `workbench "
            "cancel RUN` stops it.",
            file=sys.stderr,
        )
        return 130
    except BrokenPipeError:
        return 0


def _parser(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="workbench", description="Optimize AI models, measured honestly.", allow_abbrev=False
    )
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")

    def add(
        name: str, function: Callable[[argparse.Namespace], int | None], text: str
    ) -> argparse.ArgumentParser:
        sub = commands.add_parser(name, help=text, description=text, allow_abbrev=False)
        sub.set_defaults(function=function)
        return sub

    sub = add("tour", _tour, "prune and quantize a real network on real images, in two minutes")
    sub.add_argument("--root", help="folder of runs (default: runs)")
    sub = add("lab", _lab, "open JupyterLab on the notebooks")
    sub.epilog = "All options are handed to `jupyter lab`."
    add("doctor", _doctor, "check that this machine has what the workbench needs")
    sub = add("run", _run, "run a recipe")
    sub.add_argument("recipe", nargs="?", help="YAML file")
    sub.add_argument(
        "--resume",
        metavar="RUN",
        help="go on with a run that was interrupted, instead of starting one",
    )
    _run_options(sub)
    sub = add("resume", _resume, "go on with a run that was interrupted")
    sub.add_argument("run")
    sub.add_argument("--root", help="folder of runs (default: runs)")
    sub.set_defaults(detach=False)
    for name, function, text in (
        ("cancel", _cancel, "stop a run"),
        ("show", _show, "show a run's ledger"),
    ):
        sub = add(name, function, text)
        sub.add_argument("run", help="name, beginning of a name, folder, or `last`")
        sub.add_argument("--root", help="folder of runs (default: runs)")
    sub = add("list", _list, "list the runs")
    sub.add_argument("--root", help="folder of runs (default: runs)")
    sub = add("measure", _measure, "measure an ONNX file or a kept candidate on this machine")
    sub.add_argument("file", type=Path)
    sub.add_argument("--task", help="also measure its quality on this task's valid rows")
    sub.add_argument(
        "--everywhere",
        action="store_true",
        help="on every runtime that is installed, and pick the fastest",
    )
    sub.add_argument("--threads", type=int, default=1)
    sub.add_argument("--budget", default="standard", choices=("smoke", "standard", "thorough"))
    sub.add_argument("--price-per-core-hour", type=float)
    sub = add("store", _store, "the store of runs")
    sub.add_argument("action", choices=("rebuild", "where"))
    sub.add_argument("--store", default="", help=COMMON["store"])
    sub.add_argument("--root", help="folder of runs (default: runs)")
    sub = add("settings", _settings, "the settings of a technique as a table")
    sub.add_argument("technique", nargs="?")
    wanted = next((a for a in arguments if not a.startswith("-")), "")
    _add_techniques(commands, wanted)
    given, options = parser.parse_known_args(arguments)
    if options and given.command != "lab":
        parser.error(f"unrecognized arguments: {' '.join(options)}")
    given.options = options
    return given


def _run_options(sub: argparse.ArgumentParser) -> None:
    sub.add_argument("--root", help="folder of runs (default: runs)")
    sub.add_argument("--store", default="", help=COMMON["store"])
    sub.add_argument(
        "--detach", action="store_true", help="return at once; the run goes on by itself"
    )


def _add_techniques(commands: Any, wanted: str) -> None:
    """A command for each technique; options are made only for the one that is called, as that
    imports it.
    """
    from workbench.techniques import get_technique, technique_names

    for name in technique_names():
        text = f"run {name} alone, its settings as options"
        sub = commands.add_parser(name, help=text, description=text, allow_abbrev=False)
        if name != wanted:
            continue
        from workbench.settings import knobs

        declared = get_technique(name)
        if declared.actions:
            sub.add_argument(
                "action",
                nargs="?",
                choices=sorted(declared.actions),
                help="an analysis instead of a run",
            )
        sub.add_argument("--task", default="fashion", help=COMMON["task"])
        sub.add_argument("--start", default="", help=COMMON["start"])
        sub.add_argument("--seed", type=int, default=0, help=COMMON["seed"])
        sub.add_argument("--device", default="auto", help=COMMON["device"])
        sub.add_argument(
            "--price-per-core-hour", type=float, help="adds what a million predictions cost"
        )
        for k in knobs(declared.settings):
            sub.add_argument(
                f"--{k.name.replace('_', '-')}",
                dest=f"knob_{k.name}",
                metavar=k.cell_type.upper(),
                default=k.default,
                help=f"{k.described} [{k.default}]".replace("%", "%%"),
            )
        _run_options(sub)
        sub.set_defaults(function=_technique, technique=name)


def _technique(given: argparse.Namespace) -> int:
    from workbench.recipe import Recipe, Step
    from workbench.techniques import get_technique

    declared = get_technique(given.technique)
    flat = {
        k.removeprefix("knob_"): _read(v) for k, v in vars(given).items() if k.startswith("knob_")
    }
    settings = declared.settings.from_flat(flat)
    if getattr(given, "action", None):
        return _analyse(given, settings)
    recipe = Recipe.make(
        given.task,
        [Step(given.technique, settings)],
        start=given.start,
        seed=given.seed,
        budget=settings.budget,
        device=given.device,
        price_per_core_hour=given.price_per_core_hour,
    )
    return _follow(recipe, given)


def _analyse(given: argparse.Namespace, settings: Any) -> int:
    from rich.console import Console

    from workbench.cli.console import console
    from workbench.runs.analyses import analyse
    from workbench.runs.folders import runs_root

    with console() as bar:
        tables = analyse(
            given.technique,
            given.action,
            given.task,
            start=given.start,
            settings=settings,
            seed=given.seed,
            device=given.device,
            root=given.root,
            listener=bar,
        )
    out = Console(width=None if sys.stdout.isatty() else 150)
    for name, table in tables.items():
        out.print(f"\n[bold]{name}[/bold]")
        out.print(
            table.to_string(index=False, max_rows=80), soft_wrap=True, markup=False, highlight=False
        )
    out.print(
        f"\nTables: {runs_root(given.root) / 'analyses' / f'{given.technique}-{given.action}'}",
        soft_wrap=True,
    )
    return 0


def _read(value: Any) -> Any:
    """None, true and false as a shell gives them; everything else is read by the settings class."""
    return {"None": None, "none": None}.get(value, value) if isinstance(value, str) else value


def _run(given: argparse.Namespace) -> int:
    from workbench.recipe import Recipe

    if given.resume:
        given.run = given.resume
        return _resume(given)
    if not given.recipe:
        raise WorkbenchError(
            "Name a recipe: `workbench run recipe.yml`, or go on with a run by `--resume RUN`."
        )
    return _follow(Recipe.from_yaml(Path(given.recipe)), given)


def _follow(recipe: Any, given: argparse.Namespace) -> int:
    from workbench.runs.handle import start

    run = start(recipe, root=given.root, store=given.store)
    print(f"Run folder: {run.folder}")
    return 0 if given.detach else _watch(run)


def _watch(run: Any) -> int:
    from workbench.cli.console import console

    with console() as bar:
        run.follow(bar)
    if run.status != "finished":
        run.check()
    return _print_trail(run)


def _print_trail(run: Any) -> int:
    from rich.console import Console

    from workbench.ledger.tables import rich_table

    trail, out = run.result, Console(width=None if sys.stdout.isatty() else 150)
    out.print(rich_table(trail.rows, title=f"{run.name} ({run.status})"))
    if trail.test:
        out.print(f"[bold]{trail.test.text}[/bold]")
    out.print(f"Run folder: {run.folder}", soft_wrap=True)
    try:
        out.print(f"Model file: {trail.onnx_path}", soft_wrap=True)
    except RunError:
        out.print(f"Model: {trail.steps[-1]} (it could not be written as ONNX)", soft_wrap=True)
    return 0


def _resume(given: argparse.Namespace) -> int:
    from workbench.runs.handle import find_run

    run = find_run(given.run, given.root).resume()
    print(f"Run folder: {run.folder}")
    return 0 if given.detach else _watch(run)


def _cancel(given: argparse.Namespace) -> None:
    from workbench.runs.handle import find_run

    run = find_run(given.run, given.root)
    run.cancel()
    print(f"{run.name}: {run.status}; finished steps are kept.")


def _show(given: argparse.Namespace) -> int:
    from workbench.runs.handle import find_run

    run = find_run(given.run, given.root)
    if run.status == "failed":
        print(f"{run.name} failed: {run.error}")
    return _print_trail(run) if (run.folder / "steps").exists() else 0


def _list(given: argparse.Namespace) -> None:
    from rich.console import Console
    from rich.table import Table

    from workbench.runs.folders import run_folders, runs_root
    from workbench.runs.handle import Run

    table = Table(
        "run",
        "status",
        "task",
        "steps",
        title=f"Runs in {runs_root(given.root)}",
        title_justify="left",
    )
    for folder in run_folders(given.root):
        run = Run(folder)
        try:
            recipe = run.recipe
            table.add_row(run.name, run.status, recipe.task, ", ".join(recipe.labels))
        except WorkbenchError:  # made by a technique or a version that is not here
            table.add_row(run.name, run.status, "?", "its recipe cannot be read here")
    Console().print(table)


def _measure(given: argparse.Namespace) -> None:
    from rich.console import Console

    from workbench.measure.file import measure_file, measure_file_everywhere

    if given.everywhere:
        found = measure_file_everywhere(
            given.file, task=given.task, threads=given.threads, budget=given.budget
        )
        print(found.table.to_string(index=False, float_format=lambda v: f"{v:.3g}"))
        print(
            "".join(f"\n{name} cannot run it: {why}" for name, why in found.failed.items()),
            found.text,
            sep="\n",
        )
        return
    card = measure_file(
        given.file,
        task=given.task,
        threads=given.threads,
        budget=given.budget,
        price_per_core_hour=given.price_per_core_hour,
    )
    Console().print(card.to_frame().to_string(index=False), soft_wrap=True)


def _store(given: argparse.Namespace) -> None:
    from workbench.runs.folders import run_folders, runs_root
    from workbench.store.index import rebuild, shown_url, store_url

    print(f"Store: {shown_url(store_url(given.store, runs_root(given.root)))}")
    if given.action == "rebuild":
        print(
            f"Recorded {rebuild(run_folders(given.root), given.store, runs_root(given.root))} runs."
        )


def _settings(given: argparse.Namespace) -> None:
    from rich.console import Console
    from rich.table import Table

    from workbench.settings import knobs
    from workbench.techniques import get_technique, technique_names

    for name in [given.technique] if given.technique else technique_names():
        table = Table(
            "setting",
            "type",
            "default",
            "what it decides",
            title=f"workbench {name}",
            title_justify="left",
        )
        for k in knobs(get_technique(name).settings):
            table.add_row(k.name, k.cell_type, str(k.default), k.described)
        Console().print(table)


def _tour(given: argparse.Namespace) -> int:
    from workbench.cli.tour import tour

    return tour(given.root)


def _lab(given: argparse.Namespace) -> int:
    from workbench.cli.lab import lab

    return lab(given.options)


def _doctor(given: argparse.Namespace) -> int:
    from workbench.cli.doctor import doctor

    return doctor()


if __name__ == "__main__":
    raise SystemExit(main())
