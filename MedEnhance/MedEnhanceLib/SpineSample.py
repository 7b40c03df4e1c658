"""The built-in coronal projection: a simulated back with curves of known angle, as it ships with the core.

Depth 3 of `medenhance-train simulate spine-ultrasound FOLDER --seed 7 --pixel-mm 0.28 --habitus slim --curves 1
--curve-deg 25 45 --missing 0 0.1`, written as NRRD with its pixel size, and the file of what is true about it.
"""

from __future__ import annotations

import json
from typing import Any

import slicer
from slicer.i18n import tr as _

from MedEnhanceLib.CurveSection import TRUTH
from MedEnhanceLib.SampleSource import MODULE_FOLDER, offerSample

PROJECTION = MODULE_FOLDER / "medenhance" / "resources" / "demo_spine.nrrd"
_TRUTH_FILE = PROJECTION.with_suffix(".json")


def spineTruth() -> dict[str, Any]:
    """What is true about the sample: "curves", "tilts_deg", "landmarks", "pixel_mm" ..."""
    return json.loads(_TRUTH_FILE.read_text(encoding="utf-8"))


def loadSpineSample() -> Any:
    """The projection, which is shown."""
    node = slicer.util.loadVolume(str(PROJECTION), {"name": _("Simulated spine projection")})
    node.SetAttribute(TRUTH, json.dumps(spineTruth()["curves"]))
    return node


def registerSpineSample() -> None:
    """Offer it in Slicer's Sample Data module."""
    offerSample("MedEnhanceSpineUltrasound", PROJECTION, _("Simulated spine projection"))
