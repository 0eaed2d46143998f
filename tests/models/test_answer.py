"""Which output of a network counts, by rule and by choice."""

from __future__ import annotations

from collections import namedtuple
from types import SimpleNamespace

import cloudpickle
import pytest
import torch
from torch import nn

from workbench.errors import CandidateError
from workbench.models.answer import answering, first_tensor, named_outputs
from workbench.models.networks import call_model, copied

Pair = namedtuple("Pair", ["features", "scores"])
WIDE, NARROW = torch.zeros(3, 16), torch.ones(3, 2)


class Net(nn.Module):
    """Gives features and scores, in the way that it is told."""

    def __init__(self, shape: str = "tuple") -> None:
        super().__init__()
        self.shape = shape
        self.a, self.b = nn.Linear(6, 16), nn.Linear(16, 2)

    def forward(self, x: torch.Tensor, mask: torch.Tensor | None = None) -> object:
        hidden = self.a(x).relu()
        if self.shape == "named tuple":
            return Pair(hidden, self.b(hidden))
        if self.shape == "mapping":
            return {"features": hidden, "scores": self.b(hidden)}
        return hidden, self.b(hidden)


@pytest.mark.parametrize(
    "outputs",
    [
        NARROW,
        (NARROW, WIDE),
        {"features": WIDE, "logits": NARROW},
        SimpleNamespace(loss=None, hidden=WIDE, logits=NARROW),
        [NARROW],
        (None, NARROW, WIDE),
    ],
    ids=["tensor", "tuple", "mapping", "object", "list", "after a None"],
)
def test_logits_or_the_first_tensor_counts(outputs):
    assert first_tensor(outputs) is NARROW


def test_outputs_without_a_tensor_are_refused():
    with pytest.raises(CandidateError, match="returned str; it must return a tensor"):
        first_tensor("logits")


def test_outputs_have_names_or_places():
    assert list(named_outputs(Pair(WIDE, NARROW))) == ["features", "scores"]
    assert list(named_outputs((None, WIDE, NARROW))) == [1, 2]


@pytest.mark.parametrize(
    ("shape", "output"),
    [("tuple", 1), ("named tuple", "scores"), ("named tuple", 1), ("mapping", "scores")],
)
def test_a_chosen_output_is_given_alone_and_layers_keep_their_names(shape, output):
    net, rows = Net(shape), torch.rand(3, 6)
    expected = list(named_outputs(net(rows)).values())[1]
    names = list(net.state_dict())
    chosen = answering(copied(net), output)
    assert torch.equal(chosen(rows), expected)
    assert list(chosen.state_dict()) == names
    assert type(chosen).__name__ == "Net"
    again = cloudpickle.loads(cloudpickle.dumps(chosen))
    assert torch.equal(again(rows), expected)
    assert torch.equal(call_model(copied(chosen), {"x": rows, "mask": rows}), expected)


def test_an_output_that_is_not_there_is_refused_with_those_that_are():
    with pytest.raises(CandidateError, match=r"`output='probs'`.*'features', 'scores'"):
        answering(Net("mapping"), "probs")(torch.rand(3, 6))
