"""Supervised denoising: one network, one phase, pairs of low-dose and normal-dose patches."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

from torch import Tensor, nn

from medenhance.intensity import Scale, intensity_map
from medenhance.networks.redcnn import RedCnnConfig
from medenhance_training import losses
from medenhance_training.objectives.objective import Batch, Phase
from medenhance_training.objectives.published import build_published, describe, restore_hu
from medenhance_training.optimizer import OptimizerConfig

PIXEL_LOSSES = {
    "mse": losses.mean_squared_error,
    "l1": losses.mean_absolute_error,
    "charbonnier": losses.charbonnier,
}


@dataclass(frozen=True)
class SupervisedConfig:
    """A denoiser that is told the answer.

    Attributes:
        network: Config of any network of the core.
        intensity: Map between HU and network units.
        loss: Distance of output and normal dose, in network units.
        focus_hu: Pixels whose normal-dose value lies in this range count fully in the loss "rms" ...
        unfocused_weight: ... and all others this much.
        edge_weight: Weight of the edge loss beside it; 0 leaves it out.
        optimizer: Of the one network.
    """

    network: Any = field(default_factory=RedCnnConfig)
    intensity: Any = field(default_factory=Scale)
    loss: Literal["mse", "l1", "charbonnier", "rms"] = "mse"
    focus_hu: tuple[float, float] = (-250.0, 350.0)
    unfocused_weight: float = 0.25
    edge_weight: float = 0.0
    optimizer: OptimizerConfig = field(default_factory=OptimizerConfig)

    def build(self) -> Supervised:
        return Supervised(self)


class Supervised:
    """The objective of `SupervisedConfig`."""

    published_name = "denoiser"

    def __init__(self, config: SupervisedConfig) -> None:
        self.config = config
        self.published = describe(config.network, config.intensity)
        self.denoiser = build_published(self.published)
        self.networks = {"denoiser": self.denoiser}
        self.optimizers = {"denoiser": config.optimizer}
        self.phases = [Phase(name="denoiser", trains="denoiser", losses=self.losses)]
        self.intensity = intensity_map(self.published.intensity)

    def losses(self, batch: Batch) -> dict[str, Tensor]:
        """Terms of the one phase; `batch` holds "low" and "normal", (N, 1, H, W), HU."""
        output = self.denoiser(self.intensity.forward(batch["low"]))
        target = self.intensity.forward(batch["normal"])
        terms: dict[str, Tensor] = {self.config.loss: self._distance(output, target, batch["normal"])}
        if self.config.edge_weight:
            terms["edge"] = self.config.edge_weight * losses.edge(output, target)
        return terms

    def _distance(self, output: Tensor, target: Tensor, normal_hu: Tensor) -> Tensor:
        if self.config.loss == "rms":
            return losses.root_mean_square(output, target, self._pixel_weight(normal_hu))
        return PIXEL_LOSSES[self.config.loss](output, target)

    def _pixel_weight(self, normal_hu: Tensor) -> Tensor:
        low, high = self.config.focus_hu
        inside = (normal_hu >= low) & (normal_hu <= high)
        return inside + self.config.unfocused_weight * ~inside

    def restore(self, network: nn.Module, low_hu: Tensor) -> Tensor:
        return restore_hu(network, self.published.intensity, low_hu)
