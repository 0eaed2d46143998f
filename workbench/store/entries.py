"""Entries of the index: names, parameters, numbers and tags, read from a run's folder alone."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from workbench.errors import RunError
from workbench.ledger.factors import is_busy, with_factors
from workbench.ledger.rows import Row, TestLine
from workbench.ledger.summary import summary
from workbench.ledger.tables import brief_cells, legend
from workbench.store.points import Point, points_of, points_of_test, valid_key
from workbench.system.files import read_json
from workbench.system.texts import read_text, read_yaml

__all__ = ["Entry", "Model", "read_entry"]

DEFAULTS = {"start": "", "seed": 0, "budget": "standard", "device": "auto", "steps": []}
STATUS = {"finished": "FINISHED", "failed": "FAILED", "cancelled": "KILLED", "killed": "KILLED"}
LONGEST = 500  # characters of a parameter: servers of older versions refuse more
LONGEST_TAG = 4000
MOST_KEYS = 32  # a mapping with more keys (a ratio a layer) stays one parameter


@dataclass(frozen=True)
class Entry:
    """A run, or one row of its ledger, in the index."""

    name: str
    status: str
    start_ms: int
    end_ms: int
    tags: dict[str, str]
    params: dict[str, str]
    points: tuple[Point, ...]
    rows: tuple[Entry, ...] = ()
    task: str = ""
    model: Model | None = None


@dataclass(frozen=True)
class Model:
    """The last model file of a run; `name` is that of the registered model."""

    name: str
    folder: Path
    tags: dict[str, str] = field(default_factory=dict)
    description: str = ""


def read_entry(folder: Path) -> Entry | None:
    """The entry of a run by its folder, or None before its first step is done.

    Raises RunError for a folder that is not one of a run, or whose files cannot be read.
    """
    try:
        steps = [
            (p, read_json(p / "step.json"))
            for p in sorted((folder / "steps").glob("*"))
            if (p / "step.json").exists()
        ]
        return _entry(folder, steps) if steps else None
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise RunError(
            f"{folder} cannot be read as a run: {type(error).__name__}: {error}"
        ) from error


def _entry(folder: Path, steps: list[tuple[Path, dict[str, Any]]]) -> Entry:
    about = read_json(folder / "run.json")
    text = read_text(folder / "recipe.yml")
    # Plain YAML, so that the techniques of the recipe need not be installed.
    recipe = {**DEFAULTS, **read_yaml(text)}
    accepted_drop = recipe.get("accepted_drop")
    final = folder / "final.json"
    test = TestLine.from_json(read_json(final)) if final.exists() else None
    of_steps = [step for _, step in steps for _ in step["rows"]]
    # with the factors and the milliseconds that the tables show
    rows = with_factors([Row.from_json(r) for _, step in steps for r in step["rows"]])
    labelled = list(zip(of_steps, rows, strict=True))
    created = float(about["created"])
    status = _status(folder)
    files = (*(place / "step.json" for place, _ in steps), final)
    changed = [p.stat().st_mtime for p in files if p.exists()]
    times = int(1000 * created), int(1000 * max(changed))
    tags = {
        # The name alone does not identify a run on a shared server: two machines may start runs
        # with one name in the same second.
        "workbench.run": about["name"],
        "workbench.created": repr(created),
        "workbench.task": recipe["task"],
        "workbench.budget": recipe["budget"],
        **_host(steps[-1][1].get("host", {})),
    }
    of_run = {
        **next((_decision_tags(row) for row in reversed(rows) if row.decision is not None), {}),
        "workbench.kind": "run",
        "workbench.folder": folder.resolve().as_uri(),
        "workbench.recipe": text[:LONGEST_TAG],
        "mlflow.note.content": _note(folder, rows, test, accepted_drop)[:LONGEST_TAG],
    }
    task, start = recipe["task"], recipe["start"] or rows[0].candidate
    params = {"task": task, "start": start, **{k: recipe[k] for k in ("seed", "budget", "device")}}
    names = [s if isinstance(s, str) else next(iter(s)) for s in recipe["steps"]]
    points = [p for n, row in enumerate(rows) for p in points_of(row, n)]
    return Entry(
        about["name"],
        status,
        *times,
        tags={**tags, **of_run},
        params=_texts({**params, "steps": ", ".join(names), **_settings(steps)}),
        points=(*points, *(points_of_test(test, len(rows) - 1) if test else ())),
        rows=tuple(
            _row_entry(about["name"], step, row, n, tags, params, times)
            for n, (step, row) in enumerate(labelled)
        ),
        task=task,
        model=_model(steps, f"{task}-{start}", test, tags) if status == "FINISHED" else None,
    )


def _row_entry(
    run: str,
    step: Mapping[str, Any],
    row: Row,
    number: int,
    tags: dict[str, str],
    params: dict[str, Any],
    times: tuple[int, int],
) -> Entry:
    """A row as an entry of its own, so that rows of many runs can be compared in one table."""
    chosen = step.get("resolved") or step.get("settings") or {}
    decisions: dict[str, str] = {
        f"workbench.against_start.{valid_key(v.metric)}": v.decision for v in row.against_start
    }
    decisions |= _decision_tags(row)
    if is_busy(row):
        decisions["workbench.busy"] = "timed beside other work"
    return Entry(
        f"{row.step} of {run}",
        "FINISHED",
        *times,
        tags={
            **tags,
            **decisions,
            "workbench.kind": "row",
            "workbench.step": row.step,
            "workbench.runtime": row.runtime,
        },
        params=_texts(
            {
                **params,
                "technique": step["technique"],
                "row": number,
                "candidate": row.candidate,
                **_flat(chosen),
            }
        ),
        points=tuple(points_of(row, 0)),
    )


def _decision_tags(row: Row) -> dict[str, str]:
    """The decision of a step, as tags; empty for a step that made a model."""
    if row.decision is None:
        return {}
    tags = {"workbench.decision": row.decision.verdict, "workbench.reason": row.decision.reason}
    return {name: value[:LONGEST_TAG] for name, value in tags.items()}


def _settings(steps: list[tuple[Path, dict[str, Any]]]) -> dict[str, Any]:
    """Resolved settings of all steps, by `technique.setting`.

    A second step of the same technique is `technique-2`.
    """
    settings: dict[str, Any] = {}
    counts: Counter[str] = Counter()
    for _, step in steps:
        name = step["technique"]
        counts[name] += 1
        label = name if counts[name] == 1 else f"{name}-{counts[name]}"
        flat = _flat(step.get("resolved") or step.get("settings") or {})
        settings |= {f"{label}.{key}": value for key, value in flat.items()}
    return settings


def _flat(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Nested settings under one name (`fit_lr`), as on the command line and in notebooks."""
    flat: dict[str, Any] = {}
    for key, value in settings.items():
        if isinstance(value, dict) and 0 < len(value) <= MOST_KEYS:
            flat |= {f"{key}_{inner}": v for inner, v in value.items()}
        else:
            flat[key] = value
    return flat


