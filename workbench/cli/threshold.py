"""`workbench threshold`: the decision threshold of a run's candidate, by the costs of mistakes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import rich_click as click

from workbench.cli.console import print_json
from workbench.cli.options import command, flag_of, json_flag, run_argument, run_option
from workbench.cli.runs import PANEL

__all__ = ["threshold"]


def _cost_option(name: str, default: float, text: str) -> Callable[[], click.Parameter]:
    """Makes the option of a cost or a gain; all are in one unit."""
    return lambda: click.RichOption(
        [flag_of(name), name],
        type=float,
        default=default,
        metavar="FLOAT",
        help=f"{text} [default: {default:g}]",
    )


def _step_option() -> click.Parameter:
    text = "Step of the candidate, as the ledger names it. [default: the last one]"
    return click.RichOption(["--step"], default="", metavar="STEP", help=text)


@command(
    "threshold",
    run_argument,
    _cost_option("cost_false_positive", 1.0, "Cost of flagging a row of the negative class."),
    _cost_option("cost_false_negative", 1.0, "Cost of not flagging a row of the positive class."),
    _cost_option("gain_true_positive", 0.0, "Gain of flagging a row of the positive class."),
    _cost_option("gain_true_negative", 0.0, "Gain of not flagging a row of the negative class."),
    _step_option,
    json_flag,
    run_option("root"),
    panel=PANEL,
)
def threshold(run: str, step: str, json: bool, root: str, **costs: Any) -> None:
    """Choose the decision threshold of a binary classifier by the costs of its mistakes.

    It is chosen on the kept outputs on valid, and written beside the candidate as threshold.json.
    """
    from workbench.runs.handle import find_run
    from workbench.runs.threshold import FILE, choose_threshold

    handle = find_run(run, root)
    trail = handle.result
    chosen = choose_threshold(trail, step, **costs)
    path = trail.folder_of(step) / FILE
    is_smoke = handle.recipe.options.budget == "smoke"
    if json:
        print_json({"file": str(path), "is_smoke": is_smoke, **chosen.to_json()})
        return
    note = "A smoke run decides nothing. " if is_smoke else ""
    kept = f"{note}Kept in {path.relative_to(trail.folder).as_posix()} of the run."
    print(*chosen.lines, kept, sep="\n")
