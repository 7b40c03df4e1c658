"""Head CT: notification, mask and volume of suspected intracranial haemorrhage; module, panel, logic and self test.

From Slicer's Python console::

    logic = slicer.util.getModuleLogic("MedEnhanceHeadCT")
    mask, report = logic.detect(volume)
    rows = logic.worklist("/a/folder/of/studies", "/a/folder/for/results")
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import qt
import slicer
from slicer import vtkMRMLScalarVolumeNode, vtkMRMLSegmentationNode
from slicer.i18n import tr as _
from slicer.i18n import translate
from slicer.parameterNodeWrapper import parameterNodeWrapper
from slicer.ScriptedLoadableModule import (
    ScriptedLoadableModule,
    ScriptedLoadableModuleLogic,
    ScriptedLoadableModuleTest,
    ScriptedLoadableModuleWidget,
)

from medenhance.errors import MedEnhanceError
from medenhance.manifest import ModelEntry
from MedEnhanceLib.BlockingRun import ask
from MedEnhanceLib.DicomSource import dicomFilesOf
from MedEnhanceLib.ExportSection import ExportSection
from MedEnhanceLib.HeadExport import OBJECTS, exportTrip
from MedEnhanceLib.HeadMeasure import measureTrip
from MedEnhanceLib.HeadReport import isProcessed
from MedEnhanceLib.HeadRun import TASK, HeadJob, cleanReport, latestMask, reportOf, scanProblem
from MedEnhanceLib.HeadSample import loadHeadSample, registerHeadSample
from MedEnhanceLib.HeadSegmentation import SEGMENT, maskOf
from MedEnhanceLib.HeadVolumes import headings
from MedEnhanceLib.InputSection import showProblems
from MedEnhanceLib.MaskFindings import MaskFindings
from MedEnhanceLib.ReportFile import writeReport
from MedEnhanceLib.SceneJob import JobCallbacks
from MedEnhanceLib.SegmentEditing import openSegmentEditor
from MedEnhanceLib.SliceSection import SliceSection
from MedEnhanceLib.TaskPanel import PanelEvents, TaskPanel, loadPanel
from MedEnhanceLib.TaskRuns import TaskRuns
from MedEnhanceLib.VerdictSection import VerdictSection
from MedEnhanceLib.VolumeSection import VolumeSection
from MedEnhanceLib.WorkerClient import RunCallbacks
from MedEnhanceLib.WorklistRun import WORKLIST_TASK, worklistTrip
from MedEnhanceLib.WorklistSection import WorklistSection


class MedEnhanceHeadCT(ScriptedLoadableModule):
    """What Slicer's module list shows."""

    def __init__(self, parent: Any) -> None:
        ScriptedLoadableModule.__init__(self, parent)
        parent.title = _("MedEnhance Head CT")
        parent.categories = [translate("qSlicerAbstractCoreModule", "Segmentation")]
        parent.dependencies = []
        parent.contributors = ["MedEnhance contributors"]
        parent.helpText = _(
            "Looks for intracranial haemorrhage in a head CT: a notification with its probability, evidence slice by "
            "slice, a mask that can be edited, volumes in millilitres, DICOM objects, and a worklist for a folder of "
            "studies. Notification only: every scan is read in full, flagged or not. Research use only."
        )
        parent.acknowledgementText = _("The model cards name the publications and the data of each network.")
        slicer.app.connect("startupCompleted()", registerHeadSample)


@parameterNodeWrapper
class MedEnhanceHeadCTParameterNode:
    """What is saved with the scene.

    Attributes:
        inputVolume: The scan.
        modelId: The model; empty for the default one. Set by hand, as the models are only known at run time.
        operatingPoint: Name of the operating point; empty for the model's first. Set by hand for the same reason.
        mask: The mask of a run, which holds its report.
        showMask: Whether it is drawn over the scan.
        exportSeg, exportSr, exportKo: Which DICOM objects are written.
        addToDatabase: Whether they are imported into Slicer's DICOM database.
    """

    inputVolume: vtkMRMLScalarVolumeNode
    modelId: str
    operatingPoint: str
    mask: vtkMRMLSegmentationNode
    showMask: bool = True
    exportSeg: bool = True
    exportSr: bool = True
    exportKo: bool = True
    addToDatabase: bool = False


