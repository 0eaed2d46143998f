"""References to Python objects as text: `package.module:name`.

Command lines and kept files name a user's code in this way.
"""

from __future__ import annotations

import importlib
import os
import sys
from typing import Any

from workbench.errors import UnknownName, sentence_of

__all__ = ["name_of", "resolve"]


def name_of(function: Any, of_lambda: str) -> str:
    """The name of a function, or of the class of a callable object; `of_lambda` for a lambda."""
    name = getattr(function, "__name__", type(function).__name__)
    return of_lambda if name == "<lambda>" else name


def resolve(reference: str) -> Any:
    """The object of a reference `package.module:name`.

    Modules in the working folder can be imported too. Raises UnknownName for a text of another
    form, a module that cannot be imported, and a name that the module does not have.
    """
    module_name, _, path = reference.partition(":")
    if not path or not module_name or module_name.startswith("."):
        raise UnknownName(f"`{reference}` is not a reference: write it as package.module:name.")
    if os.getcwd() not in sys.path:
        sys.path.insert(0, os.getcwd())
    try:
        target: Any = importlib.import_module(module_name)
        for name in path.split("."):
            target = getattr(target, name)
    except (ImportError, AttributeError) as error:
        raise UnknownName(
            f"`{reference}` cannot be imported from {os.getcwd()}: {error}."
        ) from error
    except (Exception, SystemExit) as error:  # the module's own code
        raise UnknownName(
            f"`{reference}` cannot be imported: its module raised {type(error).__name__}: "
            f"{sentence_of(error)}"
        ) from error
    return target
