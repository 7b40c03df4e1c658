"""A short look at fixed slices while a run goes on; the full evaluation is `medenhance-train evaluate`."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import torch
from lightning_fabric import Fabric
from torch import Tensor, nn

from medenhance_training.objectives.objective import Batch, Objective


@torch.no_grad()
def validate(
    fabric: Fabric, objective: Objective, network: nn.Module, slices: Sequence[Batch], window_hu: tuple[float, float]
) -> dict[str, float]:
    """Means over the slices of what the averaged network does, inside the window.

    Returns:
        "validation/psnr_db", "validation/psnr_low_db" (of the input), "validation/rmse_hu", "validation/bias_hu"; for
        slices with labels also "validation/dice" (mean of the classes present, background not counted) and
        "validation/identity", the mean absolute change of the clean slice, an alarm for invented structures.
    """
    rows = []
    for batch in slices:
        output = _restore(fabric, objective, network, batch["low"])
        row = _compare(output[:, :1], batch, window_hu)
        if "labels" in batch:
            unchanged = _restore(fabric, objective, network, batch["normal"])[:, :1]
            row |= {"dice": _dice(output[:, 1:], batch["labels"]), "identity": _distance(unchanged, batch["normal"])}
        rows.append(row)
    return {f"validation/{name}": float(np.mean([row[name] for row in rows])) for name in rows[0]} if rows else {}


@torch.no_grad()
def pictures(
    fabric: Fabric, objective: Objective, network: nn.Module, batch: Batch, window_hu: tuple[float, float]
) -> list[np.ndarray]:
    """Low dose, output and normal dose of the first image of `batch`: (H, W) each, [0, 1] over the window."""
    low_hu, high_hu = window_hu
    images = [batch["low"], _restore(fabric, objective, network, batch["low"]), batch["normal"]]
    return [((image[0, 0].float().cpu() - low_hu) / (high_hu - low_hu)).numpy() for image in images]


def _restore(fabric: Fabric, objective: Objective, network: nn.Module, image: Tensor) -> Tensor:
    with fabric.autocast():
        return objective.restore(network, image.to(fabric.device)).float().cpu()


def _dice(scores: Tensor, labels: Tensor) -> float:
    """Mean over the classes that either shows, background left out; 0 without scores."""
    if not scores.shape[1]:
        return 0.0
    predicted = scores.argmax(dim=1)
    values = []
    for kind in range(1, scores.shape[1]):
        ours, theirs = predicted == kind, labels == kind
        total = int(ours.sum() + theirs.sum())
        if total:
            values.append(2.0 * int((ours & theirs).sum()) / total)
    return float(np.mean(values)) if values else 0.0


def _distance(image: Tensor, other: Tensor) -> float:
    return (image - other).abs().mean().item()


def _compare(output: Tensor, batch: Batch, window_hu: tuple[float, float]) -> dict[str, float]:
    low_hu, high_hu = window_hu
    normal = batch["normal"].clamp(low_hu, high_hu)
    error = output.clamp(low_hu, high_hu) - normal
    error_low = batch["low"].clamp(low_hu, high_hu) - normal
    rmse = error.square().mean().sqrt().item()
    return {
        "psnr_db": _psnr(rmse, high_hu - low_hu),
        "psnr_low_db": _psnr(error_low.square().mean().sqrt().item(), high_hu - low_hu),
        "rmse_hu": rmse,
        "bias_hu": error.mean().item(),
    }


def _psnr(rmse: float, data_range: float) -> float:
    """At most 100 dB, for identical images."""
    return min(20.0 * math.log10(data_range / max(rmse, 1e-12)), 100.0)
