"""Torch networks: any `torch.nn.Module`, of the user's own class or loaded by this package."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from workbench.errors import CandidateError
from workbench.measure.cost import macs_torch, size_of
from workbench.model_form import Form, Outputs, Training
from workbench.models.answer import answering, first_tensor, named_outputs
from workbench.models.lazy import lazy_layers, shaped
from workbench.models.networks import call_model, can_reset, copied, reset
from workbench.models.settle import is_settled, settled
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
        if isinstance(model, type) or not hasattr(model, "state_dict"):
            return False
        return hasattr(model, "forward") or type(model).__name__ == "ExportedProgram"

    def copy(self, model: Any) -> Any:
        return settled(model)[0]

    def settled(self, model: Any) -> tuple[Any, tuple[str, ...]]:
        return (model, ()) if is_settled(model) else settled(model)  # copied only where changed

    def shaped(self, model: Any, inputs: Callable[[], Mapping[str, np.ndarray]]) -> Any:
        return shaped(model, inputs)

    def answering(self, model: Any, output: str | int) -> Any:
        return answering(model, output)

    def outputs_by_name(
        self, candidate: Candidate, inputs: Mapping[str, np.ndarray]
    ) -> dict[str | int, np.ndarray]:
        outputs = _called(candidate.model, inputs)
        counted = first_tensor(outputs)
        tensors = sorted(named_outputs(outputs).items(), key=lambda item: item[1] is not counted)
        return {name: _real(t) for name, t in tensors if t is counted or not t.is_complex()}

    def untrained(self, model: Any) -> Callable[[], Any] | None:
        if lazy_layers(model):  # their weights are drawn in the first call; others stay as they are
            return partial(copied, copied(model))
        return partial(reset, copied(model)) if can_reset(model) else None

    def is_trained(self, model: Any) -> bool:
        """Whether all layers have weights; those of lazy layers are drawn in the first call."""
        return not lazy_layers(model)

    def problems(self, model: Any) -> list[str]:
        from torch.nn.parameter import is_lazy

        broken = [
            name
            for name, weight in model.state_dict().items()
            if not is_lazy(weight)  # a lazy layer that was never called has no weights yet
            and weight.is_floating_point()
            and not bool(weight.isfinite().all())
        ]
        if not broken:
            return []
        return [f"has {len(broken)} weight arrays that are not finite, first `{broken[0]}`."]

    def fit(self, candidate: Candidate, task: Task, training: Training) -> Candidate:
        from workbench.training import RegularizedFit, fit

        own = task.fit_of(candidate)
        settings = RegularizedFit(**own).resolved(training.budget)
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
        for note in fitted.notes:
            training.report.message(note)
        return candidate.fitted(fitted.model, fitted.choices, own)

    def outputs(self, candidate: Candidate, inputs: Mapping[str, np.ndarray]) -> np.ndarray:
        """Outputs of the model as they are, its mode and device left alone."""
        return _real(first_tensor(_called(candidate.model, inputs)))

    def size(self, model: Any) -> tuple[int, int]:
        from safetensors.torch import save

        weights = model.state_dict().items()
        return size_of(save({k: v.detach().cpu().contiguous().clone() for k, v in weights}))

    def content(self, model: Any) -> Any:
        return model

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
        from workbench.runtimes.kept_exports import kept_export
        from workbench.runtimes.torch_export import exported

        model = answering(copied(candidate.model).to("cpu").eval())
        content = kept_export(model, inputs, lambda: exported(model, inputs, candidate.name))
        return content, candidate.outputs


def _real(tensor: Any) -> np.ndarray:
    """Outputs as float32; raises CandidateError for complex numbers, which no loss takes."""
    if tensor.is_complex():
        raise CandidateError(
            "its outputs are complex numbers, and loss and metrics take real ones: end it in "
            "`.abs()` or `.real`."
        )
    return tensor.float().cpu().numpy()


def _called(model: Any, inputs: Mapping[str, np.ndarray]) -> Any:
    """What the model returns in evaluation mode; its mode and device are left alone."""
    import torch

    from workbench.data.tensors import tensor

    modes = {module: module.training for module in model.modules()}
    weight = next(model.parameters(), None)
    device = "cpu" if weight is None else str(weight.device)
    try:
        with torch.no_grad():
            return call_model(model.eval(), {n: tensor(a, device) for n, a in inputs.items()})
    finally:
        for module, mode in modes.items():
            module.training = mode


FORM = TorchForm()
