"""Projects a volume, or a recording from a file, at the press of a button."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import qt
from slicer.i18n import tr as _

from MedEnhanceLib.SceneJob import JobCallbacks
from MedEnhanceLib.TaskPanel import TaskPanel

AS_STATED = "as the volume states"
# Volume node or path, callbacks, axes, ROI, calibration.
StartProjection = Callable[[Any, JobCallbacks, str | None, Any, str | None], None]


class ProjectSection:
    """Connects the projection's widgets of a panel.

    Args:
        ui: Has projectButton, recordingButton and axesComboBox.
        panel: Runs it; its parameters are inputVolume, axes (`AS_STATED`, or such as "RIA") and region.
        start: Begins a projection.
        projected: Called with the projections, from the skin down.
    """

    def __init__(
        self, ui: Any, panel: TaskPanel, start: StartProjection, projected: Callable[[list[Any]], None]
    ) -> None:
        self._ui, self._panel, self._start, self._projected = ui, panel, start, projected
        ui.projectButton.clicked.connect(self._onProject)
        ui.recordingButton.clicked.connect(self._onProjectRecording)

    def refresh(self) -> None:
        """Parameters have changed, or a run has begun or ended."""
        parameters, isRunning = self._panel.parameters, self._panel.controls.isRunning
        hasVolume = parameters is not None and parameters.inputVolume is not None
        self._ui.projectButton.setEnabled(hasVolume and not isRunning)
        self._ui.recordingButton.setEnabled(parameters is not None and not isRunning)
        self._ui.axesComboBox.setEnabled(parameters is None or parameters.region is None)

    def _onProject(self) -> None:
        self._panel.run(lambda parameters: self._begin(parameters.inputVolume, parameters), needed="inputVolume")

    def _onProjectRecording(self) -> None:
        files = _("Recordings") + " (*.mha *.mhd *.nrrd)"
        path = qt.QFileDialog.getOpenFileName(None, _("Tracked recording of the back"), "", files)
        if not path:
            return
        title = _("Calibration of the probe; cancel where the recording needs none")
        calibration = qt.QFileDialog.getOpenFileName(None, title, "", _("PLUS configuration") + " (*.xml *.txt)")
        self._panel.run(lambda parameters: self._begin(Path(path), parameters, calibration or None))

    def _begin(self, source: Any, parameters: Any, calibration: str | None = None) -> None:
        # The axes of a region count more.
        isStated = parameters.axes == AS_STATED or parameters.region is not None
        axes = None if isStated else parameters.axes
        self._start(source, self._panel.callbacks(self._onProjected), axes, parameters.region, calibration)

    def _onProjected(self, nodes: dict[str, Any], result: dict[str, Any]) -> None:
        depths = ", ".join(f"{depth:.0f}" for depth in result["depths_mm"])
        self._panel.controls.succeeded(_("Projected at {depths} mm below the skin.").format(depths=depths))
        self._projected(list(nodes.values()))
