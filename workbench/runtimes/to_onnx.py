"""Writing a candidate as ONNX: torch's current exporter or skl2onnx, and no file that answers
differently is accepted.
"""

from __future__ import annotations

import copy
import io
import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from typing import Any

import numpy as np

from workbench.errors import ExportError, MissingExtra, line_of
from workbench.runtimes import predictor
from workbench.task import Candidate

__all__ = ["free_dims", "quiet", "to_onnx", "trimmed"]

OPSET = 18
TOLERANCE = 2e-3  # of the largest output; other kernels sum in another order


def to_onnx(candidate: Candidate, inputs: dict[str, np.ndarray]) -> Candidate:
    """The same model as an ONNX candidate with a dynamic batch, accepted only if its outputs agree.

    `inputs` are prepared rows `(rows, ...)`, two at least. Raises ExportError that names the
    operator, layer or pipeline step that cannot be written.
    """
    if candidate.form == "onnx":
        return candidate
    content = (
        _from_torch(candidate, inputs)
        if candidate.form == "torch"
        else _from_sklearn(candidate, inputs)
    )
    outputs = candidate.outputs
    if candidate.form == "sklearn" and hasattr(candidate.model, "predict_proba"):
        outputs = (
            "label_probabilities" if candidate.outputs == "label_probabilities" else "probabilities"
        )
    made = candidate.child(
        candidate.name, candidate.technique or "export", form="onnx", model=content, outputs=outputs
    )
    made = Candidate(**{**made.__dict__, "parent": candidate.parent})
    _compare(candidate, made, inputs)
    return made


def _from_torch(candidate: Candidate, inputs: dict[str, np.ndarray]) -> bytes:
    import torch

    from workbench.data.tensors import tensor

    model = copy.deepcopy(candidate.model).to("cpu").eval()
    rows = {
        name: np.concatenate([a[:2], a[:1]]) for name, a in inputs.items()
    }  # 3: neither 1 nor a usual fixed size
    tensors = {name: tensor(a, "cpu") for name, a in rows.items()}
    by_name = len(tensors) > 1 and all(n in _parameters(model) for n in tensors)
    shapes = {name: free_dims(t) for name, t in tensors.items()}
    arguments: dict[str, Any] = (
        {"kwargs": tensors, "dynamic_shapes": shapes, "args": ()}
        if by_name
        else {"args": tuple(tensors.values()), "dynamic_shapes": tuple(shapes.values())}
    )
    buffer = io.BytesIO()
    try:
        with quiet():
            program = torch.onnx.export(
                model,
                **arguments,
                dynamo=True,
                opset_version=OPSET,
                input_names=list(tensors),
                output_names=["output"],
                verbose=False,
            )
            program.optimize()
            program.save(buffer)
    except Exception as error:
        raise ExportError(
            f"`{candidate.name}` cannot be written as ONNX by torch.onnx.export: "
            f"{line_of(error, -1)}. Models whose control flow depends on values, or that use "
            "operators without an ONNX form, need that part rewritten."
        ) from error
    return trimmed(buffer.getvalue())


def trimmed(content: bytes) -> bytes:
    """The file without what only a debugger reads: node names' metadata, documentation, shapes of
    inner values.
    """
    import onnx

    model = onnx.load_from_string(content)
    del model.metadata_props[:]
    del model.graph.metadata_props[:]
    del model.graph.value_info[:]
    for node in model.graph.node:
        del node.metadata_props[:]
        node.doc_string = ""
    for item in (*model.graph.initializer, *model.graph.input, *model.graph.output):
        item.doc_string = ""
        del item.metadata_props[:]
    return model.SerializeToString()


