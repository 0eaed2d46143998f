"""`workbench tour`: the first notebook as a batch job, with progress bar, result and report."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
import threading
import time
from datetime import datetime
from pathlib import Path

from workbench.cli.console import console, output
from workbench.cli.results import print_result
from workbench.errors import RunError
from workbench.lessons.notebooks import notebooks_folder
from workbench.lessons.report import write_report
from workbench.runs.folders import run_folders, runs_root
from workbench.runs.handle import Run
from workbench.system.files import read_json, write_text
from workbench.system.wording import bytes_text, seconds_text

__all__ = ["tour"]

NOTEBOOK = "00_start_here.ipynb"


def tour(root: str | None = None) -> int:
    """Run the notebook with papermill, print its result, and keep notebook, report and model."""
    runs = runs_root(root)
    folder = runs / f"tour-{datetime.now():%Y%m%d-%H%M%S}"
    folder.mkdir(parents=True)
    print(f"Running {NOTEBOOK} on embedded data; everything goes to {folder}", flush=True)
    earlier = set(run_folders(runs))
    started = time.time()
    executed = folder / NOTEBOOK
    printed = folder / "papermill.log"
    with printed.open("wb") as log, console() as bar:
        command = [
            sys.executable,
            "-m",
            "workbench.lessons.engine",
            str(notebooks_folder() / NOTEBOOK),
            str(executed),
        ]
        options = [
            "-p",
            "root",
            str(runs),
            "--cwd",
            str(folder),
            "--no-progress-bar",
            "-k",
            "python3",
        ]
        process = subprocess.Popen(
            [*command, *options], stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT
        )
        threading.Thread(target=_import_for_report, daemon=True).start()
        run = _new_run(runs, earlier, process)
        if run is not None:
            run.follow(bar)
        bar.say("writing the notebook and the report")
        status = process.wait()
    if run is None or status:
        raise RunError(_stopped(executed, printed))
    _without_widgets(executed)
    report = write_report(executed, folder / "report.html", title="Workbench tour")
    model = shutil.copyfile(run.result.onnx_path, folder / "model.onnx")
    _print_end(run, [executed, report, Path(model)], time.time() - started)
    return 0


def _stopped(executed: Path, printed: Path) -> str:
    """Why the tour stopped, as far as its output tells, and where that output is."""
    lines = printed.read_text(encoding="utf-8", errors="replace").splitlines()
    errors = [line for line in lines if re.match(r"[\w.]*(Error|Exception)\b", line)]
    reason = f" {errors[-1].rstrip('.')}." if errors else ""
    return f"The tour stopped.{reason} The notebook so far: {executed}. Its output: {printed}."


def _import_for_report() -> None:
    """Import the libraries of the report, which takes seconds, while the notebook is started."""
    import nbconvert  # noqa: F401
    import nbformat.v4  # noqa: F401


def _without_widgets(path: Path) -> None:
    """Drop the state of widgets, of which a saved page could show nothing but a picture."""
    notebook = read_json(path)
    notebook["metadata"].pop("widgets", None)
    write_text(path, json.dumps(notebook, indent=1))


def _new_run(runs: Path, earlier: set[Path], process: subprocess.Popen[bytes]) -> Run | None:
    """The run that the notebook starts; None when the notebook ended without one."""
    while True:
        new = [f for f in run_folders(runs) if f not in earlier]
        if new:
            return Run(new[0])
        if process.poll() is not None:
            return None
        time.sleep(0.2)


def _print_end(run: Run, files: list[Path], seconds: float) -> None:
    out, trail = output(), run.result
    recipe = run.recipe
    print_result(trail, f"{recipe.start} on {recipe.task}, budget {recipe.budget}")
    out.print()
    for file in files:
        out.print(f"  {file}  ({bytes_text(file.stat().st_size)})", soft_wrap=True)
    out.print(
        f"Done in {seconds_text(seconds)}. Next: `workbench lab` opens the same notebook; "
        "`workbench list` shows every run."
    )
