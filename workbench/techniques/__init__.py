"""All techniques by name: a module or folder here each, and those that other packages register."""

from __future__ import annotations

from typing import TYPE_CHECKING

from workbench.system.registry import Registry, modules_in

if TYPE_CHECKING:
    from workbench.technique import Technique

__all__ = ["TECHNIQUES", "get_technique", "technique_names"]


def _kind() -> type[Technique]:
    from workbench.technique import Technique

    return Technique


TECHNIQUES: Registry[Technique] = Registry(
    "workbench.techniques", "technique", _kind, lambda: modules_in("workbench.techniques")
)


def technique_names() -> tuple[str, ...]:
    """All techniques, the package's own and those of other packages, without importing any."""
    return TECHNIQUES.names()


def get_technique(name: str) -> Technique:
    """A technique by its name; raises UnknownName that lists them all."""
    return TECHNIQUES.get(name)
