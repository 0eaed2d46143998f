"""Wording, the words that the form and the wizard show.

Files keep their own names and values (`budget: smoke`). This table says how each is shown (Effort,
quick check). A label of a setting is its declared title, else its name as words.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from workbench.settings import Knob, RunOptions, knobs

__all__ = [
    "BUTTONS",
    "CARDS",
    "EFFORT_HELP",
    "ButtonWords",
    "label_of",
    "label_of_knob",
    "label_of_option",
    "shown_help",
    "shown_value",
    "with_labels",
]


@dataclass(frozen=True)
class ButtonWords:
    """The label of a button, its icon, and its tooltip."""

    label: str
    icon: str
    tooltip: str


CARDS = {
    "choices": "Data, model and steps",
    "run": "Run",
    "result": "Result",
    "code": "Code",
}

BUTTONS = {
    "run": ButtonWords("Run", "play", "Start a run of these steps."),
    "cancel": ButtonWords("Cancel", "stop", "Stop the run. Finished steps are kept."),
    "show": ButtonWords("Show", "eye", "Show the chosen run, and follow it while it is running."),
    "add": ButtonWords("Add step", "plus", "Add a technique after the last step."),
    "remove": ButtonWords("Remove", "trash-o", "Remove the open step."),
}

EFFORT_HELP = {
    "smoke": "Quick check: shows that everything runs. Its numbers decide nothing.",
    "standard": "Standard: the effort that an expert would choose.",
    "thorough": "Thorough: for numbers that you publish.",
}

_SHOWN_VALUES: dict[str, dict[Any, str]] = {
    "budget": {"smoke": "quick check"},
    "test": {"at_end": "at the end"},
    "cv": {None: "not done"},
    "price_per_core_hour": {None: "no price"},
    "accepted_drop": {None: "no limit"},
}

_SHOWN_HELP = {  # in place of a docstring line that holds a value which is shown in other words
    "budget": "Amount of work. A quick check shows that everything runs; its numbers decide "
    "nothing.",
}


def shown_value(name: str, value: Any) -> str:
    """A value of a setting as it is shown: as in the file, or in the words of the table.

    None is shown as `auto` where the table has no other word.
    """
    usual = "auto" if value is None else str(value)
    return _SHOWN_VALUES.get(name, {}).get(value, usual)


def label_of(name: str) -> str:
    """A field's name as a label: `pruning_ratio` is Pruning ratio; one of two letters stays."""
    text = name.replace("_", " ")
    return text if len(text) < 3 else text[0].upper() + text[1:]


def label_of_knob(knob: Knob) -> str:
    """The label of a control: the setting's title, else its name; and its unit."""
    unit = f" ({knob.unit})" if knob.unit else ""
    return (knob.title or label_of(knob.path[-1])) + unit


@cache
def label_of_option(name: str) -> str:
    """The label of an option of the run, as `RunOptions` declares it."""
    return label_of_knob(next(k for k in knobs(RunOptions) if k.name == name))


def with_labels(text: str, knob: Knob, labels: Mapping[str, str]) -> str:
    """A text about a setting, with labels in place of the field names in backticks.

    `labels` holds the label of each setting of the form by its flat name.
    """
    group = "".join(f"{name}_" for name in knob.path[:-1])

    def label(match: re.Match[str]) -> str:
        title = labels.get(f"{group}{match[1]}") or labels.get(match[1])
        return f"“{title}”" if title else match[0]

    return re.sub(r"`(\w+)`", label, text)


def shown_help(knob: Knob, labels: Mapping[str, str]) -> str:
    """The help of a control: the setting's docstring line, with labels in place of field names.

    A field shows None as empty, so the help says so too.
    """
    text = with_labels(_SHOWN_HELP.get(knob.name, knob.help), knob, labels)
    text = re.sub(r"\bNone:", "Empty:", text)
    is_typed = knob.optional and knob.kind not in ("bool", "choice")
    says_empty = knob.by_budget is not None or "Empty" in text or "None" in text
    return f"{text} Empty: set automatically." if is_typed and not says_empty else text
