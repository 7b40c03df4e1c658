"""Streams of head CT: what sample k is depends on its position alone, and is drawn as the paper's code draws it."""

from __future__ import annotations

import dataclasses
import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from tiny_head import framed_scan, scan_stream, scans, slice_stream

from medenhance.errors import MedEnhanceError
from medenhance.head_ct.frame import FrameConfig
from medenhance.image_files import read_image, write_image
from medenhance.networks.smart_net_input import HeadInput
from medenhance_training.data import head_bank
from medenhance_training.data.genesis import Genesis, spoiled
from medenhance_training.data.head_bank import FULL, FramedScan, Heads, framed, framed_scans
from medenhance_training.data.head_ct.config import HeadConfig
from medenhance_training.data.head_ct.simulate import simulate_head
from medenhance_training.data.head_source import CALIBRATION_SCANS, TEST_SCANS, VALIDATION_SCANS, HeadData
from medenhance_training.data.head_stream import HeadScanStream, HeadSliceStream, Place
from medenhance_training.data.head_variants import Glow, HeadVariant, HeadVariants, drawn_variant, thickened, varied

STILL = HeadVariants(share=0.0)


def equal(a: dict[str, torch.Tensor], b: dict[str, torch.Tensor]) -> bool:
    return a.keys() == b.keys() and all(torch.equal(a[name], b[name]) for name in a)


@pytest.mark.parametrize("stream", [slice_stream, scan_stream])
def test_a_batch_follows_from_its_position(stream):
    assert equal(stream(4).batch_at(12), stream(4).batch_at(12))
    assert not torch.equal(stream(4).batch_at(12)["slices"].sum(), stream(4).batch_at(16)["slices"].sum())
    assert not torch.equal(stream(4, seed=1).batch_at(12)["slices"].sum(), stream(4).batch_at(12)["slices"].sum())


def test_processes_share_a_batch():
    whole = slice_stream(4).batch_at(8)["slices"]
    halves = [slice_stream(4, rank=rank, world_size=2).batch_at(8)["slices"] for rank in (0, 1)]
    assert torch.equal(torch.cat(halves), whole)


def test_each_patient_comes_once_in_an_epoch():
    stream = slice_stream(1)
    for epoch in range(3):
        drawn = [stream._draw(4 * epoch + turn, np.random.default_rng(0))[0] for turn in range(4)]
        assert sorted(drawn) == [0, 1, 2, 3]


def test_a_slice_is_drawn_in_proportion_to_its_blood():
    scan = framed_scan(1, depth=6)
    share = np.zeros_like(scan.share)
    share[1, :3, :10], share[4, :1, :10] = FULL, FULL
    stream = HeadSliceStream([FramedScan(1, scan.hu, share)], Place(0, 1))
    drawn = [stream._draw(0, np.random.default_rng(seed))[1] for seed in range(400)]
    assert set(drawn) == {1, 4}
    assert np.mean(np.equal(drawn, 1)) == pytest.approx(0.75, abs=0.07)


def test_even_sampling_takes_slices_with_and_without_blood_in_turn():
    batch = slice_stream(40, sampling="even", variants=STILL).batch_at(0)
    assert batch["has_blood"].tolist() == [0.0, 1.0] * 20
    assert torch.equal(batch["share"].amax(dim=(1, 2)), batch["has_blood"])


def test_even_sampling_takes_each_scan_with_blood_as_often_as_the_others():
    bare = framed_scan(1, depth=8)
    wide, narrow = np.full_like(bare.share, FULL), np.zeros_like(bare.share)
    narrow[3] = FULL
    none = FramedScan(3, bare.hu, np.zeros_like(bare.share))
    found = [FramedScan(1, bare.hu, wide), FramedScan(2, bare.hu, narrow), none]
    stream = HeadSliceStream(found, Place(0, 1), sampling="even")
    drawn = [stream._draw(2 * k + 1, np.random.default_rng(k)) for k in range(400)]
    assert {number for number, _ in drawn} == {0, 1}
    assert np.mean([number == 1 for number, _ in drawn]) == pytest.approx(0.5, abs=0.08)
    assert {index for number, index in drawn if number == 1} == {3}


