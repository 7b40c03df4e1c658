"""The figures of a whole denoised study, from a deterministic sample of its slices taken one at a time."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from medenhance.measure.bias import Bias, TileMeans, pooled_bias, tile_means
from medenhance.measure.noise import patch_noise_sd
from medenhance.measure.noise_power import NoisePower, measure_noise_power
from medenhance.measure.residual import ResidualStructure, StructureShare, residual_structure, structure_share
from medenhance.measure.tissue import FAT, SOFT, TISSUES, Region, TissueMap, map_tissues, valid_pixels

MAX_SLICES = 16
_NOISE_SIDES_PX = (24, 16, 10, 7)  # the smaller where the larger find no room: thin fat, lung between its vessels
_NOISE_SIDE_PX = 16
_SPECTRUM_SIDES_PX = (64, 48, 32)
_SPECTRUM_TISSUES = (SOFT, FAT)
_NOISE_REGIONS = 10
_SPECTRUM_REGIONS = 20  # AAPM TG-233
_SPECTRUM_ROUGHNESS = 1.5  # over the median of squares of the smallest side
_NOISE_ROUGHNESS = 3.0  # over the median of the squares that the noise SD is measured in
_MIN_SPECTRUM_REGIONS = 4
_REGIONS_PER_SLICE = 40
_MAX_REGIONS = 128
_CUT_OFF_SDS = 2.5


@dataclass(frozen=True)
class TissueFigures:
    """Noise and bias of one tissue.

    Attributes:
        num_regions: Homogeneous squares that the noise was measured in.
        noise_sd_before_hu: Median over the squares, input; None when there are none.
        noise_sd_after_hu: Median over the same squares, output.
        cut_off: Whether the file's lowest CT number cuts the noise of this tissue off.
        bias: Output minus input; None when there is too little of the tissue.
    """

    num_regions: int
    noise_sd_before_hu: float | None
    noise_sd_after_hu: float | None
    cut_off: bool
    bias: Bias | None


@dataclass(frozen=True)
class SpectrumPair:
    """Noise power of one tissue in the same regions of input and output."""

    tissue: str
    before: NoisePower
    after: NoisePower


@dataclass(frozen=True)
class StudyMeasurements:
    """Figures of a study: `slices` are the indices that were measured, `tissues` has a key for every tissue."""

    slices: tuple[int, ...]
    tissues: dict[str, TissueFigures]
    spectra: SpectrumPair | None
    residual_structure: ResidualStructure | None


@dataclass(frozen=True)
class _Place:
    """A region and the slice that it lies in."""

    index: int
    region: Region


@dataclass
class _Found:
    """What is gathered slice by slice: places by tissue and side, tiles by tissue, lowest value."""

    places: dict[tuple[str, int], list[_Place]] = field(default_factory=dict)
    tiles: dict[str, list[TileMeans]] = field(default_factory=dict)
    shares: list[StructureShare] = field(default_factory=list)
    lowest_hu: float = np.inf

    def add(self, index: int, before: np.ndarray, after: np.ndarray, padding_below: float | None) -> None:
        valid = valid_pixels(before, after, padding_below)
        if not valid.any():
            return
        before, after = (_finite(x, valid) for x in (before, after))
        self.lowest_hu = min(self.lowest_hu, float(before[valid].min()))
        tissues = map_tissues(before, valid)
        self._add_places(index, tissues)
        difference = after - before
        for tissue in TISSUES:
            self.tiles.setdefault(tissue.name, []).append(tile_means(difference, tissues.interior(tissue)))
        self.shares.append(structure_share(before, after, tissues))

    def _add_places(self, index: int, tissues: TissueMap) -> None:
        for side in _NOISE_SIDES_PX + _SPECTRUM_SIDES_PX:
            for name, regions in tissues.homogeneous_regions(side, _REGIONS_PER_SLICE).items():
                self.places.setdefault((name, side), []).extend(_Place(index, r) for r in regions)

    def noise_places(self, name: str) -> list[_Place]:
        """Where to measure the noise of a tissue."""
        return _largest_enough([self.places.get((name, side), []) for side in _NOISE_SIDES_PX], _NOISE_REGIONS)

    def spectrum_places(self, name: str) -> list[_Place]:
        """Where to measure the noise power of a tissue; larger squares only if they hold no more structure."""
        choices = [self.places.get((name, side), []) for side in _SPECTRUM_SIDES_PX]
        small = self.places.get((name, _NOISE_SIDE_PX), [])
        if not choices[-1] or not small:
            return []
        limit = min(_SPECTRUM_ROUGHNESS * _median_roughness(choices[-1]), _NOISE_ROUGHNESS * _median_roughness(small))
        calm = [[p for p in places if p.region.roughness <= limit] for places in choices]
        return _largest_enough(calm, _SPECTRUM_REGIONS)


def _median_roughness(places: list[_Place]) -> float:
    return float(np.median([p.region.roughness for p in places]))


def _largest_enough(choices: list[list[_Place]], enough: int) -> list[_Place]:
    """Of the first choice with enough places, or else of the last, the most homogeneous."""
    chosen = next((c for c in choices if len(c) >= enough), choices[-1])
    return sorted(chosen, key=lambda p: p.region.roughness)[:_MAX_REGIONS]


def sampled_slices(depth: int) -> tuple[int, ...]:
    """Indices of at most 16 slices, evenly spread, the middles of as many equal parts."""
    count = min(depth, MAX_SLICES)
    return tuple(int((i + 0.5) * depth / count) for i in range(count))


def measure_study(
    before: np.ndarray, after: np.ndarray, padding_below: float | None, spacing_mm: tuple[float, float] | None
) -> StudyMeasurements:
    """Measure noise, bias, noise power and residual structure.

    Args:
        before: (D, H, W), HU.
        after: (D, H, W), HU.
        padding_below: Input values at or below this are no CT numbers; None when all are.
        spacing_mm: Pixel size along columns and rows; None when unknown.
    """
    found = _Found()
    slices = sampled_slices(len(before))
    for k in slices:
        found.add(k, before[k].astype(np.float32), after[k].astype(np.float32), padding_below)
    return StudyMeasurements(
        slices=slices,
        tissues={t.name: _tissue_figures(found, t.name, before, after) for t in TISSUES},
        spectra=_spectra(found, before, after, spacing_mm),
        residual_structure=residual_structure(found.shares),
    )


def _finite(image: np.ndarray, valid: np.ndarray) -> np.ndarray:
    """The image with one harmless value where it holds none, so that filters stay finite."""
    return image if valid.all() else np.where(valid, image, np.float32(-1000.0))


def _tissue_figures(found: _Found, name: str, before: np.ndarray, after: np.ndarray) -> TissueFigures:
    places = found.noise_places(name)
    bias = pooled_bias(found.tiles.get(name, []))
    if not places:
        return TissueFigures(0, None, None, False, bias)
    patches = _patches(before, places)
    noise_sd = float(np.median(patch_noise_sd(patches)))
    return TissueFigures(
        num_regions=len(places),
        noise_sd_before_hu=noise_sd,
        noise_sd_after_hu=float(np.median(patch_noise_sd(_patches(after, places)))),
        cut_off=bool(patches.mean() - _CUT_OFF_SDS * noise_sd < found.lowest_hu),
        bias=bias,
    )


def _spectra(
    found: _Found, before: np.ndarray, after: np.ndarray, spacing_mm: tuple[float, float] | None
) -> SpectrumPair | None:
    for tissue in _SPECTRUM_TISSUES:
        places = found.spectrum_places(tissue.name)
        if len(places) >= _MIN_SPECTRUM_REGIONS:
            powers = [measure_noise_power(_patches(x, places), spacing_mm) for x in (before, after)]
            return SpectrumPair(tissue.name, *powers)
    return None


def _patches(volume: np.ndarray, places: list[_Place]) -> np.ndarray:
    return np.stack([p.region.of(volume[p.index]) for p in places]).astype(np.float32)
