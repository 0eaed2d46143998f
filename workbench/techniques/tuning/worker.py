"""A worker process of a search: `python -m workbench.techniques.tuning.worker FOLDER`."""

from __future__ import annotations

import os
import pickle
import sys
from dataclasses import replace
from pathlib import Path

from workbench.errors import Cancelled
from workbench.events import Report
from workbench.system.own_process import settle_in
from workbench.techniques.tuning.problem import Problem
from workbench.techniques.tuning.search import Search
from workbench.techniques.tuning.workers import JOB, STOP

__all__ = ["main"]


def main(folder: Path) -> int:
    """Run trials until the study has enough; ends when the parent process does."""
    settle_in()
    parent = os.getppid()
    report = Report(cancelled=lambda: (folder / STOP).exists() or os.getppid() != parent)
    with (folder / JOB).open("rb") as file:
        job, settings, began = pickle.load(file)  # written by the parent, for this run alone
    search = Search(Problem(replace(job, report=report), settings), began=began)
    try:
        search.run(report)
    except Cancelled:
        return 0
    return 0


if __name__ == "__main__":
    raise SystemExit(main(Path(sys.argv[1])))
