"""The methods of quantization that change something in a graph, and the error for the others.

A graph of decision trees (`TreeEnsembleClassifier`) has no layer with an int8 form and no weight to
store in fewer bits: no method changes it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from workbench.errors import CandidateError
from workbench.techniques.quantization.dynamic import OPERATORS as DYNAMIC
from workbench.techniques.quantization.qdq import COMPUTING
from workbench.techniques.quantization.weight_only import has_constants, has_weights

if TYPE_CHECKING:
    from workbench.technique import Job
    from workbench.techniques.quantization.network import Network

__all__ = ["check_method", "methods_for"]


def methods_for(network: Network, form: str = "onnx") -> tuple[str, ...]:
    """Names of the methods that find something to quantize, whatever `keep_float` says.

    `form` is that of the candidate: aware trains torch networks only.
    """
    op_types = {node.op_type for node in network.model.graph.node}
    layer_types = {layer.op_type for layer in network.layers}
    finds_some = {
        "static": bool(op_types & set(COMPUTING)),
        "dynamic": bool(layer_types & set(DYNAMIC)),
        "weight_only": has_weights(network),
        "float16": has_constants(network),
        "bfloat16": has_constants(network),
        "aware": form == "torch",
    }
    return tuple(name for name, finds in finds_some.items() if finds)


def check_method(network: Network, method: str, job: Job) -> None:
    """Raise CandidateError for a method that finds nothing to quantize, with those that do."""
    start = job.start
    methods = methods_for(network, start.form)
    if method in methods:
        return
    op_types = ", ".join(sorted({node.op_type for node in network.model.graph.node}))
    reasons = {
        "static": f"No operator of this graph has an int8 form; its operators are {op_types}.",
        "dynamic": f"No layer has a dynamic int8 form. {', '.join(DYNAMIC[:4])} have one; the "
        f"operators of this graph are {op_types}.",
        "weight_only": "No weight of this graph is large enough to be stored in fewer bits; its "
        f"operators are {op_types}.",
        "aware": f"The method aware trains a torch network, and `{start.name}` has the form "
        f"{start.form}.",
    }
    reason = reasons.get(method, f"No constant of this graph is large enough to store as {method}.")
    way_out = f"No method of quantization changes `{start.name}`: leave this step out."
    if methods:
        way_out = f"Methods that find something to quantize: {', '.join(methods)}."
    raise CandidateError(f"{reason} {way_out}")
