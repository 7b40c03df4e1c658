"""Writes a result as DICOM into a new folder below one that the user chooses."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import qt
import slicer
from slicer.i18n import tr as _

from medenhance.errors import MedEnhanceError
from MedEnhanceLib.DicomExport import newFolder
from MedEnhanceLib.DicomSource import dicomFilesOf
from MedEnhanceLib.RunControls import RunControls
from MedEnhanceLib.WorkerClient import RunCallbacks, WorkerFailure

Export = Callable[[Any, list[str], Path, RunCallbacks], None]


class ExportSection:
    """Connects the export's widgets of a panel.

    Args:
        button: QPushButton.
        label: QLabel for the outcome.
        controls: Show what goes on.
        export: Begins an export: node of the result, DICOM files of the input, new folder, callbacks; what it raises
            for the user is shown.
        failed: Called with what went wrong.
    """

    def __init__(
        self,
        button: Any,
        label: Any,
        controls: RunControls,
        export: Export,
        failed: Callable[[WorkerFailure], None],
    ) -> None:
        self._button, self._label, self._controls = button, label, controls
        self._export, self._failed = export, failed
        self._input: Any = None
        self._output: Any = None
        self._addToDatabase = False
        button.clicked.connect(self._onExport)

    def setVolumes(self, inputVolume: Any, output: Any, addToDatabase: bool) -> None:
        """What to export: a result or None, and the volume that it comes from."""
        self._input, self._output, self._addToDatabase = inputVolume, output, addToDatabase
        self.refresh()

    def refresh(self) -> None:
        """A run has begun or ended."""
        self._button.setEnabled(self._output is not None and not self._controls.isRunning)

    def _onExport(self) -> None:
        files = dicomFilesOf(self._input, getattr(slicer, "dicomDatabase", None)) if self._input is not None else []
        if not files:
            self._label.setText(
                _(
                    "The input volume does not come from DICOM, so that a derived series has no patient and study to "
                    "belong to. Load the input from DICOM, or save the result as NRRD."
                )
            )
            return
        parent = qt.QFileDialog.getExistingDirectory(None, _("Folder for the DICOM series"))
        if not parent:
            return
        folder = newFolder(Path(parent), self._output.GetName())
        self._controls.begin()
        try:
            self._export(self._output, files, folder, self._callbacks(folder))
        except MedEnhanceError as error:
            self._failed(WorkerFailure(error.kind, error.message, error.hint))

    def _callbacks(self, folder: Path) -> RunCallbacks:
        return RunCallbacks(
            progress=self._controls.progress,
            warning=self._controls.warn,
            finished=lambda _result: self._exported(folder),
            failed=self._failed,
            cancelled=self._controls.cancelled,
        )

    def _exported(self, folder: Path) -> None:
        text = _("Exported to {folder}.").format(folder=folder)
        self._label.setText(text)
        if self._addToDatabase and not addToDatabase(folder):
            self._controls.warn(_("The series is not in the DICOM database; import its folder in the DICOM module."))
        self._controls.succeeded(text)


def addToDatabase(folder: Path) -> bool:
    """Have Slicer's DICOM database list the files of a folder; whether it does."""
    if not getattr(getattr(slicer, "dicomDatabase", None), "isOpen", False):
        return False
    from DICOMLib import DICOMUtils

    return bool(DICOMUtils.importDicom(str(folder)))
