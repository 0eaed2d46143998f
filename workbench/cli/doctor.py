"""Doctor: checks of this machine, and one line about it to send with a question."""

from __future__ import annotations

import os
import platform
import shutil
import sys
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from importlib import metadata
from pathlib import Path
from typing import Literal

from workbench.cli.console import print_json

__all__ = ["Check", "checks", "doctor", "summary"]

OLDEST = (3, 11)
GIB = 2**30
INT8 = ("avx512_vnni", "avx_vnni", "amx_int8", "asimddp", "i8mm")
BF16 = ("avx512_bf16", "amx_bf16", "bf16")
LIBRARIES = (
    "torch",
    "onnx",
    "onnxruntime",
    "numpy",
    "scikit-learn",
    "mlflow-skinny",
    "jupyterlab",
    "ipywidgets",
    "anywidget",
)
EXTENSIONS = {"ipywidgets": "@jupyter-widgets/jupyterlab-manager", "anywidget": "anywidget"}


@dataclass(frozen=True)
class Check:
    """The result of one check; `way_out` says what to do about a note or a problem."""

    name: str
    status: Literal["ok", "note", "problem"]
    text: str
    way_out: str = ""


def doctor(*, as_json: bool = False) -> int:
    """Print all checks, and last a line to copy; returns 1 when there is a problem, else 0."""
    found = checks()
    if as_json:
        print_json({"checks": [asdict(c) for c in found], "summary": summary(found)})
    else:
        _print_checks(found)
    return int(any(c.status == "problem" for c in found))


def _print_checks(found: Sequence[Check]) -> None:
    width = max(len(c.name) for c in found)
    for check in found:
        print(f"{check.status:<8} {check.name:<{width}}  {check.text}")
        if check.way_out:
            print(f"{'':<8} {'':<{width}}  -> {check.way_out}")
    print("\nTo ask for help, send this line:")
    print(summary(found))


def checks() -> list[Check]:
    """The results of all checks; one that raises an error counts as a problem."""
    looks: dict[str, Callable[[], Check]] = {
        "Python": _python,
        "PyTorch": _torch,
        "ONNX Runtime": _onnxruntime,
        "Jupyter kernel": _kernel,
        "widgets": _widgets,
        "store": _store,
        "runs folder": _disk,
        "memory": _memory,
        "processor": _processor,
        "C++ compiler": _compiler,
        "browser": _browser,
    }
    found = []
    for name, look in looks.items():
        try:
            found.append(look())
        except Exception as error:
            text = (
                f"{type(error).__name__}: "
                f"{str(error).strip().splitlines()[0] if str(error).strip() else 'no message'}"
            )
            found.append(
                Check(
                    name,
                    "problem",
                    text,
                    "Install the workbench again in a new environment: python -m pip install -e .",
                )
            )
    return found


def summary(found: Sequence[Check]) -> str:
    """Versions, system, cores and memory in one line, without users, hosts and paths."""
    import psutil

    from workbench import __version__
    from workbench.system.machine import host

    here = host()
    parts = [
        f"workbench {__version__}",
        f"{here.system} {platform.release()}",
        f"Python {here.python}",
        *(f"{name} {version}" for name in LIBRARIES if (version := _version(name))),
        f"{here.n_cores} cores",
        here.processor,
        " ".join(here.instructions) or "no int8 instructions",
        f"{here.memory_bytes / GIB:.1f} GiB memory, {psutil.virtual_memory().available / GIB:.1f} "
        "free",
    ]
    for status in ("problem", "note"):
        parts.append(
            f"{status}s: {', '.join(c.name for c in found if c.status == status) or 'none'}"
        )
    return " | ".join(parts)


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
    plain = (
        "python",
        "python3",
        f"python3.{sys.version_info.minor}",
    )  # Jupyter starts these with its own interpreter
    found = [
        name for name, python in interpreters.items() if python in plain or _same(python, here)
    ]
    if found:
        return Check("Jupyter kernel", "ok", ", ".join(sorted(found)))
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

    versions = {name: _version(name) for name in ("jupyterlab", *EXTENSIONS)}
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
        what = sorted({*lacking, *unseen})
        way = (
            f"python -m pip install --force-reinstall --no-deps {' '.join(what)}, in the "
            "environment that JupyterLab runs in."
        )
        return Check(
            "widgets",
            "problem",
            f"{text or 'nothing'}; JupyterLab does not see {', '.join(what)}",
            way,
        )
    return Check("widgets", "ok", f"{text}; both extensions found")


