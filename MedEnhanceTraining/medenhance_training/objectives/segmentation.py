"""Segmentation alone: the paper's vanilla FPN and U-Net, RSNU (total variation) and PPMU (papers/001, Table 1)."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from torch import Tensor

from medenhance.errors import MedEnhanceError
from medenhance.intensity import Grey
from medenhance.networks.spine import SpineConfig
from medenhance_training import losses
from medenhance_training.objectives.objective import Batch, Phase
from medenhance_training.objectives.spine_network import SpineNetworkObjective
from medenhance_training.optimizer import OptimizerConfig


@dataclass(frozen=True)
class SegmentationConfig:
    """A segmenter that is told the answer.

    Attributes:
        network: Its enhancer is None.
        intensity: Map between grey and network units.
        variation_weight: Of the total variation of the class probabilities; RSNU has it.
        optimizer: Of the one network.
    """

    network: SpineConfig = field(default_factory=lambda: SpineConfig(enhancer=None))
    intensity: Any = field(default_factory=Grey)
    variation_weight: float = 0.0
    optimizer: OptimizerConfig = field(default_factory=OptimizerConfig)

    def __post_init__(self) -> None:
        if self.network.segmenter is None or self.network.enhancer is not None:
            raise MedEnhanceError("bad-option", "Segmentation alone needs a segmenter and no enhancer.")

    def build(self) -> Segmentation:
        return Segmentation(self)


class Segmentation(SpineNetworkObjective):
    """The objective of `SegmentationConfig`."""

    def __init__(self, config: SegmentationConfig) -> None:
        super().__init__(config.network, config.intensity)
        self.config = config
        self.optimizers = {"network": config.optimizer}
        self.phases = [Phase("network", trains="network", losses=self.losses)]

    def losses(self, batch: Batch) -> dict[str, Tensor]:
        """Cross-entropy of the crops, and what their class probabilities vary."""
        scores = self.network.segment(self.intensity.forward(batch["image"]))
        terms = {"segmentation": losses.pixel_cross_entropy(scores, batch["labels"])}
        if self.config.variation_weight:
            terms["variation"] = self.config.variation_weight * losses.total_variation(scores)
        return terms
