"""Trail, the candidates of a run with their ledger and evidence, read from the run's folder."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from workbench.errors import RunError, unknown
from workbench.keeping.candidates import load_kept
from workbench.ledger.rows import Row, TestLine, frame
from workbench.ledger.tables import html
from workbench.measure.scorecard import Scorecard
from workbench.recipe import Recipe
from workbench.system.files import read_json
from workbench.task import Candidate, Task

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Trail", "load_candidate"]


class Trail:
    """The candidates of a run, its ledger and its evidence, read from the run's folder."""

    def __init__(self, folder: str | Path, task: Task | None = None) -> None:
        self.folder = Path(folder)
        self._task = task
        if not (self.folder / "steps").exists():
            raise RunError(f"{self.folder} holds no finished step yet.")

    @cached_property
    def steps(self) -> list[Path]:
        """Folders of the finished steps, in order."""
        return sorted(p for p in (self.folder / "steps").iterdir() if (p / "step.json").exists())

    @cached_property
    def rows(self) -> list[Row]:
        return [
            Row.from_json(r) for step in self.steps for r in read_json(step / "step.json")["rows"]
        ]

    @cached_property
    def test(self) -> TestLine | None:
        """What test said of the last candidate, if it was opened."""
        path = self.folder / "final.json"
        return TestLine.from_json(read_json(path)) if path.exists() else None

    @property
    def ledger(self) -> pd.DataFrame:
        """One row a step, as numbers."""
        return frame(self.rows)

    @property
    def model(self) -> Any:
        """The plain torch module after the last step that gave one; of the user's own class where
        its builder is at hand.
        """
        for step in reversed(self._with_candidate()):
            if read_json(step / "candidate.json")["form"] == "torch":
                return load_candidate(step, self._known_task()).model
        raise RunError("No step of this run gave a torch module; `onnx_path` is the model file.")

    @property
    def onnx_path(self) -> Path:
        """The ONNX file of the last step that gave one."""
        found = [s / "model.onnx" for s in self.steps if (s / "model.onnx").exists()]
        if not found:
            raise RunError(
                "No model of this run could be written as ONNX; the reasons are in "
                f"{self.folder}/steps/*/candidate.json."
            )
        return found[-1]

    def candidate(self, step: str = "") -> Candidate:
        """The candidate that a step made, by the step's name in the ledger (`pruning`); the last
        one by default.
        """
        return load_candidate(
            self._folder(step) if step else self._with_candidate()[-1], self._known_task()
        )

    def evidence(self, step: str) -> dict[str, pd.DataFrame]:
        """The tables that a step left, by name."""
        import pandas as pd

        return {
            p.stem: pd.read_csv(p) for p in sorted((self._folder(step) / "evidence").glob("*.csv"))
        }

    def scorecard(self, step: str = "") -> Scorecard:
        """All that was measured of one row of the ledger, by its name; of the last one by default."""
        wanted = step or self.rows[-1].step
        for folder in self.steps:
            if (folder / f"scorecard-{wanted}.json").exists():
                return Scorecard.from_json(read_json(folder / f"scorecard-{wanted}.json"))
        raise RunError(unknown("row of the ledger", wanted, [r.step for r in self.rows]))

    def resolved(self, step: str) -> dict[str, Any]:
        """The settings of a step with every automatic choice written down."""
        return read_json(self._folder(step) / "step.json").get("resolved", {})

    def plot(self, value: str = "latency_ms") -> Any:
        """The ledger as a waterfall figure of `latency_ms`, `size_bytes` or `quality`."""
        from workbench.figures.waterfall import plot_ledger

        return plot_ledger(self.ledger, value=value)

    def _repr_html_(self) -> str:
        return html(self.rows, self.test)

    def _folder(self, step: str) -> Path:
        """The folder of a finished step: `pruning 2` is 02-pruning-2."""
        names = {s.name.partition("-")[2]: s for s in self.steps}
        if (wanted := step.replace(" ", "-")) not in names:
            raise RunError(unknown("finished step", step, names))
        return names[wanted]

    def _with_candidate(self) -> list[Path]:
        """The steps that made a candidate; others only decided something."""
        return [s for s in self.steps if (s / "candidate.json").exists()]

    def _known_task(self) -> Task | None:
        run = self.folder / "run.json"
        if self._task is None and not (run.exists() and read_json(run).get("own_task")):
            from workbench.errors import UnknownName
            from workbench.tasks.builtin import load_task

            try:
                self._task = load_task(Recipe.of_run(self.folder).task)
            except UnknownName:
                return None
        return self._task


def load_candidate(place: Path, task: Task | None) -> Candidate:
    """A finished step's candidate, its network in the user's own class if the task can build it."""
    about = read_json(place / "candidate.json")
    build = None
    if task is not None and about["form"] == "torch":
        name = (about["builder"] or "").rpartition("/")[2]
        build = task.builders.get(name) or (
            (lambda: task.start.model) if task.start is not None else None
        )
    return load_kept(place, build=build, prepare=task.prepare if task is not None else None)
