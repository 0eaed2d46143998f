"""`workbench tour`: the first notebook run as a batch job, with a progress bar, the ledger and a report."""

from __future__ import annotations

import os
import shutil
import sys
import threading
import time
from datetime import datetime
from pathlib import Path
from typing import Any

from workbench.errors import RunError
from workbench.events import console
from workbench.jobs import Run, run_folders, runs_root
from workbench.lessons.notebooks import notebooks_folder
from workbench.lessons.report import write_report

__all__ = ["tour"]

NOTEBOOK = "00_start_here.ipynb"


def tour(root: str | None = None) -> int:
    """Run the notebook through papermill and print its ledger; leaves notebook, report and model in a folder of the runs."""
    runs = runs_root(root)
    folder = runs / f"tour-{datetime.now():%Y%m%d-%H%M%S}"
    folder.mkdir(parents=True)
    print(f"Running {NOTEBOOK} on embedded data; everything goes to {folder}")
    known = set(run_folders(runs))
    started = time.time()
    executed = folder / NOTEBOOK
    worker = _Papermill(notebooks_folder() / NOTEBOOK, executed, {"root": str(runs)})
    worker.start()
    with console() as bar:
        run = _new_run(runs, known, worker)
        if run is not None:
            run.follow(bar)
        worker.join()
    if run is None or worker.error is not None:
        where = f" The notebook so far: {executed}." if executed.exists() else ""
        raise RunError(f"The tour stopped: {worker.error}.{where}")
    report = write_report(executed, folder / "report.html", title="Workbench tour")
    model = shutil.copyfile(run.result.onnx_path, folder / "model.onnx")
    _print_end(run, [executed, report, Path(model)], time.time() - started)
    return 0


class _Papermill(threading.Thread):
    """papermill in a thread, so that the bar can follow the run inside the notebook meanwhile."""

    def __init__(self, source: Path, target: Path, parameters: dict[str, Any]) -> None:
        super().__init__(daemon=True)
        self.source, self.target, self.parameters = source, target, parameters
        self.error: BaseException | None = None

    def run(self) -> None:
        import papermill

        try:
            papermill.execute_notebook(
                self.source, self.target, parameters=self.parameters, progress_bar=False, cwd=str(self.target.parent),
                kernel_name=_kernel(), log_output=False,
            )  # fmt: skip
        except BaseException as error:
            self.error = error


def _kernel() -> str:
    """The kernel of this very environment."""
    os.environ.setdefault("PYDEVD_DISABLE_FILE_VALIDATION", "1")
    return "python3"


def _new_run(runs: Path, known: set[Path], worker: threading.Thread) -> Run | None:
    """The run that the notebook starts, as soon as it is there; None when the notebook ended without one."""
    while True:
        new = [f for f in run_folders(runs) if f not in known]
        if new:
            return Run(new[0])
        if not worker.is_alive():
            return None
        time.sleep(0.2)


def _print_end(run: Run, files: list[Path], seconds: float) -> None:
    from rich.console import Console

    from workbench.ledger import rich_table

    out, trail = Console(width=None if sys.stdout.isatty() else 150), run.result
    out.print(rich_table(trail.rows, title=f"{run.recipe.start} on {run.recipe.task}, budget {run.recipe.budget}"))
    if trail.test:
        out.print(f"[bold]{trail.test.text}[/bold]\n")
    for file in files:
        out.print(f"  {file}  ({file.stat().st_size / 1e6:.2f} MB)", soft_wrap=True)
    out.print(f"Done in {seconds:.0f} s. Next: `workbench lab` opens the same notebook; `workbench list` shows every run.")
