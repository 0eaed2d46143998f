"""Where the store is, and opening it: an MLflow client on an SQLite file that is made safely, or on
a server.
"""

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
LONGEST = 240  # characters of MLflow's own message that are worth showing
ENVIRONMENT = {
    # an open connection would outlive a database that was deleted or moved
    "MLFLOW_SQLALCHEMYSTORE_POOLCLASS": "NullPool",
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "2",  # the default tries for four minutes
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "30",
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
}


def store_url(store: str, root: Path, *, mounts: str | None = None) -> str:
    """The URL of the store: SQLite in the runs folder when `store` is empty, else the one given.

    Raises StoreError for a path or an unknown kind of URL, and for SQLite on a network file system.
    `mounts` stands in for the text of /proc/mounts.
    """
    if not store:
        if "?" in str(root):
            raise StoreError(
                f"The database cannot lie in {root}: its path holds a `?`. Set WORKBENCH_RUNS to "
                "another folder."
            )
        store = f"sqlite:///{root.resolve().as_posix()}/store.db"
    scheme, found, _ = store.partition("://")
    kind = scheme.partition("+")[0]
    if not found or kind not in (*DATABASES, *SERVERS):
        way = f"sqlite:///{store}" if not found else "sqlite:///runs/store.db"
        raise StoreError(
            "`store` must be the URL of a server or a database, such as http://localhost:5000 or "
            f"{way}; got {store!r}."
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
    """A URL that may be printed: without its password."""
    return re.sub(r"(//[^/:@]*):[^@/]*@", r"\1:***@", url)


@contextmanager
def open_store(url: str) -> Iterator[Any]:
    """A client of the store, its database made if there is none; whatever goes wrong in it comes
    out as a StoreError.

    SQLite is held under a file lock all the while: two processes that create it at once crash in
    its migrations, and writers that take turns never see it busy.
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
            "folders are whole: mend the store, or name another by `--store`, then record with "
            "`workbench store rebuild`."
        ) from error
    finally:
        if lock:
            lock.release()


@contextmanager
def _quiet_mlflow() -> Iterator[Any]:
    """MLflow, with its telemetry off before it is imported, and its chatter off while it is used."""
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
    """Make the database where there is none: beside, then moved into place, so that a kill leaves
    no half of one.

    The client alone would not make it again when it knew a file of this name that was deleted.
    """
    from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore

    artifacts = (file.parent / "artifacts").as_uri()
    if not file.exists():
        part = file.with_name(f".{file.name}.part")
        part.unlink(missing_ok=True)
        with _hasty():
            SqlAlchemyStore(f"sqlite:///{part.as_posix()}", artifacts)
        os.replace(part, file)
    SqlAlchemyStore(url, artifacts)


@contextmanager
def _hasty() -> Iterator[None]:
    """SQLite that does not wait for the disk: the hundreds of writes of the migrations, in a file
    that nobody has yet.
    """
    from sqlalchemy import event
    from sqlalchemy.engine import Engine

    def hurry(connection: Any, _: Any) -> None:
        connection.execute("PRAGMA synchronous = OFF").close()

    event.listen(Engine, "connect", hurry)
    try:
        yield
    finally:
        event.remove(Engine, "connect", hurry)


def file_of(url: str) -> Path:
    """The file of an SQLite URL; raises StoreError for a database in memory, which nobody would
    find again.
    """
    found = re.match(r"sqlite(?:\+\w+)?:///([^?]+)", url)
    if not found or found[1] == ":memory:":
        raise StoreError(
            f"`store` names no file: {url!r}. Write sqlite:///runs/store.db, or leave it empty."
        )
    return Path(found[1]).expanduser().resolve()
