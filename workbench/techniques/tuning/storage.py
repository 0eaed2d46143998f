"""The storage of a study: a journal file by default, or a database by its URL."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

from workbench.errors import MissingExtra, SettingsError, sentence_of
from workbench.settings.spaces import Space
from workbench.techniques.tuning.settings import TuningSettings

__all__ = ["Study", "journal_path", "open_study"]

Study = Any  # optuna.Study: a study of Optuna, which is imported when it is needed
USUAL_NAME = "tuning"
SECONDS = 60.0  # that a process waits for the file while others write


class _FileLock:
    """The lock of a journal: the system frees it when a process dies, whatever it was doing."""

    def __init__(self, path: Path) -> None:
        from filelock import FileLock

        self._lock = FileLock(f"{path}.lock", timeout=SECONDS)

    def acquire(self) -> bool:
        self._lock.acquire()
        return True

    def release(self) -> None:
        self._lock.release()


def journal_path(settings: TuningSettings, folder: Path, cache: Path) -> Path:
    """The journal of a study: beside the runs if it has a name, else in the step's own folder."""
    return cache / "studies" / f"{settings.study}.log" if settings.study else folder / "study.log"


def open_study(
    settings: TuningSettings,
    folder: Path,
    cache: Path,
    *,
    space: Space,
    about: dict[str, Any],
    directions: list[str],
) -> Study:
    """The study of these settings, made if there is none yet.

    `about` tells what its scores depend on. Raises SettingsError for a study of this name with
    another space or other scores, and for a storage that cannot be reached.
    """
    import optuna

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    logging.getLogger("optuna").setLevel(logging.WARNING)
    storage = _storage(settings.storage, journal_path(settings, folder, cache))
    try:
        study = optuna.create_study(
            study_name=settings.study or USUAL_NAME,
            storage=storage,
            directions=directions,
            load_if_exists=True,
        )
        known = study.user_attrs
    except SettingsError:
        raise
    except Exception as error:  # of the database, or of its driver
        raise SettingsError(
            f"The storage `{settings.storage}` cannot be used: {sentence_of(error)}"
        ) from error
    described = {"space": space.to_yaml(), **about}
    if "space" not in known:
        for key, value in described.items():
            study.set_user_attr(key, value)
        return study
    _refuse_other(settings.study or USUAL_NAME, known, described, directions, study)
    return study


def _refuse_other(
    name: str, known: dict[str, Any], ours: dict[str, Any], directions: list[str], study: Study
) -> None:
    """Raise SettingsError for a study that was made for another search."""
    way_out = "Give another name with `study`, or the same settings as before."
    if known["space"] != ours["space"]:
        before = " ".join(str(known["space"]).split("\n")).strip()
        raise SettingsError(f"The study `{name}` exists with another space: {before}. {way_out}")
    differing = [key for key, value in ours.items() if known.get(key) != value]
    if [d.name.lower() for d in study.directions] != directions:
        differing.append("objectives")
    if differing:
        told = ", ".join(f"{key} {known.get(key)} (now {ours.get(key)})" for key in differing)
        raise SettingsError(f"The study `{name}` exists with {told}. {way_out}")


def _storage(url: str, journal: Path) -> Any:
    from optuna.storages import JournalStorage
    from optuna.storages.journal import JournalFileBackend

    if not url:
        journal.parent.mkdir(parents=True, exist_ok=True)
        return JournalStorage(JournalFileBackend(str(journal), lock_obj=_FileLock(journal)))
    if not url.startswith("grpc://"):
        return url
    host, _, port = url.removeprefix("grpc://").partition(":")
    try:
        from optuna.storages import GrpcStorageProxy
    except ImportError as error:
        raise MissingExtra(_NO_GRPC) from error
    try:
        return GrpcStorageProxy(host=host or "localhost", port=int(port or 13000))
    except ValueError:
        raise SettingsError(f"`storage` must be like grpc://HOST:PORT, got `{url}`.") from None
    except ImportError as error:
        raise MissingExtra(_NO_GRPC) from error


_NO_GRPC = (
    "A proxy of trials needs grpcio: pip install 'model-optimization-workbench[cluster]', or leave "
    "`storage` empty."
)