def test_a_part_of_a_scan_is_a_few_slices_and_shows_blood_in_at_least_half_of_the_draws():
    stream = scan_stream(1, variants=HeadVariants(share=0.0, part_share=1.0))
    whole = {len(scan.hu): scan for scan in scans()}
    found = [stream.sample(position) for position in range(60)]
    depths = [len(one["slices"]) for one in found]
    assert 1 in depths
    assert max(depths) <= 8
    assert all(len(one["share"]) == len(one["has_blood"]) == len(one["slices"]) for one in found)
    assert all(torch.equal(one["share"].amax(dim=(1, 2)), one["has_blood"]) for one in found)
    with_blood = [bool(scan.has_blood.any()) for scan in whole.values()]
    seen = np.mean([bool(one["has_blood"].any()) for one in found])
    assert 0.5 * np.mean(with_blood) <= seen <= np.mean(with_blood) + 0.1
    again = stream.sample(7)
    assert torch.equal(again["slices"], found[7]["slices"])


def test_a_label_needs_three_pixels_of_blood():
    share = np.zeros((3, 8, 8), np.uint8)
    share[1, 0, :2], share[2, 0, :3] = FULL, FULL
    assert FramedScan(0, share.astype(np.int16), share).has_blood.tolist() == [False, False, True]


def test_scans_are_padded_at_their_end():
    batch = scan_stream(4, variants=STILL).batch_at(0)
    depths, slices = batch["depths"], batch["slices"]
    assert slices.shape == (4, int(depths.max()), 1, 32, 32)
    for scan, blood, labels, depth in zip(slices, batch["share"], batch["has_blood"], depths.tolist(), strict=True):
        assert scan[:depth].std() > 0
        assert not scan[depth:].any()
        assert not blood[depth:].any()
        assert torch.equal(blood.amax(dim=(1, 2)), labels)
    assert sorted(depths.tolist()) == sorted(len(scan.hu) for scan in scans())


def test_neighbours_come_with_their_slice():
    batch = slice_stream(8, neighbours=1, variants=STILL).batch_at(0)
    assert batch["slices"].shape == (8, 3, 32, 32)
    stored = {tuple(one[0, :8].tolist()) for scan in scans() for one in scan.hu[:, None].astype(np.float32)[:, 0:1, 0]}
    assert all(tuple(slices[k, 0, :8].tolist()) in stored for slices in batch["slices"] for k in range(3))


# Variants


def test_image_and_blood_move_together():
    scan = framed_scan(1)
    variant = HeadVariant(shift=(0.05, -0.03), scale=1.1, rotation_deg=12.0, mirror=True, flip=True)
    bright = np.where(scan.share > 0, 200.0, 0.0)
    hu, blood = varied(bright[1:2], scan.share[1:2] / np.float32(FULL), variant, np.random.default_rng(0))
    inside = blood[0] > 0.99
    assert inside.sum() > 8
    assert (hu[0][inside] > 190).all()
    assert (hu[0][blood[0] < 0.01] < 10).all()


def test_what_comes_in_from_outside_is_air_without_blood():
    full = np.full((1, 32, 32), 40.0)
    hu, blood = varied(full, np.ones((1, 32, 32)), HeadVariant(shift=(0.3, 0.0)), np.random.default_rng(0))
    assert hu[0, :, -6:].max().item() == -1000.0
    assert blood[0, :, -6:].max().item() == 0.0


def test_tones_are_in_hu():
    flat = np.full((1, 64, 64), 50.0)
    brighter, _ = varied(flat, flat[:0], HeadVariant(offset_hu=3.0, contrast=1.1), np.random.default_rng(0))
    assert brighter.unique().tolist() == pytest.approx([54.0])  # 40 + 1.1 * 10 + 3
    noisy, _ = varied(flat, flat[:0], HeadVariant(noise_hu=4.0), np.random.default_rng(0))
    assert noisy.std().item() == pytest.approx(4.0, rel=0.05)
    blurred, _ = varied(flat, flat[:0], HeadVariant(blur_px=0.7), np.random.default_rng(0))
    assert blurred.numpy() == pytest.approx(50.0, abs=1e-3)


