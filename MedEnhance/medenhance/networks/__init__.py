"""The networks that a weights file can name.

To add one: a file here with its config dataclass, its module and the three size functions, and a line in `NETWORKS`.
The contract tests run over the dict by themselves.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from torch import Tensor, nn

from medenhance.errors import MedEnhanceError
from medenhance.networks import (
    mtdgan,
    patel2019a,
    patel2019b,
    redcnn,
    singh2020,
    smart_net,
    smart_net_scan,
    spine,
)
from medenhance.networks.precision import run
from medenhance.strict_json import SchemaError, from_json


def _no_classes(config: Any) -> int:  # noqa: ARG001 - the same for all that return an image alone
    return 0


@dataclass(frozen=True)
class NetworkSpec:
    """What inference and training must know of a network besides its forward pass.

    Attributes:
        config_type: Frozen dataclass of plain JSON values.
        build: Config -> module with float32 weights in the framework's initial state.
        size_multiple: Config -> height and width must be multiples of this.
        size_minimum: Config -> least height and width.
        bytes_per_pixel: (config, bytes of a weight) -> working memory of a forward pass for one pixel.
        classes: Config -> number of class scores that follow the image in the output's channels; 0 for an image alone.
        on_stack: (network, (N, 1, H, W)) -> (N, 1 + classes, H, W). Networks for whole scans take the N images as one
            scan; for all others it is their forward pass.
    """

    config_type: type[Any]
    build: Callable[[Any], nn.Module]
    size_multiple: Callable[[Any], int]
    size_minimum: Callable[[Any], int]
    bytes_per_pixel: Callable[[Any, int], int]
    classes: Callable[[Any], int] = _no_classes
    on_stack: Callable[[nn.Module, Tensor], Tensor] = run

    @property
    def for_scans(self) -> bool:
        """Whether the network takes whole scans, whose slices see each other."""
        return self.on_stack is not run


NETWORKS: dict[str, NetworkSpec] = {
    "redcnn": NetworkSpec(
        redcnn.RedCnnConfig, redcnn.RedCnn, redcnn.size_multiple, redcnn.size_minimum, redcnn.bytes_per_pixel
    ),
    "mtdgan": NetworkSpec(
        mtdgan.MtdGanConfig, mtdgan.MtdGanGenerator, mtdgan.size_multiple, mtdgan.size_minimum, mtdgan.bytes_per_pixel
    ),
    "spine": NetworkSpec(
        spine.SpineConfig,
        spine.SpineNetwork,
        spine.size_multiple,
        spine.size_minimum,
        spine.bytes_per_pixel,
        spine.classes,
    ),
    "smart-net": NetworkSpec(
        smart_net.SmartNetConfig,
        smart_net.SmartNet,
        smart_net.size_multiple,
        smart_net.size_minimum,
        smart_net.bytes_per_pixel,
        smart_net.classes,
    ),
    "smart-net-scan": NetworkSpec(
        smart_net_scan.SmartNetScanConfig,
        smart_net_scan.SmartNetScan,
        smart_net_scan.size_multiple,
        smart_net_scan.size_minimum,
        smart_net_scan.bytes_per_pixel,
        smart_net_scan.classes,
        smart_net_scan.on_stack,
    ),
    "patel-2019a": NetworkSpec(
        patel2019a.Patel2019aConfig,
        patel2019a.Patel2019a,
        patel2019a.size_multiple,
        patel2019a.size_multiple,
        patel2019a.bytes_per_pixel,
        smart_net_scan.classes,
        smart_net_scan.on_stack,
    ),
    "patel-2019b": NetworkSpec(
        patel2019b.Patel2019bConfig,
        patel2019b.Patel2019b,
        patel2019b.size_multiple,
        patel2019b.size_multiple,
        patel2019b.bytes_per_pixel,
        smart_net_scan.classes,
        smart_net_scan.on_stack,
    ),
    "singh-2020": NetworkSpec(
        singh2020.Singh2020Config,
        singh2020.Singh2020,
        singh2020.size_multiple,
        singh2020.size_multiple,
        singh2020.bytes_per_pixel,
        smart_net_scan.classes,
        smart_net_scan.on_stack,
    ),
}


def parse_config(name: str, config: Mapping[str, Any]) -> Any:
    """The typed config of the network `name` from plain JSON values.

    Raises:
        MedEnhanceError: Unknown network, unknown or ill-typed field.
    """
    try:
        return from_json(spec(name).config_type, dict(config), path=f"{name}.config")
    except SchemaError as error:
        raise MedEnhanceError("model-invalid", f"{error}.") from error


def build(name: str, config: Mapping[str, Any]) -> nn.Module:
    """A new network in float32, initialised by the framework's defaults."""
    return spec(name).build(parse_config(name, config))


def spec(name: str) -> NetworkSpec:
    """The entry of `NETWORKS`, or an error that lists what there is."""
    if name not in NETWORKS:
        raise MedEnhanceError("model-invalid", f"unknown network {name!r}.", f"Known: {', '.join(NETWORKS)}.")
    return NETWORKS[name]
