"""Olive: its static ONNX quantization as it comes, as its documentation advises for this processor,
and as its search finds.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import olive
import torch
from handoff import Handoff
from olive.common.config_utils import CaseInsensitiveEnum
from olive.data.registry import Registry

SEARCHED = 12  # candidates
# rows a batch; it divides their number, as percentile and entropy calibration fail on a smaller
# last batch
EVEN = 50


def _nothing_for_unknown(kind: type[CaseInsensitiveEnum], value: Any) -> CaseInsensitiveEnum | None:
    return next(
        (member for member in kind if isinstance(value, str) and member.lower() == value.lower()),
        None,
    )


# Olive 0.13 asks None for its `lower` whenever an evaluator without a type is given, so no search
# can start without this.
CaseInsensitiveEnum._missing_ = classmethod(_nothing_for_unknown)


class Rows(torch.utils.data.Dataset):
    def __init__(self, images: Any, targets: Any) -> None:
        self.images, self.targets = images, targets

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, index: int) -> tuple[dict[str, Any], Any]:
        return {"image": self.images[index]}, self.targets[index]


@Registry.register_dataset("peer_rows")
def peer_rows(given: str, split: str, **_: Any) -> Rows:
    return Rows(*Handoff.rows(_Given(given), split))


class _Given:
    def __init__(self, given: str) -> None:
        self.given = Path(given)


def main() -> None:
    work = Handoff.from_command_line()
    advised = {"precision": "int8", "activation_type": "uint8", "per_channel": True}
    work.recipe("olive-default", "OnnxStaticQuantization, defaults", _run(work, {}))
    work.recipe(
        "olive-uint8",
        "OnnxStaticQuantization, uint8 activations, per channel",
        _run(work, advised),
        **advised,
    )
    work.recipe(
        "olive-search",
        f"search over OnnxStaticQuantization, {SEARCHED} candidates",
        _run(work, None),
        candidates=SEARCHED,
    )


def _run(work: Handoff, settings: dict[str, Any] | None) -> Callable[[Path], Any]:
    """A workflow of one pass; `settings` None lets Olive search for its settings by accuracy and
    latency on valid.
    """

    def make(file: Path) -> Any:
        scratch = work.made / f"{file.stem}-olive"
        searched = dict.fromkeys(
            ("calibrate_method", "per_channel", "activation_type", "precision", "quant_format"),
            "SEARCHABLE_VALUES",
        )
        one_pass = {
            "type": "OnnxStaticQuantization",
            "data_config": "calibration",
            **(searched if settings is None else settings),
        }
        config: dict[str, Any] = {
            "input_model": {"type": "ONNXModel", "model_path": str(work.onnx)},
            "systems": {
                "here": {
                    "type": "LocalSystem",
                    "accelerators": [
                        {"device": "cpu", "execution_providers": ["CPUExecutionProvider"]}
                    ],
                }
            },
            "data_configs": [_data(work, "calibration"), _data(work, "valid")],
            "passes": {"quantize": one_pass},
            "host": "here",
            "target": "here",
            "cache_dir": str(scratch / "cache"),
            "output_dir": str(scratch / "out"),
            "log_severity_level": 3,
        }
        if settings is None:
            config |= {
                "evaluators": {"both": {"metrics": _metrics()}},
                "evaluator": "both",
                "search_strategy": {
                    "execution_order": "joint",
                    "sampler": "tpe",
                    "max_iter": SEARCHED,
                    "sampler_config": {"max_samples": SEARCHED, "seed": 0},
                },
            }
        best = olive.run(config).get_best_candidate()
        shutil.copyfile(best.model_path, file)
        told = {"metrics": best.metrics_value, "pass": best.model_config.get("model_attributes")}
        shutil.rmtree(scratch, ignore_errors=True)
        return told

    return make


def _data(work: Handoff, split: str) -> dict[str, Any]:
    return {
        "name": split,
        "type": "DataContainer",
        "load_dataset_config": {"type": "peer_rows", "given": str(work.given), "split": split},
        "dataloader_config": {"batch_size": EVEN if split == "calibration" else 1},
        "post_process_data_config": {"type": "text_classification_post_process"},
    }


def _metrics() -> list[dict[str, Any]]:
    return [
        {
            "name": "accuracy",
            "type": "accuracy",
            "backend": "torch_metrics",
            "data_config": "valid",
            "sub_types": [
                {
                    "name": "accuracy_score",
                    "priority": 1,
                    "metric_config": {"task": "multiclass", "num_classes": 10},
                    "goal": {"type": "max-degradation", "value": 0.005},
                }
            ],
        },
        {
            "name": "latency",
            "type": "latency",
            "data_config": "valid",
            "sub_types": [{"name": "avg", "priority": 2}],
        },
    ]


if __name__ == "__main__":
    main()
