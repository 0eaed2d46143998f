"""Pruning of a boosted ensemble: its first rounds are kept, as many as the score on valid needs.

The first n rounds are the ensemble that training with n rounds gives, so nothing is trained. From
the largest of some numbers downward, each is compared with the whole ensemble until the bound of
its interval is outside of the margin of the metric; the last one before is kept. In this fixed
order the chance to accept a number that loses more is that of a single comparison, however many
there are (Maurer, Hothorn, Lehmacher, "Multiple comparisons in drug clinical trials and preclinical
assays: a-priori ordered hypotheses", 1995). In a smoke run, and where valid is too small for any
proof, the smallest number whose score differs by at most the margin is kept.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from workbench.errors import CandidateError, ExportError, SettingsError, all_of
from workbench.measure.statistics.verdict import Verdict, compare_quality, within
from workbench.measure.timing.latency import time_side_by_side
from workbench.models.boosted import ENSEMBLES, first_rounds, n_rounds, n_trees, problem_of
from workbench.models.estimators import ARRAY, as_features
from workbench.runtimes.outputs import outputs_on
from workbench.runtimes.to_onnx import to_onnx
from workbench.system.wording import ms_text, percent, threshold_text, value_text
from workbench.technique import Job, Outcome

if TYPE_CHECKING:
    from pandas import DataFrame

    from workbench.data.rows import AnyRows
    from workbench.task import Candidate
    from workbench.techniques.pruning import PruningSettings

__all__ = ["keep_first_rounds"]

N_NUMBERS = {"smoke": 8, "standard": 24, "thorough": 48}  # numbers of rounds that are tried
N_TIMED = 4
N_EXAMPLES = 16  # train rows with which an ensemble is written as ONNX
ROUNDING = 1e-12  # tolerance of the comparison with the margin


@dataclass(frozen=True, eq=False)
class _Trial:
    """The first `n` rounds, their outputs on valid, and their score there."""

    n: int
    outputs: np.ndarray
    quality: float


def keep_first_rounds(job: Job, settings: PruningSettings) -> Outcome:
    """The ensemble with its first rounds: `n_rounds` of them, or the smallest number that will do.

    Raises CandidateError for a start that is no boosted ensemble, SettingsError for settings that
    are for networks and for more rounds than there are.
    """
    start = job.start
    if problem := problem_of(start.model):
        raise CandidateError(
            f"`pruning` of an estimator keeps the first rounds of a boosted ensemble, and "
            f"`{start.name}` {problem}. Start from one of {', '.join(ENSEMBLES)}, alone or as the "
            "last step of a pipeline."
        )
    _refuse_settings(job, settings)
    n_all = n_rounds(start.model)
    numbers = _numbers(n_all, N_NUMBERS[settings.budget], also=settings.n_rounds)
    trials = _trials(job, numbers)
    choice = _Choice.of(job, trials, estimate=settings.budget == "smoke")
    n = settings.n_rounds or choice.n
    table = _table(choice, n, start.model)
    latencies = _latencies_ms(job, _timed(numbers, n), settings.budget)
    table["latency_ms"] = [latencies.get(number, np.nan) for number in table["n_rounds"]]
    candidate = start.child(
        f"{start.name}-pruned",
        "pruning",
        model=first_rounds(start.model, n),
        macs=None,
        trains_anew=start.trains_anew,
    )
    resolved = settings.model_copy(update={"method": "trees", "n_rounds": n})
    notes = (_choice_note(choice, n, settings), _latency_note(latencies, n, n_all))
    return Outcome(candidate, resolved, evidence={"rounds": table}, notes=notes)


def _refuse_settings(job: Job, settings: PruningSettings) -> None:
    """Raise SettingsError for methods of networks, and for a number of rounds that is too high."""
    problems = []
    if settings.method not in ("auto", "trees"):
        problems.append(
            f"`method` {settings.method} is for torch networks, and `{job.start.name}` is a "
            "boosted ensemble: use trees."
        )
    n_all = n_rounds(job.start.model)
    if settings.n_rounds is not None and settings.n_rounds > n_all:
        problems.append(
            f"`n_rounds` must be at most {n_all}, the rounds of `{job.start.name}`, got "
            f"{settings.n_rounds}."
        )
    if problems:
        raise SettingsError(all_of(problems, "These settings do not fit the model"))


def _numbers(n_all: int, n: int, *, also: int | None) -> list[int]:
    """At most `n` numbers of rounds up to all, half of them evenly apart, and `also`.

    The other half is denser at the low end, where a round changes more.
    """
    half = n // 2
    spaced = (*np.geomspace(1, n_all, n - half), *np.linspace(n_all / half, n_all, half))
    return sorted({max(1, round(number)) for number in spaced} | ({also} if also else set()))


def _trials(job: Job, numbers: list[int]) -> list[_Trial]:
    """The score of each number of rounds on valid, in the order of the numbers."""
    task, trials = job.task, []
    start, valid = _without_steps(job.start, task.data.valid)
    targets = np.asarray(valid.targets)
    for done, n in enumerate(numbers):
        job.report.progress(done, len(numbers) + 1, f"scoring the first {n} rounds on valid")
        short = replace(start, model=first_rounds(start.model, n))
        outputs = outputs_on(short, valid, job.report.silent())
        trials.append(_Trial(n, outputs, float(task.metric(outputs, targets))))
    return trials


def _without_steps(start: Candidate, rows: AnyRows) -> tuple[Candidate, AnyRows]:
    """The ensemble alone, and rows as the steps before it give them, which are the same for all n.

    The whole pipeline and the rows as they are, where the steps give another thing than an array.
    """
    steps = getattr(start.model, "steps", [])
    if len(steps) < 2 or start.prepare is not None:
        return start, rows
    rows = rows.take(slice(None))
    features = start.model[:-1].transform(as_features(rows.inputs))
    if not isinstance(features, np.ndarray):
        return start, rows
    return replace(start, model=steps[-1][1]), replace(rows, inputs={ARRAY: features})


@dataclass(frozen=True)
class _Choice:
    """The smallest number of rounds within the margin, and the comparisons that led to it.

    `proved` says that the bound of the interval is inside the margin; else the difference of the
    scores is. `verdicts` are by number of rounds, without those that no choice needed.
    """

    n: int
    margin: float
    proved: bool
    trials: list[_Trial]
    verdicts: dict[int, Verdict]
    n_rows: int
    metric: Any

    @classmethod
    def of(cls, job: Job, trials: list[_Trial], *, estimate: bool) -> _Choice:
        """The smallest number of rounds that loses at most the margin, proved if that can be."""
        metric, valid = job.task.metric, job.task.data.valid
        targets, whole = np.asarray(valid.targets), trials[-1]

        def verdict(trial: _Trial) -> Verdict:
            job.report.check()
            return compare_quality(
                whole.outputs, trial.outputs, targets, metric, blocks=valid.blocks
            )

        same = verdict(whole)
        margin = same.margin
        proved = not estimate and within(same, margin)
        verdicts = {whole.n: same}
        near = [
            trial
            for trial in trials
            if metric.sign * (whole.quality - trial.quality) <= margin + ROUNDING
        ]
        chosen = near[0].n
        if proved:
            chosen = whole.n
            for trial in reversed(trials[:-1]):
                if trial not in near:
                    break
                verdicts[trial.n] = verdict(trial)
                if not within(verdicts[trial.n], margin):
                    break
                chosen = trial.n
        return cls(chosen, margin, proved, trials, verdicts, len(targets), metric)


def _table(choice: _Choice, n: int, model: Any) -> DataFrame:
    """A row a number of rounds: trees, score, its difference from all rounds, and the choice."""
    import pandas as pd

    a_round = n_trees(model) // n_rounds(model)
    whole = choice.trials[-1].quality
    rows = []
    for trial in choice.trials:
        verdict = choice.verdicts.get(trial.n)
        rows.append(
            {
                "n_rounds": trial.n,
                "trees": trial.n * a_round,
                "quality": trial.quality,
                "difference": trial.quality - whole,
                "low": verdict.low if verdict and choice.proved else np.nan,
                "high": verdict.high if verdict and choice.proved else np.nan,
                "margin": choice.margin,
                "chosen": trial.n == n,
            }
        )
    return pd.DataFrame(rows)


def _timed(numbers: list[int], n: int) -> list[int]:
    """The numbers that are timed: all rounds, the chosen ones, and some in between and below."""
    n_all = numbers[-1]
    wished = [n_all, n, max(1, n // 4), round((n * n_all) ** 0.5)]
    nearest = [min(numbers, key=lambda number: abs(number - wish)) for wish in wished]
    return sorted(set(nearest))[-N_TIMED:]


def _latencies_ms(job: Job, numbers: list[int], budget: str) -> dict[int, float]:
    """The best call at batch 1 on one thread by number of rounds, timed side by side.

    ONNX files are timed where the ensemble can be written as one, as that is the faster way.
    """
    short = {n: replace(job.start, model=first_rounds(job.start.model, n)) for n in numbers}
    job.report.progress(1, 2, f"timing {len(numbers)} numbers of rounds")
    try:
        shipped = {n: _as_onnx(candidate, job) for n, candidate in short.items()}
    except ExportError:
        shipped = short
    timings = time_side_by_side(
        {str(n): (candidate, "auto") for n, candidate in shipped.items()},
        lambda candidate, n: job.task.example(n, job.start.prepare),
        batch_sizes=(1,),
        budget=budget,
        report=job.report.silent(),
    )
    return {n: timings[str(n)].batches[0].best_ms for n in numbers}


def _as_onnx(candidate: Candidate, job: Job) -> Candidate:
    return to_onnx(candidate, job.task.example(N_EXAMPLES, candidate.prepare))


def _choice_note(choice: _Choice, n: int, settings: PruningSettings) -> str:
    metric, n_all = choice.metric, choice.trials[-1].n
    by_number = {trial.n: trial.quality for trial in choice.trials}
    scores = (
        f"{metric.name} on valid {value_text(by_number[n], metric.unit)}, "
        f"{value_text(by_number[n_all], metric.unit)} with all"
    )
    if settings.n_rounds is not None:
        return f"Kept the first {n} of {n_all} rounds, as `n_rounds` says: {scores}."
    margin = threshold_text(choice.margin, metric.unit)
    how = (
        "the bound of the 95 % interval of the loss"
        if choice.proved
        else "the difference of the scores"
    )
    why = (
        ""
        if choice.proved or settings.budget == "smoke"
        else f" {choice.n_rows:,} valid rows are too few to prove so small a loss for any model."
    )
    if n == n_all == 1:
        return "The ensemble has one round, which is kept."
    if n == n_all:
        return (
            f"All {n_all} rounds were kept: with {choice.trials[-2].n}, {how} on valid is more "
            f"than the margin of {margin}.{why}"
        )
    return (
        f"Kept the first {n} of {n_all} rounds, the smallest of {len(choice.trials)} numbers for "
        f"which {how} on valid is at most the margin of {margin}: {scores}.{why}"
    )


def _latency_note(latencies: dict[int, float], n: int, n_all: int) -> str:
    if n == n_all:
        return f"Latency at batch 1 on one thread: {ms_text(latencies[n])}."
    return (
        f"Latency at batch 1 on one thread: {ms_text(latencies[n])} with {n} rounds, "
        f"{ms_text(latencies[n_all])} with {n_all} ({percent(latencies[n] / latencies[n_all], 0)})."
    )
