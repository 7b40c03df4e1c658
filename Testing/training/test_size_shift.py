"""The size of the image: seen by a spectrum of the whole image, not by one of windows."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from medenhance import networks
from medenhance.manifest import AcceptedInput, ModelEntry, Tiling, TrustedRange
from medenhance.weights import save
from medenhance_training.benchmark.size_shift import measure_size_shift, size_shift_table
from medenhance_training.methods import ModelMethod

CONFIG = {"channels": 8, "levels": 2, "spectral": "window", "window": 8, "unshuffle": 2, "final_relu": False}


@pytest.fixture
def method(tmp_path: Path) -> ModelMethod:
    torch.manual_seed(0)
    network = networks.build("mtdgan", CONFIG).eval()
    x = torch.rand(1, 1, 16, 16)
    entry = ModelEntry(
        id="shifty",
        version="1",
        title="A network of random weights",
        task="denoise-ct",
        network="mtdgan",
        config=CONFIG,
        intensity={"kind": "scale", "scale_hu": 100.0},
        precisions=("fp32",),
        accepted=AcceptedInput("CT", 1, (0.1, 5.0), (0.1, 50.0), (-2000.0, 4000.0)),
        trusted=TrustedRange((0.0, 1.0), (0.1, 5.0), 1.0, 1.0),
        tiling=Tiling(None, 0),
        size_multiple=2,
        sampler=None,
        files=(),
        bundled=False,
        default=False,
        licence="Apache-2.0",
        intended_use="Tests.",
        limits=("Knows nothing.",),
        training_data=("None.",),
        metrics={},
        recipe="none",
        commit="none",
    )
    with torch.inference_mode():
        y = network(x)
    path = tmp_path / "shifty.safetensors"
    return ModelMethod(replace(save(path, entry, network.state_dict(), x, y)), path, device="cpu", precision="fp32")


def test_only_the_whole_images_spectrum_moves_the_mean(method: ModelMethod) -> None:
    rng = np.random.default_rng(0)
    low = np.full((256, 256), -1000.0, np.float32)
    low[24:-24, 24:-24] = rng.normal(40.0, 20.0, (208, 208))
    windowed, whole = measure_size_shift([method], low)
    assert abs(whole.mean_hu) > 10 * abs(windowed.mean_hu)
    text = size_shift_table([windowed, whole]).text()
    assert "shifty, spectrum of the whole image" in text
    assert "Research use only" in text
