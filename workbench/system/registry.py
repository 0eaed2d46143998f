"""Registry: things by name, from this package and from entry points of other packages."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable, Iterator, Mapping
from functools import cached_property
from importlib.metadata import entry_points
from importlib.util import find_spec
from typing import Any, Generic, TypeVar

from workbench.errors import RegistryError, UnknownName, unknown

__all__ = ["Registry", "modules_in"]

T = TypeVar("T")


def modules_in(package: str, *, ending: str = "") -> dict[str, str]:
    """Names of the modules in a folder of this package, with import paths; none is imported.

    `ending` takes only modules with that ending, and leaves it out of the name. A name that begins
    with `_` is no entry.
    """
    home = find_spec(package)
    names = [m.name for m in pkgutil.iter_modules(home.submodule_search_locations)] if home else []
    chosen = [n for n in names if n.endswith(ending) and not n.startswith("_")]
    return {n.removesuffix(ending): f"{package}.{n}" for n in chosen}


class Registry(Generic[T]):
    """Things of one kind by name; other packages register theirs in the entry point group `group`.

    `built_in` gives those of this package: a name with the thing itself, or with the `module` or
    `module:attribute` that declares it. A module without an attribute declares the instance of
    `kind` that has this `name`.
    """

    def __init__(
        self,
        group: str,
        noun: str,
        kind: Callable[[], type[T]],
        built_in: Callable[[], Mapping[str, Any]],
        *,
        hint: str = "",
    ) -> None:
        self.group, self.noun, self.hint = group, noun, hint
        self._kind, self._built_in = kind, built_in
        self._loaded: dict[str, T] = {}

    def refresh(self) -> None:
        """Look for registrations again, after a package was installed or removed."""
        self._loaded.clear()
        self.__dict__.pop("_places", None)

    @cached_property
    def _places(self) -> dict[str, list[Any]]:
        """All things or locations registered under each name; more than one if packages clash."""
        places: dict[str, list[Any]] = {name: [place] for name, place in self._built_in().items()}
        for entry in entry_points(group=self.group):
            same = places.setdefault(entry.name, [])
            if entry.value not in same:
                same.append(entry.value)
        return places

    def names(self) -> tuple[str, ...]:
        """All names in alphabetical order; nothing is imported for it."""
        return tuple(sorted(self._places))

    def __iter__(self) -> Iterator[str]:
        return iter(self.names())

    def __contains__(self, name: object) -> bool:
        return name in self._places

    def get(self, name: str) -> T:
        """The thing of this name.

        Raises UnknownName that lists all names, RegistryError when the thing cannot be imported, is
        of another kind, or two packages register the same name.
        """
        if isinstance(name, str) and name in self._loaded:
            return self._loaded[name]
        if not isinstance(name, str) or name not in self._places:
            raise UnknownName(unknown(self.noun, name, self.names()) + self.hint)
        places = self._places[name]
        if len(places) > 1:
            raise RegistryError(
                f"Two packages register the {self.noun} `{name}`: "
                f"{' and '.join(map(str, places))}. Uninstall one of them."
            )
        self._loaded[name] = self._load(name, places[0])
        return self._loaded[name]

    def all(self) -> dict[str, T]:
        """Every thing by its name, in alphabetical order; raises RegistryError as `get` does."""
        return {name: self.get(name) for name in self.names()}

    def _load(self, name: str, place: Any) -> T:
        kind = self._kind()
        if not isinstance(place, str):
            return place
        module_name, _, attribute = place.partition(":")
        try:
            module = importlib.import_module(module_name)
        except ImportError as error:
            raise RegistryError(
                f"The {self.noun} `{name}` is registered as `{place}`, which cannot be imported: "
                f"{error}."
            ) from error
        values = [getattr(module, attribute, None)] if attribute else list(vars(module).values())
        declared = [
            v
            for v in values
            if isinstance(v, kind) and (attribute or getattr(v, "name", None) == name)
        ]
        if not declared:
            raise RegistryError(
                f"`{place}` declares no {self.noun} `{name}`: it must hold a {kind.__name__} of "
                "this name."
            )
        return declared[0]
