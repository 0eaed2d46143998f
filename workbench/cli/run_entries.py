"""RunEntry, a run as `workbench list` and `clean` see it, read from JSON and YAML alone."""

from __future__ import annotations

import re
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from workbench.errors import WorkbenchError

if TYPE_CHECKING:
    from workbench.ledger.factors import Result
    from workbench.ledger.rows import Row, TestLine
    from workbench.ledger.verdicts import Limit
    from workbench.measure.statistics.verdict import Verdict

__all__ = ["RunEntry", "age_text", "moment", "read_entries", "seconds_of"]

UNITS = {"m": 60.0, "h": 3600.0, "d": 86400.0, "w": 7 * 86400.0}  # seconds


@dataclass(frozen=True)
class RunEntry:
    """A run by its folder; `tree` is its recipe as plain data, None if it cannot be read."""

    folder: Path
    status: str
    created: float
    about: Mapping[str, Any] = field(default_factory=dict)
    tree: Mapping[str, Any] | None = None

    @property
    def name(self) -> str:
        return self.folder.name

    @property
    def age_seconds(self) -> float:
        """Seconds since the run was started."""
        return max(0.0, time.time() - self.created)

    @property
    def steps(self) -> list[str] | None:
        """Techniques of the recipe, in order."""
        if self.tree is None:
            return None
        return [s if isinstance(s, str) else next(iter(s)) for s in self.tree["steps"]]

    @cached_property
    def rows(self) -> list[Row]:
        """The rows of the ledger; empty where there are none that can be read."""
        from workbench.ledger.rows import Row
        from workbench.system.files import read_json

        whole = self.folder / "ledger.json"
        try:
            if whole.exists():
                return [Row.from_json(row) for row in read_json(whole)]
            steps = sorted(self.folder.glob("steps/*/step.json"))
            return [Row.from_json(row) for step in steps for row in read_json(step)["rows"]]
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            return []

    @cached_property
    def test(self) -> TestLine | None:
        """The result on test; None while test is closed."""
        from workbench.ledger.rows import TestLine
        from workbench.system.files import read_json

        try:
            path = self.folder / "final.json"
            return TestLine.from_json(read_json(path)) if path.exists() else None
        except (OSError, ValueError, KeyError, TypeError):
            return None

    @cached_property
    def result(self) -> Result | None:
        """The last measured row, and how many times smaller and faster it is."""
        from workbench.ledger.factors import result_of

        return result_of(self.rows)

    @cached_property
    def judged(self) -> tuple[Verdict | None, str]:
        """The verdict on the score against the start, on test where it is open, and the split."""
        from workbench.ledger.verdicts import judged

        return (None, "") if self.result is None else judged(self.result.last, self.test)

    @property
    def is_quick(self) -> bool:
        """Whether the run is a quick check, which decides nothing."""
        return any(row.budget == "smoke" for row in self.rows)

    @property
    def is_speed_decided(self) -> bool:
        """Whether the last row was timed on an idle machine, and not in a quick check."""
        from workbench.ledger.factors import is_busy

        return not self.is_quick and self.result is not None and not is_busy(self.result.last)

    @property
    def verdict(self) -> str:
        """The verdict with its sign, or the decision of a run that only decided something."""
        from workbench.ledger.verdicts import verdict_word

        if self.result is not None:
            return verdict_word(self.result.last, self.test)
        decided = [row.decision for row in self.rows if row.decision is not None]
        return decided[-1].verdict if decided else ""

    @property
    def limit(self) -> Limit:
        """Whether the accepted drop is kept; empty without a limit, or in a quick check."""
        from workbench.ledger.verdicts import limit_state

        verdict, _ = self.judged
        if verdict is None or self.is_quick:
            return ""
        return limit_state(verdict, (self.tree or {}).get("accepted_drop"))

    def to_json(self) -> dict[str, Any]:
        """All that the list knows of the run, as plain data."""
        from workbench.ledger.factors import is_busy
        from workbench.settings import USUAL_BUDGET

        verdict, split = self.judged
        result = self.result
        tree = self.tree or {}
        about: dict[str, Any] = {
            "name": self.name,
            "status": self.status,
            "folder": str(self.folder),
            "created": self.created,
            "age_seconds": self.age_seconds,
            "task": tree.get("task"),
            "start": None if self.tree is None else tree.get("start", ""),
            "steps": self.steps,
            "budget": None if self.tree is None else tree.get("budget", USUAL_BUDGET),
            "candidate": None if result is None else result.last.candidate,
            "size_factor": None if result is None else result.smaller,
            "speed_factor": None if result is None else result.faster,
            "busy": None if result is None else is_busy(result.last),
            "verdict": self.verdict,
            "accepted_drop": tree.get("accepted_drop"),
            "limit": self.limit,
        }
        names = ("metric", "before", "after", "difference", "low", "high", "unit", "n")
        of_change = {name: getattr(verdict, name, None) for name in names}
        return {**about, "change": {**of_change, "split": split}}


def read_entries(root: str) -> list[RunEntry]:
    """The runs under a root, the oldest first. No code of the user is imported."""
    from workbench.runs.folders import run_folders

    return [_entry(folder) for folder in run_folders(root)]


def _entry(folder: Path) -> RunEntry:
    from workbench.runs.handle import Run
    from workbench.system.files import read_json
    from workbench.system.texts import read_text, read_yaml

    try:
        about = read_json(folder / "run.json")
        created = float(about["created"])
    except (OSError, ValueError, KeyError, TypeError):
        about, created = {}, (folder / "run.json").stat().st_mtime
    tree = None
    try:
        read = read_yaml(read_text(folder / "recipe.yml"))
        if isinstance(read["task"], str) and isinstance(read["steps"], list):
            tree = read
    except (OSError, ValueError, KeyError, TypeError):
        pass
    return RunEntry(folder, Run(folder).status_shown, created, about, tree)


def age_text(seconds: float) -> str:
    """An age in its largest whole unit: `40 min`, `3 h`, `2 d`."""
    if seconds < UNITS["h"]:
        return f"{seconds // 60:.0f} min"
    return f"{seconds // UNITS['h']:.0f} h" if seconds < UNITS["d"] else f"{seconds // 86400:.0f} d"


def seconds_of(text: str, option: str) -> float:
    """The seconds of a duration such as `45m`, `3h`, `2d` or `4w`; raises WorkbenchError."""
    match = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*([mhdw])\s*", text)
    if match is None:
        raise WorkbenchError(
            f"`{option}` must be a number of minutes, hours, days or weeks, such as 45m, 3h, 2d or "
            f"4w; got {text!r}."
        )
    return float(match[1]) * UNITS[match[2]]


def moment(text: str, option: str) -> float:
    """The time that a duration ago (`2d`) or a date (`2026-11-20`) names, in seconds; or raises."""
    try:
        return datetime.fromisoformat(text.strip()).timestamp()
    except ValueError:
        pass
    try:
        return time.time() - seconds_of(text, option)
    except WorkbenchError:
        raise WorkbenchError(
            f"`{option}` must be a duration such as 45m, 3h, 2d or 4w, or a date such as "
            f"2026-11-20; got {text!r}."
        ) from None
