"""Attention and GELU in short forms: the same outputs, fewer operators, standard ONNX."""

from __future__ import annotations

import io
from collections import Counter

import numpy as np
import onnx
import onnxruntime as ort
import pytest
import torch
from torch import nn
from torch.nn import functional as F

from workbench.models.text import Encoder
from workbench.runtimes.attention import with_short_attention
from workbench.runtimes.to_onnx import OPSET, quiet

DYNAMIC = torch.export.Dim.DYNAMIC


class Masked(nn.Module):
    """Two layers of attention over words that are not padding."""

    def __init__(self) -> None:
        super().__init__()
        self.encoder = Encoder(30, width=16, n_layers=2, n_heads=2, hidden=32, longest=12)

    def forward(self, tokens: torch.Tensor) -> torch.Tensor:
        return self.encoder(tokens, tokens != 0)[:, 0]


class Plain(nn.Module):
    """Attention without a mask, and a scale of its own."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        heads = x.unflatten(2, (2, -1)).transpose(1, 2)
        attended = F.scaled_dot_product_attention(heads, heads, heads, scale=0.3)
        return attended.transpose(1, 2).flatten(2)


class Causal(nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        heads = x.unflatten(2, (2, -1)).transpose(1, 2)
        attended = F.scaled_dot_product_attention(heads, heads, heads, is_causal=True)
        return attended.transpose(1, 2).flatten(2)


class GivenMask(nn.Module):
    """An additive mask from outside can be minus infinity everywhere in a row."""

    def forward(self, x: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        heads = x.unflatten(2, (2, -1)).transpose(1, 2)
        return F.scaled_dot_product_attention(heads, heads, heads, attn_mask=mask[:, None, None])


def _exported(module: nn.Module, *inputs: torch.Tensor) -> bytes:
    buffer = io.BytesIO()
    with quiet():
        torch.onnx.export(
            module.eval(),
            inputs,
            dynamo=True,
            opset_version=OPSET,
            dynamic_shapes=tuple({0: DYNAMIC, 1: DYNAMIC} for _ in inputs),
            verbose=False,
        ).save(buffer)
    return buffer.getvalue()


def _outputs(content: bytes, *inputs: torch.Tensor) -> np.ndarray:
    session = ort.InferenceSession(content, providers=["CPUExecutionProvider"])
    feed = {value.name: x.numpy() for value, x in zip(session.get_inputs(), inputs, strict=True)}
    return session.run(None, feed)[0]


def _counts(content: bytes) -> Counter[str]:
    return Counter(node.op_type for node in onnx.load_from_string(content).graph.node)


def _tokens(rows: int, length: int) -> torch.Tensor:
    tokens = torch.randint(1, 30, (rows, length))
    tokens[0, 3:] = 0
    tokens[1] = 0  # padding alone
    return tokens


@pytest.fixture(scope="module")
def masked() -> bytes:
    torch.manual_seed(0)
    return _exported(Masked(), _tokens(3, 7))


def test_masked_attention_has_the_outputs_of_before_for_every_shape(masked):
    short, n = with_short_attention(masked)
    assert n == 2
    for shape in ((3, 7), (2, 12), (5, 4)):
        rows = _tokens(*shape)
        np.testing.assert_allclose(_outputs(short, rows), _outputs(masked, rows), atol=1e-5)


def test_short_form_is_standard_and_holds_no_shape_computations(masked):
    short, _ = with_short_attention(masked)
    onnx.checker.check_model(short)
    model = onnx.load_from_string(short)
    assert {opset.domain for opset in model.opset_import} == {""}
    counts, before = _counts(short), _counts(masked)
    assert before["IsNaN"] == 2
    assert counts["IsNaN"] == counts["Slice"] == counts["Concat"] == 0
    assert counts["Transpose"] == before["Transpose"] - 2
    assert len(short) < len(masked)


def test_engine_fuses_the_scale_and_the_gelu_of_the_short_form(masked, tmp_path):
    def fused(content):
        options = ort.SessionOptions()
        options.optimized_model_filepath = str(tmp_path / "optimized.onnx")
        ort.InferenceSession(content, options, providers=["CPUExecutionProvider"])
        return Counter(n.op_type for n in onnx.load(options.optimized_model_filepath).graph.node)

    before, after = fused(masked), fused(with_short_attention(masked)[0])
    assert (before["Erf"], after["Erf"]) == (2, 0)
    assert after["Gelu"] + after["BiasGelu"] == 2
    assert sum(after.values()) < 0.75 * sum(before.values())


@pytest.mark.parametrize("module", [Plain(), Causal()], ids=["no mask", "causal"])
def test_attention_without_padding_has_the_outputs_of_before(module):
    content = _exported(module, torch.randn(2, 5, 8))
    short, n = with_short_attention(content)
    assert n == 1
    rows = torch.randn(3, 9, 8)
    np.testing.assert_allclose(_outputs(short, rows), _outputs(content, rows), atol=1e-5)


def test_mask_from_outside_has_the_outputs_of_before_even_where_it_is_infinite():
    x, mask = torch.randn(3, 4, 8), torch.zeros(3, 4)
    mask[0, 2:], mask[1] = -torch.inf, -torch.inf
    content = _exported(GivenMask(), x, mask)
    short, n = with_short_attention(content)
    assert n == 1
    assert _counts(short)["IsNaN"] == _counts(content)["IsNaN"], "a guard could be needed here"
    np.testing.assert_allclose(_outputs(short, x, mask), _outputs(content, x, mask), atol=1e-5)


def test_file_without_attention_is_returned_unchanged():
    content = _exported(nn.Sequential(nn.Linear(4, 4), nn.Softmax(-1)), torch.randn(2, 3, 4))
    assert with_short_attention(content) == (content, 0)
