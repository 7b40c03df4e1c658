"""SMART-Net, upstream: several pretext tasks on one encoder, with CLS and SEG held together (papers/004 B, 2.2.1)."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

import torch.nn.functional as F
from torch import Tensor, nn

from medenhance.errors import MedEnhanceError
from medenhance.intensity import Scale
from medenhance.networks.smart_net import Pretexts, SmartNet, SmartNetConfig
from medenhance_training.head_losses import DiceOf, Pooling, binary_cross_entropy, consistency, soft_dice
from medenhance_training.initialisation import start_weights
from medenhance_training.objectives.objective import Batch, Phase
from medenhance_training.objectives.published import build_published, describe, restore_hu
from medenhance_training.optimizer import OptimizerConfig

IDENTITY = Scale(center_hu=0.0, scale_hu=1.0)
"""The networks for head CT read HU: their windows are part of them."""


@dataclass(frozen=True)
class SmartNetObjectiveConfig:
    """The losses of the paper by default.

    Attributes:
        network: Its heads decide which losses there are.
        segmentation: Dice alone (paper, 2024), or Dice and cross-entropy one to one (2022).
        dice: Of the batch as a whole (paper), of each slice with blood, or the mean of both.
        cross_entropy_weight: Of the cross-entropy beside Dice; 1 in 2022. A pixel then weighs hundreds of times less
            in it than in Dice, whose gradient vanishes where a bleed is missed.
        skip_empty: Whether Dice is left out of batches without blood (2022).
        reconstruction: Mean absolute error (paper), or mean squared error (Models Genesis).
        pooling: How SEG's map is summed up for the consistency loss.
        pool_logits: Of logits instead of probabilities (2024).
        cls_weight, seg_weight, rec_weight: The paper weights all tasks alike.
        consistency_weight: 0 leaves it out. The paper gives none; 0.5 in 2022 and 1 in 2024.
        start: Initial weights: "xavier-uniform" is the paper's.
        optimizer: Of the one network.
    """

    network: SmartNetConfig = field(default_factory=SmartNetConfig)
    segmentation: Literal["dice", "dice+bce"] = "dice"
    dice: DiceOf = "batch"
    cross_entropy_weight: float = 1.0
    skip_empty: bool = True
    reconstruction: Literal["l1", "mse"] = "l1"
    pooling: Pooling = "max-avg"
    pool_logits: bool = False
    cls_weight: float = 1.0
    seg_weight: float = 1.0
    rec_weight: float = 1.0
    consistency_weight: float = 1.0
    start: Literal["framework", "xavier-uniform"] = "xavier-uniform"
    optimizer: OptimizerConfig = field(default_factory=OptimizerConfig)

    def __post_init__(self) -> None:
        if not self.network.heads:
            raise MedEnhanceError("bad-option", "Without a head there is nothing to learn.")
        if self.consistency_weight and not {"cls", "seg"} <= set(self.network.heads):
            raise MedEnhanceError("bad-option", "The consistency loss needs the heads cls and seg.")

    def build(self) -> SmartNetObjective:
        return SmartNetObjective(self)


class SmartNetObjective:
    """The objective of `SmartNetObjectiveConfig`."""

    published_name = "network"

    def __init__(self, config: SmartNetObjectiveConfig) -> None:
        self.config = config
        self.published = describe(config.network, IDENTITY)
        network = build_published(self.published)
        assert isinstance(network, SmartNet)
        start_weights(network, config.start)
        self.network = network
        self.networks: dict[str, nn.Module] = {"network": network}
        self.optimizers = {"network": config.optimizer}
        self.phases = [Phase("upstream", trains="network", losses=self.losses)]

    def losses(self, batch: Batch) -> dict[str, Tensor]:
        """A term for each head, and the consistency of two of them."""
        found = self.network.pretexts(batch["slices"], batch.get("whole"))
        return self._terms(found, batch)

    def restore(self, network: nn.Module, low_hu: Tensor) -> Tensor:
        return restore_hu(network, self.published.intensity, low_hu)

    def _terms(self, found: Pretexts, batch: Batch) -> dict[str, Tensor]:
        config, logit, masks = self.config, found.logit, found.mask_logits
        terms: dict[str, Tensor] = {}
        if logit is not None:
            terms["cls"] = config.cls_weight * binary_cross_entropy(logit, batch["has_blood"])
        if masks is not None:
            terms["seg"] = config.seg_weight * self._segmentation(masks, batch["share"])
        if found.image is not None:
            distance = F.l1_loss if config.reconstruction == "l1" else F.mse_loss
            terms["rec"] = config.rec_weight * distance(found.image, found.target)
        if config.consistency_weight and logit is not None and masks is not None:
            apart = consistency(logit, masks, config.pooling, of_logits=config.pool_logits)
            terms["consistency"] = config.consistency_weight * apart
        return terms

    def _segmentation(self, masks: Tensor, share: Tensor) -> Tensor:
        dice = soft_dice(masks, share, self.config.dice, skip_empty=self.config.skip_empty)
        if self.config.segmentation == "dice":
            return dice
        return dice + self.config.cross_entropy_weight * binary_cross_entropy(masks, share)
