"""Inputs by name: an empty name, which ONNX cannot have, has another one in the graph only."""

from __future__ import annotations

import warnings

import numpy as np
import onnx
import pandas as pd
import pytest
import torch
from sklearn.linear_model import LogisticRegression
from torch import nn

from workbench.errors import CandidateError, WorkbenchWarning
from workbench.keeping.candidates import keep, load_kept
from workbench.runtimes import predictor
from workbench.runtimes.feeding import fed, graph_names
from workbench.runtimes.to_onnx import to_onnx
from workbench.tasks.make import make_task

RNG = np.random.default_rng(0)
Y = RNG.integers(0, 2, 120)
COLUMN = (RNG.normal(size=120) + Y).astype(np.float32)
OTHER = RNG.normal(size=120).astype(np.float32)


class TwoColumns(nn.Module):
    """Takes two columns `(batch,)` in order."""

    def __init__(self) -> None:
        super().__init__()
        self.head = nn.Linear(2, 2)

    def forward(self, first: torch.Tensor, second: torch.Tensor) -> torch.Tensor:
        return self.head(torch.stack([first, second], 1))


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (["a", " "], ["a", " "]),
        (["", "b"], ["unnamed", "b"]),
        (["unnamed", "", "unnamed_2"], ["unnamed", "unnamed_3", "unnamed_2"]),
    ],
)
def test_only_an_empty_name_changes_and_no_two_names_are_equal(names, expected):
    assert list(graph_names(names).values()) == expected


@pytest.mark.parametrize("name", ["", " ", "\t"])
@pytest.mark.parametrize("other", ["b", "unnamed"])
@pytest.mark.parametrize("kind", ["network", "estimator"])
def test_input_with_an_odd_name_becomes_onnx_and_keeps_its_name_here(kind, name, other, tmp_path):
    inputs = {name: COLUMN, other: OTHER}
    model = TwoColumns()
    if kind == "estimator":
        model = LogisticRegression().fit(pd.DataFrame(inputs), Y)
    task = make_task("t", model=model, train=(inputs, Y))
    candidate = task.start
    rows = task.example(16)
    assert list(rows) == [name, other], "the candidate keeps the names of the data"
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        exported = to_onnx(candidate, rows)
    graph = onnx.load_from_string(exported.model).graph
    expected = list(graph_names(inputs).values())
    assert [value.name for value in graph.input] == expected
    texts = [str(w.message) for w in told if issubclass(w.category, WorkbenchWarning)]
    renamed = f"`{expected[0]}`; the model itself still takes it without a name."
    assert [text.endswith(renamed) for text in texts] == ([True] if name == "" else [])
    expected_outputs = predictor(candidate).predict(rows)
    np.testing.assert_allclose(predictor(exported).predict(rows), expected_outputs, atol=1e-4)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        about = keep(candidate, tmp_path, rows)
    assert "onnx_error" not in about
    loaded = load_kept(tmp_path, form="onnx")
    np.testing.assert_allclose(predictor(loaded).predict(rows), expected_outputs, atol=1e-4)


def test_missing_input_is_refused_with_both_names():
    signature = {"a": (np.float32, 1), "b": (np.float32, 1)}
    with pytest.raises(CandidateError, match=r"needs the inputs \['a', 'b'\]; the data has \['a'"):
        fed(signature, {"a": COLUMN, "c": OTHER})
