"""Equalisation of slices: parity with OpenCV 5.0.0.93, whose results are kept in opencv_clahe.npz, and cases by hand.

OpenCV itself is no dependency: its wheels hold parts under the LGPL. The file was written by, for each shape and clip,
``cv2.createCLAHE(clip, (8, 8)).apply(noisy(shape))``.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from medenhance.head_ct.clahe import equalised, equalised_hu

OPENCV = Path(__file__).with_name("opencv_clahe.npz")
SIZES = [(64, 64), (61, 67), (64, 60), (40, 96)]


def noisy(shape, seed=0):
    rng = np.random.default_rng(seed)
    ramp = np.linspace(40, 160, shape[1])[None] + np.linspace(-30, 30, shape[0])[:, None]
    return np.clip(ramp + rng.normal(0, 12, shape), 0, 255).astype(np.uint8)


@pytest.mark.parametrize("shape", SIZES)
@pytest.mark.parametrize("clip", [2.0, 0.5, 8.0])
def test_it_is_within_two_grey_levels_of_opencv(shape, clip):
    ours = equalised(noisy(shape), clip, (8, 8)).astype(int)
    with np.load(OPENCV) as kept:
        theirs = kept[f"{shape[0]}x{shape[1]}, clip {clip}"].astype(int)
    assert np.abs(ours - theirs).max() <= 2
    assert (ours == theirs).mean() > 0.95


def test_one_tile_without_a_limit_is_plain_equalisation():
    grey = np.array([[0, 10], [10, 200]], dtype=np.uint8)
    # Shares of pixels at or below each grey: 1/4, 3/4, 4/4, times 255.
    assert equalised(grey, clip_limit=1000.0, tiles=(1, 1)).tolist() == [[64, 191], [191, 255]]


def test_a_limit_of_one_leaves_a_flat_histogram_and_so_the_image_nearly():
    grey = np.tile(np.arange(256, dtype=np.uint8), (256, 1))
    # Every grey has its equal share: the curve is the straight line from 1/256 to 1.
    expected = np.rint((np.arange(256) + 1) * 255 / 256)
    assert np.array_equal(equalised(grey, clip_limit=1.0, tiles=(1, 1))[0], expected)


def test_hu_beyond_the_window_do_not_matter_and_the_window_stays():
    hu = noisy((64, 64)).astype(np.float32)[None] / 3
    beyond = np.where(hu < 5, -1000.0, np.where(hu > 75, 900.0, hu))
    inside = np.where(hu < 5, 0.0, np.where(hu > 75, 80.0, hu))
    found = equalised_hu(beyond, (0.0, 80.0))
    assert np.array_equal(found, equalised_hu(inside, (0.0, 80.0)))
    assert found.min() >= 0.0
    assert found.max() <= 80.0
    assert found.std() > inside.std()
