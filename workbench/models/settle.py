"""settled(): a user's torch module as this package works with it, a plain one in float32.

    wrapper (DataParallel, compiled, averaged)  -> the module inside
    parametrization, weight norm, pruning mask  -> plain weights with the same values
    float64, half and bfloat16 weights          -> float32
    gradient checkpointing, caches of decoders  -> off
    TorchScript, quantized, meta                -> refused

Each change that a user should know of gives a sentence.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from workbench.errors import TaskError
from workbench.models.networks import copied
from workbench.system.culprit import culprit

if TYPE_CHECKING:
    from torch import nn

__all__ = ["is_settled", "settled"]

# Class of a wrapper -> attribute that holds the module inside.
WRAPPERS = {
    "DataParallel": "module",
    "DistributedDataParallel": "module",
    "AveragedModel": "module",
    "OptimizedModule": "_orig_mod",
}
FOLDED = "plain weights take its place, so training here changes the plain weights"


def settled(model: nn.Module) -> tuple[nn.Module, tuple[str, ...]]:
    """A plain copy of a module on the processor, in float32, and sentences about what was changed.

    Raises TaskError for a module that cannot be trained, changed and written as ONNX.
    """
    inner = _unwrapped(model)
    _refuse(inner)
    plain = _copied(inner).cpu()
    notes = [*_folded(plain), *_in_float32(plain), *_without_extras(plain)]
    return plain, tuple(notes)


def is_settled(model: nn.Module) -> bool:
    """Whether `settled` would change nothing of this module."""
    import torch
    from torch.nn.utils import parametrize

    if _unwrapped(model) is not model or not isinstance(model, torch.nn.Module):
        return False
    if isinstance(model, torch.jit.ScriptModule):
        return False
    modules = list(model.modules())
    if any(parametrize.is_parametrized(m) or _old_hooks(m) or _is_checkpointed(m) for m in modules):
        return False
    return all(t.dtype is torch.float32 and not t.is_meta for t in _floating(model))


def _unwrapped(model: Any) -> Any:
    """The module inside wrappers that only change how it is called."""
    while type(model).__name__ in WRAPPERS and type(model).__module__.startswith("torch."):
        model = getattr(model, WRAPPERS[type(model).__name__])
    return model


def _copied(model: nn.Module) -> nn.Module:
    try:
        return copied(model)
    except Exception as error:  # of an object in the module that is no data
        raise TaskError(
            f"`model` cannot be copied: {culprit(model, error)}. Make such an object inside "
            "`forward`, or leave it out of copies by `__getstate__`."
        ) from error


def _refuse(model: Any) -> None:
    import torch

    name = type(model).__name__
    if not isinstance(model, torch.nn.Module):
        raise TaskError(
            f"`model` is {name} of torch.export, a graph that cannot be trained or changed: give "
            "the torch module that it was made from, or an ONNX file of it."
        )
    if isinstance(model, torch.jit.ScriptModule) or any(
        isinstance(m, torch.jit.ScriptModule) for m in model.modules()
    ):
        raise TaskError(
            "`model` is TorchScript, which can neither be copied nor changed: give the torch "
            "module that it was scripted or traced from, or an ONNX file of it."
        )
    if hasattr(model, "_fsdp_wrapped_module"):
        raise TaskError(
            f"`model` is {name} of FSDP, whose weights are cut into shards: load a full state "
            "dict into the plain module, and give that."
        )
    quantized = [p for p, m in model.named_modules() if _is_quantized(m)]
    if quantized:
        raise TaskError(
            f"`model` is quantized already (`{quantized[0] or name}`): give the module before "
            "quantization, or an ONNX file of it."
        )
    meta = [n for n, t in (*model.named_parameters(), *model.named_buffers()) if t.is_meta]
    if meta:
        raise TaskError(
            f"`model` has {len(meta)} weight arrays on the meta device, first `{meta[0]}`: load "
            "its weights before it is given."
        )


def _is_quantized(module: nn.Module) -> bool:
    return ".quantized" in type(module).__module__ and type(module).__module__.startswith("torch.")


def _folded(model: nn.Module) -> list[str]:
    """Replace parametrizations, old weight norms and pruning masks by plain weights."""
    from torch.nn.utils import parametrize, prune, remove_spectral_norm, remove_weight_norm

    removers = {"WeightNorm": remove_weight_norm, "SpectralNorm": remove_spectral_norm}
    kinds: dict[str, int] = {}
    for module in model.modules():
        if parametrize.is_parametrized(module):
            for name, steps in list(module.parametrizations.items()):
                for step in steps:
                    kind = type(step).__name__.strip("_")
                    kinds[kind] = kinds.get(kind, 0) + 1
                parametrize.remove_parametrizations(module, name, leave_parametrized=True)
        for hook in _old_hooks(module):
            kind = type(hook).__name__
            name = getattr(hook, "name", None) or hook._tensor_name
            if kind in removers:
                removers[kind](module, name)
            else:
                prune.remove(module, name)
                kind = f"mask of {kind}"
            kinds[kind] = kinds.get(kind, 0) + 1
    return [f"{kind} of {n} layers was folded: {FOLDED}." for kind, n in kinds.items()]


def _old_hooks(module: nn.Module) -> list[Any]:
    """Hooks of `torch.nn.utils.weight_norm`, `spectral_norm` and `prune` that make the weight."""
    from torch.nn.utils.prune import BasePruningMethod
    from torch.nn.utils.spectral_norm import SpectralNorm
    from torch.nn.utils.weight_norm import WeightNorm

    kinds = (WeightNorm, SpectralNorm, BasePruningMethod)
    return [h for h in module._forward_pre_hooks.values() if isinstance(h, kinds)]


def _in_float32(model: nn.Module) -> list[str]:
    import torch

    others = {str(t.dtype).removeprefix("torch.") for t in _floating(model)} - {"float32"}
    if not others:
        return []
    model.to(torch.float32)
    return [
        f"The weights were {' and '.join(sorted(others))} and are float32 here, as after "
        "`model.float()`."
    ]


def _floating(model: nn.Module) -> list[Any]:
    tensors = (*model.parameters(), *model.buffers())
    return [t for t in tensors if t.dtype.is_floating_point]  # a lazy one has a dtype and no size


def _without_extras(model: nn.Module) -> list[str]:
    """Turn off ways of computing that change speed or memory of training, and no result."""
    notes = []
    for module in model.modules():
        module.__dict__.pop("_compiled_call_impl", None)  # set by `module.compile()`
        if _is_checkpointed(module):
            module.gradient_checkpointing = False
            notes = ["Gradient checkpointing is off: training needs more memory and less time."]
    config: Any = getattr(model, "config", None)
    if getattr(config, "use_cache", False) is True:
        config.use_cache = False  # a cache of keys and values is no output of a classifier
    return notes


def _is_checkpointed(module: nn.Module) -> bool:
    return getattr(module, "gradient_checkpointing", False) is True
