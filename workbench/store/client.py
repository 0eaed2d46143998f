"""The place of the store, and its client: MLflow on an SQLite file, or on a server."""

from __future__ import annotations

import logging
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from workbench.errors import StoreError, WorkbenchError
from workbench.system.mounts import network_mount

__all__ = ["SERVERS", "file_of", "open_store", "shown_url", "store_url"]

DATABASES = ("sqlite", "postgresql", "mysql", "mssql")
SERVERS = ("http", "https")
LOCK_SECONDS = 300
LONGEST = 240  # characters of MLflow's own message in our errors
ENVIRONMENT = {
    # An open connection would outlive a database that was deleted or moved.
    "MLFLOW_SQLALCHEMYSTORE_POOLCLASS": "NullPool",
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "2",  # the default tries for four minutes
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "30",
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
}


def store_url(store: str, root: Path, *, mounts: str | None = None) -> str:
    """The URL of the store: `store`, or an SQLite file in the runs folder when it is empty.

    Raises StoreError for a path or an unknown kind of URL, and for SQLite on a network file system.
    `mounts` replaces the text of /proc/mounts.
    """
    if not store:
        if "?" in str(root):
            raise StoreError(
                f"The database cannot lie in {root}: its path holds a `?`. Set WORKBENCH_RUNS to "
                "another folder."
            )
        store = f"sqlite:///{root.resolve().as_posix()}/store.db"
    scheme, separator, _ = store.partition("://")
    kind = scheme.partition("+")[0]
    if not separator or kind not in (*DATABASES, *SERVERS):
        example = "sqlite:///runs/store.db" if separator else f"sqlite:///{store}"
        raise StoreError(
            "`store` must be the URL of a server or a database, such as http://localhost:5000 or "
            f"{example}; got {store!r}."
        )
    if kind != "sqlite":
        return store
    file = file_of(store)
    if kind_of_mount := network_mount(file.parent, mounts):
        raise StoreError(
            f"{file} lies on a network file system ({kind_of_mount}), where SQLite's locks do not "
            "hold and a database is soon damaged. Track on a server (`--store http://...`), or "
            "set WORKBENCH_RUNS to a folder on a local disk."
        )
    return f"{scheme}:///{file.as_posix()}"


def shown_url(url: str) -> str:
    """The URL without its password, for prints and errors."""
    return re.sub(r"(//[^/:@]*):[^@/]*@", r"\1:***@", url)


@contextmanager
def open_store(url: str) -> Iterator[Any]:
    """A client of the store; a missing database is created. All errors become StoreError.

    A file lock is held for an SQLite database: two processes that create one at the same time crash
    in its migrations, and writers that take turns never find it busy.
    """
    from filelock import FileLock

    lock = None
    try:
        if url.startswith("sqlite"):
            file = file_of(url)
            file.parent.mkdir(parents=True, exist_ok=True)
            lock = FileLock(f"{file}.lock", timeout=LOCK_SECONDS)
            lock.acquire()
        with _quiet_mlflow() as mlflow:
            if lock:
                _create(url, file)
            yield mlflow.MlflowClient(tracking_uri=url, registry_uri=url)
    except WorkbenchError:
        raise
    except Exception as error:
        first = shown_url(str(error).strip().split("\n")[0])[:LONGEST].rstrip(". ")
        raise StoreError(
            f"The store {shown_url(url)} could not be used: {type(error).__name__}: {first}. Run "
            "folders are whole: repair the store, or name another with `--store`, then record the "
            "runs with `workbench store rebuild`."
        ) from error
    finally:
        if lock:
            lock.release()


@contextmanager
def _quiet_mlflow() -> Iterator[Any]:
    """MLflow without its telemetry, and with only errors in its log while it is used."""
    os.environ.update(MLFLOW_DISABLE_TELEMETRY="true", DO_NOT_TRACK="true")
    for name, value in ENVIRONMENT.items():
        os.environ.setdefault(name, value)
    import mlflow.tracking

    loggers = [logging.getLogger(name) for name in ("mlflow", "alembic", "sqlalchemy")]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.ERROR)
    try:
        yield mlflow.tracking
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)


def _create(url: str, file: Path) -> None:
    """Create a missing database in a temporary file, then move it to its place.

    So a killed process leaves no unfinished database. The client alone does not create a database
    again if it has seen a file of this name that was deleted.
    """
    from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore

    artifacts = (file.parent / "artifacts").as_uri()
    if not file.exists():
        part = file.with_name(f".{file.name}.part")
        part.unlink(missing_ok=True)
        with _unsynchronized():
            SqlAlchemyStore(f"sqlite:///{part.as_posix()}", artifacts)
        os.replace(part, file)
    SqlAlchemyStore(url, artifacts)


@contextmanager
def _unsynchronized() -> Iterator[None]:
    """Let SQLite not wait for the disk, for the hundreds of writes that create a new file."""
    from sqlalchemy import event
    from sqlalchemy.engine import Engine

    def switch_off(connection: Any, _: Any) -> None:
        connection.execute("PRAGMA synchronous = OFF").close()

    event.listen(Engine, "connect", switch_off)
    try:
        yield
    finally:
        event.remove(Engine, "connect", switch_off)


def file_of(url: str) -> Path:
    """The file of an SQLite URL; raises StoreError for a database in memory, which is not kept."""
    match = re.match(r"sqlite(?:\+\w+)?:///([^?]+)", url)
    if not match or match[1] == ":memory:":
        raise StoreError(
            f"`store` names no file: {url!r}. Write sqlite:///runs/store.db, or leave it empty."
        )
    return Path(match[1]).expanduser().resolve()