def _texts(values: Mapping[str, Any]) -> dict[str, str]:
    texts = {
        valid_key(k): v if isinstance(v, str) else json.dumps(v, default=str)
        for k, v in values.items()
    }
    return {k: v if len(v) <= LONGEST else v[: LONGEST - 1] + "…" for k, v in texts.items()}


def _host(host: Mapping[str, Any]) -> dict[str, str]:
    tags = {
        f"workbench.host.{k}": str(host[k])
        for k in ("name", "processor", "n_cores", "memory_bytes", "system", "python")
        if k in host
    }
    tags["workbench.host.instructions"] = " ".join(host.get("instructions", ()))
    return tags | {f"workbench.version.{k}": str(v) for k, v in host.get("versions", {}).items()}


def _model(
    steps: list[tuple[Path, dict[str, Any]]], name: str, test: TestLine | None, tags: dict[str, str]
) -> Model | None:
    candidates = [place for place, _ in steps if (place / "candidate.json").exists()]
    if not candidates:
        return None
    folder = candidates[-1]
    kept = (
        "workbench.run",
        "workbench.created",
        "workbench.task",
        "workbench.budget",
        "workbench.host.name",
    )
    digests = read_json(folder / "candidate.json").get("sha256", {})
    digest = digests.get("model.onnx") or next(iter(digests.values()), "")
    about = {
        **{k: tags[k] for k in kept if k in tags},
        "workbench.step": folder.name,
        "workbench.sha256": digest,
    }
    name = re.sub(r"[^\w\-.]+", "-", name).strip("-")  # the registry accepts no : and /
    return Model(name, folder.resolve(), about, test.text if test else "Test was not opened.")


def _status(folder: Path) -> str:
    """The status of a run in MLflow's words.

    A run records itself before it is marked finished; all its steps are in ledger.json then.
    """
    path = folder / "state.json"
    state = read_json(path) if path.exists() else {}
    if state.get("status") in STATUS:
        return STATUS[state["status"]]
    if (folder / "ledger.json").exists():
        return "FINISHED"
    return "RUNNING" if _is_there(state.get("pid")) else "KILLED"


def _is_there(pid: int | None) -> bool:
    import psutil

    return pid is not None and psutil.pid_exists(pid)


def _note(folder: Path, rows: list[Row], test: TestLine | None, accepted_drop: float | None) -> str:
    """Text for the page of the run: its sentence, its table, its test result, and its folder."""
    heads, lines = brief_cells(rows)
    table = ["| " + " | ".join(line) + " |" for line in (heads, ["---"] * len(heads), *lines)]
    sentence = summary(rows, test, accepted_drop=accepted_drop)
    parts = [sentence, "\n".join(table), legend(rows), test.text if test else ""]
    return "\n\n".join([*filter(None, parts), f"Run folder: `{folder.resolve()}`"])
