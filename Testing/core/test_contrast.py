"""SNR, CNR and gCNR against values worked out by hand, in regions that are named."""

from __future__ import annotations

import numpy as np
import pytest

from medenhance.errors import MedEnhanceError
from medenhance.measure.contrast import contrast, regions


def two_regions() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """A spine of grey 51 and 102 (0.2 and 0.4), tissue of 153 and 204 (0.6 and 0.8), half each."""
    image = np.zeros((10, 40), np.float32)
    image[:, :10], image[:, 10:20], image[:, 20:30], image[:, 30:] = 51, 102, 153, 204
    columns = np.broadcast_to(np.arange(40) < 20, image.shape)
    return image, columns, ~columns


def test_decibels_by_hand() -> None:
    found = contrast(*two_regions(), "user")
    assert found.snr_db == pytest.approx(20 * np.log10((1 - 0.3) / 0.1))
    assert found.cnr_db == pytest.approx(20 * np.log10(0.4 / np.sqrt(0.01 + 0.01)))
    assert found.gcnr == 1
    assert (found.num_signal, found.num_background, found.policy) == (200, 200, "user")


def test_gcnr_is_the_share_that_does_not_overlap_and_no_stretch_raises_it() -> None:
    image, spine, tissue = two_regions()
    image[:, 30:] = 51  # half of the tissue is as dark as half of the spine
    plain = contrast(image, spine, tissue, "user")
    assert plain.gcnr == pytest.approx(0.5)
    stretched = contrast(255 * (image / 255) ** 3, spine, tissue, "user")
    assert stretched.gcnr == pytest.approx(0.5)
    assert stretched.cnr_db != plain.cnr_db


def test_regions_follow_their_policy() -> None:
    image, spine, _ = two_regions()
    image[0] = 0  # outside the scan
    signal, background = regions(image, spine, "mask")
    assert signal.sum() == background.sum() == 9 * 20
    image[1, :20] = 250  # marked as spine, but bright
    signal, background = regions(image, spine, "mask_dark_vs_tissue_bright")
    assert not signal[1].any()
    assert signal[2, :10].all()
    assert background[5, 30:].all()


def test_uniform_and_empty_regions() -> None:
    image = np.full((20, 20), 100.0)
    left = np.broadcast_to(np.arange(20) < 10, image.shape)
    found = contrast(image, left, ~left, "user")
    assert (found.snr_db, found.cnr_db, found.gcnr) == (None, None, 0)
    with pytest.raises(MedEnhanceError, match="spine has 0 pixels"):
        contrast(image, np.zeros_like(left), ~left, "user")
    with pytest.raises(ValueError, match="user"):
        regions(image, left, "user")
