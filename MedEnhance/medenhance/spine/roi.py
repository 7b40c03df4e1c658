"""The region of interest that a person sets in Slicer: a box whose axes are the patient's."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from medenhance.errors import MedEnhanceError
from medenhance.volume import Vector


@dataclass(frozen=True)
class Roi:
    """A box whose axes run to the patient's right, front and head.

    Attributes:
        center_mm: LPS.
        axes: (3, 3), columns: the LPS unit vectors to right, front and head.
        size_mm: Along these.
    """

    center_mm: Vector
    axes: np.ndarray
    size_mm: Vector


def read_roi(path: Path) -> Roi:
    """Read a region of interest that Slicer saved (.mrk.json).

    Raises:
        MedEnhanceError: input-missing, input-unreadable.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise MedEnhanceError(
            "input-missing", f"{path} cannot be read: {error.strerror}.", "Give a .mrk.json file."
        ) from error
    try:
        return _roi_of(json.loads(text)["markups"][0])
    except (ValueError, KeyError, IndexError, TypeError) as error:
        message = f"{path.name} holds no region of interest of Slicer."
        raise MedEnhanceError("input-unreadable", message, "Save the ROI node as .mrk.json.") from error


def _roi_of(markup: dict[str, Any]) -> Roi:
    to_lps = np.diag([-1.0, -1.0, 1.0]) if markup.get("coordinateSystem", "LPS") == "RAS" else np.eye(3)
    x, y, z = (float(v) for v in to_lps @ np.array(markup["center"], float))
    a, b, c = (float(v) for v in markup["size"])
    axes = to_lps @ np.reshape(np.array(markup["orientation"], float), (3, 3))
    if min(a, b, c) <= 0 or abs(np.linalg.det(axes) - 1) > 1e-3 or np.abs(axes.T @ axes - np.eye(3)).max() > 1e-3:
        raise ValueError("the box has no extent, or its axes are not those of a box")
    return Roi((x, y, z), axes, (a, b, c))
