"""SMART-Net, downstream: a whole scan in, its logit and its mask out (papers/004 B, 2.2.2).

The real slices of all scans of a batch are strung together, and only these are computed on: what a scan gives cannot
depend on how much the batch padded it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from medenhance.networks.precision import run
from medenhance.networks.smart_net import Pool, working_bytes
from medenhance.networks.smart_net_encoder import Encoder, EncoderConfig, Norm, normalisation
from medenhance.networks.smart_net_heads import SEGMENTATION, ClassHead, Decoder, DecoderConfig, MapHead, pooled
from medenhance.networks.smart_net_input import HeadInput, folded, windowed
from medenhance.networks.strung_scans import (
    NO_MASK_LOGIT,
    DepthConvolution,
    ScanOutput,
    gathered,
    last_states,
    real_slices,
)

__all__ = ["NO_MASK_LOGIT", "ScanOutput", "SliceFeatures", "SmartNetScan", "SmartNetScanConfig", "classes", "on_stack"]

Target = Literal["cls", "seg"]
_SMALL_CORRECTION = 1e-3  # SD of the weights with which a correction begins: nearly none, but not deaf to gradients
_EVIDENCE = 4  # slice logit, largest mask logit, mean of the largest ones, logarithm of the mask's area
_LARGEST_PX = 16  # so many: one bright pixel is noise, a bleed of half a millilitre has about as many in a slice
_EVIDENCE_AREA_PX = 10.0  # areas are felt in steps of about so many pixels, larger ones in proportion


@dataclass(frozen=True)
class SmartNetScanConfig:
    """Shape of the downstream network; the defaults are the paper's, classifier and segmenter on one encoder.

    Attributes:
        input: What it sees.
        encoder: That of the upstream network.
        targets: "cls" for the classifier, "seg" for the segmenter.
        decoder: Of single slices, before the segmenter.
        segmenter_layers: 3x3x3 convolutions before the last one.
        segmenter_norm: After each of them; "group" and "instance" do not mix slices.
        slice_masks: The segmenter corrects what upstream's SEG would say of each slice, instead of starting anew. Not
            in the paper.
        pool: How a slice is summed up for the classifier.
        project: A linear layer takes a slice's summary to so many values first; 0 for none, as published.
        lstm_hidden, lstm_layers: Of the bidirectional LSTM (2022; the code of 2024 has 2048 and 3).
        hidden: Width of the layer between LSTM and logit.
        dropout: Before the last layer.
        slice_head: A linear layer on the pooled features says of each slice whether there is blood, as upstream's CLS.
        evidence: The LSTM also reads what slice head and segmenter say of the slice, and the layer after it the most
            that they say of any. Not in the paper.
    """

    input: HeadInput = field(default_factory=HeadInput)
    encoder: EncoderConfig = field(default_factory=EncoderConfig)
    targets: tuple[Target, ...] = ("cls", "seg")
    decoder: DecoderConfig = SEGMENTATION
    segmenter_layers: int = 2
    segmenter_norm: Norm = "batch"
    slice_masks: bool = False
    pool: tuple[Pool, ...] = ("mean",)
    project: int = 0
    lstm_hidden: int = 512
    lstm_layers: int = 2
    hidden: int = 512
    dropout: float = 0.5
    slice_head: bool = False
    evidence: bool = False


class SliceFeatures(NamedTuple):
    """What is kept of N slices until all slices of their scans are there.

    Attributes:
        summary: (N, F) pooled features.
        maps: (N, C, h, w) decoder features, or None.
    """

    summary: Tensor
    maps: Tensor | None


class SmartNetScan(nn.Module):
    """forward: (B, D, 1, H, W) HU and depths (B,) -> `ScanOutput`; all float32."""

    def __init__(self, config: SmartNetScanConfig) -> None:
        super().__init__()
        self.config = config
        self.encoder = Encoder(config.encoder, config.input.channels)
        features = config.encoder.channels[-1] * len(config.pool)
        self.slice_head = ClassHead(features, 0, config.dropout) if config.slice_head else None
        self.decoder: Decoder | None = None
        self.segmenter: Segmenter | None = None
        if "seg" in config.targets:
            self.decoder = Decoder(config.decoder, config.encoder)
            self.segmenter = Segmenter(config)
        self.classifier: ScanClassifier | None = None
        if "cls" in config.targets:
            self.classifier = ScanClassifier(config, features)

    def forward(self, slices: Tensor, depths: Tensor) -> ScanOutput:
        beside, counts = real_slices(slices, depths, self.config.input)
        return self.whole_scans(self.slice_features(beside), counts, depth=slices.shape[1])

    def slice_features(self, slices: Tensor) -> SliceFeatures:
        """(N, 2 x neighbours + 1, H, W) HU -> features; slices are independent of each other here."""
        seen = self.config.input
        features = self.encoder(folded(windowed(slices, seen), seen))
        maps = None if self.decoder is None else self.decoder(features)
        return SliceFeatures(pooled(features[-1], self.config.pool), maps)

    def whole_scans(self, found: SliceFeatures, counts: list[int], depth: int) -> ScanOutput:
        """From the features of all real slices, scan after scan, to the output padded to `depth`."""
        masks = None if self.segmenter is None else self.segmenter(found.maps, counts)
        of_slices = None if self.slice_head is None else run(self.slice_head, found.summary)
        scan_logit = None
        if self.classifier is not None:
            evidence = _evidence(of_slices, masks, found.summary) if self.config.evidence else None
            scan_logit = self.classifier(found.summary, evidence, counts)
        return gathered(scan_logit, of_slices, masks, counts, depth, self._image_size(found))

    def _image_size(self, found: SliceFeatures) -> tuple[int, int]:
        """Of mask logits that nothing gives: one pixel."""
        if found.maps is None:
            return 1, 1
        side = self.config.input.unshuffle
        return found.maps.shape[2] * side, found.maps.shape[3] * side


class Segmenter(nn.Module):
    """3x3x3 convolutions over the decoder's features of a scan, then one to the mask's logits."""

    def __init__(self, config: SmartNetScanConfig) -> None:
        super().__init__()
        width = config.decoder.widths[-1]
        self.layers = nn.ModuleList(DepthConvolution(width, width) for _ in range(config.segmenter_layers))
        self.norms = nn.ModuleList(normalisation(config.segmenter_norm, width) for _ in self.layers)
        maps = config.input.unshuffle**2
        self.last = DepthConvolution(width, maps)
        self.unshuffle = config.input.unshuffle
        self.slice_masks: MapHead | None = None
        if config.slice_masks:
            self.slice_masks = MapHead(width, 1, self.unshuffle)
            nn.init.normal_(self.last.planes.weight, std=_SMALL_CORRECTION)

    def forward(self, maps: Tensor, counts: list[int]) -> Tensor:
        """(N, C, h, w), all real slices -> (N, H, W) float32 logits."""
        of_slices = None if self.slice_masks is None else run(self.slice_masks, maps)
        for layer, norm in zip(self.layers, self.norms, strict=True):
            maps = torch.relu(run(norm, layer(maps, counts)))
        logits = F.pixel_shuffle(self.last(maps, counts).float(), self.unshuffle)
        return (logits if of_slices is None else of_slices + logits)[:, 0]


class ScanClassifier(nn.Module):
    """Bidirectional LSTM over the true depth; the last states of both directions, a layer, the logit."""

    def __init__(self, config: SmartNetScanConfig, features: int) -> None:
        super().__init__()
        self.project: nn.Linear | None = nn.Linear(features, config.project) if config.project else None
        seen = _EVIDENCE if config.evidence else 0
        self.lstm = nn.LSTM(
            (config.project or features) + seen,
            config.lstm_hidden,
            config.lstm_layers,
            batch_first=True,
            bidirectional=True,
        )
        self.hidden = nn.Linear(2 * config.lstm_hidden + seen, config.hidden)
        self.dropout = nn.Dropout(config.dropout)
        self.last = nn.Linear(config.hidden, 1)

    def forward(self, summary: Tensor, evidence: Tensor | None, counts: list[int]) -> Tensor:
        """(N, F) and (N, E) of all real slices -> (B,) float32 logits."""
        dtype = self.hidden.weight.dtype
        summary = summary.to(dtype) if self.project is None else torch.relu(run(self.project, summary.to(dtype)))
        if evidence is None:
            states = last_states(self.lstm, summary, counts)
        else:
            evidence = evidence.to(dtype)
            most = torch.stack([scan.amax(dim=0) for scan in torch.split(evidence, counts)])
            states = last_states(self.lstm, torch.cat([summary, evidence], dim=1), counts)
            states = torch.cat([states, most], dim=1)
        return run(self.last, run(self.dropout, torch.relu(run(self.hidden, states)))).float()[:, 0]


def classes(config: object) -> int:  # noqa: ARG001 - the same three for all
    """Maps beside the image in what `on_stack` returns: mask logits, slice logit, scan logit."""
    return 3


def on_stack(network: nn.Module, stack: Tensor) -> Tensor:
    """Run a network for scans on one scan, as one tensor.

    Args:
        network: Takes slices and depths, and returns a `ScanOutput`.
        stack: (D, 1, H, W) HU, one scan.

    Returns:
        (D, 4, H, W) float32: the scan itself, its mask logits, and slice and scan logits as constant maps.
    """
    output: ScanOutput = network(stack[None], torch.tensor([len(stack)]))
    masks = output.mask_logits[0].expand(-1, *stack.shape[-2:])
    of_slices = output.slice_logits[0][:, None, None].expand_as(masks)
    return torch.stack([stack[:, 0], masks, of_slices, output.scan_logit.expand_as(masks)], dim=1)


def size_multiple(config: SmartNetScanConfig) -> int:
    """Height and width must be multiples of this."""
    return config.encoder.scales[-1] * config.input.unshuffle


def size_minimum(config: SmartNetScanConfig) -> int:
    """Least height and width."""
    return size_multiple(config)


def bytes_per_pixel(config: SmartNetScanConfig, itemsize: int) -> int:
    """Working memory that a forward pass needs for one pixel of a slice, bytes."""
    kept = 8 * config.decoder.widths[-1] / config.input.unshuffle**2
    return working_bytes(config.input, config.encoder, (config.decoder,), itemsize) + int(itemsize * kept)


def _evidence(slice_logits: Tensor | None, masks: Tensor | None, like: Tensor) -> Tensor:
    """(N, E) float32: what slice head and segmenter say of each slice; 0 from what is not there."""
    found = [like.new_zeros(len(like), dtype=torch.float32)] * _EVIDENCE
    if slice_logits is not None:
        found[0] = slice_logits
    if masks is not None:
        flat = masks.flatten(1)
        found[1] = flat.amax(dim=1)
        found[2] = flat.topk(min(_LARGEST_PX, flat.shape[1]), dim=1).values.mean(dim=1)
        found[3] = torch.log1p(torch.sigmoid(flat).sum(dim=1) / _EVIDENCE_AREA_PX)
    return torch.stack(found, dim=1)
