"""Learning rate as a function of the samples seen: nothing to save, nothing to restore."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class ScheduleConfig:
    """How the learning rate moves from its peak.

    Attributes:
        kind: "constant"; "linear", "cosine" or "polynomial" decay that ends with the run's last sample;
            "mtd-gan-released", the schedule of the authors' code with its two slips (see `mtd_gan_released_factor`).
        warmup_samples: The rate rises in a straight line over this many samples.
        hold_samples: Decay begins after this many samples.
        floor: Decay ends at this share of the peak.
        epoch_samples: Samples of an epoch, where the rate changes once an epoch; 0 changes it with each step.
        power: Of "polynomial".
    """

    kind: Literal["constant", "linear", "cosine", "polynomial", "mtd-gan-released"] = "cosine"
    warmup_samples: int = 0
    hold_samples: int = 0
    floor: float = 0.01
    epoch_samples: int = 0
    power: float = 0.9


def learning_rate_factor(config: ScheduleConfig, samples_seen: int, total_samples: int) -> float:
    """Share of the peak learning rate for the step that starts after `samples_seen` of `total_samples`."""
    if config.kind == "mtd-gan-released":
        return mtd_gan_released_factor(config, samples_seen, total_samples)
    if config.epoch_samples:
        return _once_an_epoch(config, samples_seen, total_samples)
    if samples_seen < config.warmup_samples:
        return (samples_seen + 1) / (config.warmup_samples + 1)
    start = max(config.hold_samples, config.warmup_samples)
    done = min(max(samples_seen - start, 0) / max(total_samples - start, 1), 1.0)
    return config.floor + (1.0 - config.floor) * _remaining(config, done)


def _once_an_epoch(config: ScheduleConfig, samples_seen: int, total_samples: int) -> float:
    """The factor of the whole epoch e, counted from 0: (e + 1) / W in the warm-up of W epochs, so that none runs at 0.

    The released SMART-Net has e / W, with which the first epoch learns nothing (papers/004 B, specification 1.4).
    """
    epoch, epochs = samples_seen // config.epoch_samples, math.ceil(total_samples / config.epoch_samples)
    warmup = config.warmup_samples / config.epoch_samples
    if epoch + 1 < warmup:
        return (epoch + 1) / warmup
    start = max(config.hold_samples / config.epoch_samples, warmup)
    done = min(max(epoch - start, 0.0) / max(epochs - start, 1.0), 1.0)
    return config.floor + (1.0 - config.floor) * _remaining(config, done)


def _remaining(config: ScheduleConfig, done: float) -> float:
    kind = config.kind
    if kind == "constant":
        return 1.0
    if kind == "polynomial":
        return float((1.0 - done) ** config.power)
    return 1.0 - done if kind == "linear" else 0.5 * (1.0 + math.cos(math.pi * done))


def mtd_gan_released_factor(config: ScheduleConfig, samples_seen: int, total_samples: int) -> float:
    """The released MTD-GAN schedule, kept as it ran.

    The scheduler is stepped with the index of the epoch that has just ended, so the factor is one epoch late and the
    first two epochs run at rate 0; and the minimum learning rate serves as a floor of the *factor*.
    """
    epochs = total_samples / config.epoch_samples
    epoch = max(samples_seen // config.epoch_samples - 1, 0)
    warmup_epochs = config.warmup_samples / config.epoch_samples
    if epoch < warmup_epochs:
        return epoch / warmup_epochs
    hold_epochs = config.hold_samples / config.epoch_samples
    return max(1.0 - max(epoch - hold_epochs, 0.0) / (epochs - hold_epochs), config.floor)
