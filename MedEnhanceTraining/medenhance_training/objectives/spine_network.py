"""What all methods on spine projections share: the network that is published, and the map from grey to its units."""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn

from medenhance.intensity import intensity_map
from medenhance.networks.spine import SpineConfig, SpineNetwork
from medenhance_training.objectives.published import build_published, describe, restore_hu


class SpineNetworkObjective:
    """Builds the network; what it learns from is the subclass's.

    Args:
        network: Enhancer and segmenter.
        intensity: Map between grey and network units.
    """

    published_name = "network"

    def __init__(self, network: SpineConfig, intensity: Any) -> None:
        self.published = describe(network, intensity)
        self.intensity = intensity_map(self.published.intensity)
        built = build_published(self.published)
        assert isinstance(built, SpineNetwork)
        self.network = built
        self.networks: dict[str, nn.Module] = {"network": built}

    def restore(self, network: nn.Module, low_hu: Tensor) -> Tensor:
        return restore_hu(network, self.published.intensity, low_hu)
