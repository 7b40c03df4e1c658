"""What the values of a volume say about it, looked at slice by slice."""

from __future__ import annotations

import numpy as np

from medenhance.errors import MedEnhanceError

LOWEST_CT_HU = -1024.0
HIGHEST_CT_HU = 3071.0
MAX_SAMPLED_SLICES = 16
DEPTH_OF_SEARCH_HU = 1 << 14
NEARBY_HU = 10
LEAST_FILLED_VOXELS = 4
LEAST_FILLED_FRACTION = 1e-4


def check_finite(array: np.ndarray, name: str) -> None:
    """Refuse voxels that are no numbers.

    Args:
        array: (D, H, W).
        name: Of the file, for the message.

    Raises:
        MedEnhanceError: input-unsuitable, with how many there are and where the first one lies.
    """
    if array.dtype.kind != "f":
        return
    num_bad, first = 0, None
    for k, plane in enumerate(array):
        if np.isfinite(plane).all():
            continue
        bad = np.argwhere(~np.isfinite(plane))
        num_bad += len(bad)
        first = first or (k, int(bad[0][0]), int(bad[0][1]))
    if first is not None:
        raise MedEnhanceError(
            "input-unsuitable",
            f"{name} holds {num_bad} voxels that are no numbers (NaN or infinite), the first at slice {first[0]}, "
            f"row {first[1]}, column {first[2]} (counted from 0), where it is {array[first]}.",
            "Replace them by the value of air and try again.",
        )


def fill_threshold(array: np.ndarray) -> float | None:
    """Find the value that fills the outside of the reconstruction where no file says it, as `padding_below` in HU.

    Common ones are -1500, -2000 and -3024. They stand out below -1024 as one value that is frequent and has nothing
    near it, whereas the noise of air (sharp kernels reach far below -1024 in the trachea) is spread out.

    Args:
        array: (D, H, W), HU.

    Returns:
        Half way between the fill and -1024, so that voxels interpolated between fill and air count as padding too;
        None when nothing is filled.
    """
    counts = np.zeros(DEPTH_OF_SEARCH_HU, np.int64)
    for plane in array:
        depths = LOWEST_CT_HU - plane[plane < LOWEST_CT_HU].astype(np.float64)
        counts += np.bincount(np.minimum(depths, DEPTH_OF_SEARCH_HU - 1).astype(np.int64), minlength=len(counts))
    nearby = np.convolve(counts, np.ones(2 * NEARBY_HU + 1, np.int64), mode="same") - counts
    frequent = counts >= max(LEAST_FILLED_VOXELS, LEAST_FILLED_FRACTION * array.size)
    fills = np.flatnonzero(frequent & (counts > nearby))
    return None if len(fills) == 0 else LOWEST_CT_HU - float(fills[0]) / 2


def scale_warnings(array: np.ndarray) -> tuple[str, ...]:
    """Warn when CT values do not look like HU.

    A scan of a body in HU has little between 850 and 1200 (dense bone) and, unless it is cropped to soft tissue, air.
    In one that is shifted up by 1000 (or 1024) soft tissue lies there and nothing lies below -300. Values far above
    3071, the highest of 12 bit, are stored values without their scale.

    Args:
        array: (D, H, W), supposed to be HU.
    """
    step = max(1, len(array) // MAX_SAMPLED_SLICES)
    sample = array[::step]
    size = sum(plane.size for plane in sample)
    num_high = sum(int(np.count_nonzero(plane > HIGHEST_CT_HU)) for plane in sample)
    if num_high > 0.5 * size:
        return (
            f"{100 * num_high / size:.0f} % of the voxels lie above {HIGHEST_CT_HU:.0f}: these look like stored values "
            "without their scale, not HU. They are taken as they are.",
        )
    num_low = sum(int(np.count_nonzero(plane < -300)) for plane in sample)
    num_shifted_tissue = sum(int(np.count_nonzero((plane > 850) & (plane < 1200))) for plane in sample)
    if num_low > 0.001 * size or num_shifted_tissue < 0.15 * size:
        return ()
    return (
        f"The values look offset by about 1000 HU: {100 * num_shifted_tissue / size:.0f} % of the voxels lie between "
        "850 and 1200, where soft tissue would be if 1000 were added, and none are those of air. They are taken as "
        "they are.",
    )
