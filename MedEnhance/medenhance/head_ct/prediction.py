"""What a network says of a head CT, on the grid of the volume. Research use only."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from medenhance.errors import MedEnhanceError
from medenhance.head_ct.calibration import UNCALIBRATED
from medenhance.head_ct.clahe import equalised_hu
from medenhance.head_ct.frame import HeadFrame
from medenhance.progress import Progress, Silent, checkpoint
from medenhance.volume import Volume

if TYPE_CHECKING:
    from torch import Tensor

    from medenhance.networks.smart_net_input import HeadInput
    from medenhance.networks.smart_net_scan import ScanOutput, SmartNetScan
    from medenhance.predict import Predictor

_STAGE = "detect"
# Slices that pass the encoder together: more are no faster on a CPU, and memory grows with them.
CHUNK = 4
CHUNK_ON_ACCELERATOR = 16
BONE_FROM_HU = 250.0
"""A voxel as dense as this is mostly bone, calcium or metal: even clotted blood has no 100 HU. A frame is coarser than
the slices, so what a network marks along the skull would reach into it. Chosen on scans for calibration."""
# Beam hardening stays below it in the real head of the test data (`test_real_heads`).
_BRIGHT_RIM_HU = 15.0
_BRIGHT_SLICES = 2


@dataclass(frozen=True)
class HeadPrediction:
    """What a network says of a scan.

    Attributes:
        scan_logit: Of "there is blood in this scan".
        scan_probability: Calibrated by the model's manifest entry; of the bare logit where it has no calibration.
        slice_probabilities: (D,) float32, in the order of the volume's slices along its slice axis; not calibrated.
        mask_probability: (D, H, W) float32 on the grid of the volume; 0 outside of what the network saw,
            and in bone.
        warnings: What the network may not have seen, one sentence each.
    """

    scan_logit: float
    scan_probability: float
    slice_probabilities: np.ndarray
    mask_probability: np.ndarray
    warnings: tuple[str, ...] = ()


def predict_head(predictor: Predictor, volume: Volume, progress: Progress | None = None) -> HeadPrediction:
    """Run a network for whole scans.

    Args:
        predictor: Of a model for "detect-hemorrhage".
        volume: Any orientation, HU.
        progress: Is told about every chunk of slices, and may cancel.

    Raises:
        MedEnhanceError: There is no head, the model is for another task, memory is short, or its result is no number.
    """
    progress = progress or Silent()
    seen = _input_of(predictor)
    frame = HeadFrame.of(volume, seen.frame)
    checkpoint(progress, _STAGE, 0.0)
    hu = frame.enter(volume.array)
    if seen.clahe:
        hu = equalised_hu(hu, seen.windows_hu[0])
    output = _run(predictor, hu, progress, mirrored=seen.mirrored)
    prediction = _on_grid(predictor, frame, output, volume)
    checkpoint(progress, _STAGE, 1.0)
    return replace(prediction, warnings=_rim_warnings(hu)) if seen.levelled else prediction


def _rim_warnings(hu: np.ndarray) -> tuple[str, ...]:
    """Whether levelling may have taken away blood that lies around most of the skull, (D, S, S) HU."""
    import torch

    from medenhance.networks.brain_level import deep_rim_hu

    rim = deep_rim_hu(torch.from_numpy(hu)).numpy()
    bright = rim >= _BRIGHT_RIM_HU
    if bright.sum() < min(_BRIGHT_SLICES, len(rim)):
        return ()
    return (
        f"Below the skull the brain is brighter all around, by about {rim[bright].mean():.0f} HU in {bright.sum()} "
        "slices: beam hardening, or blood on both sides, between which the network cannot tell. Look there yourself.",
    )


def _input_of(predictor: Predictor) -> HeadInput:
    config = getattr(predictor.network, "config", None)
    seen = getattr(config, "input", None)
    if predictor.entry.task != "detect-hemorrhage" or seen is None:
        message = f"Model {predictor.entry.id} is not for head CT."
        raise MedEnhanceError("model-unknown", message, "Choose a model for detect-hemorrhage.")
    found: HeadInput = seen
    return found


def _run(predictor: Predictor, hu: np.ndarray, progress: Progress, *, mirrored: bool) -> ScanOutput:
    """(D, S, S) HU in the frame -> output for one scan, on the CPU."""
    import torch

    from medenhance.networks.smart_net_scan import ScanOutput

    slices = torch.from_numpy(hu)
    with torch.inference_mode():
        if not mirrored:
            return _seen(predictor, slices, progress, (0.0, 1.0))
        as_it_is = _seen(predictor, slices, progress, (0.0, 0.5))
        turned = _seen(predictor, slices.flip(-1), progress, (0.5, 1.0))
    turned = turned._replace(mask_logits=turned.mask_logits.flip(-1))
    return ScanOutput(*((one + other) / 2 for one, other in zip(as_it_is, turned, strict=True)))


def _seen(predictor: Predictor, slices: Tensor, progress: Progress, span: tuple[float, float]) -> ScanOutput:
    """What a network says of the slices as they are; `span`: from where to where that takes the task."""
    import torch

    from medenhance.networks.smart_net_scan import ScanOutput, SmartNetScan

    network = predictor.network
    if isinstance(network, SmartNetScan):
        output = _in_chunks(predictor, network, slices, progress, span)
    else:
        checkpoint(progress, _STAGE, span[0])
        output = network(slices[None, :, None].to(predictor.device), torch.tensor([len(slices)]))
    return ScanOutput(*(tensor[0].float().cpu() for tensor in output))


def _in_chunks(
    predictor: Predictor, network: SmartNetScan, slices: Tensor, progress: Progress, span: tuple[float, float]
) -> ScanOutput:
    """Slice features of a few slices at a time, then the scan as a whole."""
    import torch

    from medenhance.networks.smart_net_input import with_neighbours
    from medenhance.networks.smart_net_scan import SliceFeatures

    ends = torch.zeros(len(slices), dtype=torch.long), torch.full((len(slices),), len(slices) - 1)
    beside = with_neighbours(slices, *ends, network.config.input)
    size = _chunk(predictor, slices.shape[-1])
    parts = []
    for first in range(0, len(slices), size):
        checkpoint(progress, _STAGE, span[0] + (span[1] - span[0]) * first / len(slices))
        chunk = beside[first : first + size].to(predictor.device)
        parts.append(network.slice_features(chunk))
    maps = None if parts[0].maps is None else torch.cat([part.maps for part in parts if part.maps is not None])
    found = SliceFeatures(torch.cat([part.summary for part in parts]), maps)
    return network.whole_scans(found, [len(slices)], depth=len(slices))


def _chunk(predictor: Predictor, side_px: int) -> int:
    """Slices that pass the encoder together: as many as free memory allows, at least one."""
    from medenhance import devices, networks
    from medenhance.predict import MEMORY_SHARE

    entry = predictor.entry
    config, itemsize = networks.parse_config(entry.network, entry.config), devices.DTYPES[predictor.precision].itemsize
    needed = networks.spec(entry.network).bytes_per_pixel(config, itemsize) * side_px**2
    most = CHUNK if predictor.device.type == "cpu" else CHUNK_ON_ACCELERATOR
    return max(1, min(most, int(MEMORY_SHARE * devices.free_memory_bytes(predictor.device) / needed)))


def _on_grid(predictor: Predictor, frame: HeadFrame, output: ScanOutput, volume: Volume) -> HeadPrediction:
    import torch

    logit = float(output.scan_logit)
    of_slices = torch.sigmoid(output.slice_logits).numpy()
    masks = torch.sigmoid(output.mask_logits).expand(-1, frame.config.size_px, frame.config.size_px).numpy()
    if not math.isfinite(logit + float(of_slices.sum()) + float(masks.sum())):
        hint = "Run it with --precision fp32; if that fails too, verify the weights."
        message = f"model {predictor.entry.id} returned values that are no numbers."
        raise MedEnhanceError("model-invalid", message, hint)
    calibration = predictor.entry.calibration or UNCALIBRATED
    along = np.asarray(frame.leave_slices(of_slices), dtype=np.float32)
    on_grid = np.where(volume.array < BONE_FROM_HU, frame.leave(masks), np.float32(0.0))
    return HeadPrediction(logit, calibration.probability(logit), along, on_grid)
