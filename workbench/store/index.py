"""Store, the list of runs and registered models: MLflow on an SQLite file or on a server.

The run folder is the truth; the store is an index that `rebuild` makes again from it. There is one
experiment a task, and in it one MLflow run a run. Its metrics are the columns of the ledger, over
the steps. Under it is one MLflow run a row of the ledger, so that rows of many runs can be compared
in one table. The last ONNX file is a version of the registered model TASK-START; the newest version
has the alias `challenger`.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from workbench.errors import RunError, StoreError
from workbench.store.client import SERVERS, file_of, open_store, shown_url, store_url
from workbench.store.entries import Entry, read_entry
from workbench.store.registry import EXISTS, IDENTITY, register

__all__ = ["Recorded", "rebuild", "record_run", "recorded", "shown_url", "store_url"]

EXPERIMENT = "workbench/"  # before the task's name: a server is shared with other work
DAMAGED = ("out-of-date database schema", "Can't locate revision", "not a database", "malformed")
MODEL_FILES = ("candidate.", "model.", "prepare.", "structure.", "load_network.")
BATCH = 100  # parameters that MLflow takes in one call


@dataclass(frozen=True)
class Recorded:
    """A run in the index; `rows` are the entries of its ledger's rows, in order."""

    run_id: str
    name: str
    status: str
    params: dict[str, str]
    metrics: dict[str, float]
    tags: dict[str, str]
    rows: tuple[Recorded, ...] = ()


def record_run(folder: Path, store: str = "") -> str | None:
    """Put a run into the index, in place of its older entry; returns the id of the MLflow run.

    It is None when no step of the run is done yet. Raises StoreError when the store cannot be
    reached or refuses, RunError when the folder cannot be read. The run folder is whole in both
    cases, and `rebuild` can record it later.
    """
    entry = read_entry(folder)
    if entry is None:
        return None
    url = store_url(store, folder.parent)
    with open_store(url) as client:
        return _record(client, entry, folder, url)


def rebuild(folders: Sequence[Path], store: str, root: Path) -> int:
    """Make the index again from run folders; returns the number of recorded runs.

    Runs whose folder is gone are removed from a database on this machine. A damaged database, or
    one of another version of MLflow, is renamed. Raises StoreError, at the end, when folders cannot
    be read.
    """
    url = store_url(store, root)
    _put_aside_if_damaged(url)
    n_recorded = 0
    problems = []
    for folder in folders:
        try:
            n_recorded += record_run(folder, url) is not None
        except RunError as error:
            problems.append(str(error))
    if url.startswith("sqlite"):
        with open_store(url) as client:
            for run in _runs(client):
                if not (_path(run.tags["workbench.folder"]) / "run.json").exists():
                    _forget(client, [run.run_id, *(r.run_id for r in run.rows)])
    if problems:
        raise StoreError(
            f"Recorded {n_recorded} runs; {len(problems)} cannot be read:\n"
            + "\n".join(f"  - {p}" for p in problems)
        )
    return n_recorded


def recorded(store: str, root: Path) -> list[Recorded]:
    """All runs in the index, the oldest first."""
    with open_store(store_url(store, root)) as client:
        return _runs(client)


def _put_aside_if_damaged(url: str) -> None:
    """Rename an SQLite file that MLflow cannot open; only its aliases are not in run folders."""
    if not url.startswith("sqlite"):
        return
    try:
        with open_store(url):
            pass
    except StoreError as error:
        if not any(sign in str(error) for sign in DAMAGED):
            raise
        file = file_of(url)
        free = next(
            p for n in range(1, 1000) if not (p := file.with_name(f"{file.name}.{n}.old")).exists()
        )
        os.replace(file, free)


