"""Takes from head CT slices what differs between scanners and is not blood: the level of brain, the rim at the skull.

Beam hardening and scatter that are left brighten brain beside the skull all around. In one slice a thin bleed there is
told from them by lying on one side only: at each depth below the skull, what most of the ring has is subtracted.
"""

from __future__ import annotations

import torch
from torch import Tensor

BRAIN_HU = 33.0
"""Brain that is levelled has this median."""
DEEP_PX = 4
"""Depth at which a rim is deeper than beam hardening makes it; 5 mm in the frame of the models that ship."""
_BONE_HU = 120.0
_LEAST_HU, _MOST_HU = -12, 100  # of pixels that are looked at
_FLUID_HU = 15.0  # what is darker does not count for the level of brain
_RIM_PX = 8  # the rim is looked for up to so deep below bone
_BELOW_PX = 4  # pixels of so many depths below the rim say what it would be without
_QUANTILE = 0.4  # below a half, so that blood around half of the ring is not taken for its usual value
_MOST_SHIFT_HU = 15.0
_MOST_RIM_HU = 40.0
_FEWEST = 40  # pixels of a depth; of fewer nothing is said


def levelled(hu: Tensor) -> Tensor:
    """(..., H, W) HU -> the same with brain at `BRAIN_HU` and the rim beside the skull taken away, slice by slice."""
    slices = hu.reshape(-1, *hu.shape[-2:]).float()
    within, tissue, depth = _parts(slices)
    # A rim is never darker: there the ring holds fluid, which has to stay.
    excess = _excess(slices, tissue, depth).clamp(0.0, _MOST_RIM_HU)
    excess = torch.cat([excess, excess.new_zeros(len(excess), _BELOW_PX + 1)], dim=1)
    flat = slices - within * excess.gather(1, depth.flatten(1)).reshape(slices.shape)
    level = _quantiles(_histograms(flat, torch.where(tissue & (flat > _FLUID_HU), 0, -1), 1), 0.5)
    shift = (BRAIN_HU - level).nan_to_num(0.0).clamp(-_MOST_SHIFT_HU, _MOST_SHIFT_HU)
    return (flat + within * shift[:, :, None]).reshape(hu.shape)


def deep_rim_hu(hu: Tensor) -> Tensor:
    """(N, H, W) HU -> (N,) by how much the ring `DEEP_PX` below bone is brighter than what lies deeper.

    Beam hardening reaches hardly so deep. Blood around most of the skull does, and `levelled` takes it away too.
    """
    slices = hu.float()
    _, tissue, depth = _parts(slices)
    return _excess(slices, tissue, depth)[:, DEEP_PX]


def _parts(slices: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """(N, H, W) HU -> what lies within the skull, what of it is tissue, and how deep below bone pixels lie."""
    bone = slices > _BONE_HU
    within = _surrounded(bone) & ~bone
    return within, within & (slices > _LEAST_HU) & (slices < _MOST_HU), _depth(bone)


def _excess(slices: Tensor, tissue: Tensor, depth: Tensor) -> Tensor:
    """(N, depths of the rim) HU: by how much each ring is brighter than what lies below the rim; 0 where unknown."""
    counts = _histograms(slices, torch.where(tissue, depth, -1), _RIM_PX + _BELOW_PX + 1)
    usual = _quantiles(counts[:, :_RIM_PX], _QUANTILE)
    below = _quantiles(counts[:, _RIM_PX:-1].sum(1, keepdim=True), _QUANTILE)
    return (usual - below).nan_to_num(0.0)


def _surrounded(bone: Tensor) -> Tensor:
    """(N, H, W): pixels with bone left, right, in front and behind; the scalp has none on one side."""
    counts = bone.int()
    right, below = counts.cumsum(2), counts.cumsum(1)
    return (right > 0) & (right < right[:, :, -1:]) & (below > 0) & (below < below[:, -1:, :])


def _depth(bone: Tensor) -> Tensor:
    """(N, H, W) int64: 0 for what touches bone, one more for each pixel further away, up to what is below the rim."""
    reached = bone
    deepest = _RIM_PX + _BELOW_PX
    depth = torch.full_like(bone, deepest, dtype=torch.int64)
    for step in range(deepest):
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
    """(N, groups, bins): how many values of each group of each slice lie in each HU from the least to the most.

    Args:
        values: (N, H, W) HU.
        group: (N, H, W) int64; negative ones count for nothing.
    """
    bins = _MOST_HU - _LEAST_HU
    looked_at = group >= 0
    bin_of = (values[looked_at] - _LEAST_HU).long().clamp(0, bins - 1)
    of_slice = torch.arange(len(values), device=values.device)[:, None, None].expand_as(group)[looked_at]
    place = (of_slice * groups + group[looked_at]) * bins + bin_of
    return torch.bincount(place, minlength=len(values) * groups * bins).reshape(len(values), groups, bins)


def _quantiles(counts: Tensor, quantile: float) -> Tensor:
    """(..., bins) -> (...) HU; NaN of too few."""
    total = counts.sum(-1, keepdim=True)
    reached = counts.cumsum(-1) >= (quantile * total).clamp(min=1.0)
    found = _LEAST_HU + 0.5 + reached.int().argmax(-1).float()
    return torch.where(total[..., 0] < _FEWEST, torch.nan, found)
