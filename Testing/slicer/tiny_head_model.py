"""Adds a tiny random model for head CT to a cache: ``python tiny_head_model.py CACHE``, a process that loads torch."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

MODEL = "tiny-head"


def addTo(cache: Path) -> str:
    """Add the model to the cache; returns its id."""
    subprocess.run([sys.executable, __file__, str(cache)], check=True, capture_output=True)
    return MODEL


def main(cache: Path) -> None:
    import torch

    from medenhance import networks
    from medenhance.added_models import add_model
    from medenhance.head_ct.calibration import Calibration, OperatingPoint
    from medenhance.head_ct.mask_rule import MaskRule
    from medenhance.manifest import AcceptedInput, ModelEntry, Tiling, WeightsFile
    from medenhance.weights import save

    config = {
        "input": {
            "frame": {"size_px": 64, "pixel_mm": 4.0}, "clahe": False, "windows_hu": [[0.0, 80.0]], "neighbours": 1,
            "unshuffle": 2,
        },
        "encoder": {
            "width": 4, "expansion": 2, "blocks": [1, 1, 1, 1], "stem_kernel": 3, "stem_stride": 1, "stem_pool": True,
        },
        "decoder": {"widths": [8, 8, 8, 8, 8], "attention": "last"},
        "pool": ["mean", "max"], "lstm_hidden": 8, "lstm_layers": 1, "hidden": 8, "slice_head": True, "evidence": True,
    }  # fmt: skip
    points = (
        OperatingPoint("sensitive", 0.001, 0.9, 0.5, "nothing"),
        OperatingPoint("specific", 0.999, 0.5, 0.9, "nothing"),
    )
    entry = ModelEntry(
        id=MODEL, version="0.1", title="Tiny random model", task="detect-hemorrhage", network="smart-net-scan",
        config=config,
        intensity={"kind": "scale", "center_hu": 0.0, "scale_hu": 1.0, "clip_hu": [-1024.0, 3071.0]},
        precisions=("fp32",), accepted=AcceptedInput("CT", 1, (0.2, 4.0), (0.3, 12.0), (-32768.0, 65535.0)),
        trusted=None, tiling=Tiling(None, 64), size_multiple=1, sampler=None,
        files=(WeightsFile(f"{MODEL}.safetensors", (), "0a" * 32, 1),), bundled=False, default=False,
        licence="Apache-2.0", intended_use="Tests.", limits=("Knows nothing.",), training_data=("None.",),
        metrics={"AUC": 0.5}, recipe="none", commit="0123abc",
        calibration=Calibration(1.0, 0.0, points, MaskRule(0.509)),
    )  # fmt: skip
    torch.manual_seed(0)
    network = networks.build(entry.network, entry.config).eval()
    spec = networks.NETWORKS[entry.network]
    x = 40.0 * torch.rand(3, 1, 64, 64)
    with torch.inference_mode():
        y = spec.on_stack(network, x)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"{MODEL}.safetensors"
        save(path, entry, network.state_dict(), x, y)
        add_model(path, cache)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
