"""MetricContract, the promises of every metric."""

from __future__ import annotations

from collections.abc import Sequence
from typing import get_args

import numpy as np
import pytest

from workbench.data.labels import Kind
from workbench.errors import TaskError
from workbench.measure.statistics.quality import quality
from workbench.metrics import Metric, check_kind
from workbench.testing.contract import Contract

__all__ = ["MetricContract"]

KINDS = tuple(kind for kind in get_args(Kind) if kind != "custom")
N_ROWS = 120
Scored = tuple[np.ndarray, np.ndarray]


class MetricContract(Contract):
    """All tests of a metric; a subclass gives it as its fixture "declared".

    Methods to override: `right` and `wrong`, outputs and targets of good and of bad predictions
    for a kind of task.
    """

    def kinds(self, declared: Metric) -> Sequence[str]:
        """The kinds of task that the metric is tested on."""
        return declared.kinds or KINDS

    def right(self, kind: str) -> Scored:
        """Outputs and targets `(rows, ...)` of predictions that are right and sure."""
        targets = _targets(kind)
        if kind == "classification":
            return 8 * np.eye(3)[targets] - 4, targets
        if kind == "regression":
            return targets + 0.01 * _noise(targets), targets
        return 8.0 * targets - 4, targets

    def wrong(self, kind: str) -> Scored:
        """Outputs and targets `(rows, ...)` of predictions that are wrong and sure."""
        targets = _targets(kind)
        if kind == "classification":
            return 8 * np.eye(3)[(targets + 1) % 3] - 4, targets
        if kind == "regression":
            return -targets + 3 * _noise(targets), targets
        return 4 - 8.0 * targets, targets

    def test_declaration_has_one_function_and_a_valid_unit(self, declared: Metric) -> None:
        assert declared.name.isidentifier()
        assert (declared.per_sample is None) != (declared.whole is None), (
            "give `per_sample`, or `whole` where the score is no mean over samples"
        )
        assert declared.margin >= 0
        assert declared.unit in ("points", "")
        assert set(declared.kinds) <= set(KINDS)
        assert declared.shown(0.5)

    def test_mean_over_samples_equals_the_call(self, declared: Metric) -> None:
        if declared.per_sample is None:
            return
        for kind in self.kinds(declared):
            for outputs, targets in (self.right(kind), self.wrong(kind)):
                scores = np.asarray(declared.per_sample(outputs, targets))
                assert scores.shape == (len(targets),), "one score a row"
                assert declared(outputs, targets) == pytest.approx(float(scores.mean()))
                half = declared.per_sample(outputs[:50], targets[:50])
                np.testing.assert_allclose(half, scores[:50], err_msg="each row on its own")

    def test_score_is_a_finite_number(self, declared: Metric) -> None:
        for kind in self.kinds(declared):
            for outputs, targets in (self.right(kind), self.wrong(kind)):
                score = declared(outputs, targets)
                assert type(score) is float
                assert np.isfinite(score)

    def test_right_predictions_score_better_than_wrong_ones(self, declared: Metric) -> None:
        for kind in self.kinds(declared):
            right = declared(*self.right(kind))
            wrong = declared(*self.wrong(kind))
            assert declared.sign * right > declared.sign * wrong, f"{kind}: {right} and {wrong}"

    def test_order_of_the_rows_does_not_matter(self, declared: Metric) -> None:
        order = np.random.default_rng(1).permutation(N_ROWS)
        for kind in self.kinds(declared):
            outputs, targets = self.right(kind)
            outputs = outputs + _noise(outputs)
            shuffled = declared(outputs[order], targets[order])
            assert shuffled == pytest.approx(declared(outputs, targets))

    def test_outputs_and_targets_stay_untouched(self, declared: Metric) -> None:
        for kind in self.kinds(declared):
            outputs, targets = self.right(kind)
            copies = outputs.copy(), targets.copy()
            declared(outputs, targets)
            np.testing.assert_array_equal(outputs, copies[0])
            np.testing.assert_array_equal(targets, copies[1])

    def test_other_kinds_of_task_are_refused(self, declared: Metric) -> None:
        for kind in KINDS:
            if kind in (declared.kinds or KINDS):
                check_kind(declared, kind)
                continue
            with pytest.raises(TaskError, match=f"`{declared.name}` is for tasks of kind"):
                check_kind(declared, kind)

    def test_interval_holds_the_value(self, declared: Metric) -> None:
        """For means over samples; the interval of other scores takes hundreds of resamplings."""
        if declared.per_sample is None:
            return
        for kind in self.kinds(declared):
            outputs, targets = self.right(kind)
            measured = quality(outputs + 3 * _noise(outputs), targets, declared)
            assert measured.low <= measured.value <= measured.high


def _targets(kind: str) -> np.ndarray:
    """Targets of a kind of task: every class and label, or numbers."""
    rows = np.arange(N_ROWS)
    if kind == "classification":
        return rows % 3
    if kind == "binary":
        return (rows % 3 == 0).astype(np.int64)
    if kind == "multilabel":
        return np.stack([rows % 2, rows % 3 == 0, rows % 5 < 2], axis=1).astype(np.float64)
    return np.sin(rows / 7.0)


def _noise(like: np.ndarray) -> np.ndarray:
    return np.random.default_rng(0).normal(size=like.shape)
