"""Takes from head CT slices what differs between scanners and is not blood: the level of brain, the rim at the skull.

Beam hardening and scatter that are left brighten brain beside the skull all around. In one slice a thin bleed there is
told from them by lying on one side only: at each depth below the skull, what most of the ring has is subtracted.
"""

from __future__ import annotations

import torch
from torch import Tensor

BRAIN_HU = 33.0
"""Brain that is levelled has this median."""
_BONE_HU = 120.0
_TISSUE_HU = (-12.0, 100.0)  # of pixels that are looked at
_DEPTH_PX = 8  # the rim is looked for up to so deep below bone; what lies deeper is the middle
_QUANTILE = 0.4  # below a half, so that blood around half of the ring is not taken for its usual value
_MOST_SHIFT_HU = 15.0
_MOST_RIM_HU = 40.0
_FEWEST = 40  # pixels of a depth; of fewer nothing is said


def levelled(hu: Tensor) -> Tensor:
    """(..., H, W) HU -> the same with brain at `BRAIN_HU` and the rim beside the skull taken away, slice by slice."""
    slices = hu.reshape(-1, *hu.shape[-2:]).float()
    bone = slices > _BONE_HU
    within = _surrounded(bone) & ~bone
    depth = _depth(bone)
    low, high = _TISSUE_HU
    looked_at = within & (slices > low) & (slices < high)
    counts = _histograms(slices, torch.where(looked_at, depth, -1), _DEPTH_PX + 1)
    median = _quantiles(counts.sum(1), 0.5)
    usual = _quantiles(counts, _QUANTILE)
    # The last class is the middle. A rim is never darker than it: there the ring holds CSF, which has to stay.
    rim = (usual - usual[:, -1:]).nan_to_num(0.0).clamp(0.0, _MOST_RIM_HU)
    shift = (BRAIN_HU - median).nan_to_num(0.0).clamp(-_MOST_SHIFT_HU, _MOST_SHIFT_HU)
    excess = rim.gather(1, depth.flatten(1)).reshape(slices.shape)
    return (slices + within * (shift[:, None, None] - excess)).reshape(hu.shape)


def _surrounded(bone: Tensor) -> Tensor:
    """(N, H, W): pixels with bone left, right, in front and behind; the scalp has none on one side."""
    counts = bone.int()
    right, below = counts.cumsum(2), counts.cumsum(1)
    return (right > 0) & (right < right[:, :, -1:]) & (below > 0) & (below < below[:, -1:, :])


def _depth(bone: Tensor) -> Tensor:
    """(N, H, W) int64: 0 for what touches bone, one more for each pixel further away, `_DEPTH_PX` for the rest."""
    reached = bone
    depth = torch.full_like(bone, _DEPTH_PX, dtype=torch.int64)
    for step in range(_DEPTH_PX):
        # A cross and a square in turn make an octagon, which is nearly round.
        across = _spread(reached, 2)
        grown = _spread(across, 1) if step % 2 else across | _spread(reached, 1)
        depth[grown & ~reached] = step
        reached = grown
    return depth


def _spread(mask: Tensor, axis: int) -> Tensor:
    """The mask and its neighbours on either side along an axis."""
    spread, most = mask.clone(), mask.shape[axis] - 1
    spread.narrow(axis, 1, most).logical_or_(mask.narrow(axis, 0, most))
    spread.narrow(axis, 0, most).logical_or_(mask.narrow(axis, 1, most))
    return spread


def _histograms(values: Tensor, group: Tensor, groups: int) -> Tensor:
    """(N, groups, bins): how many values of each group of each slice lie in each HU of `_TISSUE_HU`.

    Args:
        values: (N, H, W) HU within `_TISSUE_HU` where `group` is not negative.
        group: (N, H, W) int64; negative ones count for nothing.
    """
    low, high = _TISSUE_HU
    bins = int(high - low)
    looked_at = group >= 0
    bin_of = (values[looked_at] - low).long().clamp(0, bins - 1)
    of_slice = torch.arange(len(values), device=values.device)[:, None, None].expand_as(group)[looked_at]
    place = (of_slice * groups + group[looked_at]) * bins + bin_of
    return torch.bincount(place, minlength=len(values) * groups * bins).reshape(len(values), groups, bins)


def _quantiles(counts: Tensor, quantile: float) -> Tensor:
    """(..., bins) -> (...) HU; NaN of too few."""
    total = counts.sum(-1, keepdim=True)
    reached = counts.cumsum(-1) >= (quantile * total).clamp(min=1.0)
    found = _TISSUE_HU[0] + 0.5 + reached.int().argmax(-1).float()
    return torch.where(total[..., 0] < _FEWEST, torch.nan, found)
