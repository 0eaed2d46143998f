"""`workbench evaluate`: a model of a task, cross-validated on the task's train rows."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING, Any

import rich_click as click

from workbench.cli.console import console, print_json
from workbench.cli.options import command, json_flag, run_option, run_options_from

if TYPE_CHECKING:
    from workbench.measure.cross_validation import CrossValidation
    from workbench.measure.statistics.resampled import FoldScores

__all__ = ["evaluate"]

WIDTH = 100  # columns of a line


def _count(name: str, default: int, low: int, text: str) -> click.Parameter:
    return click.RichOption(
        [f"--{name}"],
        type=click.IntRange(low),
        default=default,
        metavar="INT",
        help=f"{text} [default: {default}]",
    )


def _folds_option() -> click.Parameter:
    return _count("folds", 5, 1, "Folds of the train rows; 1 is one hold-out of a fifth.")


def _repeats_option() -> click.Parameter:
    return _count("repeats", 1, 1, "Number of repeats, each with another seed.")


@command(
    "evaluate",
    run_option("task"),
    run_option("task_args"),
    run_option("start"),
    _folds_option,
    _repeats_option,
    run_option("budget"),
    run_option("seed"),
    run_option("device"),
    run_option("store"),
    run_option("root"),
    json_flag,
    panel="Tools",
)
def evaluate(folds: int, repeats: int, json: bool, **values: Any) -> None:
    """Cross-validate a model on the train rows of a task."""
    from workbench.events import Report
    from workbench.measure.cross_validation import cross_validate
    from workbench.runs.candidates import candidate_named
    from workbench.runs.folders import runs_root
    from workbench.tasks import load_task

    options = run_options_from(values)
    task = load_task(options.task, options.task_args).without_test()
    root = runs_root(options.root)
    named = candidate_named(options.start, task, seed=options.seed, store=options.store, root=root)
    with console(quiet=json) as listener:
        result = cross_validate(
            named.candidate,
            task,
            folds=folds,
            repeats=repeats,
            seed=options.seed,
            budget=options.budget,
            device=options.device,
            report=Report(listener),
        )
    if json:
        print_json({**result.to_json(), "text": result.sentence})
        return
    print(text_of(result))


def text_of(result: CrossValidation) -> str:
    """One line a metric, the meaning of the interval, and notes; at most 100 columns."""
    names = max(len(scores.metric) for scores in result.scores)
    lines = [_line(scores, names) for scores in result.scores]
    notes = [result.sentence, *result.notes]
    return "\n".join([*lines, *(textwrap.fill(note, WIDTH) for note in notes)])


def _line(scores: FoldScores, names: int) -> str:
    """`accuracy  92.50 % (91.80 to 93.15)  folds 92.10, 93.00`, or their range if they are many."""
    from workbench.system.wording import interval_text

    head = f"{scores.metric:<{names}}  {scores.shown(scores.mean)}"
    if len(scores.values) > 1:
        head += f" ({interval_text(scores.low, scores.high, scores.unit)})"
    texts = [scores.shown(value).removesuffix(" %") for value in scores.values]
    whole = f"{head}  folds {', '.join(texts)}"
    if len(whole) <= WIDTH:
        return whole
    low, high = (scores.shown(f(scores.values)).removesuffix(" %") for f in (min, max))
    return f"{head}  {len(texts)} folds from {low} to {high}"
