"""Models of runs as versions in the registry, with their aliases."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from workbench.errors import StoreError
from workbench.store.client import open_store, shown_url, store_url
from workbench.store.entries import Model

__all__ = ["EXISTS", "IDENTITY", "model_folder", "register"]


CHALLENGER = "challenger"
IDENTITY = ("workbench.run", "workbench.created")  # tags that tell one run from all others
EXISTS = "RESOURCE_ALREADY_EXISTS"


def register(client: Any, model: Model, run_id: str, source: str) -> None:
    """Add a version of the registered model, which takes the aliases of the run's older version."""
    from mlflow.exceptions import MlflowException

    try:
        client.create_registered_model(
            model.name, tags={"workbench.task": model.tags["workbench.task"]}
        )
    except MlflowException as error:
        if error.error_code != EXISTS:
            raise
    new = client.create_model_version(
        model.name,
        source,
        run_id,
        tags=model.tags,
        description=model.description,
        await_creation_for=0,
    )
    versions = [
        v
        for v in client.search_model_versions(f"name = '{model.name}'")
        if v.version != new.version
    ]
    aliases = {
        alias: str(v) for alias, v in client.get_registered_model(model.name).aliases.items()
    }
    for old in versions:
        if all(old.tags.get(k) == model.tags[k] for k in IDENTITY):
            client.delete_model_version(model.name, old.version)
            for alias in (a for a, v in aliases.items() if v == str(old.version)):
                client.set_registered_model_alias(model.name, alias, new.version)
    created = max((float(v.tags.get(IDENTITY[1], 0)) for v in versions), default=0.0)
    if float(model.tags[IDENTITY[1]]) >= created:
        client.set_registered_model_alias(model.name, CHALLENGER, new.version)


def model_folder(reference: str, store: str, root: Path) -> Path:
    """The folder of a registered model, `models:/NAME@ALIAS` or `models:/NAME/VERSION`.

    On a server the files are fetched into the folder of runs. Raises StoreError when the store has
    no such model.
    """
    from mlflow.exceptions import MlflowException

    url = store_url(store, root)
    name, alias, version = _parsed(reference)
    with open_store(url) as client:
        try:
            if alias:
                stored = client.get_model_version_by_alias(name, alias)
            else:
                stored = client.get_model_version(name, version)
        except MlflowException as error:
            models = sorted(m.name for m in client.search_registered_models())
            raise StoreError(
                f"The store {shown_url(url)} has no model `{reference}` ({error.error_code}). "
                f"Models: {', '.join(models) or 'none'}."
            ) from error
        if stored.source.startswith("file:") or Path(stored.source).exists():
            return _local(stored.source)
        target = root / "models" / f"{name}-{stored.version}"
        if not (target / "candidate.json").exists():
            target.mkdir(parents=True, exist_ok=True)
            client.download_artifacts(stored.run_id, "model", str(target))
        inner = target / "model"
        return inner if (inner / "candidate.json").exists() else target


def _parsed(reference: str) -> tuple[str, str, str]:
    """Name, alias and version of `models:/NAME@ALIAS` or `models:/NAME/VERSION`."""
    path = reference.removeprefix("models:/").strip("/")
    name, _, alias = path.partition("@")
    if alias:
        return name, alias, ""
    name, _, version = path.rpartition("/")
    if not name or not version:
        raise StoreError(
            f"`{reference}` names no model: write models:/NAME@ALIAS or models:/NAME/VERSION."
        )
    return name, "", version


def _local(source: str) -> Path:
    from urllib.parse import urlparse
    from urllib.request import url2pathname

    return Path(url2pathname(urlparse(source).path) if source.startswith("file:") else source)
