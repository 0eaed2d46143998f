"""A layer of torch.nn as JSON: its class and constructor arguments, for `load_network.py`.

The arguments are read from the instance: pruning changes `in_channels` and similar attributes
together with the weights, so the attributes of today make the same layer again.
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
    """A value of a graph or constructor as JSON.

    Kinds that JSON lacks become `{"$kind": ...}`. Raises StructureError for an unknown kind.
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
        # An argument such as a loss's class weights is a buffer too, which the weights fill.
        return {"$empty": list(value.shape)}
    if isinstance(value, nn.Module):
        return {"$module": spec_of(value)}
    raise StructureError(f"a value of type {type(value).__name__} cannot be kept")


def spec_of(module: nn.Module) -> dict[str, Any]:
    """The class and constructor arguments of a layer of torch.nn, read from the instance.

    Raises StructureError for another class, and for a layer with tensors that its class does not
    make, such as masks.
    """
    name = type(module).__name__
    if HELPERS.get(name, getattr(nn, name, None)) is not type(module):
        raise StructureError(f"{name} is not a layer of torch.nn")
    spec = {"class": name, "args": {k: encode(v) for k, v in _arguments(module).items()}}
    with torch.device("meta"):
        rebuilt = module_from(spec)
    if _shapes(module) != _shapes(rebuilt):
        raise StructureError(
            f"the tensors of {name} do not fit its attributes (is its weight masked or "
            "parametrized?)"
        )
    return spec


def _shapes(module: nn.Module) -> list[dict[str, torch.Size]]:
    """Shapes of the layer's own parameters and buffers; its children have entries of their own."""
    return [
        {name: tensor.shape for name, tensor in tensors.items() if tensor is not None}
        for tensors in (module._parameters, module._buffers)
    ]


def _arguments(module: nn.Module) -> dict[str, Any]:
    if isinstance(module, Choice):
        return {"train": module.train_value, "evaluate": module.eval_value}
    if isinstance(module, (nn.TransformerEncoderLayer, nn.TransformerDecoderLayer)):
        attention = module.self_attn
        functions = {nn.functional.relu: "relu", nn.functional.gelu: "gelu"}
        return {
            "d_model": attention.embed_dim,
            "nhead": attention.num_heads,
            "dim_feedforward": module.linear1.out_features,
            "dropout": module.dropout.p,
            "activation": functions.get(module.activation, module.activation),
            "layer_norm_eps": module.norm1.eps,
            "batch_first": attention.batch_first,
            "norm_first": module.norm_first,
            "bias": module.linear1.bias is not None,
        }
    if isinstance(module, nn.TransformerEncoder):
        # `use_nested_tensor` is the resolved value of `enable_nested_tensor`, which would warn.
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
        return {
            "bias": module.in_proj_bias is not None,
            "add_bias_kv": module.bias_k is not None,
            "embed_dim": module.embed_dim,
            "num_heads": module.num_heads,
            "dropout": module.dropout,
            "add_zero_attn": module.add_zero_attn,
            "kdim": module.kdim,
            "vdim": module.vdim,
            "batch_first": module.batch_first,
        }
    arguments = {
        name: getattr(module, name)
        for name in _argument_names(module)
        if not name.startswith("_") and hasattr(module, name)
    }
    if not isinstance(arguments.get("bias", True), bool):
        arguments["bias"] = arguments["bias"] is not None
    return arguments


def _argument_names(module: nn.Module) -> list[str]:
    """Names of the constructor's arguments that describe the layer."""
    left_out = {"device", "dtype"}
    if not isinstance(module, nn.LSTM):
        left_out.add("proj_size")  # GRU and RNN refuse it, even if it is 0
    if not isinstance(module, nn.RNNBase):
        return [name for name in inspect.signature(type(module)).parameters if name not in left_out]
    left_out.add("mode")  # LSTM, GRU and RNN set it; they pass all else on to their base class
    names = [*inspect.signature(nn.RNNBase).parameters, "nonlinearity"]
    return [name for name in names if name not in left_out]