def test_a_draw_stays_within_its_ranges():
    within = HeadVariants(share=1.0, noise_hu=2.0)
    drawn = [drawn_variant(within, np.random.default_rng(seed)) for seed in range(50)]
    assert max(abs(one.rotation_deg) for one in drawn) <= 15.0
    assert max(one.noise_hu for one in drawn) <= 2.0
    assert all(one.mirror and not one.flip for one in drawn)
    assert drawn_variant(STILL, np.random.default_rng(0)) == HeadVariant()


# Models Genesis


def test_each_of_the_four_changes_the_slice_and_keeps_its_window():
    slices = torch.rand(1, 48, 48, generator=torch.Generator().manual_seed(0)) * 80
    off = Genesis(intensity=0.0, shuffle=0.0, painting=0.0)
    assert torch.allclose(spoiled(slices, off, np.random.default_rng(0)), slices, atol=1e-4)
    for change in (
        {"intensity": 1.0},
        {"shuffle": 1.0},
        {"painting": 1.0, "outer": 1.0},
        {"painting": 1.0, "outer": 0.0},
    ):
        found = spoiled(slices, dataclasses.replace(off, **change), np.random.default_rng(1))
        assert (found - slices).abs().max() > 1.0
        assert found.min() >= 0.0
        assert found.max() <= 80.0


def test_shuffling_keeps_every_value_and_painting_keeps_some_pixels():
    slices = torch.rand(1, 48, 48, generator=torch.Generator().manual_seed(0)) * 80
    off = Genesis(intensity=0.0, shuffle=0.0, painting=0.0)
    shuffled = spoiled(slices, dataclasses.replace(off, shuffle=1.0), np.random.default_rng(1))
    assert torch.allclose(shuffled.flatten().sort().values, slices.flatten().sort().values, atol=1e-4)
    inside = spoiled(slices, dataclasses.replace(off, painting=1.0, outer=0.0), np.random.default_rng(1))
    outside = spoiled(slices, dataclasses.replace(off, painting=1.0, outer=1.0), np.random.default_rng(1))
    kept = [float(torch.isclose(found, slices, atol=1e-4).float().mean()) for found in (inside, outside)]
    assert 0.4 < kept[0] < 1.0
    assert 0.1 < kept[1] < 0.95


def test_spoiled_slices_come_with_whole_ones():
    batch = slice_stream(2, spoil=Genesis()).batch_at(0)
    assert batch["whole"].shape == batch["slices"].shape
    assert not torch.equal(batch["whole"], batch["slices"])


# Bank

TINY = HeadConfig(size_px=64, slice_mm=(8.0, 9.0))
SEEN = HeadInput(FrameConfig(48, 5.0), clahe=False)


@pytest.fixture(scope="module")
def case():
    return next(found for seed in range(20) if (found := simulate_head(seed, TINY)).is_positive)


def test_a_framed_scan_keeps_the_volume_of_its_blood(case):
    found = framed(case, SEEN)
    pixel = case.grid.spacing_mm[0] * case.grid.spacing_mm[1]
    assert found.share.sum() / FULL * 25.0 == pytest.approx(case.mask.sum() * pixel, rel=0.05)
    assert found.hu.shape == (len(case.hu), 48, 48)


def test_equalisation_is_done_once_before_training(case):
    equal = framed(case, dataclasses.replace(SEEN, clahe=True))
    assert equal.hu.min() >= 0
    assert equal.hu.max() <= 80


