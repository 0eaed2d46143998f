"""References to Python objects as text, `package.module:name`: how a command line or a kept file
names a user's code.
"""

from __future__ import annotations

import importlib
import os
import sys
from typing import Any

from workbench.errors import UnknownName

__all__ = ["resolve"]


def resolve(reference: str) -> Any:
    """The object behind `package.module:name`; the working folder is searched too.

    Raises UnknownName when the module cannot be imported or has no such name.
    """
    module_name, _, path = reference.partition(":")
    if not path or not module_name or module_name.startswith("."):
        raise UnknownName(f"`{reference}` is no reference: write it as package.module:name.")
    if os.getcwd() not in sys.path:
        sys.path.insert(0, os.getcwd())
    try:
        found: Any = importlib.import_module(module_name)
        for part in path.split("."):
            found = getattr(found, part)
    except (ImportError, AttributeError) as error:
        raise UnknownName(
            f"`{reference}` cannot be imported from {os.getcwd()}: {error}."
        ) from error
    return found
