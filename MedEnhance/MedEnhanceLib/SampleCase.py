"""The built-in case: a simulated low-dose CT and its normal-dose truth, phantom data that ship with the core."""

from __future__ import annotations

from typing import Any

import slicer
from slicer.i18n import tr as _

from MedEnhanceLib.SampleSource import MODULE_FOLDER, offerSample

LOW_DOSE = MODULE_FOLDER / "medenhance" / "resources" / "demo_low_dose.nrrd"
TRUTH = MODULE_FOLDER / "medenhance" / "resources" / "demo_truth.nrrd"


def loadSample() -> tuple[Any, Any]:
    """The low-dose volume, which is shown, and the truth."""
    truth = slicer.util.loadVolume(str(TRUTH), {"name": _("Simulated normal-dose CT (truth)"), "show": False})
    low = slicer.util.loadVolume(str(LOW_DOSE), {"name": _("Simulated low-dose CT")})
    return low, truth


def registerSample() -> None:
    """Offer it in Slicer's Sample Data module."""
    offerSample("MedEnhanceLowDoseCT", LOW_DOSE, _("Simulated low-dose CT"))
