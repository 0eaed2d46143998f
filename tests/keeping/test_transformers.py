"""Networks of `transformers`, made from a config: kept, loaded in a new process, and pruned."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from workbench.keeping.candidates import keep
from workbench.keeping.structure import describe, read_network, save_network
from workbench.task import Candidate
from workbench.techniques.pruning.depth import removable_blocks, without_blocks

transformers = pytest.importorskip("transformers", reason="the extra `text` is not installed")

SIZES = {"vocab_size": 100, "num_labels": 3, "max_position_embeddings": 32}
BERT = {
    "hidden_size": 16,
    "num_hidden_layers": 3,
    "num_attention_heads": 2,
    "intermediate_size": 32,
}
DISTIL = {"dim": 16, "n_layers": 3, "n_heads": 2, "hidden_dim": 32}
KINDS = {"Bert": BERT, "DistilBert": DISTIL, "Roberta": BERT, "Electra": BERT}
LOAD = """
import sys
import numpy as np
import torch
from workbench.keeping.candidates import load_kept
rows = {name: torch.from_numpy(array) for name, array in np.load("rows.npz").items()}
for folder in sys.argv[1:]:
    model = load_kept(folder).model
    with torch.no_grad():
        outputs = model(**rows)["logits"].numpy()
    assert np.abs(outputs - np.load(folder + "/expected.npy")).max() < 1e-5, folder
assert "transformers" not in sys.modules
print("loaded")
"""


def network(kind: str, attention: str = "sdpa") -> Any:
    torch.manual_seed(0)
    made = getattr(transformers, f"{kind}Config")(
        **SIZES, **KINDS[kind], attn_implementation=attention
    )
    return getattr(transformers, f"{kind}ForSequenceClassification")(made).eval()


def rows_of(n: int, seed: int = 0) -> dict[str, torch.Tensor]:
    """Tokens `(n, 8)` and their mask; the rows have different lengths."""
    generator = torch.Generator().manual_seed(seed)
    ids = torch.randint(5, 100, (n, 8), generator=generator)
    lengths = torch.randint(2, 9, (n, 1), generator=generator)
    return {"input_ids": ids, "attention_mask": (torch.arange(8) < lengths).long()}


def logits(net: nn.Module, rows: dict[str, torch.Tensor]) -> torch.Tensor:
    with torch.no_grad():
        return net(**rows).logits


@pytest.mark.parametrize("kind", list(KINDS))
@pytest.mark.parametrize("attention", ["sdpa", "eager"])
def test_network_loads_without_its_class_and_takes_other_masks(kind, attention, tmp_path: Path):
    net = network(kind, attention)
    structure = save_network(net, tmp_path, rows_of(4))
    assert structure["reason"] is None
    assert structure["trains"], structure["notes"]
    loaded = read_network(tmp_path)
    for seed in range(3):
        rows = rows_of(6, seed)
        torch.testing.assert_close(logits(loaded, rows), logits(net, rows))


def test_kept_candidate_loads_in_a_new_process_without_transformers(tmp_path: Path):
    rows = {name: value.numpy() for name, value in rows_of(4, seed=1).items()}
    np.savez(tmp_path / "rows.npz", **rows)
    for kind, attention in (("Bert", "eager"), ("DistilBert", "sdpa")):
        net = network(kind, attention)
        keep(Candidate(kind, "torch", net), tmp_path / kind, rows)
        expected = logits(net, {n: torch.from_numpy(a) for n, a in rows.items()})
        np.save(tmp_path / kind / "expected.npy", expected.numpy())
    run = [sys.executable, "-c", LOAD, "Bert", "DistilBert"]
    done = subprocess.run(run, cwd=tmp_path, capture_output=True, text=True, timeout=240)
    assert done.stdout.strip() == "loaded", done.stderr


@pytest.mark.parametrize("kind", ["Bert", "DistilBert"])
def test_network_without_a_block_loads_into_a_template_with_all_blocks(kind, tmp_path: Path):
    net = network(kind)
    blocks = removable_blocks(net, rows_of(2))
    assert len(blocks) == 3
    pruned = without_blocks(net, blocks[:1]).eval()
    save_network(pruned, tmp_path, rows_of(4))
    loaded = read_network(tmp_path, network(kind))
    assert type(loaded) is type(net)
    assert list(loaded.state_dict()) == list(pruned.state_dict())
    assert torch.equal(logits(loaded, rows_of(5)), logits(pruned, rows_of(5)))


class MakesLayers(nn.Module):
    """Makes an activation in each call, and a layer with weights where `weighted`."""

    def __init__(self, weighted: bool) -> None:
        super().__init__()
        self.body, self.weighted = nn.Linear(4, 4), weighted

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = nn.GELU()(self.body(x))
        return nn.Linear(4, 4)(x) if self.weighted else nn.Softmax(dim=1)(x)


class FillsWithLimit(nn.Module):
    """Uses the limits of the dtype of a tensor."""

    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Linear(4, 4)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = self.body(x)
        y = y.masked_fill(x > 0, torch.finfo(y.dtype).min / 1e30)
        n = torch.iinfo(x.long().dtype).bits + torch.iinfo(type=torch.int8).max
        return y / n * torch.finfo().eps


def test_layer_made_in_forward_is_followed_unless_it_has_weights(tmp_path: Path):
    rows = {"x": torch.randn(3, 4)}
    net = MakesLayers(weighted=False).eval()
    assert save_network(net, tmp_path, rows)["reason"] is None
    torch.testing.assert_close(read_network(tmp_path)(rows["x"]), net(rows["x"]))
    reason = describe(MakesLayers(weighted=True), rows)["reason"]
    assert "makes a new Linear with new weights in each call; make it in the constructor" in reason


def test_limits_of_the_dtype_of_a_tensor_are_followed(tmp_path: Path):
    rows = {"x": torch.randn(3, 4)}
    net = FillsWithLimit().eval()
    finfo = torch.finfo
    assert save_network(net, tmp_path, rows)["reason"] is None
    torch.testing.assert_close(read_network(tmp_path)(rows["x"]), net(rows["x"]))
    assert torch.finfo is finfo
