"""A small head CT in the scene, a mask of a bleed in it, and a report on it as the worker gives one."""

from __future__ import annotations

from typing import Any

import numpy as np
from mrml_samples import filled

SHAPE = (12, 72, 64)
SPACING_MM = (2.6, 2.7, 10.0)  # columns, rows, slices: a whole head in few voxels
POINTS = [
    {"name": "sensitive", "threshold": 0.2, "sensitivity": 0.97, "specificity": 0.8, "measured_on": "40 scans"},
    {"name": "balanced", "threshold": 0.5, "sensitivity": 0.92, "specificity": 0.93, "measured_on": "40 scans"},
    {"name": "specific", "threshold": 0.9, "sensitivity": 0.8, "specificity": 0.99, "measured_on": "40 scans"},
]
RUN = {
    "model_id": "tiny-head", "model_version": "0.1", "weights_sha256": "ab" * 32, "device": "cpu", "precision": "fp32",
    "strength": 1.0, "seconds": 1.5, "peak_memory_mb": None,
}  # fmt: skip


def headArray(seed: int = 0) -> np.ndarray:
    """(K, J, I) int16 HU: skull, brain, ventricles and a bleed in air."""
    k, j, i = np.mgrid[-1 : 1 : SHAPE[0] * 1j, -1 : 1 : SHAPE[1] * 1j, -1 : 1 : SHAPE[2] * 1j]
    size = np.sqrt(np.clip(1.0 - (k * 0.8) ** 2, 0.0, None))
    radius = np.hypot(i / 0.8, j / 0.88) / np.maximum(size, 1e-3)
    hu = np.where(radius < 1.0, 40.0, -1000.0)
    hu[(radius < 0.97) & (radius > 0.85)] = 1100.0
    hu[radius < 0.85] = 33.0
    hu[(np.hypot((np.abs(i) - 0.16) / 0.07, j / 0.3) < 1) & (np.abs(k) < 0.3)] = 7.0
    hu[maskArray() > 0] = 66.0
    noise = np.random.default_rng(seed).normal(0.0, 3.0, SHAPE)
    return np.clip(np.round(hu + noise), -1024, 3071).astype(np.int16)


def maskArray() -> np.ndarray:
    """(K, J, I) uint8: a bleed in five slices, on one side."""
    mask = np.zeros(SHAPE, np.uint8)
    mask[4:9, 28:40, 40:48] = 1
    return mask


def addHead(scene: Any, name: str = "Schädel 头 é", oblique: bool = False) -> Any:
    """A head CT: columns to the patient's left, rows to the back, slices to the head; tilted if asked."""
    node = filled(headArray(), scene, name, oblique=False)
    matrix = np.array([[-1.0, 0.0, 0.0], [0.0, -1.0, 0.0], [0.0, 0.0, 1.0]])
    if oblique:
        angle = np.radians(17.0)
        turn = np.array([[1, 0, 0], [0, np.cos(angle), -np.sin(angle)], [0, np.sin(angle), np.cos(angle)]])
        matrix = turn @ matrix
    node.SetIJKToRASDirections(*matrix.ravel())
    node.SetSpacing(*SPACING_MM)
    node.SetOrigin(83.0, 97.0, -20.25)
    node.CreateDefaultDisplayNodes()
    return node


