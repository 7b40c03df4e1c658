"""Adds a tiny random model for spines to a cache: ``python tiny_spine_model.py CACHE``, a process that loads torch."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

MODEL = "tiny-spine"


def addTo(cache: Path) -> str:
    """Add the model to the cache; returns its id."""
    subprocess.run([sys.executable, __file__, str(cache)], check=True, capture_output=True)
    return MODEL


def main(cache: Path) -> None:
    import torch

    from medenhance import networks
    from medenhance.added_models import add_model
    from medenhance.manifest import AcceptedInput, ModelEntry, Tiling, WeightsFile
    from medenhance.weights import save

    enhancer = {"widths": [4, 8], "attention": True, "attention_hidden": 0, "residual": "linear", "unshuffle": 1}
    segmenter = {"channels": 4, "levels": 3, "pyramid_bins": [], "classes": 4, "reduce": 1.0}
    entry = ModelEntry(
        id=MODEL, version="0.1", title="Tiny random model", task="enhance-spine", network="spine",
        config={"enhancer": enhancer, "segmenter": segmenter},
        intensity={"kind": "grey", "mean": 75.99, "sd": 84.15}, precisions=("fp32",),
        accepted=AcceptedInput("US", 1, (0.1, 0.45), (0.05, 50.0), (0.0, 255.0)), trusted=None,
        tiling=Tiling(None, 64), size_multiple=2, sampler=None,
        files=(WeightsFile(f"{MODEL}.safetensors", (), "0a" * 32, 1),), bundled=False, default=False,
        licence="Apache-2.0", intended_use="Tests.", limits=("Knows nothing.",), training_data=("None.",),
        metrics={"Dice, percent": 1.5}, recipe="none", commit="0123abc",
    )  # fmt: skip
    torch.manual_seed(0)
    network = networks.build(entry.network, entry.config).eval()
    x = torch.rand(1, 1, 16, 24)
    with torch.inference_mode():
        y = network(x)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"{MODEL}.safetensors"
        save(path, entry, network.state_dict(), x, y)
        add_model(path, cache)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
