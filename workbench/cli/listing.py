"""`workbench list`: the runs, with their quality against the start, size and speed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from textwrap import wrap
from typing import TYPE_CHECKING

import rich_click as click

from workbench.cli.console import output, print_json
from workbench.cli.options import OneOf, command, json_flag, run_option

if TYPE_CHECKING:
    from workbench.cli.run_entries import RunEntry

__all__ = ["list_runs"]

STATES = ("starting", "running", "finished", "failed", "cancelled", "killed")
SORTS = ("age", "quality", "size", "speed", "name")
# Columns that a narrow terminal leaves out, in this order. The task is a part of most names.
LEFT_OUT_FIRST = ("task", "steps", "status", "age", "speed", "size", "change")
GAP = 2  # spaces between columns
LEAST_NAME = 8  # characters of a line that a name gets at least
UNREADABLE = "its recipe cannot be read"
LEGEND = (
    "Change and verdict: the last candidate against the start, on test where it is open, else on "
    "valid. Size and speed: against the start in ONNX Runtime, where it was measured."
)


@dataclass(frozen=True)
class _Column:
    """A column of the list; a text that may go over several lines has `most` characters a line."""

    name: str
    texts: list[str]
    justify: str = "left"
    most: int = 0

    @property
    def width(self) -> int:
        widest = max(len(text) for text in (self.name, *self.texts))
        return min(widest, self.most) if self.most else widest


def _status_option() -> click.Parameter:
    return click.RichOption(
        ["--status"],
        type=OneOf("status", STATES),
        default=None,
        help=f"Only runs of this status: {', '.join(STATES)}.",
    )


def _task_option() -> click.Parameter:
    return click.RichOption(["--task"], default=None, metavar="NAME", help="Only runs of a task.")


def _since_option() -> click.Parameter:
    text = "Only runs started since then: a duration (45m, 3h, 2d, 4w) or a date (2026-11-20)."
    return click.RichOption(["--since"], default=None, metavar="TIME", help=text)


def _sort_option() -> click.Parameter:
    text = (
        "Order of the runs: age (the newest last), name, or the best first by quality (change "
        "against the start), size or speed."
    )
    kind = OneOf("order", SORTS)
    return click.RichOption(["--sort"], type=kind, default="age", help=f"{text} [default: age]")


@command(
    "list",
    _status_option,
    _task_option,
    _since_option,
    _sort_option,
    json_flag,
    run_option("root"),
    panel="Runs",
)
def list_runs(
    status: str | None, task: str | None, since: str | None, sort: str, json: bool, root: str
) -> None:
    """List the runs, with quality against the start, size and speed."""
    from workbench.cli.run_entries import moment, read_entries

    first = None if since is None else moment(since, "--since")
    entries = [
        entry
        for entry in read_entries(root)
        if (status is None or entry.status == status)
        and (task is None or (entry.tree or {}).get("task") == task)
        and (first is None or entry.created >= first)
    ]
    entries = _sorted(entries, sort)
    if json:
        print_json([entry.to_json() for entry in entries])
    else:
        _print_list(entries, root)


def _sorted(entries: list[RunEntry], sort: str) -> list[RunEntry]:
    if sort == "age":
        return sorted(entries, key=lambda e: e.created)
    if sort == "name":
        return sorted(entries, key=lambda e: e.name)
    number: Callable[[RunEntry], float | None] = {
        "quality": _gain,
        "size": lambda e: None if e.result is None else e.result.smaller,
        "speed": lambda e: None if e.result is None else e.result.faster,
    }[sort]
    known = {entry.name: number(entry) for entry in entries}
    return sorted(entries, key=lambda e: (known[e.name] is None, -(known[e.name] or 0.0)))


def _gain(entry: RunEntry) -> float | None:
    """The change of the score, positive for a better one."""
    verdict, _ = entry.judged
    return None if verdict is None else -verdict.loss[0]


def _print_list(entries: list[RunEntry], root: str) -> None:
    from rich.text import Text

    from workbench.ledger.tables import MOST_COLUMNS
    from workbench.runs.folders import runs_root

    out = output()
    width = min(out.width, MOST_COLUMNS)
    out.print(f"Runs in {runs_root(root)}", soft_wrap=True, markup=False, highlight=False)
    if not entries:
        out.print("No run matches." if list(runs_root(root).glob("*/run.json")) else "No runs yet.")
        return
    columns = _fitted(_columns(entries), width)
    head, *lines = _lines(columns, width)
    out.print(Text(head, "bold"), soft_wrap=True)
    print("\n".join(lines))
    out.print(Text(_legend(entries), "dim"), width=width)


def _columns(entries: list[RunEntry]) -> list[_Column]:
    from workbench.cli.run_entries import age_text

    steps = [_steps(entry) for entry in entries]
    return [
        _Column("run", [entry.name for entry in entries]),
        _Column("age", [age_text(entry.age_seconds) for entry in entries], "right"),
        _Column("status", [entry.status for entry in entries]),
        _Column("task", [str((entry.tree or {}).get("task", "?")) for entry in entries]),
        _Column("steps", steps, most=14 if UNREADABLE not in steps else len(UNREADABLE)),
        _Column("change", _changes(entries), "right"),
        _Column("verdict", [entry.verdict for entry in entries], most=12),
        _Column("size", [_times(entry, "smaller") for entry in entries], "right"),
        _Column("speed", [_times(entry, "faster") for entry in entries], "right"),
    ]


def _fitted(columns: list[_Column], width: int) -> list[_Column]:
    """The columns that fit in a line; no number is cut."""
    for name in LEFT_OUT_FIRST:
        if sum(c.width for c in columns) + GAP * (len(columns) - 1) <= width:
            break
        columns = [c for c in columns if c.name != name]
    return columns


def _lines(columns: list[_Column], width: int) -> list[str]:
    """The heading and the lines of all runs; a name that is too long for the width is folded."""
    widths = {c.name: c.width for c in columns}
    others = sum(widths.values()) - widths["run"] + GAP * (len(columns) - 1)
    widths["run"] = min(widths["run"], max(width - others, LEAST_NAME))
    lines = [_line(columns, widths, [column.name for column in columns])]
    for texts in zip(*(column.texts for column in columns), strict=True):
        parts = [_parts(text, widths[c.name]) for c, text in zip(columns, texts, strict=True)]
        for cells in zip_longest(*parts, fillvalue=""):
            lines.append(_line(columns, widths, cells))
    return lines


def _parts(text: str, width: int) -> list[str]:
    """The lines of a cell: broken between words, and a longer word anywhere."""
    if len(text) <= width:
        return [text]
    return wrap(text, width, break_on_hyphens=False)


def _line(columns: list[_Column], widths: dict[str, int], cells: Sequence[str]) -> str:
    padded = (
        cell.rjust(widths[c.name]) if c.justify == "right" else cell.ljust(widths[c.name])
        for c, cell in zip(columns, cells, strict=True)
    )
    return (" " * GAP).join(padded).rstrip()


def _steps(entry: RunEntry) -> str:
    return UNREADABLE if entry.steps is None else ", ".join(entry.steps)


def _changes(entries: list[RunEntry]) -> list[str]:
    """The change of each run; without the unit where all are points."""
    from workbench.system.wording import difference_text

    verdicts = [entry.judged[0] for entry in entries]
    texts = ["" if v is None else difference_text(v.difference, v.unit) for v in verdicts]
    if _all_points(entries):
        return [text.removesuffix(" points") for text in texts]
    return texts


def _all_points(entries: list[RunEntry]) -> bool:
    return all(v is None or v.unit == "points" for v, _ in (entry.judged for entry in entries))


def _legend(entries: list[RunEntry]) -> str:
    notes = [LEGEND]
    if _all_points(entries):
        notes.append("Changes are in percentage points.")
    if any(_times(entry, "faster").startswith("~") for entry in entries):
        notes.append("~: a quick check, or timed beside other work.")
    return " ".join(notes)


def _times(entry: RunEntry, name: str) -> str:
    from workbench.figures.units import times

    value = None if entry.result is None else getattr(entry.result, name)
    if value is None:
        return ""
    return times(value) if name == "smaller" or entry.is_speed_decided else f"~{times(value)}"
