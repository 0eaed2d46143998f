"""Dress, the style sheet of the forms and the wizard, and their accessibility.

The widget itself is invisible. As the first child of a box with the class `wb-root` it ties each
control to its help and its problem (`aria-describedby`, `aria-invalid`), names sliders, lets Enter
open a folded section, and moves the focus on when the focused control is hidden.
"""

from __future__ import annotations

import re
from html import escape
from pathlib import Path

import anywidget
from ipywidgets import DOMWidget

__all__ = ["Dress", "show_if", "words"]

_STATIC = Path(__file__).with_name("static")


class Dress(anywidget.AnyWidget):
    """Style sheet and accessibility of the box around it."""

    _esm = (_STATIC / "dress.js").read_text(encoding="utf-8")
    _css = (_STATIC / "dress.css").read_text(encoding="utf-8")


def words(text: str) -> str:
    """A message as HTML for a widget: names in backticks as code; empty stays empty."""
    marked = re.sub(r"`([^`]+)`", r"<code>\1</code>", escape(text))
    return f"<span>{marked}</span>" if text else ""


def show_if(widget: DOMWidget, shown: bool) -> None:
    """Show or hide a widget in its place; a hidden one leaves the tab order and keeps its state."""
    widget.layout.display = None if shown else "none"
