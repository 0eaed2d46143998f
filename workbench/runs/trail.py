"""Trail, the candidates of a run with their ledger and evidence, read from the run's folder."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from workbench.errors import RunError, UnknownName, sentence_of, unknown
from workbench.ledger.frame import frame
from workbench.ledger.rows import Row, TestLine
from workbench.ledger.summary import summary
from workbench.ledger.tables import html
from workbench.measure.scorecard import Scorecard
from workbench.recipe import Recipe
from workbench.runs.candidates import load_candidate
from workbench.system.files import read_json
from workbench.system.texts import read_text, read_yaml
from workbench.task import Candidate, Task
from workbench.technique import Decision

if TYPE_CHECKING:
    import pandas as pd

    from workbench.measure.threshold import Threshold

__all__ = ["Trail"]


class Trail:
    """The candidates of a run, its ledger and its evidence, read from the run's folder."""

    def __init__(self, folder: str | Path, task: Task | None = None) -> None:
        self.folder = Path(folder)
        self._task = task
        if not (self.folder / "steps").is_dir():
            raise RunError(f"{self.folder} holds no finished step yet.")

    @cached_property
    def steps(self) -> list[Path]:
        """Folders of the finished steps, in order."""
        return sorted(p for p in (self.folder / "steps").iterdir() if (p / "step.json").exists())

    @cached_property
    def rows(self) -> list[Row]:
        """The rows of the ledger, in the order of the steps."""
        return [row for step in self.steps for row in _read(step / "step.json", _rows)]

    @cached_property
    def baselines(self) -> list[Row]:
        """The rows of simple models that were measured beside the start; usually none."""
        return [row for step in self.steps for row in _read(step / "step.json", _baselines)]

    @cached_property
    def test(self) -> TestLine | None:
        """The result on test of the last candidate; None while test is closed."""
        path = self.folder / "final.json"
        return _read(path, TestLine.from_json) if path.exists() else None

    @property
    def summary(self) -> str:
        """The result in one sentence: size, speed, change of the score, and your limit if set."""
        return summary(self.rows, self.test, accepted_drop=self.accepted_drop)

    @property
    def accepted_drop(self) -> float | None:
        """The option of the run; None where it has no limit or its recipe cannot be read."""
        try:
            return read_yaml(read_text(self.folder / "recipe.yml")).get("accepted_drop")
        except (OSError, ValueError, AttributeError):
            return None

    @property
    def ledger(self) -> pd.DataFrame:
        """One row a step, as numbers."""
        return frame(self.rows)

    @property
    def task(self) -> Task | None:
        """The task, where it is at hand: built in, named by a reference, or handed over."""
        run = self.folder / "run.json"
        if self._task is None and not (run.exists() and _read(run, _has_own_task)):
            from workbench.tasks import load_task

            options = Recipe.of_run(self.folder).options
            try:
                self._task = load_task(options.task, options.task_args)
            except UnknownName:
                return None
        return self._task

    @property
    def decision(self) -> Decision | None:
        """The last decision of the run; None where no step decided anything."""
        return self.decisions[-1][1] if self.decisions else None

    @property
    def decisions(self) -> list[tuple[str, Decision]]:
        """Every decision with the name of its step, in order."""
        named = [_read(step / "step.json", _decision) for step in self.steps]
        return [one for one in named if one is not None]

    @property
    def model(self) -> Any:
        """The model of the last step that gave one other than an ONNX file.

        It is a torch module, of the user's own class where its builder is at hand, or an estimator.
        """
        for step in reversed(self.steps_with_candidate):
            if _read(step / "candidate.json", lambda about: about["form"]) != "onnx":
                return load_candidate(step, self.task).model
        raise RunError("Every step of this run gave an ONNX file; `onnx_path` is where it lies.")

    @property
    def onnx_path(self) -> Path:
        """The ONNX file of the last step that gave one."""
        files = [s / "model.onnx" for s in self.steps if (s / "model.onnx").exists()]
        if not files:
            raise RunError(
                "No model of this run could be written as ONNX; the reasons are in "
                f"{self.folder}/steps/*/candidate.json."
            )
        return files[-1]

    @property
    def onnx_takes(self) -> str:
        """The rows that the ONNX file takes: `raw rows`, or `prepared rows`, after `prepare`."""
        path = self.onnx_path.parent / "candidate.json"
        return _read(path, lambda about: str(about.get("onnx_takes", "prepared rows")))

    def candidate(self, step: str = "") -> Candidate:
        """The candidate of a step, by the step's name in the ledger; of the last one by default."""
        return load_candidate(self.folder_of(step), self.task)

    def folder_of(self, step: str = "") -> Path:
        """The folder of a finished step, by its name in the ledger; by default the last one's.

        The last one is the last step that made a candidate. Raises RunError for an unknown step.
        """
        return self._folder(step) if step else self._last()

    def threshold(self, step: str = "") -> Threshold:
        """The decision threshold that `choose_threshold` kept beside the candidate of a step.

        Raises RunError where none was chosen.
        """
        from workbench.runs.threshold import kept_threshold

        return kept_threshold(self.folder_of(step))

    def evidence(self, step: str) -> dict[str, pd.DataFrame]:
        """The tables that a step left, by name."""
        import pandas as pd

        tables = {}
        for path in sorted((self._folder(step) / "evidence").glob("*.csv")):
            try:
                tables[path.stem] = pd.read_csv(path)
            except (ValueError, OSError, pd.errors.ParserError) as error:
                raise RunError(
                    f"{path} is damaged, and is no table: {sentence_of(error)} Run the step again."
                ) from error
        return tables

    def scorecard(self, step: str = "") -> Scorecard:
        """The scorecard of a row of the ledger, by the row's name; of the last one by default."""
        name = step or self.rows[-1].step
        for folder in self.steps:
            if (folder / f"scorecard-{name}.json").exists():
                return _read(folder / f"scorecard-{name}.json", Scorecard.from_json)
        raise RunError(unknown("row of the ledger", name, [r.step for r in self.rows]))

    def resolved(self, step: str) -> dict[str, Any]:
        """The settings of a step with every automatic choice written down."""
        return _read(
            self._folder(step) / "step.json", lambda about: dict(about.get("resolved", {}))
        )

    def plot(self, value: str = "latency_ms") -> Any:
        """The ledger as a waterfall figure of `latency_ms`, `size_bytes` or `quality`."""
        from workbench.figures.waterfall import plot_ledger

        steps = [r for r in self.rows if r.quality is not None and not r.is_control]
        return plot_ledger(frame(steps), value=value)

    def _repr_html_(self) -> str:
        return html([*self.baselines, *self.rows], self.test, accepted_drop=self.accepted_drop)

    def __repr__(self) -> str:
        return f"Trail({self.folder.name!r}, {len(self.rows)} rows)"

    def _last(self) -> Path:
        if not self.steps_with_candidate:
            raise RunError(f"No step of {self.folder.name} made a candidate.")
        return self.steps_with_candidate[-1]

    def _folder(self, step: str) -> Path:
        """The folder of a finished step: `pruning 2` is 02-pruning-2."""
        folders = {s.name.partition("-")[2]: s for s in self.steps}
        name = step.replace(" ", "-")
        if name not in folders:
            raise RunError(unknown("finished step", step, folders))
        return folders[name]

    @property
    def steps_with_candidate(self) -> list[Path]:
        """Folders of the steps that made a candidate; others only decided something."""
        return [s for s in self.steps if (s / "candidate.json").exists()]


def _read(path: Path, read: Callable[[Any], Any]) -> Any:
    """A file of the run as `read` makes it; raises RunError for one that is damaged."""
    return read_json(path, read, error=RunError)


def _rows(about: Mapping[str, Any]) -> list[Row]:
    return [Row.from_json(row) for row in about["rows"]]


def _baselines(about: Mapping[str, Any]) -> list[Row]:
    return [Row.from_json(row) for row in about.get("baselines", ())]


def _decision(about: Mapping[str, Any]) -> tuple[str, Decision] | None:
    """The name of a step and its decision; None where it decided nothing."""
    if not about.get("decision"):
        return None
    return str(about["label"]), Decision.from_json(about["decision"])


def _has_own_task(about: Mapping[str, Any]) -> bool:
    return bool(about.get("own_task"))
