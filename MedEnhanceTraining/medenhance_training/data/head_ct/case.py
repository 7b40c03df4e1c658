"""What a simulated head CT is."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from medenhance.volume import Grid, Volume

# BHSD's order (specification, section 5); the ids are these places plus 1, as in `medenhance.head_ct.labels`.
SUBTYPES = ("epidural", "intraparenchymal", "intraventricular", "subarachnoid", "subdural")
SUBTYPE_IDS = {name: k + 1 for k, name in enumerate(SUBTYPES)}


@dataclass(frozen=True)
class Lesion:
    """What is true about one bleed.

    Attributes:
        subtype: One of `SUBTYPES`.
        requested_ml: The volume that was asked for.
        volume_ml: The volume that was made, measured before slices were averaged.
        mean_hu: Mean of its labelled voxels in the finished image, without those beside bone; NaN without a label.
        centroid_mm: LPS.
        stage: "acute", "subacute", "chronic" or "mixed" (with a fluid level).
    """

    subtype: str
    requested_ml: float
    volume_ml: float
    mean_hu: float
    centroid_mm: tuple[float, float, float]
    stage: str


@dataclass(frozen=True)
class HeadCase:
    """A simulated head CT, or a real one with simulated bleeds. Arrays are (D, H, W).

    Attributes:
        seed: Decides everything, with the configuration.
        preset: Name of the configuration.
        age_years: Of the subject; NaN in a real scan.
        hu: float32, HU.
        grid: Where the voxels lie; slices go from foot to head in simulated scans.
        subtypes: uint8, 0 for none, 1 to 5 in the order of `SUBTYPES`.
        ventricles: bool, the ventricles with what blood is in them.
        sutures: bool, skull and the space beneath within 1 mm of a suture; an epidural bleed does not reach it.
        cavity: bool, inside the inner table of the skull.
        lesions: One a bleed.
        volumes_ml: Volume of each of `SUBTYPES`, measured before slices were averaged.
        midline_shift_mm: How far the septum pellucidum lies to the patient's left of where it belongs; below 0 to the
            right.
        hard_negatives: Names of the look-alikes and artefacts in it.
    """

    seed: int
    preset: str
    age_years: float
    hu: np.ndarray
    grid: Grid
    subtypes: np.ndarray
    ventricles: np.ndarray
    sutures: np.ndarray
    cavity: np.ndarray
    lesions: tuple[Lesion, ...]
    volumes_ml: dict[str, float]
    midline_shift_mm: float
    hard_negatives: tuple[str, ...]

    @cached_property
    def mask(self) -> np.ndarray:
        """(D, H, W) bool: any bleed."""
        return self.subtypes > 0

    @cached_property
    def slice_labels(self) -> np.ndarray:
        """(D,) bool: slices with any bleed."""
        return np.asarray(self.mask.any(axis=(1, 2)))

    @property
    def is_positive(self) -> bool:
        """Whether there is any bleed in the image."""
        return bool(self.slice_labels.any())

    @property
    def volume(self) -> Volume:
        """The image as the core takes it."""
        return Volume(self.hu, self.grid, modality="CT")
