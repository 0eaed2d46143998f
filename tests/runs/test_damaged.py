"""Runs whose folder holds a damaged file: refused in words, and a list of runs still shows them."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import workbench as wb
from tests.factories import make_run
from workbench.cli.main import main
from workbench.errors import RunError
from workbench.runs.handle import Run, find_run

STEP = "steps/01-pruning/step.json"
READERS: dict[str, tuple[str, Callable[[Run], Any]]] = {
    "status": ("state.json", lambda run: run.status),
    "test": ("final.json", lambda run: run.result.test),
    "ledger": (STEP, lambda run: run.result.ledger),
    "decisions": (STEP, lambda run: run.result.decisions),
    "resolved": (STEP, lambda run: run.result.resolved("pruning")),
    "task": ("run.json", lambda run: run.result.task),
}


@pytest.mark.parametrize("content", [b"", b"[]", b"\xff\x00", b'{"rows": 3, "status": "done"}'])
@pytest.mark.parametrize("reader", READERS)
def test_damaged_file_of_a_run_is_refused_with_its_path(
    tmp_path: Path, reader: str, content: bytes
) -> None:
    name, read = READERS[reader]
    run = make_run(tmp_path)
    (run / name).write_bytes(content)
    if content.startswith(b"{") and reader in ("decisions", "resolved", "task"):
        return  # these entries may be left out
    with pytest.raises(RunError) as refused:
        read(wb.attach(run))
    assert str(run / name) in str(refused.value)


def test_test_line_of_wrong_values_is_refused(tmp_path: Path) -> None:
    run = make_run(tmp_path)
    text = (run / "final.json").read_text()
    (run / "final.json").write_text(text.replace('"n": 2000', '"n": "many"'))
    with pytest.raises(RunError, match="the entry `n` has the value 'many'"):
        _ = wb.attach(run).result.test


def test_table_of_evidence_is_refused_when_it_is_damaged(tmp_path: Path) -> None:
    run = make_run(tmp_path)
    path = run / "steps/01-pruning/evidence/layers.csv"
    path.parent.mkdir()
    path.write_bytes(b"a,b\n\xff\xfe,1\n")
    with pytest.raises(RunError, match="layers.csv is damaged, and is no table"):
        wb.attach(run).result.evidence("pruning")


def test_list_shows_a_run_as_damaged_when_its_state_cannot_be_read(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = make_run(tmp_path)
    (run / "state.json").write_bytes(b"not json")
    assert repr(Run(run)).endswith("damaged)")
    assert main(["list", "--root", str(tmp_path)]) == 0
    assert "damaged" in capsys.readouterr().out


def test_steps_that_are_a_file_are_no_finished_steps(tmp_path: Path) -> None:
    run = make_run(tmp_path)
    (run / "steps").rename(run / "moved")
    (run / "steps").touch()
    with pytest.raises(RunError, match="holds no finished step"):
        _ = wb.attach(run).result


@pytest.mark.parametrize("folder", [None, 3, "x" * 5000])
def test_value_that_is_no_path_is_no_run(tmp_path: Path, folder: Any) -> None:
    for find in (wb.attach, lambda name: find_run(name, tmp_path)):
        with pytest.raises(RunError, match="cannot be a path"):
            find(folder)


@pytest.mark.parametrize("ms", [0, -1.5, "NaN", '"2 ms"'])
def test_latency_that_no_call_takes_is_refused(tmp_path: Path, ms: object) -> None:
    run = make_run(tmp_path)
    about = json.loads((run / STEP).read_text())
    about["rows"][0]["latencies_ms"] = {"1": "HERE"}
    (run / STEP).write_text(json.dumps(about).replace('"HERE"', str(ms)))
    with pytest.raises(RunError, match=r"step\.json is damaged"):
        _ = wb.attach(run).result.ledger
