"""Initial weights, where a method prescribes them."""

from __future__ import annotations

from typing import Literal

from torch import nn

from medenhance.networks.dagan import DaGanGenerator
from medenhance.networks.spine import SpineNetwork

Start = Literal["framework", "identity", "mtd-gan-released", "xavier-uniform"]


def start_weights(network: nn.Module, start: Start) -> None:
    """Set the weights of a new network in place.

    Args:
        start: "framework" leaves them; "identity" sets the layer whose output is added to the image to 0, so that a
            residual network returns its input and learns from there; "mtd-gan-released" draws plain convolutions and
            linear layers from N(0, 0.01) and leaves transposed convolutions; "xavier-uniform" draws all of them so
            (thesis, papers/004). Biases of layers that are set or drawn become 0.
    """
    if start == "identity":
        _zero_last(network)
    elif start != "framework":
        kinds = (nn.Conv2d, nn.Linear) if start == "mtd-gan-released" else (nn.Conv2d, nn.Linear, nn.ConvTranspose2d)
        for layer in network.modules():
            if isinstance(layer, kinds):
                _draw(layer, start)


def _zero_last(network: nn.Module) -> None:
    for parameter in _last_layer(network).parameters():
        nn.init.zeros_(parameter)


def _last_layer(network: nn.Module) -> nn.Module:
    """The layer whose output is added to the image."""
    if isinstance(network, SpineNetwork):
        assert isinstance(network.enhancer, DaGanGenerator)
        return network.enhancer.change
    decoder = network.decoder
    assert isinstance(decoder, nn.ModuleList)
    return decoder[-1]


def _draw(layer: nn.Conv2d | nn.Linear | nn.ConvTranspose2d, start: Start) -> None:
    if start == "mtd-gan-released":
        nn.init.normal_(layer.weight, 0.0, 0.01)
    else:
        nn.init.xavier_uniform_(layer.weight)
    if layer.bias is not None:
        nn.init.zeros_(layer.bias)
