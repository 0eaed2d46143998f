"""The valid rows that a run scores, by its budget."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from torch import nn

from workbench.data.rows import Rows
from workbench.runs.valid_rows import SMOKE_ROWS, limit_valid
from workbench.tasks import load_task


def _task(n: int, *, times: bool = False):
    task = load_task("digits").without_test()
    order = np.arange(n)
    valid = Rows(
        {"image": np.zeros((n, 1, 8, 8), np.float32)},
        order % 10,
        times=order // 100 if times else None,
    )
    return replace(task, data=replace(task.data, valid=valid))


def test_smoke_scores_the_first_valid_rows_and_other_budgets_all():
    task = _task(SMOKE_ROWS + 500)
    seen = limit_valid(task, "smoke").data
    assert len(seen.valid) == SMOKE_ROWS
    np.testing.assert_array_equal(seen.valid.targets, task.data.valid.targets[:SMOKE_ROWS])
    assert seen.train is task.data.train, "nothing else is cut"
    assert limit_valid(task, "standard") is task
    assert limit_valid(_task(100), "smoke").data.valid.targets.shape == (100,)


def test_smoke_scores_all_times_of_rows_that_are_ordered_in_time():
    task = _task(3 * SMOKE_ROWS + 7, times=True)
    valid = limit_valid(task, "smoke").data.valid
    assert SMOKE_ROWS * 0.7 < len(valid) <= SMOKE_ROWS
    assert set(valid.times) == set(task.data.valid.times)


@pytest.mark.slow
def test_ledger_of_a_smoke_run_is_of_the_rows_that_smoke_scores(tmp_path):
    """On rows of six numbers, of which valid has more than a smoke run scores."""
    import workbench as wb

    n_test = SMOKE_ROWS + 700
    x = np.random.default_rng(0).normal(size=(2 * n_test + 900, 6)).astype(np.float32)
    y = np.digitize(x[:, 0] + x[:, 1], [-0.6, 0.6])  # two classes would be resampled by AUCs
    cuts = {"valid": slice(0, n_test), "test": slice(n_test, 2 * n_test)}
    splits = {name: (x[cut], y[cut]) for name, cut in cuts.items()}
    rest = slice(2 * n_test, None)
    net = nn.Sequential(nn.Linear(6, 16), nn.ReLU(), nn.Linear(16, 3))
    task = wb.make_task("rows", model=net, train=(x[rest], y[rest]), **splits)
    result = wb.run(["quantization"], task, budget="smoke", root=tmp_path)
    places = sorted(result.folder.glob("steps/*/valid-*.npy"))
    assert places
    assert {len(np.load(p)) for p in places} == {SMOKE_ROWS}
    assert "at most 2,000 valid rows" in result._repr_html_()
    assert result.test.n == n_test, "test is looked at whole"
