"""The low-dose simulator: what it must keep, and a real pair of scans that it must resemble."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

from medenhance.errors import MedEnhanceError
from medenhance_training.data.kernels import SHARP, SOFT, Kernel, between, fit_kernel, noise_power_spectrum
from medenhance_training.data.low_dose import (
    RAY_WIDTH_MM,
    Scanner,
    dose_factors,
    line_integrals,
    noise_field,
    simulate_low_dose,
)
from medenhance_training.data.projector import Geometry

SMALL = Scanner(num_angles=180)


def water(shape: tuple[int, int], spacing_mm: float, radius_mm: float) -> np.ndarray:
    """A water cylinder in air, HU."""
    rows, columns = ((np.arange(n) - n // 2) * spacing_mm for n in shape)
    return np.where(np.hypot(rows[:, None], columns[None]) < radius_mm, 0.0, -1000.0).astype(np.float32)


def added_noise(hu: np.ndarray, spacing_mm: float, seed: int = 0, **options: object) -> np.ndarray:
    kernel = options.pop("kernel", SOFT)
    dose = options.pop("dose", 0.25)
    scanner = Scanner(**{"num_angles": 180, **options})  # type: ignore[arg-type]
    return simulate_low_dose(hu, spacing_mm, dose, kernel, scanner, np.random.default_rng(seed)) - hu  # type: ignore[arg-type]


def test_line_integrals_through_water_are_chord_times_attenuation() -> None:
    hu = water((260, 260), 1.4, 120.0)
    geometry = Geometry(260, 90, refine=2)
    integrals = line_integrals(hu, 1.4, geometry, 0.0195)
    chord = 2 * np.sqrt(np.clip(120.0**2 - (geometry.offsets_px * 1.4) ** 2, 0, None))
    core = chord > 120
    np.testing.assert_allclose(integrals[:, core].mean(axis=0), 0.0195 * chord[core], rtol=0.02)


def test_line_integrals_of_block_means_keep_their_place() -> None:
    hu = water((600, 600), 0.7, 60.0)
    hu = np.roll(hu, (90, -140), axis=(0, 1))
    geometry = Geometry(600, 48)
    integrals = line_integrals(hu, 0.7, geometry, 0.0195)
    centre = (integrals * geometry.offsets_px).sum(axis=1) / integrals.sum(axis=1)
    np.testing.assert_allclose(centre, -140 * np.cos(geometry.angles) + 90 * np.sin(geometry.angles), atol=0.3)


@settings(max_examples=20, deadline=None)
@given(first=st.floats(0.05, 0.95), second=st.floats(0.05, 0.95))
def test_less_dose_is_more_noise(first: float, second: float) -> None:
    field = noise_field(water((48, 40), 4.0, 70.0), 4.0, SOFT, SMALL, np.random.default_rng(0))
    low, high = sorted((first, second))
    assert np.std(field.at_dose(low)) >= np.std(field.at_dose(high))


@settings(max_examples=20, deadline=None)
@given(dose=st.floats(0.05, 1.0), share=st.floats(0.05, 1.0))
def test_two_reductions_add_up_to_one(dose: float, share: float) -> None:
    """Going to a fraction a and from there to a fraction b of it is going to ab.

    With photon variance q and electronic variance e at full dose, data at dose a have q / a + e / a^2. A scan at dose a
    has photons N0 a, hence unit noises of q / a and e / a^2.
    """
    q, e = 0.7, 0.3

    def added(quantum: float, electronic: float, fraction: float) -> float:
        factors = dose_factors(fraction)
        return quantum * factors[0] ** 2 + electronic * factors[1] ** 2

    after_first = q + e + added(q, e, dose)
    np.testing.assert_allclose(after_first, q / dose + e / dose**2, rtol=1e-9)
    after_both = after_first + added(q / dose, e / dose**2, share)
    np.testing.assert_allclose(after_both, q + e + added(q, e, dose * share), rtol=1e-9)


def test_the_variance_at_a_fraction_of_the_dose_is_the_reciprocal_fraction() -> None:
    """A full-dose scan drawn from the Poisson model itself, brought down to a fifth, has five times its variance."""
    hu = water((64, 64), 3.0, 80.0)
    inside = water((64, 64), 3.0, 60.0) == 0
    # The noise of the full-dose scan: what insertion adds at dose 1/2 is one unit of it.
    full = [added_noise(hu, 3.0, seed=s, dose=0.5) for s in range(0, 12)]
    low = [hu + full[s] + added_noise(hu + full[s], 3.0, seed=100 + s, dose=0.2) - hu for s in range(12)]
    ratio = np.var([x[inside] for x in low]) / np.var([x[inside] for x in full])
    assert ratio == pytest.approx(5.0, rel=0.06)


def test_electronic_noise_comes_on_top_and_grows_faster() -> None:
    hu = water((64, 64), 5.0, 140.0)
    inside = water((64, 64), 5.0, 100.0) == 0
    options = {"photons": 2e4, "electronic_variance": 40.0}

    def ratio(dose: float) -> float:
        noisy = added_noise(hu, 5.0, dose=dose, **options)
        return float(noisy[inside].std() / added_noise(hu, 5.0, dose=dose, photons=2e4)[inside].std())

    assert 1.0 < ratio(0.5) < ratio(0.1)


def test_the_added_noise_has_mean_zero() -> None:
    hu = water((128, 128), 2.0, 100.0)
    inside = water((128, 128), 2.0, 80.0) == 0
    means = [added_noise(hu, 2.0, seed=s)[inside].mean() for s in range(4)]
    sd = added_noise(hu, 2.0)[inside].std()
    assert sd > 10
    assert abs(np.mean(means)) < 0.02 * sd


@pytest.mark.parametrize("spacing_mm", [0.5, 1.1, 2.3])
@pytest.mark.parametrize("kernel", [SOFT, SHARP], ids=lambda kernel: kernel.name)
def test_the_noise_level_matches_theory_at_any_pixel_spacing(spacing_mm: float, kernel: Kernel) -> None:
    """In the middle of a water cylinder every ray has one variance v, and the image's is known in closed form.

    Var[mu] = pi^2 v w / K * 2 * integral of f^2 gain^2 (K views over half a turn, rays w wide).
    """
    size = round(240 / spacing_mm)
    hu = water((size, size + 7), spacing_mm, 100.0)
    scanner = Scanner(bowtie=0.0, tube_current_modulation=0.0, num_angles=360, slice_mm=1.0)
    middle = water(hu.shape, spacing_mm, 18.0) == 0
    noise = [noise_field(hu, spacing_mm, kernel, scanner, np.random.default_rng(s)).quantum[middle] for s in range(3)]
    frequency = np.linspace(0, 4, 40_001)
    integral = np.trapezoid(frequency**2 * kernel.gain(frequency) ** 2, frequency)
    # A ray of the reference width counts `photons`; v w / K does not depend on the rays' own width and number.
    ray_variance = np.exp(0.0195 * 200.0) / scanner.photons
    expected = 1000 / 0.0195 * np.sqrt(np.pi**2 * ray_variance * RAY_WIDTH_MM / 720 * 2 * integral)
    assert np.std(noise) == pytest.approx(expected, rel=0.05)


def test_the_scanner_keeps_its_noise_when_views_are_counted_otherwise() -> None:
    hu = water((96, 96), 2.5, 100.0)
    inside = water((96, 96), 2.5, 60.0) == 0
    few, many = (added_noise(hu, 2.5, num_angles=n)[inside].std() for n in (150, 300))
    assert few == pytest.approx(many, rel=0.06)


def test_tube_current_modulation_evens_out_the_directions_of_noise() -> None:
    """Rays along the long axis of an ellipse carry most noise, which streaks along that axis."""
    rows, columns = np.mgrid[-48:48, -48:48] * 3.5
    hu = np.where((rows / 90) ** 2 + (columns / 160) ** 2 < 1, 0.0, -1000.0).astype(np.float32)
    middle = (slice(30, 66), slice(30, 66))

    def streaks(modulation: float) -> float:
        noise = added_noise(hu, 3.5, tube_current_modulation=modulation)[middle]
        along = np.corrcoef(noise[:, 1:].ravel(), noise[:, :-1].ravel())[0, 1]
        across = np.corrcoef(noise[1:].ravel(), noise[:-1].ravel())[0, 1]
        return float(along - across)

    assert streaks(0.0) > streaks(0.5) + 0.03 > streaks(1.0) + 0.05


def test_a_bowtie_filter_makes_the_rim_noisier() -> None:
    hu = water((96, 96), 3.5, 150.0)
    radius = np.hypot(*np.mgrid[-48:48, -48:48]) * 3.5
    rim, middle = (radius > 110) & (radius < 145), radius < 50

    def ratio(bowtie: float) -> float:
        noise = added_noise(hu, 3.5, bowtie=bowtie)
        return float(noise[rim].std() / noise[middle].std())

    assert ratio(2.0) > 1.15 * ratio(0.0)


def test_slices_of_any_shape_come_back_in_their_shape_and_place() -> None:
    tall = water((90, 50), 3.0, 60.0)
    noise = added_noise(tall, 3.0)
    assert noise.shape == (90, 50)
    # The path is longest along the axis, so noise peaks inside the cylinder and not in the air round it.
    assert noise[35:55, 15:35].std() > 1.5 * noise[:10].std()


def test_padding_and_nan_count_as_air() -> None:
    clean = water((64, 64), 3.0, 60.0)
    padded = clean.copy()
    padded[:4], padded[-4:] = -3024.0, np.nan
    field = noise_field(padded, 3.0, SOFT, SMALL, np.random.default_rng(0))
    np.testing.assert_array_equal(field.quantum, noise_field(clean, 3.0, SOFT, SMALL, np.random.default_rng(0)).quantum)


def test_a_ray_that_starves_keeps_finite_noise() -> None:
    iron = water((64, 64), 5.0, 100.0)
    iron[16:48, 16:48] = 30_000.0
    noise = added_noise(iron, 5.0)
    assert np.isfinite(noise).all()
    assert np.abs(noise).max() < 1e5


def test_the_same_seed_gives_the_same_slice() -> None:
    hu = water((40, 40), 4.0, 60.0)
    np.testing.assert_array_equal(added_noise(hu, 4.0, seed=3), added_noise(hu, 4.0, seed=3))
    assert not np.array_equal(added_noise(hu, 4.0, seed=3), added_noise(hu, 4.0, seed=4))


@pytest.mark.parametrize("dose", [0.0, -0.1, 1.5, float("nan")])
def test_a_dose_that_is_no_fraction_is_refused(dose: float) -> None:
    with pytest.raises(MedEnhanceError, match="not a fraction"):
        added_noise(water((16, 16), 5.0, 30.0), 5.0, dose=dose)


def test_full_dose_adds_nothing() -> None:
    hu = water((40, 40), 4.0, 60.0)
    np.testing.assert_array_equal(simulate_low_dose(hu, 4.0, 1.0, SHARP, SMALL, np.random.default_rng(0)), hu)


def test_the_kernels_peak_where_their_namesakes_do() -> None:
    assert 0.22 <= SOFT.noise_peak_per_mm <= 0.28
    assert 0.39 <= SHARP.noise_peak_per_mm <= 0.57
    frequency = np.linspace(0.01, 2, 2000)
    for kernel in (SOFT, SHARP, between(SOFT, SHARP, 0.4)):
        peak = frequency[np.argmax(frequency * kernel.gain(frequency) ** 2)]
        assert kernel.noise_peak_per_mm == pytest.approx(peak, abs=2e-3)


@pytest.mark.parametrize("truth", [Kernel("a", 0.4, 2.0), Kernel("b", 0.75, 4.0)], ids=lambda kernel: kernel.name)
def test_a_kernel_is_found_back_from_its_noise(truth: Kernel) -> None:
    hu = water((256, 256), 0.8, 90.0)
    noise = added_noise(hu, 0.8, kernel=truth, num_angles=400)
    patches = [noise[i : i + 32, j : j + 32] for i in range(64, 161, 16) for j in range(64, 161, 16)]
    found = fit_kernel(np.array(patches), 0.8)
    frequency = np.linspace(0.05, 0.6, 50)
    np.testing.assert_allclose(found.gain(frequency), truth.gain(frequency), atol=0.08)


class RealPair:
    """One slice at full dose, its quarter-dose twin and their soft tissue."""

    spacing_mm = 0.70  # not stored with the slices; the collection's lie between 0.66 and 0.74

    def __init__(self, folder: Path) -> None:
        full, quarter = (
            np.fromfile(folder / f"L506_{dose}_512x512_uint16le_HUplus1024.raw", "<u2").reshape(512, 512) - 1024.0
            for dose in ("FD", "QD")
        )
        self.full = full.astype(np.float32)
        self.difference = (quarter - full).astype(np.float32)
        smooth = ndimage.gaussian_filter(full, 3)
        self.soft = ndimage.binary_erosion((smooth > -50) & (smooth < 200), iterations=5)

    def patches(self, noise: np.ndarray, side: int = 32) -> np.ndarray:
        corners = range(0, 512 - side, side // 4)
        windows = ((slice(i, i + side), slice(j, j + side)) for i in corners for j in corners)
        return np.array([noise[w] for w in windows if self.soft[w].mean() > 0.9])

    def lag_one(self, noise: np.ndarray, axis: int) -> float:
        neighbour, both = np.roll(noise, -1, axis), self.soft & np.roll(self.soft, -1, axis)
        return float(np.corrcoef(noise[both], neighbour[both])[0, 1])


@pytest.fixture(scope="module")
def pair(shared_data: Path) -> RealPair:
    return RealPair(shared_data / "ct_lowdose" / "sfrc_L506_slice32_pair")


@pytest.fixture(scope="module")
def simulated(pair: RealPair) -> list[np.ndarray]:
    """Three simulations of the real quarter-dose noise, HU."""
    rngs = (np.random.default_rng(seed) for seed in range(3))
    return [simulate_low_dose(pair.full, pair.spacing_mm, 0.25, SHARP, Scanner(), rng) - pair.full for rng in rngs]


def test_quarter_dose_noise_is_as_strong_as_real(pair: RealPair, simulated: list[np.ndarray]) -> None:
    assert simulated[0][pair.soft].std() == pytest.approx(pair.difference[pair.soft].std(), rel=0.10)
    assert abs(simulated[0][pair.soft].mean()) < 1.0


@pytest.mark.parametrize("axis", [0, 1])
def test_quarter_dose_noise_is_correlated_as_real(pair: RealPair, simulated: list[np.ndarray], axis: int) -> None:
    assert pair.lag_one(simulated[0], axis) == pytest.approx(pair.lag_one(pair.difference, axis), abs=0.1)


def test_quarter_dose_noise_has_the_spectrum_of_real_noise(pair: RealPair, simulated: list[np.ndarray]) -> None:
    real = noise_power_spectrum(pair.patches(pair.difference))
    ours = noise_power_spectrum(np.concatenate([pair.patches(noise) for noise in simulated]))
    real, ours = real / real.sum(), ours / ours.sum()
    assert np.linalg.norm(ours - real) / np.linalg.norm(real) <= 0.25


def test_quarter_dose_noise_is_strong_where_real_noise_is(pair: RealPair, simulated: list[np.ndarray]) -> None:
    def local_sd(noise: np.ndarray) -> np.ndarray:
        return np.sqrt(ndimage.uniform_filter(noise**2, 31))[pair.soft]

    ratio = local_sd(simulated[0]) / local_sd(pair.difference)
    assert np.mean(np.abs(ratio / ratio.mean() - 1)) < 0.11
