"""`workbench measure`: a model file, or a kept candidate, measured on this machine."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import rich_click as click

from workbench.cli.console import output, print_json
from workbench.cli.options import ARGUMENT, command, flag, json_flag, run_option, run_options_from

if TYPE_CHECKING:
    from workbench.measure.everywhere import Everywhere

__all__ = ["measure"]


def _file_argument() -> click.Parameter:
    text = "ONNX file, or folder of a kept candidate."
    return click.RichArgument(["file"], type=click.Path(path_type=Path), help=text, panel=ARGUMENT)


def _threads_option() -> click.Parameter:
    text = "Threads of the runtime. [default: 1]"
    return click.RichOption(
        ["--threads"], type=click.IntRange(1), default=1, metavar="INT", help=text
    )


@command(
    "measure",
    _file_argument,
    run_option(
        "task", default="", help="Task, on whose valid rows quality is measured. [default: none]"
    ),
    run_option("task_args"),
    flag("everywhere", "Time it on every runtime that is installed, and name the fastest."),
    _threads_option,
    run_option("batch_sizes"),
    run_option("budget"),
    run_option("price_per_core_hour"),
    json_flag,
    panel="Tools",
)
def measure(file: Path, everywhere: bool, threads: int, json: bool, **values: Any) -> None:
    """Measure an ONNX file or a kept candidate on this machine."""
    from workbench.measure.file import measure_file, measure_file_everywhere

    options = run_options_from(values)
    if options.task_args and not options.task:
        raise click.UsageError("`--task-args` needs the task that they are for: `--task NAME`.")
    common: dict[str, Any] = {
        "task": options.task,
        "task_args": options.task_args,
        "batch_sizes": options.batch_sizes,
        "threads": threads,
        "budget": options.budget,
    }
    if everywhere:
        _tell_everywhere(measure_file_everywhere(file, **common), json)
        return
    card = measure_file(file, **common, price_per_core_hour=options.price_per_core_hour)
    if json:
        print_json(card.to_json())
    else:
        output().print(card.to_frame().to_string(index=False), soft_wrap=True)


def _tell_everywhere(everywhere: Everywhere, json: bool) -> None:
    if json:
        print_json(_as_data(everywhere))
        return
    print(everywhere.table.to_string(index=False, float_format=lambda v: f"{v:.3g}"))
    failed = "".join(f"\n{name} cannot run it: {why}" for name, why in everywhere.failed.items())
    print(failed, everywhere.text, sep="\n")


def _as_data(everywhere: Everywhere) -> dict[str, Any]:
    return {
        "best": everywhere.best,
        "batch_size": everywhere.batch_size,
        "runtimes": everywhere.table.to_dict(orient="records"),
        "failed": dict(everywhere.failed),
        "text": everywhere.text,
    }
