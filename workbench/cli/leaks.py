"""`workbench leaks`: the leakage guard on a task, or on a file of rows."""

from __future__ import annotations

from typing import Any

import rich_click as click

from workbench.cli.console import console, print_json
from workbench.cli.options import (
    ARGUMENT,
    Named,
    command,
    flag,
    json_flag,
    run_option,
    run_options_from,
    task_names,
)

__all__ = ["leaks"]

FOUND = 3  # exit status where `--check` is given and a leak was found


def _source_argument() -> click.Parameter:
    text = "Task, `package.module:function`, or file of a table: CSV, Parquet or Feather."
    return click.RichArgument(["source"], type=Named(task_names), help=text, panel=ARGUMENT)


def _text_option(name: str, text: str) -> Any:
    return lambda: click.RichOption([f"--{name}"], default="", metavar="TEXT", help=text)


def _groups_option() -> click.Parameter:
    text = "Column with the owner of each row, such as the patient; may be given several times."
    return click.RichOption(["--groups"], multiple=True, metavar="TEXT", help=text)


@command(
    "leaks",
    _source_argument,
    _text_option("target", "Column to predict, for a file."),
    _text_option("times", "Column with the time of each row, for a file."),
    _text_option("valid", "File with the valid rows. [default: they are cut from the table]"),
    _text_option("test", "File with the test rows. [default: they are cut from the table]"),
    _groups_option,
    flag("check", f"End with status {FOUND} where a leak is found, for use in scripts."),
    run_option("task_args"),
    run_option("start"),
    run_option("store"),
    run_option("root"),
    json_flag,
    panel="Tools",
)
def leaks(
    source: str,
    target: str,
    times: str,
    valid: str,
    test: str,
    groups: tuple[str, ...],
    check: bool,
    json: bool,
    **values: Any,
) -> int:
    """Look for leaks: information that a model will not have when it predicts."""
    from workbench.events import Report
    from workbench.measure.leakage import find_leaks

    files = {"target": target, "times": times, "valid": valid, "test": test}
    task = _task(source, {name: text for name, text in files.items() if text}, values)
    candidate = _candidate(task, values)
    with console(quiet=json) as listener:
        found = find_leaks(
            task, candidate=candidate, groups=list(groups) or None, report=Report(listener)
        )
    if json:
        print_json({**found.to_json(), "text": found.sentence})
    else:
        print(found.text)
    return FOUND if check and found.leaks else 0


def _task(source: str, files: dict[str, Any], values: dict[str, Any]) -> Any:
    """The task of a name, or of a file of rows."""
    from pathlib import Path

    from workbench.data.files import is_file_of_rows
    from workbench.measure.leakage.refused import task_for_guard
    from workbench.tasks import load_task

    if is_file_of_rows(source):
        if "target" not in files:
            raise click.UsageError("A file needs the column to predict: `--target COLUMN`.")
        return task_for_guard(Path(source).name.partition(".")[0], train=source, **files)
    if files:
        names = ", ".join(f"`--{name}`" for name in files)
        raise click.UsageError(f"{names} is for a file of rows; `{source}` is a task.")
    return load_task(source, run_options_from({**values, "task": source}).task_args)


def _candidate(task: Any, values: dict[str, Any]) -> Any:
    """The candidate to start from, where one is named."""
    if not values["start"]:
        return None
    from workbench.runs.candidates import candidate_named
    from workbench.runs.folders import runs_root

    root = runs_root(values["root"])
    return candidate_named(
        values["start"], task, seed=0, store=values["store"], root=root
    ).candidate
