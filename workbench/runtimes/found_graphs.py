"""read_graph(): an ONNX file as people have it, as the bytes of one graph that runs here.

    weights in files beside it   -> taken in
    opset below 13               -> converted
    ZipMap (scikit-learn)        -> left out: probabilities as one array
    text, empty, cut, too old    -> refused

Each change that a user should know of gives a sentence.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from workbench.errors import TaskError, line_of
from workbench.runtimes.graphs import fixed_batch, graph_inputs
from workbench.runtimes.onnx_runtime import OnnxPredictor

if TYPE_CHECKING:
    import onnx

__all__ = ["free_batch", "read_graph"]

OLDEST = 13  # per-channel scales and newer operators need it
MOST_BYTES = 2**31 - 1  # of one protobuf message
FIRST_BYTES = {
    b"PK\x03\x04": "a zip archive (a PyTorch checkpoint, say)",
    b"\x1f\x8b": "a gzip file",
    b"\x80\x04": "a pickle",
    b"\x80\x02": "a pickle",
    b"\x89HDF": "an HDF5 file (Keras)",
    b"GGUF": "a GGUF file",
    b"ORTM": "an .ort file of ONNX Runtime",
}


def read_graph(source: bytes | Path, name: str = "`model`") -> tuple[bytes, tuple[str, ...]]:
    """The content of an ONNX file in one piece, and sentences about what was changed.

    `name` is how errors call it. Raises TaskError for a file that is missing, no ONNX file, without
    its weights, larger than 2 GiB, or of an operator set that cannot be converted.
    """
    content = source if isinstance(source, bytes) else _content(source, name)
    model = _parsed(content, name)
    model = _with_weights(model, source, name)
    notes = []
    without_map = _without_zipmap(model)
    model, converted = _in_new_opset(model, name)
    if without_map:
        notes.append(f"ZipMap was left out of {name}: it gives its probabilities as one array.")
    if converted:
        notes.append(converted)
    if not notes and isinstance(source, bytes):
        return source, ()
    if model.ByteSize() > MOST_BYTES:
        raise TaskError(f"{name} is larger than 2 GiB in one piece, which ONNX cannot hold.")
    return model.SerializeToString(), tuple(notes)


def free_batch(content: bytes) -> bytes:
    """The graph with a free batch size where it then computes the same; else as it is.

    A graph exported with a fixed batch often takes any. It is tried on random rows, one batch after
    the other against all at once.
    """
    import onnx

    size = fixed_batch(content)
    if not size:
        return content
    model = onnx.load_from_string(content)
    for value in (*graph_inputs(model), *model.graph.output):
        dims = value.type.tensor_type.shape.dim
        if dims and dims[0].dim_value == size:
            dims[0].dim_param = "batch"
    del model.graph.value_info[:]
    freed = model.SerializeToString()
    inputs = _random_rows(model, 2 * size + 1)
    if inputs is None:
        return content
    try:
        expected = OnnxPredictor(content, outputs="values", threads=1).predict(inputs)
        outputs = OnnxPredictor(freed, outputs="values", threads=1).predict(inputs)
    except Exception:  # of ONNX Runtime: a shape inside that is a number
        return content
    same = outputs.shape == expected.shape and np.allclose(outputs, expected, 1e-3, 1e-4)
    return freed if same else content


def _random_rows(model: onnx.ModelProto, n_rows: int) -> dict[str, np.ndarray] | None:
    """Named inputs `(n_rows, ...)`; None where another dimension is free, or values are text."""
    rng = np.random.default_rng(0)
    inputs: dict[str, np.ndarray] = {}
    for value in graph_inputs(model):
        tensor = value.type.tensor_type
        shape = [d.dim_value for d in tensor.shape.dim]
        if not shape or not all(shape[1:]) or tensor.elem_type == _text():
            return None
        inputs[value.name] = rng.uniform(0, 2, (n_rows, *shape[1:])).astype(np.float32)
    return inputs


def _text() -> int:
    """ONNX's number for tensors of text."""
    import onnx

    return int(onnx.TensorProto.STRING)


