"""Dress, the look of the forms and the wizard, and what screen readers and keyboards need that
ipywidgets leaves out.

It shows nothing itself. Put first into a box with the class `wb-root`, it brings the style sheet,
ties each control to its help and its problem (`aria-describedby`, `aria-invalid`), names sliders,
and lets Enter open a folded section.
"""

from __future__ import annotations

import re
from html import escape
from pathlib import Path

import anywidget

__all__ = ["Dress", "words"]

_STATIC = Path(__file__).with_name("static")


class Dress(anywidget.AnyWidget):
    """Style sheet and accessibility of the box that it lies in."""

    _esm = (_STATIC / "dress.js").read_text(encoding="utf-8")
    _css = (_STATIC / "dress.css").read_text(encoding="utf-8")


def words(text: str) -> str:
    """A message as HTML for a widget: names in backticks as code; empty stays empty."""
    marked = re.sub(r"`([^`]+)`", r"<code>\1</code>", escape(text))
    return f"<span>{marked}</span>" if text else ""
