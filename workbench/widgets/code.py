"""CodeView, the current choices as Python, as YAML and as a command: what a reader takes away to
run elsewhere.
"""

from __future__ import annotations

from html import escape

from ipywidgets import HTML, Tab

from workbench.recipe import Recipe

__all__ = ["CodeView"]

TABS = ("Python", "YAML", "Command")


class CodeView(Tab):
    """Three tabs of text that can be selected and copied."""

    def __init__(self) -> None:
        self._texts = [HTML() for _ in TABS]
        super().__init__(self._texts, titles=TABS, selected_index=0)
        self.add_class("wb-code")

    def show(self, recipe: Recipe, *, in_notebook: bool = False) -> None:
        """Write the recipe out; `in_notebook` says that its task is an object of this notebook,
        `task`.
        """
        for html, name, text in zip(self._texts, TABS, _written(recipe, in_notebook), strict=True):
            html.value = f"<pre tabindex='0' aria-label='{name}'>{escape(text)}</pre>"

    def blank(self, reason: str) -> None:
        """Say why there is nothing to write out."""
        for html in self._texts:
            html.value = f"<pre class='wb-quiet'>{escape(reason)}</pre>"


def _written(recipe: Recipe, in_notebook: bool) -> tuple[str, str, str]:
    python, tree, command = recipe.to_python(), recipe.to_yaml(), recipe.to_command()
    if "recipe.yml" in command:
        command = f"# recipe.yml holds what the tab YAML shows\n{command}"
    if in_notebook:
        python = python.replace("wb.run(recipe)", "wb.run(recipe, task)")
        note = (
            f"# `{recipe.task}` lives in this notebook: elsewhere, name what makes it, as "
            "package.module:function\n"
        )
        tree, command = note + tree, note + command
    return python, tree, command