def _content(path: Path, name: str) -> bytes:
    if path.is_dir():
        raise TaskError(f"{name} is the folder {path}: give the ONNX file in it.")
    if not path.is_file():
        raise TaskError(
            f"{name} names no file {path}, and a reference is written as package.module:function."
        )
    try:
        return path.read_bytes()
    except OSError as error:
        raise TaskError(f"{path} cannot be read: {error.strerror or error}.") from error


def _parsed(content: bytes, name: str) -> onnx.ModelProto:
    import onnx
    from google.protobuf.message import DecodeError

    if not content:
        raise TaskError(f"{name} is empty: it holds no ONNX graph.")
    try:
        model = onnx.load_from_string(content)
    except (DecodeError, ValueError) as error:
        raise TaskError(f"{name} is no ONNX file: {_looks_like(content)}") from error
    if not model.graph.node or not model.opset_import:
        raise TaskError(f"{name} is no ONNX file: {_looks_like(content)}")
    return model


def _looks_like(content: bytes) -> str:
    """What the bytes are instead, as a sentence."""
    for start, kind in FIRST_BYTES.items():
        if content.startswith(start):
            return f"it is {kind}. Export the model as ONNX first."
    try:
        text = content[:60].decode("utf-8")
    except UnicodeDecodeError:
        return "its bytes end too early or are damaged. Copy or export it again."
    if text.isprintable() or "\n" in text:
        return f"it is text, which begins with {text.splitlines()[0][:40]!r}."
    return "it holds no graph. Copy or export it again."


def _with_weights(model: onnx.ModelProto, source: bytes | Path, name: str) -> onnx.ModelProto:
    """The model with weights of files beside it taken in."""
    from onnx.external_data_helper import load_external_data_for_model, uses_external_data

    outside = [w for w in model.graph.initializer if uses_external_data(w)]
    if not outside:
        return model
    files = sorted({e.value for w in outside for e in w.external_data if e.key == "location"})
    if isinstance(source, bytes):
        raise TaskError(
            f"{name} holds no weights: they are in {', '.join(files)} beside its file. Give the "
            "path of the file in place of its bytes."
        )
    try:
        load_external_data_for_model(model, str(source.parent))
    except Exception as error:  # of onnx: missing, too short, or outside the folder
        raise TaskError(
            f"The weights of {source.name} are in {', '.join(files)}, which cannot be read: "
            f"{line_of(error)}. Keep both files in one folder."
        ) from error
    return model


def _without_zipmap(model: onnx.ModelProto) -> bool:
    """Make the input of each ZipMap an output in its place; whether there was one."""
    import onnx

    maps = [n for n in model.graph.node if n.op_type == "ZipMap"]
    for node in maps:
        model.graph.node.remove(node)
        outputs = list(model.graph.output)
        place = next((i for i, o in enumerate(outputs) if o.name == node.output[0]), None)
        if place is not None:
            array = onnx.helper.make_tensor_value_info(
                node.input[0], onnx.TensorProto.FLOAT, [None, None]
            )
            del model.graph.output[:]
            model.graph.output.extend([*outputs[:place], array, *outputs[place + 1 :]])
    return bool(maps)


def _in_new_opset(model: onnx.ModelProto, name: str) -> tuple[onnx.ModelProto, str]:
    """The model in opset 13 or newer, and a sentence if it was older."""
    from onnx import checker, version_converter

    opset = next((o.version for o in model.opset_import if o.domain in ("", "ai.onnx")), OLDEST)
    if opset >= OLDEST:
        return model, ""
    try:
        converted: Any = version_converter.convert_version(model, OLDEST)
        converted.ir_version = max(converted.ir_version, 7)
        checker.check_model(converted)
    except Exception as error:  # onnx gives RuntimeError, ValidationError and others
        raise TaskError(
            f"{name} is of opset {opset}, and could not be converted to opset {OLDEST}: "
            f"{line_of(error)}. Export it again with `opset_version={OLDEST}` or newer."
        ) from error
    return converted, f"{name} was of opset {opset}, and was converted to opset {OLDEST}."
