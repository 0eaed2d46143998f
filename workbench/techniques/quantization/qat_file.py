"""Write the trained network as a QDQ ONNX file that ONNX Runtime computes in int8."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING

import numpy as np

from workbench.errors import ExportError, sentence_of
from workbench.runtimes import predictor
from workbench.runtimes.to_onnx import free_dims
from workbench.runtimes.torch_export import onnx_content
from workbench.task import Candidate
from workbench.techniques.quantization.strip import compacted
from workbench.techniques.quantization.tidy import tidy

if TYPE_CHECKING:
    import torch
    from torch import fx, nn

__all__ = ["MAX_DIFFERENCE", "written"]

# Share of the largest output. Single values differ because kernels round differently; a graph that
# is written wrongly differs by more.
MAX_DIFFERENCE = 0.2


def written(model: nn.Module, inputs: dict[str, torch.Tensor], start: Candidate) -> bytes:
    """The fake-quantized network as QDQ ONNX.

    `inputs` are prepared rows `(rows, ...)`, `start` is the candidate before training, for its name
    and preparation. Raises ExportError when the network cannot be written, or when the outputs of
    the file differ from its own.
    """
    import torch
    from torchao.quantization.pt2e.quantize_pt2e import convert_pt2e

    with torch.no_grad():
        model.eval()(*inputs.values())  # updates the scales of the weights
        program = convert_pt2e(copy.deepcopy(model.program))
        outputs = program(*inputs.values()).numpy()
    content = _exported(program, inputs, start.name)
    candidate = start.child(start.name, "quantization", form="onnx", model=content)
    arrays = {name: tensor.numpy() for name, tensor in inputs.items()}
    file_outputs = predictor(candidate, threads=1).predict(arrays).reshape(outputs.shape)
    difference = float(np.abs(file_outputs - outputs).max())
    largest = float(np.abs(outputs).max())
    if not difference <= MAX_DIFFERENCE * max(largest, 1.0):  # true for NaN too
        raise ExportError(
            f"The outputs of the int8 file of `{start.name}` differ from those of the trained "
            f"network by {difference:.3g}, and the largest output is {largest:.3g}. Use the method "
            "static."
        )
    return content


def _exported(program: fx.GraphModule, inputs: dict[str, torch.Tensor], name: str) -> bytes:
    import onnx
    import torch

    arguments = tuple(inputs.values())
    shapes = tuple(free_dims(tensor) for tensor in arguments)
    try:
        content = onnx_content(
            torch.export.export(program, arguments, dynamic_shapes=shapes), list(inputs)
        )
    except Exception as error:
        raise ExportError(
            f"`{name}` was trained for int8, but torch.onnx.export cannot write it as ONNX: "
            f"{sentence_of(error)} Rewrite that part, or use the method static."
        ) from error
    model = onnx.load_from_string(content)
    tidy(model)
    return compacted(model)
