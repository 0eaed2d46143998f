"""Engines that run models, a file each; `predictor()` makes a candidate ready to run on one."""

from __future__ import annotations

from workbench.errors import CandidateError
from workbench.model_form import form_named
from workbench.runtimes.runtime import RUNTIMES, Predictor, Runtime
from workbench.task import Candidate

__all__ = ["RUNTIMES", "Predictor", "Runtime", "installed_for", "predictor", "runtimes_for"]


def runtimes_for(candidate: Candidate) -> tuple[str, ...]:
    """The engines that the candidate's form prefers, the first choice first.

    `torch-compiled` is not among them, as compiling takes longer than most measurements. It is used
    only by its name.
    """
    return form_named(candidate.form).runtimes


def installed_for(candidate: Candidate) -> tuple[str, ...]:
    """All engines that run the candidate's form on this machine, the preferred ones first."""
    preferred = runtimes_for(candidate)
    others = [r.name for r in RUNTIMES.all().values() if candidate.form in r.forms]
    names = dict.fromkeys((*preferred, *others))
    return tuple(name for name in names if not RUNTIMES.get(name).lacks())


def predictor(
    candidate: Candidate,
    runtime: str = "auto",
    *,
    threads: int | None = None,
    device: str = "cpu",
) -> Predictor:
    """Make a candidate ready to run on an engine.

    `threads` None takes all cores that this process may use, or OMP_NUM_THREADS. Raises UnknownName
    for an engine that does not exist, CandidateError for one that does not run this form, and
    MissingExtra or RunError for one whose library or hardware is missing on this machine.
    """
    declared = RUNTIMES.get(runtimes_for(candidate)[0] if runtime == "auto" else runtime)
    if candidate.form not in declared.forms:
        raise CandidateError(
            f"`{declared.name}` runs {' or '.join(declared.forms)} models, and `{candidate.name}` "
            f"is in the form {candidate.form}. Write it as ONNX first (`workbench.to_onnx`), or "
            "use another runtime."
        )
    return declared.make(candidate, threads, device)
