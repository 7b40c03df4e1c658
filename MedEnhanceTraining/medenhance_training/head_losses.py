"""Losses of SMART-Net (papers/004 B, 2.2.1): pure functions, each with what paper and released code say of it.

Unlike most losses here those of a batch are not the mean of its halves: the Dice loss is one number of a whole batch.
"""

from __future__ import annotations

import math
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor

Pooling = Literal["max-avg", "gmp", "gap", "gem", "lse"]
DiceOf = Literal["batch", "each", "both"]
CELL_PX = 16
"""Side of the cells of the consistency loss: one pixel of the last map of a stem of stride 1 at 256 x 256."""
_EPSILON = 1e-7
_GEM_POWER, _GEM_LEAST = 3.0, 1e-6  # generalised mean of the 2024 code
_LSE_SHARPNESS = 10.0  # between the mean (0) and the largest value (infinity); Pinheiro and Collobert 2015 take 5 to 10


def binary_cross_entropy(logits: Tensor, target: Tensor, weight: Tensor | None = None) -> Tensor:
    """Mean over all values, or over those of weight 1."""
    losses = F.binary_cross_entropy_with_logits(logits, target, reduction="none")
    return losses.mean() if weight is None else (losses * weight).sum() / weight.sum().clamp(min=1.0)


def batch_dice(logits: Tensor, target: Tensor, *, skip_empty: bool = True) -> Tensor:
    """1 - 2 |p t| / (|p| + |t|), the sums over batch and pixels (soft Dice of the paper, as released).

    Args:
        logits: Of blood, any shape; what only pads a batch has logits so low that it adds nothing.
        target: Same shape, 0 to 1.
        skip_empty: A batch without blood gives 0 (2022); otherwise about 1, with hardly a gradient (2024).
    """
    p = torch.sigmoid(logits)
    loss = 1.0 - 2.0 * (p * target).sum() / (p.sum() + target.sum()).clamp(min=_EPSILON)
    return loss * (target.sum() > 0) if skip_empty else loss


def dice_of_each(logits: Tensor, target: Tensor) -> Tensor:
    """1 - Dice of each sample with blood, their mean: a small bleed weighs as much as a large one. 0 without any.

    Args:
        logits, target: As in `batch_dice`, (N, ...).
    """
    p, t = torch.sigmoid(logits).flatten(1), target.flatten(1)
    losses = 1.0 - 2.0 * (p * t).sum(dim=1) / (p.sum(dim=1) + t.sum(dim=1)).clamp(min=_EPSILON)
    bleeds = (t.sum(dim=1) > 0).float()
    return (losses * bleeds).sum() / bleeds.sum().clamp(min=1.0)


def soft_dice(logits: Tensor, target: Tensor, of: DiceOf = "batch", *, skip_empty: bool = True) -> Tensor:
    """`batch_dice`, `dice_of_each`, or the mean of both."""
    if of == "each":
        return dice_of_each(logits, target)
    whole = batch_dice(logits, target, skip_empty=skip_empty)
    return whole if of == "batch" else 0.5 * (whole + dice_of_each(logits, target))


def pooled_map(values: Tensor, pooling: Pooling = "max-avg", cell_px: int = CELL_PX) -> Tensor:
    """(N, H, W) -> (N,): what a map says of its slice as a whole.

    Args:
        values: Probabilities; the 2024 code gives logits to "gem".
        pooling: "max-avg": the mean over cells of the largest value of each (paper). Others: the largest value, the
            mean, the generalised mean of power 3, log-sum-exp.
        cell_px: Side of a cell; one at the edge may be smaller.
    """
    if pooling == "max-avg":
        return F.max_pool2d(values[:, None], cell_px, cell_px, ceil_mode=True).mean(dim=(1, 2, 3))
    flat = values.flatten(1)
    if pooling == "gmp":
        return flat.amax(dim=1)
    if pooling == "gap":
        return flat.mean(dim=1)
    if pooling == "gem":
        return flat.clamp(min=_GEM_LEAST).pow(_GEM_POWER).mean(dim=1).pow(1.0 / _GEM_POWER)
    return (torch.logsumexp(_LSE_SHARPNESS * flat, dim=1) - math.log(flat.shape[1])) / _LSE_SHARPNESS


def consistency(logit: Tensor, mask_logits: Tensor, pooling: Pooling = "max-avg", *, of_logits: bool = False) -> Tensor:
    """Mean squared difference of what CLS and SEG say of a slice (paper, L_consist).

    Args:
        logit: (N,) of CLS.
        mask_logits: (N, H, W) of SEG.
        pooling: As in `pooled_map`.
        of_logits: Pools the logits and not the probabilities: a slip of the 2024 code, kept for its preset.
    """
    values = mask_logits if of_logits else torch.sigmoid(mask_logits)
    return F.mse_loss(torch.sigmoid(logit), pooled_map(values, pooling))
