"""The form in a real JupyterLab: controls are hidden at once, and the focus is never lost."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest
from labdriver import Page, chromium, lab, write_notebook

ROOT = Path(__file__).resolve().parents[2]
SETTINGS = '''
from typing import Literal

from workbench.settings import SET, Settings, TechniqueSettings, knob, nested


class Retraining(Settings):
    epochs: int = knob(8, low=0, high=100)
    """Passes over the rows."""


class Method(TechniqueSettings):
    method: Literal["channels", "n_m"] = "channels"
    """Method."""

    ratio: float = knob(0.5, low=0, high=0.95, step=0.05, only_if={"method": "channels"})
    """Fraction to remove."""

    n: int = knob(2, low=1, high=32, only_if={"method": "n_m"})
    """Weights to keep in each group."""

    weight: float = knob(0.0, low=0, high=1, step=0.05)
    """Weight of the teacher."""

    temperature: float = knob(4.0, above=0, only_if={"weight": SET})
    """Temperature of the teacher."""

    round_to: int = knob(4, low=1, high=64, expert=True)
    """Multiple of the number of channels."""

    fit: Retraining = nested(Retraining, only_if={"method": "channels"}, title="Fine-tuning")
    """Training after pruning."""
'''
CELL = "import declared\nimport workbench as wb\n\nwb.form(declared.Method)"

pytestmark = [pytest.mark.browser, pytest.mark.slow]


@pytest.mark.timeout(300)
def test_form_hides_controls_at_once_and_keeps_the_focus(tmp_path: Path) -> None:
    (tmp_path / "declared.py").write_text(SETTINGS, encoding="utf-8")
    write_notebook(tmp_path / "form.ipynb", CELL)
    path = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH", "")]))
    with lab(tmp_path, env={"PYTHONPATH": path}) as server, chromium() as page:
        page.open_notebook(server, "form.ipynb")
        page.run_all()
        page.playwright.locator(".wb-form").wait_for()
        _follows_the_method(page)
        _leaves_hidden_controls_out_of_the_tab_order(page)
        _moves_the_focus_on_from_a_hidden_control(page)
        assert page.strangers == []
        assert page.own_errors() == []


def _follows_the_method(page: Page) -> None:
    from playwright.sync_api import expect

    view = page.playwright
    method = view.locator(".wb-knob-method select")
    ratio = view.locator(".wb-knob-ratio input[type=text]")
    section = view.get_by_role("button", name="Fine-tuning")
    ratio.fill("0.3")
    ratio.press("Enter")
    expect(section).to_be_visible()
    expect(view.locator(".wb-knob-n")).to_be_hidden()
    method.focus()
    method.select_option("n_m")
    expect(view.locator(".wb-knob-n")).to_be_visible()
    expect(view.locator(".wb-knob-ratio")).to_be_hidden()
    expect(section).to_be_hidden()
    expect(method).to_be_focused()
    method.select_option("channels")
    expect(ratio).to_have_value("0.3")
    expect(ratio).to_be_visible()
    expect(method).to_be_focused()


def _leaves_hidden_controls_out_of_the_tab_order(page: Page) -> None:
    from playwright.sync_api import expect

    view = page.playwright
    expect(view.locator(".wb-knob-temperature")).to_be_hidden()
    weight = view.locator(".wb-knob-weight input[type=text]")
    section = view.get_by_role("button", name="Fine-tuning")
    for _ in range(3):  # the kernel's late answer to the step before may move the focus once
        weight.focus()
        weight.press("Tab")
        if section.evaluate("button => button === document.activeElement"):
            break
        time.sleep(2)
    expect(section).to_be_focused()
    view.keyboard.press("Tab")
    more = view.get_by_role("button", name="More settings")
    expect(more).to_be_focused()
    expect(view.locator(".wb-knob-round_to")).to_be_hidden()


def _moves_the_focus_on_from_a_hidden_control(page: Page) -> None:
    from playwright.sync_api import expect

    view = page.playwright
    weight = view.locator(".wb-knob-weight input[type=text]")
    temperature = view.locator(".wb-knob-temperature input[type=text]")
    weight.fill("0.5")
    weight.press("Enter")
    expect(temperature).to_be_visible()
    weight.fill("0")
    weight.press("Tab")  # to the temperature, which this change hides
    expect(temperature).to_be_hidden()
    expect(view.get_by_role("button", name="Fine-tuning")).to_be_focused()