def findings(mask: np.ndarray | None = None, **changes: Any) -> dict[str, Any]:
    """Findings of a mask; its areas and total are counted, the rest is said."""
    mask = maskArray() if mask is None else mask
    areas = np.count_nonzero(mask, axis=(1, 2)) * SPACING_MM[0] * SPACING_MM[1]
    ml = float(areas.sum() * SPACING_MM[2] / 1000.0)
    probabilities = np.where(areas > 0, 0.9, 0.05)
    probabilities[3], probabilities[8] = 0.7, 0.1
    slices = [evidence(k, float(probabilities[k]), float(areas[k])) for k in range(len(areas))]
    return {
        "run": RUN, "probability": 0.83, "suspected": True, "operating_point": POINTS[1], "operating_points": POINTS,
        "mask_rule": {"threshold": 0.5, "piece_threshold": 0.0},
        "priority": "review", "priority_reasons": ["A haemorrhage is suspected."],
        "slices": slices, "top_slices": [5, 6], "disagreements": [8, 3], "concurrence": 10 / 12,
        "scan_disagrees": False, "total": volume(ml), "left_ml": ml - 1.0, "right_ml": 1.0,
        "components": [component(ml)], "small_below_ml": 0.1, "num_small": 2, "small_ml": 0.05, "abc2_ml": ml + 0.5,
        "midsagittal": {"point_mm": [0.0, 0.0, 0.0], "normal": [1.0, 0.0, 0.0], "symmetry": 0.9},
        "midline_shift": {"mm": 3.2, "towards": "right", "slice_index": 6, "ends_mm": [[0, 0, 0], [3.2, 0, 0]]},
        "growth": None, "true_volume": None if changes.get("edited") else trueVolume(ml), "edited": False, **changes,
    }  # fmt: skip


def evidence(index: int, probability: float, area: float) -> dict[str, Any]:
    """A slice."""
    both = {(True, True): "both", (False, False): "neither", (True, False): "probability only"}
    return {
        "index": index, "number": index + 1, "center_mm": [0.0, 0.0, 10.0 * index], "thickness_mm": 10.0,
        "probability": probability, "area_mm2": area,
        "agreement": both.get((probability >= 0.5, area > 0), "mask only"),
    }  # fmt: skip


def volume(ml: float) -> dict[str, Any]:
    return {"ml": ml, "low_ml": 0.8 * ml, "high_ml": 1.2 * ml}


def trueVolume(ml: float) -> dict[str, Any]:
    return {"low_ml": 0.9 * ml, "high_ml": 1.5 * ml, "share": 0.8, "measured_on": "120 simulated scans"}


def component(ml: float) -> dict[str, Any]:
    """The only piece."""
    estimate = {
        "a_mm": 30.0, "b_mm": 20.0, "c_mm": 40.0, "ml": ml + 0.5, "irregular_ml": ml, "difference_ml": 0.5,
        "slice_index": 6, "a_ends_mm": [[0, 0, 0], [30.0, 0, 0]],
    }  # fmt: skip
    return {
        "number": 1, "volume": volume(ml), "side": "left", "left_ml": ml - 1.0, "right_ml": 1.0,
        "center_mm": [20.0, 5.0, 60.0], "slices": [4, 8], "max_diameter_mm": 48.4, "mean_hu": 66.1, "sd_hu": 3.0,
        "surface_cm2": 40.0, "irregularity": 1.3, "mean_probability": 0.8, "abc2": estimate,
    }  # fmt: skip


def report(found: dict[str, Any] | None = None, **changes: Any) -> dict[str, Any]:
    """Of "detect-hemorrhage" on a scan that was processed."""
    scan = {
        "shape": list(SHAPE), "slice_axis": 0, "num_slices": SHAPE[0], "pixel_mm": [SPACING_MM[1], SPACING_MM[0]],
        "thickness_mm": [10.0, 10.0], "gaps_mm": [10.0, 10.0], "tilt_deg": 0.0, "covered_mm": 120.0,
        "averaged_to": None, "hu_offset": 0.0,
    }  # fmt: skip
    return {
        "status": "processed", "reason": "", "source": "input.nrrd", "checks": checks(), "scan": scan,
        "findings": findings() if found is None else found, "warnings": [], "seconds": 2.0,
        "notice": "Research use only. Not for diagnosis.",
        "triage_notice": "Notification only: every scan is read in full, flagged or not.", **changes,
    }  # fmt: skip


def checks() -> list[dict[str, str]]:
    """Acceptance checks, one with a reservation."""
    tilt = "The gantry was tilted by 17 degrees."
    return [
        {"name": "modality", "outcome": "passed", "message": "CT."},
        {"name": "tilt", "outcome": "warning", "message": tilt},
    ]


def refusal(reason: str = "The series was made after a contrast agent.") -> dict[str, Any]:
    """A scan that was not processed."""
    return {**report(), "status": "not processed", "reason": reason, "findings": None}
