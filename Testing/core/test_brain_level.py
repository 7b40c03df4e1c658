"""Levelling takes away what differs between scanners, and leaves blood, fluid and everything outside of the skull."""

from __future__ import annotations

import pytest
import torch

from medenhance.networks.brain_level import BRAIN_HU, deep_rim_hu, levelled
from medenhance.networks.smart_net_input import HeadInput, windowed

SIDE = 160
ROWS, COLUMNS = torch.meshgrid(torch.arange(SIDE) - 79.5, torch.arange(SIDE) - 79.5, indexing="ij")
RADIUS = torch.hypot(ROWS, COLUMNS)
ANGLE = torch.rad2deg(torch.atan2(ROWS, COLUMNS))
BRAIN, SKULL, SCALP = RADIUS < 60, (RADIUS >= 60) & (RADIUS < 66), (RADIUS >= 66) & (RADIUS < 70)
RING, MIDDLE = (RADIUS >= 55) & (RADIUS < 59), RADIUS < 45


def head(*, brain_hu: float = 33.0, rim_hu: float = 0.0, noise_hu: float = 0.0) -> torch.Tensor:
    """(H, W) HU: a round head whose brain is brighter at the skull by `rim_hu`, which falls by e over 4 pixels."""
    hu = torch.full((SIDE, SIDE), -1000.0)
    hu[SCALP] = 40.0
    hu[SKULL] = 900.0
    brain = brain_hu + rim_hu * torch.exp((RADIUS - 60.0) / 4.0)
    noise = noise_hu * torch.randn(SIDE, SIDE, generator=torch.Generator().manual_seed(7))
    return torch.where(BRAIN, brain + noise, hu)


@pytest.mark.parametrize(("brain_hu", "rim_hu"), [(25.0, 0.0), (33.0, 20.0), (41.0, 30.0)])
def test_any_scanner_s_brain_ends_at_one_level_without_its_rim(brain_hu, rim_hu):
    found = levelled(head(brain_hu=brain_hu, rim_hu=rim_hu, noise_hu=4.0))
    assert found[MIDDLE].mean() == pytest.approx(BRAIN_HU, abs=1.0)
    assert found[RING].mean() == pytest.approx(BRAIN_HU, abs=2.0)


def test_what_is_not_within_the_skull_stays():
    hu = head(brain_hu=45.0, rim_hu=20.0)
    assert torch.equal(levelled(hu)[~BRAIN], hu[~BRAIN])


@pytest.mark.parametrize("rim_hu", [0.0, 20.0])
def test_a_crescent_of_blood_keeps_its_contrast(rim_hu):
    blood = (RADIUS >= 54) & BRAIN & (ANGLE.abs() < 60)
    hu = head(rim_hu=rim_hu)
    found = levelled(torch.where(blood, hu + 30.0, hu))
    opposite = (RADIUS >= 54) & BRAIN & (ANGLE.abs() > 120)
    assert found[blood].mean() - found[opposite].mean() == pytest.approx(30.0, abs=1.0)
    assert found[opposite].mean() == pytest.approx(BRAIN_HU, abs=2.0)


def test_fluid_below_the_skull_is_not_filled_in():
    fluid = (RADIUS >= 56) & BRAIN
    hu = torch.where(fluid, 8.0, head())
    assert levelled(hu)[fluid].mean() == pytest.approx(8.0, abs=1.0)


def test_a_large_bleed_hardly_moves_the_level():
    bleed = torch.hypot(ROWS, COLUMNS - 25.0) < 25.0
    found = levelled(torch.where(bleed, 65.0, head(brain_hu=36.0, noise_hu=4.0)))
    assert found[BRAIN & ~bleed].mean() == pytest.approx(BRAIN_HU, abs=2.0)
    assert found[bleed].mean() > 60.0


def test_a_level_too_far_from_brain_is_moved_no_further_than_scanners_differ():
    assert levelled(head(brain_hu=60.0))[MIDDLE].mean() == pytest.approx(45.0, abs=1.0)


@pytest.mark.parametrize("hu", [torch.full((32, 32), -1000.0), torch.full((32, 32), 35.0), head()[None, :24, :24]])
def test_a_slice_without_skull_or_brain_stays(hu):
    assert torch.equal(levelled(hu), hu)


def test_each_slice_is_levelled_by_itself():
    slices = torch.stack([head(brain_hu=28.0), head(brain_hu=40.0, rim_hu=15.0), torch.full((SIDE, SIDE), -1000.0)])
    together = levelled(slices[None])[0]
    for one, found in zip(slices, together, strict=True):
        assert torch.equal(levelled(one), found)


def test_a_network_sees_levelled_slices_where_its_input_says_so():
    slices = head(brain_hu=40.0, rim_hu=15.0)[None, None]
    plain, level = HeadInput(clahe=False), HeadInput(clahe=False, levelled=True)
    assert torch.equal(windowed(slices, level), windowed(levelled(slices), plain))
    assert not torch.equal(windowed(slices, level), windowed(slices, plain))


def bled_around(share: float) -> torch.Tensor:
    """A head with blood of 65 HU, 8 pixels thick, below this share of its skull."""
    return torch.where((RADIUS >= 52) & BRAIN & (ANGLE.abs() < 180 * share), 65.0, head())


@pytest.mark.parametrize(("share", "rim_hu"), [(0.3, 0.0), (0.8, 32.0)])
def test_blood_around_most_of_the_skull_is_told_by_its_depth(share, rim_hu):
    assert deep_rim_hu(bled_around(share)[None]).item() == pytest.approx(rim_hu, abs=1.0)


def test_a_rim_from_beam_hardening_is_not_that_deep():
    assert deep_rim_hu(head(rim_hu=25.0)[None]).item() < 10.0
    assert deep_rim_hu(torch.full((1, SIDE, SIDE), -1000.0)).item() == 0.0