def _from_sklearn(candidate: Candidate, inputs: dict[str, np.ndarray]) -> bytes:
    try:
        from skl2onnx import to_onnx as convert
        from skl2onnx.common.data_types import FloatTensorType, Int64TensorType, StringTensorType
    except ImportError as error:
        raise MissingExtra("Writing scikit-learn models as ONNX", "sklearn-onnx") from error
    from workbench.models.estimators import as_features

    features = as_features(inputs)
    is_text = isinstance(features, np.ndarray) and features.ndim == 1
    if isinstance(features, np.ndarray):
        types = [
            (
                next(iter(inputs)),
                StringTensorType([None, 1])
                if is_text
                else FloatTensorType([None, features.shape[1]]),
            )
        ]
    else:
        of = {
            "f": FloatTensorType,
            "i": Int64TensorType,
            "u": Int64TensorType,
            "b": Int64TensorType,
        }
        types = [
            (name, of.get(a.dtype.kind, StringTensorType)([None, 1])) for name, a in inputs.items()
        ]
    options: dict[Any, Any] = (
        {id(candidate.model): {"zipmap": False}}
        if hasattr(candidate.model, "predict_proba")
        else {}
    )
    if is_text:
        from sklearn.feature_extraction.text import CountVectorizer, TfidfVectorizer

        options |= {
            kind: {"locale": "C"}
            for kind in (TfidfVectorizer, CountVectorizer)
            if _holds(candidate.model, kind)
        }
    try:
        with quiet():
            return convert(
                candidate.model, initial_types=types, options=options or None, target_opset=OPSET
            ).SerializeToString()
    except Exception as error:
        step = _failing_step(candidate.model, str(error))
        raise ExportError(
            f"`{candidate.name}` cannot be written as ONNX: skl2onnx has no converter for {step}. "
            f"Replace that step, or keep the model in scikit-learn. ({line_of(error, -1)})"
        ) from error


def _holds(estimator: Any, kind: type) -> bool:
    """Whether a pipeline has a step of a kind, or is one itself."""
    return isinstance(estimator, kind) or any(
        isinstance(step, kind) for _, step in getattr(estimator, "steps", [])
    )


def _failing_step(estimator: Any, message: str) -> str:
    """The step of a pipeline that the error is about, by the class it names."""
    names = [type(estimator).__name__]
    stack = [estimator]
    while stack:
        current = stack.pop()
        inner = [
            s[1] for s in getattr(current, "steps", []) or getattr(current, "transformers", [])
        ]
        stack += [i for i in inner if not isinstance(i, str)]
        names += [type(i).__name__ for i in inner if not isinstance(i, str)]
    return next((f"`{n}`" for n in reversed(names) if n in message), f"`{names[0]}`")


def _compare(source: Candidate, made: Candidate, inputs: dict[str, np.ndarray]) -> None:
    import torch

    rows = {name: a[:16] for name, a in inputs.items()}
    threads = torch.get_num_threads()
    wanted = predictor(source, threads=threads).predict(rows)
    try:
        got = predictor(made).predict(rows).reshape(wanted.shape)
    except Exception as error:
        raise ExportError(
            f"The ONNX file of `{source.name}` does not run: {line_of(error, -1)}"
        ) from error
    if hasattr(
        source.model, "predict_proba"
    ):  # log-probabilities near minus infinity differ for no reason that matters
        wanted, got = np.exp(wanted), np.exp(got)
    gap, scale = float(np.max(np.abs(wanted - got))), float(np.max(np.abs(wanted)))
    if not gap <= TOLERANCE * max(scale, 1.0):
        raise ExportError(
            f"The ONNX file of `{source.name}` answers differently: off by {gap:.3g} where outputs "
            f"reach {scale:.3g}."
        )


def free_dims(t: Any) -> dict[int, Any]:
    """Dimensions that the graph leaves free: the batch; and the length of sequences or of tokens,
    where the model allows it.
    """
    import torch

    dims: dict[int, Any] = {0: torch.export.Dim.DYNAMIC}
    if (t.ndim == 2 and not t.is_floating_point()) or (t.ndim == 3 and t.is_floating_point()):
        dims[1] = torch.export.Dim.AUTO
    return dims


def _parameters(model: Any) -> Any:
    import inspect

    return inspect.signature(model.forward).parameters


@contextmanager
def quiet() -> Iterator[None]:
    """The exporters chat on standard output and through warnings; none of it helps a user."""
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
