"""CycleGAN with a segmenter, end to end (SynSeg-Net, Huo et al., IEEE TMI 2019; compared in papers/001, Table 1).

One generator takes corrupted patches to clean ones, another back; each pair of them should return what went in. The
published pool of 50 earlier images is left out: a run's state would no longer be its networks and its position.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from medenhance.errors import MedEnhanceError
from medenhance.intensity import Grey
from medenhance.networks.resnet_generator import ResnetGenerator, ResnetGeneratorConfig
from medenhance.networks.spine import SpineConfig
from medenhance_training import losses
from medenhance_training.objectives.objective import Batch, Phase
from medenhance_training.objectives.spine_network import SpineNetworkObjective
from medenhance_training.optimizer import OptimizerConfig
from medenhance_training.patch_critics import PatchCritic, PatchCriticConfig, TwoCritics

# PatchGAN of CycleGAN: 4x4 kernels, no attention.
PATCH_GAN = PatchCriticConfig(widths=(64, 128, 256, 512), kernel=4, attention=False)


@dataclass(frozen=True)
class CycleConfig:
    """The method.

    Attributes:
        network: Enhancer, which is the generator towards clean patches, and segmenter.
        back: Generator towards corrupted patches.
        critic: Shape of each critic.
        intensity: Map between grey and network units.
        cycle_weight: Of the mean absolute error after both generators.
        network_optimizer, back_optimizer, critic_optimizer: One for each.
    """

    network: SpineConfig = field(default_factory=lambda: SpineConfig(enhancer=ResnetGeneratorConfig()))
    back: ResnetGeneratorConfig = field(default_factory=ResnetGeneratorConfig)
    critic: PatchCriticConfig = PATCH_GAN
    intensity: Any = field(default_factory=Grey)
    cycle_weight: float = 10.0
    network_optimizer: OptimizerConfig = field(default_factory=OptimizerConfig)
    back_optimizer: OptimizerConfig = field(default_factory=OptimizerConfig)
    critic_optimizer: OptimizerConfig = field(default_factory=OptimizerConfig)

    def __post_init__(self) -> None:
        if self.network.enhancer is None or self.network.segmenter is None:
            raise MedEnhanceError("bad-option", "CycleGAN with a segmenter needs an enhancer and a segmenter.")

    def build(self) -> Cycle:
        return Cycle(self)


class Cycle(SpineNetworkObjective):
    """The objective of `CycleConfig`."""

    def __init__(self, config: CycleConfig) -> None:
        super().__init__(config.network, config.intensity)
        self.config = config
        self.back = ResnetGenerator(config.back)
        self.critics = TwoCritics(lambda: PatchCritic(config.critic))
        self.networks |= {"back": self.back, "critic": self.critics}
        self.optimizers = {
            "network": config.network_optimizer,
            "back": config.back_optimizer,
            "critic": config.critic_optimizer,
        }
        self.phases = [
            Phase("critic", trains="critic", losses=self.critic_losses),
            Phase("network", trains="network", losses=self.network_losses),
            Phase("back", trains="back", losses=self.back_losses),
        ]

    def critic_losses(self, batch: Batch) -> dict[str, Tensor]:
        """LSGAN of each critic."""
        x, z = self._domains(batch)
        with torch.no_grad():
            clean, corrupted = self.network.enhance(x), self.back(z)
        return {
            "clean": _versus(self.critics.clean, z, clean),
            "corrupted": _versus(self.critics.corrupted, x, corrupted),
        }

    def network_losses(self, batch: Batch) -> dict[str, Tensor]:
        """Adversarial and cycle loss of the generator towards clean, and cross-entropy through it."""
        x, z = self._domains(batch)
        clean = self.network.enhance(x)
        crop = self.network.enhance(self.intensity.forward(batch["image"]))
        return {
            "clean": losses.least_squares(self.critics.clean(clean), 1.0),
            "cycle": self._cycles(x, z, clean, self.back(z)),
            "segmentation": losses.pixel_cross_entropy(self.network.segment(crop), batch["labels"]),
        }

    def back_losses(self, batch: Batch) -> dict[str, Tensor]:
        """Adversarial and cycle loss of the generator towards corrupted."""
        x, z = self._domains(batch)
        corrupted = self.back(z)
        return {
            "corrupted": losses.least_squares(self.critics.corrupted(corrupted), 1.0),
            "cycle": self._cycles(x, z, self.network.enhance(x), corrupted),
        }

    def _domains(self, batch: Batch) -> tuple[Tensor, Tensor]:
        return self.intensity.forward(batch["corrupted"]), self.intensity.forward(batch["clean"])

    def _cycles(self, x: Tensor, z: Tensor, clean: Tensor, corrupted: Tensor) -> Tensor:
        there = losses.mean_absolute_error(self.back(clean), x)
        again = losses.mean_absolute_error(self.network.enhance(corrupted), z)
        return self.config.cycle_weight * (there + again)


def _versus(critic: nn.Module, real: Tensor, fake: Tensor) -> Tensor:
    return 0.5 * (losses.least_squares(critic(real), 1.0) + losses.least_squares(critic(fake), 0.0))
