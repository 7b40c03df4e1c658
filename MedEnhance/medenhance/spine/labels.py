"""What the classes of a spine segmentation mean; the two papers number them differently."""

from __future__ import annotations

from typing import Literal

import numpy as np

from medenhance.errors import MedEnhanceError

LabelOrder = Literal["da-gan", "morphology"]
# DA-GAN (ISBI 2021), Fig. 4, and the authors' data; this order is used inside MedEnhance.
BACKGROUND, RIB, PROCESS, LUMP = 0, 1, 2, 3
# Value of [background, rib, transverse process, lumbar lump] in each order; "morphology" is arXiv 2409.16661.
ORDERS: dict[LabelOrder, tuple[int, int, int, int]] = {"da-gan": (0, 1, 2, 3), "morphology": (0, 2, 1, 3)}
CLASS_NAMES = ("background", "rib", "thoracic transverse process", "lumbar lump")
# Ribs begin where the processes end: 34 mm against 23 mm from the midline (spec section 7.1). A tenth is far less
# than that and far more than the scatter of a median over a dozen structures.
_LATERAL_RATIO = 1.1


def converted(labels: np.ndarray, source: LabelOrder, target: LabelOrder = "da-gan") -> np.ndarray:
    """The same segmentation in another label order.

    Args:
        labels: (R, C), classes 0 to 3 in the order `source`.
        source: Order of `labels`.
        target: Order of the result.

    Returns:
        (R, C) uint8.

    Raises:
        MedEnhanceError: input-unsuitable when `labels` is not such an image.
    """
    table = np.zeros(4, np.uint8)
    table[list(ORDERS[source])] = ORDERS[target]
    return np.asarray(table[checked(labels)])


def checked(labels: np.ndarray) -> np.ndarray:
    """The labels as (R, C) uint8 after a check that they can be a segmentation of the three classes.

    Raises:
        MedEnhanceError: input-unsuitable.
    """
    if labels.ndim != 2:
        raise _unsuitable(f"a label image has two axes, not shape {labels.shape}.", "Colour overlays are no labels.")
    values = np.unique(labels)
    if not np.all(np.isin(values, (0, 1, 2, 3))):
        shown = ", ".join(f"{value:g}" for value in values[:6])
        raise _unsuitable(
            f"the label image holds the values {shown}{' ...' if len(values) > 6 else ''}; classes are 0, 1, 2 and 3.",
            "Give the label map itself, not a picture of it.",
        )
    return labels.astype(np.uint8)


def check_order(labels: np.ndarray, order: LabelOrder) -> None:
    """Refuse a segmentation whose ribs lie nearer to the spine than its processes: the order was named wrongly.

    Args:
        labels: (R, C), in the order `order`.
        order: What the caller says it is.

    Raises:
        MedEnhanceError: input-unsuitable, naming the order that fits.
    """
    classes = converted(labels, order)
    _refuse_upside_down(classes)
    rib, process = (_distance_from_centre(classes, kind) for kind in (RIB, PROCESS))
    if rib is None or process is None or rib * _LATERAL_RATIO >= process:
        return
    other = next(name for name in ORDERS if name != order)
    raise _unsuitable(
        f"in the label order {order} the ribs of this image lie nearer to the spine than its transverse processes.",
        f"It is probably in the order {other}; name that one.",
    )


def _refuse_upside_down(classes: np.ndarray) -> None:
    process_rows, lump_rows = (np.nonzero(classes == kind)[0] for kind in (PROCESS, LUMP))
    if len(process_rows) and len(lump_rows) and np.median(lump_rows) < np.median(process_rows):
        raise _unsuitable(
            "the lumbar lumps lie above the thoracic processes.",
            "Row 0 of a projection is the head end: turn the image, or name the label order that it really has.",
        )


def _distance_from_centre(classes: np.ndarray, kind: int) -> float | None:
    """Median distance in columns of a class from the middle of everything marked in the same row."""
    rows, columns = np.nonzero((classes == RIB) | (classes == PROCESS))
    of_kind = classes[rows, columns] == kind
    if not of_kind.any():
        return None
    height = len(classes)
    first, last = np.full(height, np.inf), np.full(height, -np.inf)
    np.minimum.at(first, rows, columns)
    np.maximum.at(last, rows, columns)
    # Rows with one side alone say nothing about the middle: their extent is small.
    wide = (last - first) > 0.5 * np.nanmax(np.where(np.isfinite(first), last - first, np.nan))
    used = of_kind & wide[rows]
    if not used.any():
        return None
    middle = (first[rows[used]] + last[rows[used]]) / 2
    return float(np.median(np.abs(columns[used] - middle)))


def _unsuitable(message: str, hint: str) -> MedEnhanceError:
    return MedEnhanceError("input-unsuitable", message[0].upper() + message[1:], hint)
