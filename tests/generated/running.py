"""Running the cases of a kind: as a test that stops at a fault, or to the end, counting."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from hypothesis import HealthCheck, Phase, find, given, seed, settings
from hypothesis.errors import HypothesisException

from tests.generated.checker import Foreign
from tests.generated.kinds import Kind

__all__ = ["Count", "count", "options", "prove", "shown"]

SHRINKING = 400  # further cases for a smaller example of one fault


@dataclass
class Count:
    """How the cases of a kind ended, and an example of each kind of fault."""

    status: Counter[str] = field(default_factory=Counter)
    faults: dict[str, tuple[int, str, Any]] = field(default_factory=dict)

    def add(self, fault: Foreign, case: Any) -> None:
        n, text, example = self.faults.get(fault.kind, (0, str(fault), case))
        if len(shown(case)) < len(shown(example)):
            text, example = str(fault), case
        self.faults[fault.kind] = n + 1, text, example


def options(n_cases: int, **more: Any) -> settings:
    """Settings of hypothesis that all kinds share."""
    return settings(
        max_examples=n_cases,
        deadline=None,
        database=None,
        suppress_health_check=list(HealthCheck),
        **more,
    )


def prove(kind: Kind, n_cases: int) -> None:
    """Try the same cases every time; the smallest case of a fault is raised."""

    @options(n_cases, derandomize=True, phases=(Phase.generate, Phase.shrink))
    @given(kind.cases)
    def holds(case: Any) -> None:
        kind.try_case(case)

    holds()


def count(kind: Kind, n_cases: int, number: int, *, smaller: bool = False) -> Count:
    """Try `n_cases` of a seed to the end; `smaller` looks for a small example of each fault."""
    counted = Count()

    @seed(number)
    @options(n_cases, phases=(Phase.generate,))
    @given(kind.cases)
    def run(case: Any) -> None:
        try:
            counted.status[kind.try_case(case)] += 1
        except Foreign as fault:
            counted.status["foreign"] += 1
            counted.add(fault, case)
        except Exception as error:  # of the generator itself
            counted.status["foreign"] += 1
            counted.add(Foreign(f"generator: {type(error).__name__}", str(error)), case)

    run()
    for name, (n, text, example) in counted.faults.items() if smaller else ():
        small = _smaller(kind, name, number)
        if small is not None and len(shown(small)) < len(shown(example)):
            counted.faults[name] = n, text, small
    return counted


def _smaller(kind: Kind, fault: str, number: int) -> Any:
    """A small case of a fault; None where none is found soon."""
    try:
        return find(
            kind.cases,
            _has(kind, fault),
            settings=options(SHRINKING),
            random=random.Random(number),
        )
    except HypothesisException:
        return None


def _has(kind: Kind, name: str) -> Callable[[Any], bool]:
    def has(case: Any) -> bool:
        try:
            kind.try_case(case)
        except Foreign as fault:
            return fault.kind == name
        return False

    return has


def shown(case: Any) -> str:
    """The text of a case; one that holds too many levels has none."""
    try:
        return repr(case)
    except RecursionError:
        return f"a {type(case).__name__} with a value of too many levels".ljust(10_000)
