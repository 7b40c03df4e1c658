"""Whole scans: SMART-Net's downstream tasks, and the methods that it is compared with (papers/004 B, 2.2.2)."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import torch
from torch import Tensor, nn

from medenhance.errors import MedEnhanceError
from medenhance.networks.smart_net_scan import ScanOutput, SmartNetScanConfig
from medenhance_training.head_losses import DiceOf, binary_cross_entropy, soft_dice
from medenhance_training.initialisation import start_weights
from medenhance_training.objectives.objective import Batch, Phase
from medenhance_training.objectives.published import build_published, describe
from medenhance_training.objectives.smart_net import IDENTITY
from medenhance_training.optimizer import OptimizerConfig
from medenhance_training.transfer import Part, transfer
from medenhance_training.unfreezing import Unfreeze, check_schedule, freeze, frozen_prefixes, gradient_of_learning


@dataclass(frozen=True)
class ScanObjectiveConfig:
    """A network for whole scans that is told the answers.

    Attributes:
        network: Config of a network for scans.
        scan_weight: Of the scan's cross-entropy; 0 for a network that only segments.
        slice_weight: Of the slices' cross-entropy; not in the paper.
        mask_weight: Of Dice and cross-entropy of the mask; 0 for a network that only classifies.
        dice: Of the batch as a whole (paper), of each scan with blood, or the mean of both.
        cross_entropy_weight: Of that cross-entropy beside Dice; one to one in the paper.
        encoder_from: Upstream run, checkpoint or weights file, or ImageNet weights of torchvision's ResNet-50.
        take: What is taken over from there; the paper takes the encoder alone.
        unfreezing: When which modules start to learn; those not named learn from the start.
        start: Initial weights of all else.
        optimizer: Of the one network.
    """

    network: Any = field(default_factory=SmartNetScanConfig)
    scan_weight: float = 1.0
    slice_weight: float = 0.0
    mask_weight: float = 1.0
    dice: DiceOf = "batch"
    cross_entropy_weight: float = 1.0
    encoder_from: Path | None = None
    take: tuple[Part, ...] = ("encoder",)
    unfreezing: tuple[Unfreeze, ...] = ()
    start: Literal["framework", "xavier-uniform"] = "xavier-uniform"
    optimizer: OptimizerConfig = field(default_factory=OptimizerConfig)

    def __post_init__(self) -> None:
        if not (self.scan_weight or self.slice_weight or self.mask_weight):
            raise MedEnhanceError("bad-option", "Without a loss there is nothing to learn.")

    def build(self) -> ScanObjective:
        return ScanObjective(self)


class ScanObjective:
    """The objective of `ScanObjectiveConfig`."""

    published_name = "network"

    def __init__(self, config: ScanObjectiveConfig) -> None:
        self.config = config
        self.published = describe(config.network, IDENTITY)
        self.network = build_published(self.published)
        start_weights(self.network, config.start)
        if config.encoder_from is not None:
            transfer(self.network, config.encoder_from, config.take)
        check_schedule(self.network, config.unfreezing)
        self.networks: dict[str, nn.Module] = {"network": self.network}
        self.optimizers = {"network": config.optimizer}
        self.phases = [Phase("scan", trains="network", losses=self.losses, gradients=gradient_of_learning)]

    def losses(self, batch: Batch) -> dict[str, Tensor]:
        """A term for each thing that is asked; slices that only pad a scan count in none of them."""
        freeze(self.network, frozen_prefixes(self.config.unfreezing, int(batch["position"])))
        output: ScanOutput = self.network(batch["slices"], batch["depths"])
        return scan_terms(output, batch, self.config)

    def restore(self, network: nn.Module, low_hu: Tensor) -> Tensor:
        """Scans are not restored; the image that the network was given, and what it says of it as one scan."""
        from medenhance.networks.smart_net_scan import on_stack

        return on_stack(network, low_hu)


def scan_terms(output: ScanOutput, batch: Batch, config: ScanObjectiveConfig) -> dict[str, Tensor]:
    """The weighted losses of a batch of scans."""
    terms, depth = {}, batch["slices"].shape[1]
    real = (torch.arange(depth, device=batch["depths"].device) < batch["depths"][:, None]).float()
    has_blood = batch["has_blood"] * real
    if config.scan_weight:
        terms["scan"] = config.scan_weight * binary_cross_entropy(output.scan_logit, has_blood.amax(dim=1))
    if config.slice_weight:
        terms["slice"] = config.slice_weight * binary_cross_entropy(output.slice_logits, has_blood, real)
    if config.mask_weight:
        pixels = real[:, :, None, None].expand_as(output.mask_logits)
        share = batch["share"] * pixels
        cross_entropy = config.cross_entropy_weight * binary_cross_entropy(output.mask_logits, share, pixels)
        terms["mask"] = config.mask_weight * (soft_dice(output.mask_logits, share, config.dice) + cross_entropy)
    return terms
