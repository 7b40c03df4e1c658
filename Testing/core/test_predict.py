"""Prediction: nothing changes that the network does not change, and memory, tiles and types do not show."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from torch import nn

from medenhance import devices
from medenhance.errors import Cancelled, MedEnhanceError
from medenhance.manifest import Tiling
from medenhance.networks import build
from medenhance.predict import Predictor
from medenhance.progress import Silent

WINDOW = {"kind": "window", "lo_hu": -160.0, "hi_hu": 240.0}


class Shift(nn.Module):
    """Adds a constant, in network units; has a weight so that it can be moved and cast."""

    def __init__(self, by: float) -> None:
        super().__init__()
        self.by = nn.Parameter(torch.tensor(by))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x + self.by.float()


class Recorder(Silent):
    """Keeps what it is told; asks to stop after `limit` reports."""

    def __init__(self, limit: int = 10**9) -> None:
        self.fractions: list[float] = []
        self.warnings: list[str] = []
        self.limit = limit

    def update(self, stage, fraction):
        self.fractions.append(fraction)

    def warn(self, message):
        self.warnings.append(message)

    def cancelled(self):
        return len(self.fractions) >= self.limit


@pytest.fixture
def noise() -> np.ndarray:
    return np.random.default_rng(0).normal(0.0, 150.0, (3, 37, 51)).astype(np.float32)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    dtype=st.sampled_from([np.int16, np.uint16, np.int32, np.float32, np.float64]),
    intensity=st.sampled_from([WINDOW, {"kind": "scale"}, {"kind": "scale", "center_hu": -1024.0, "scale_hu": 4096.0}]),
    tiling=st.sampled_from([Tiling(None, 0), Tiling(16, 5), Tiling(64, 16)]),
    precision=st.sampled_from(["fp32", "bf16"]),
    strength=st.sampled_from([0.0, 0.3, 1.0]),
)
def test_a_network_that_returns_its_input_gives_back_every_voxel(entry, dtype, intensity, tiling, precision, strength):
    generator = np.random.default_rng(1)
    array = generator.uniform(0 if dtype == np.uint16 else -3500, 4500, (2, 21, 34)).astype(dtype)
    predictor = Predictor(replace(entry, intensity=intensity, tiling=tiling), Shift(0.0), precision=precision)
    out = predictor.restore(array, strength=strength, padding_below=-1500.0)
    assert out.dtype == array.dtype
    assert np.array_equal(out, array)


def test_strength_blends_input_and_output(entry, noise):
    predictor = Predictor(entry, Shift(0.05))
    full = predictor.restore(noise)
    assert np.allclose(full - noise, 50.0, atol=1e-3)
    assert np.allclose(predictor.restore(noise, strength=0.4) - noise, 20.0, atol=1e-3)
    assert np.array_equal(predictor.restore(noise, strength=0.0), noise)


def test_a_windowed_network_touches_its_window_alone_and_leaves_no_seam(entry):
    hu = np.arange(-300.0, 400.0, 0.5, dtype=np.float32).reshape(1, 1, -1).repeat(8, axis=1)
    out = Predictor(replace(entry, intensity=WINDOW), Shift(0.1)).restore(hu)
    outside = (hu <= -160.0) | (hu >= 240.0)
    assert np.array_equal(out[outside], hu[outside])
    assert np.allclose((out - hu)[(hu > -130.0) & (hu < 210.0)], 40.0, atol=1e-3)
    steps = np.diff(out[0, 0])
    # The change of 40 HU fades in over 20 HU: at most 1.5 * 40 / 20 HU for each HU, here for each half.
    assert np.abs(steps - 0.5).max() <= 1.5 * 40.0 / 20.0 * 0.5 + 1e-3


def test_padding_is_left_alone(entry, noise):
    noise[:, :5] = -2000.0
    noise[:, 5:8] = -1500.0
    out = Predictor(replace(entry, intensity={"kind": "scale", "clip_hu": [-3000.0, 3000.0]}), Shift(0.05)).restore(
        noise, padding_below=-1500.0
    )
    assert np.array_equal(out[:, :8], noise[:, :8])
    assert np.allclose((out - noise)[:, 8:], 50.0, atol=1e-3)


def test_integers_are_rounded_not_truncated_and_kept_in_range(entry):
    array = np.array([[[10, -10, 3070, 100] * 2] * 8], dtype=np.int16)
    out = Predictor(entry, Shift(0.0017)).restore(array)
    assert out[0, 0, :4].tolist() == [12, -8, 3072, 102]
    tiny = np.full((1, 8, 8), 250, dtype=np.uint8)
    assert Predictor(entry, Shift(0.05)).restore(tiny).max() == 255


@given(
    change_hu=st.floats(-30.0, 30.0, width=32),
    hu=st.lists(st.integers(-1000, 3000), min_size=64, max_size=64),
)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_the_same_whole_numbers_give_the_same_in_every_type(entry, change_hu, hu):
    """A study is float32 when it comes from DICOM and of the file's type when it comes from NRRD."""
    predictor = Predictor(entry, Shift(change_hu / 1000.0))
    array = np.reshape(hu, (1, 8, 8))
    expected = predictor.restore(array.astype(np.int16))
    for dtype in (np.int32, np.int64, np.float32, np.float64):
        out = predictor.restore(array.astype(dtype), whole_numbers=True)
        assert out.dtype == dtype
        assert np.array_equal(out, expected)


