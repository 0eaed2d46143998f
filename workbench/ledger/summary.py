"""The result of a run in one sentence.

    13 times smaller and 2.5 times faster than the same model in ONNX Runtime; 1.2 points worse on
    test, your limit is 1.5 points: kept.

It compares the last candidate with the start as ONNX, where the ledger has that row, else with the
start. A quick check, and a latency that was timed beside other work, claim nothing.
"""

from __future__ import annotations

from collections.abc import Sequence

from workbench.errors import WorkbenchError
from workbench.figures.units import amount
from workbench.ledger.factors import Result, is_busy, origin_of, result_of
from workbench.ledger.rows import Row, TestLine
from workbench.ledger.rows_needed import rows_needed, rows_needed_for_limit
from workbench.ledger.verdicts import drop_in_unit, judged, limit_state
from workbench.ledger.words import quality_verdict
from workbench.measure.statistics.verdict import Verdict
from workbench.runtimes import RUNTIMES
from workbench.system.wording import difference_text, threshold_text, value_text

__all__ = ["summary"]

SAME_SPEED = 1.03  # factors up to this one are no change, as the margin of a latency
SAME_SIZE = 1.01


def summary(
    rows: Sequence[Row], test: TestLine | None = None, *, accepted_drop: float | None = None
) -> str:
    """The result of a run in one sentence, in plain words.

    `accepted_drop` is the option of the run: percentage points, or the unit of the metric.
    """
    result = result_of(rows)
    if not rows:
        return "No step has finished."
    if result is None:
        text = _decisions(rows)
        return f"{text[0].upper()}{text[1:]}"
    last = result.last
    is_alone = result.reference is last
    clauses = [_alone(last)] if is_alone else [_factors(rows, result), _change(last, test)]
    if not is_alone and last.aim == "quality":
        clauses = [_improvement(last, test), _against_control(rows, last), clauses[0]]
    elif not is_alone:
        clauses[-1] = ", ".join(filter(None, (clauses[-1], _limit(last, test, accepted_drop))))
    decided = [row for row in rows if row.decision is not None]
    if decided:
        clauses.append(_decisions(decided).removesuffix("."))
    text = "; ".join(filter(None, clauses))
    if last.budget == "smoke":
        return f"Quick check, decides nothing: {text}."
    return f"{text[0].upper()}{text[1:]}."


def _decisions(rows: Sequence[Row]) -> str:
    """The last decision, such as `decision of monitoring: drift - Two columns moved`."""
    row = next((r for r in reversed(rows) if r.decision is not None), None)
    if row is None or row.decision is None:
        return "No step has measured a model."
    reason = f" - {row.decision.reason}".rstrip(". ") if row.decision.reason else ""
    return f"decision of {row.step}: {row.decision.verdict}{reason}."


def _alone(row: Row) -> str:
    """The numbers of a single model, which is compared with nothing."""
    parts = [f"{row.metric} {value_text(row.quality or 0.0, row.unit)} on valid"]
    if row.size_bytes is not None:
        parts.append(f"a file of {amount(row.size_bytes, 'size_bytes')}")
    if row.latencies_ms:
        batch = min(row.latencies_ms)
        busy = " (timed beside other work)" if is_busy(row) else ""
        parts.append(f"{amount(row.latencies_ms[batch], 'ms')} a call at batch {batch}{busy}")
    return f"the {row.step} alone was measured: {', '.join(parts)}"


def _factors(rows: Sequence[Row], result: Result) -> str:
    """Size and speed of the last candidate against the start."""
    last, faster = result.last, result.faster
    name = _name_of(result, origin_of(rows))
    size = _compared(result.smaller, "smaller", "larger", SAME_SIZE)
    speed = _compared(faster, "faster", "slower", SAME_SPEED)
    if faster is not None and is_busy(last):
        doubt = f"about {speed or 'as fast'}, timed beside other work: not decided"
        return f"{size} than {name}, {doubt}" if size else f"as large as {name}, {doubt}"
    if speed and last.budget == "smoke":
        speed = f"about {speed}"
    elif speed and _is_undecided(last, result.reference):
        doubt = f"about {speed}: not decided"
        return f"{size} than {name}, {doubt}" if size else f"as large as {name}, {doubt}"
    if size and speed:
        return f"{size} and {speed} than {name}"
    if faster is None:
        of_size = f"{size} than {name}" if size else f"as large as {name}"
        return f"{of_size} (speed was not measured)"
    if size:
        return f"{size} than {name} and as fast"
    return f"{speed} than {name} and as large" if speed else f"as large and as fast as {name}"


def _name_of(result: Result, start: Row | None) -> str:
    """The name of the model that the result is compared with."""
    last, reference = result.last, result.reference
    if start is None or reference is None:
        return "the first start"
    is_same = last.candidate.startswith(start.candidate)
    if reference.step == start.step and reference.runtime == last.runtime:
        return "the start" if is_same else f"the start ({start.candidate})"
    model = "the same model" if is_same else f"the start ({start.candidate})"
    return f"{model} in {_title(reference.runtime)}"


