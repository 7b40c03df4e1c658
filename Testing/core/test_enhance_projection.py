"""A joint network over a projection: the scan alone changes, tiles agree with the whole, bad input is refused."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from medenhance.enhance_projection import enhance_projection
from medenhance.errors import MedEnhanceError
from medenhance.manifest import ModelEntry
from medenhance.networks import build, spec
from medenhance.predict import Predictor

CONFIG = {
    "enhancer": {"widths": [4, 8]},
    "segmenter": {
        "stem": 4, "widths": [4, 8], "blocks": [1, 1], "block": "basic", "pyramid": 4, "head": 4, "reduce": 1.0,
    },
}  # fmt: skip


@pytest.fixture
def spine_entry(entry: ModelEntry) -> ModelEntry:
    return replace(
        entry, network="spine", config=CONFIG, intensity={"kind": "grey"}, task="enhance-spine", trusted=None,
        size_multiple=1,
    )  # fmt: skip


@pytest.fixture
def predictor(spine_entry: ModelEntry) -> Predictor:
    return loaded(spine_entry)


def loaded(described: ModelEntry) -> Predictor:
    torch.manual_seed(2)
    return Predictor(described, build("spine", CONFIG))


@pytest.fixture
def image() -> np.ndarray:
    grey = np.random.default_rng(0).integers(60, 200, (90, 70)).astype(np.uint8)
    grey[:, :15] = grey[:, 60:] = 0
    grey[40, 20:30] = 0  # a gap inside the scan
    return grey


def test_the_network_works_inside_the_scan_alone_gaps_included(predictor, image):
    found = enhance_projection(predictor, image)
    assert (found.image.dtype, found.labels.dtype) == (np.uint8, np.uint8)
    outside = ~found.scan
    assert outside[:, :12].all()
    assert found.scan[40, 22:28].all()
    assert np.array_equal(found.image[outside], image[outside])
    assert (found.labels[outside] == 0).all()
    assert (found.probabilities[0, 40, 22:28] < 1).all()
    assert (found.image != image)[found.scan].any()
    assert np.allclose(found.probabilities.sum(axis=0), 1.0, atol=1e-5)


def test_tiles_give_nearly_the_whole_s_result(spine_entry, image):
    whole = loaded(replace(spine_entry, tiling=replace(spine_entry.tiling, tile=None)))
    small = image.repeat(2, axis=0).repeat(2, axis=1)
    tiled = loaded(replace(spine_entry, tiling=replace(spine_entry.tiling, tile=128, overlap=64)))
    a, b = (one.restore_and_classify(small) for one in (whole, tiled))
    assert a[1].shape == b[1].shape == (4, 180, 140)
    assert np.abs(a[0].astype(int) - b[0]).max() <= 1
    assert np.abs(a[1] - b[1]).mean() < 0.01


@pytest.mark.parametrize(
    ("bad", "what"),
    [
        (np.zeros((90, 70, 3), np.uint8), "colour"),
        (np.zeros((90, 70), np.uint8), "empty"),
        (np.ones((90, 70), np.float32), "float32"),
        (np.ones((9, 7), np.uint8), "too small"),
    ],
)
def test_what_is_no_projection_is_refused(predictor, bad, what):
    with pytest.raises(MedEnhanceError, match=what):
        enhance_projection(predictor, bad)


def test_a_denoiser_does_not_segment(entry, image):
    torch.manual_seed(0)
    config = {"channels": 4, "kernel": 3, "depth": 3, "padding": "same", "final_relu": False}
    described = replace(entry, network="redcnn", config=config, intensity={"kind": "scale"}, size_multiple=1)
    with pytest.raises(MedEnhanceError, match="does not segment"):
        Predictor(described, build("redcnn", config)).restore_and_classify(image)
    assert spec("redcnn").classes(config) == 0
