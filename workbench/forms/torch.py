"""Torch networks: any `torch.nn.Module`, of the user's own class or loaded by this package."""

from __future__ import annotations

import copy
import inspect
import io
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from workbench.errors import ExportError, line_of
from workbench.measure.cost import macs_torch, size_of
from workbench.model_form import Form, Outputs, Training
from workbench.models.networks import call_model, can_reset, first_tensor, reset
from workbench.runtimes.graphs import stripped
from workbench.runtimes.to_onnx import OPSET, free_dims, quiet
from workbench.task import Candidate, Task

__all__ = ["TorchForm"]


class TorchForm(Form):
    """A network with weights; the task's loss trains it, and it runs on the device of the run."""

    name = "torch"
    noun = "a torch module"
    runtimes = ("torch",)
    takes_columns = False
    trained_by_loss = True
    on_device = True

    def is_mine(self, model: Any) -> bool:
        is_class = isinstance(model, type)
        return hasattr(model, "state_dict") and hasattr(model, "forward") and not is_class

    def copy(self, model: Any) -> Any:
        return copy.deepcopy(model).cpu()

    def untrained(self, model: Any) -> Callable[[], Any] | None:
        return partial(reset, copy.deepcopy(model)) if can_reset(model) else None

    def problems(self, model: Any) -> list[str]:
        broken = [
            name
            for name, weight in model.state_dict().items()
            if weight.is_floating_point() and not bool(weight.isfinite().all())
        ]
        if not broken:
            return []
        return [f"has {len(broken)} weight arrays that are not finite, first `{broken[0]}`."]

    def fit(self, candidate: Candidate, task: Task, training: Training) -> Candidate:
        from workbench.training import FitSettings, fit

        own = dict(candidate.fit) or dict(task.fits.get(candidate.name, {}))
        settings = FitSettings(**own).resolved(training.budget)
        fitted = fit(
            candidate.model,
            task,
            settings,
            prepare=candidate.prepare,
            report=training.report,
            seed=training.seed,
            device=training.device,
            checkpoint=training.checkpoint,
        )
        return candidate.fitted(fitted.model, fitted.choices, own)

    def outputs(self, candidate: Candidate, inputs: Mapping[str, np.ndarray]) -> np.ndarray:
        """Outputs of the model as they are, its mode and device left alone."""
        import torch

        from workbench.data.tensors import tensor

        model = candidate.model
        modes = {module: module.training for module in model.modules()}
        weight = next(model.parameters(), None)
        device = "cpu" if weight is None else str(weight.device)
        try:
            with torch.no_grad():
                outputs = call_model(
                    model.eval(), {n: tensor(a, device) for n, a in inputs.items()}
                )
                return first_tensor(outputs).float().cpu().numpy()
        finally:
            for module, mode in modes.items():
                module.training = mode

    def size(self, model: Any) -> tuple[int, int]:
        from safetensors.torch import save

        weights = model.state_dict().items()
        return size_of(save({k: v.detach().cpu().contiguous().clone() for k, v in weights}))

    def n_parameters(self, model: Any) -> int:
        return sum(p.numel() for p in model.parameters())

    def macs(self, model: Any, inputs: Mapping[str, np.ndarray]) -> int:
        return macs_torch(model, inputs)

    def keep(
        self, candidate: Candidate, folder: Path, inputs: Mapping[str, np.ndarray]
    ) -> dict[str, Any]:
        """`model.safetensors` and `structure.json`, readable with torch alone."""
        from workbench.data.tensors import tensor
        from workbench.keeping.structure import save_network

        save_network(candidate.model, folder, {n: tensor(a[:2], "cpu") for n, a in inputs.items()})
        return {}

    def load(
        self,
        folder: Path,
        about: Mapping[str, Any],
        *,
        build: Callable[[], Any] | None = None,
        trusted: Sequence[Any] = (),
    ) -> Any:
        from workbench.keeping.structure import read_network

        return read_network(folder, template=build() if build else None)

    def to_onnx(
        self, candidate: Candidate, inputs: Mapping[str, np.ndarray]
    ) -> tuple[bytes, Outputs]:
        """By torch's own exporter, with the batch and the length of sequences left free."""
        import torch

        from workbench.data.tensors import tensor

        model = copy.deepcopy(candidate.model).to("cpu").eval()
        # three rows: neither one, nor a usual fixed size
        rows = {name: np.concatenate([a[:2], a[:1]]) for name, a in inputs.items()}
        tensors = {name: tensor(a, "cpu") for name, a in rows.items()}
        accepted = inspect.signature(model.forward).parameters
        shapes = {name: free_dims(t) for name, t in tensors.items()}
        arguments: dict[str, Any] = (
            {"kwargs": tensors, "dynamic_shapes": shapes, "args": ()}
            if len(tensors) > 1 and all(n in accepted for n in tensors)
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
        return stripped(buffer.getvalue()), candidate.outputs


FORM = TorchForm()