def _title(runtime: str) -> str:
    try:
        return RUNTIMES.get(runtime).title or runtime
    except WorkbenchError:  # an engine of another package, which is not installed here
        return runtime


def _compared(times: float | None, more: str, less: str, same: float) -> str:
    """`2.5 times faster`, `1.3 times slower`; empty for a factor of about 1 or an unknown one."""
    if times is None or 1 / same <= times <= same:
        return ""
    value = times if times > 1 else 1 / times
    if value < 1.095:
        return f"{100 * (value - 1):.0f} % {more if times > 1 else less}"
    digits = f"{value:.1f}" if value < 9.95 else f"{float(f'{value:.2g}'):,.0f}"
    return f"{digits} times {more if times > 1 else less}"


def _is_undecided(last: Row, reference: Row | None) -> bool:
    """Whether the two were timed side by side, and the verdict on their latency is undecided."""
    batch = min(last.latencies_ms, default=0)
    is_before = reference is not None and reference.step == last.parent
    verdicts = last.against_parent if is_before else last.against_start
    verdict = quality_verdict(verdicts, f"batch-{batch} latency")
    return verdict is not None and verdict.decision == "undecided"


def _change(last: Row, test: TestLine | None) -> str:
    """The change of the score against the start, on test where it is open."""
    verdict, split = judged(last, test)
    if verdict is None:
        return ""
    difference = difference_text(verdict.difference, verdict.unit)
    needed = rows_needed(verdict)
    metric = verdict.metric
    more = f"about {needed:,} rows would decide" if needed else ""
    if last.budget == "smoke":
        text = f"{metric} changed by {difference} on {verdict.n:,} {split} rows"
        return f"{text}, {more}" if more else text
    if verdict.decision == "equivalent":
        margin = _singular(threshold_text(verdict.margin, verdict.unit))
        return f"{_subject(verdict)}as good as before on {split} (within {margin})"
    if verdict.decision == "undecided":
        text = f"{metric} undecided with {verdict.n:,} {split} rows ({difference})"
        return f"{text}, {more}" if more else text
    size = _size_of(verdict)
    by = size if verdict.unit == "points" else f"by {size}"
    words = f"{by} {verdict.decision}" if verdict.unit == "points" else f"{verdict.decision} {by}"
    return f"{_subject(verdict)}{words} on {split}"


def _improvement(last: Row, test: TestLine | None) -> str:
    """The change of the score by a step that should raise it, and what to do without a proof."""
    verdict, split = judged(last, test)
    change = _change(last, test)
    if verdict is None or last.budget == "smoke" or verdict.decision == "better":
        return change
    if verdict.decision == "equivalent":
        margin = _singular(threshold_text(verdict.margin, verdict.unit))
        change = f"{verdict.metric} no better on {split} (the same within {margin})"
    return f"{change}, so the simpler start is to be kept"


def _against_control(rows: Sequence[Row], last: Row) -> str:
    """The change against the control of the step; empty where it has none."""
    control = next((row for row in rows if row.is_control and row.step == last.parent), None)
    verdict = quality_verdict(last.against_parent, last.metric)
    if control is None or verdict is None:
        return ""
    values = (verdict.difference, verdict.low, verdict.high)
    difference, low, high = (difference_text(v, verdict.unit) for v in values)
    return f"{difference} on valid against the same model with default settings ({low} to {high})"


def _subject(verdict: Verdict) -> str:
    return "" if verdict.metric == "accuracy" else f"{verdict.metric} "


def _size_of(verdict: Verdict) -> str:
    """The size of a difference without its sign: `1.2 points`, `0.35 points`, `0.0123`."""
    size = abs(verdict.difference)
    if verdict.unit != "points":
        return difference_text(size, verdict.unit, signed=False)
    return f"{100 * size:.1f} points" if size >= 0.01 else f"{100 * size:.2f} points"


def _singular(text: str) -> str:
    return "1 point" if text == "1 points" else text


def _limit(last: Row, test: TestLine | None, accepted_drop: float | None) -> str:
    """Whether the limit of the user is kept; empty without a limit."""
    verdict, _ = judged(last, test)
    if verdict is None or accepted_drop is None:
        return ""
    unit = " points" if verdict.unit == "points" else ""
    text = f"your limit is {_singular(f'{accepted_drop:g}{unit}')}"
    if last.budget == "smoke":
        return f"{text}: not decided by a quick check"
    state = limit_state(verdict, accepted_drop)
    if state != "undecided":
        return f"{text}: {state}"
    needed = rows_needed_for_limit(verdict, drop_in_unit(accepted_drop, verdict.unit))
    more = f", about {needed:,} would decide" if needed else ""
    return f"{text}: cannot be decided with these rows{more}"
