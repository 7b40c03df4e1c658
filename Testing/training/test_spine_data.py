"""Spine training data: patches are sorted by the paper's measure, and a batch follows from its position."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from tiny_spine import projection, stream

from medenhance.errors import MedEnhanceError
from medenhance.measure.stripes import edge_measure
from medenhance_training.data import spine_bank
from medenhance_training.data.spine.config import SpineConfig
from medenhance_training.data.spine_bank import Subjects, projections
from medenhance_training.data.spine_patches import Splitting, edge_response, split_patches
from medenhance_training.data.spine_source import TEST_SUBJECTS, VALIDATION_SUBJECTS, SpineData
from medenhance_training.data.spine_stream import SpineVariants, Variant

SMALL = Splitting(stride=16, border=8)
COARSE = SpineConfig(field_mm=(514.8, 128.0), pixel_mm=0.8)


def test_a_patch_s_mean_response_is_the_paper_s_measure() -> None:
    image = projection(3).noisy
    # Away from its rim a patch of the whole image's response is the patch's own.
    assert edge_response(image).shape == image.shape
    assert edge_response(image).mean() == pytest.approx(edge_measure(image), rel=1e-5)


def test_dashed_patches_are_corrupted_and_smooth_ones_clean() -> None:
    found = [projection(0)]
    split = split_patches(found, 32, SMALL)
    assert split.corrupted
    assert min(place.row for place in split.corrupted) > 96 - 32
    assert max(place.row for place in split.clean) < 96


def test_quantiles_take_their_shares_and_a_floor() -> None:
    found = [projection(n) for n in range(3)]
    everything = split_patches(
        found, 32, Splitting("quantile", corrupted_share=0.5, clean_share=0.5, stride=16, border=8)
    )
    few = split_patches(found, 32, Splitting("quantile", corrupted_share=0.1, clean_share=0.5, stride=16, border=8))
    assert len(few.corrupted) == pytest.approx(len(everything.corrupted) / 5, abs=2)
    with pytest.raises(MedEnhanceError, match=r"0 are corrupted \(g >= 99"):
        split_patches(found, 32, replace(SMALL, mode="quantile", corrupted_least=99.0))


def test_patches_outside_the_scan_are_not_used() -> None:
    one = projection(0)
    half = replace(one, scan=one.scan & (np.arange(one.scan.shape[1]) < 40))
    split = split_patches([half], 32, SMALL)
    assert {place.column for place in (*split.corrupted, *split.clean)} == {8}


def test_a_sample_follows_from_seed_and_position_alone_whoever_draws_it() -> None:
    whole = stream(4).batch_at(8)
    shares = [stream(4, rank=rank, world_size=2).batch_at(8) for rank in range(2)]
    for name, value in whole.items():
        assert torch.equal(value, torch.cat([share[name] for share in shares])), name
    assert not torch.equal(whole["corrupted"], stream(4, seed=1).batch_at(8)["corrupted"])


def test_twins_and_labels_are_turned_with_their_patch() -> None:
    batch = stream(8).batch_at(0)
    assert batch["corrupted"].shape == batch["twin"].shape == (8, 1, 32, 32)
    assert batch["labels"].dtype == torch.int64
    same = batch["corrupted"] == batch["twin"]
    assert 0.5 < same.float().mean() < 1.0  # dashes alone differ
    assert (batch["corrupted"][~same] == 0).all()
    blobs = batch["image_twin"][:, 0] < 100
    assert blobs[batch["labels"] > 0].float().mean() > 0.9


def test_variants_mirror_and_turn_but_never_stand_a_dash_upright() -> None:
    image = np.arange(6, dtype=np.float32).reshape(2, 3)
    assert Variant(True, False, 0.0, 1.0).of(image).tolist() == [[2, 1, 0], [5, 4, 3]]
    assert Variant(True, True, 0.0, 1.0).of(image).tolist() == [[3, 4, 5], [0, 1, 2]]
    line = np.zeros((33, 33), np.float32)
    line[16] = 200
    turned = Variant(False, False, 10.0, 1.0).of(line)
    assert np.ptp(np.nonzero(turned > 50)[0]) < np.ptp(np.nonzero(turned > 50)[1]) / 3


def test_crops_come_with_every_nth_sample() -> None:
    batch = stream(4, crop_every=2).batch_at(4)
    assert (len(batch["corrupted"]), len(batch["image"])) == (4, 2)
    with pytest.raises(MedEnhanceError, match="whole number of crops"):
        stream(3, crop_every=2)


def test_a_crop_larger_than_the_projection_is_refused() -> None:
    with pytest.raises(MedEnhanceError, match=r"crop of \(32, 200\)"):
        stream(2, crop=(32, 200))


def test_subjects_come_back_from_disk_as_they_were_simulated(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    wanted = Subjects(7, 2, (1.0, 2.0), (2, 4), COARSE)
    fresh = list(projections(wanted, tmp_path))
    assert [(one.subject, one.depth) for one in fresh] == [(7, 2), (7, 4), (8, 2), (8, 4)]
    assert len({one.stripes for one in fresh}) == 2
    monkeypatch.setattr(spine_bank, "simulate_case", None)  # must not be called again
    for a, b in zip(fresh, projections(wanted, tmp_path), strict=True):
        for name in ("noisy", "clean", "dashes", "labels", "scan"):
            assert np.array_equal(getattr(a, name), getattr(b, name)), name


def test_another_simulator_makes_other_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    wanted = Subjects(7, 1, (1.0, 1.0), (4,), COARSE)
    list(projections(wanted, tmp_path))
    monkeypatch.setattr(spine_bank, "simulator_digest", lambda: "another")
    list(projections(wanted, tmp_path))
    assert len(list(tmp_path.iterdir())) == 2


def test_training_validation_and_test_subjects_are_far_apart() -> None:
    assert SpineData().first_subject + SpineData().num_subjects < VALIDATION_SUBJECTS < TEST_SUBJECTS


def test_a_run_s_data_opens_with_clean_twins_where_asked(tmp_path: Path) -> None:
    data = SpineData(
        num_subjects=1, depths=(4,), simulator=COARSE, clean=True, with_patches=False, crop=(64, 64),
        num_validation=1, cache=tmp_path, variants=SpineVariants(mirror=False),
    )  # fmt: skip
    opened = data.open(2, 0, 1, 0)
    batch = opened.stream.batch_at(0)
    assert torch.equal(batch["image"], batch["image_twin"])
    (validation,) = opened.validation
    assert validation["low"].shape == (1, 1, 640, 160)
    assert validation["labels"].shape == (1, 640, 160)
