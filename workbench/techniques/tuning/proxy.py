"""A proxy of trials for workers of many machines, in front of a database.

    python -m workbench.techniques.tuning.proxy sqlite:///trials.db --port 13000

It listens on this machine only; workers of other machines reach it through a tunnel, such as
`ssh -L 13000:localhost:13000 HOST`, as the protocol has neither passwords nor encryption. Each
worker then runs `workbench tuning worker --storage grpc://localhost:13000 --study NAME`.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence

from workbench.errors import MissingExtra, SettingsError, sentence_of
from workbench.techniques.tuning.quiet import quiet

__all__ = ["main"]

HOST = "localhost"


def main(arguments: Sequence[str] | None = None) -> None:
    """Serve until the process is ended.

    Raises MissingExtra without grpcio, SettingsError for a database that cannot be opened.
    """
    parser = argparse.ArgumentParser(description="Proxy of trials in front of a database.")
    parser.add_argument("storage", help="URL of the database, such as sqlite:///trials.db")
    parser.add_argument("--port", type=int, default=13000, help="port on this machine")
    given = parser.parse_args(arguments)
    try:
        import grpc  # noqa: F401
        from optuna.storages import RDBStorage, run_grpc_proxy_server
    except ImportError as error:
        raise MissingExtra("The proxy of trials", "cluster") from error
    try:
        storage = RDBStorage(given.storage)
    except Exception as error:  # of the database, or of its driver
        raise SettingsError(
            f"The database `{given.storage}` cannot be opened: {sentence_of(error)}"
        ) from error
    with quiet():
        run_grpc_proxy_server(storage, host=HOST, port=given.port)


if __name__ == "__main__":
    main()
