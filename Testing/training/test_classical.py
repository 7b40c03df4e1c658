"""The classical denoisers: tuned, fair, and the same at any strength of noise."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from held_out_slices import SIZE, noise, pair, truth
from hypothesis import given, settings
from hypothesis import strategies as st

from medenhance.measure.image_quality import psnr
from medenhance_training.benchmark.classical import (
    CLASSICAL,
    Classical,
    TunedClassical,
    classical,
    slice_noise_sd_hu,
    tune,
)

WINDOW = (-160.0, 240.0)
EVERY = pytest.mark.parametrize("method", CLASSICAL, ids=lambda m: m.id)


@EVERY
def test_an_image_without_noise_or_structure_stays(method: Classical) -> None:
    flat = np.full((40, 56), 37.0, np.float32)

    for parameters in method.settings():
        np.testing.assert_allclose(method.restore(flat, parameters), flat, atol=0.5)


@EVERY
def test_a_setting_means_the_same_in_twice_the_noise_on_twice_the_contrast(method: Classical) -> None:
    image = 0.2 * (truth() + 1000.0) + noise(1, 10.0)  # all of it is body
    parameters = method.settings()[len(method.settings()) // 2]

    once, twice = (method.restore(factor * image, parameters) for factor in (1.0, 2.0))

    np.testing.assert_allclose(twice, 2.0 * once, atol=1.0)


@EVERY
def test_the_tuned_method_is_nearer_to_the_truth_than_its_input(method: Classical) -> None:
    training, held_out = pair(seed=1), pair(seed=2, place=1)
    parameters = tune(method, [training], WINDOW)

    restored = TunedClassical(method.id, {"soft": parameters, "sharp": parameters}).restore(held_out.low, "soft")

    assert restored.shape == held_out.low.shape
    assert psnr(restored, held_out.normal, WINDOW) > psnr(held_out.low, held_out.normal, WINDOW) + 1.0


def test_tuning_finds_the_best_setting_over_all_pairs() -> None:
    pairs = [replace(pair(), normal=pair().low + shift) for shift in (10.0, 14.0)]
    shifts = Classical("shift", "shift", {"hu": (0.0, 5.0, 12.0, 20.0)}, lambda image, _, p: image + p["hu"])

    assert tune(shifts, pairs, (-3000.0, 3000.0)) == {"hu": 12.0}


def test_each_kernel_family_has_its_own_setting() -> None:
    tuned = TunedClassical("gaussian", {"soft": {"sigma_px": 0.4}, "sharp": {"sigma_px": 1.2}})
    low = pair().low

    expected = [classical("gaussian").restore(low[0], {"sigma_px": sigma}) for sigma in (0.4, 1.2)]

    for family, image in zip(("soft", "sharp"), expected, strict=True):
        np.testing.assert_array_equal(tuned.restore(low, family)[0], image)  # type: ignore[arg-type]


@given(sd_hu=st.floats(8, 80), seed=st.integers(0, 99))
@settings(max_examples=10, deadline=None)
def test_noise_is_measured_in_spite_of_structure(sd_hu: float, seed: int) -> None:
    assert slice_noise_sd_hu(truth() + noise(seed, sd_hu)) == pytest.approx(sd_hu, rel=0.3)


def test_an_image_of_air_alone_has_noise_too() -> None:
    assert slice_noise_sd_hu(np.full((SIZE, SIZE), -1000.0) + noise(0, 20.0)) == pytest.approx(20.0, rel=0.2)


def test_names_are_unique() -> None:
    assert len({method.id for method in CLASSICAL}) == len({m.title for m in CLASSICAL}) == len(CLASSICAL)
