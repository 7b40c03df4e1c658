"""Takes the trained encoder of one network over into another: what SMART-Net's downstream task begins with."""

from __future__ import annotations

import pickle
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal

import torch
from torch import Tensor, nn

from medenhance.errors import MedEnhanceError
from medenhance.networks.smart_net_encoder import Encoder, from_imagenet
from medenhance.weights import load_state
from medenhance_training.checkpoint import latest_checkpoint, read_checkpoint

Part = Literal["encoder", "decoder", "slice head", "slice masks"]
# Where the parts stand upstream and downstream.
_PLACES: dict[Part, tuple[str, str]] = {
    "encoder": ("encoder.", "encoder."),
    "decoder": ("seg.decoder.", "decoder."),
    "slice head": ("cls.", "slice_head."),
    "slice masks": ("seg.head.", "segmenter.slice_masks."),
}


def transfer(network: nn.Module, path: Path, parts: Sequence[Part]) -> None:
    """Put the weights of an earlier network into the same parts of this one.

    Args:
        network: Has an `encoder`.
        path: Run, checkpoint or weights file of an upstream network; or a state dict of torchvision's ResNet-50, as a
            .pth file of tensors alone or a .safetensors file.
        parts: What to take.

    Raises:
        MedEnhanceError: Not readable, a part is missing there or here, or has another shape.
    """
    state = _upstream_state(path, network)
    for part in parts:
        there, here = _PLACES[part]
        found = {here + name.removeprefix(there): value for name, value in state.items() if name.startswith(there)}
        wanted = [name for name in network.state_dict() if name.startswith(here)]
        if not found or sorted(found) != sorted(wanted):
            raise MedEnhanceError("input-unsuitable", f"{path} does not hold the {part} of this network.")
        _load(network, found, path)


def _load(network: nn.Module, found: Mapping[str, Tensor], path: Path) -> None:
    try:
        network.load_state_dict(dict(found), strict=False)
    except RuntimeError as error:
        first = " ".join(str(error).split("\n\t")[:2])
        raise MedEnhanceError("input-unsuitable", f"{path} has another shape: {first}") from error


def _upstream_state(path: Path, network: nn.Module) -> dict[str, Tensor]:
    """By the names of an upstream network; ImageNet weights are those of its encoder."""
    state = _state(path)
    if "conv1.weight" not in state:
        return state
    encoder = network.encoder
    assert isinstance(encoder, Encoder)
    grey = from_imagenet(state, encoder.conv1.in_channels)
    return {f"encoder.{name}": value for name, value in grey.items()}


def _state(path: Path) -> dict[str, Tensor]:
    if path.suffix == ".pth":
        return _plain_state(path)
    if path.suffix != ".safetensors":
        state: dict[str, Tensor] = read_checkpoint(latest_checkpoint(path))["ema"]
        return state
    try:
        return load_state(path)
    except MedEnhanceError:
        from safetensors.torch import load_file

        found: dict[str, Tensor] = load_file(path)
        return found


def _plain_state(path: Path) -> dict[str, Tensor]:
    try:
        found: dict[str, Tensor] = torch.load(path, map_location="cpu", weights_only=True)
    except (RuntimeError, OSError, EOFError, pickle.UnpicklingError) as error:
        raise MedEnhanceError("input-unreadable", f"{path} is no file of weights alone: {error}") from error
    return found
