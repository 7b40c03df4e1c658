"""Simulated scans beside a real one: what their HU and noise have in common.

Measured in slices whose skull encloses much brain, on the voxels between -20 and 90 HU at least 6 mm inside the bone.
"""

from __future__ import annotations

import numpy as np
from scipy.ndimage import gaussian_filter

from medenhance.volume import Volume
from medenhance_training.data.head_ct.fields import enlarged
from medenhance_training.data.head_ct.segment import segment_head

# The kernel and the cupping of the bone reach about this far.
_INSET_MM = 6.0
_LEAST_SLICE_CM2 = 80.0


def measures(volume: Volume) -> dict[str, float]:
    """Numbers that describe the look of the brain in a head CT.

    Raises:
        MedEnhanceError: No closed skull was found.
    """
    head = segment_head(volume)
    hu = np.asarray(volume.array, np.float32)[head.box]
    depth = enlarged(head.interior.depth)
    pixel = head.interior.pixel_mm
    brain = (hu > -20.0) & (hu < 90.0)
    large = ((depth > 0).sum(axis=(1, 2)) * pixel**2 / 100.0 > _LEAST_SLICE_CM2)[:, None, None]
    deep, rim = brain & large & (depth > _INSET_MM), brain & large & (depth > 2.0) & (depth < _INSET_MM)
    # Noise: what a blur of 1.5 mm takes away, where the blurred image is flat.
    smooth = gaussian_filter(hu, (0, 1.5 / pixel, 1.5 / pixel))
    slope = np.hypot(*np.gradient(smooth, pixel, axis=(1, 2)))
    flat = deep & (slope < np.median(slope[deep]))
    values = smooth[deep]
    low, middle, high = np.percentile(values, (5.0, 50.0, 95.0))
    return {
        "brain HU, 5th percentile": float(low),
        "brain HU, median": float(middle),
        "brain HU, 95th percentile": float(high),
        "fluid (below 18 HU), %": 100.0 * float((values < 18.0).mean()),
        "bright (60 to 90 HU), %": 100.0 * float((values > 60.0).mean()),
        "rim less middle, HU": float(np.median(smooth[rim]) - middle),
        "noise sd, HU": float(1.4826 * np.median(np.abs((hu - smooth)[flat]))),
        "edges, HU a mm": float(np.median(slope[deep])),
        "cavity, mL": 4.0 * float((head.interior.voxel_ml * (head.interior.depth > 0)).sum()),
        "cavity width, mm": 2.0 * head.interior.half_width_mm,
    }


def comparison_table(real: Volume, simulated: list[Volume]) -> str:
    """A table of the real scan's measures and the range of the simulated ones."""
    theirs, ours = measures(real), [measures(volume) for volume in simulated]
    rows = [f"{'':28}{'real':>9}{f'lowest of {len(ours)} simulated':>24}{'median':>9}{'highest':>9}"]
    for name, value in theirs.items():
        drawn = [one[name] for one in ours]
        rows.append(f"{name:28}{value:9.2f}{min(drawn):24.2f}{np.median(drawn):9.2f}{max(drawn):9.2f}")
    return "\n".join(rows)
