"""A set of projections as a folder of files: pictures, flat volumes for Slicer, and the map back to 3D."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import SimpleITK as sitk

from medenhance.errors import MedEnhanceError
from medenhance.image_files import write_image
from medenhance.spine.projection import BackFrame, Projection, ProjectionSet
from medenhance.volume import Volume

GEOMETRY_FILE, SKIN_FILE, SCAN_FILE = "geometry.json", "skin_mm.nrrd", "scan.nrrd"
_KIND = "medenhance volume projection, 1"


def write_projections(projections: ProjectionSet, folder: Path, source: str) -> None:
    """Write vpi_d1.png/.nrrd and so on, the skin, the scanned area and geometry.json into an existing folder.

    Args:
        projections: What to write.
        folder: Where.
        source: Name of the volume that was projected.
    """
    for index, one in enumerate(projections.projections):
        plane = np.rint(one.image).astype(np.uint8)
        sitk.WriteImage(sitk.GetImageFromArray(plane), str(folder / f"vpi_d{index + 1}.png"))
        notes = {
            "MedEnhance_vpi_depth_mm": f"{projections.depths_mm[index]:g}",
            "MedEnhance_vpi_thickness_mm": f"{projections.thickness_mm:g}",
        }
        write_image(Volume(plane[None], projections.grid(index), "US"), folder / f"vpi_d{index + 1}.nrrd", notes)
    flat = projections.grid(0)
    write_image(Volume(projections.skin_mm[None], flat), folder / SKIN_FILE, {})
    write_image(Volume(projections.scan[None].astype(np.uint8), flat), folder / SCAN_FILE, {})
    text = json.dumps(_geometry(projections, source), indent=2, allow_nan=False)
    (folder / GEOMETRY_FILE).write_text(text + "\n", encoding="utf-8")


def read_projections(folder: Path) -> ProjectionSet:
    """Read what `write_projections` wrote.

    Raises:
        MedEnhanceError: input-missing, input-unreadable.
    """
    try:
        facts = json.loads((folder / GEOMETRY_FILE).read_text(encoding="utf-8"))
        if facts["kind"] != _KIND:
            raise ValueError(f"another kind of file: {facts['kind']}")
        frame = BackFrame(tuple(facts["origin_lps_mm"]), np.array(facts["axes_lps"]).T, tuple(facts["spacing_mm"]))
        images = [_plane(folder / f"vpi_d{number + 1}.nrrd") for number in range(len(facts["depths_mm"]))]
        spacing = (frame.spacing_mm[0], frame.spacing_mm[1])
        projections = tuple(
            Projection(image.astype(np.float32), spacing, depth, f"vpi_d{number}")
            for number, (image, depth) in enumerate(zip(images, facts["depths_mm"], strict=True), start=1)
        )
        return ProjectionSet(
            projections,
            _plane(folder / SCAN_FILE) > 0,
            _plane(folder / SKIN_FILE),
            frame,
            float(facts["thickness_mm"]),
            facts["lamina_mm"],
            tuple(facts["notes"]),
        )
    except OSError as error:
        message = f"{folder} holds no projections: {error.strerror or error}."
        raise MedEnhanceError("input-missing", message, "Give a folder that project-vpi wrote.") from error
    except (KeyError, ValueError, TypeError, RuntimeError) as error:
        message = f"{folder / GEOMETRY_FILE} cannot be read: {error}."
        raise MedEnhanceError("input-unreadable", message, "Project the volume again.") from error


def _geometry(projections: ProjectionSet, source: str) -> dict[str, object]:
    frame = projections.frame
    return {
        "kind": _KIND,
        "source": source,
        "meaning": "A place (row, column) of the image of depth d lies at origin_lps_mm + axes_lps[0] * row * "
        "spacing_mm[0] + axes_lps[1] * column * spacing_mm[1] + axes_lps[2] * (skin_mm(row, column) + d).",
        "rows_run_to": "feet",
        "columns_run_to": "the patient's right, seen from behind",
        "origin_lps_mm": list(frame.origin_mm),
        "axes_lps": frame.axes.T.tolist(),
        "spacing_mm": list(frame.spacing_mm),
        "depths_mm": list(projections.depths_mm),
        "thickness_mm": projections.thickness_mm,
        "lamina_mm": projections.lamina_mm,
        "notes": list(projections.notes),
    }


def _plane(path: Path) -> np.ndarray:
    return np.asarray(sitk.GetArrayFromImage(sitk.ReadImage(str(path)))[0])
