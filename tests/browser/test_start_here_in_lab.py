"""The first notebook in a real JupyterLab, step by step; no request leaves this machine."""

from __future__ import annotations

import os
import re
from pathlib import Path

import nbformat
import pytest
from labdriver import chromium, lab

ROOT = Path(__file__).resolve().parents[2]
RUN_MS = 300_000  # the run takes a minute and a half; a busy machine takes its time

pytestmark = [pytest.mark.browser, pytest.mark.slow]


def claims_of(name: str) -> list[str]:
    """The lines "…: True" of the committed notebook's outputs, which nbval compares too."""
    cells = nbformat.read(ROOT / "notebooks" / name, as_version=4).cells
    texts = [o.get("text", "") for c in cells if c.cell_type == "code" for o in c.outputs]
    claims = [line for text in texts for line in text.splitlines() if line.endswith(": True")]
    assert claims, f"{name} claims nothing"
    return claims


def copy_with_a_wizard_of_digits(folder: Path) -> None:
    """Copy the notebook; its wizard, which runs once more, has the task that takes seconds."""
    notebook = nbformat.read(ROOT / "notebooks" / "00_start_here.ipynb", as_version=4)
    (cell,) = [c for c in notebook.cells if c.source.startswith("wizard = ")]
    changed = cell.source.replace(
        "wb.wizard(task, start=start,", 'wb.wizard("digits", start="cnn",'
    )
    assert changed != cell.source
    cell.source = changed
    nbformat.write(notebook, folder / "00_start_here.ipynb")


@pytest.mark.timeout(1200)
def test_newcomer_runs_all_turns_a_knob_and_finds_the_new_row_after_a_reload(tmp_path):
    from playwright.sync_api import expect

    copy_with_a_wizard_of_digits(tmp_path)
    path = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH", "")]))
    with (
        lab(tmp_path, env={"PYTHONPATH": path}) as server,
        chromium(width=1400, height=1400) as page,
    ):
        page.open_notebook(server, "00_start_here.ipynb")
        page.run_all(timeout_seconds=500)
        view = page.playwright
        outputs = view.locator(".jp-OutputArea-output")
        for claim in claims_of("00_start_here.ipynb"):
            expect(outputs.filter(has_text=claim)).to_have_count(1)
        expect(outputs.filter(has_text=re.compile(r"Traceback|Error:"))).to_have_count(0)
        view.locator(".js-plotly-plot .main-svg").first.wait_for()
        ratio = view.get_by_label("Pruning ratio", exact=True).and_(view.locator("input"))
        expect(ratio).to_have_value("0.25")
        ratio.fill("0.3")
        ratio.press("Enter")
        view.locator(".wb-run").click()
        expect(view.locator(".wb-progress .wb-stage-running")).to_have_count(1, timeout=RUN_MS)
        page.wait_for_points(2, timeout_ms=RUN_MS)
        page.reload()
        rows = view.locator(".wb-ledger .workbench-steps tbody tr")
        expect(rows.filter(has_text=re.compile("^pruning"))).to_have_count(1, timeout=RUN_MS)
        expect(view.locator(".wb-knob-pruning_ratio input")).to_have_value("0.3")
        assert page.strangers == []
        assert page.own_errors() == []
