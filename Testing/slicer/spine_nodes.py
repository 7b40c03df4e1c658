"""A coronal projection in the scene, and a report on it as the worker gives one."""

from __future__ import annotations

from typing import Any

import numpy as np
from mrml_samples import filled

SPACING_MM = (0.4, 0.3)  # rows, columns


def addProjection(scene: Any, name: str = "Rücken 背部", turned: bool = False) -> Any:
    """A slice of noise with a dark rim: rows to the feet, columns to the patient's right; tilted a little if asked."""
    image = np.random.default_rng(0).integers(60, 200, (1, 220, 120), dtype=np.uint8)
    image[:, :, :8] = image[:, :, -8:] = 0
    node = filled(image, scene, name, oblique=False)
    # RAS: columns to the right (+R), rows to the feet (-S), the slice to the front (+A).
    matrix = np.array([[1.0, 0.0, 0.0], [0.0, 0.0, 1.0], [0.0, -1.0, 0.0]])
    if turned:
        angle = np.radians(11.0)
        turn = np.array([[np.cos(angle), -np.sin(angle), 0], [np.sin(angle), np.cos(angle), 0], [0, 0, 1]])
        matrix = turn @ matrix
    node.SetIJKToRASDirections(*matrix.ravel())
    node.SetSpacing(SPACING_MM[1], SPACING_MM[0], 10.0)
    node.SetOrigin(-30.0, 12.5, 420.25)
    return node


def curve(**changes: Any) -> dict[str, Any]:
    """A curve of 40 degrees: the upper line is level, the lower one falls to the right by 40 degrees."""
    fall = 60 * SPACING_MM[1] * np.tan(np.radians(40.0)) / SPACING_MM[0]
    return {
        "upper": "T5",
        "lower": "T11",
        "apex": "T8",
        "angle_deg": 40.0,
        "interval_deg": [37.0, 43.0],
        "side": "right",
        "kind": "thoracic",
        "supported": True,
        "lines": [
            {"level": "T5", "left": [40.0, 30.0], "right": [40.0, 90.0]},
            {"level": "T11", "left": [150.0, 30.0], "right": [150.0 + float(fall), 90.0]},
        ],
        **changes,
    }


def report(**changes: Any) -> dict[str, Any]:
    """Of "enhance-spine", with one curve in both images."""
    run = {
        "model_id": "tiny-spine", "model_version": "0.1", "weights_sha256": "ab" * 32, "strength": 1.0,
        "precision": "fp32", "device": "cpu", "seconds": 1.5, "peak_memory_mb": None,
    }  # fmt: skip
    pair = {"original": curve(), "enhanced": curve(angle_deg=38.5), "difference_deg": -1.5}
    done = {"changed_share": 0.1, "generated_share": 0.038, "threshold_grey": 8}
    return {
        "run": run, "spacing_mm": list(SPACING_MM), "changes": done, "original": {"curves": [curve()]},
        "enhanced": {"curves": [curve(angle_deg=38.5)]}, "pairs": [pair], "warnings": [],
        "notice": "Ultrasound curve angles; not Cobb angles.", **changes,
    }  # fmt: skip
