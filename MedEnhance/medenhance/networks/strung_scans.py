"""Three-dimensional steps on scans whose slices are strung together: (N, C, H, W), scan after scan.

Written so, no step can see what pads a batch, and a network in three dimensions needs plane convolutions alone.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_sequence

from medenhance.networks.precision import run
from medenhance.networks.smart_net_input import HeadInput, with_neighbours

NO_MASK_LOGIT = -30.0
"""Logit of every pixel from a network that does not segment, and of slices that only pad a batch: no blood."""


class ScanOutput(NamedTuple):
    """What a network says of B scans of up to D slices.

    Attributes:
        scan_logit: (B,) of "there is blood in this scan"; the largest slice logit where there is no classifier.
        slice_logits: (B, D); the largest mask logit of the slice where there is no slice head, and the scan's logit
            where there is no segmenter either.
        mask_logits: (B, D, H, W); `NO_MASK_LOGIT` where there is no segmenter.
    """

    scan_logit: Tensor
    slice_logits: Tensor
    mask_logits: Tensor


class DepthConvolution(nn.Module):
    """A 3x3x3 convolution, zero-padded at the ends of each scan, on slices strung together.

    The three planes of its kernel stand beside each other in one plane convolution of three times as many channels,
    which sees each slice with its neighbours; its weight is (C', C x 3, 3, 3) with the plane below first.
    """

    def __init__(self, before: int, after: int, *, bias: bool = True) -> None:
        super().__init__()
        self.planes = nn.Conv2d(3 * before, after, 3, padding=1, bias=bias)

    def forward(self, maps: Tensor, counts: list[int]) -> Tensor:
        """(N, C, H, W) -> (N, C', H, W)."""
        beside = []
        for scan in torch.split(maps, counts):
            end = torch.zeros_like(scan[:1])
            beside.append(torch.cat([torch.cat([end, scan[:-1]]), scan, torch.cat([scan[1:], end])], dim=1))
        return run(self.planes, torch.cat(beside))


def halved(x: Tensor, counts: list[int]) -> tuple[Tensor, list[int]]:
    """Max-pooling of 2 x 2 x 2; an odd slice at the end stands alone.

    Returns:
        The features, and the slices of each scan that are left.
    """
    planes = F.max_pool2d(x, 2)
    scans = []
    for scan in torch.split(planes, counts):
        even = scan[: len(scan) // 2 * 2]
        paired = torch.maximum(even[0::2], even[1::2])
        scans.append(torch.cat([paired, scan[len(even) :]]))
    return torch.cat(scans), [len(scan) for scan in scans]


def resized(x: Tensor, counts: list[int], wanted: list[int], size: tuple[int, ...]) -> Tensor:
    """Trilinear interpolation of each scan to its wanted depth and to `size`."""
    scans = []
    for scan, depth in zip(torch.split(x, counts), wanted, strict=True):
        volume = scan.transpose(0, 1)[None].float()
        larger = F.interpolate(volume, size=(depth, *size), mode="trilinear", align_corners=False)
        scans.append(larger[0].transpose(0, 1).to(x.dtype))
    return torch.cat(scans)


def largest(x: Tensor, counts: list[int]) -> Tensor:
    """(N, C, H, W) -> (B, C): the largest value of each scan."""
    return torch.stack([scan.amax(dim=(0, 2, 3)) for scan in torch.split(x, counts)])


def average(x: Tensor, counts: list[int]) -> Tensor:
    """(N, C, H, W) -> (B, C): the mean of each scan."""
    return torch.stack([scan.mean(dim=(0, 2, 3)) for scan in torch.split(x, counts)])


def last_states(lstm: nn.LSTM, summary: Tensor, counts: list[int]) -> Tensor:
    """(N, F) of all real slices -> (B, 2 x hidden): where the last layer ends at the top, and at the bottom."""
    padded = pad_sequence(list(torch.split(summary, counts)), batch_first=True)
    packed = pack_padded_sequence(padded, torch.tensor(counts), batch_first=True, enforce_sorted=False)
    _, (states, _) = lstm(packed)
    return torch.cat([states[-2], states[-1]], dim=1)


def real_slices(slices: Tensor, depths: Tensor, seen: HeadInput) -> tuple[Tensor, list[int]]:
    """(B, D, 1, H, W) and (B,) -> the real slices with their neighbours, scan after scan, and how many each has."""
    counts: list[int] = depths.tolist()
    real = torch.cat([scan[:count, 0] for scan, count in zip(slices, counts, strict=True)])
    first, last = scan_ends(counts, real.device)
    return with_neighbours(real, first, last, seen), counts


def scan_ends(counts: list[int], device: torch.device) -> tuple[Tensor, Tensor]:
    """For each real slice the index of the first and of the last slice of its scan."""
    depths = torch.tensor(counts, device=device)
    after = depths.cumsum(0)
    return (after - depths).repeat_interleave(depths), (after - 1).repeat_interleave(depths)


def gathered(
    scan_logit: Tensor | None,
    slice_logits: Tensor | None,
    masks: Tensor | None,
    counts: list[int],
    depth: int,
    image_size: tuple[int, int],
) -> ScanOutput:
    """Padded output from what there is of all real slices, scan after scan; at least one thing is."""
    if slice_logits is None and masks is not None:
        slice_logits = masks.amax(dim=(1, 2))
    if slice_logits is None:
        assert scan_logit is not None
        slice_logits = torch.cat([logit.expand(count) for logit, count in zip(scan_logit, counts, strict=True)])
    if scan_logit is None:
        scan_logit = torch.stack([part.amax() for part in torch.split(slice_logits, counts)])
    if masks is None:
        masks = slice_logits.new_full((len(slice_logits), *image_size), NO_MASK_LOGIT)
    return ScanOutput(scan_logit, _padded(slice_logits, counts, depth), _padded(masks, counts, depth))


def _padded(values: Tensor, counts: list[int], depth: int) -> Tensor:
    """(N, ...) of all real slices -> (B, depth, ...)."""
    scans = [
        F.pad(scan, [0, 0] * (scan.dim() - 1) + [0, depth - len(scan)], value=NO_MASK_LOGIT)
        for scan in torch.split(values, counts)
    ]
    return torch.stack(scans)
