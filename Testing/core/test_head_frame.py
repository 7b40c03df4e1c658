"""The frame in which networks see a head: any orientation enters it alike, and comes back to its own grid."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from medenhance.errors import MedEnhanceError
from medenhance.head_ct.frame import FrameConfig, HeadFrame
from medenhance.volume import Grid, Volume

FRAME = FrameConfig(size_px=40, pixel_mm=5.0)


def head(shape=(6, 50, 44), spacing=(4.1, 4.3, 6.0), centre=(26.0, 20.0)) -> Volume:
    """An ellipse of brain in a ring of bone, in canonical order, with something dense at its front right."""
    depth, rows, columns = np.meshgrid(*(np.arange(n) for n in shape), indexing="ij")
    radius = np.hypot((rows - centre[0]) * spacing[1] / 90, (columns - centre[1]) * spacing[0] / 70)
    hu = np.where(radius < 1, 35.0, -1000.0) + 3 * (depth * (radius < 1))
    hu[(radius > 0.9) & (radius < 1)] = 900.0
    hu[2, 14:18, 12:16] = 70.0
    return Volume(hu.astype(np.float32), Grid(spacing_mm=spacing))


def reordered(volume: Volume, axes, flips) -> Volume:
    """The same voxels in another array order, with the affine that keeps them in place."""
    array = np.transpose(volume.array, axes)
    affine = volume.grid.affine
    columns = [affine[:3, 2 - axis] for axis in axes]  # of the new D, H, W
    origin = affine[:3, 3].copy()
    for n, flip in enumerate(flips):
        if flip:
            array = np.flip(array, n)
            origin = origin + columns[n] * (array.shape[n] - 1)
            columns[n] = -columns[n]
    changed = np.eye(4)
    changed[:3, 0], changed[:3, 1], changed[:3, 2] = columns[2], columns[1], columns[0]
    changed[:3, 3] = origin
    return Volume(np.ascontiguousarray(array), Grid.from_affine(changed))


ORDERS = [
    (axes, flips)
    for axes in itertools.permutations((0, 1, 2))
    for flips in ((False,) * 3, (True, False, False), (True, True, True))
]


@pytest.mark.parametrize(("axes", "flips"), ORDERS)
def test_every_orientation_enters_alike_and_comes_back_to_its_own_grid(axes, flips):
    volume = head()
    expected = HeadFrame.of(volume, FRAME)
    turned = reordered(volume, axes, flips)
    frame = HeadFrame.of(turned, FRAME)
    assert np.allclose(frame.enter(turned.array), expected.enter(volume.array), atol=1e-2)
    values = np.random.default_rng(1).random((6, 40, 40), dtype=np.float32)
    back = reordered(volume.with_array(expected.leave(values)), axes, flips)
    assert np.allclose(frame.leave(values), back.array, atol=1e-5)


def test_slices_come_back_in_the_order_of_the_volume():
    volume = head()
    upside_down = reordered(volume, (0, 1, 2), (True, False, False))
    along = np.arange(6.0)
    assert HeadFrame.of(volume, FRAME).leave_slices(along).tolist() == [0, 1, 2, 3, 4, 5]
    assert HeadFrame.of(upside_down, FRAME).leave_slices(along).tolist() == [5, 4, 3, 2, 1, 0]


@pytest.mark.parametrize("centre", [(26.0, 20.0), (20.0, 26.0)])
def test_the_head_stands_in_the_middle_wherever_it_was(centre):
    framed = HeadFrame.of(head(centre=centre), FRAME).enter(head(centre=centre).array)
    rows, columns = np.nonzero(framed[4] > -300)
    assert abs((rows.min() + rows.max()) / 2 - 19.5) <= 1.0
    assert abs((columns.min() + columns.max()) / 2 - 19.5) <= 1.0


def test_a_table_that_touches_the_head_does_not_move_it():
    plain, with_table = head(), head()
    with_table.array[:, 46:47, :] = 200.0
    with_table.array[:, 40:46, 20:21] = 200.0
    frames = [HeadFrame.of(one, FRAME) for one in (plain, with_table)]
    assert np.array_equal(frames[0].rows, frames[1].rows)


def test_density_is_kept_and_outside_is_air():
    volume = head()
    framed = HeadFrame.of(volume, FRAME).enter(volume.array)
    assert framed[0, 20, 20] == pytest.approx(35.0, abs=1e-3)
    assert framed[0, 0, 0] == -1000.0
    assert framed.shape == (6, 40, 40)


def test_the_volume_of_a_mask_is_kept_both_ways():
    volume = head()
    mask = np.zeros(volume.array.shape, bool)
    mask[1:4, 18:30, 12:24] = True
    frame = HeadFrame.of(volume, FRAME)
    share = frame.enter_share(mask)
    assert share.sum() * 25.0 == pytest.approx(mask.sum() * 4.1 * 4.3, rel=0.02)
    assert frame.leave(share).sum() == pytest.approx(mask.sum(), rel=0.03)


def test_the_paper_s_frame_takes_the_whole_image_and_stretches_it():
    volume = head(shape=(3, 64, 32))
    frame = HeadFrame.of(volume, FrameConfig(size_px=32, pixel_mm=None))
    framed = frame.enter(volume.array)
    assert framed.shape == (3, 32, 32)
    assert np.allclose(framed.mean(), volume.array.mean(), atol=10)
    assert np.allclose(frame.leave(np.ones((3, 32, 32))), 1.0)


def test_a_long_step_averages_instead_of_skipping():
    fine = np.zeros((1, 400, 400), np.float32)
    fine[0, ::2] = 100.0
    framed = HeadFrame.of(Volume(fine, Grid(spacing_mm=(0.5, 0.5, 5.0))), FrameConfig(40, 5.0)).enter(fine)
    assert np.abs(framed[0, 5:-5, 5:-5] - 50.0).max() < 1.0


def test_air_has_no_head():
    with pytest.raises(MedEnhanceError, match="No head"):
        HeadFrame.of(Volume(np.full((3, 20, 20), -1000.0, np.float32)), FRAME)
