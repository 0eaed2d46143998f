"""Kept candidates: no pickle, checked by hash, loaded into the user's own class, and without this
package.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys

import numpy as np
import pytest

from workbench.errors import CandidateError
from workbench.keeping.candidates import keep, load_kept
from workbench.runtimes import predictor
from workbench.technique import Job
from workbench.techniques import get_technique


@pytest.fixture(scope="module")
def pruned(digits_task, digits_cnn, tmp_path_factory):
    """A pruned network, the folder where it is kept, and the entries of `keep`."""
    pruning = get_technique("pruning")
    folder = tmp_path_factory.mktemp("pruned")
    job = Job(digits_task.without_test(), digits_cnn, folder / "work")
    (folder / "work").mkdir()
    candidate = pruning(job, pruning.settings(budget="smoke", fit={"epochs": 1})).candidate
    about = keep(candidate, folder / "kept", digits_task.example(16))
    return candidate, folder / "kept", about


@pytest.fixture
def kept(pruned, tmp_path):
    """The pruned network, and a folder of this test where it is kept."""
    candidate, folder, _ = pruned
    shutil.copytree(folder, tmp_path, dirs_exist_ok=True)
    return candidate, tmp_path


def test_pruned_network_comes_back_in_the_users_own_class_with_the_same_answers(
    pruned, digits_task
):
    pruned, folder, about = pruned
    assert set(about["sha256"]) == {"model.onnx", "model.safetensors"}
    back = load_kept(folder, build=digits_task.builders["cnn"])
    assert type(back.model) is type(pruned.model)
    rows = digits_task.example(8)
    wanted = predictor(pruned).predict(rows)
    np.testing.assert_allclose(predictor(back).predict(rows), wanted, atol=1e-5)
    np.testing.assert_allclose(
        predictor(load_kept(folder, form="onnx")).predict(rows), wanted, atol=1e-3
    )
    assert (back.name, back.parent, back.technique, back.prepare) == (
        pruned.name,
        pruned.parent,
        "pruning",
        pruned.prepare,
    )


def test_kept_files_load_where_this_package_does_not_exist(kept, digits_task):
    pruned, folder = kept
    rows = digits_task.example(8)
    np.save(folder / "rows.npy", rows["image"])
    np.save(folder / "wanted.npy", predictor(pruned).predict(rows))
    code = """
import sys
class Absent:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in ("workbench", "torch_pruning"):
            raise ModuleNotFoundError(name)
sys.meta_path.insert(0, Absent())
import numpy as np, torch, onnxruntime
sys.path.insert(0, ".")
from load_network import load
rows, wanted = np.load("rows.npy"), np.load("wanted.npy")
with torch.no_grad():
    got = load(".")(torch.from_numpy(rows)).numpy()
assert np.abs(got - wanted).max() < 1e-4
session = onnxruntime.InferenceSession("model.onnx")
assert np.abs(session.run(None, {session.get_inputs()[0].name: rows})[0] - wanted).max() < 1e-3
assert not any(m.split(".")[0] == "workbench" for m in sys.modules)
print("loaded")
"""
    done = subprocess.run(
        [sys.executable, "-I", "-c", code],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.stdout.strip() == "loaded", done.stderr


def test_changed_or_missing_file_is_refused(kept):
    _, folder = kept
    (folder / "model.onnx").write_bytes((folder / "model.onnx").read_bytes() + b"x")
    with pytest.raises(CandidateError, match="missing or was changed since it was kept"):
        load_kept(folder)
    with pytest.raises(CandidateError, match="not the folder of a kept candidate"):
        load_kept(folder / "nowhere")


def test_record_without_the_outputs_of_its_onnx_file_is_refused(kept):
    _, folder = kept
    about = json.loads((folder / "candidate.json").read_text(encoding="utf-8"))
    del about["onnx_outputs"]
    (folder / "candidate.json").write_text(json.dumps(about), encoding="utf-8")
    assert load_kept(folder).form == "torch", "the network itself does not need it"
    with pytest.raises(CandidateError, match="has no entry `onnx_outputs`.*run the step again"):
        load_kept(folder, form="onnx")


def test_record_of_a_model_without_a_file_says_why(kept):
    _, folder = kept
    about = json.loads((folder / "candidate.json").read_text(encoding="utf-8"))
    (folder / "candidate.json").write_text(json.dumps(about | {"kept": "refit"}), "utf-8")
    with pytest.raises(CandidateError, match="is damaged.*reason"):
        load_kept(folder)


def test_network_that_cannot_become_onnx_is_kept_with_the_reason(digits_task, digits_cnn, tmp_path):
    import dataclasses

    from torch import nn

    class Odd(nn.Module):
        def __init__(self):
            super().__init__()
            self.inner = digits_cnn.model

        def forward(self, image):
            return self.inner(image) if image.mean().item() < 1e9 else image

    about = keep(dataclasses.replace(digits_cnn, model=Odd()), tmp_path, digits_task.example(16))
    assert "cannot be written as ONNX" in about["onnx_error"]
    with pytest.raises(CandidateError, match="holds no ONNX file"):
        load_kept(tmp_path, form="onnx")
    rows = digits_task.example(4)
    back = load_kept(tmp_path, build=Odd)
    np.testing.assert_allclose(
        predictor(back).predict(rows), predictor(digits_cnn).predict(rows), atol=1e-5
    )
    assert json.loads((tmp_path / "structure.json").read_text())["graph"] is None
