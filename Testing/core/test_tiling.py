"""Tiling: every pixel is covered, neighbours overlap, and blending neither loses nor adds anything."""

from __future__ import annotations

import itertools

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from medenhance.tiling import blend_tiles, pad_to_multiple, ramp, starts, tiles


@given(st.integers(1, 300), st.integers(2, 96), st.data())
def test_tiles_cover_an_axis_and_share_the_overlap(length, tile, data):
    overlap = data.draw(st.integers(0, tile - 1))
    first = starts(length, tile, overlap)
    size = min(tile, length)
    assert first[0] == 0
    assert first[-1] + size == length
    assert all(a + size - b >= overlap for a, b in itertools.pairwise(first))
    assert all(a < b for a, b in itertools.pairwise(first))


def test_an_overlap_as_wide_as_the_tile_is_refused():
    with pytest.raises(ValueError, match="overlap 8"):
        starts(100, 8, 8)


@given(st.integers(5, 70), st.integers(5, 70), st.integers(4, 40), st.data())
def test_every_pixel_lies_in_a_tile(height, width, tile, data):
    overlap = data.draw(st.integers(0, tile - 1))
    seen = torch.zeros(height, width)
    for part in tiles(height, width, tile, overlap):
        seen[part.index] += 1
    assert seen.min() >= 1


def test_the_ramp_is_symmetric_positive_and_flat_in_the_middle():
    weights = ramp(10, 3)
    assert torch.allclose(weights, torch.tensor([0.25, 0.5, 0.75, 1, 1, 1, 1, 0.75, 0.5, 0.25]))


@given(st.integers(8, 60), st.integers(8, 60), st.integers(8, 32), st.data())
def test_a_pointwise_function_gives_the_same_in_tiles_as_in_one_piece(height, width, tile, data):
    overlap = data.draw(st.integers(0, tile - 1))
    image = torch.randn(2, 1, height, width, generator=torch.Generator().manual_seed(height * width))
    tiled = blend_tiles(image, lambda x: 3.0 * x, tile=tile, overlap=overlap)
    assert torch.allclose(tiled, 3.0 * image, atol=1e-5)


def test_no_change_stays_exactly_no_change():
    image = torch.randn(1, 1, 75, 53)
    assert torch.count_nonzero(blend_tiles(image, torch.zeros_like, tile=32, overlap=7)) == 0


def test_a_constant_offset_for_each_tile_blends_without_a_step():
    """Tiles that disagree must not leave a seam: the step between neighbouring pixels stays a fraction of the gap."""
    calls = iter(range(100))
    image = torch.zeros(1, 1, 16, 112)
    tiled = blend_tiles(image, lambda x: torch.full_like(x, float(next(calls) % 2)), tile=64, overlap=16)
    assert tiled.diff(dim=-1).abs().max() < 1.5 / 16


@given(st.integers(1, 40), st.integers(1, 40), st.sampled_from([1, 2, 4, 8]))
def test_padding_reaches_the_multiple_and_keeps_the_image(height, width, multiple):
    image = torch.arange(height * width, dtype=torch.float32).reshape(1, 1, height, width)
    padded = pad_to_multiple(image, multiple)
    assert padded.shape[-2] % multiple == 0
    assert padded.shape[-1] % multiple == 0
    assert padded.shape[-1] - width < multiple
    assert torch.equal(padded[..., :height, :width], image)
