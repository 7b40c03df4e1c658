"""MTD-GAN: a denoiser against a multi-task discriminator (thesis, papers/004, C 2.2; release for IEEE TMI 2024).

A step has two phases: the critic learns, then the generator. Every choice in which the thesis, the release and the
mended version differ is a field of the config, and `medenhance_training.recipes.mtd_gan` sets them.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

import torch
from torch import Tensor, nn

from medenhance.errors import MedEnhanceError
from medenhance.intensity import Window, intensity_map
from medenhance.networks.mtdgan import MtdGanConfig
from medenhance_training import losses
from medenhance_training.critics import MultiTaskCritic, MultiTaskCriticConfig, Verdict
from medenhance_training.initialisation import Start, start_weights
from medenhance_training.objectives.objective import Batch, GradientRule, Phase, gradient_of_sum
from medenhance_training.objectives.published import build_published, describe, restore_hu
from medenhance_training.optimizer import OptimizerConfig
from medenhance_training.pcgrad import PcGrad

REAL, FAKE = 1.0, 0.0


@dataclass(frozen=True)
class MtdGanObjectiveConfig:
    """The method and its variants.

    Attributes:
        generator: Config of the denoiser, any network of the core.
        critic: Shape of the discriminator and which heads it has.
        intensity: Map between HU and network units.
        start: Initial weights of the generator.
        suppress: Non-difference suppression of the SEG losses: "off", mean over all "pixels" as published, or over the
            "mask" alone.
        consistency: Reconstruction consistency: "off", as "released", or as in the "thesis"; needs the REC head.
        pcgrad: Resolve conflicts between the critic's tasks; otherwise their gradients are summed.
        train_classifier: The release trains no CLS hidden layer under PCGrad; False repeats that.
        dropout_against_generator: The release leaves the critic's dropout on while the generator learns.
        adversarial_weight, charbonnier_weight, edge_weight: Weights of the generator's losses.
        generator_optimizer, critic_optimizer: One for each network.
    """

    generator: Any = field(default_factory=MtdGanConfig)
    critic: MultiTaskCriticConfig = field(default_factory=MultiTaskCriticConfig)
    intensity: Any = field(default_factory=Window)
    start: Start = "framework"
    suppress: Literal["off", "pixels", "mask"] = "mask"
    consistency: Literal["off", "released", "thesis"] = "released"
    pcgrad: bool = True
    train_classifier: bool = True
    dropout_against_generator: bool = False
    adversarial_weight: float = 1.0
    charbonnier_weight: float = 50.0
    edge_weight: float = 50.0
    generator_optimizer: OptimizerConfig = field(default_factory=OptimizerConfig)
    critic_optimizer: OptimizerConfig = field(default_factory=OptimizerConfig)

    def __post_init__(self) -> None:
        if self.consistency != "off" and not self.critic.reconstruction:
            raise MedEnhanceError(
                "bad-option",
                "Reconstruction consistency needs a critic that reconstructs.",
                "Set --objective.consistency off, or --objective.critic.reconstruction.",
            )

    def build(self) -> MtdGan:
        return MtdGan(self)


class MtdGan:
    """The objective of `MtdGanObjectiveConfig`."""

    published_name = "generator"

    def __init__(self, config: MtdGanObjectiveConfig) -> None:
        self.config = config
        self.published = describe(config.generator, config.intensity)
        self.intensity = intensity_map(self.published.intensity)
        # The release clips to [0, 1], which is what its windows map to.
        self.range = self.intensity.forward(torch.tensor(self.intensity.clip_hu)).tolist()
        self.generator = build_published(self.published)
        start_weights(self.generator, config.start)
        self.critic = MultiTaskCritic(config.critic)
        self.networks = {"generator": self.generator, "critic": self.critic}
        self.optimizers = {"generator": config.generator_optimizer, "critic": config.critic_optimizer}
        self.phases = [
            Phase("critic", trains="critic", losses=self.critic_losses, gradients=self._critic_rule()),
            Phase("generator", trains="generator", losses=self.generator_losses),
        ]

    def critic_losses(self, batch: Batch) -> dict[str, Tensor]:
        """Up to three task losses: adversarial, reconstruction, consistency.

        Each is published as a term for real patches plus one for fake ones. Both are judged in one batch here, so a
        term is twice the mean over it; eq. 4 alone is an expectation over all that the critic sees.
        """
        low, normal = self.intensity.forward(batch["low"]), self.intensity.forward(batch["normal"])
        fake = self.generator(low)  # frozen in this phase, so nothing flows back into it
        images = torch.cat([normal, fake])
        target = torch.cat([torch.full_like(normal[:, :1, :1, :1], REAL), torch.full_like(fake[:, :1, :1, :1], FAKE)])
        verdict = self.critic(images)
        mask = losses.difference_mask(low, normal).repeat(2, 1, 1, 1)
        terms = {"adversarial": 2.0 * self._adversarial(verdict, target, mask)}
        if verdict.reconstruction is not None:
            terms["reconstruction"] = 2.0 * losses.mean_absolute_error(verdict.reconstruction, images)
        if self.config.consistency != "off":
            terms["consistency"] = self._consistency(verdict)
        return terms

    def generator_losses(self, batch: Batch) -> dict[str, Tensor]:
        """Adversarial, Charbonnier and edge loss, weighted (thesis eq. 6 and text)."""
        low, normal = self.intensity.forward(batch["low"]), self.intensity.forward(batch["normal"])
        self.critic.classify.dropout.train(self.config.dropout_against_generator)
        fake = self.generator(low)
        verdict = self.critic(fake, with_reconstruction=False)
        target = torch.full_like(fake[:, :1, :1, :1], REAL)
        adversarial = self._adversarial(verdict, target, losses.difference_mask(low, normal))
        return {
            "adversarial": self.config.adversarial_weight * adversarial,
            "charbonnier": self.config.charbonnier_weight * losses.charbonnier(fake, normal),
            "edge": self.config.edge_weight * losses.edge(fake, normal),
        }

    def restore(self, network: nn.Module, low_hu: Tensor) -> Tensor:
        return restore_hu(network, self.published.intensity, low_hu)

    def _adversarial(self, verdict: Verdict, target: Tensor, mask: Tensor) -> Tensor:
        """LSGAN of the whole patch plus, where there is a SEG head, of every pixel; `target`: (N, 1, 1, 1)."""
        whole = losses.least_squares(verdict.whole, target.flatten(1))
        if verdict.pixels is None:
            return whole
        if self.config.suppress == "off":
            return whole + losses.least_squares(verdict.pixels, target)
        return whole + losses.non_difference_suppressed(verdict.pixels, target, mask, self.config.suppress)

    def _consistency(self, verdict: Verdict) -> Tensor:
        """How much the critic's answers change when it sees its own reconstruction (thesis eq. 4)."""
        released, image = self.config.consistency == "released", verdict.reconstruction
        assert image is not None
        again = self.critic(image.clamp(*self.range) if released else image, with_reconstruction=False)
        distance = losses.consistency_released if released else losses.consistency_thesis
        total = distance(verdict.whole, again.whole)
        if verdict.pixels is not None:
            total = total + distance(verdict.pixels, again.pixels)
        return 2.0 * total if released else total

    def _critic_rule(self) -> GradientRule:
        if not self.config.pcgrad:
            return gradient_of_sum
        if self.config.train_classifier:
            return PcGrad(shared=_is_shared)
        return PcGrad(shared=_is_shared, untrained=_is_classifier_hidden)


def _is_shared(name: str) -> bool:
    return name.startswith(("encoder.", "bottleneck."))


def _is_classifier_hidden(name: str) -> bool:
    return name.startswith("classify.hidden.")