class MedEnhanceHeadCTLogic(ScriptedLoadableModuleLogic):
    """Looks for haemorrhage, measures masks, exports and makes worklists; never opens a dialog. One run at a time."""

    def __init__(self) -> None:
        ScriptedLoadableModuleLogic.__init__(self)
        self.runs = TaskRuns(TASK)
        self.session = self.runs.session

    def getParameterNode(self) -> MedEnhanceHeadCTParameterNode:
        return MedEnhanceHeadCTParameterNode(super().getParameterNode())

    def models(self) -> dict[str, ModelEntry]:
        """The models for this task that are part of MedEnhance, by id."""
        return self.runs.models()

    def detect(
        self,
        volume: vtkMRMLScalarVolumeNode,
        modelId: str | None = None,
        operatingPoint: str | None = None,
        device: str = "auto",
    ) -> tuple[vtkMRMLSegmentationNode | None, dict[str, Any]]:
        """Look for haemorrhage in a scan and wait for it.

        Args:
            volume: Head CT in HU; not changed.
            modelId: None for the default model.
            operatingPoint: Name of one of the model's; None for its first.
            device: "auto", "cpu", "cuda" ...

        Returns:
            The mask, a segmentation beside the scan, and the report. A scan that fails an acceptance check has no
            mask, and its report has the status "not processed" and a "reason".

        Raises:
            MedEnhanceError: With `kind`, `message` (what happened) and `hint` (what to do); then no node was made.
        """
        options = self._checkedOptions(volume, modelId, operatingPoint, device)
        nodes, result = self.runs.wait(lambda means, told: HeadJob(volume, options, means, told))
        return nodes.get("mask"), result["report"]

    def start(
        self,
        volume: Any,
        callbacks: JobCallbacks,
        modelId: str | None = None,
        operatingPoint: str | None = None,
        device: str = "auto",
    ) -> None:
        """Look for haemorrhage without waiting; arguments as of `detect`, the callbacks tell how it goes.

        Raises:
            MedEnhanceError: The volume cannot be used; nothing was begun.
        """
        options = self._checkedOptions(volume, modelId, operatingPoint, device)
        self.runs.start(lambda means: HeadJob(volume, options, means, callbacks))

    @property
    def isRunning(self) -> bool:
        """Whether a run goes on."""
        return self.runs.isRunning

    def cancel(self) -> None:
        """Stop the run; its `cancelled` is called within two seconds."""
        self.runs.cancel()

    def measure(self, volume: Any, mask: Any, report: dict[str, Any], callbacks: RunCallbacks) -> Any:
        """Measure another mask of a scan without waiting, beside whatever runs; returns what can be cancelled.

        Args:
            volume: The scan.
            mask: (K, J, I) uint8 on its grid.
            report: Of the run.
            callbacks: `finished` gets "findings".
        """
        files = _sourceFiles(volume)
        trip = measureTrip(volume, mask, cleanReport(report), files, self.session.means, callbacks)
        trip.start()
        return trip

    def exportObjects(
        self,
        volume: Any,
        mask: Any,
        report: dict[str, Any],
        isEdited: bool,
        objects: Sequence[str],
        sourceFiles: Sequence[str],
        folder: str | Path,
        callbacks: RunCallbacks,
    ) -> None:
        """Write DICOM objects without waiting; arguments as of `MedEnhanceLib.HeadExport.exportTrip`."""
        self.runs.start(
            lambda means: exportTrip(
                volume, mask, report, isEdited, objects, sourceFiles, Path(folder), means, callbacks
            )
        )

    def worklist(
        self,
        folder: str | Path,
        outputFolder: str | Path,
        modelId: str | None = None,
        operatingPoint: str | None = None,
        device: str = "auto",
    ) -> list[dict[str, Any]]:
        """Run all studies of a folder and wait; one that fails stops no other.

        Args:
            folder: Of studies, at any depth.
            outputFolder: Gets a folder for each, and the worklist as CSV and JSON. What is done already is not done
                again.
            modelId: None for the default model.
            operatingPoint: Name of one of the model's; None for its first.
            device: "auto", "cpu", "cuda" ...

        Returns:
            A row for each study, in the order of the worklist; those that were not processed are among them.

        Raises:
            MedEnhanceError: What every study would fail with, such as an unknown model.
        """
        payload = self._worklistPayload(folder, outputFolder, modelId, operatingPoint, device)
        return list(ask(self.session.client, WORKLIST_TASK, payload)["rows"])

    def startWorklist(
        self,
        folder: str | Path,
        outputFolder: str | Path,
        callbacks: RunCallbacks,
        modelId: str | None = None,
        operatingPoint: str | None = None,
        device: str = "auto",
    ) -> None:
        """The same without waiting; `finished` gets "rows"."""
        payload = self._worklistPayload(folder, outputFolder, modelId, operatingPoint, device)
        self.runs.start(lambda means: worklistTrip(payload, means, callbacks))

    def _worklistPayload(
        self, folder: str | Path, outputFolder: str | Path, modelId: str | None, point: str | None, device: str
    ) -> dict[str, Any]:
        options = {**self.runs.options(modelId, device), "operating_point": point or None}
        return {"input": str(Path(folder).absolute()), "output": str(Path(outputFolder).absolute()), "options": options}

    def _checkedOptions(self, volume: Any, modelId: str | None, point: str | None, device: str) -> dict[str, Any]:
        problem = scanProblem(volume)
        if problem:
            raise MedEnhanceError("input-unsuitable", problem)
        return {**self.runs.options(modelId, device), "operating_point": point or None, "source": _sourceFiles(volume)}


