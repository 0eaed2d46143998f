"""Ledgers that were prepared earlier: kept beside the notebooks, and shown in lessons.

    python -m workbench.runs.prepared 02_pruning
    python -m workbench.runs.prepared 02_pruning runs/20261127-124821-fashion-resnet20

The first command runs the technique of a notebook with its default settings and the budget
`standard`, and writes `notebooks/prepared/02_pruning.json`. The second one takes a finished run.
"""

from __future__ import annotations

import json
import math
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from html import escape
from pathlib import Path
from typing import Any

import workbench
from workbench.errors import RunError, unknown
from workbench.ledger.rows import Row, TestLine
from workbench.ledger.summary import summary
from workbench.ledger.tables import html
from workbench.lessons.notebooks import notebooks_folder
from workbench.recipe import Recipe
from workbench.runs.handle import Run, attach, start
from workbench.settings import VERSION
from workbench.system.files import read_json, write_text
from workbench.system.machine import host

__all__ = ["PreparedLedger", "prepare_ledger", "prepared_ledger"]

FOLDER = "prepared"  # beside the notebooks
BUDGET = "standard"
TASK_AND_START = ("fashion", "resnet20")
# These train many times, which takes hours on `fashion`; features are those of a table.
OTHERS = {
    "distillation": ("digits", "cnn"),
    "features": ("flights", "logistic"),
    "regularization": ("digits", "cnn"),
    "tuning": ("digits", "cnn"),
}
DIGITS = 6  # significant digits of a number in the file


@dataclass(frozen=True)
class PreparedLedger:
    """The ledger of an earlier run, with its command, processor and date."""

    command: str
    processor: str
    made: str
    rows: tuple[Row, ...]
    test: TestLine | None = None

    @property
    def about(self) -> str:
        """The origin of the ledger in one sentence."""
        return f"Prepared earlier on {self.processor}, {self.made}, with: {self.command}"

    @property
    def summary(self) -> str:
        """The result in one sentence."""
        return summary(self.rows, self.test)

    def _repr_html_(self) -> str:
        before, command = self.about.removesuffix(self.command), escape(self.command)
        return f"<p>{escape(before)}<code>{command}</code></p>{html(self.rows, self.test)}"

    def __repr__(self) -> str:
        return f"{self.about}\n{self.summary}"


def prepared_ledger(name: str) -> PreparedLedger:
    """The ledger that was prepared for a notebook, such as `02_pruning`.

    Raises RunError for a notebook without one, and for a damaged file.
    """
    folder = notebooks_folder() / FOLDER
    path = folder / f"{name}.json"
    if not path.exists():
        names = sorted(p.stem for p in folder.glob("*.json"))
        raise RunError(unknown("prepared ledger", name, names))
    return read_json(path, _read, error=RunError)


def prepare_ledger(name: str, run_folder: Path | None = None) -> Path:
    """Write the ledger of a notebook from a finished run, or from a new one; returns the file.

    A new run is that of the notebook's technique with default settings; its folder is deleted
    afterwards. Raises RunError for a run that has not finished well.
    """
    if run_folder is not None:
        return _write(name, attach(run_folder))
    technique = name.partition("_")[2]
    task, model = OTHERS.get(technique, TASK_AND_START)
    recipe = Recipe.make(task, [technique], start=model, budget=BUDGET)
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as root:
        return _write(name, start(recipe, root=root).wait())


def _write(name: str, run: Run) -> Path:
    """Write the ledger of a finished run; raises RunError for any other run."""
    run.check()
    trail = run.result
    about = {
        "version": VERSION,
        "workbench": workbench.__version__,
        "command": run.recipe.to_command(),
        "processor": host().title,
        "made": str(date.today()),
        "test": None if trail.test is None else trail.test.to_json(),
    }
    return write_text(
        notebooks_folder() / FOLDER / f"{name}.json",
        _text(about, [row.to_json() for row in trail.rows]),
    )


def _text(about: dict[str, Any], rows: Sequence[dict[str, Any]]) -> str:
    """The content of the file: JSON with a line for each entry and each row."""
    entries = [f" {json.dumps(key)}: {json.dumps(_rounded(value))}" for key, value in about.items()]
    lines = ",\n  ".join(json.dumps(_rounded(row)) for row in rows)
    return "{\n" + ",\n".join(entries) + f',\n "rows": [\n  {lines}\n ]\n}}\n'


def _rounded(value: Any) -> Any:
    """Plain values with numbers of six significant digits."""
    if isinstance(value, dict):
        return {key: _rounded(one) for key, one in value.items()}
    if isinstance(value, (list, tuple)):
        return [_rounded(one) for one in value]
    is_number = isinstance(value, float) and math.isfinite(value)
    return float(f"{value:.{DIGITS}g}") if is_number else value


def _read(about: dict[str, Any]) -> PreparedLedger:
    test = about["test"]
    return PreparedLedger(
        str(about["command"]),
        str(about["processor"]),
        str(about["made"]),
        tuple(Row.from_json(row) for row in about["rows"]),
        None if test is None else TestLine.from_json(test),
    )


if __name__ == "__main__":
    prepare_ledger(sys.argv[1], *(Path(folder) for folder in sys.argv[2:3]))
