"""Setup: what the choice, the training and the analyses of features share."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from workbench.data.labels import Kind
from workbench.data.rows import Rows
from workbench.data.table_columns import TableColumns
from workbench.errors import CandidateError, WorkbenchError, sentence_of
from workbench.events import Report
from workbench.metrics import like_targets
from workbench.models.estimators import as_features, last_step, unfitted
from workbench.models.transformed import Transformed
from workbench.runtimes.scores import as_scores
from workbench.task import SizedBuilder
from workbench.technique import Job
from workbench.techniques.features.encoding import (
    chosen_encode,
    columns_used,
    encoder_for,
    origins,
)
from workbench.techniques.features.methods import WITH_NUMBER
from workbench.techniques.features.rankings import proxy_for
from workbench.techniques.features.selector import OnStep, Selector

if TYPE_CHECKING:
    from workbench.techniques.features import FeaturesSettings

__all__ = ["Setup", "on_step_of", "setup_of"]

LEAST_ROWS_OF_BINS = 1_000
MOST_BINNED = 100  # number columns
SECONDS_SHOWN = 5  # a shorter time left is not told


@dataclass(frozen=True)
class Setup:
    """A job with its resolved settings, the kinds of its columns, and the model to train.

    `estimator` is the unfitted last step of the start; for a network it is the linear model that
    features are ranked and chosen with.
    """

    job: Job
    settings: FeaturesSettings
    columns: TableColumns
    estimator: Any

    @property
    def is_network(self) -> bool:
        return self.job.start.form != "sklearn"

    @property
    def kind(self) -> Kind:
        return self.job.task.kind

    @cached_property
    def train(self) -> Rows:
        """The train rows, in memory."""
        return self.job.task.data.train.take(slice(None))

    @cached_property
    def sample(self) -> np.ndarray:
        """Numbers of the train rows to choose by, in their order, at most `max_rows`."""
        n, most = len(self.train), self.settings.max_rows or len(self.train)
        if n <= most:
            return np.arange(n)
        rng = np.random.default_rng(self.job.seed)
        return np.sort(rng.choice(n, most, replace=False))

    def features_of(self, index: np.ndarray) -> Any:
        """Raw train rows as an estimator takes them."""
        return as_features(self.train.take(index).inputs)

    def targets_of(self, index: np.ndarray) -> np.ndarray:
        targets = np.asarray(self.train.targets)[index]
        is_column = targets.ndim == 2 and targets.shape[1] == 1
        return targets[:, 0] if is_column else targets

    def encoder(self, columns: TableColumns | None = None) -> Any:
        """An unfitted transformer of raw rows to numbers; None for rows that are numbers."""
        if self.settings.encode == "none":
            return self._own_encoder()
        return encoder_for(
            self.settings,
            columns or self.columns,
            self.kind,
            seed=self.job.seed,
            sparse=_is_linear(self.estimator) and not self.is_network,
            is_for_network=self.is_network,
        )

    def _own_encoder(self) -> Any:
        """The preparation of the start; raises CandidateError for one that is no transformer."""
        from sklearn.pipeline import Pipeline

        prepare = self.job.start.prepare
        if self.is_network and isinstance(prepare, Transformed):
            return unfitted(prepare.transformer)
        if self.is_network and prepare is not None:
            raise CandidateError(
                f"`encode='none'` keeps a preparation that is a scikit-learn transformer, and that "
                f"of `{self.job.start.name}` is {type(prepare).__name__}: use encode='auto'."
            )
        steps = getattr(self.job.start.model, "steps", [])[:-1]
        return unfitted(Pipeline(steps)) if steps and not self.is_network else None

    def selector(self, n_features: int) -> Selector | None:
        """An unfitted selector of so many features; None without selection."""
        if self.settings.select == "none":
            return None
        has_own = self.settings.select in ("from_model", "rfecv", "sequential", "permutation")
        return Selector(
            self.settings.select,
            n_features=n_features,
            threshold=self.settings.threshold,
            kind=self.kind,
            estimator=self.estimator if has_own else None,
            max_rows=self.settings.max_rows or 0,
            random_state=self.job.seed,
        )

    def preparation(self, n_features: int, encoder: Any = None) -> Any:
        """An unfitted pipeline of encoding and selection."""
        from sklearn.pipeline import Pipeline
        from sklearn.preprocessing import FunctionTransformer

        steps = [("encode", encoder or self.encoder()), ("select", self.selector(n_features))]
        present = [step for step in steps if step[1] is not None]
        return Pipeline(present or [("rows", FunctionTransformer())])

    def pipeline(self, n_features: int) -> Any:
        """An unfitted pipeline of encoding, selection and estimator."""
        from sklearn.pipeline import Pipeline

        steps = self.preparation(n_features).steps
        return Pipeline([*steps, ("model", unfitted(self.estimator))])

    def origins(self, encoder: Any, n: int) -> list[tuple[str, tuple[str, ...]]]:
        """Name and raw columns of each of `n` features of a fitted encoder."""
        if self.settings.encode != "none":
            return origins(encoder)
        names = [str(i) for i in range(n)]
        if encoder is not None:
            try:
                names = [str(name) for name in encoder.get_feature_names_out()]
            except Exception:  # a transformer of the user's own without names
                names = [f"feature {i}" for i in range(n)]
        return [(name.rpartition("__")[2], self._columns_in(name)) for name in names]

    def _columns_in(self, feature: str) -> tuple[str, ...]:
        """The raw column whose name begins a feature's name, the longest one; else none."""
        name = feature.rpartition("__")[2]
        every = (*self.columns.kinds, *self.columns.unused)
        found = [str(c) for c in every if name.startswith(str(c))]
        return (max(found, key=len),) if found else ()

    def fitted(self, model: Any, features: Any, targets: np.ndarray, **told: Any) -> Any:
        """The model fitted; an error of its own is told with the name of the start."""
        try:
            return model.fit(features, targets, **told)
        except WorkbenchError:
            raise
        except Exception as error:  # of scikit-learn, or the user's estimator
            raise CandidateError(
                f"`{self.job.start.name}` cannot be trained behind these features: "
                f"{sentence_of(error)}"
            ) from error

    def score(self, model: Any, features: Any, targets: np.ndarray) -> float:
        """The deciding metric of a fitted estimator on these rows."""
        outputs = like_targets(self._outputs(model, features), targets)
        return float(self.job.task.metric(outputs, targets))

    def _outputs(self, model: Any, features: Any) -> np.ndarray:
        if self.kind == "regression" or not (
            hasattr(model, "predict_proba") or hasattr(model, "decision_function")
        ):
            return np.asarray(model.predict(features))
        if not hasattr(model, "predict_proba"):
            return np.asarray(model.decision_function(features))
        shares = model.predict_proba(features)
        of_labels = self.kind == "multilabel"
        if isinstance(shares, list):
            shares = np.column_stack([p[:, 1] for p in shares])
        return as_scores(shares, "label_probabilities" if of_labels else "probabilities")