class MedEnhanceHeadCTWidget(ScriptedLoadableModuleWidget):
    """The panel: connects its sections to the parameters and to the logic."""

    def __init__(self, parent: Any = None) -> None:
        ScriptedLoadableModuleWidget.__init__(self, parent)
        self.logic: MedEnhanceHeadCTLogic | None = None
        # The report of the last run whose scan was not processed, and that scan: no mask keeps it.
        self._refused: tuple[Any, dict[str, Any]] | None = None
        self._scan: Any = None

    def setup(self) -> None:
        """Make the panel; called once, when the module is first opened."""
        ScriptedLoadableModuleWidget.setup(self)
        self.ui = loadPanel(self, "MedEnhanceHeadCT")
        self.logic = MedEnhanceHeadCTLogic()
        self.panel = TaskPanel(self.ui, self.logic, PanelEvents(self._onModified, self._onSceneClosing))
        self.model, self.controls, self.requirements = self.panel.model, self.panel.controls, self.panel.requirements
        self._makeSections()
        self.panel.connectApply(self.onApply)
        self.ui.sampleDataButton.clicked.connect(self.onLoadSample)
        self.ui.editButton.clicked.connect(self.onEdit)
        self.ui.saveButton.clicked.connect(self.onSave)
        self.panel.resume(self.parent.isEntered)

    def cleanup(self) -> None:
        """The panel goes for good."""
        self._onSceneClosing()
        self.panel.close()

    def enter(self) -> None:
        """The user opens the module."""
        self.panel.enter()

    def exit(self) -> None:
        """The user goes to another module; a run goes on."""
        self.panel.exit()

    @property
    def _parameterNode(self) -> MedEnhanceHeadCTParameterNode | None:
        return self.panel.parameters

    def _makeSections(self) -> None:
        ui = self.ui
        self.findings = MaskFindings(self._measure, self._onFindings)
        self.verdict = VerdictSection(
            ui.verdictLabel, ui.pointComboBox, ui.pointTable, ui.pointSourceLabel, self._onPointChosen
        )
        self.slices = SliceSection(ui.sliceStrip, ui.sliceLabel, ui.evidenceTable, slicer.mrmlScene, self._middle)
        self.volumes = VolumeSection(ui.volumeLabel, ui.volumeTable, self.slices.jump)
        self.export = ExportSection(ui.exportButton, ui.exportLabel, self.controls, self._export, self.panel.failed)
        self.worklist = WorklistSection(ui, self._startWorklist, self._onStudyOpened, self.panel)

    def _onSceneClosing(self) -> None:
        self.findings.stop()
        self.slices.stop()
        self._refused = self._scan = None

    def _onModified(self) -> None:
        """Bring what depends on the parameters, the model and the run up to date."""
        parameters, ui = self._parameterNode, self.ui
        scan = parameters.inputVolume if parameters is not None else None
        self._adoptMask(parameters, scan)
        mask = parameters.mask if parameters is not None else None
        problem = scanProblem(scan)
        showProblems(ui.inputMessageLabel, [problem] if problem and scan is not None else [])
        if not problem and self.model.entry is None:
            problem = _("No model for head CT is at hand; open MedEnhance Models to add one.")
        self.controls.setCanApply(not problem, problem or _("Look for haemorrhage in the scan."))
        if mask is not None:
            mask.SetDisplayVisibility(parameters.showMask)
        self.findings.follow(mask, scan)
        self.worklist.refresh()
        self._onFindings()

    def _adoptMask(self, parameters: Any, scan: Any) -> None:
        """With another scan comes its own mask, if it has one."""
        if scan is self._scan or slicer.mrmlScene.IsBatchProcessing():  # references are not whole while a scene is read
            return
        self._scan = scan
        if parameters is not None and reportOf(parameters.mask, scan) is None:
            parameters.mask = latestMask(scan)

    def _onFindings(self) -> None:
        """Show what is known of the mask as it is now, or why the scan was not processed."""
        parameters, ui = self._parameterNode, self.ui
        scan = parameters.inputVolume if parameters is not None else None
        report = self.findings.report
        refused = self._refused[1] if self._refused is not None and self._refused[0] is scan else None
        point = parameters.operatingPoint if parameters is not None else ""
        self.verdict.show(report or refused, _pointsOf(self.model.entry), point)
        self.slices.show(report, scan)
        self.volumes.show(
            report["findings"] if report is not None else None, self.findings.state, self.findings.problem
        )
        ui.editButton.setEnabled(report is not None)
        ui.saveButton.setEnabled(report is not None)
        ui.showMaskCheckBox.setEnabled(report is not None)
        isAny = report is not None and bool(_chosenObjects(parameters))
        self.export.setVolumes(
            scan, parameters.mask if isAny else None, parameters is not None and parameters.addToDatabase
        )

    def _onPointChosen(self, name: str) -> None:
        if self._parameterNode is not None:
            self._parameterNode.operatingPoint = name

    def _measure(self, volume: Any, mask: Any, report: dict[str, Any], callbacks: RunCallbacks) -> Any:
        """Have an edited mask measured; None, where that would open a question about requirements."""
        if not self.requirements.knownReady:
            return None
        return self.logic.measure(volume, mask, report, callbacks)

    def _middle(self, index: int, axis: int) -> list[float] | None:
        """The middle of the mask in a slice, so that the other views show it too."""
        mask = self.findings.mask()
        return None if mask is None else middleOf(mask, index, axis)

    def onApply(self) -> None:
        """Look for haemorrhage."""
        self.panel.run(self._start, needed="inputVolume")

    def _start(self, parameters: MedEnhanceHeadCTParameterNode) -> None:
        scan = parameters.inputVolume

        def finished(nodes: dict[str, Any], result: dict[str, Any]) -> None:
            self._onFinished(scan, nodes, result["report"])

        callbacks = self.panel.callbacks(finished)
        self.logic.start(scan, callbacks, self.model.modelId, parameters.operatingPoint)

    def _onFinished(self, scan: Any, nodes: dict[str, Any], report: dict[str, Any]) -> None:
        self._refused = None if isProcessed(report) else (scan, report)
        if isProcessed(report):
            self.panel.doneIn(report["findings"]["run"], report["warnings"], len(report["findings"]["slices"]))
        else:
            self.controls.succeeded(_("Not processed; see the verdict."))
        if self._parameterNode is None:  # the scene was closed meanwhile
            return
        # Without one, that of an earlier run does not belong to this verdict.
        self._parameterNode.mask = nodes.get("mask")
        self._onModified()
        slicer.util.setSliceViewerLayers(background=scan, foreground=None, label=None)
        if isProcessed(report) and report["findings"]["suspected"] and report["findings"]["top_slices"]:
            self.slices.jump(report["findings"]["top_slices"][0])

    def onLoadSample(self) -> None:
        """Load the built-in case and choose it."""
        self._parameterNode.inputVolume, _truth = loadHeadSample()

    def onEdit(self) -> None:
        """Open the mask in the Segment Editor."""
        openSegmentEditor(self._parameterNode.mask, self._parameterNode.inputVolume, SEGMENT)

    def onSave(self) -> None:
        """Write the table or the report to a file that the user names."""
        path = qt.QFileDialog.getSaveFileName(
            None, _("Save the volumes"), "volumes.csv", _("Table (*.csv);;Report (*.json)")
        )
        if not path or self.findings.report is None:
            return
        report = {**self.findings.report, "mask_edited": self.findings.isEdited}
        rows = [*self.volumes.rows(), (report["notice"],), (report["triage_notice"],)]
        try:
            writeReport(report, Path(path), rows, headings())
        except MedEnhanceError as error:
            self.panel.refuse(error)

    def _export(self, mask: Any, sourceFiles: list[str], folder: Path, callbacks: RunCallbacks) -> None:
        parameters = self._parameterNode
        scan, objects, edited = parameters.inputVolume, _chosenObjects(parameters), self.findings.isEdited
        # The run's own report: an edited mask is measured anew by the export.
        report = cleanReport(reportOf(mask, scan))
        self.logic.exportObjects(scan, maskOf(mask, scan), report, edited, objects, sourceFiles, folder, callbacks)

    def _startWorklist(self, folder: Path, output: Path, callbacks: RunCallbacks) -> None:
        parameters = self._parameterNode
        point = parameters.operatingPoint if parameters is not None else ""
        self.logic.startWorklist(folder, output, callbacks, self.model.modelId, point)

    def _onStudyOpened(self, scan: Any, mask: Any, report: dict[str, Any]) -> None:
        self._refused = None if isProcessed(report) else (scan, report)
        with slicer.util.NodeModify(self._parameterNode.parameterNode):
            self._parameterNode.inputVolume = scan
            self._parameterNode.mask = mask
        self._onModified()


