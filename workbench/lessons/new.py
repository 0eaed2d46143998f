"""A notebook for a user's own table: the task, simple models first, the wizard, what comes next."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from workbench.lessons.cells import recipe_cells

if TYPE_CHECKING:
    from nbformat import NotebookNode

__all__ = ["TASK", "arguments_for_table", "notebook_for_table"]

TASK = "workbench:make_task"  # a function, so shell, recipe and notebook name the same task


def arguments_for_table(name: str, data: Path, target: str, **columns: str) -> str:
    """The arguments of the task of a file as JSON; `columns` are those with `times` or `groups`."""
    values = {"name": name, "train": str(data), "target": target, **columns}
    return json.dumps(values, ensure_ascii=False)


def notebook_for_table(name: str, data: Path, target: str, **columns: str) -> NotebookNode:
    """A notebook without outputs, whose parameters name the task of a file and its target column.

    It runs as it is, also by papermill with other parameters. `data` should be absolute, as the
    notebook may move. `columns` are the names of those with `times` or `groups`.
    """
    from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

    values = {
        "task": TASK,
        "task_args": arguments_for_table(name, data, target, **columns),
        "start": "",
        "budget": "standard",
        "baselines": "always",
    }
    parameters, settings = recipe_cells("[]", values)

    def text(*paragraphs: str) -> Any:
        return new_markdown_cell("\n\n".join(paragraphs))

    def code(source: str, *tags: str, hidden: bool = False) -> Any:
        metadata: dict[str, Any] = {"tags": list(tags)} if tags else {}
        if hidden:
            metadata["jupyter"] = {"source_hidden": True}
        return new_code_cell(source, metadata=metadata)

    cells = [
        text(
            f"# {name}: begin with simple models",
            f"**We predict the column `{target}` of `{data.name}`, first with models that are so "
            "simple that a better one must beat them. Everything is judged on rows that no model "
            "was trained on.**",
        ),
        text(
            "## Parameters",
            "Change them here, or from outside: `papermill NOTEBOOK OUT -p budget smoke`. `start` "
            "names the model to begin with; empty takes `linear`.",
        ),
        code(parameters, "parameters", hidden=True),
        code(settings, "settings", hidden=True),
        text(
            "## The data",
            "The rows are split into *train*, *valid* to compare models, *calibration*, and "
            "*test*, which stays closed until the end of a run.",
        ),
        code("task = wb.load_task(recipe.task, recipe.task_args)\ntask"),
        code(
            "import pandas as pd\n\n"
            "targets = pd.Series(task.data.train.targets.reshape(len(task.data.train), -1)[:, 0])\n"
            'shares = targets.value_counts(normalize=True) if task.kind != "regression" else '
            "targets.describe()\n"
            "shares.rename(lambda n: dict(enumerate(task.classes)).get(n, n))"
        ),
        text(
            "## Simple models first",
            "`dummy` predicts the same for every row. A model that is not clearly better than it "
            "has learned nothing. `linear` is fast, small and easy to explain; `boosting` are "
            "trees. Each is fitted on *train* and scored on *valid*; the change is against the "
            "start.",
        ),
        code("result = wb.run(recipe, root=root or None, store=store)\nresult"),
        text(
            "If no model is clearly better than `dummy`, look at the data before you try a larger "
            "model: is the target known at the time of the prediction, and do the columns tell "
            "anything about it? If `boosting` is not clearly better than `linear`, keep `linear`."
        ),
        text(
            "## The next step",
            "Choose another start or a technique, run it, and compare. No cell below waits for a "
            "click.",
        ),
        code(
            "wizard = wb.wizard(recipe.task, task_args=recipe.task_args, steps=recipe.steps, "
            "budget=budget, seed=seed, root=root or None, store=store)\nwizard"
        ),
        text(
            "## Use the model",
            "The kept files load without this notebook: `wb.load_kept(folder)`, and an ONNX file "
            "where the model can be written as one.",
        ),
        code(
            "candidate = result.candidate()\n"
            "rows = task.data.valid.take(slice(0, 5)).prepared(candidate.prepare)\n"
            "wb.predictor(candidate).predict(dict(rows.inputs))"
        ),
    ]
    metadata = {
        "kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"},
        "language_info": {"name": "python"},
    }
    return new_notebook(cells=cells, metadata=metadata)
