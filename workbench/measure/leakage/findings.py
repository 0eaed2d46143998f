"""Finding, one suspected leak with its evidence, and LeakReport, all of a task."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from workbench.system.records import record

if TYPE_CHECKING:
    import pandas as pd
    from plotly.graph_objects import Figure

__all__ = ["KINDS", "Finding", "LeakReport", "Severity"]

Severity = Literal["leak", "look at it"]
WIDTH = 100  # columns of a line

KINDS = {
    "predicts_target": "a column predicts the target alone",
    "copies_target": "a column is a copy or a function of the target",
    "combines_to_target": "a few columns together give the target",
    "later_targets": "a column is made from targets of its own time or later",
    "flags_predict_target": "flags tell classes of the target, alone or together",
    "value_predicts_target": "a value of a column stands for one class",
    "bands_of_target": "a column holds bands of the target",
    "text_holds_target": "a part of a text tells the target",
    "missing_predicts_target": "missing values predict the target",
    "identifier_predicts_target": "an identifier predicts the target",
    "row_order_predicts_target": "the order of the rows predicts the target",
    "stronger_on_train": "a column predicts the target on train and not on valid",
    "encoded_with_targets": "a column holds mean targets of rows outside train",
    "same_rows": "the same rows are in two splits",
    "near_duplicates": "nearly equal rows are in two splits",
    "contradicting_labels": "identical rows have other labels in valid than in train",
    "groups_on_both_sides": "rows of one group are in two splits",
    "time_backward": "train has rows that are later than held-out rows",
    "fitted_outside_train": "a preparation or selection was fitted on rows outside train",
    "trained_on_valid": "the model was trained on valid rows",
    "selected_before_split": "an evaluation scores above chance on permuted targets",
    "different_distribution": "train and valid rows can be told apart",
}
"""The kinds of findings, by name."""


@dataclass(frozen=True)
class Finding:
    """A suspected leak.

    `where` are columns or splits, `evidence` is a sentence with its numbers, `numbers` are the same
    as values (`value`, and `chance`: the value without a leak), `advice` says what to do. Severity
    `leak` asks for a change; `look at it` may have a good reason that the data do not show.
    """

    kind: str
    where: tuple[str, ...]
    evidence: str
    advice: str
    severity: Severity = "leak"
    numbers: Mapping[str, float] = field(default_factory=dict)

    @property
    def text(self) -> str:
        """The finding in a few lines of at most 100 columns."""
        names = ", ".join(f"`{name}`" for name in self.where[:5])
        more = f" and {len(self.where) - 5} more" if len(self.where) > 5 else ""
        head = f"{self.severity.upper()}: {KINDS[self.kind]} ({names}{more})."
        lines = [head, self.evidence, f"What to do: {self.advice}"]
        return "\n  ".join(
            textwrap.fill(line, WIDTH - 2, subsequent_indent="  ", break_long_words=False)
            for line in lines
        )

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        return {**asdict(self), "where": list(self.where), "numbers": dict(self.numbers)}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Finding:
        """The finding of the values that `to_json` gave."""
        return record(cls, {**data, "where": tuple(data["where"])})


@dataclass(frozen=True)
class LeakReport:
    """The findings on a task, leaks first; `checks` are the kinds that were looked for.

    `notes` say which rows were sampled, and which checks were left out and why.
    """

    task: str
    findings: tuple[Finding, ...] = ()
    checks: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    seconds: float = 0.0

    @property
    def leaks(self) -> tuple[Finding, ...]:
        """The findings of severity `leak`."""
        return tuple(f for f in self.findings if f.severity == "leak")

    @property
    def is_clean(self) -> bool:
        """Whether nothing was found; that no leak was found does not prove that there is none."""
        return not self.findings

    def of(self, kind: str) -> tuple[Finding, ...]:
        """The findings of a kind; raises DataError for a kind that is not among `KINDS`."""
        from workbench.errors import DataError, unknown

        if kind not in KINDS:
            raise DataError(unknown("kind of leak", kind, KINDS))
        return tuple(f for f in self.findings if f.kind == kind)

    @property
    def sentence(self) -> str:
        """The result in one sentence."""
        n, n_look = len(self.leaks), len(self.findings) - len(self.leaks)
        checked = f"{len(self.checks)} kinds of leak were looked for in task `{self.task}`"
        if not self.findings:
            return f"No leak found: {checked}. Leaks of other kinds are possible."
        found = " and ".join(
            text
            for count, text in (
                (n, f"{n} leak{'s' * (n > 1)}"),
                (n_look, f"{n_look} finding{'s' * (n_look > 1)} to look at"),
            )
            if count
        )
        return f"{found[0].upper()}{found[1:]}: {checked}."

    @property
    def text(self) -> str:
        """The result, each finding, and the notes; lines of at most 100 columns."""
        parts = [textwrap.fill(self.sentence, WIDTH), *(f.text for f in self.findings)]
        notes = [textwrap.fill(f"Note: {note}", WIDTH) for note in self.notes]
        return "\n\n".join([*parts, *(["\n".join(notes)] if notes else [])])

    def to_frame(self) -> pd.DataFrame:
        """A row a finding: severity, kind, where, evidence, what to do, value and chance."""
        import pandas as pd

        rows = [
            {
                "severity": f.severity,
                "kind": f.kind,
                "where": ", ".join(f.where),
                "evidence": f.evidence,
                "what to do": f.advice,
                "value": f.numbers.get("value", float("nan")),
                "chance": f.numbers.get("chance", float("nan")),
            }
            for f in self.findings
        ]
        names = ("severity", "kind", "where", "evidence", "what to do", "value", "chance")
        return pd.DataFrame(rows, columns=list(names))

    def plot(self) -> Figure:
        """Each finding's value beside the value that chance would give."""
        from workbench.figures.leaks import plot_leaks

        return plot_leaks(self.to_frame())

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        return {
            "task": self.task,
            "findings": [f.to_json() for f in self.findings],
            "checks": list(self.checks),
            "notes": list(self.notes),
            "seconds": self.seconds,
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> LeakReport:
        """The report of the values that `to_json` gave."""
        findings = tuple(Finding.from_json(f) for f in data["findings"])
        tuples = {k: tuple(data[k]) for k in ("checks", "notes")}
        return record(cls, {**data, "findings": findings, **tuples})
