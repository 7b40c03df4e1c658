"""A drawn back with a known curve, and a tiny random model for it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from medenhance.manifest import AcceptedInput

SPACING_MM = (0.4, 0.4)
# Of the largest difference of tilts; the drawn spine is one sine half-wave of midline.
SHAPE = (1000, 360)
STEP_PX, HALF_PX = 60, 55  # 24 mm a level, processes 22 mm beside the midline

TINY: dict[str, Any] = {
    "enhancer": {"widths": [4, 8], "attention": True, "attention_hidden": 0, "residual": "linear", "unshuffle": 1},
    "segmenter": {"channels": 4, "levels": 3, "pyramid_bins": [], "classes": 4, "reduce": 1.0},
}


def spine_model(**changes: Any) -> dict[str, Any]:
    """What makes an entry of the fixture `write_model` one for spines."""
    return {
        "task": "enhance-spine",
        "network": "spine",
        "config": TINY,
        "intensity": {"kind": "grey", "mean": 75.99, "sd": 84.15},
        "precisions": ("fp32",),
        "accepted": AcceptedInput("US", 1, (0.1, 0.4), (0.05, 50.0), (0.0, 255.0)),
        "trusted": None,
        **changes,
    }


def tilt_deg(row: float, amplitude_deg: float = 15.0) -> float:
    """Tilt of a level at this row: raised on the right above the middle, lowered below."""
    return -amplitude_deg * float(np.cos(np.pi * row / SHAPE[0]))


def drawn_back(seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """(image, labels), (R, C) uint8: ten thoracic levels and four lumbar ones, 30 degrees between the outermost tilts.

    Structures are dark in bright speckle; a few rows of one pixel are missing.
    """
    rng = np.random.default_rng(seed)
    rows, columns = np.mgrid[: SHAPE[0], : SHAPE[1]].astype(float)
    labels = np.zeros(SHAPE, np.uint8)
    for number in range(14):
        row = 90.0 + number * STEP_PX
        tilt = np.radians(tilt_deg(row))
        middle = SHAPE[1] / 2 + 60 * np.sin(np.pi * row / SHAPE[0])
        if number >= 10:
            along = (columns - middle) * np.cos(tilt) + (rows - row) * np.sin(tilt)
            across = (rows - row) * np.cos(tilt) - (columns - middle) * np.sin(tilt)
            labels[(along / 60) ** 2 + (across / 20) ** 2 < 1] = 3
            continue
        for side in (-1, 1):
            centre_row, centre = row + side * HALF_PX * np.sin(tilt), middle + side * HALF_PX * np.cos(tilt)
            labels[(rows - centre_row) ** 2 + (columns - centre) ** 2 < 17**2] = 2
            labels[(rows - centre_row) ** 2 / 8**2 + (columns - centre - side * 38) ** 2 / 14**2 < 1] = 1
    grey = rng.normal(170, 25, SHAPE) - 110.0 * (labels > 0)
    image = np.clip(grey, 1, 255).astype(np.uint8)
    image[:, :12] = image[:, -12:] = 0
    image[200:420:9, 60:200:3] = 0
    return image, labels


def save_png(path: Path, image: np.ndarray) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(image).save(path)
    return path
