"""Runtime, the declaration of an engine that runs models, and the registry of all of them."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from workbench.system.registry import Registry, modules_in
from workbench.task import Candidate

if TYPE_CHECKING:
    from workbench.runtimes.coverage import Coverage

__all__ = ["RUNTIMES", "Predictor", "Runtime"]


class Predictor(Protocol):
    """A candidate made ready to run: named arrays `(batch, ...)` in, scores `(batch, ...)` out."""

    runtime: str
    details: dict[str, Any]

    def predict(self, inputs: dict[str, np.ndarray]) -> np.ndarray: ...

    def close(self) -> None: ...


def _nothing() -> str:
    return ""


@dataclass(frozen=True)
class Runtime:
    """One engine.

    `make(candidate, threads, device)` gives a predictor; threads None means all cores. `lacks()`
    names, in a sentence with the pip line, the requirement that this machine does not meet; empty
    if it meets all. `libraries` are imported before a model is loaded, so that loading is timed
    alone; `prepare_import` replaces plain importing. `coverage(content)` reads the precision of
    each operator from the engine's own graph. `free_batch` is False for an engine that runs only
    the batch size that a model was made for.
    """

    name: str
    forms: tuple[str, ...]
    make: Callable[[Candidate, int | None, str], Predictor]
    title: str = ""
    lacks: Callable[[], str] = _nothing
    libraries: tuple[str, ...] = ()
    prepare_import: Callable[[], Any] | None = None
    coverage: Callable[[bytes], Coverage] | None = None
    free_batch: bool = True
    devices: tuple[str, ...] = ("cpu",)

    def import_libraries(self) -> None:
        """Import the engine's libraries; loading a model reports a missing one."""
        try:
            if self.prepare_import is not None:
                self.prepare_import()
            for library in self.libraries:
                importlib.import_module(library)
        except ImportError:
            return


def _built_in() -> dict[str, Any]:
    """The declarations of all files `*_runtime.py` here, by their names."""
    declared: dict[str, Any] = {}
    for module_name in modules_in("workbench.runtimes", ending="_runtime").values():
        module = importlib.import_module(module_name)
        declared |= {v.name: v for v in vars(module).values() if isinstance(v, Runtime)}
    return declared


RUNTIMES: Registry[Runtime] = Registry("workbench.runtimes", "runtime", lambda: Runtime, _built_in)
