"""Standing, the candidate that the next step of a run starts from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from workbench.ledger.appraise import Contestant
from workbench.runs.candidates import load_candidate
from workbench.runs.context import RunContext
from workbench.runs.step_folders import (
    EXPORTED,
    FIRST,
    START,
    decision_in,
    exported_form,
    has_candidate,
    saved_outputs,
)
from workbench.task import Candidate

__all__ = ["Standing", "restore", "standing_after"]


@dataclass(frozen=True)
class Standing:
    """The state of a run between two steps.

    Attributes
    ----------
    candidate
        The candidate to start from; None in a run that has no start.
    shipped
        The form of it that was measured: its ONNX file where there is one.
    origin
        The candidate that all rows are compared with; None before the first result.
    """

    candidate: Candidate | None = None
    shipped: Contestant | None = None
    origin: Contestant | None = None

    @property
    def exported(self) -> Candidate | None:
        """The ONNX file that was written of the candidate, if there is one."""
        if self.candidate is None or self.shipped is None:
            return None
        is_other = self.shipped.candidate.form != self.candidate.form
        return self.shipped.candidate if is_other else None


def standing_after(
    context: RunContext,
    place: Path,
    label: str,
    before: Standing,
    candidate: Candidate | None = None,
    others: Mapping[str, Candidate] | None = None,
) -> Standing:
    """The standing after a finished step.

    Its candidate is that of the step, else the one that its decision names, else that of `before`.
    `candidate` and `others` are the loaded ones, if the step has just run.
    """
    if has_candidate(place):
        return restore(context, place, label, before.origin, candidate)
    decision = decision_in(place)
    if decision is None or not decision.goes_on:
        return before
    reference = decision.goes_on
    chosen = (others or {}).get(reference) or context.trained(
        context.named(reference), context.report
    )
    return replace(before, candidate=chosen, shipped=Contestant(f"{label}-choice", chosen))


def restore(
    context: RunContext,
    place: Path,
    label: str,
    origin: Contestant | None = None,
    candidate: Candidate | None = None,
) -> Standing:
    """The standing from the folder of a finished step that made a candidate.

    The model is of the user's own class where that is at hand.
    """
    kept = candidate or load_candidate(place, context.required_task)
    exported = exported_form(kept, place, context.required_task)
    name = EXPORTED if label == START and exported is not None else label
    shipped = Contestant(name, exported or kept, outputs=saved_outputs(place, name))
    return Standing(kept, shipped, origin or _origin(context, place, label, kept, exported))


def _origin(
    context: RunContext, place: Path, label: str, kept: Candidate, exported: Candidate | None
) -> Contestant:
    """The candidate that all rows are compared with.

    It is the start of this run, or of the run that it goes on from; the first result in a run
    without a trained start.
    """
    if has_candidate(place / FIRST):
        first = load_candidate(place / FIRST, context.required_task)
        return Contestant(FIRST, first, outputs=saved_outputs(place, FIRST))
    chosen = kept if label == START else exported or kept
    return Contestant(label, chosen, outputs=saved_outputs(place, label))
