"""Models of runs as versions in the registry, with their aliases."""

from __future__ import annotations

from typing import Any

from workbench.store.entries import Model

__all__ = ["EXISTS", "IDENTITY", "register"]


CHALLENGER = "challenger"
IDENTITY = ("workbench.run", "workbench.created")  # tags that tell one run from all others
EXISTS = "RESOURCE_ALREADY_EXISTS"


def register(client: Any, model: Model, run_id: str, source: str) -> None:
    """A new version of the registered model; it takes over the aliases of the version that the same
    run had.
    """
    from mlflow.exceptions import MlflowException

    try:
        client.create_registered_model(
            model.name, tags={"workbench.task": model.tags["workbench.task"]}
        )
    except MlflowException as error:
        if error.error_code != EXISTS:
            raise
    made = client.create_model_version(
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
        if v.version != made.version
    ]
    aliases = {
        alias: str(v) for alias, v in client.get_registered_model(model.name).aliases.items()
    }
    for old in versions:
        if all(old.tags.get(k) == model.tags[k] for k in IDENTITY):
            client.delete_model_version(model.name, old.version)
            for alias in (a for a, v in aliases.items() if v == str(old.version)):
                client.set_registered_model_alias(model.name, alias, made.version)
    created = max((float(v.tags.get(IDENTITY[1], 0)) for v in versions), default=0.0)
    if float(model.tags[IDENTITY[1]]) >= created:
        client.set_registered_model_alias(model.name, CHALLENGER, made.version)
