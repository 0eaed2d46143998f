"""The wizard in a real JupyterLab: choose, see problems, run, reload, compare, cancel.

No request leaves this machine.
"""

from __future__ import annotations

import os
import re
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from labdriver import Lab, Page, chromium, lab, write_notebook

ROOT = Path(__file__).resolve().parents[2]
CELL = "import workbench as wb\n\nwb.wizard('digits', start='cnn', budget='smoke', root='runs')"
RUN_MS = 240_000  # a smoke run takes half a minute; a busy machine takes its time

pytestmark = [pytest.mark.browser, pytest.mark.slow]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    folder = tmp_path_factory.mktemp("notebooks")
    write_notebook(folder / "wizard.ipynb", CELL)
    path = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH", "")]))
    with lab(folder, env={"PYTHONPATH": path}) as running:
        yield running


@pytest.fixture(scope="module")
def page() -> Iterator[Page]:
    with chromium(width=1500, height=1400) as browser_page:
        yield browser_page


@pytest.mark.timeout(600)
def test_wizard_runs_survives_a_reload_and_cancels(server: Lab, page: Page) -> None:
    page.open_notebook(server, "wizard.ipynb")
    page.run_all()
    page.playwright.locator(".wb-wizard").wait_for()
    _is_operated_by_keyboard(page)
    _tells_a_wrong_knob_at_once(page)
    _runs_and_is_all_there_after_a_reload(page)
    _cancels_a_second_run(page)
    assert page.strangers == []
    assert page.own_errors() == []


def _is_operated_by_keyboard(page: Page) -> None:
    from playwright.sync_api import expect

    view = page.playwright
    view.get_by_role("slider", name="Pruning ratio").press("ArrowRight")
    expect(view.locator(".wb-knob-pruning_ratio input")).to_have_value("0.55")
    section = view.get_by_role("button", name="Fine-tuning")
    section.press("Enter")
    expect(section).to_have_attribute("aria-expanded", "true")
    expect(view.get_by_label("Epochs")).to_have_attribute("placeholder", re.compile(r"auto: \d+"))
    section.press("Enter")
    expect(view.get_by_label("Epochs")).to_be_hidden()


def _tells_a_wrong_knob_at_once(page: Page) -> None:
    from playwright.sync_api import expect

    view = page.playwright
    ratio = view.get_by_label("Pruning ratio", exact=True).and_(view.locator("input"))
    ratio.fill("1.5")
    ratio.press("Enter")
    knob = view.locator(".wb-knob-pruning_ratio")
    expect(knob.locator(".wb-problem")).to_contain_text("must be at most 0.99, got 1.5")
    expect(ratio).to_have_attribute("aria-invalid", "true")
    expect(view.locator(".wb-run")).to_be_disabled()
    ratio.fill("0.3")
    ratio.press("Enter")
    expect(knob.locator(".wb-problem")).to_be_hidden()
    expect(view.locator(".wb-run")).to_be_enabled()
    expect(view.locator(".wb-code pre").first).to_contain_text("'pruning_ratio': 0.3")


def _runs_and_is_all_there_after_a_reload(page: Page) -> None:
    from playwright.sync_api import expect

    view, rows = page.playwright, page.playwright.locator(".wb-ledger .workbench-steps tbody tr")
    view.locator(".wb-run").click()
    expect(view.locator(".wb-status")).to_contain_text("running")
    expect(view.locator(".wb-progress .wb-stage-running")).to_have_count(1, timeout=RUN_MS)
    page.wait_for_points(2, timeout_ms=RUN_MS)
    expect(view.locator(".wb-cancel")).to_be_enabled()
    expect(rows.first).to_be_visible(timeout=RUN_MS)
    page.reload()
    expect(view.locator(".wb-knob-pruning_ratio input")).to_have_value("0.3")
    expect(view.locator(".wb-ledger")).to_contain_text("start")
    expect(view.locator(".wb-status")).to_contain_text("finished", timeout=RUN_MS)
    expect(rows.filter(has_text=re.compile("^pruning"))).to_have_count(1)
    expect(view.locator(".wb-ledger")).to_contain_text("Test:")
    expect(view.locator(".wb-stage-done")).to_have_count(3)
    page.wait_for_points(10)


def _cancels_a_second_run(page: Page) -> None:
    from playwright.sync_api import expect

    view = page.playwright
    view.locator(".wb-run").click()
    expect(view.locator(".wb-cancel")).to_be_enabled(timeout=30_000)
    expect(view.locator(".wb-stage-running")).to_have_count(1, timeout=RUN_MS)
    began = time.monotonic()
    view.locator(".wb-cancel").click()
    expect(view.locator(".wb-state-cancelled")).to_be_visible(timeout=30_000)
    assert time.monotonic() - began < 30
    expect(view.locator(".wb-stage-stopped")).to_have_count(1)
    expect(view.locator(".wb-section")).to_have_count(2)
    expect(view.locator(".wb-run")).to_be_enabled()
