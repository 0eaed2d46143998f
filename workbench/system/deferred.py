"""An import of other libraries that is put off until it is used.

Plotly's figures, papermill, nbconvert and JupyterLab import nbformat, which imports jsonschema,
which imports `rfc3987_syntax` where it is installed. That package builds its parser when it is
imported: 1.3 of the 1.5 s that `import nbformat` took (jsonschema 4.26, rfc3987_syntax 1.1), for a
check of addresses that no notebook needs.
"""

from __future__ import annotations

import importlib
import importlib.util
import sys
from types import ModuleType
from typing import Any

__all__ = ["defer_address_parser"]

NAME = "rfc3987_syntax"


class _Deferred(ModuleType):
    """A module that imports the real one in its place when something of it is used."""

    def is_valid_syntax(self, term: str, value: str) -> Any:
        """The function that jsonschema takes from the module when it is imported itself."""
        return _real().is_valid_syntax(term, value)

    def __getattr__(self, name: str) -> Any:
        return getattr(_real(), name)


def defer_address_parser() -> None:
    """Let `rfc3987_syntax` be imported when it is first used; nothing if it is not there."""
    spec = None if NAME in sys.modules else importlib.util.find_spec(NAME)
    if spec is None:
        return
    module = _Deferred(NAME)
    module.__spec__ = spec
    module.__file__ = spec.origin
    module.__path__ = list(spec.submodule_search_locations or [])
    sys.modules[NAME] = module


def _real() -> ModuleType:
    if isinstance(sys.modules.get(NAME), _Deferred):
        del sys.modules[NAME]
    return importlib.import_module(NAME)
