"""DA-GAN: denoising of projections against two critics, joint with segmentation (papers/001, sections 2.2 to 2.4).

A patch x with structured noise is restored to xh = G(x), and what was removed, r = x - xh, is put on another, clean
patch z: zh = z + r. One critic tells z from xh, the other x from zh. So what G removes must look like structured noise,
and what it leaves must look clean, though no pair of the two was ever seen. Every choice in which the paper and the
authors' later code differ is a field of the config, and `medenhance_training.recipes.spine` sets them.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

import torch
from torch import Tensor, nn

from medenhance.errors import MedEnhanceError
from medenhance.intensity import Grey
from medenhance.networks.spine import SpineConfig
from medenhance_training import losses
from medenhance_training.initialisation import start_weights
from medenhance_training.objectives.objective import Batch, Phase
from medenhance_training.objectives.spine_network import SpineNetworkObjective
from medenhance_training.optimizer import OptimizerConfig
from medenhance_training.patch_critics import PatchCritic, PatchCriticConfig, TwoCritics

# The reconstruction loss counts images in [0, 1], as the paper's weight of it does.
_GREY_RANGE = 255.0
# Weight of the corrupted look of z + r in the authors' later code, which has one critic.
_ONE_CRITIC_SHARE = 0.5
_RMS_SHARE = 0.2


@dataclass(frozen=True)
class DaGanObjectiveConfig:
    """The method and its variants.

    Attributes:
        network: Enhancer and segmenter.
        critic: Shape of each critic.
        intensity: Map between grey and network units.
        start: "identity" sets the enhancer's last layer to 0, so that it starts from doing nothing.
        dual: "two" critics as in the paper; "one" critic for both tasks as in the authors' later code; "off" drops
            everything about z + r, which is the paper's ablation.
        adversarial_weight: Of the generator's adversarial losses.
        segmentation_weight: Of the cross-entropy.
        reconstruction_weight: Of the squared distance of x and xh, summed over pixels of [0, 1].
        twin_weight: Of the distance to the clean twin, network units: mean absolute error, which keeps what is clean
            as it is, and a fifth of the root of the mean square, without which dashes are too few to be learned soon.
            Only simulated patches have a twin; the paper has no such loss, and 0 leaves it out.
        segment_patches: Whether patches are segmented too, as in the paper, or crops alone.
        network_optimizer, critic_optimizer: One for each.
        network_every: The network learns at every so many steps of the critics.
    """

    network: SpineConfig = field(default_factory=SpineConfig)
    critic: PatchCriticConfig = field(default_factory=PatchCriticConfig)
    intensity: Any = field(default_factory=Grey)
    start: Literal["framework", "identity"] = "framework"
    dual: Literal["two", "one", "off"] = "two"
    adversarial_weight: float = 1.0
    segmentation_weight: float = 0.5
    reconstruction_weight: float = 0.01
    twin_weight: float = 0.0
    segment_patches: bool = True
    network_optimizer: OptimizerConfig = field(default_factory=OptimizerConfig)
    critic_optimizer: OptimizerConfig = field(default_factory=OptimizerConfig)
    network_every: int = 1

    def __post_init__(self) -> None:
        if self.network.enhancer is None or self.network.segmenter is None:
            raise MedEnhanceError("bad-option", "DA-GAN needs an enhancer and a segmenter.")

    def build(self) -> DaGan:
        return DaGan(self)


class DaGan(SpineNetworkObjective):
    """The objective of `DaGanObjectiveConfig`."""

    def __init__(self, config: DaGanObjectiveConfig) -> None:
        super().__init__(config.network, config.intensity)
        self.config = config
        start_weights(self.network, config.start)
        self.critics = TwoCritics(lambda: PatchCritic(config.critic)) if config.dual == "two" else None
        self.critic = None if config.dual == "two" else PatchCritic(config.critic)
        critic: nn.Module | None = self.critics or self.critic
        assert critic is not None
        self.networks["critic"] = critic
        self.optimizers = {"network": config.network_optimizer, "critic": config.critic_optimizer}
        self.phases = [
            Phase("critic", trains="critic", losses=self.critic_losses),
            Phase("network", trains="network", losses=self.network_losses, every=config.network_every),
        ]

    def critic_losses(self, batch: Batch) -> dict[str, Tensor]:
        """Clean against restored, and corrupted against z + r (eq. 4 and 5)."""
        x, z = self.intensity.forward(batch["corrupted"]), self.intensity.forward(batch["clean"])
        with torch.no_grad():
            restored = self.network.enhance(x)
        moved = z + (x - restored)
        if self.critics is not None:
            return {
                "clean": _versus(self.critics.clean, z, restored),
                "corrupted": _versus(self.critics.corrupted, x, moved),
            }
        assert self.critic is not None
        terms = {"clean": _versus(self.critic, z, restored)}
        if self.config.dual == "one":
            # One critic can only know clean from not clean: corrupted patches are examples of the latter.
            terms["corrupted"] = _ONE_CRITIC_SHARE * losses.logistic(self.critic(x), real=False)
        return terms

    def network_losses(self, batch: Batch) -> dict[str, Tensor]:
        """Adversarial + 0.5 segmentation + 0.01 reconstruction (eq. 8), and the distance to the twin."""
        x, z = self.intensity.forward(batch["corrupted"]), self.intensity.forward(batch["clean"])
        restored = self.network.enhance(x)
        terms = {
            name: self.config.adversarial_weight * term for name, term in self._adversarial(x, z, restored).items()
        }
        to_unit = self.intensity.unit_hu / _GREY_RANGE
        if self.config.reconstruction_weight:
            distance = losses.summed_square(restored * to_unit, x * to_unit)
            terms["reconstruction"] = self.config.reconstruction_weight * distance
        terms |= self._supervised(batch, restored)
        return terms

    def _adversarial(self, x: Tensor, z: Tensor, restored: Tensor) -> dict[str, Tensor]:
        moved = z + (x - restored)
        if self.critics is not None:
            return {
                "clean": losses.logistic(self.critics.clean(restored), real=True),
                "corrupted": losses.logistic(self.critics.corrupted(moved), real=True),
            }
        assert self.critic is not None
        terms = {"clean": losses.logistic(self.critic(restored), real=True)}
        if self.config.dual == "one":
            terms["corrupted"] = _ONE_CRITIC_SHARE * losses.logistic(self.critic(moved), real=False)
        return terms

    def _supervised(self, batch: Batch, restored: Tensor) -> dict[str, Tensor]:
        """What labels and clean twins say of patches and crops."""
        config = self.config
        crop = self.network.enhance(self.intensity.forward(batch["image"]))
        cross_entropy = losses.pixel_cross_entropy(self.network.segment(crop), batch["labels"])
        if config.segment_patches:
            of_patches = losses.pixel_cross_entropy(self.network.segment(restored), batch["corrupted_labels"])
            cross_entropy = 0.5 * (cross_entropy + of_patches)
        terms = {"segmentation": config.segmentation_weight * cross_entropy}
        if config.twin_weight:
            pairs = ((restored, batch["twin"]), (crop, batch["image_twin"]))
            distances = [_distance(ours, self.intensity.forward(twin)) for ours, twin in pairs]
            terms["twin"] = config.twin_weight * 0.5 * (distances[0] + distances[1])
        return terms


def _distance(ours: Tensor, twin: Tensor) -> Tensor:
    rms = losses.root_mean_square(ours, twin, torch.ones_like(twin), epsilon=1e-3)
    return losses.mean_absolute_error(ours, twin) + _RMS_SHARE * rms


def _versus(critic: nn.Module, real: Tensor, fake: Tensor) -> Tensor:
    return 0.5 * (losses.logistic(critic(real), real=True) + losses.logistic(critic(fake), real=False))
