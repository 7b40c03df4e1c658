"""Where to measure: tissue classes and homogeneous regions of a CT slice, found without being fooled by noise.

Thresholding a noisy slice selects its pixels by their noise: those with a high value lose their positive noise at the
upper bound of a class and the reverse at the lower, so that even a perfect denoiser shows a bias of several HU. Classes
are therefore taken from a smoothed slice and eroded, which also removes the thin rims of partial volume where a
transition from air to muscle passes through the range of lung and fat.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.ndimage import binary_dilation, binary_erosion, binary_opening, gaussian_filter, label

_SMOOTHING_PX = 2.5
_REACH_PX = 8  # how far that smoothing carries a padding value
_EROSION_PX = 3
_FINE_PX = 1.0
_LIGHT_HU = -300.0
_LOWEST_NUMBER_HU = -1100.0
_SOLID_PX = 5
_BEST_SHARE = 10.0  # per cent
_OWN_FACTOR = 2.0
_SLICE_FACTOR = 10.0


@dataclass(frozen=True)
class Tissue:
    """A tissue and the range of its CT numbers in a smoothed slice, with gaps where two tissues blend.

    Attributes:
        name: "air", "lung", "fat", "soft" or "bone".
        lo_hu: Lowest CT number that counts.
        hi_hu: Highest CT number that counts.
    """

    name: str
    lo_hu: float
    hi_hu: float


AIR = Tissue("air", -1200.0, -940.0)
LUNG = Tissue("lung", -920.0, -500.0)
FAT = Tissue("fat", -140.0, -40.0)
SOFT = Tissue("soft", -25.0, 200.0)
BONE = Tissue("bone", 250.0, 3000.0)  # and dense contrast medium, which CT numbers alone cannot tell from bone
TISSUES = (AIR, LUNG, FAT, SOFT, BONE)


@dataclass(frozen=True)
class Region:
    """A square of a slice.

    Attributes:
        row: First row.
        column: First column.
        side_px: Rows and columns.
        roughness: Gradient energy of the smoothed slice over the energy of its finest grain: the lower the more
            homogeneous. Noise alone gives the same value whatever its amplitude: quiet places are not preferred.
    """

    row: int
    column: int
    side_px: int
    roughness: float

    def of(self, image: np.ndarray) -> np.ndarray:
        """The (side, side) pixels of this square in an (H, W) image."""
        return image[self.row : self.row + self.side_px, self.column : self.column + self.side_px]


@dataclass(frozen=True)
class TissueMap:
    """The tissues of one slice; made by `map_tissues`.

    Attributes:
        reference: (H, W), HU, the smoothed slice that classes are taken from.
        valid: (H, W) bool, pixels that hold a CT number, beyond the reach of padding when smoothing.
        coarse: (H + 1, W + 1), table of running sums of the squared gradient of `reference`.
        fine: (H + 1, W + 1), table of running sums of the squared finest grain of the slice.
        classes: For each tissue's name, (H, W) bool, its pixels.
        counts: For each tissue's name, (H + 1, W + 1), table of running sums of its pixels.
    """

    reference: np.ndarray
    valid: np.ndarray
    coarse: np.ndarray
    fine: np.ndarray
    classes: dict[str, np.ndarray]
    counts: dict[str, np.ndarray]

    def interior(self, tissue: Tissue) -> np.ndarray:
        """(H, W) bool: pixels at least 3 pixels inside a tissue (and inside the image)."""
        return np.asarray(binary_erosion(self.classes[tissue.name], iterations=_EROSION_PX))

    def homogeneous_regions(self, side_px: int, max_count: int) -> dict[str, list[Region]]:
        """Squares of each tissue with the least structure, most homogeneous first; none overlaps another.

        Candidates lie wholly in their class, on a grid of half their side. Kept are those whose roughness is at most
        twice that of the best tenth of their tissue and ten times that of the best tenth of the slice: a tissue that is
        structured everywhere, such as bone, often has none.

        Args:
            side_px: Rows and columns of a square.
            max_count: At most that many a tissue.

        Returns:
            By the name of the tissue; every tissue has its list.
        """
        candidates = {t.name: self._candidates(t, side_px) for t in TISSUES}
        pooled = np.concatenate([roughness for _, roughness in candidates.values()])
        limit = _SLICE_FACTOR * np.percentile(pooled, _BEST_SHARE) if pooled.size else 0.0
        return {name: _best_apart(*found, side_px, limit, max_count) for name, found in candidates.items()}

    def _candidates(self, tissue: Tissue, side_px: int) -> tuple[np.ndarray, np.ndarray]:
        """(N, 2) first row and column and (N,) roughness of all squares that lie wholly in a tissue."""
        if min(self.valid.shape) < side_px:
            return np.empty((0, 2), dtype=np.intp), np.empty(0)
        count = _square_sums(self.counts[tissue.name], side_px)
        rows, columns = np.nonzero(count == side_px * side_px)
        coarse, fine = (_square_sums(t, side_px)[rows, columns] for t in (self.coarse, self.fine))
        # A square without any grain is no measurement: something painted it.
        grainy = fine > 1e-3 * side_px * side_px
        corners = np.stack([rows, columns], axis=1)[grainy] * _step(side_px)
        return corners, coarse[grainy] / fine[grainy]


def valid_pixels(before: np.ndarray, after: np.ndarray, padding_below: float | None) -> np.ndarray:
    """(H, W) bool: pixels that hold a CT number in both images.

    Where the padding value is also the lowest CT number, single pixels of that value are noise that was cut off there;
    leaving them out would select the rest by its noise, so that only solid areas count as padding.
    """
    valid = np.isfinite(before) & np.isfinite(after)
    if padding_below is None:
        return np.asarray(valid)
    padding = before <= padding_below
    if padding_below > _LOWEST_NUMBER_HU:
        padding = binary_opening(padding, np.ones((_SOLID_PX, _SOLID_PX)))
    return np.asarray(valid & ~padding)


def map_tissues(image: np.ndarray, valid: np.ndarray) -> TissueMap:
    """Find the tissues of a slice.

    Args:
        image: (H, W), HU; finite.
        valid: (H, W) bool, from `valid_pixels`.
    """
    if not valid.all():
        valid = ~binary_dilation(~valid, np.ones((3, 3)), iterations=_REACH_PX)
    reference = gaussian_filter(image, _SMOOTHING_PX, truncate=3.0)
    classes = {t.name: valid & (reference >= t.lo_hu) & (reference <= t.hi_hu) for t in TISSUES}
    classes[LUNG.name] &= ~_around_air(reference)
    rows, columns = np.gradient(reference)
    grain = image - gaussian_filter(image, _FINE_PX, truncate=3.0)
    return TissueMap(
        reference=reference,
        valid=valid,
        coarse=_running_sums(rows**2 + columns**2),
        fine=_running_sums(grain**2),
        classes=classes,
        counts={name: _running_sums(inside, np.int32) for name, inside in classes.items()},
    )


def _around_air(reference: np.ndarray) -> np.ndarray:
    """(H, W) bool: connected parts lighter than any tissue but lung that are mostly air.

    Mattresses and blankets have the CT numbers of lung, but lie in the air around the patient.
    """
    parts, _ = label(reference < _LIGHT_HU)
    pixels = np.bincount(parts.ravel())
    air = np.bincount(parts[reference < AIR.hi_hu], minlength=pixels.size)
    mostly_air = air > 0.5 * pixels
    mostly_air[0] = False
    return np.asarray(mostly_air[parts])


def _running_sums(image: np.ndarray, dtype: type[np.generic] = np.float64) -> np.ndarray:
    table = np.zeros((image.shape[0] + 1, image.shape[1] + 1), dtype)
    np.cumsum(np.cumsum(image, axis=0, dtype=dtype), axis=1, out=table[1:, 1:])
    return table


def _square_sums(table: np.ndarray, side_px: int) -> np.ndarray:
    """Sums over the squares whose corners lie on a grid of half their side."""
    low, high = (slice(None, -side_px, _step(side_px)), slice(side_px, None, _step(side_px)))
    return np.asarray(table[high, high] - table[low, high] - table[high, low] + table[low, low])


def _step(side_px: int) -> int:
    return max(1, side_px // 2)


def _best_apart(corners: np.ndarray, roughness: np.ndarray, side_px: int, limit: float, max_count: int) -> list[Region]:
    """Take the least rough corner, drop all whose squares overlap its own, and so on."""
    chosen: list[Region] = []
    if roughness.size == 0:
        return chosen
    keep = roughness <= min(limit, _OWN_FACTOR * float(np.percentile(roughness, _BEST_SHARE)))
    order = np.argsort(roughness[keep], kind="stable")
    corners, roughness = corners[keep][order], roughness[keep][order]
    while len(corners) and len(chosen) < max_count:
        row, column = corners[0].tolist()
        chosen.append(Region(row, column, side_px, float(roughness[0])))
        apart = np.any(np.abs(corners - corners[0]) >= side_px, axis=1)
        corners, roughness = corners[apart], roughness[apart]
    return chosen
