"""SMART-Net, upstream: one encoder, three pretext heads on single slices (papers/004 B, 2.2.1).

Paper and released code differ; `PAPER`, `RELEASE_2022` and `RELEASE_2024` are what each of them says (specification,
1.7). The network reads HU: its windows are part of it.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Literal, NamedTuple

import torch
from torch import Tensor, nn

from medenhance.networks.precision import run
from medenhance.networks.smart_net_encoder import Encoder, EncoderConfig
from medenhance.networks.smart_net_heads import (
    RECONSTRUCTION,
    SEGMENTATION,
    ClassHead,
    Decoder,
    DecoderConfig,
    MapHead,
    pooled,
)
from medenhance.networks.smart_net_input import HeadInput, folded, middle, windowed

Pretext = Literal["cls", "seg", "rec"]
Pool = Literal["mean", "max"]


@dataclass(frozen=True)
class SmartNetConfig:
    """Shape of the upstream network; the defaults are the paper's.

    Attributes:
        input: What it sees.
        encoder: Shared by the heads.
        heads: Which pretext tasks there are.
        segmentation: Decoder of SEG.
        reconstruction: Decoder of REC.
        pool: How CLS sums up a slice.
        hidden: Width of a hidden layer of CLS; 0 for none.
        dropout: Of CLS.
    """

    input: HeadInput = field(default_factory=HeadInput)
    encoder: EncoderConfig = field(default_factory=EncoderConfig)
    heads: tuple[Pretext, ...] = ("cls", "seg", "rec")
    segmentation: DecoderConfig = SEGMENTATION
    reconstruction: DecoderConfig = RECONSTRUCTION
    pool: tuple[Pool, ...] = ("mean",)
    hidden: int = 0
    dropout: float = 0.5


PAPER = SmartNetConfig()
RELEASE_2022 = SmartNetConfig(input=HeadInput(scale="min-max"), segmentation=replace(SEGMENTATION, attention="last"))
RELEASE_2024 = SmartNetConfig(
    input=HeadInput(scale="centred"),
    encoder=EncoderConfig(stem_stride=2),
    reconstruction=replace(RECONSTRUCTION, attention="both", skips=True),
    hidden=1024,
    dropout=0.3,
)


class Pretexts(NamedTuple):
    """What the heads say of N slices; None from a head that is not there.

    Attributes:
        logit: (N,) of "there is blood in this slice".
        mask_logits: (N, H, W).
        image: (N, windows, H, W), the reconstructed slice in network units.
        target: (N, windows, H, W), the slice that REC is to reconstruct.
    """

    logit: Tensor | None
    mask_logits: Tensor | None
    image: Tensor | None
    target: Tensor


class SmartNet(nn.Module):
    """forward: (N, 1, H, W) HU -> (N, 1 + classes, H, W) float32.

    The image comes first: reconstructed, or as the network saw it where there is no REC head. Then the mask's logits
    and the slice's logit as a constant map, from the heads that there are.
    """

    def __init__(self, config: SmartNetConfig) -> None:
        super().__init__()
        self.config = config
        self.encoder = Encoder(config.encoder, config.input.channels)
        self.cls: ClassHead | None = None
        if "cls" in config.heads:
            self.cls = ClassHead(config.encoder.channels[-1] * len(config.pool), config.hidden, config.dropout)
        self.seg = _map_head(config, config.segmentation, 1) if "seg" in config.heads else None
        images = len(config.input.windows_hu)
        self.rec = _map_head(config, config.reconstruction, images) if "rec" in config.heads else None

    def forward(self, x: Tensor) -> Tensor:
        found = self.pretexts(x.expand(-1, self.config.input.slices, -1, -1))
        maps = [(found.target if found.image is None else found.image)[:, :1]]
        if found.mask_logits is not None:
            maps.append(found.mask_logits[:, None])
        if found.logit is not None:
            maps.append(found.logit[:, None, None, None].expand_as(maps[0]))
        return torch.cat(maps, dim=1)

    def pretexts(self, slices: Tensor, target: Tensor | None = None) -> Pretexts:
        """Run every head.

        Args:
            slices: (N, 2 x neighbours + 1, H, W) HU.
            target: Slices that REC is to reconstruct from these; the same where None.
        """
        images = windowed(slices, self.config.input)
        features = self.encoder(folded(images, self.config.input))
        goal = images if target is None else windowed(target, self.config.input)
        return Pretexts(
            None if self.cls is None else run(self.cls, pooled(features[-1], self.config.pool)),
            None if self.seg is None else self.seg(features)[:, 0],
            None if self.rec is None else self.rec(features),
            middle(goal, self.config.input),
        )


def classes(config: SmartNetConfig) -> int:
    """Maps beside the image."""
    return len({"cls", "seg"} & set(config.heads))


def size_multiple(config: SmartNetConfig) -> int:
    """Height and width must be multiples of this."""
    return config.encoder.scales[-1] * config.input.unshuffle


def size_minimum(config: SmartNetConfig) -> int:
    """Least height and width."""
    return size_multiple(config)


def bytes_per_pixel(config: SmartNetConfig, itemsize: int) -> int:
    """Working memory that a forward pass needs for one pixel of the image, bytes."""
    return working_bytes(config.input, config.encoder, (config.segmentation, config.reconstruction), itemsize)


def working_bytes(seen: HeadInput, encoder: EncoderConfig, decoders: tuple[DecoderConfig, ...], itemsize: int) -> int:
    """Most of what one block reads and makes, and the features that wait as skips, bytes for one pixel."""
    area = [1.0 / (seen.unshuffle * scale) ** 2 for scale in encoder.scales]
    kept = sum(channels * share for channels, share in zip(encoder.channels, area, strict=True))
    stage = 4 * max(channels * share for channels, share in zip(encoder.channels, area, strict=True))
    above = encoder.channels[-1]
    largest = stage
    for config in decoders:
        sizes = [*reversed(area[:-1]), 1.0 / seen.unshuffle**2]
        skips = [*reversed(encoder.channels[:-1]), 0]
        wide = above
        for width, skip, share in zip(config.widths, skips, sizes, strict=True):
            entered = wide * (5 if config.shuffle else 1) + (skip if config.skips else 0)
            largest = max(largest, (2 * entered + 4 * width) * share)
            wide = width
    entry = 4.0 * 6 * seen.channels / seen.unshuffle**2
    return int(itemsize * (kept + largest) + entry) + 32


class _MapNetwork(nn.Module):
    """A decoder and the maps that it ends in."""

    def __init__(self, decoder: Decoder, head: MapHead) -> None:
        super().__init__()
        self.decoder = decoder
        self.head = head

    def forward(self, features: list[Tensor]) -> Tensor:
        return run(self.head, self.decoder(features))


def _map_head(config: SmartNetConfig, decoder: DecoderConfig, maps: int) -> _MapNetwork:
    body = Decoder(decoder, config.encoder)
    return _MapNetwork(body, MapHead(decoder.widths[-1], maps, config.input.unshuffle))
