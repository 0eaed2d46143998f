"""CodeView, the current choices as Python, as YAML and as a command, to run them elsewhere."""

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
        """Show the code of a recipe.

        `in_notebook` says that its task is an object of this notebook, named `task`.
        """
        for html, name, text in zip(self._texts, TABS, _written(recipe, in_notebook), strict=True):
            html.value = f"<pre tabindex='0' aria-label='{name}'>{escape(text)}</pre>"

    def blank(self, reason: str) -> None:
        """Show why there is no code."""
        for html in self._texts:
            html.value = f"<pre class='wb-quiet'>{escape(reason)}</pre>"


def _written(recipe: Recipe, in_notebook: bool) -> tuple[str, str, str]:
    python, tree, command = recipe.to_python(), recipe.to_yaml(), recipe.to_command()
    if "recipe.yml" in command:
        command = f"# First save the text of the tab YAML as recipe.yml.\n{command}"
    if in_notebook:
        python = python.replace("wb.run(recipe)", "wb.run(recipe, task)")
        note = (
            f"# `{recipe.task}` is an object of this notebook. Elsewhere, use the function that "
            "returns it: package.module:function\n"
        )
        tree, command = note + tree, note + command
    return python, tree, command
