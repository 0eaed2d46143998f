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
    check: Callable[[], None] = lambda: None,
) -> Any:
    """The choice of this name for these parts: the kept one, else the result of `measure()`.

    `parts` are all that the choice depends on besides the machine and its versions, as
    `fingerprint` takes them; weights should not be among them, as they do not change a time.
    `measure` gives plain values, as JSON holds them, and is called while no other run times
    anything. `check` is called while waiting for that.
    """
    key = f"{name} {fingerprint(*parts)}"
    files = [Cache.at(path) for path in _files()]
    kept = next((value for file in files if (value := file.get(key)) is not None), None)
    if kept is None:
        with timing_turn(check):
            kept = measure()
    for file in files:
        if file.get(key) is None:
            with suppress(OSError):  # a cache that cannot be written is not needed for the result
                file.put(key, kept)
    return kept


def choices_in(path: Path) -> dict[str, Any]:
    """All choices in a file, by name and key."""
    return Cache.at(path).results()


def put_choices(path: Path, choices: Mapping[str, Any]) -> None:
    """Add choices to a file, except those of keys that it has."""
    file = Cache.at(path)
    for key, value in choices.items():
        if file.get(key) is None:
            file.put(key, value)


def _files() -> list[Path]:
    of_run = os.environ.get(VARIABLE)
    return [*([Path(of_run)] if of_run else []), machine_file("choices")]
