"""Doctor: the checks of this machine as a table, and one line to send with a question."""

from __future__ import annotations

import platform
from collections.abc import Callable, Sequence
from dataclasses import asdict

from workbench.cli.checks import SOFTWARE, Check, version_of
from workbench.cli.console import print_json
from workbench.cli.machine_checks import MACHINE
from workbench.errors import line_of
from workbench.system.wording import gib_text

__all__ = ["CHECKS", "checks", "doctor", "summary"]

CHECKS = {**SOFTWARE, **MACHINE}

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


def doctor(*, as_json: bool = False) -> int:
    """Print all checks, and last a line to copy; returns 1 when there is a problem, else 0."""
    results = checks()
    if as_json:
        print_json({"checks": [asdict(c) for c in results], "summary": summary(results)})
    else:
        _print_checks(results)
    return int(any(c.status == "problem" for c in results))


def _print_checks(results: Sequence[Check]) -> None:
    width = max(len(c.name) for c in results)
    for check in results:
        print(f"{check.status:<8} {check.name:<{width}}  {check.text}")
        if check.way_out:
            print(f"{'':<8} {'':<{width}}  -> {check.way_out}")
    print("\nTo ask for help, send this line:")
    print(summary(results))


def checks() -> list[Check]:
    """The results of all checks; one that raises an error counts as a problem."""
    return [_result(name, check) for name, check in CHECKS.items()]


def _result(name: str, check: Callable[[], Check]) -> Check:
    try:
        return check()
    except Exception as error:
        message = line_of(error) if str(error).strip() else "no message"
        text = f"{type(error).__name__}: {message}"
        way = "Install the workbench again in a new environment: python -m pip install -e ."
        return Check(name, "problem", text, way)


def summary(results: Sequence[Check]) -> str:
    """Versions, system, cores and memory in one line, without users, hosts and paths."""
    import psutil

    from workbench import __version__
    from workbench.system.machine import host

    here = host()
    parts = [
        f"workbench {__version__}",
        f"{here.system} {platform.release()}",
        f"Python {here.python}",
        *(f"{name} {version}" for name in LIBRARIES if (version := version_of(name))),
        f"{here.n_cores} cores",
        here.processor,
        " ".join(here.instructions) or "no int8 instructions",
        f"{gib_text(here.memory_bytes)} memory, {gib_text(psutil.virtual_memory().available)} free",
    ]
    for status in ("problem", "note"):
        parts.append(
            f"{status}s: {', '.join(c.name for c in results if c.status == status) or 'none'}"
        )
    return " | ".join(parts)


if __name__ == "__main__":
    raise SystemExit(doctor())
