"""The spine panel as its tests drive it, and how it looks after a run that found one curve."""

from __future__ import annotations

from typing import Any

import slicer
import tiny_spine_model
from panel_driver import LIMIT_S
from spine_nodes import addProjection, curve, report

from medenhance.catalog import read_catalog
from medenhance_host import Host


class SpinePanel:
    """The panel, open; its Python is known to have what is needed.

    Args:
        host: The fixture.
        withTinyModel: Whether the tiny random model is taken, which has to lie in the cache, or those that come with
            MedEnhance.
    """

    def __init__(self, host: Host, withTinyModel: bool = True) -> None:
        from MedEnhanceLib.RequirementsSection import READY_KEY

        self.host = host
        self.widget = host.openModule("MedEnhanceSpineUltrasound")
        self.ui, self.logic = self.widget.ui, self.widget.logic
        if withTinyModel:
            self.widget.model.setModels([read_catalog().entries[tiny_spine_model.MODEL]])
            self.parameters.modelId = tiny_spine_model.MODEL
        slicer.app.userSettings().setValue(READY_KEY, self.widget.requirements._mark())

    @property
    def parameters(self) -> Any:
        return self.widget._parameterNode

    @property
    def isRunning(self) -> bool:
        return self.ui.applyButton.text == "Cancel"

    def press(self) -> None:
        assert self.ui.applyButton.enabled, self.ui.applyButton.toolTip
        self.ui.applyButton.click()

    def apply(self) -> None:
        self.press()
        self.host.waitFor(lambda: not self.isRunning, LIMIT_S)
        assert "Done in" in self.ui.statusLabel.text, self.ui.statusLabel.text

    def rows(self) -> list[list[str]]:
        table = self.ui.curveTable
        columns = range(table.columnCount)
        return [[table.item(r, c).text().replace("\n", " ") for c in columns] for r in range(table.rowCount)]

    def measureAgain(self) -> None:
        self.ui.measureAgainButton.click()
        self.host.waitFor(lambda: not self.isRunning, LIMIT_S)


def published(panel: SpinePanel, image: Any = None, **changes: Any) -> Any:
    """The panel after a run that found one curve in a projection, by default a new one; the projection."""
    from MedEnhanceLib.Provenance import setProvenance
    from MedEnhanceLib.SpineRun import publish

    image = image or addProjection(slicer.mrmlScene)
    panel.ui.inputSelector.setCurrentNode(image)
    result = {"report": report(**changes)}
    enhanced = addProjection(slicer.mrmlScene, "enhanced")
    setProvenance(enhanced, result["report"], image, "enhanced")
    generated = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLLabelMapVolumeNode", "generated")
    nodes = publish(image, {"output": enhanced, "generated": generated}, result)
    panel.widget._onFinished(nodes, result)
    assert curve()["angle_deg"] == 40.0
    return image
