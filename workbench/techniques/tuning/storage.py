"""The storage of a study: a journal file by default, or a database by its URL."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

from workbench.errors import MissingExtra, SettingsError, sentence_of
from workbench.settings.spaces import Space
from workbench.system.texts import read_yaml
from workbench.techniques.tuning.quiet import quiet
from workbench.techniques.tuning.settings import TuningSettings

__all__ = ["Study", "journal_path", "open_study"]

Study = Any  # optuna.Study: a study of Optuna, which is imported when it is needed
USUAL_NAME = "tuning"


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
    directions: Any,
) -> Study:
    """The study of these settings, made if there is none yet.

    `about` tells what its scores depend on. Raises SettingsError for a study of this name with
    another space or other scores, and for a storage that cannot be reached.
    """
    import optuna

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    storage = _storage(settings.storage, journal_path(settings, folder, cache))
    try:
        study = optuna.create_study(
            study_name=settings.study or USUAL_NAME,
            storage=storage,
            directions=directions,
            load_if_exists=True,
        )
        known = study.user_attrs
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
        before = _on_one_line(str(known["space"]))
        raise SettingsError(f"The study `{name}` exists with another space: {before}. {way_out}")
    differing = [key for key, value in ours.items() if known.get(key) != value]
    if [d.name.lower() for d in study.directions] != directions:
        differing.append("objectives")
    if differing:
        told = ", ".join(f"{key} {known.get(key)} (now {ours.get(key)})" for key in differing)
        raise SettingsError(f"The study `{name}` exists with {told}. {way_out}")


def _on_one_line(text: str) -> str:
    """YAML text on one line, as `{name: {low: 1, high: 5}}`."""
    import yaml

    data = read_yaml(text)
    flow = yaml.safe_dump(data, default_flow_style=True, sort_keys=False, width=math.inf)
    return str(flow).strip()


def _storage(url: str, journal: Path) -> Any:
    if not url:
        from optuna.storages import JournalStorage

        from workbench.techniques.tuning.journal import Journal

        backend: Any = Journal(journal)
        return JournalStorage(backend)
    if not url.startswith("grpc://"):
        return url
    host, _, port = url.removeprefix("grpc://").partition(":")
    if not host or not port.isdigit():
        raise SettingsError(f"`storage` must be like grpc://HOST:PORT, got `{url}`.")
    try:
        from optuna.storages import GrpcStorageProxy

        with quiet():
            return GrpcStorageProxy(host=host, port=int(port))
    except ImportError as error:
        raise MissingExtra("A proxy of trials (grpc)", "cluster") from error
