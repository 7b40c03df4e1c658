"""A prediction on the grid of the volume: the same whatever the orientation, and never larger than memory."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest
import torch
from test_brain_level import bled_around
from test_head_frame import ORDERS, head, reordered

from medenhance import weights
from medenhance.errors import Cancelled, MedEnhanceError
from medenhance.head_ct import prediction
from medenhance.head_ct.calibration import Calibration, OperatingPoint
from medenhance.head_ct.mask_rule import MaskRule
from medenhance.head_ct.prediction import predict_head
from medenhance.manifest import AcceptedInput, ModelEntry, Tiling
from medenhance.networks import build, spec
from medenhance.predict import Predictor
from medenhance.progress import Silent
from medenhance.volume import Grid, Volume

CONFIG = {
    "input": {
        "frame": {"size_px": 48, "pixel_mm": 5.0},
        "clahe": False,
        "windows_hu": [[0.0, 80.0], [-50.0, 250.0]],
        "neighbours": 1,
        "unshuffle": 2,
    },
    "encoder": {"width": 4, "expansion": 2, "blocks": [1, 1, 1, 1], "stem_kernel": 3, "stem_pool": False},
    "decoder": {"widths": [8, 8, 8, 8, 8], "attention": "last"},
    "pool": ["mean", "max"],
    "lstm_hidden": 6,
    "lstm_layers": 1,
    "hidden": 6,
    "slice_head": True,
    "evidence": True,
}
POINTS = (OperatingPoint("balanced", 0.5, 0.9, 0.9, "made up"),)


def entry(config=CONFIG, network="smart-net-scan", **changes) -> ModelEntry:
    found = ModelEntry(
        id="tiny", version="1", title="Tiny", task="detect-hemorrhage", network=network, config=config,
        intensity={"kind": "scale", "center_hu": 0.0, "scale_hu": 1.0, "clip_hu": [-1024.0, 3071.0]},
        precisions=("fp32", "bf16"), accepted=AcceptedInput("CT", 1, (0.1, 9.0), (0.1, 50.0), (-5000.0, 5000.0)),
        trusted=None, tiling=Tiling(None, 0), size_multiple=1, sampler=None, files=(), bundled=False, default=False,
        licence="Apache-2.0", intended_use="-", limits=("-",), training_data=("-",), metrics={"x": 1.0}, recipe="-",
        commit="0" * 40, calibration=Calibration(2.0, 0.5, POINTS, MaskRule(0.5)),
    )  # fmt: skip
    return dataclasses.replace(found, **changes)


def predictor(**changes) -> Predictor:
    torch.manual_seed(2)
    made = entry(**changes)
    return Predictor(made, build(made.network, made.config))


@pytest.fixture(scope="module")
def tiny() -> Predictor:
    return predictor()


def test_shapes_and_ranges(tiny):
    found = predict_head(tiny, head())
    assert found.mask_probability.shape == (6, 50, 44)
    assert found.mask_probability.dtype == np.float32
    assert found.slice_probabilities.shape == (6,)
    assert 0 <= found.mask_probability.min() < found.mask_probability.max() <= 1
    assert found.scan_probability == pytest.approx(1 / (1 + np.exp(-(found.scan_logit / 2.0 + 0.5))))


@pytest.mark.parametrize(("axes", "flips"), ORDERS[::4])
def test_orientation_of_the_volume_and_order_of_its_slices_change_nothing(tiny, axes, flips):
    volume = head()
    expected = predict_head(tiny, volume)
    found = predict_head(tiny, reordered(volume, axes, flips))
    assert found.scan_logit == pytest.approx(expected.scan_logit, abs=1e-4)
    back = reordered(volume.with_array(expected.mask_probability), axes, flips)
    assert np.allclose(found.mask_probability, back.array, atol=1e-4)
    of_slices = expected.slice_probabilities[::-1] if flips[axes.index(0)] else expected.slice_probabilities
    assert np.allclose(found.slice_probabilities, of_slices, atol=1e-4)


def test_chunks_change_nothing_and_bound_what_runs_at_once(tiny, monkeypatch):
    expected, sizes = predict_head(tiny, head()), []
    original = tiny.network.slice_features
    monkeypatch.setattr(tiny.network, "slice_features", lambda x: sizes.append(len(x)) or original(x))
    monkeypatch.setattr(prediction, "CHUNK", 4)
    found = predict_head(tiny, head())
    assert sizes == [4, 2]
    assert np.allclose(found.mask_probability, expected.mask_probability, atol=1e-5)
    assert found.scan_logit == pytest.approx(expected.scan_logit, abs=1e-5)


def test_short_memory_makes_smaller_chunks(tiny, monkeypatch):
    sizes = []
    original = tiny.network.slice_features
    monkeypatch.setattr(tiny.network, "slice_features", lambda x: sizes.append(len(x)) or original(x))
    monkeypatch.setattr("medenhance.devices.free_memory_bytes", lambda device: 1)
    predict_head(tiny, head())
    assert sizes == [1] * 6


def test_a_network_without_chunks_runs_too():
    config = {"input": CONFIG["input"], "widths": [4, 8], "dense": 4, "lstm_hidden": 4}
    found = predict_head(predictor(config=config, network="patel-2019b"), head())
    assert found.mask_probability.max() < 1e-6
    assert np.isfinite(found.scan_logit)


def test_equalisation_is_applied_where_the_config_asks_for_it():
    logits = []
    for clahe in (False, True):
        seen = {**CONFIG["input"], "windows_hu": [[0.0, 80.0]], "clahe": clahe}
        logits.append(predict_head(predictor(config={**CONFIG, "input": seen}), head()).mask_probability)
    assert not np.array_equal(*logits)  # exactly equal without it, as a second run of the same shows
    assert np.array_equal(logits[1], predict_head(predictor(config={**CONFIG, "input": seen}), head()).mask_probability)


def test_bone_is_no_blood(tiny):
    volume = head()
    bone = np.zeros(volume.array.shape, bool)
    bone[2, 20:23, 20:23] = True
    found = predict_head(
        tiny, volume.with_array(np.where(bone, prediction.BONE_FROM_HU, volume.array))
    ).mask_probability
    assert not found[volume.array >= prediction.BONE_FROM_HU].any()
    assert not found[bone].any()
    assert found[2, 18:25, 18:25][~bone[2, 18:25, 18:25]].all()


LEVELLED = {**CONFIG, "input": {**CONFIG["input"], "frame": {"size_px": 160, "pixel_mm": 1.25}, "levelled": True}}


@pytest.mark.parametrize(("config", "share", "count"), [(LEVELLED, 0.8, 1), (LEVELLED, 0.3, 0), (CONFIG, 0.8, 0)])
def test_blood_that_levelling_may_take_away_is_warned_of(config, share, count):
    slices = np.stack([bled_around(share).numpy()] * 3)
    found = predict_head(predictor(config=config), Volume(slices, Grid(spacing_mm=(1.25, 1.25, 5.0)), modality="CT"))
    assert len(found.warnings) == count
    assert all("blood on both sides" in warning and "in 3 slices" in warning for warning in found.warnings)


MIRRORED = {**CONFIG, "input": {**CONFIG["input"], "mirrored": True}}


def turned(volume: Volume) -> Volume:
    """The same head with its left side on the right, in the same place."""
    return volume.with_array(volume.array[:, :, ::-1])


@pytest.mark.parametrize(("config", "changes"), [(MIRRORED, False), (CONFIG, True)], ids=["mirrored", "once"])
def test_seen_both_ways_left_and_right_are_the_same_to_a_network(config, changes):
    network = predictor(config=config)
    volume = head()
    found, other = predict_head(network, volume), predict_head(network, turned(volume))
    apart = np.abs(found.mask_probability - other.mask_probability[:, :, ::-1]).max()
    assert (apart > 1e-3) == changes


def test_what_is_said_of_both_ways_is_averaged_where_it_lies():
    volume = head()
    volume.array[:, 10:40, 8:22] = 200.0  # on one side alone
    both, once = predictor(config=MIRRORED), predictor(config=CONFIG)
    straight, mirrored = predict_head(once, volume), predict_head(once, turned(volume))
    expected = (straight.mask_probability + mirrored.mask_probability[:, :, ::-1]) / 2
    found = predict_head(both, volume)
    assert np.allclose(found.mask_probability, expected, atol=2e-6)  # logits are averaged, here near 0
    assert found.scan_logit == pytest.approx((straight.scan_logit + mirrored.scan_logit) / 2, abs=1e-5)


def test_the_work_is_told_from_its_beginning_to_its_end():
    fractions = []

    class Told(Silent):
        def update(self, stage: str, fraction: float) -> None:
            fractions.append(fraction)

    predict_head(predictor(config=MIRRORED), head(), Told())
    assert fractions == sorted(fractions)
    assert (fractions[0], fractions[-1]) == (0.0, 1.0)
    assert 0.5 in fractions


def test_cancelling_stops_between_chunks(tiny):
    class Stop(Silent):
        def cancelled(self) -> bool:
            return True

    with pytest.raises(Cancelled):
        predict_head(tiny, head(), Stop())


def test_a_model_for_another_task_is_refused(tiny):
    other = predictor(config={"channels": 4, "kernel": 3, "depth": 3}, network="redcnn", task="denoise-ct")
    with pytest.raises(MedEnhanceError, match="not for head CT"):
        predict_head(other, head())


def test_values_that_are_no_numbers_are_refused():
    broken = predictor()
    with torch.no_grad():
        broken.network.classifier.last.bias.fill_(float("nan"))
    with pytest.raises(MedEnhanceError, match="no numbers"):
        predict_head(broken, head())


def test_a_weights_file_carries_a_test_of_a_whole_scan(tmp_path: Path):
    torch.manual_seed(2)
    network = build("smart-net-scan", CONFIG).eval()
    stack = torch.rand(3, 1, 48, 48) * 80
    with torch.inference_mode():
        golden = spec("smart-net-scan").on_stack(network, stack)
    written = weights.save(tmp_path / "tiny.safetensors", entry(), network.state_dict(), stack, golden)
    assert weights.require_golden(tmp_path / "tiny.safetensors") < 1e-5
    loaded = Predictor.load(written, tmp_path / "tiny.safetensors", device="cpu", precision="fp32")
    assert predict_head(loaded, head()).scan_logit == predict_head(predictor(), head()).scan_logit
