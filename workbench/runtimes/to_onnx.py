"""Writing a candidate as ONNX, with a check that the file gives the same outputs."""

from __future__ import annotations

import io
import logging
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, redirect_stdout
from dataclasses import replace
from typing import Any

import numpy as np

from workbench.data.notices import notice
from workbench.errors import ExportError, line_of
from workbench.model_form import form_named
from workbench.runtimes import predictor
from workbench.runtimes.feeding import graph_names
from workbench.runtimes.kept_exports import forget
from workbench.task import Candidate

__all__ = ["OPSET", "free_dims", "quiet", "to_onnx"]

OPSET = 18


def to_onnx(candidate: Candidate, inputs: Mapping[str, np.ndarray]) -> Candidate:
    """The same model as an ONNX candidate that takes any batch size.

    `inputs` are prepared rows `(rows, ...)`, at least two. An input without a name has another name
    in the file; a notice tells it. Raises ExportError that names the
    operator, layer or pipeline step that cannot be written, or the difference of the outputs.
    """
    for is_anew in (False, True):
        exported = _written(candidate, inputs)
        if exported is candidate:
            return candidate
        try:
            _compare(candidate, exported, inputs)
            break
        except ExportError:
            was_kept = forget(exported.model)
            if is_anew or not was_kept:
                raise  # else the kept file was damaged, or of another network
    if "" in inputs and len(inputs) > 1:
        notice(
            f"An input has no name. In the ONNX file of `{candidate.name}` it is called "
            f"`{graph_names(inputs)['']}`; the model itself still takes it without a name."
        )
    return exported


def _written(candidate: Candidate, inputs: Mapping[str, np.ndarray]) -> Candidate:
    """The ONNX candidate that the form writes; the candidate itself where it is one."""
    content, outputs = form_named(candidate.form).to_onnx(candidate, inputs)
    if content is candidate.model:
        return candidate
    return replace(
        candidate,
        form="onnx",
        model=content,
        outputs=outputs,
        technique=candidate.technique or "export",
    )


def _compare(source: Candidate, exported: Candidate, inputs: Mapping[str, np.ndarray]) -> None:
    """Raise ExportError unless both give the same outputs, within the form's tolerance."""
    import torch

    rows = {name: a[:16] for name, a in inputs.items()}
    expected = predictor(source, threads=torch.get_num_threads()).predict(rows)
    try:
        actual = predictor(exported).predict(rows).reshape(expected.shape)
    except Exception as error:
        raise ExportError(
            f"The ONNX file of `{source.name}` does not run: {line_of(error, -1)}"
        ) from error
    if exported.outputs in ("probabilities", "label_probabilities"):
        # Logarithms of probabilities near zero differ although the probabilities agree.
        expected, actual = np.exp(expected), np.exp(actual)
    gap = float(np.max(np.abs(expected - actual)))
    scale = float(np.max(np.abs(expected)))
    if not gap <= form_named(source.form).tolerance * max(scale, 1.0):
        raise ExportError(
            f"The ONNX file of `{source.name}` gives other outputs: the difference is {gap:.3g} "
            f"where outputs reach {scale:.3g}."
        )


def free_dims(t: Any) -> dict[int, Any]:
    """Free dimensions of a graph's input, as `torch.export` takes them.

    They are the batch and, if the model allows it, the length of sequences or of tokens.
    """
    import torch

    dims: dict[int, Any] = {0: torch.export.Dim.DYNAMIC}
    if (t.ndim == 2 and not t.is_floating_point()) or (t.ndim == 3 and t.is_floating_point()):
        dims[1] = torch.export.Dim.AUTO
    return dims


@contextmanager
def quiet() -> Iterator[None]:
    """Silence the exporters: their prints, warnings and log lines do not help a user."""
    loggers = [
        logging.getLogger(n)
        for n in ("torch.onnx", "onnxscript", "onnx_ir", "torch.export", "skl2onnx")
    ]
    before = [lg.level for lg in loggers]
    with warnings.catch_warnings(), redirect_stdout(io.StringIO()):
        warnings.simplefilter("ignore")
        for lg in loggers:
            lg.setLevel(logging.ERROR)
        try:
            yield
        finally:
            for lg, level in zip(loggers, before, strict=True):
                lg.setLevel(level)
