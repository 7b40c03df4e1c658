"""Phantoms: exact areas, anti-aliased edges, the same bits twice, and all tissues in the demonstration's case."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from medenhance.measure.tissue import map_tissues
from medenhance_training.data.anatomy import abdomen, chest, diaphragm, head, random_phantom, thighs
from medenhance_training.data.demo import SHAPE, demo_case
from medenhance_training.data.phantoms import Layer, Phantom
from medenhance_training.data.shapes import Common, Ellipsoid, HalfSpace, Tube


def painted(*layers: Layer, size: int = 64, spacing_mm: float = 1.0, depth: int = 1, step: float = 1.0) -> np.ndarray:
    return Phantom(layers, seed=0).render((depth, size, size), spacing_mm, slice_step_mm=step)


@settings(max_examples=25, deadline=None)
@given(
    a=st.floats(4, 18),
    b=st.floats(4, 18),
    angle=st.floats(0, 3),
    x=st.floats(-5, 5),
    spacing_mm=st.sampled_from([0.4, 0.77]),
)
def test_an_ellipse_covers_its_area(a: float, b: float, angle: float, x: float, spacing_mm: float) -> None:
    ellipse = Ellipsoid((x, 2.0, 0.0), (a, b, 50.0), angle)
    covered = (painted(Layer(ellipse, 0.0), size=128, spacing_mm=spacing_mm) + 1000.0) / 1000.0
    assert covered.sum() * spacing_mm**2 == pytest.approx(np.pi * a * b, rel=0.02)


def test_a_ball_has_the_cross_sections_of_a_ball() -> None:
    slices = painted(Layer(Ellipsoid((0, 0, 0), (20, 20, 20)), 0.0), size=64, depth=5, step=6.0)
    areas = (slices + 1000).sum(axis=(1, 2)) / 1000
    heights = np.array([-12, -6, 0, 6, 12])
    np.testing.assert_allclose(areas, np.pi * (400 - heights**2), rtol=0.02)


def test_a_tube_has_its_width_and_its_length() -> None:
    tube = Tube((-10, 0, 0), (10, 0, 0), 1.5)
    image = painted(Layer(tube, 0.0), spacing_mm=0.5, size=80)[0] + 1000
    assert image[:, 40].sum() / 1000 * 0.5 == pytest.approx(3.0, rel=0.02)
    assert image.sum() / 1000 * 0.25 == pytest.approx(20 * 3 + np.pi * 1.5**2, rel=0.02)


def test_gas_lies_in_front_of_the_fluid_and_inside_the_wall() -> None:
    cup = Ellipsoid((0, 0, 0), (20, 20, 50))
    image = painted(Layer(cup, 10.0), Layer(Common((cup, HalfSpace(0.0))), -900.0))[0]
    assert image[20, 32] == -900
    assert image[44, 32] == 10
    assert image[2, 32] == -1000


def test_what_is_cut_away_is_not_painted() -> None:
    outer = Ellipsoid((0, 0, 0), (20, 20, 50))
    ring = painted(Layer(Common((outer,), (outer.scaled(-5),)), 0.0))[0]
    assert ring[32, 32] == -1000
    assert ring[32, 32 + 17] == 0


def test_edges_are_anti_aliased_and_nothing_else_is() -> None:
    image = painted(Layer(Ellipsoid((0, 0, 0), (15.3, 15.3, 50)), 0.0), size=48)[0]
    partial = (image > -999) & (image < -1)
    radius = np.hypot(*np.mgrid[-23.5:24, -23.5:24])
    assert partial.sum() > 40
    assert np.abs(radius[partial] - 15.3).max() < 0.8


def test_thick_slices_average_over_their_thickness() -> None:
    half = Ellipsoid((0, 0, -20.0), (15, 15, 20.0), power=2.0)
    thin, thick = (Phantom((Layer(half, 0.0),), 0).render((1, 40, 40), 1.0, 1.0, slice_mm=mm)[0] for mm in (0.0, 10.0))
    assert thin.max() == -1000
    assert -1000 < thick[20, 20] < -1


@pytest.mark.parametrize("part", [abdomen, chest, diaphragm, head, thighs], ids=lambda part: part.__name__)
def test_every_body_part_is_a_body(part: object) -> None:
    image = Phantom(tuple(part(np.random.default_rng(5))), 5).render((1, 160, 160), 2.6)[0]  # type: ignore[operator]
    assert np.isfinite(image).all()
    assert image[0].max() == -1000
    assert 0.05 < np.mean(image > -500) < 0.6
    assert image.max() > 600
    assert ((image > -150) & (image < -50)).sum() > 20
    assert ((image > 0) & (image < 120)).sum() > 100


def test_a_seed_is_a_body() -> None:
    first, again, other = (random_phantom(seed).render((2, 96, 96), 4.0) for seed in (8, 8, 9))
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, other)


def test_textures_have_the_stated_strength_and_no_bias() -> None:
    flat = Ellipsoid((0, 0, 0), (200, 200, 500))
    image = painted(Layer(flat, 50.0, texture_hu=6.0, grain="fine"), size=128)
    assert image.mean() == pytest.approx(50.0, abs=0.5)
    assert image.std() == pytest.approx(6.0, rel=0.05)


def test_the_demonstration_shows_every_tissue_and_quarter_dose_noise() -> None:
    case = demo_case(num_slices=1)
    assert case.truth.shape == case.low.shape == (1, *SHAPE[1:])
    assert case.truth.dtype == case.low.dtype == np.int16
    low = case.low[0].astype(np.float32)
    tissues = map_tissues(low, np.ones(low.shape, bool))
    assert all(inside.sum() > 1000 for inside in tissues.classes.values())
    noise = (low - case.truth[0])[tissues.classes["soft"] & (np.abs(case.truth[0]) < 200)]
    assert 25 < noise.std() < 55
    assert abs(noise.mean()) < 1.0
