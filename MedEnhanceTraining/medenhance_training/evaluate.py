"""Measures a denoiser on whole slices whose normal-dose twin is known.

A network runs as users run it, through the `Predictor`. Everything is in physical units, and PSNR, SSIM and RMSE are
given for declared windows, without which they mean nothing. CT numbers are compared inside tissues that are found on
the smoothed and eroded normal-dose slice: a threshold on noisy values would select them by their noise.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

import numpy as np

from medenhance.measure import image_quality
from medenhance.measure.image_quality import Window
from medenhance.measure.noise import patch_noise_sd
from medenhance.measure.residual import ResidualStructure, StructureShare, residual_structure, structure_share
from medenhance.measure.tissue import SOFT, TISSUES, TissueMap, map_tissues, valid_pixels
from medenhance.predict import Predictor
from medenhance.progress import Progress, Silent, checkpoint

KernelFamily = Literal["soft", "sharp"]

MAIN_WINDOW_HU: Window = (-160.0, 240.0)
WINDOWS_HU: tuple[Window, ...] = (MAIN_WINDOW_HU, (-1000.0, 1000.0))
LEAST_TISSUE_PX = 500  # fewer pixels of a tissue in a slice say nothing of its mean
_NOISE_SIDE_PX = 16
_NOISE_REGIONS = 40


@dataclass(frozen=True)
class Pair:
    """Low-dose slices and their normal-dose twins.

    Attributes:
        subset: Which rows of a table they belong to, such as "simulated, sharp kernel".
        case: The scan; pairs of one case and index show the same anatomy, whatever their noise.
        first_index: Number of the first slice in its scan.
        low: (D, H, W) float32, HU.
        normal: (D, H, W) float32, HU.
        spacing_mm: Pixel spacing; None when it is not known.
        kernel: Family of the reconstruction kernel.
    """

    subset: str
    case: str
    first_index: int
    low: np.ndarray
    normal: np.ndarray
    spacing_mm: float | None
    kernel: KernelFamily


class Restorer(Protocol):
    """Anything that denoises slices."""

    def restore(self, low: np.ndarray, kernel: KernelFamily) -> np.ndarray:
        """(D, H, W) HU -> same shape, HU; `kernel` is for methods that are tuned to it."""


@dataclass(frozen=True)
class NetworkRestorer:
    """A network as users run it: the same for every kernel."""

    predictor: Predictor

    def restore(self, low: np.ndarray, kernel: KernelFamily) -> np.ndarray:  # noqa: ARG002
        return self.predictor.restore(low)


@dataclass(frozen=True)
class Unchanged:
    """The low-dose image itself."""

    def restore(self, low: np.ndarray, kernel: KernelFamily) -> np.ndarray:  # noqa: ARG002
        return low


@dataclass(frozen=True)
class Quality:
    """How near an image is to its normal-dose twin in one window."""

    window_hu: Window
    psnr_db: float
    ssim: float
    rmse_hu: float


@dataclass(frozen=True)
class TissueShift:
    """How far the mean of a tissue moved.

    Attributes:
        tissue: "air", "lung", "fat", "soft" or "bone".
        from_input_hu: Output minus input.
        from_normal_hu: Output minus normal dose.
        pixels: How many were averaged.
    """

    tissue: str
    from_input_hu: float
    from_normal_hu: float
    pixels: int


@dataclass(frozen=True)
class SliceStructure:
    """What a slice adds to the residual structure index, as numbers that a file can hold.

    Attributes:
        matched, chance: As in `StructureShare`.
        windows: How many windows with structure there are.
        removed_sd_hu: Median over them of the SD of what was removed; 0 without any.
    """

    matched: float
    chance: float
    windows: int
    removed_sd_hu: float

    @classmethod
    def of(cls, share: StructureShare) -> SliceStructure:
        median = float(np.median(share.removed_sd_hu)) if share.windows else 0.0
        return cls(share.matched, share.chance, share.windows, median)


@dataclass(frozen=True)
class SliceFigures:
    """Everything measured on one slice.

    Attributes:
        subset, case, index, spacing_mm, kernel: As in `Pair`.
        quality: One a window, in the order of `WINDOWS_HU`.
        shifts: Of the tissues that the slice shows.
        noise_sd_before_hu: Noise of soft tissue in the input; None without a homogeneous region.
        noise_sd_after_hu: In the same regions of the output.
        structure: What the slice adds to the residual structure index.
        seconds: Time of its restoration.
    """

    subset: str
    case: str
    index: int
    spacing_mm: float | None
    kernel: KernelFamily
    quality: tuple[Quality, ...]
    shifts: tuple[TissueShift, ...]
    noise_sd_before_hu: float | None
    noise_sd_after_hu: float | None
    structure: SliceStructure
    seconds: float

    @property
    def main(self) -> Quality:
        """Figures in the main window."""
        return self.quality[0]

    @property
    def place(self) -> tuple[str, int]:
        """The anatomy: slices at one place differ by their noise alone."""
        return self.case, self.index


def evaluate(
    restorer: Restorer, pairs: Sequence[Pair], progress: Progress | None = None, stage: str = "evaluate"
) -> list[SliceFigures]:
    """Restore and measure every slice, after one restoration that is not timed.

    Args:
        restorer: The denoiser.
        pairs: At least one.
        progress: Is told about every pair, and may cancel.
        stage: What the progress is called.
    """
    progress = progress or Silent()
    restorer.restore(pairs[0].low[:1], pairs[0].kernel)
    figures: list[SliceFigures] = []
    for n, pair in enumerate(pairs):
        checkpoint(progress, stage, n / len(pairs))
        begun = time.perf_counter()
        output = restorer.restore(pair.low, pair.kernel)
        figures += measure_pair(pair, output, (time.perf_counter() - begun) / len(pair.low))
    progress.update(stage, 1.0)
    return figures


def measure_pair(pair: Pair, output: np.ndarray, seconds: float) -> Iterator[SliceFigures]:
    """The figures of each slice.

    Args:
        pair: What was restored.
        output: (D, H, W), HU, the restoration of `pair.low`.
        seconds: Time for a slice.
    """
    for k, (low, out, normal) in enumerate(zip(pair.low, output, pair.normal, strict=True)):
        tissues = map_tissues(low, valid_pixels(low, out, None))
        before, after = soft_noise_sd_hu(tissues, low, out)
        yield SliceFigures(
            subset=pair.subset,
            case=pair.case,
            index=pair.first_index + k,
            spacing_mm=pair.spacing_mm,
            kernel=pair.kernel,
            quality=tuple(quality(out, normal, window) for window in WINDOWS_HU),
            shifts=tuple(tissue_shifts(low, out, normal)),
            noise_sd_before_hu=before,
            noise_sd_after_hu=after,
            structure=SliceStructure.of(structure_share(low, out, tissues)),
            seconds=seconds,
        )


def pooled_structure(figures: Sequence[SliceFigures]) -> ResidualStructure | None:
    """The residual structure of some slices together; None where they show too few structures."""
    found = [f.structure for f in figures]
    return residual_structure([StructureShare(s.matched, s.chance, np.full(s.windows, s.removed_sd_hu)) for s in found])


def quality(image: np.ndarray, normal: np.ndarray, window_hu: Window) -> Quality:
    """PSNR, SSIM and RMSE of an (H, W) image in one window."""
    return Quality(
        window_hu,
        image_quality.psnr(image, normal, window_hu),
        image_quality.ssim(image, normal, window_hu),
        image_quality.rmse_hu(image, normal, window_hu),
    )


def tissue_shifts(low: np.ndarray, output: np.ndarray, normal: np.ndarray) -> Iterator[TissueShift]:
    """Mean change of each tissue that has enough pixels, inside masks from the normal-dose slice; all (H, W) HU."""
    tissues = map_tissues(normal, valid_pixels(normal, output, None))
    for tissue in TISSUES:
        inside = tissues.interior(tissue)
        pixels = int(inside.sum())
        if pixels >= LEAST_TISSUE_PX:
            mean = float(output[inside].mean(dtype=np.float64))
            from_input, from_normal = (mean - float(x[inside].mean(dtype=np.float64)) for x in (low, normal))
            yield TissueShift(tissue.name, from_input, from_normal, pixels)


def soft_noise_sd_hu(tissues: TissueMap, low: np.ndarray, output: np.ndarray) -> tuple[float | None, float | None]:
    """Median noise SD of homogeneous soft tissue of `low` and, in the same regions, of `output`."""
    regions = tissues.homogeneous_regions(_NOISE_SIDE_PX, _NOISE_REGIONS)[SOFT.name]
    if not regions:
        return None, None
    before, after = (float(np.median(patch_noise_sd(np.stack([r.of(x) for r in regions])))) for x in (low, output))
    return before, after
