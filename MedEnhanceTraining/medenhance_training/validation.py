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
        "validation/psnr_db", "validation/psnr_low_db" (of the input), "validation/rmse_hu", "validation/bias_hu".
    """
    rows = [_compare(_restore(fabric, objective, network, batch), batch, window_hu) for batch in slices]
    return {f"validation/{name}": float(np.mean([row[name] for row in rows])) for name in rows[0]} if rows else {}


@torch.no_grad()
def pictures(
    fabric: Fabric, objective: Objective, network: nn.Module, batch: Batch, window_hu: tuple[float, float]
) -> list[np.ndarray]:
    """Low dose, output and normal dose of the first image of `batch`: (H, W) each, [0, 1] over the window."""
    low_hu, high_hu = window_hu
    images = [batch["low"], _restore(fabric, objective, network, batch), batch["normal"]]
    return [((image[0, 0].float().cpu() - low_hu) / (high_hu - low_hu)).numpy() for image in images]


def _restore(fabric: Fabric, objective: Objective, network: nn.Module, batch: Batch) -> Tensor:
    with fabric.autocast():
        return objective.restore(network, batch["low"].to(fabric.device)).float().cpu()


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
