"""From typed configs to the plain values that a weights file carries."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Any

import torch
from torch import Tensor, nn

from medenhance.intensity import KINDS, intensity_map
from medenhance.networks import NETWORKS, build
from medenhance_training.objectives.objective import PublishedNetwork


def describe(network: Any, intensity: Any) -> PublishedNetwork:
    """The description of a network config and an intensity map, both instances of the core's dataclasses."""
    name = next(name for name, spec in NETWORKS.items() if type(network) is spec.config_type)
    kind = next(kind for kind, mapping in KINDS.items() if type(intensity) is mapping)
    return PublishedNetwork(name, _plain(network), {"kind": kind, **_plain(intensity)})


def _plain(config: Any) -> dict[str, Any]:
    """A dataclass as JSON has it: tuples become lists."""
    plain: dict[str, Any] = json.loads(json.dumps(asdict(config)))
    return plain


def build_published(published: PublishedNetwork) -> nn.Module:
    """A new, untrained network of that description."""
    return build(published.network, published.config)


def restore_hu(network: nn.Module, intensity: dict[str, Any], low_hu: Tensor) -> Tensor:
    """(N, 1, H, W) HU -> HU through the network; outside the map's window a voxel keeps its value, as in inference.

    Class scores, which some networks return beside the image, stay beside it.
    """
    mapping = intensity_map(intensity)
    output = network(mapping.forward(low_hu))
    restored = torch.lerp(low_hu, mapping.inverse(output[:, :1]), mapping.weight(low_hu))
    return torch.cat([restored, output[:, 1:]], dim=1)
