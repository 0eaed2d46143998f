"""Choices that a clock makes, measured once: for a run, and for this machine.

What is fastest differs between machines, and a neighbour changes what a clock says. A choice that
was measured is therefore kept in two files of JSON lines and used again: in the file of the run,
whose path is in WORKBENCH_CHOICES, and in one of the machine and its versions, in the user's cache.
So a run that is resumed, or started again beside other work, makes the same choices. A run's
`recipe.resolved.yml` carries them to other machines.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from workbench.system.cache import Cache, fingerprint
from workbench.system.machine import machine_file
from workbench.system.turns import timing_turn

__all__ = ["VARIABLE", "choices_in", "choose_by_clock", "put_choices"]

VARIABLE = "WORKBENCH_CHOICES"


def choose_by_clock(
    name: str,
    *parts: Any,
    measure: Callable[[], Any],
    holds: Callable[[Any], bool] = lambda kept: True,
    check: Callable[[], None] = lambda: None,
) -> Any:
    """The choice of this name for these parts: the kept one, else the result of `measure()`.

    `parts` are all that the choice depends on besides the machine and its versions, as
    `fingerprint` takes them; weights should not be among them, as they do not change a time.
    `measure` gives plain values, as JSON holds them, and is called while no other run times
    anything. `check` is called while waiting for that. A kept choice for which `holds` is false is
    passed over.
    """
    key = f"{name} {fingerprint(*parts)}"
    files = [Cache.at(path) for path in _files()]
    kept = (value for file in files if (value := file.get(key)) is not None)
    choice = next((value for value in kept if holds(value)), None)
    if choice is None:
        with timing_turn(check):
            choice = measure()
    for file in files:
        with suppress(OSError):  # a cache that cannot be written is not needed for the result
            _add(file, key, choice)
    return choice


def choices_in(path: Path) -> dict[str, Any]:
    """All choices in a file, by name and key."""
    return Cache.at(path).results()


def put_choices(path: Path, choices: Mapping[str, Any]) -> None:
    """Add choices to a file, except those of keys that it has."""
    file = Cache.at(path)
    for key, value in choices.items():
        _add(file, key, value)


def _add(file: Cache, key: str, value: Any) -> None:
    if file.get(key) is None:
        file.put(key, value)


def _files() -> list[Path]:
    of_run = os.environ.get(VARIABLE)
    return [*([Path(of_run)] if of_run else []), machine_file("choices")]
