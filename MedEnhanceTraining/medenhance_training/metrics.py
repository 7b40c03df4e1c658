"""Means of the metrics of many steps, kept on the device until they are written."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor


class MetricMeans:
    """Collects values by name; a name may be absent from some steps (a phase that runs every so many)."""

    def __init__(self) -> None:
        self._values: dict[str, list[Tensor]] = {}

    def add(self, metrics: Mapping[str, Tensor | float]) -> None:
        for name, value in metrics.items():
            self._values.setdefault(name, []).append(torch.as_tensor(value, dtype=torch.float32))

    def take(self) -> dict[str, float]:
        """The means since the last call, sorted by name; not finite where one of the values was not."""
        means = {name: torch.stack(values).mean().item() for name, values in sorted(self._values.items())}
        self._values.clear()
        return means