def test_scans_are_kept_and_told_apart(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    heads = Heads(0, 2, TINY, SEEN)
    first = list(framed_scans(heads, tmp_path))
    assert len(list(tmp_path.iterdir())) == 2
    monkeypatch.setattr(head_bank, "simulate_head", None)  # whatever is simulated again fails
    again = list(framed_scans(heads, tmp_path))
    assert all(
        np.array_equal(a.hu, b.hu) and np.array_equal(a.share, b.share) for a, b in zip(first, again, strict=True)
    )
    for other in (
        dataclasses.replace(heads, seen=dataclasses.replace(SEEN, frame=FrameConfig(40, 5.0))),
        dataclasses.replace(heads, simulator=dataclasses.replace(TINY, prevalence=0.2)),
    ):
        with pytest.raises(TypeError):
            list(framed_scans(other, tmp_path))
    monkeypatch.setattr(head_bank, "simulator_digest", lambda: "another")
    with pytest.raises(TypeError):
        list(framed_scans(heads, tmp_path))


def test_what_the_network_alone_does_makes_no_new_scans(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    list(framed_scans(Heads(0, 1, TINY, SEEN), tmp_path))
    monkeypatch.setattr(head_bank, "simulate_head", None)
    list(framed_scans(Heads(0, 1, TINY, dataclasses.replace(SEEN, neighbours=1, unshuffle=2)), tmp_path))


def test_no_scans_are_refused():
    with pytest.raises(MedEnhanceError, match="0 scans"):
        Heads(0, 0)


def test_the_parts_of_the_split_do_not_meet():
    last = max(recipe.first_scan + recipe.num_scans for recipe in (HeadData(), HeadData(num_scans=10_000)))
    assert last < VALIDATION_SCANS < CALIBRATION_SCANS < TEST_SCANS


@pytest.mark.parametrize(("first", "number"), [(VALIDATION_SCANS, 1), (VALIDATION_SCANS - 1, 2), (-1, 5)])
def test_training_cannot_reach_scans_that_are_held_out(first: int, number: int):
    assert HeadData(first_scan=VALIDATION_SCANS - 1, num_scans=1).num_scans == 1
    with pytest.raises(MedEnhanceError, match="not all for training"):
        HeadData(first_scan=first, num_scans=number)


def test_a_glow_brightens_tissue_beside_bone_and_nothing_else():
    hu = np.full((2, 64, 64), 30.0, np.float32)
    hu[:, :, :16], hu[:, :, 60:] = 900.0, -1000.0
    shown, _ = varied(hu, np.zeros_like(hu), HeadVariant(glow=Glow(20.0, 3.0, 0.0, 0.0)), np.random.default_rng(0))
    change = (shown - torch.from_numpy(hu))[0, 32]
    assert not change[:16].any(), "bone stays as it is"
    assert not change[60:].any(), "and so does air"
    assert float(change[15:17].max()) == pytest.approx(20.0 * math.erfc(0.5 / (3.0 * math.sqrt(2.0))), rel=0.02)
    assert (change[16:40].diff() <= 0).all()
    assert float(change[40]) == pytest.approx(0.0, abs=1e-3)


def test_a_glow_leans_to_its_side():
    hu = np.full((1, 65, 65), 30.0, np.float32)
    hu[:, :, :16], hu[:, :, -16:] = 900.0, 900.0
    shown, _ = varied(hu, np.zeros_like(hu), HeadVariant(glow=Glow(20.0, 3.0, 0.5, 0.0)), np.random.default_rng(0))
    left, right = (shown[0, 32, [16, 48]] - 30.0).tolist()
    assert right / left == pytest.approx(3.0, rel=0.01)


def test_recipes_without_a_glow_draw_what_they_always_drew():
    plain, glowing = HeadVariants(), HeadVariants(glow_hu=30.0)
    for seed in range(20):
        one, other = (drawn_variant(within, np.random.default_rng(seed)) for within in (plain, glowing))
        assert replace(other, glow=None) == one
    drawn = [drawn_variant(glowing, np.random.default_rng(seed)).glow for seed in range(200)]
    assert 0.4 < np.mean([glow is None for glow in drawn]) < 0.6
    assert all(0 <= glow.hu <= 30 and 1 <= glow.reach_px <= 6 for glow in drawn if glow is not None)


def test_a_thicker_slice_has_its_share_of_its_neighbours():
    stack = np.arange(5, dtype=np.int16)[:, None, None] ** 2 * np.ones((1, 2, 2), np.int16)
    assert np.array_equal(thickened(stack, 0.0), stack[1:-1])
    assert thickened(stack, 0.25)[:, 0, 0].tolist() == [1.5, 4.5, 9.5]


def test_blood_of_a_neighbour_shows_in_a_thicker_slice_and_in_its_label():
    bare = framed_scan(1, depth=5)
    share = np.zeros_like(bare.share)
    share[2] = FULL
    scan = FramedScan(1, bare.hu, share)
    thick = HeadVariants(share=1.0, thicken=0.2, shift=0.0, scale=0.0, rotation_deg=0.0, mirror=False)
    samples = [HeadScanStream([scan], Place(seed, 1), thick).sample(0) for seed in range(8)]
    amounts = [float(one["share"][1].mean()) for one in samples]
    assert all(0.0 < amount <= 0.2 for amount in amounts)
    for one, amount in zip(samples, amounts, strict=True):
        assert float(one["share"][2].mean()) == pytest.approx(1.0 - 2.0 * amount, abs=1e-5)
        assert one["has_blood"].tolist() == [0.0, 1.0, 1.0, 1.0, 0.0]
    sliced = HeadSliceStream([scan], Place(3, 1), 1, "even", thick)
    assert {float(sliced.sample(k)["has_blood"]) for k in range(12)} == {0.0, 1.0}


def real_scan(path: Path) -> Path:
    """A scan without blood as an image file, which stands for a real one."""
    volume = simulate_head(5, dataclasses.replace(TINY, prevalence=0.0)).volume
    write_image(volume, path, {})
    return path


def test_bleeds_come_into_copies_of_a_real_scan_and_are_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    path = real_scan(tmp_path / "real.nrrd")
    heads = Heads(0, 4, dataclasses.replace(TINY, prevalence=0.5), SEEN, path)
    copies = list(framed_scans(heads, tmp_path / "cache"))
    bleeding = [bool(copy.has_blood.any()) for copy in copies]
    assert set(bleeding) == {True, False}
    (plain,) = [copy for copy in copies if not copy.share.any()][:1]
    for copy in copies:
        still = copy.share == 0
        # Away from blood, and from brain that it pushed aside, a copy is the scan itself.
        assert np.mean(copy.hu[still] == plain.hu[still]) > 0.8
        assert copy.hu.shape == plain.hu.shape
    monkeypatch.setattr(head_bank, "insert_lesions", None)
    again = list(framed_scans(heads, tmp_path / "cache"))
    assert all(
        np.array_equal(a.hu, b.hu) and np.array_equal(a.share, b.share) for a, b in zip(again, copies, strict=True)
    )


def test_copies_of_another_scan_are_others(tmp_path: Path):
    path = real_scan(tmp_path / "real.nrrd")
    heads = Heads(0, 1, dataclasses.replace(TINY, prevalence=0.0), SEEN, path)
    (first,) = framed_scans(heads, tmp_path / "cache")
    volume = read_image(path)
    write_image(volume.with_array(volume.array + 5.0), path, {})
    (second,) = framed_scans(heads, tmp_path / "cache")
    assert np.median(second.hu.astype(int) - first.hu) == 5


def test_real_scans_stand_beside_the_simulated_ones(tmp_path: Path):
    path = real_scan(tmp_path / "real.nrrd")
    data = HeadData("scan", 1, simulator=TINY, seen=SEEN, real=(path,), real_copies=2, real_source="made here, CC0")
    stream = data.open(1, 0, 1, seed=0).stream
    assert len(stream.scans) == 3
    assert stream.scans[0].hu.shape == stream.scans[1].hu.shape


def test_each_real_scan_gets_other_bleeds(tmp_path: Path):
    paths = tmp_path / "a.nrrd", tmp_path / "b.nrrd"
    data = HeadData("scan", 1, simulator=TINY, seen=SEEN, real=paths, real_copies=3, real_source="made here, CC0")
    assert [(heads.first, heads.count, heads.scan) for heads in data._heads()] == [
        (0, 3, paths[0]), (3, 3, paths[1]), (0, 1, None),
    ]  # fmt: skip


def test_a_real_scan_that_is_not_there_is_named_before_anything_is_simulated(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(head_bank, "simulate_head", None)
    data = HeadData("scan", 1, simulator=TINY, seen=SEEN, real=(tmp_path / "nobody",), real_source="made here, CC0")
    with pytest.raises(MedEnhanceError, match="nobody"):
        data.open(1, 0, 1, seed=0)
    with pytest.raises(MedEnhanceError, match="0 copies"):
        HeadData(real_copies=0)


def test_real_scans_without_a_source_are_refused(tmp_path: Path):
    with pytest.raises(MedEnhanceError, match="source and licence"):
        HeadData(real=(tmp_path,))
