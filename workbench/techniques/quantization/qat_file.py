"""What was trained for int8 as a QDQ ONNX file that ONNX Runtime fuses, accepted only if it answers
as the program does.
"""

from __future__ import annotations

import copy
import io
from typing import TYPE_CHECKING

import numpy as np

from workbench.errors import ExportError, sentence_of
from workbench.runtimes import predictor
from workbench.runtimes.to_onnx import OPSET, free_dims
from workbench.task import Candidate
from workbench.techniques.quantization.small import small
from workbench.techniques.quantization.tidy import tidy

if TYPE_CHECKING:
    import torch
    from torch import nn

__all__ = ["written"]

# of the largest output: kernels round otherwise here and there, a graph put together wrongly is
# further off
DISAGREES = 0.2


def written(rehearsal: nn.Module, inputs: dict[str, torch.Tensor], start: Candidate) -> bytes:
    """The trained program as QDQ ONNX that ONNX Runtime fuses; raises ExportError when it answers
    differently.
    """
    import onnx
    import torch
    from torchao.quantization.pt2e.quantize_pt2e import convert_pt2e

    with torch.no_grad():
        rehearsal.eval()(*inputs.values())  # the grids of the weights as they are now
        program = convert_pt2e(copy.deepcopy(rehearsal.program))
        wanted = program(*inputs.values()).numpy()
    buffer = io.BytesIO()
    try:
        exported = torch.onnx.export(
            torch.export.export(
                program,
                tuple(inputs.values()),
                dynamic_shapes=tuple(free_dims(t) for t in inputs.values()),
            ),
            dynamo=True,
            opset_version=OPSET,
            input_names=list(inputs),
            output_names=["output"],
            verbose=False,
        )
        exported.optimize()
        exported.save(buffer)
    except Exception as error:
        raise ExportError(
            f"`{start.name}` was trained for int8, and cannot be written as ONNX by "
            f"torch.onnx.export: {sentence_of(error)} Rewrite that part, or take the method "
            "static."
        ) from error
    model = onnx.load_from_string(buffer.getvalue())
    tidy(model)
    content = small(model)
    made = start.child(start.name, "quantization", form="onnx", model=content)
    got = (
        predictor(made, threads=1)
        .predict({n: t.numpy() for n, t in inputs.items()})
        .reshape(wanted.shape)
    )
    gap, scale = float(np.abs(got - wanted).max()), float(np.abs(wanted).max())
    if not gap <= DISAGREES * max(scale, 1.0):
        raise ExportError(
            f"The int8 file of `{start.name}` answers differently: off by {gap:.3g} where outputs "
            f"reach {scale:.3g}."
        )
    return content
