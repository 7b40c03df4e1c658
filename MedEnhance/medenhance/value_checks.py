"""What the values of a volume say about it, looked at slice by slice."""

from __future__ import annotations

import numpy as np

from medenhance.errors import MedEnhanceError

LOWEST_CT_HU = -1024.0
MAX_SAMPLED_SLICES = 16


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
    """The `padding_below` of a volume in HU: values below -1024 do not come out of a CT reconstruction, they fill the
    outside of it (-1500, -2000 and -3024 are common).

    Args:
        array: (D, H, W), HU.
    """
    lowest = min(float(plane.min()) for plane in array)
    return just_below(LOWEST_CT_HU) if lowest < LOWEST_CT_HU else None


def just_below(value: float) -> float:
    """The largest float32 below ``value``."""
    return float(np.nextafter(np.float32(value), np.float32(-np.inf)))


def offset_warnings(array: np.ndarray) -> tuple[str, ...]:
    """Warn when CT values look like HU + 1000.

    A scan of a body in HU has little between 850 and 1200 (dense bone) and, unless it is cropped to soft tissue, air.
    In one that is shifted up by 1000 (or 1024) soft tissue lies there and nothing lies below -300.

    Args:
        array: (D, H, W), supposed to be HU.
    """
    step = max(1, len(array) // MAX_SAMPLED_SLICES)
    sample = array[::step]
    size = sum(plane.size for plane in sample)
    num_low = sum(int(np.count_nonzero(plane < -300)) for plane in sample)
    num_shifted_tissue = sum(int(np.count_nonzero((plane > 850) & (plane < 1200))) for plane in sample)
    if num_low > 0.001 * size or num_shifted_tissue < 0.15 * size:
        return ()
    return (
        f"The values look offset by about 1000 HU: {100 * num_shifted_tissue / size:.0f} % of the voxels lie between "
        "850 and 1200, where soft tissue would be if 1000 were added, and none are those of air. They are taken as "
        "they are.",
    )
