"""Settings: known and unknown names with odd values, by every way in which settings are made."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from hypothesis import strategies as st

from tests.generated.checker import attempt, require
from tests.generated.values import ANY, TEXT, same
from workbench.settings import RunOptions, Settings, knobs
from workbench.settings.knobs import Knob, reach
from workbench.techniques import get_technique, technique_names
from workbench.training import FitSettings

__all__ = ["CASES", "CLASSES", "flat_values", "tree_of", "try_case", "values_of"]

CLASSES: tuple[type[Settings], ...] = (
    RunOptions,
    FitSettings,
    *(get_technique(name).settings for name in technique_names()),
)
WAYS = ("construct", "flat", "replace")


@dataclass(frozen=True)
class Case:
    """Values by flat name for a class, and the way in which they are given."""

    of: type[Settings]
    way: str
    values: dict[str, Any]


def values_of(knob: Knob) -> st.SearchStrategy[Any]:
    """Values that suit a knob, at its bounds and beyond, and a few that suit nothing."""
    bounds = [b for b in (knob.low, knob.high) if b is not None]
    near = [b + d for b in bounds for d in (-1, 1, 1e-9)]
    suited = [*knob.choices, *bounds, *near, knob.default]
    texts = [str(v) for v in suited]
    kinds = {
        "bool": st.sampled_from([True, False, "true", "off", 0, 1, 2]),
        "int": st.integers(-1, 100),
        "float": st.floats(-0.1, 1.1),
        "choice": st.sampled_from([str(c).upper() for c in knob.choices] or ["x"]),
        "text": TEXT,
        "yaml": st.one_of(
            st.dictionaries(TEXT, st.floats(0, 1), max_size=2), st.lists(st.integers(), max_size=3)
        ),
    }
    return st.one_of(
        st.sampled_from(suited), st.sampled_from([*suited, *texts]), kinds[knob.kind], ANY
    )


def flat_values(of: type[Settings], most: int = 4) -> st.SearchStrategy[dict[str, Any]]:
    """Values by flat name; some names are unknown."""
    known = st.sampled_from(knobs(of)).flatmap(
        lambda knob: st.tuples(st.just(knob.name), values_of(knob))
    )
    fields = st.sampled_from(tuple(of.model_fields))
    strange = st.tuples(st.one_of(TEXT, fields, fields.map(lambda n: n[:-1])), ANY)
    pairs = st.one_of(known, known, known, known, strange)
    return st.one_of(st.lists(pairs, max_size=most), st.lists(known, min_size=1, max_size=1)).map(
        dict
    )


def tree_of(of: type[Settings], values: dict[str, Any]) -> dict[str, Any]:
    """Nested values from flat ones; unknown names stay at the top."""
    paths = {k.name: k.path for k in knobs(of)}
    tree: dict[str, Any] = {}
    for name, value in values.items():
        *groups, leaf = paths.get(name, (name,))
        branch = tree
        for group in groups:
            if not isinstance(branch.get(group), dict):
                branch[group] = {}
            branch = branch[group]
        branch[leaf] = value
    return tree


CASES = st.sampled_from(CLASSES).flatmap(
    lambda of: st.builds(Case, st.just(of), st.sampled_from(WAYS), flat_values(of))
)


def try_case(case: Case) -> str:
    """Make the settings; those that are accepted hold each value that was given, and go round."""
    ended = attempt(lambda: _made(case))
    if ended.refusal is not None:
        return "refused"
    settings = ended.value
    check_values(case.of, case.values, settings)
    again = attempt(
        lambda: [
            case.of.from_flat(settings.flat()),
            case.of(**settings.tree()),
            case.of(**settings.tree(changed_only=True)),
        ]
    )
    for other in again.value or ():
        require(other == settings, "round trip", settings, other)
    require(again.refusal is None, "round trip refused", settings, again.refusal)
    return "accepted"


def check_values(of: type[Settings], values: dict[str, Any], settings: Settings) -> None:
    """Raise Silent for a value that was given and is not in the settings."""
    by_name = {k.name: k for k in knobs(of)}
    for name, given in values.items():
        if name in by_name:
            got = reach(settings, by_name[name].path)
            require(
                same(given, got),
                f"{by_name[name].kind} setting",
                name,
                given,
                got,
            )
        else:
            got = getattr(settings, name, None) if isinstance(name, str) else None
            is_group = isinstance(got, Settings) and isinstance(given, (dict, Settings))
            require(is_group, "unknown setting", name, given)


def _made(case: Case) -> Settings:
    if case.way == "construct":
        return case.of(**tree_of(case.of, case.values))
    if case.way == "flat":
        return case.of.from_flat(case.values)
    return case.of().replace(**case.values)