def _store() -> Check:
    import sqlite3

    version = _version("mlflow-skinny") or _version("mlflow")
    if not version:
        return Check(
            "store",
            "problem",
            "MLflow is not installed",
            'python -m pip install "mlflow-skinny>=3.17,!=3.18.0,<4"',
        )
    return Check("store", "ok", f"MLflow {version}, SQLite {sqlite3.sqlite_version}")


def _disk() -> Check:
    from workbench.runs.folders import runs_root
    from workbench.system.mounts import network_mount

    root = runs_root()
    there = next(p for p in (root, *root.parents) if p.exists())
    return _disk_check(
        root, shutil.disk_usage(there).free, network_mount(root), writable=os.access(there, os.W_OK)
    )


def _disk_check(root: Path, free: int, network: str, *, writable: bool) -> Check:
    place = f"on a network file system ({network})" if network else "on a local disk"
    text = f"{root}: {free / GIB:.1f} GiB free, {place}"
    elsewhere = "Set WORKBENCH_RUNS to a folder on a local disk"
    if not writable:
        return Check(
            "runs folder",
            "problem",
            f"{root} cannot be written",
            f"{elsewhere} that you may write.",
        )
    if free < GIB:
        return Check(
            "runs folder", "problem", text, f"{elsewhere} with some GiB free, or delete old runs."
        )
    if network:
        way = (
            f"Runs work, but SQLite cannot list them there. {elsewhere}, or track on a server: "
            "--store http://..."
        )
        return Check("runs folder", "note", text, way)
    return Check("runs folder", "ok" if free > 5 * GIB else "note", text)


def _memory() -> Check:
    import psutil

    free = psutil.virtual_memory().available
    limit = Path(
        "/sys/fs/cgroup/memory.max"
    )  # of a container, which may have less than its machine
    if limit.exists() and (text := limit.read_text().strip()).isdigit():
        used = Path("/sys/fs/cgroup/memory.current")
        free = min(free, int(text) - (int(used.read_text()) if used.exists() else 0))
    return _memory_check(free, psutil.virtual_memory().total)


def _memory_check(free: int, total: int) -> Check:
    text = f"{free / GIB:.1f} of {total / GIB:.1f} GiB free"
    way = "Close other kernels and programs; the notebooks want 2 GiB free."
    return (
        Check("memory", "ok", text)
        if free >= 2 * GIB
        else Check("memory", "problem" if free < GIB else "note", text, way)
    )


def _processor() -> Check:
    from workbench.system.machine import busy, host

    here = host()
    return _processor_check(here.processor, here.n_cores, here.instructions, busy())


def _processor_check(name: str, n_cores: int, instructions: Sequence[str], load: float) -> Check:
    int8, bf16 = ([f for f in wanted if f in instructions] for wanted in (INT8, BF16))
    text = (
        f"{name}, {n_cores} cores, int8: {' '.join(int8) or 'none'}, bf16: "
        f"{' '.join(bf16) or 'none'}"
    )
    ways = []
    if not int8:
        ways.append(
            "No int8 dot product is known of this processor: a quantized model gets smaller here, "
            "and faster by little."
        )
    if load > 0.5:
        ways.append(
            f"Other work takes {100 * load:.0f} % of the cores: timings will be noisy; end it "
            "before measuring."
        )
    return Check("processor", "note" if ways else "ok", text, " ".join(ways))


def _compiler() -> Check:
    found = next((c for c in ("c++", "g++", "clang++", "cl") if shutil.which(c)), "")
    if found:
        return Check("C++ compiler", "ok", found)
    way = (
        "Only `torch.compile` needs one: apt-get install g++, xcode-select --install, or the "
        "Visual Studio build tools."
    )
    return Check("C++ compiler", "note", "none found", way)


def _browser() -> Check:
    found = next(
        (b for b in ("chromium", "chromium-browser", "google-chrome", "chrome") if shutil.which(b)),
        "",
    )
    if found:
        return Check("browser", "ok", f"{found}, for the browser tests")
    return Check(
        "browser",
        "note",
        "no chromium found",
        "Only the browser tests need one: apt-get install chromium",
    )


def _version(library: str) -> str:
    try:
        return metadata.version(library)
    except metadata.PackageNotFoundError:
        return ""


def _same(one: str, other: str) -> bool:
    """Whether two interpreters have one folder, as python and python3.11 of one environment do."""
    folders = {os.path.normcase(os.path.abspath(Path(path).parent)) for path in (one, other)}
    return len(folders) == 1


if __name__ == "__main__":
    raise SystemExit(doctor())
