"""The stream: a pure function of its position, the same for any number of processes, and true to the slices."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from medenhance.errors import MedEnhanceError
from medenhance_training.data.augment import MARGIN_PX, Augmentation, AugmentRange, draw
from medenhance_training.data.bank import NoiseRange, NormalSlice, SimulatedNoise, recorded_slice, simulated_bank
from medenhance_training.data.low_dose import NoiseField
from medenhance_training.data.stream import DoseRange, PatchStream

PLAIN = AugmentRange(flip_and_turn=False, blur_share=0.0)


def body(height: int, width: int, hu: float = 40.0) -> np.ndarray:
    """A soft-tissue rectangle with a gradient, in air."""
    image = np.full((height, width), -1000.0, np.float32)
    image[4:-4, 4:-4] = hu + np.arange(width - 8, dtype=np.float32)
    return image


@pytest.fixture(scope="module")
def stream() -> PatchStream:
    slices = [NormalSlice(body(44, 52, hu), 6.0, 3.0) for hu in (0.0, 60.0)]
    bank = simulated_bank(slices, NoiseRange(num_fields=2, electronic_variance=(5.0, 10.0)), seed=7)
    return PatchStream(bank, patch=16, batch=12, seed=3)


@settings(max_examples=25, deadline=None)
@given(samples_seen=st.integers(0, 10**9), world_size=st.sampled_from([2, 3, 4, 6]))
def test_any_number_of_ranks_draws_the_same_global_batch(
    stream: PatchStream, samples_seen: int, world_size: int
) -> None:
    alone = stream.batch_at(samples_seen)
    ranks = [replace(stream, rank=rank, world_size=world_size).batch_at(samples_seen) for rank in range(world_size)]
    for key in ("low", "normal"):
        torch.testing.assert_close(torch.cat([share[key] for share in ranks]), alone[key], rtol=0, atol=0)


@settings(max_examples=10, deadline=None)
@given(first=st.integers(0, 1000), offset=st.integers(0, 12))
def test_a_batch_continues_where_the_one_before_ended(stream: PatchStream, first: int, offset: int) -> None:
    """Resuming at any position gives what the uninterrupted run would have drawn there."""
    run = torch.cat([stream.batch_at(first)["low"], stream.batch_at(first + 12)["low"]])
    torch.testing.assert_close(stream.batch_at(first + offset)["low"], run[offset : offset + 12], rtol=0, atol=0)


def test_batches_are_float32_hu_of_one_channel(stream: PatchStream) -> None:
    batch = stream.batch_at(0)
    for key in ("low", "normal"):
        assert batch[key].shape == (12, 1, 16, 16)
        assert batch[key].dtype == torch.float32
    assert -1100 < batch["normal"].min() < batch["normal"].max() < 300


def test_seeds_differ(stream: PatchStream) -> None:
    assert not torch.equal(stream.batch_at(0)["low"], replace(stream, seed=4).batch_at(0)["low"])


def test_dose_one_leaves_slices_as_they_are(stream: PatchStream) -> None:
    clean = replace(stream, doses=DoseRange(0.25, 0.25, clean_share=1.0)).batch_at(0)
    torch.testing.assert_close(clean["low"], clean["normal"], rtol=0, atol=0)


def test_clean_slices_come_as_often_as_asked_for(stream: PatchStream) -> None:
    some = replace(stream, batch=200, doses=DoseRange(0.1, 0.5, clean_share=0.3)).batch_at(0)
    share = (some["low"] == some["normal"]).flatten(1).all(dim=1).double().mean()
    assert 0.2 < share < 0.4


@settings(max_examples=50, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), low=st.floats(0.01, 0.5), ratio=st.floats(1.0, 2.0))
def test_doses_stay_in_their_range(seed: int, low: float, ratio: float) -> None:
    doses = DoseRange(low, low * ratio, clean_share=0.0)
    assert low * (1 - 1e-12) <= doses.draw(np.random.default_rng(seed)).dose <= low * ratio * (1 + 1e-12)


@pytest.mark.parametrize(
    "bad",
    [
        {"low": 0.0},
        {"low": 0.5, "high": 0.2},
        {"high": 1.2},
        {"clean_share": 1.5},
        {"exposure": (0.0, 1.0)},
        {"exposure": (2.0, 1.0)},
        {"noisy_normal_share": -0.1},
    ],
)
def test_ranges_that_are_none_are_refused(bad: dict[str, object]) -> None:
    with pytest.raises(MedEnhanceError, match="no range"):
        DoseRange(**bad)  # type: ignore[arg-type]


def test_a_noisy_normal_scan_has_the_share_of_the_noise_that_its_dose_says() -> None:
    """At a quarter of the dose the low scan has four times the variance of the normal one, at any exposure."""
    bank = simulated_bank([NormalSlice(np.full((48, 48), 40.0, np.float32), 6.0, 3.0)], NoiseRange(), seed=0)
    spread = {}
    for exposure in (1.0, 4.0):
        doses = DoseRange(0.25, 0.25, 0.0, exposure=(exposure, exposure), noisy_normal_share=1.0)
        batch = PatchStream(bank, 24, 300, seed=1, doses=doses, augment=PLAIN).batch_at(0)
        low, normal = ((batch[key] - 40.0).square().mean() for key in ("low", "normal"))
        assert low / normal == pytest.approx(4.0, rel=0.1)
        spread[exposure] = normal.sqrt().item()
    assert spread[1.0] / spread[4.0] == pytest.approx(2.0, rel=0.1)


def test_normal_scans_are_noisy_as_often_as_asked_for(stream: PatchStream) -> None:
    plain = replace(stream, batch=200).batch_at(0)["normal"]
    some = replace(stream, batch=200, doses=DoseRange(noisy_normal_share=0.3)).batch_at(0)["normal"]
    assert 0.2 < (some != plain).flatten(1).any(dim=1).double().mean() < 0.4


def test_recorded_pairs_come_out_as_they_were_scanned() -> None:
    rng = np.random.default_rng(0)
    normal = rng.normal(0, 100, (40, 40)).astype(np.float32)
    low = normal + rng.normal(0, 30, (40, 40)).astype(np.float32)
    batch = PatchStream([recorded_slice(normal, low)], 8, 6, seed=0, augment=PLAIN).batch_at(0)
    for patch, twin in zip(batch["normal"][:, 0].numpy(), batch["low"][:, 0].numpy(), strict=True):
        row, column = np.argwhere(np.isclose(normal[: 40 - 7, : 40 - 7], patch[0, 0]))[0]
        np.testing.assert_array_equal(patch, normal[row : row + 8, column : column + 8])
        np.testing.assert_allclose(twin, low[row : row + 8, column : column + 8], atol=1e-4)


def test_weights_decide_how_often_a_slice_is_drawn() -> None:
    cases = [
        recorded_slice(np.full((40, 40), value), np.full((40, 40), value), w) for value, w in ((0, 3.0), (50, 1.0))
    ]
    drawn = PatchStream(cases, 8, 400, seed=0, augment=PLAIN).batch_at(0)["normal"][:, 0, 0, 0]
    assert 0.68 < (drawn == 0).double().mean() < 0.82


def test_patches_of_air_alone_are_rare() -> None:
    image = np.full((200, 200), -1000.0, np.float32)
    image[60:140, 60:140] = 40.0
    patches = PatchStream([recorded_slice(image, image)], 24, 200, seed=0, augment=PLAIN).batch_at(0)["normal"]
    assert ((patches == -1000).flatten(1).all(dim=1)).double().mean() < 0.35  # a single try finds air in two thirds


def test_a_batch_that_ranks_cannot_share_is_refused(stream: PatchStream) -> None:
    with pytest.raises(MedEnhanceError, match="cannot be shared by 5"):
        replace(stream, world_size=5)


def test_a_patch_larger_than_a_slice_is_refused(stream: PatchStream) -> None:
    with pytest.raises(MedEnhanceError, match="44 pixels is too small for patches of 40"):
        replace(stream, patch=40)


def test_a_bank_without_slices_is_refused() -> None:
    with pytest.raises(MedEnhanceError, match="no slices"):
        simulated_bank([], NoiseRange(), seed=0)


def test_a_slice_of_the_bank_depends_on_its_number_alone() -> None:
    slices = [NormalSlice(body(20, 20, hu), 10.0, 3.0) for hu in (0.0, 40.0, 80.0)]
    few, many = (simulated_bank(slices[:n], NoiseRange(num_fields=1), seed=1) for n in (2, 3))
    for a, b in zip(few, many[:2], strict=True):
        np.testing.assert_array_equal(a.noises[0].quantum, b.noises[0].quantum)  # type: ignore[attr-defined]


@settings(max_examples=30, deadline=None)
@given(dose=st.floats(0.02, 1.0))
def test_kept_noise_is_that_of_the_simulator(dose: float) -> None:
    rng = np.random.default_rng(0)
    field = NoiseField(*(rng.normal(0, 40, (9, 7)).astype(np.float32) for _ in range(2)))
    window = (slice(2, 8), slice(1, 5))
    np.testing.assert_allclose(
        SimulatedNoise.of(field).crop(window, dose), field.at_dose(dose)[window], rtol=2e-3, atol=0.02 / dose
    )


@settings(max_examples=30, deadline=None)
@given(turns=st.integers(0, 3), flip=st.booleans())
def test_turns_and_flips_move_pixels_and_change_none(turns: int, flip: bool) -> None:
    image = np.arange(12.0).reshape(3, 4)
    turned = Augmentation(turns, flip).orient(image)
    assert sorted(turned.ravel()) == sorted(image.ravel())
    back = np.rot90(turned, -turns)
    np.testing.assert_array_equal(back[:, ::-1] if flip else back, image)


def test_a_tilt_turns_a_pair_alike_about_its_centre_and_keeps_ct_numbers() -> None:
    ramp = np.add.outer(np.zeros(33), np.arange(33.0)) - 16.0
    tilted = Augmentation(tilt_deg=10.0).orient(ramp)
    assert tilted.shape == ramp.shape
    inside = (slice(8, 25), slice(8, 25))
    rows = np.arange(33.0)[:, None] - 16.0
    along, across = np.cos(np.radians(10.0)) * ramp, np.sin(np.radians(10.0)) * rows
    assert min(np.abs(tilted - along - side * across)[inside].max() for side in (-1, 1)) < 1e-3
    np.testing.assert_allclose(Augmentation(tilt_deg=10.0).orient(np.full((9, 9), 40.0)), 40.0)


def test_turns_mirrors_and_tilts_come_as_often_as_they_should() -> None:
    within = AugmentRange(turn_share=0.1, flip_share=0.2, tilt_share=0.3, tilt_deg=15.0)
    rng = np.random.default_rng(1)
    drawn = [draw(rng, within) for _ in range(4000)]
    shares = [np.mean([bool(getattr(one, name)) for one in drawn]) for name in ("turns", "flip", "tilt_deg")]
    np.testing.assert_allclose(shares, [0.1, 0.2, 0.3], atol=0.03)  # four standard errors of the last
    tilts = np.array([one.tilt_deg for one in drawn if one.tilt_deg])
    assert np.abs(tilts).max() <= 15.0
    assert {one.turns for one in drawn} == {0, 1, 2, 3}


@settings(max_examples=30, deadline=None)
@given(sharpness=st.floats(-0.9, 0.9), width=st.floats(0.4, 1.5))
def test_another_kernel_keeps_ct_numbers(sharpness: float, width: float) -> None:
    variant = Augmentation(sharpness=sharpness, width_px=width)
    flat_and_ramp = 40.0 + 3.0 * np.add.outer(np.arange(20.0), np.arange(24.0)).astype(np.float32)
    kept = variant.rekernel(flat_and_ramp)
    np.testing.assert_allclose(kept, flat_and_ramp[MARGIN_PX:-MARGIN_PX, MARGIN_PX:-MARGIN_PX], atol=1e-3)


def test_another_kernel_blurs_or_sharpens_detail() -> None:
    image = np.zeros((21, 21), np.float32)
    image[10, 10] = 100.0
    peaks = [Augmentation(sharpness=s).rekernel(image).max() for s in (-0.5, 0.0, 0.5)]
    assert peaks[0] < peaks[1] == 100.0 < peaks[2]


def test_every_draw_takes_the_same_number_of_random_numbers() -> None:
    states = []
    for seed in range(8):
        rng, plain = np.random.default_rng(seed), np.random.default_rng(seed)
        draw(rng, AugmentRange())
        draw(plain, PLAIN)
        states.append(rng.bit_generator.state == plain.bit_generator.state)
    assert all(states)
