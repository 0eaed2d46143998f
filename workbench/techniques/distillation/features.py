"""Inner layers of teacher and student: choice of a layer, its feature, and its reduction.

The teacher's features of all rows are computed once and kept in the cache as float16, reduced to
the part that the method compares:

    hint        the whole map `(channels, height, width)`, averaged to the student's size
    attention   the mean square over channels `(height, width)`
    relational  the mean over positions `(channels,)`
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

from workbench.data.tensors import tensor
from workbench.errors import CandidateError, SettingsError, required, unknown
from workbench.models.networks import call_model, first_tensor
from workbench.runtimes.outputs import BATCH
from workbench.system.cache import fingerprint
from workbench.system.wording import bytes_text
from workbench.task import Candidate
from workbench.techniques.distillation.teacher_outputs import cached_array, teacher_rows
from workbench.techniques.distillation.transfer_set import TransferSet

if TYPE_CHECKING:
    from workbench.technique import Job

__all__ = [
    "FeatureStudent",
    "call_with_feature",
    "choose_layer",
    "compute_features",
    "feature_shape",
    "make_projection",
    "reduce_feature",
]

MAX_BYTES = 2**30  # of a teacher's features of all rows


class FeatureStudent(nn.Module):
    """A student in training: the network, the feature of `layer`, and a projection of that feature.

    The projection is trained with the network and dropped after training.
    """

    def __init__(
        self, network: nn.Module, layer: str, names: tuple[str, ...], projection: nn.Module | None
    ) -> None:
        super().__init__()
        self.network = network
        self.layer = layer
        self.names = names
        self.projection = projection
        self._feature: torch.Tensor | None = None

    def forward(self, *values: torch.Tensor) -> Any:
        inputs = dict(zip(self.names, values, strict=True))
        if not self.training:
            return call_model(self.network, inputs)
        outputs, self._feature = call_with_feature(self.network, self.layer, inputs)
        return outputs

    def pop_feature(self) -> torch.Tensor:
        """The feature of the last forward pass, removed here: a model that holds it has no copy."""
        feature = required(self._feature)
        self._feature = None
        return feature.float()


def call_with_feature(
    model: nn.Module, layer: str, inputs: Mapping[str, torch.Tensor]
) -> tuple[Any, torch.Tensor]:
    """Outputs of the model and of `layer`; raises CandidateError when the layer does not run."""
    features: list[torch.Tensor] = []
    handle = model.get_submodule(layer).register_forward_hook(
        lambda _module, _inputs, output: features.append(first_tensor(output))
    )
    try:
        outputs = call_model(model, inputs)
    finally:
        handle.remove()
    if not features:
        raise CandidateError(
            f"The layer `{layer}` does not run when the model is called: name another one."
        )
    return outputs, features[-1]


def choose_layer(
    candidate: Candidate,
    inputs: Mapping[str, np.ndarray],
    layer: str = "",
    setting: str = "hint_layer",
) -> str:
    """`layer`, or if that is empty the last layer before pooling that gives a feature map.

    A network without feature maps has the last one that gives a sequence, else the last vector
    before the output. Raises SettingsError for a layer that the model does not have.
    """
    names = dict.fromkeys(name for name, _ in candidate.model.named_modules() if name)
    if layer:
        if layer not in names:
            raise SettingsError(f"`{setting}`: {unknown('layer', layer, names)}")
        return layer
    shapes = _output_shapes(candidate.model, inputs)
    maps = [n for n, s in shapes if len(s) == 4 and s[2] * s[3] > 1]
    sequences = [n for n, s in shapes if len(s) == 3 and s[1] > 1]
    vectors = [n for n, s in shapes if len(s) == 2][:-1]
    usable = maps or sequences or vectors
    if not usable:
        raise SettingsError(
            f"`{candidate.name}` has no inner layer to compare: name one as `{setting}`, or choose "
            "`method` logits."
        )
    return usable[-1]


def _output_shapes(
    model: nn.Module, inputs: Mapping[str, np.ndarray]
) -> list[tuple[str, tuple[int, ...]]]:
    """Names and output shapes of all layers in calling order; a container is after its layers."""
    shapes: list[tuple[str, tuple[int, ...]]] = []

    def record(name: str) -> Any:
        def hook(_module: Any, _inputs: Any, output: Any) -> None:
            first = output[0] if isinstance(output, (tuple, list)) and output else output
            if hasattr(first, "shape"):
                shapes.append((name, tuple(first.shape)))

        return hook

    handles = [
        module.register_forward_hook(record(name)) for name, module in model.named_modules() if name
    ]
    try:
        _evaluate(model, inputs)
    finally:
        for handle in handles:
            handle.remove()
    return shapes


def _evaluate(
    model: nn.Module, inputs: Mapping[str, np.ndarray], layer: str = ""
) -> torch.Tensor | None:
    """Call a network in evaluation mode without gradients; the feature of `layer`, if one is named.

    The training mode of every module is restored.
    """
    modes = {module: module.training for module in model.modules()}
    device = str(next((p.device for p in model.parameters()), "cpu"))
    tensors = {name: tensor(array, device).clone() for name, array in inputs.items()}
    try:
        with torch.no_grad():
            if not layer:
                call_model(model.eval(), tensors)
                return None
            return call_with_feature(model.eval(), layer, tensors)[1].float()
    finally:
        for module, mode in modes.items():
            module.training = mode


def reduce_feature(
    feature: torch.Tensor, method: str, size: tuple[int, int] | None = None
) -> torch.Tensor:
    """The part of a feature `(batch, ...)` that a method compares, as the module's table says.

    Maps larger than `size` (height, width) are averaged to it first. Raises CandidateError for
    attention on a vector, which has no positions.
    """
    if method == "relational":
        return _mean_over_positions(feature)
    if feature.ndim == 4 and size is not None:
        feature = _averaged_to(feature, size)
    if method == "hint":
        return feature
    if feature.ndim < 3:
        raise CandidateError(
            "`method` attention compares maps or sequences, and this layer gives a vector: "
            "name an earlier layer, or choose `method` hint or relational."
        )
    channels = 1 if feature.ndim == 4 else 2
    return F.normalize(feature.square().mean(channels).flatten(1), dim=1)


def _averaged_to(feature: torch.Tensor, size: tuple[int, int]) -> torch.Tensor:
    """A map averaged to at most `size`."""
    height, width = feature.shape[2:]
    smaller = (min(size[0], height), min(size[1], width))
    return feature if smaller == (height, width) else F.adaptive_avg_pool2d(feature, smaller)


def _mean_over_positions(feature: torch.Tensor) -> torch.Tensor:
    if feature.ndim == 4:
        return feature.mean((2, 3))
    return feature.mean(1) if feature.ndim == 3 else feature


def make_projection(student: tuple[int, ...], teacher: tuple[int, ...]) -> nn.Module:
    """A 1x1 convolution or linear layer between feature shapes `(batch, ...)`, student to teacher.

    Raises CandidateError if no such layer maps the one shape to the other.
    """
    n_dims = len(student)
    if n_dims == len(teacher) == 4:
        return nn.Conv2d(student[1], teacher[1], 1)
    if n_dims == len(teacher) and (n_dims == 2 or (n_dims == 3 and student[1] == teacher[1])):
        return nn.Linear(student[-1], teacher[-1])
    raise CandidateError(
        f"No convolution or linear layer maps the student's feature {student[1:]} to the teacher's "
        f"{teacher[1:]}: name other layers as `student_layer` and `hint_layer`, or choose `method` "
        "relational, which compares rows only."
    )


def feature_shape(
    candidate: Candidate, layer: str, inputs: Mapping[str, np.ndarray]
) -> tuple[int, ...]:
    """Shape `(batch, ...)` of the output of a layer for these inputs."""
    return tuple(required(_evaluate(candidate.model, inputs, layer)).shape)


def compute_features(
    teacher: Candidate,
    layer: str,
    transfer_set: TransferSet,
    job: Job,
    method: str,
    size: tuple[int, int] | None,
) -> np.ndarray:
    """Reduced features `(rows, ...)` of a teacher's layer as float16, from the cache if possible.

    Raises SettingsError if they take more than 1 GiB.
    """
    rows = teacher_rows(teacher, transfer_set)
    inputs, _ = next(iter(rows.batches(2)))
    example = reduce_feature(_evaluate(teacher.model, inputs, layer), method, size)
    n_bytes = example[0].numel() * 2 * len(rows)
    if n_bytes > MAX_BYTES:
        raise SettingsError(
            f"The features of `{layer}` of `{teacher.name}` for {len(rows):,} rows take "
            f"{bytes_text(n_bytes)}, more than {bytes_text(MAX_BYTES)}: name a later layer as "
            "`hint_layer`, set fewer `views`, or choose `method` attention or relational."
        )
    key = fingerprint(
        "features 1", teacher.model, layer, rows, repr(teacher.prepare), method, size or ()
    )

    def compute() -> np.ndarray:
        batches = []
        for number, (batch, _) in enumerate(rows.batches(BATCH)):
            job.report.progress(number * BATCH, len(rows), f"features of {teacher.name}")
            feature = reduce_feature(_evaluate(teacher.model, batch, layer), method, size)
            batches.append(feature.cpu().numpy().astype(np.float16))
        return np.concatenate(batches)

    return cached_array(job.cache / f"features-{key}.npy", compute)
