"""Check, one result of `workbench doctor`, and the checks of what is installed."""

from __future__ import annotations

import os
import platform
import shutil
import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Literal

__all__ = ["SOFTWARE", "Check", "version_of"]

OLDEST = (3, 11)
EXTENSIONS = {"ipywidgets": "@jupyter-widgets/jupyterlab-manager", "anywidget": "anywidget"}


@dataclass(frozen=True)
class Check:
    """The result of one check; `way_out` says what to do about a note or a problem."""

    name: str
    status: Literal["ok", "note", "problem"]
    text: str
    way_out: str = ""


def _python() -> Check:
    version = platform.python_version()
    if sys.version_info < OLDEST:
        return Check(
            "Python",
            "problem",
            version,
            "The workbench needs Python 3.11 or newer: make an environment with one.",
        )
    place = (
        "in a virtual environment"
        if sys.prefix != sys.base_prefix
        else "not in a virtual environment"
    )
    return Check("Python", "ok", f"{version}, {platform.python_implementation()}, {place}")


def _torch() -> Check:
    import torch

    from workbench.system.machine import n_cores

    build = (
        f"CUDA {torch.version.cuda}"
        if torch.version.cuda
        else "ROCm"
        if torch.version.hip
        else "CPU build"
    )
    device = (
        f"sees {torch.cuda.device_count()} x {torch.cuda.get_device_name(0)}"
        if torch.cuda.is_available()
        else ""
    )
    text = ", ".join(
        filter(None, [torch.__version__, build, device, f"{torch.get_num_threads()} threads"])
    )
    if torch.version.cuda and not torch.cuda.is_available():
        return Check(
            "PyTorch",
            "note",
            text,
            "No GPU is seen: all runs on the processor, and the smaller CPU build would do.",
        )
    if torch.get_num_threads() > n_cores():
        return Check(
            "PyTorch",
            "note",
            text,
            f"Only {n_cores()} cores may be used here: set OMP_NUM_THREADS={n_cores()}.",
        )
    return Check("PyTorch", "ok", text)


def _onnxruntime() -> Check:
    import onnxruntime

    return Check(
        "ONNX Runtime",
        "ok",
        f"{onnxruntime.__version__}: {', '.join(onnxruntime.get_available_providers())}",
    )


def _kernel() -> Check:
    from jupyter_client.kernelspec import KernelSpecManager

    specs = {
        name: spec["spec"].get("argv", [""])
        for name, spec in KernelSpecManager().get_all_specs().items()
    }
    return _kernel_check({name: argv[0] for name, argv in specs.items() if argv}, sys.executable)


def _kernel_check(interpreters: dict[str, str], here: str) -> Check:
    """Whether one of the kernels, each with its interpreter, runs in this environment."""
    # Jupyter starts these with its own interpreter.
    plain = ("python", "python3", f"python3.{sys.version_info.minor}")
    usable = [
        name for name, python in interpreters.items() if python in plain or _same(python, here)
    ]
    if usable:
        return Check("Jupyter kernel", "ok", ", ".join(sorted(usable)))
    others = (
        f"none of {', '.join(sorted(interpreters))} runs in this environment"
        if interpreters
        else "none found"
    )
    way = (
        "python -m ipykernel install --sys-prefix --name python3  (beside another Jupyter: --user "
        "--name workbench)"
    )
    return Check("Jupyter kernel", "problem", others, way)


def _widgets() -> Check:
    from jupyter_core.paths import jupyter_path

    versions = {name: version_of(name) for name in ("jupyterlab", *EXTENSIONS)}
    return _widgets_check(versions, [Path(p) for p in jupyter_path("labextensions")])


def _widgets_check(versions: dict[str, str], folders: Iterable[Path]) -> Check:
    """Whether the Python packages are installed, and JupyterLab finds the files of the page."""
    places = list(folders)
    lacking = [name for name, version in versions.items() if not version]
    unseen = [
        name
        for name, folder in EXTENSIONS.items()
        if not any((p / folder / "package.json").exists() for p in places)
    ]
    text = ", ".join(f"{name} {version}" for name, version in versions.items() if version)
    if lacking or unseen:
        packages = sorted({*lacking, *unseen})
        way = (
            f"python -m pip install --force-reinstall --no-deps {' '.join(packages)}, in the "
            "environment that JupyterLab runs in."
        )
        return Check(
            "widgets",
            "problem",
            f"{text or 'nothing'}; JupyterLab does not see {', '.join(packages)}",
            way,
        )
    return Check("widgets", "ok", f"{text}; both extensions found")


def _store() -> Check:
    import sqlite3

    version = version_of("mlflow-skinny") or version_of("mlflow")
    if not version:
        return Check(
            "store",
            "problem",
            "MLflow is not installed",
            'python -m pip install "mlflow-skinny>=3.17,!=3.18.0,<4"',
        )
    return Check("store", "ok", f"MLflow {version}, SQLite {sqlite3.sqlite_version}")


def _compiler() -> Check:
    compiler = next((c for c in ("c++", "g++", "clang++", "cl") if shutil.which(c)), "")
    if compiler:
        return Check("C++ compiler", "ok", compiler)
    way = (
        "Only `torch.compile` needs one: apt-get install g++, xcode-select --install, or the "
        "Visual Studio build tools."
    )
    return Check("C++ compiler", "note", "none found", way)


def _browser() -> Check:
    browser = next(
        (b for b in ("chromium", "chromium-browser", "google-chrome", "chrome") if shutil.which(b)),
        "",
    )
    if browser:
        return Check("browser", "ok", f"{browser}, for the browser tests")
    return Check(
        "browser",
        "note",
        "no chromium found",
        "Only the browser tests need one: apt-get install chromium",
    )


def version_of(library: str) -> str:
    """The installed version of a library; empty where it is missing."""
    try:
        return metadata.version(library)
    except metadata.PackageNotFoundError:
        return ""


def _same(one: str, other: str) -> bool:
    """Whether two interpreters have one folder, as python and python3.11 of one environment do."""
    folders = {os.path.normcase(os.path.abspath(Path(path).parent)) for path in (one, other)}
    return len(folders) == 1


SOFTWARE: dict[str, Callable[[], Check]] = {
    "Python": _python,
    "PyTorch": _torch,
    "ONNX Runtime": _onnxruntime,
    "Jupyter kernel": _kernel,
    "widgets": _widgets,
    "store": _store,
    "C++ compiler": _compiler,
    "browser": _browser,
}
