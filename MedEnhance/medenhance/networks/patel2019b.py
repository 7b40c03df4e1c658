"""Slice CNN and LSTM of Patel et al. (IEEE Access 7:92355, 2019), as SMART-Net's authors re-implemented it.

The thesis has a "full" and a "simple" version and explains neither. Full is taken as CNN and LSTM here, simple as the
CNN whose highest slice decides (specification, section 2).
"""

from __future__ import annotations

from dataclasses import dataclass, field

import torch.nn.functional as F
from torch import Tensor, nn

from medenhance.networks.precision import EntryConvolution, run
from medenhance.networks.smart_net_input import HeadInput, folded, windowed
from medenhance.networks.strung_scans import ScanOutput, gathered, last_states, real_slices


@dataclass(frozen=True)
class Patel2019bConfig:
    """Shape of the classifier.

    Attributes:
        input: What it sees.
        widths: Feature maps of the convolutions; the first two share a scale, each further one has its own.
        dense: Width of the two layers after pooling; the sources do not say.
        lstm_hidden, lstm_layers: Of the bidirectional LSTM.
        sequence: With the LSTM ("full"); without, the highest slice decides ("simple").
        dropout: Before both dense layers.
    """

    input: HeadInput = field(default_factory=HeadInput)
    widths: tuple[int, ...] = (16, 32, 64, 128, 256, 512)
    dense: int = 512
    lstm_hidden: int = 512
    lstm_layers: int = 3
    sequence: bool = True
    dropout: float = 0.5


class Patel2019b(nn.Module):
    """forward: (B, D, 1, H, W) HU and depths (B,) -> `ScanOutput` without a mask."""

    def __init__(self, config: Patel2019bConfig) -> None:
        super().__init__()
        self.config = config
        first, *rest = config.widths
        self.entry = EntryConvolution(config.input.channels, first, 3, padding=1)
        self.entry_norm = nn.BatchNorm2d(first)
        befores = (first, *rest[:-1])
        self.convolutions = nn.ModuleList(
            nn.Sequential(nn.Conv2d(before, after, 3, padding=1), nn.BatchNorm2d(after), nn.ReLU())
            for before, after in zip(befores, rest, strict=True)
        )
        self.dense = nn.Sequential(
            nn.Dropout(config.dropout), nn.Linear(rest[-1], config.dense), nn.ReLU(),
            nn.Dropout(config.dropout), nn.Linear(config.dense, config.dense), nn.ReLU(),
        )  # fmt: skip
        self.slice_head = nn.Linear(config.dense, 1)
        self.lstm: nn.LSTM | None = None
        if config.sequence:
            self.lstm = nn.LSTM(
                config.dense, config.lstm_hidden, config.lstm_layers, batch_first=True, bidirectional=True
            )
            self.last = nn.Linear(2 * config.lstm_hidden, 1)

    def forward(self, slices: Tensor, depths: Tensor) -> ScanOutput:
        beside, counts = real_slices(slices, depths, self.config.input)
        summary = self._summary(beside)
        of_slices = run(self.slice_head, summary).float()[:, 0]
        logit = None
        if self.lstm is not None:
            logit = run(self.last, last_states(self.lstm, summary, counts)).float()[:, 0]
        return gathered(logit, of_slices, None, counts, slices.shape[1], (1, 1))

    def _summary(self, beside: Tensor) -> Tensor:
        seen = self.config.input
        dtype = self.slice_head.weight.dtype
        features = run(self.entry_norm, self.entry.short(folded(windowed(beside, seen), seen), dtype)).relu()
        for layer in self.convolutions:
            features = F.max_pool2d(run(layer, features), 2)
        return run(self.dense, features.mean(dim=(2, 3)))


def size_multiple(config: Patel2019bConfig) -> int:
    """Height and width must be multiples of this."""
    return int(config.input.unshuffle * 2 ** (len(config.widths) - 1))


def bytes_per_pixel(config: Patel2019bConfig, itemsize: int) -> int:
    """Working memory that a forward pass needs for one pixel of a slice, bytes."""
    return int(itemsize * 2 * sum(config.widths[:2]) / config.input.unshuffle**2) + 32
