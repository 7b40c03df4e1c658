"""The built-in head CT: simulated, with a haemorrhage of known place and volume, as it ships with the core.

`python Resources/make_head_sample.py` made it.
"""

from __future__ import annotations

from typing import Any

import slicer
from slicer.i18n import tr as _

from MedEnhanceLib.HeadSegmentation import addMask
from MedEnhanceLib.HeadStudy import showBrain
from MedEnhanceLib.SampleSource import MODULE_FOLDER, offerSample
from MedEnhanceLib.VolumeBridge import volumeArray

SCAN = MODULE_FOLDER / "medenhance" / "resources" / "demo_head_ct.nrrd"
TRUTH = SCAN.with_name("demo_head_ct_truth.nrrd")


def loadHeadSample() -> tuple[Any, Any]:
    """The scan, which is shown, and the true haemorrhage as a segmentation, which is not."""
    scan = slicer.util.loadVolume(str(SCAN), {"name": _("Simulated head CT")})
    showBrain(scan)
    labels = slicer.util.loadLabelVolume(str(TRUTH), {"name": "MedEnhance truth", "show": False})
    try:
        truth = addMask(slicer.mrmlScene, scan, volumeArray(labels), _("Simulated haemorrhage (truth)"))
    finally:
        slicer.mrmlScene.RemoveNode(labels)
    truth.SetDisplayVisibility(False)
    return scan, truth


def registerHeadSample() -> None:
    """Offer it in Slicer's Sample Data module."""
    offerSample("MedEnhanceHeadCT", SCAN, _("Simulated head CT"))
