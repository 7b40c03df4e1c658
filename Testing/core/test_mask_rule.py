"""Which voxels of a probability map make a mask."""

from __future__ import annotations

import numpy as np
import pytest

from medenhance.head_ct.mask_rule import MaskRule


def maps() -> np.ndarray:
    """A sure piece with a faint border, a faint piece, and one that touches the sure one at a corner alone."""
    probability = np.zeros((3, 8, 8), np.float32)
    probability[1, 1:4, 1:4] = 0.6
    probability[1, 2, 2] = 0.99
    probability[1, 6, 1:3] = 0.7
    probability[2, 4, 4] = 0.5
    return probability


def test_every_piece_counts_where_no_piece_threshold_is_given() -> None:
    assert np.array_equal(MaskRule(0.5).mask(maps()), maps() >= 0.5)


def test_faint_voxels_count_where_their_piece_has_a_sure_one() -> None:
    expected = maps() >= 0.5
    expected[1, 6] = False
    assert np.array_equal(MaskRule(0.5, 0.9).mask(maps()), expected)
    assert expected[2, 4, 4], "pieces touch at corners"


def test_nothing_is_left_where_no_voxel_is_sure() -> None:
    assert not MaskRule(0.5, 0.995).mask(maps()).any()
    assert not MaskRule(0.5, 0.9).mask(np.zeros((2, 3, 3), np.float32)).any()


def test_a_piece_threshold_at_the_threshold_asks_nothing_more() -> None:
    assert np.array_equal(MaskRule(0.7, 0.7).mask(maps()), maps() >= 0.7)


@pytest.mark.parametrize(
    ("rule", "words"), [(MaskRule(0.5), "0.5"), (MaskRule(0.5, 0.99), "0.5, in pieces that reach 0.99")]
)
def test_a_rule_says_what_it_is(rule: MaskRule, words: str) -> None:
    assert str(rule) == words
