"""References: names of tasks, starts and techniques, with arguments, as a recipe holds them."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from hypothesis import strategies as st
from torch import nn

import workbench as wb
from tests.generated.checker import attempt, require
from tests.generated.files import kept_folder
from tests.generated.values import ANY, TEXT
from workbench.runs.candidates import candidate_named
from workbench.task import Candidate, Task

__all__ = ["CASES", "try_case"]

X = np.random.default_rng(0).normal(size=(200, 6)).astype(np.float32)
Y = (X[:, 0] > 0).astype(np.int64)
HERE = "tests.generated.references"
NAMES = (
    "", "digits", "digit", "fashion", "cnn", "net", "os:system", "os:path", "os", ":", "a:", ":b",
    "a:b", "a.b:c", ".a:b", "a b:c", "json:dumps", "sys:modules", "numpy:array", "os:getcwd",
    f"{HERE}:not_annotated", f"{HERE}:raises", f"{HERE}:raises_candidate", f"{HERE}:wants_more",
    f"{HERE}:wants_more_candidate", f"{HERE}:lies", f"{HERE}:lies_of_candidate", f"{HERE}:missing",
    f"{HERE}:X", f"{HERE}:Task", f"{HERE}:candidate", f"{HERE}:fine", "KEPT", "KEPT/model.onnx",
    "EMPTY", "models:/", "models:/a", "models:/a@b", "models:/a/1", "models:/a/x", "~nobody/x",
    "tests.generated.broken_module:x", "tests.generated.broken_syntax:x", "a\x00b", "x" * 5000,
)  # fmt: skip
REFERENCES = st.one_of(st.sampled_from(NAMES), st.sampled_from(NAMES), TEXT, ANY)


def not_annotated():
    """A function that does not say what it returns."""
    raise AssertionError("it must not be called")


def raises() -> Task:
    """A maker of tasks that fails."""
    raise LookupError("of the user's own code")


def raises_candidate() -> Candidate:
    """A maker of candidates that fails."""
    raise LookupError("of the user's own code")


def wants_more(a: int, *, b: int) -> Task:
    """A maker of tasks with arguments."""
    return fine()


def wants_more_candidate(a: int) -> Candidate:
    """A maker of candidates with arguments."""
    return Candidate("net", "torch", nn.Linear(6, 2))


def lies() -> Task:
    """A maker of tasks that makes something else."""
    return 3  # type: ignore[return-value]


def lies_of_candidate() -> Candidate:
    """A maker of candidates that makes something else."""
    return 3  # type: ignore[return-value]


def candidate() -> Candidate:
    """A candidate."""
    return Candidate("net", "torch", nn.Linear(6, 2))


@cache
def fine() -> Task:
    """A task."""
    return wb.make_task("t", model=nn.Linear(6, 2), train=(X, Y))


@dataclass(frozen=True)
class Case:
    """A reference, where it is given, and its arguments."""

    reference: Any
    place: str
    args: Any = None


CASES = st.builds(
    Case,
    REFERENCES,
    st.sampled_from(("task", "task", "start", "start", "technique", "model", "loader", "run")),
    st.one_of(
        st.none(),
        st.none(),
        st.dictionaries(st.sampled_from(("a", "b", "seed", "width", "")), ANY, max_size=2),
        ANY,
    ),
)


def try_case(case: Case) -> str:
    """Look the reference up in its place."""
    with tempfile.TemporaryDirectory() as home:
        (Path(home) / "empty").mkdir()
        reference = case.reference
        if isinstance(reference, str):
            reference = reference.replace("KEPT", str(kept_folder("torch")))
            reference = reference.replace("EMPTY", f"{home}/empty")
        ended = attempt(lambda: _looked_up(case.place, reference, case.args, Path(home)))
    if ended.refusal is None and case.place == "technique":
        require(ended.value.name == reference, "technique", reference, ended.value)
    return ended.status


def _looked_up(place: str, reference: Any, args: Any, home: Path) -> Any:
    if place == "task":
        return wb.load_task(reference, args)
    if place == "start":
        return candidate_named(reference, fine(), root=home)
    if place == "technique":
        return wb.get_technique(reference)
    if place == "model":
        return fine().candidate(reference, args=args)
    if place == "loader":
        return wb.load_kept(reference)
    return wb.find_run(reference, home)