def _record(client: Any, entry: Entry, folder: Path, url: str) -> str:
    """Write the new runs, then remove the old ones, so that a failure leaves one of both."""
    experiment = _experiment(client, f"{EXPERIMENT}{entry.task}", url)
    same = " and ".join(f"tags.`{k}` = '{entry.tags[k]}'" for k in IDENTITY)
    old = [r.info.run_id for r in client.search_runs([experiment], filter_string=same)]
    run_id = _write(client, experiment, entry)
    for row in entry.rows:
        _write(client, experiment, row, {"mlflow.parentRunId": run_id})
    if entry.model is not None:
        source = entry.model.folder.as_uri()
        if url.startswith(SERVERS):
            source = _send(client, run_id, folder, entry.model.folder)
        register(client, entry.model, run_id, source)
    _forget(client, old)
    return run_id


def _experiment(client: Any, name: str, url: str) -> str:
    """The id of the experiment; a missing one is created, perhaps by another process meanwhile."""
    from mlflow.exceptions import MlflowException

    experiment = client.get_experiment_by_name(name)
    if experiment is None:
        place = (file_of(url).parent / "artifacts").as_uri() if url.startswith("sqlite") else None
        try:
            return client.create_experiment(name, artifact_location=place)
        except MlflowException as error:
            if error.error_code != EXISTS:
                raise
            experiment = client.get_experiment_by_name(name)
    if experiment.lifecycle_stage == "deleted":
        client.restore_experiment(experiment.experiment_id)
    return experiment.experiment_id


def _write(client: Any, experiment: str, entry: Entry, tags: dict[str, str] | None = None) -> str:
    from mlflow.entities import Metric, Param

    run = client.create_run(
        experiment,
        start_time=entry.start_ms,
        tags={**entry.tags, **(tags or {})},
        run_name=entry.name,
    )
    metrics = [Metric(p.key, p.value, entry.end_ms, p.step) for p in entry.points]
    params = [Param(k, v) for k, v in entry.params.items()]
    for n in range(0, max(len(metrics), len(params)), BATCH):
        client.log_batch(
            run.info.run_id, metrics=metrics[n : n + BATCH], params=params[n : n + BATCH]
        )
    client.set_terminated(run.info.run_id, entry.status, entry.end_ms)
    return run.info.run_id


def _send(client: Any, run_id: str, folder: Path, step: Path) -> str:
    """Upload the small files and the model; returns the URI of the model.

    A server accepts no model that is stored elsewhere.
    """
    for name in ("recipe.yml", "ledger.json", "final.json"):
        if (folder / name).exists():
            client.log_artifact(run_id, str(folder / name))
    for file in sorted(step.iterdir()):
        if file.name.startswith(MODEL_FILES):
            client.log_artifact(run_id, str(file), "model")
    return f"{client.get_run(run_id).info.artifact_uri}/model"


def _forget(client: Any, run_ids: Sequence[str]) -> None:
    """Remove runs, and their model versions."""
    for run_id in run_ids:
        for version in client.search_model_versions(f"run_id = '{run_id}'"):
            client.delete_model_version(version.name, version.version)
        client.delete_run(run_id)


def _runs(client: Any) -> list[Recorded]:
    ids = [e.experiment_id for e in client.search_experiments() if e.name.startswith(EXPERIMENT)]
    runs: list[Any] = []
    token = None
    while ids:
        page = client.search_runs(
            ids, max_results=1000, order_by=["attributes.start_time ASC"], page_token=token
        )
        runs += page
        token = page.token
        if not token:
            break
    rows: dict[str, list[Recorded]] = {}
    for run in runs:
        if "mlflow.parentRunId" in run.data.tags:
            rows.setdefault(run.data.tags["mlflow.parentRunId"], []).append(_recorded(run))
    for children in rows.values():
        children.sort(key=lambda r: int(r.params["row"]))
    return [
        _recorded(r, rows.get(r.info.run_id, ()))
        for r in runs
        if r.data.tags.get("workbench.kind") == "run"
    ]


def _recorded(run: Any, rows: Sequence[Recorded] = ()) -> Recorded:
    data, info = run.data, run.info
    return Recorded(
        info.run_id,
        info.run_name,
        info.status,
        dict(data.params),
        dict(data.metrics),
        dict(data.tags),
        tuple(rows),
    )


def _path(uri: str) -> Path:
    from urllib.parse import urlparse
    from urllib.request import url2pathname

    return Path(url2pathname(urlparse(uri).path))
