"""A network's ONNX file is written once; a file that is not of the network is written again."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

import workbench as wb
from workbench.errors import ExportError
from workbench.runtimes import kept_exports, torch_export
from workbench.runtimes.kept_exports import forget, kept_export
from workbench.runtimes.to_onnx import to_onnx

ROWS = np.random.default_rng(0).normal(size=(120, 6)).astype(np.float32)


class Net(nn.Module):
    def __init__(self, factor: float = 1.0) -> None:
        super().__init__()
        self.layer = nn.Linear(6, 2)
        self.factor = factor  # not among the weights, nor in the text of the network

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.factor * self.layer(x)


@pytest.fixture
def home(monkeypatch, tmp_path):
    monkeypatch.setenv("WORKBENCH_HOME", str(tmp_path))
    return tmp_path / "cache" / "exports"


@pytest.fixture
def written(monkeypatch):
    """How often the exporter wrote a network."""
    calls, plain = [], torch_export.exported
    monkeypatch.setattr(torch_export, "exported", lambda *a: calls.append(a) or plain(*a))
    return calls


def candidate_of(model: nn.Module) -> wb.Candidate:
    return wb.make_task("t", model=model, train=(ROWS, np.arange(120) % 2)).start


def test_second_export_of_the_same_weights_is_read(home, written):
    torch.manual_seed(0)
    net = Net()
    first = to_onnx(candidate_of(net), {"x": ROWS[:4]})
    assert to_onnx(candidate_of(net), {"x": ROWS[:4]}).model == first.model
    assert len(written) == 1
    other = Net()
    assert to_onnx(candidate_of(other), {"x": ROWS[:4]}).model != first.model
    assert len(written) == 2


def test_kept_file_of_a_network_that_computes_something_else_is_written_again(home, written):
    torch.manual_seed(0)
    net = Net()
    to_onnx(candidate_of(net), {"x": ROWS[:4]})
    net.factor = 3.0
    exported = to_onnx(candidate_of(net), {"x": ROWS[:4]})
    expected = net(torch.tensor(ROWS[:4])).detach().numpy()
    assert np.allclose(wb.predictor(exported).predict({"x": ROWS[:4]}), expected, atol=1e-5)
    assert len(written) == 2


def test_damaged_file_is_written_again(home, written):
    net = Net()
    to_onnx(candidate_of(net), {"x": ROWS[:4]})
    (file,) = home.glob("*.onnx")
    file.write_bytes(b"no graph")
    to_onnx(candidate_of(net), {"x": ROWS[:4]})
    assert len(written) == 2
    assert file.read_bytes() != b"no graph"


def test_export_that_is_wrong_again_is_refused_and_not_kept(home, monkeypatch):
    right, wrong = Net(), Net()
    content = to_onnx(candidate_of(wrong), {"x": ROWS[:4]}).model
    monkeypatch.setattr(torch_export, "exported", lambda *_: content)
    with pytest.raises(ExportError, match="gives other outputs"):
        to_onnx(candidate_of(right), {"x": ROWS[:4]})
    assert not list(home.glob("*.onnx")), "neither file is kept"


def test_folder_keeps_the_files_that_were_used_last_and_may_be_closed(home, monkeypatch):
    monkeypatch.setattr(kept_exports, "MOST_FILES", 2)
    nets = [nn.Linear(2, 2) for _ in range(3)]
    rows = {"x": np.zeros((2, 2), np.float32)}
    for net in nets:
        kept_export(net, rows, lambda net=net: str(id(net)).encode())
    assert len(list(home.glob("*.onnx"))) == 2
    assert forget(str(id(nets[2])).encode())
    assert not forget(b"never kept")
    monkeypatch.setenv("WORKBENCH_HOME", "/proc/nowhere")
    assert kept_export(nets[0], rows, lambda: b"made") == b"made"