def setup_of(job: Job, settings: FeaturesSettings) -> Setup:
    """The setup of a job; `encode` is resolved, and what cannot work is refused.

    Raises DataError for rows without a usable column, CandidateError for a network whose builder
    does not take the number of inputs.
    """
    job.report.check()
    train = job.task.data.train.take(slice(None))
    columns = columns_used(train.inputs, settings)
    settings = settings.model_copy(update={"encode": chosen_encode(settings, columns)})
    is_network = job.start.form != "sklearn"
    if is_network:
        _refuse_fixed_inputs(job)
    estimator = proxy_for(job.task.kind) if is_network else unfitted(last_step(job.start.model)[1])
    if settings.bins == "auto":
        bins = "off" if is_network else _usual_bins(settings, columns, estimator, len(train))
        settings = settings.model_copy(update={"bins": bins})
    return Setup(job, settings, columns, estimator)


def _is_linear(estimator: Any) -> bool:
    return type(estimator).__module__.startswith("sklearn.linear_model")


def _usual_bins(
    settings: FeaturesSettings, columns: TableColumns, estimator: Any, n_rows: int
) -> str:
    """Whether `auto` adds bins of numbers; encodings of others have none."""
    n_numbers = len(columns.of_kind("number"))
    is_on = (
        settings.encode == "simple"
        and _is_linear(estimator)
        and n_rows >= LEAST_ROWS_OF_BINS
        and 0 < n_numbers <= MOST_BINNED
    )
    return "on" if is_on else "off"


def _refuse_fixed_inputs(job: Job) -> None:
    builder = job.task.builders.get(job.start.builder_name)
    if not isinstance(builder, SizedBuilder):
        raise CandidateError(
            f"`features` changes the number of inputs, and `{job.start.name}` has a fixed one: "
            "give `model=` as a function of the number of inputs, `lambda n_inputs: ...`."
        )


def on_step_of(report: Report) -> OnStep:
    """A listener for slow steps: sends progress with the time left, and raises Cancelled."""
    began = time.perf_counter()

    def on_step(done: float, total: float, text: str) -> None:
        left = (time.perf_counter() - began) / done * (total - done) if done else 0.0
        told = f"; about {left:,.0f} s left" if left > SECONDS_SHOWN else ""
        report.progress(done, total, text + told)

    return on_step


def chooses_number(settings: FeaturesSettings) -> bool:
    """Whether the number of features is to be chosen on folds."""
    return settings.select in WITH_NUMBER and settings.n_features == 0


def with_settings(setup: Setup, **changes: Any) -> Setup:
    """The same setup with other settings."""
    return replace(setup, settings=setup.settings.model_copy(update=changes))
