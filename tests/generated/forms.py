"""Forms and wizards with odd values and options."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from typing import Any

from hypothesis import strategies as st

import workbench as wb
from tests.generated.checker import attempt
from tests.generated.recipes import STEPS
from tests.generated.settings import check_values, flat_values, values_of
from tests.generated.values import ANY
from workbench.settings import RunOptions, knobs
from workbench.techniques import get_technique, technique_names

__all__ = ["CASES", "try_case"]


@dataclass(frozen=True)
class Form:
    """A form of a technique with values."""

    technique: str
    values: dict[str, Any]


@dataclass(frozen=True)
class Wizard:
    """A wizard with steps and options."""

    task: Any
    steps: Any
    options: dict[str, Any]


FORMS = st.sampled_from(technique_names()).flatmap(
    lambda name: st.builds(
        Form,
        st.just(name),
        flat_values(get_technique(name).settings).map(
            lambda values: {k: v for k, v in values.items() if isinstance(k, str)}
        ),
    )
)
NAMES = [k for k in knobs(RunOptions) if k.name not in ("task", "root", "store")]
OPTIONS = st.lists(
    st.sampled_from(NAMES).flatmap(lambda k: st.tuples(st.just(k.name), values_of(k))), max_size=2
).map(dict)
WIZARDS = st.builds(Wizard, st.one_of(st.just("digits"), st.just("digits"), ANY), STEPS, OPTIONS)
CASES = st.one_of(FORMS, WIZARDS)


def try_case(case: Form | Wizard) -> str:
    """Draw the form or the wizard; an accepted form holds the values that it was given."""
    if isinstance(case, Form):
        ended = attempt(lambda: wb.form(case.technique, values=case.values).settings)
        if ended.refusal is None:
            check_values(type(ended.value), case.values, ended.value)
        return ended.status
    with tempfile.TemporaryDirectory() as home:
        call = lambda: wb.wizard(case.task, steps=case.steps, root=home, **case.options)  # noqa: E731
        return attempt(call).status
