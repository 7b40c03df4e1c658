"""What a simulated subject is.

Row 0 is the head end and column 0 the patient's left, as seen from behind. Pixel (r, c) lies at ((r + 0.5) pixel_mm,
(c + 0.5) pixel_mm) from the image's upper left corner. Depths count in mm from the skin towards the front.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

Side = Literal["left", "right", "middle"]


@dataclass(frozen=True)
class Landmark:
    """The centre of a process's or a lump's shadow.

    Attributes:
        level: T2 to T12, L1 to L5 or S1.
        side: Of the patient; "middle" for a lumbar lump.
        row: Pixels, a fraction allowed; the centre of the first row is 0.
        column: Pixels, likewise.
        row_mm: From the image's upper edge.
        column_mm: From the image's left edge.
        depth_mm: Of the bone's surface below the skin.
        present: Whether it exists and its centre lies inside the scan.
    """

    level: str
    side: Side
    row: float
    column: float
    row_mm: float
    column_mm: float
    depth_mm: float
    present: bool


@dataclass(frozen=True)
class Curve:
    """A true curve: two neighbouring extrema of the levels' tilts.

    Attributes:
        upper: Its upper end level.
        lower: Its lower end level.
        angle_deg: Difference of the two levels' tilts, above 0.
        side: To which side of the patient it is convex.
    """

    upper: str
    lower: str
    angle_deg: float
    side: Literal["left", "right"]


@dataclass(frozen=True)
class SpineCase:
    """A simulated subject.

    Attributes:
        seed: Decides everything, with the configuration.
        pixel_mm: Side of a projection's pixel.
        habitus: Body type.
        depths_mm: Centres of the five slabs below the skin, from superficial to deep.
        projections: (5, R, C) uint8, grey, with structured noise; 0 outside the scan.
        clean: (5, R, C) uint8, the same without structured noise.
        noise_mask: (5, R, C) bool: voxels that no frame filled, and lines that differ by more than 8 grey levels.
        labels: (R, C) uint8, the classes of `medenhance.spine.labels`: 0 background, 1 rib, 2 process, 3 lump.
        scan: (R, C) bool: where the probe went, its gaps included.
        landmarks: Two a thoracic level (left, right), one a lumbar level, also the invisible ones.
        tilts_deg: Tilt of each of the levels from T2 down; positive where the patient's right is lower.
        curves: From the head down, of 5 degrees or more.
        skin_mm: (R, C) float32: depth of the skin below the volume's first plane.
        volume: (D, R, C) uint8 or None; plane k lies at (k + 0.5) volume_depth_mm.
        spacing_mm: Of the volume, in the order D, R, C; or of a projection's slab, without one.
    """

    seed: int
    pixel_mm: float
    habitus: str
    depths_mm: tuple[float, ...]
    projections: np.ndarray
    clean: np.ndarray
    noise_mask: np.ndarray
    labels: np.ndarray
    scan: np.ndarray
    landmarks: tuple[Landmark, ...]
    tilts_deg: dict[str, float]
    curves: tuple[Curve, ...]
    skin_mm: np.ndarray
    volume: np.ndarray | None
    spacing_mm: tuple[float, float, float]
