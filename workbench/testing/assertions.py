"""Has pytest show the values of a failed `assert` in the contracts; imported before all of them.

pytest shows them only in modules that were named to it before they are imported.
"""

from __future__ import annotations

from workbench.errors import MissingExtra

try:
    import pytest
except ModuleNotFoundError as error:
    raise MissingExtra("`workbench.testing`", "test") from error

__all__ = ["REWRITTEN"]

REWRITTEN = tuple(
    f"workbench.testing.{name}"
    for name in (
        "contract",
        "faces",
        "forms",
        "metrics",
        "runtimes",
        "tasks",
        "technique_settings",
        "techniques",
    )
)
"""Modules of the contracts that hold an `assert`."""

pytest.register_assert_rewrite(*REWRITTEN)
