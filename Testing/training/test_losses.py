"""Every loss against numbers worked out by hand, or by an independent library."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.ndimage import correlate

from medenhance_training import losses


def image(*rows: list[float]) -> torch.Tensor:
    return torch.tensor(rows)[None, None]


PREDICTION, TARGET = image([1.0, 2.0], [3.0, 5.0]), image([1.0, 0.0], [4.0, 8.0])  # differences 0, 2, -1, -3


def test_mean_squared_error() -> None:
    assert losses.mean_squared_error(PREDICTION, TARGET).item() == pytest.approx((0 + 4 + 1 + 9) / 4)


def test_mean_absolute_error() -> None:
    assert losses.mean_absolute_error(PREDICTION, TARGET).item() == pytest.approx((0 + 2 + 1 + 3) / 4)


def test_root_mean_square_takes_the_root_of_each_sample_and_weighs_its_pixels() -> None:
    prediction, target = PREDICTION.repeat(2, 1, 1, 1), torch.cat([TARGET, PREDICTION])
    weight = image([1.0, 1.0], [0.5, 0.0]).repeat(2, 1, 1, 1)
    expected = (math.sqrt((4.0 + 0.5) / 4 + 0.09) + 0.3) / 2
    assert losses.root_mean_square(prediction, target, weight, epsilon=0.3).item() == pytest.approx(expected)


def test_charbonnier_of_equal_images_is_epsilon() -> None:
    assert losses.charbonnier(TARGET, TARGET).item() == pytest.approx(1e-3)


def test_charbonnier_rounds_the_tip_of_the_absolute_value() -> None:
    expected = (1.0 + math.sqrt(5.0) + math.sqrt(2.0) + math.sqrt(10.0)) / 4
    assert losses.charbonnier(PREDICTION, TARGET, epsilon=1.0).item() == pytest.approx(expected)


def test_laplacian_detail_follows_burt_and_adelson() -> None:
    picture = np.random.default_rng(0).normal(size=(12, 9))
    taps = np.array([0.05, 0.25, 0.4, 0.25, 0.05])
    kernel = np.outer(taps, taps)
    reduced = correlate(picture, kernel, mode="nearest")[::2, ::2]
    expanded = np.zeros_like(picture)
    expanded[::2, ::2] = 4.0 * reduced
    expected = picture - correlate(expanded, kernel, mode="nearest")
    found = losses.laplacian_detail(torch.from_numpy(picture)[None, None])[0, 0]
    np.testing.assert_allclose(found.numpy(), expected, atol=1e-12)


def test_laplacian_detail_of_a_flat_image_is_nothing_away_from_its_rim() -> None:
    detail = losses.laplacian_detail(torch.full((1, 1, 16, 16), 7.0))
    torch.testing.assert_close(detail[..., 4:-4, 4:-4], torch.zeros(1, 1, 8, 8), atol=1e-5, rtol=0)


def test_edge_loss_is_the_charbonnier_distance_of_the_two_laplacian_images() -> None:
    a, b = torch.randn(2, 1, 16, 16), torch.randn(2, 1, 16, 16)
    expected = losses.charbonnier(losses.laplacian_detail(a), losses.laplacian_detail(b))
    assert losses.edge(a, b).item() == pytest.approx(expected.item(), rel=1e-5)


def test_least_squares_gan() -> None:
    assert losses.least_squares(torch.tensor([1.0, 3.0]), 1.0).item() == pytest.approx(2.0)
    assert losses.least_squares(torch.tensor([1.0, 3.0]), 0.0).item() == pytest.approx(5.0)


def test_mask_is_one_where_low_and_normal_dose_differ() -> None:
    mask = losses.difference_mask(image([0.0, 1.0], [0.5, 0.2]), image([0.0, 1.0], [0.4, 0.3]))
    assert mask.tolist() == image([0.0, 0.0], [1.0, 1.0]).tolist()


def test_suppressed_pixels_do_not_count_but_still_divide() -> None:
    scores, mask = image([9.0, 9.0], [3.0, 1.0]), image([0.0, 0.0], [1.0, 1.0])
    assert losses.non_difference_suppressed(scores, 1.0, mask, "pixels").item() == pytest.approx(4.0 / 4)


def test_mean_over_the_mask_of_each_patch() -> None:
    scores, mask = image([9.0, 9.0], [3.0, 1.0]), image([0.0, 0.0], [1.0, 1.0])
    assert losses.non_difference_suppressed(scores, 1.0, mask, "mask").item() == pytest.approx(4.0 / 2)


def test_a_patch_without_any_difference_is_no_loss_and_no_nan() -> None:
    scores = image([9.0, 9.0], [3.0, 1.0]).requires_grad_()
    loss = losses.non_difference_suppressed(scores, 1.0, torch.zeros(1, 1, 2, 2), "mask")
    loss.backward()
    assert loss.item() == 0.0
    assert scores.grad is not None
    assert torch.count_nonzero(scores.grad) == 0


def test_consistency_of_the_thesis_is_the_mean_norm() -> None:
    first, second = torch.tensor([[3.0, 4.0], [1.0, 1.0]]), torch.tensor([[0.0, 0.0], [1.0, 3.0]])
    assert losses.consistency_thesis(first, second).item() == pytest.approx((5.0 + 2.0) / 2)


def test_consistency_of_the_thesis_has_a_finite_gradient_where_it_is_zero() -> None:
    first = torch.ones(2, 3, requires_grad=True)
    losses.consistency_thesis(first, torch.ones(2, 3)).backward()
    assert first.grad is not None
    assert torch.isfinite(first.grad).all()


def test_released_consistency_is_the_mean_square_and_reaches_both_sides() -> None:
    first = torch.tensor([[3.0, 4.0]], requires_grad=True)
    second = torch.tensor([[0.0, 0.0]], requires_grad=True)
    loss = losses.consistency_released(first, second)
    loss.backward()
    assert loss.item() == pytest.approx(12.5)
    assert first.grad is not None
    assert second.grad is not None
    assert first.grad.tolist() == [[3.0, 4.0]]
    assert second.grad.tolist() == [[-3.0, -4.0]]


LOSSES = {
    "mse": losses.mean_squared_error,
    "l1": losses.mean_absolute_error,
    "charbonnier": losses.charbonnier,
    "edge": losses.edge,
    "consistency, thesis": losses.consistency_thesis,
    "consistency, released": losses.consistency_released,
}


@pytest.mark.parametrize("name", LOSSES)
@settings(deadline=None, max_examples=25)
@given(seed=st.integers(0, 2**31))
def test_loss_of_a_batch_is_the_mean_of_the_losses_of_its_halves(name: str, seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    a, b = torch.randn(2, 4, 1, 6, 6, generator=generator, dtype=torch.float64)
    halves = (LOSSES[name](a[:2], b[:2]) + LOSSES[name](a[2:], b[2:])) / 2
    torch.testing.assert_close(LOSSES[name](a, b), halves)


@settings(deadline=None, max_examples=25)
@given(seed=st.integers(0, 2**31), over=st.sampled_from(["pixels", "mask"]))
def test_suppressed_loss_of_a_batch_is_the_mean_of_its_halves(seed: int, over: str) -> None:
    generator = torch.Generator().manual_seed(seed)
    scores = torch.randn(4, 1, 5, 5, generator=generator, dtype=torch.float64)
    mask = (torch.rand(4, 1, 5, 5, generator=generator) > 0.6).double()

    def loss(part: slice) -> torch.Tensor:
        return losses.non_difference_suppressed(scores[part], 1.0, mask[part], over)  # type: ignore[arg-type]

    torch.testing.assert_close(loss(slice(4)), (loss(slice(2)) + loss(slice(2, 4))) / 2)
