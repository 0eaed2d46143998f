"""The method aware: quantization-aware training of a torch network (see `qat`)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from workbench.technique import Job
from workbench.techniques.quantization.base import Quantized

if TYPE_CHECKING:
    from workbench.techniques.quantization import QuantizationSettings

__all__ = ["aware_int8"]


def aware_int8(settings: QuantizationSettings, job: Job) -> Quantized:
    """Train the job's network for int8; the resolved settings hold the choices of the training.

    Raises CandidateError for a network that cannot be trained for int8.
    """
    import pandas as pd

    from workbench.techniques.quantization.qat import train_aware

    trained = train_aware(job, settings)
    choices = trained.choices
    fit = settings.fit.model_copy(
        update={name: choices[name] for name in ("precision", "memory_format")}
    )
    resolved = settings.model_copy(
        update={"activation_type": choices["activation_type"], "fit": fit}
    )
    notes = []
    if choices["masked"]:
        notes.append(
            f"{', '.join(choices['masked'])} stayed in float: a mask passes through, or other "
            "values that are infinite or of two sizes. No int8 scale holds both."
        )
    if not choices["trained"]:
        notes.append(
            "Training did not improve the score on valid: the file holds the calibrated network "
            "before training."
        )
    tables = {"fit": pd.DataFrame(trained.history)}
    return Quantized(trained.content, resolved, tables, tuple(notes))
