"""Write down a layer of torch.nn as its class and constructor arguments, read off the instance;
`load_network.py` reads it.

Pruning changes `in_channels` and its like together with the weights, so what the instance says
today makes the layer again.
"""

from __future__ import annotations

import inspect
import math
import numbers
from collections.abc import Mapping
from typing import Any

import torch
from torch import fx, nn

from workbench.keeping.load_network import CONSTANTS, HELPERS, Choice, StructureError, module_from

__all__ = ["encode", "spec_of"]


def encode(value: Any) -> Any:
    """A value of a graph or constructor as JSON, kinds that JSON lacks as `{"$kind": ...}`; raises
    StructureError.
    """
    if isinstance(value, fx.Node):
        return {"$node": value.name}
    if value is None or isinstance(value, (bool, str)):
        return value
    if isinstance(value, numbers.Integral):
        return int(value)
    if isinstance(value, numbers.Real):
        return float(value) if math.isfinite(value) else {"$float": str(float(value))}
    if value is Ellipsis:
        return {"$ellipsis": True}
    if isinstance(value, slice):
        return {"$slice": [encode(v) for v in (value.start, value.stop, value.step)]}
    if isinstance(value, tuple):
        return {"$tuple": [encode(v) for v in value]}
    if isinstance(value, list):
        return [encode(v) for v in value]
    if isinstance(value, Mapping):
        return {"$dict": [[encode(k), encode(v)] for k, v in value.items()]}
    if isinstance(value, CONSTANTS):
        return {"$torch": str(value).removeprefix("torch.")}
    if isinstance(value, torch.device):
        return {"$device": str(value)}
    if isinstance(value, torch.Tensor):
        return {
            "$empty": list(value.shape)
        }  # an argument such as a loss's class weights: a buffer too, filled from there
    if isinstance(value, nn.Module):
        return {"$module": spec_of(value)}
    raise StructureError(f"a value of type {type(value).__name__} cannot be written down")


def spec_of(module: nn.Module) -> dict[str, Any]:
    """The class and constructor arguments of a layer of torch.nn, read off the instance; raises
    StructureError.
    """
    name = type(module).__name__
    if HELPERS.get(name, getattr(nn, name, None)) is not type(module):
        raise StructureError(f"{name} is not a layer of torch.nn")
    spec = {"class": name, "args": {k: encode(v) for k, v in _arguments(module).items()}}
    with torch.device("meta"):
        made = module_from(spec)
    for kind in ("_parameters", "_buffers"):  # its children have entries of their own
        ours, theirs = (
            {k: v.shape for k, v in getattr(m, kind).items() if v is not None}
            for m in (module, made)
        )
        if ours != theirs:
            raise StructureError(
                f"{name} holds other tensors than its attributes say (is its weight masked or "
                "parametrized?)"
            )
    return spec


def _arguments(module: nn.Module) -> dict[str, Any]:
    if isinstance(module, Choice):
        return {"train": module.train_value, "evaluate": module.eval_value}
    if isinstance(module, (nn.TransformerEncoderLayer, nn.TransformerDecoderLayer)):
        attention, activation = module.self_attn, module.activation
        names = {nn.functional.relu: "relu", nn.functional.gelu: "gelu"}
        return {
            "d_model": attention.embed_dim,
            "nhead": attention.num_heads,
            "dim_feedforward": module.linear1.out_features,
            "dropout": module.dropout.p,
            "activation": names.get(activation, activation),
            "layer_norm_eps": module.norm1.eps,
            "batch_first": attention.batch_first,
            "norm_first": module.norm_first,
            "bias": module.linear1.bias is not None,
        }
    if isinstance(
        module, nn.TransformerEncoder
    ):  # `use_nested_tensor` is what came of the wish; asking again would warn
        return {
            "encoder_layer": module.layers[0],
            "num_layers": len(module.layers),
            "norm": module.norm,
            "enable_nested_tensor": module.use_nested_tensor,
            "mask_check": module.mask_check,
        }
    if isinstance(module, nn.TransformerDecoder):
        return {
            "decoder_layer": module.layers[0],
            "num_layers": len(module.layers),
            "norm": module.norm,
        }
    if isinstance(module, nn.MultiheadAttention):
        names = (
            "embed_dim",
            "num_heads",
            "dropout",
            "add_zero_attn",
            "kdim",
            "vdim",
            "batch_first",
        )
        flags = {"bias": module.in_proj_bias is not None, "add_bias_kv": module.bias_k is not None}
        return flags | {name: getattr(module, name) for name in names}
    recurrent = isinstance(module, nn.RNNBase)  # LSTM, GRU and RNN only pass *args on to it
    unwanted = {"device", "dtype"} | ({"mode"} if recurrent else set())
    unwanted |= (
        set() if isinstance(module, nn.LSTM) else {"proj_size"}
    )  # the others refuse it even where it is 0
    names = [
        *inspect.signature(nn.RNNBase if recurrent else type(module)).parameters,
        *(["nonlinearity"] if recurrent else []),
    ]
    found = {
        n: getattr(module, n)
        for n in names
        if n not in unwanted and not n.startswith("_") and hasattr(module, n)
    }
    if not isinstance(found.get("bias", True), bool):
        found["bias"] = found["bias"] is not None
    return found
