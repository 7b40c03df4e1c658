"""How a volume came about, kept as attributes of its node and saved with the scene."""

from __future__ import annotations

import json
from typing import Any

from slicer.i18n import tr as _

from medenhance.errors import MedEnhanceError

PREFIX = "MedEnhance."
INPUT_ROLE = "MedEnhance.Input"
_RUN_FACTS = {
    "ModelId": "model_id",
    "ModelVersion": "model_version",
    "WeightsSha256": "weights_sha256",
    "Strength": "strength",
    "Precision": "precision",
    "Device": "device",
}


def setProvenance(node: Any, report: dict[str, Any], inputNode: Any | None, what: str = "denoised") -> None:
    """Note on a node that it is derived, how, and from which.

    Args:
        node: The result.
        report: Of the run, with its key "run" as in `medenhance.measure.trust.RunFacts`.
        inputNode: Where the result comes from; a node reference, so that it is still right in a loaded scene. None for
            a frame of a sequence, which lies in a scene of its own.
        what: "denoised", or "removed" for what was taken away.
    """
    run = report["run"]
    wasModifying = node.StartModify()
    for name, key in _RUN_FACTS.items():
        node.SetAttribute(PREFIX + name, str(run[key]))
    node.SetAttribute(PREFIX + "Derived", "1")
    node.SetAttribute(PREFIX + "What", what)
    node.SetAttribute(PREFIX + "Notice", "Research use only")
    node.SetAttribute(PREFIX + "Report", json.dumps(report, ensure_ascii=False))
    if inputNode is not None:
        node.SetNodeReferenceID(INPUT_ROLE, inputNode.GetID())
    node.EndModify(wasModifying)


def provenanceOf(node: Any) -> dict[str, Any] | None:
    """What `setProvenance` noted; None for a volume that is not ours.

    Returns:
        "model_id", "model_version", "weights_sha256", "precision", "device", "what", "notice", "strength" (a number),
        "report" (None when it was damaged) and "input" (the node, or None when it is gone).
    """
    if node is None or node.GetAttribute(PREFIX + "Derived") != "1":
        return None
    found: dict[str, Any] = {key: node.GetAttribute(PREFIX + name) or "" for name, key in _RUN_FACTS.items()}
    found["strength"] = _number(found["strength"])
    found["what"] = node.GetAttribute(PREFIX + "What") or "denoised"
    found["notice"] = node.GetAttribute(PREFIX + "Notice") or ""
    found["report"] = _report(node.GetAttribute(PREFIX + "Report"))
    found["input"] = node.GetNodeReference(INPUT_ROLE)
    return found


def dicomProvenance(node: Any) -> dict[str, Any]:
    """How a result came about, as the worker's task "export-dicom" takes it.

    Raises:
        MedEnhanceError: The volume is no result.
    """
    provenance = provenanceOf(node)
    if provenance is None:
        message = _("{name} is no result of MedEnhance.").format(name=node.GetName())
        raise MedEnhanceError("input-unsuitable", message, _("Run the module on a volume, and export the result."))
    names = ("model_id", "model_version", "weights_sha256", "strength", "precision", "what")
    return {name: provenance[name] for name in names}


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return 1.0


def _report(text: str | None) -> dict[str, Any] | None:
    try:
        report = json.loads(text or "")
    except ValueError:
        return None
    return report if isinstance(report, dict) else None
