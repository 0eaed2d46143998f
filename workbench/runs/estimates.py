"""estimate(): how long a recipe will take on this machine, and how that is known.

The seconds of each part of the run come from the first of these that knows it: runs of this machine
with the same settings (their median), runs with other settings (their range), the table of built-in
tasks that comes with the package. The estimate of the run is the sum. It never raises an error.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from statistics import median
from typing import Any

from workbench.errors import WorkbenchError
from workbench.recipe import Recipe
from workbench.runs.durations import Duration, Part, durations, parts_of
from workbench.runs.handle import own_task
from workbench.runs.step_folders import START
from workbench.system.files import read_json
from workbench.system.records import record
from workbench.system.wording import duration_text
from workbench.task import Task

__all__ = ["TABLE", "Estimate", "Table", "estimate"]

TABLE = Path(__file__).with_name("files") / "durations.json"
BUSY = 1.2  # load of a core from which on other work ran beside a measurement
LAST_SAME = 3  # runs with the same settings, of which the median is taken
LAST_SIMILAR = 10  # runs with other settings, of which the range is taken
SAME, SIMILAR, FROM_TABLE = range(3)  # sources, the best first


@dataclass(frozen=True)
class Estimate:
    """The seconds that a run will take, and how they are known.

    Attributes
    ----------
    low, high
        Bounds in seconds; equal where one number is known. Both 0 where nothing is known.
    source
        SAME, SIMILAR or FROM_TABLE, the weakest source of a step; None where nothing is known.
    n_runs
        Number of earlier runs of the same settings, at most three.
    unknown
        Names of the steps of which nothing is known.
    processor
        Processor of the table of the package, as an estimate from it names it.
    """

    low: float = 0.0
    high: float = 0.0
    source: int | None = None
    n_runs: int = 0
    unknown: tuple[str, ...] = ()
    processor: str = ""

    @property
    def text(self) -> str:
        """The estimate in one sentence, such as "About 40 s (as the last 3 runs here)"."""
        if self.source is None:
            return "First run of this kind here: no estimate."
        took = duration_text(self.low, self.high)
        if self.unknown:
            steps = " and ".join(f"`{name}`" for name in self.unknown)
            return f"At least {took}, without {steps}: not run here yet."
        if self.source == SAME:
            runs = "run" if self.n_runs == 1 else f"{self.n_runs} runs"
            return f"About {took} (as the last {runs} here)."
        if self.source == SIMILAR:
            return f"About {took} (other settings took that)."
        return f"About {took} (measured on {self.processor}; not run here yet)."


@dataclass(frozen=True)
class Table:
    """The times of built-in tasks that come with the package.

    `measured` is the date, and `load` that of the machine, where 1 keeps all cores busy.
    """

    processor: str = ""
    measured: str = ""
    load: float = 0.0
    durations: tuple[Duration, ...] = ()

    @property
    def place(self) -> str:
        """The processor, and whether other work ran beside the measurement."""
        return f"{self.processor}{', beside other work' if self.load > BUSY else ''}"


@dataclass(frozen=True)
class _Known:
    """The seconds of one part of a run."""

    low: float
    high: float
    source: int
    n_runs: int = 0


def estimate(recipe: Recipe, task: Task | str = "") -> Estimate:
    """How long a recipe will take on this machine, and how that is known.

    `task` is the task of the run, as `wb.run` takes it. Files that cannot be read count as empty,
    so there is no error.
    """
    kept, table = durations(), _table()
    parts = parts_of(recipe, own_task(task))
    known = {label: _known(part, kept, table.durations) for label, part in parts.items()}
    counted = recipe.labels or (START,)
    steps = {label: known[label] for label in counted}
    of_steps = [k for k in steps.values() if k is not None]
    if not of_steps:
        return Estimate()
    all_known = [k for k in known.values() if k is not None]
    return Estimate(
        low=sum(k.low for k in all_known),
        high=sum(k.high for k in all_known),
        source=max(k.source for k in of_steps),
        n_runs=min(k.n_runs for k in of_steps),
        unknown=tuple(label for label, k in steps.items() if k is None),
        processor=table.place,
    )


def _known(part: Part, kept: Sequence[Duration], table: Sequence[Duration]) -> _Known | None:
    """The seconds of a part from the best source that knows it; None where none does."""
    ours = [d for d in kept if d.is_of(part)]
    same = [d.seconds for d in ours if d.settings == part.settings][-LAST_SAME:]
    if same:
        middle = median(same)
        return _Known(middle, middle, SAME, len(same))
    similar = [d.seconds for d in ours][-LAST_SIMILAR:]
    if similar:
        return _Known(min(similar), max(similar), SIMILAR)
    measured = [d.seconds for d in table if d.is_of(part)]
    return _Known(min(measured), max(measured), FROM_TABLE) if measured else None


@lru_cache(maxsize=1)
def _table() -> Table:
    """The table of the package; empty where it is missing or damaged."""
    try:
        return read_json(TABLE, _as_table)
    except WorkbenchError:
        return Table()


def _as_table(about: dict[str, Any]) -> Table:
    made = tuple(record(Duration, values) for values in about["durations"])
    return Table(str(about["processor"]), str(about["measured"]), float(about["load"]), made)
