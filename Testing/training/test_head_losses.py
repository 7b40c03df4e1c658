"""Losses of SMART-Net against values worked out by hand (specification, 10.2)."""

from __future__ import annotations

import math

import pytest
import torch

from medenhance_training.head_losses import (
    batch_dice,
    binary_cross_entropy,
    consistency,
    dice_of_each,
    pooled_map,
    soft_dice,
)

CERTAIN = 50.0  # a logit whose probability is 1 in float32


def one_pixel(side: int = 256) -> torch.Tensor:
    found = torch.zeros(1, side, side)
    found[0, 100, 37] = 1.0
    return found


def test_one_pixel_of_a_256_slice_pools_to_a_256th_and_a_full_one_to_1():
    assert pooled_map(one_pixel()).tolist() == [1 / 256]
    assert pooled_map(torch.ones(2, 256, 256)).tolist() == [1.0, 1.0]


def test_pooling_counts_cells_and_not_pixels():
    full_cell = torch.zeros(1, 256, 256)
    full_cell[0, 16:32, 48:64] = 1.0
    assert pooled_map(full_cell).tolist() == pooled_map(one_pixel()).tolist()


@pytest.mark.parametrize(
    ("pooling", "value"),
    [
        ("gmp", 1.0),
        ("gap", 1 / 65536),
        # ((1 + 65535 * 1e-18) / 65536) ** (1 / 3)
        ("gem", (1 / 65536) ** (1 / 3)),
        # log((e^10 + 65535) / 65536) / 10
        ("lse", math.log((math.exp(10) + 65535) / 65536) / 10),
    ],
)
def test_the_alternatives_have_their_values_too(pooling, value):
    assert pooled_map(one_pixel(), pooling).item() == pytest.approx(value, rel=1e-4)


@pytest.mark.parametrize("pooling", ["max-avg", "gmp", "gap", "gem", "lse"])
def test_every_pooling_keeps_a_constant(pooling):
    assert pooled_map(torch.full((3, 64, 64), 0.3), pooling).tolist() == pytest.approx([0.3] * 3, rel=1e-4)


def test_a_cell_at_the_edge_may_be_smaller():
    assert pooled_map(torch.ones(1, 40, 24)).tolist() == [1.0]


def test_consistency_is_the_squared_distance_of_both_heads():
    masks = (one_pixel() * 2 - 1) * CERTAIN
    # CLS certain, SEG sees one cell of 256.
    assert consistency(torch.tensor([CERTAIN]), masks).item() == pytest.approx((1 - 1 / 256) ** 2, rel=1e-6)
    assert consistency(torch.tensor([CERTAIN]), masks, "gmp").item() == pytest.approx(0.0, abs=1e-9)
    assert consistency(torch.tensor([-CERTAIN]), masks).item() == pytest.approx((1 / 256) ** 2, rel=1e-6)


def test_both_heads_are_pulled():
    logit, masks = torch.zeros(1, requires_grad=True), torch.full((1, 32, 32), -3.0, requires_grad=True)
    consistency(logit, masks).backward()
    assert logit.grad is not None
    assert logit.grad.item() > 0  # down, to what SEG says
    assert masks.grad is not None
    assert masks.grad.min().item() < 0  # and SEG up


def test_the_slip_of_2024_pools_logits_and_is_not_bounded():
    masks = torch.full((1, 32, 32), 7.0)
    slipped = consistency(torch.tensor([CERTAIN]), masks, "gem", of_logits=True)
    assert slipped.item() == pytest.approx(36.0, rel=1e-4)  # (1 - 7)^2
    assert consistency(torch.tensor([CERTAIN]), masks, "gem").item() < 1e-5


def test_dice_sums_over_the_whole_batch():
    # Slice 1: 2 pixels, both found. Slice 2: 2 pixels, none found and 2 wrong ones. 1 - 2 * 2 / (4 + 4).
    target = torch.tensor([[1.0, 1.0, 0.0, 0.0], [1.0, 1.0, 0.0, 0.0]])
    logits = (torch.tensor([[1.0, 1.0, 0.0, 0.0], [0.0, 0.0, 1.0, 1.0]]) * 2 - 1) * CERTAIN
    assert batch_dice(logits, target).item() == pytest.approx(0.5, abs=1e-6)


def test_dice_of_each_weighs_a_small_bleed_like_a_large_one_and_leaves_out_samples_without():
    target = torch.tensor([[1.0, 0.0, 0.0, 0.0, 0.0], [0.0, 1.0, 1.0, 1.0, 1.0], [0.0] * 5])
    found = torch.tensor([[0.0, 0.0, 0.0, 0.0, 0.0], [0.0, 1.0, 1.0, 1.0, 1.0], [1.0, 1.0, 0.0, 0.0, 0.0]])
    logits = (2 * found - 1) * CERTAIN
    assert dice_of_each(logits, target).item() == pytest.approx(0.5, abs=1e-6)
    assert dice_of_each(logits[2:], target[2:]).item() == 0.0
    whole = 1 - 2 * 4 / (6 + 5)
    assert soft_dice(logits, target).item() == pytest.approx(whole, abs=1e-6)
    assert soft_dice(logits, target, "each").item() == pytest.approx(0.5, abs=1e-6)
    assert soft_dice(logits, target, "both").item() == pytest.approx((whole + 0.5) / 2, abs=1e-6)


def test_a_batch_without_blood_gives_0_in_2022_and_1_in_2024():
    logits, target = torch.zeros(1, 4), torch.zeros(1, 4)
    assert batch_dice(logits, target).item() == 0.0
    assert batch_dice(logits, target, skip_empty=False).item() == pytest.approx(1.0)


def test_cross_entropy_leaves_out_what_has_no_weight():
    logits, target = torch.tensor([0.0, 100.0]), torch.tensor([1.0, 0.0])
    assert binary_cross_entropy(logits, target, torch.tensor([1.0, 0.0])).item() == pytest.approx(math.log(2))
    assert binary_cross_entropy(logits, target, torch.zeros(2)).item() == 0.0
