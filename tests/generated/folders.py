"""Folders of runs with a damaged, missing or foreign file, read as `attach` and the trail do."""

from __future__ import annotations

import json
import shutil
import tempfile
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from hypothesis import strategies as st

import workbench as wb
from tests.factories import make_row, make_run
from tests.generated.checker import attempt
from tests.generated.contents import (
    BASES,
    EDITS,
    JSON_EDITS,
    Content,
    bytes_of,
    damaged_json,
    edited,
)
from tests.generated.files import kept_folder
from workbench.runs.handle import find_run
from workbench.system.files import write_json, write_text

__all__ = ["CASES", "damaged_run", "try_case"]

STEP = "steps/01-pruning"
FILES = (
    "run.json", "state.json", "recipe.yml", "final.json", "events.jsonl", "ledger.json",
    f"{STEP}/step.json", f"{STEP}/candidate.json", f"{STEP}/scorecard-pruning.json",
    f"{STEP}/evidence/layers.csv", f"{STEP}/model.onnx", "steps", STEP, "steps/00-start/step.json",
)  # fmt: skip
DECIDED = {
    "resolved": {"pruning_ratio": 0.5},
    "host": {},
    "decision": {"verdict": "keep", "reason": "It is better."},
}


@dataclass(frozen=True)
class Case:
    """A file of the folder, and its damage (None: it is missing)."""

    file: str
    damage: Any


QUESTIONS: dict[str, Any] = {
    "status": lambda run: [run.status, run.error, run.ended, repr(run)],
    "recipe": lambda run: run.recipe,
    "events": lambda run: list(run.events()),
    "check": lambda run: run.check(),
    "wait": lambda run: run.wait(0.0) if run.ended else None,
    "ledger": lambda run: [run.result.ledger, repr(run.result), run.result._repr_html_()],
    "test": lambda run: run.result.test and run.result.test.text,
    "decisions": lambda run: [run.result.decisions, run.result.decision],
    "candidate": lambda run: run.result.candidate(),
    "candidate of a step": lambda run: run.result.candidate("pruning"),
    "model": lambda run: run.result.model,
    "scorecard": lambda run: run.result.scorecard("pruning").to_frame(),
    "evidence": lambda run: run.result.evidence("pruning"),
    "resolved": lambda run: run.result.resolved("pruning"),
    "onnx": lambda run: [run.result.onnx_path, run.result.onnx_takes],
    "open test": lambda run: run.open_test(),
    "resume": lambda run: run.resume(),
    "find": lambda run: [
        find_run(run.name, run.folder.parent),
        find_run("last", run.folder.parent),
    ],
}


def _cases(file: str) -> st.SearchStrategy[Case]:
    damage = [EDITS, st.none(), st.builds(Content, st.sampled_from(BASES))]
    if file.endswith(".json"):
        damage += [JSON_EDITS] * 4
    return st.builds(Case, st.just(file), st.one_of(*damage))


CASES = st.sampled_from(FILES).flatmap(_cases)


@cache
def _template() -> Path:
    """The folder of a finished run, made once."""
    from tests.measure.test_scorecard import CARD

    root = Path(tempfile.mkdtemp(prefix="workbench-generated-"))
    run = make_run(root, task="digits", start="cnn")
    for place, of in {
        "00-start": "torch",
        "01-pruning": "torch",
        "02-quantization": "onnx",
    }.items():
        shutil.copytree(kept_folder(of), run / "steps" / place, dirs_exist_ok=True)
    rows = [make_row("pruning", "pruning").to_json()]
    step = {"version": 1, "technique": "pruning", "label": "pruning", "settings": {}, "rows": rows}
    write_json(run / STEP / "step.json", {**step, **DECIDED})
    write_json(run / STEP / "scorecard-pruning.json", CARD.to_json())
    write_text(run / STEP / "evidence" / "layers.csv", "layer,channels\nconv1,8\n")
    about = json.loads((run / "run.json").read_text())
    write_json(run / "run.json", {**about, "own_task": True})
    write_text(run / "events.jsonl", '{"kind": "message", "step": "", "data": {"text": "a"}}\n')
    return run


def damaged_run(root: Path, file: str, damage: Any) -> Path:
    """A copy of a finished run's folder under `root`, with one damaged file or folder."""
    run = root / _template().name
    shutil.copytree(_template(), run)
    path = run / file
    if path.is_dir():
        shutil.rmtree(path)
        if damage is not None:
            path.write_bytes(b"a file")
        return run
    content = path.read_bytes()
    path.unlink()
    if isinstance(damage, Content):
        path.write_bytes(bytes_of(damage))
    elif damage and damage[0][0] in ("drop", "set"):
        path.write_bytes(damaged_json(content, damage))
    elif damage is not None:
        path.write_bytes(edited(content, damage))
    return run


def try_case(case: Case) -> str:
    """Attach to the run and ask it everything; a run is never started again."""
    with tempfile.TemporaryDirectory() as home, no_processes():
        folder = damaged_run(Path(home), case.file, case.damage)
        asked = [_asked(question, folder) for question in QUESTIONS]
    return "refused" if "refused" in asked else "accepted"


def _asked(question: str, folder: Path) -> str:
    return attempt(lambda: QUESTIONS[question](wb.attach(folder))).status


def no_processes() -> Any:
    """Inside, a run that would be started or stopped is refused."""
    from unittest import mock

    from workbench.errors import RunError

    def refuse(*_: Any, **__: Any) -> None:
        raise RunError("No process is started or stopped in a generated case.")

    return mock.patch.multiple("workbench.runs.handle", end_session=refuse, start_process=refuse)
