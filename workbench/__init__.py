"""Workbench: optimize AI models in Jupyter, measured honestly.

The public shelf. Everything is loaded when first used, so that `import workbench` itself stays
light.
"""

from __future__ import annotations

import importlib
import os
from typing import Any

from workbench.system.deferred import defer_address_parser

# Idle OpenMP threads soon sleep, in a notebook as in the processes that we start: torch reads this
# when it is loaded. Threads that never spin are no faster than one thread, as waking takes longer
# than a short operation. Measured on two cores, training beside one busy process: 4.0 s with one
# thread, with two 4.9 s at 1,000 spins, 11 s at 20,000, 25 s at 100,000; alone all of them took
# about the same time.
os.environ.setdefault("GOMP_SPINCOUNT", "1000")
os.environ.setdefault("KMP_BLOCKTIME", "1")
# Nothing phones home: these libraries read the variables when they are imported, so they are set
# before that.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")

# Notebooks and figures need no parser of addresses, which takes over a second to build.
defer_address_parser()

__version__ = "0.1.0"

_SHELF = {
    "Candidate": "workbench.task",
    "Report": "workbench.events",
    "Recipe": "workbench.recipe",
    "Run": "workbench.runs.handle",
    "Task": "workbench.task",
    "Trail": "workbench.runs.trail",
    "WorkbenchError": "workbench.errors",
    "analyse": "workbench.runs.analyses",
    "attach": "workbench.runs.handle",
    "begin": "workbench.widgets.running",
    "choose_threshold": "workbench.runs.threshold",
    "cross_validate": "workbench.measure.cross_validation",
    "find_leaks": "workbench.measure.leakage",
    "find_run": "workbench.runs.handle",
    "fit": "workbench.training",
    "form": "workbench.widgets.form",
    "get_technique": "workbench.techniques",
    "host": "workbench.system.machine",
    "load_kept": "workbench.keeping.candidates",
    "load_task": "workbench.tasks",
    "make_task": "workbench.tasks.make",
    "measure_file": "workbench.measure.file",
    "predictor": "workbench.runtimes",
    "prepared_ledger": "workbench.runs.prepared",
    "run": "workbench.widgets.running",
    "start": "workbench.runs.handle",
    "technique_names": "workbench.techniques",
    "to_onnx": "workbench.runtimes.to_onnx",
    "wizard": "workbench.widgets.wizard",
}

__all__ = [*sorted(_SHELF), "__version__"]


def __getattr__(name: str) -> Any:
    if name not in _SHELF:
        from workbench.errors import unknown

        raise AttributeError(unknown("name in workbench", name, _SHELF))
    return getattr(importlib.import_module(_SHELF[name]), name)


def __dir__() -> list[str]:
    return list(__all__)