def test_single_precision_does_not_round_twice(entry):
    """-1000 + (7.5 less a little) is nearer to -993, but -992.5 in single precision, which would go to -992."""
    array = np.full((1, 8, 8), -1000.0, np.float32)
    change = np.nextafter(np.float32(7.5), np.float32(0))
    assert np.float32(-1000) + change == np.float32(-992.5)
    exact = replace(entry, intensity={"kind": "scale", "center_hu": -1000.0, "scale_hu": 1.0})
    out = Predictor(exact, Shift(float(change))).restore(array, whole_numbers=True)
    assert np.unique(out).tolist() == [-993.0]


def test_tiles_give_what_whole_slices_give(entry):
    """With an overlap wider than the field of view only rounding differs inside; blending hides what is left."""
    torch.manual_seed(0)
    network = build(entry.network, entry.config)
    array = np.random.default_rng(2).normal(40.0, 30.0, (1, 96, 120)).astype(np.float32)
    whole = Predictor(replace(entry, tiling=Tiling(None, 0)), network).restore(array)
    tiled = Predictor(replace(entry, tiling=Tiling(64, 32)), network).restore(array)
    change = np.sqrt(np.mean((whole - array) ** 2))
    assert np.sqrt(np.mean((tiled - whole) ** 2)) < 0.05 * change


def test_the_result_may_overwrite_the_input(entry, noise):
    expected = Predictor(entry, Shift(0.05)).restore(noise)
    assert np.array_equal(Predictor(entry, Shift(0.05)).restore(noise, out=noise), expected)


def test_short_memory_makes_tiles_and_says_so(entry, monkeypatch):
    monkeypatch.setattr(devices, "free_memory_bytes", lambda device: 2_000_000)
    progress = Recorder()
    array = np.zeros((1, 160, 200), dtype=np.float32)
    predictor = Predictor(replace(entry, tiling=Tiling(None, 16)), build(entry.network, entry.config))
    predictor.restore(array, progress=progress)
    assert "tiles of 64 x 64" in progress.warnings[0]


def test_running_out_of_memory_halves_the_tile_and_goes_on(entry, noise):
    class Greedy(Shift):
        def forward(self, x):
            if x.shape[-1] > 64:
                raise RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory: you tried ...")
            return super().forward(x)

    progress = Recorder()
    array = np.zeros((1, 200, 260), dtype=np.float32)
    out = Predictor(replace(entry, tiling=Tiling(None, 16)), Greedy(0.05)).restore(array, progress=progress)
    assert np.allclose(out, 50.0, atol=1e-3)
    assert "going on in tiles of 64 x 64" in progress.warnings[-1]


def test_when_no_tile_fits_the_error_says_so(entry, noise):
    class Hopeless(Shift):
        def forward(self, x):
            raise MemoryError

    with pytest.raises(MedEnhanceError, match="does not fit into memory") as caught:
        Predictor(entry, Hopeless(0.0)).restore(noise)
    assert caught.value.kind == "out-of-memory"


def test_other_failures_of_a_network_are_not_taken_for_memory(entry, noise):
    class Broken(Shift):
        def forward(self, x):
            raise RuntimeError("shapes do not match")

    with pytest.raises(RuntimeError, match="shapes"):
        Predictor(entry, Broken(0.0)).restore(noise)


def test_values_that_are_no_numbers_are_refused(entry, noise):
    with pytest.raises(MedEnhanceError, match="no numbers"):
        Predictor(entry, Shift(float("nan"))).restore(noise)


def test_cancel_stops_between_slices(entry, noise):
    with pytest.raises(Cancelled):
        Predictor(entry, Shift(0.0)).restore(noise, progress=Recorder(limit=2))


def test_progress_rises_to_one(entry, noise):
    progress = Recorder()
    Predictor(entry, Shift(0.0)).restore(noise, progress=progress)
    assert progress.fractions == sorted(progress.fractions)
    assert progress.fractions[-1] == 1.0


@pytest.mark.parametrize("strength", [-0.1, 2.0, float("nan")])
def test_a_strength_outside_zero_to_one_is_refused(entry, noise, strength):
    with pytest.raises(MedEnhanceError, match="strength"):
        Predictor(entry, Shift(0.0)).restore(noise, strength=strength)


def test_slices_smaller_than_the_network_needs_are_refused(entry):
    with pytest.raises(MedEnhanceError, match="too small"):
        Predictor(replace(entry, config={"channels": 4, "kernel": 5, "depth": 5}), Shift(0.0)).restore(
            np.zeros((1, 10, 40), dtype=np.float32)
        )


def test_the_same_input_gives_the_same_bytes_twice(entry, noise):
    network = build(entry.network, entry.config)
    first = Predictor(entry, network, precision="bf16").restore(noise)
    assert first.tobytes() == Predictor(entry, network, precision="bf16").restore(noise).tobytes()
