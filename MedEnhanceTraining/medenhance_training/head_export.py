"""What a weights file for head CT carries as its test, in which formats it may run, what its input leaves out."""

from __future__ import annotations

import copy

import torch
from torch import Tensor, nn

from medenhance import networks
from medenhance.head_ct.frame import HeadFrame
from medenhance.head_ct.prediction import HeadPrediction, predict_head
from medenhance.manifest import ModelEntry, Precision
from medenhance.measure.overlap import overlap
from medenhance.predict import Predictor
from medenhance.volume import Volume
from medenhance_training.data.head_ct.config import PRESETS
from medenhance_training.data.head_ct.simulate import simulate_head
from medenhance_training.data.head_source import VALIDATION_SCANS
from medenhance_training.objectives.objective import PublishedNetwork

# The golden test shows that the network computes what it did: slices and pixels in the middle are enough for that.
_GOLDEN_SLICES, _GOLDEN_SIDE_PX = 3, 64
# A scan's logit may move by this much: a hundredth of its probability where that is most sensitive is 0.04.
LOGIT_TOLERANCE = 0.1
# ... and the masks of a bleed have to agree so well.
DICE_TOLERANCE = 0.98


def input_limits(published: PublishedNetwork) -> tuple[str, ...]:
    """What a network cannot know because its input does not hold it."""
    seen = getattr(networks.parse_config(published.network, published.config), "input", None)
    if not getattr(seen, "levelled", False):
        return ()
    return (
        "Sees brain without the bright rim that beam hardening leaves below the skull: thin blood below most of the "
        "skull, on both sides, is taken away with it, and only a warning names the slices.",
    )


def sample_scan() -> Volume:
    """A simulated scan with blood that no training has seen."""
    for seed in range(VALIDATION_SCANS, VALIDATION_SCANS + 100):
        case = simulate_head(seed, PRESETS["balanced"])
        if case.is_positive:
            return case.volume
    raise AssertionError("half of the balanced scans have blood")


def golden_scan(published: PublishedNetwork, network: nn.Module, volume: Volume) -> tuple[Tensor, Tensor]:
    """The middle of a scan and what the network makes of it.

    Returns:
        Input, (D, 1, S, S) HU, and output, (D, 1 + classes, S, S), float32.
    """
    spec, config = networks.spec(published.network), networks.parse_config(published.network, published.config)
    multiple = spec.size_multiple(config)
    side = -(-max(_GOLDEN_SIDE_PX, spec.size_minimum(config)) // multiple) * multiple
    framed = HeadFrame.of(volume, config.input.frame).enter(volume.array)
    first, corner = (len(framed) - _GOLDEN_SLICES) // 2, (framed.shape[-1] - side) // 2
    window = slice(corner, corner + side)
    x = torch.from_numpy(framed[first : first + _GOLDEN_SLICES, window, window])[:, None].contiguous()
    with torch.inference_mode():
        return x, spec.on_stack(network.float().cpu(), x)


def scan_precisions(entry: ModelEntry, network: nn.Module, volume: Volume) -> tuple[Precision, ...]:
    """The floating-point formats whose logit and mask are near those of float32, on the CPU."""
    exact = _predicted(entry, network, "fp32", volume)
    short: tuple[Precision, ...] = ("bf16", "fp16")
    near = [precision for precision in short if _close(_predicted(entry, network, precision, volume), exact)]
    return ("fp32", *near)


def _predicted(entry: ModelEntry, network: nn.Module, precision: Precision, volume: Volume) -> HeadPrediction:
    return predict_head(Predictor(entry, copy.deepcopy(network), precision=precision), volume)


def _close(found: HeadPrediction, exact: HeadPrediction) -> bool:
    if abs(found.scan_logit - exact.scan_logit) > LOGIT_TOLERANCE:
        return False
    agreement = overlap(found.mask_probability >= 0.5, exact.mask_probability >= 0.5)
    return agreement is None or agreement.dice >= DICE_TOLERANCE
