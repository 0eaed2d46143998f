"""Commands to start with: tour, lab, doctor and docs, each imported when it is called."""

from __future__ import annotations

from typing import Any

import rich_click as click

from workbench.cli.options import ARGUMENT, command, flag, json_flag, run_option

__all__ = ["COMMANDS"]

PANEL = "Start"


@command("tour", run_option("root"), panel=PANEL)
def tour(root: str) -> int:
    """Prune and quantize a real network on real images, in two minutes."""
    from workbench.cli.tour import tour

    return tour(root)


def _jupyter_arguments() -> click.Parameter:
    text = "Options and arguments of `jupyter lab`."
    return click.RichArgument(
        ["arguments"], nargs=-1, type=click.UNPROCESSED, help=text, panel=ARGUMENT
    )


@command(
    "lab",
    _jupyter_arguments,
    panel=PANEL,
    context_settings={"ignore_unknown_options": True, "help_option_names": ["--help"]},
)
def lab(arguments: tuple[str, ...]) -> int:
    """Open JupyterLab on the notebooks.

    All options are handed to `jupyter lab`.
    """
    from workbench.cli.lab import lab

    return lab(arguments)


@command("doctor", json_flag, panel=PANEL)
def doctor(json: bool) -> int:
    """Check that this machine has all that the workbench needs."""
    from workbench.cli.doctor import doctor

    return doctor(as_json=json)


@command("docs", flag("no_open", "Print the address; open no browser."), panel=PANEL)
def docs(no_open: bool) -> int:
    """Open the documentation."""
    from workbench.cli.docs import docs

    return docs(open_it=not no_open)


def _data_argument() -> click.Parameter:
    text = "File of a table: CSV, Parquet or Feather."
    return click.RichArgument(
        ["data"], type=click.Path(exists=True, dir_okay=False), help=text, panel=ARGUMENT
    )


def _target_option() -> click.Parameter:
    return click.RichOption(["--target"], required=True, metavar="TEXT", help="Column to predict.")


def _column_option(name: str, text: str) -> Any:
    return lambda: click.RichOption([f"--{name}"], default="", metavar="COLUMN", help=text)


def _notebook_option() -> click.Parameter:
    text = "Notebook to write. [default: the name of the file, with .ipynb, in this folder]"
    return click.RichOption(
        ["--out"], type=click.Path(dir_okay=False), default=None, metavar="PATH", help=text
    )


@command(
    "new",
    _data_argument,
    _target_option,
    _column_option("times", "Column with the time of each row: the latest rows are held out."),
    _column_option("groups", "Column with the owner of each row, whose rows stay together."),
    _notebook_option,
    panel=PANEL,
)
def new(data: str, target: str, times: str, groups: str, out: str | None) -> int:
    """Write a notebook for your own table, which begins with simple models."""
    from workbench.cli.new import new

    return new(data, target, out, times=times, groups=groups)


COMMANDS = (tour, lab, new, doctor, docs)