def middleOf(mask: Any, index: int, axis: int) -> list[float] | None:
    """(K, J, I) of the middle of a mask in a slice; None where the slice has none of it."""
    import numpy as np

    if not 0 <= index < mask.shape[axis]:
        return None
    found = np.argwhere(np.take(mask, index, axis))
    if len(found) == 0:
        return None
    place = [float(value) for value in found.mean(axis=0)]
    place.insert(axis, float(index))
    return place


def _chosenObjects(parameters: MedEnhanceHeadCTParameterNode) -> list[str]:
    chosen = (parameters.exportSeg, parameters.exportSr, parameters.exportKo)
    return [name for name, isChosen in zip(OBJECTS, chosen, strict=True) if isChosen]


def _sourceFiles(volume: Any) -> list[str]:
    return dicomFilesOf(volume, getattr(slicer, "dicomDatabase", None))


def _pointsOf(entry: ModelEntry | None) -> list[dict[str, Any]]:
    """The operating points that a model's manifest entry has."""
    calibration = entry.calibration if entry is not None else None
    return [asdict(point) for point in calibration.operating_points] if calibration is not None else []


class MedEnhanceHeadCTTest(ScriptedLoadableModuleTest):
    """Runs in Slicer, on the built-in case; also under CTest."""

    def runTest(self) -> None:
        """Run all."""
        for test in (self.test_mask, self.test_jump, self.test_panel):
            self.setUp()
            test()

    def setUp(self) -> None:
        """Start from an empty scene."""
        slicer.mrmlScene.Clear()

    def test_mask(self) -> None:
        """A mask goes into a segment and comes out as it was, and an edit of it is noticed."""
        import numpy as np

        from MedEnhanceLib.HeadSegmentation import addMask, setMask

        scan, _truth = loadHeadSample()
        mask = np.zeros(scan.GetImageData().GetDimensions()[::-1], np.uint8)
        mask[5:9, 60:80, 70:95] = 1
        node = addMask(slicer.mrmlScene, scan, mask, "mask")
        self.assertTrue(np.array_equal(maskOf(node, scan), mask))
        mask[7] = 0
        setMask(node, scan, mask)
        self.assertTrue(np.array_equal(maskOf(node, scan), mask))
        self.delayDisplay("A mask was made and edited.")

    def test_jump(self) -> None:
        """The axial view goes to the middle of a stored slice."""
        from MedEnhanceLib.SliceJump import jumpToSlice, nearestSlice

        scan, _truth = loadHeadSample()
        jumpToSlice(scan, 6)
        matrix = slicer.app.layoutManager().sliceWidget("Red").mrmlSliceNode().GetSliceToRAS()
        self.assertEqual(nearestSlice(scan, [matrix.GetElement(r, 3) for r in range(3)]), 6)
        self.delayDisplay("The views went to a slice.")

    def test_panel(self) -> None:
        """The panel runs the sample at the press of Apply, and says what is missing where no model is at hand."""
        slicer.util.selectModule("MedEnhanceHeadCT")
        widget = slicer.modules.MedEnhanceHeadCTWidget
        widget.onLoadSample()
        slicer.app.processEvents()
        self.assertEqual(widget.ui.applyButton.enabled, bool(widget.logic.models()))
        if widget.logic.models():
            widget.ui.applyButton.click()
            waitFor(lambda: not widget.controls.isRunning)
            self.assertIsNotNone(widget.logic.getParameterNode().mask, widget.ui.statusLabel.text)
            self.assertGreater(widget.ui.sliceStrip.columnCount, 0)
        self.delayDisplay("The panel was tried.")


def waitFor(condition: Callable[[], bool], limitS: float = 120.0) -> None:
    """Let Slicer work until a condition holds."""
    until = time.monotonic() + limitS
    while not condition() and time.monotonic() < until:
        slicer.app.processEvents()
        time.sleep(0.01)
