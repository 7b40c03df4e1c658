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
        "enhanced": {"curves": [curve(angle_deg=38.5)]}, "pairs": [pair], "doubtful_levels": [], "warnings": [],
        "notice": "Ultrasound curve angles; not Cobb angles.", **changes,
    }  # fmt: skip


def addBack(scene: Any, name: str = "Volumen 体积") -> Any:
    """A 3D ultrasound of a back: I to the right, J to the feet, K to the front, in a frame that says something else."""
    depth, _row, column = np.ogrid[0:90, 0:70, 0:60]
    z = depth * 0.8 - 8
    aside = np.abs((column - 29.5) * 1.1)
    bone = 160 * np.exp(-0.5 * ((z - 28.0) / 1.2) ** 2) * ((aside > 13) & (aside < 31))
    value = (30 + 110 * np.exp(-z / 15) + bone) * np.random.default_rng(5).rayleigh(0.8, (90, 70, 60))
    array = np.rint(np.clip(np.where(z >= 0, np.maximum(value, 3), 0), 0, 255)).astype(np.uint8)
    node = filled(array, scene, name, oblique=False)
    # The rows run to the head by the volume's own directions: a tracker's frame, which the user corrects.
    node.SetIJKToRASDirections(1, 0, 0, 0, 0, -1, 0, 1, 0)
    node.SetSpacing(1.1, 0.9, 0.8)
    return node
