"""Small networks for text: padding, batch and length do not change the logits, nor does ONNX."""

from __future__ import annotations

import numpy as np
import onnx
import pytest
import torch

from workbench.data.prepare import from_json, to_json
from workbench.data.tokens import Tokens
from workbench.errors import ExportError
from workbench.keeping.candidates import keep, load_kept
from workbench.models.estimators import as_features
from workbench.models.networks import build_seeded
from workbench.models.text import Encoder, bigru, text_cnn, tfidf, transformer2
from workbench.runtimes import predictor
from workbench.runtimes.to_onnx import to_onnx
from workbench.task import Candidate

BUILDERS = {"text_cnn": text_cnn, "bigru": bigru, "transformer2": transformer2}
N_WORDS = 60
WORDS = [f"w{i}" for i in range(N_WORDS - 2)]


def _tokens(n: int = 6, length: int = 11) -> torch.Tensor:
    rng = np.random.default_rng(0)
    tokens = rng.integers(1, N_WORDS, (n, length))
    tokens[np.arange(length)[None] >= rng.integers(2, length + 1, n)[:, None]] = 0
    return torch.from_numpy(tokens)


def _network(name: str, seed: int = 0):
    return build_seeded(lambda: BUILDERS[name](N_WORDS), seed).eval()


@pytest.mark.parametrize("name", BUILDERS)
def test_logits_of_a_sentence_do_not_depend_on_its_batch(name):
    model, tokens = _network(name), _tokens()
    with torch.no_grad():
        torch.testing.assert_close(torch.cat([model(row[None]) for row in tokens]), model(tokens))


@pytest.mark.parametrize("name", ["text_cnn", "transformer2"])
def test_more_padding_does_not_change_the_logits(name):
    model = _network(name)
    tokens = torch.nn.functional.pad(_tokens(), (0, 4))  # filters also cover the first padding
    with torch.no_grad():
        torch.testing.assert_close(model(torch.nn.functional.pad(tokens, (0, 9))), model(tokens))


@pytest.mark.parametrize("name", BUILDERS)
def test_order_of_words_matters(name):
    model, tokens = _network(name), torch.arange(2, 12)[None]
    with torch.no_grad():
        assert not torch.allclose(model(tokens), model(tokens.flip(1)))


@pytest.mark.parametrize("name", BUILDERS)
def test_network_learns_which_word_a_sentence_contains(name):
    model = build_seeded(lambda: BUILDERS[name](N_WORDS), 0)
    tokens = torch.randint(5, N_WORDS, (256, 8), generator=torch.Generator().manual_seed(0))
    targets = torch.arange(256) % 2
    tokens[:, 3] = 3 + targets
    optimizer = torch.optim.AdamW(model.parameters(), lr=0.01)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        for _ in range(40):
            loss = torch.nn.functional.cross_entropy(model(tokens), targets)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
    with torch.no_grad():
        assert (model.eval()(tokens).argmax(1) == targets).float().mean() > 0.95


@pytest.mark.parametrize("name", BUILDERS)
def test_exported_network_takes_any_batch_and_length_and_gives_the_same_logits(name):
    model = _network(name)
    exported = to_onnx(Candidate(name, "torch", model), {"tokens": _tokens().numpy()})
    (graph_input,) = onnx.load_from_string(exported.model).graph.input
    assert [d.dim_value for d in graph_input.type.tensor_type.shape.dim] == [0, 0], (
        "both dimensions are dynamic"
    )
    for n, length in ((1, 5), (9, 40)):
        tokens = _tokens(n, length)
        with torch.no_grad():
            expected = model(tokens).numpy()
        np.testing.assert_allclose(
            predictor(exported, threads=1).predict({"tokens": tokens.numpy()}),
            expected,
            atol=1e-5,
        )


@pytest.mark.parametrize("name", ["text_cnn", "transformer2"])
def test_kept_network_is_loaded_with_its_vocabulary_and_without_its_class(name, tmp_path):
    candidate = Candidate(name, "torch", _network(name), prepare=Tokens(tuple(WORDS), 11))
    keep(candidate, tmp_path, {"tokens": _tokens().numpy()})
    again = load_kept(tmp_path)
    assert again.prepare == candidate.prepare == from_json(to_json(candidate.prepare))
    with torch.no_grad():
        torch.testing.assert_close(again.model.eval()(_tokens()), candidate.model(_tokens()))


def test_vector_of_padding_gets_no_gradient():
    model = _network("text_cnn").train()
    model(_tokens()).sum().backward()
    assert not model.embedding.weight.grad[0].any()


def test_encoder_equals_the_encoder_layer_of_torch_with_the_same_weights():
    """The mathematics of both is the same."""
    torch.manual_seed(0)
    ours = Encoder(20, width=8, n_layers=1, n_heads=2, hidden=12, longest=9).eval()
    reference = torch.nn.TransformerEncoderLayer(
        8, 2, 12, activation="gelu", batch_first=True
    ).eval()
    layer = ours.layers[0]
    parts = (layer.attention.query, layer.attention.key, layer.attention.value)
    with torch.no_grad():
        reference.self_attn.in_proj_weight.copy_(torch.cat([p.weight for p in parts]))
        reference.self_attn.in_proj_bias.copy_(torch.cat([p.bias for p in parts]))
    pairs = {
        "self_attn.out_proj": layer.attention.output,
        "linear1": layer.inner,
        "linear2": layer.outer,
        "norm1": layer.norm1,
        "norm2": layer.norm2,
    }
    for name, part in pairs.items():
        reference.get_submodule(name).load_state_dict(part.state_dict())
    tokens = torch.tensor([[3, 4, 5, 0, 0], [6, 7, 8, 9, 10]])
    mask = tokens != 0
    with torch.no_grad():
        x = ours.norm(ours.words(tokens) + ours.places.weight[:5])
        torch.testing.assert_close(
            ours(tokens, mask)[mask], reference(x, src_key_padding_mask=~mask)[mask]
        )


def test_tfidf_is_exported_or_the_error_names_the_locale():
    """ONNX Runtime needs a locale of the machine for lower case, which may be missing."""
    texts = np.array(["Good film film", "bad film", "a good story", "a BAD story"] * 5, object)
    model = tfidf().fit(as_features({"text": texts}), np.array([1, 0] * 10))
    candidate = Candidate("tfidf", "sklearn", model)
    try:
        exported = to_onnx(candidate, {"text": texts})
    except ExportError as error:
        reason = str(error)
    else:
        np.testing.assert_allclose(
            predictor(exported).predict({"text": texts}),
            predictor(candidate).predict({"text": texts}),
            atol=1e-5,
        )
        return
    assert "locale" in reason
