"""Spine ultrasound: projection, enhancement, segmentation and curve angles; module, panel, logic and self test.

From Slicer's Python console::

    logic = slicer.util.getModuleLogic("MedEnhanceSpineUltrasound")
    projections = logic.project(volume)
    nodes, report = logic.process(projections[2])
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import qt
import slicer
from slicer import vtkMRMLMarkupsROINode, vtkMRMLScalarVolumeNode
from slicer.i18n import tr as _
from slicer.i18n import translate
from slicer.parameterNodeWrapper import Choice, WithinRange, parameterNodeWrapper
from slicer.ScriptedLoadableModule import (
    ScriptedLoadableModule,
    ScriptedLoadableModuleLogic,
    ScriptedLoadableModuleTest,
    ScriptedLoadableModuleWidget,
)

from medenhance.errors import MedEnhanceError
from medenhance.manifest import ModelEntry
from MedEnhanceLib.BatchRun import BatchRequest, BatchRow, runBatch
from MedEnhanceLib.CurveSection import CurveSection, headings
from MedEnhanceLib.ExportSection import ExportSection
from MedEnhanceLib.InputSection import showProblems
from MedEnhanceLib.OverlaySection import OverlaySection
from MedEnhanceLib.ProjectionJob import ProjectionJob
from MedEnhanceLib.ProjectSection import AS_STATED, ProjectSection
from MedEnhanceLib.Provenance import provenanceOf
from MedEnhanceLib.ReportFile import writeReport
from MedEnhanceLib.SceneJob import JobCallbacks
from MedEnhanceLib.SpineExport import segmentationTrip
from MedEnhanceLib.SpineMeasure import (
    ENHANCED,
    ORIGINAL,
    labelsToMeasure,
    measureTrip,
    publishMeasured,
    reportOf,
    resultOf,
    segmentationsOf,
)
from MedEnhanceLib.SpineRun import (
    TASK,
    batchOptions,
    projectionProblem,
    publish,
    spineRequest,
    stepsOf,
)
from MedEnhanceLib.SpineSample import loadSpineSample, registerSpineSample
from MedEnhanceLib.TaskPanel import PanelEvents, TaskPanel, loadPanel
from MedEnhanceLib.TaskRuns import TaskRuns
from MedEnhanceLib.Views import waitFor
from MedEnhanceLib.VolumeJob import VolumeJob
from MedEnhanceLib.WorkerClient import RunCallbacks

_AXES = ("RIA", "LIA", "RSA", "LSA", "RIP", "LIP", "RSP", "LSP", "RAI", "LAI", "RAS", "LAS", "RPI", "LPI", "RPS", "LPS")


class MedEnhanceSpineUltrasound(ScriptedLoadableModule):
    """What Slicer's module list shows."""

    def __init__(self, parent: Any) -> None:
        ScriptedLoadableModule.__init__(self, parent)
        parent.title = _("MedEnhance Spine Ultrasound")
        parent.categories = [translate("qSlicerAbstractCoreModule", "Ultrasound")]
        parent.dependencies = []
        parent.contributors = ["MedEnhance contributors"]
        parent.helpText = _(
            "Projects a 3D ultrasound of the back to coronal images, removes their structured noise, segments the "
            "spine and measures ultrasound curve angles of the original and of the enhanced image. Research use only."
        )
        parent.acknowledgementText = _("The model cards name the publications and the data of each network.")
        slicer.app.connect("startupCompleted()", registerSpineSample)


@parameterNodeWrapper
class MedEnhanceSpineUltrasoundParameterNode:
    """What is saved with the scene.

    Attributes:
        inputVolume: 3D ultrasound that is projected.
        axes: What its columns, rows and slices run to.
        region: ROI whose axes are the patient's, instead.
        projection: The coronal image that is enhanced and measured.
        pixelMm: Size of its pixels, mm; 0 takes what it states.
        enhance, segment, measure: The steps.
        thoracicEnd: What the lowest level with transverse processes is taken to be.
        modelId: The model; empty for the default one. Set by hand, as the models are only known at run time.
        outputVolume: The enhanced image; None for a new one.
        generated: Label map of what was generated in it.
        markGenerated: Whether that is shown.
        addToDatabase: Whether an exported series is imported into Slicer's DICOM database.
    """

    inputVolume: vtkMRMLScalarVolumeNode
    axes: Annotated[str, Choice([AS_STATED, *_AXES])] = AS_STATED
    region: vtkMRMLMarkupsROINode
    projection: vtkMRMLScalarVolumeNode
    pixelMm: Annotated[float, WithinRange(0.0, 5.0)] = 0.0
    enhance: bool = True
    segment: bool = True
    measure: bool = True
    thoracicEnd: Annotated[str, Choice(["T12", "T11"])] = "T12"
    modelId: str
    outputVolume: vtkMRMLScalarVolumeNode
    generated: slicer.vtkMRMLLabelMapVolumeNode
    markGenerated: bool = True
    addToDatabase: bool = False


class MedEnhanceSpineUltrasoundLogic(ScriptedLoadableModuleLogic):
    """Projects, enhances, segments and measures; never opens a dialog. One run at a time."""

    def __init__(self) -> None:
        ScriptedLoadableModuleLogic.__init__(self)
        self.runs = TaskRuns(TASK)
        self.session = self.runs.session

    def getParameterNode(self) -> MedEnhanceSpineUltrasoundParameterNode:
        return MedEnhanceSpineUltrasoundParameterNode(super().getParameterNode())

    def models(self) -> dict[str, ModelEntry]:
        """The models for this task that are part of MedEnhance, by id."""
        return self.runs.models()

    def project(
        self,
        inputVolume: vtkMRMLScalarVolumeNode | str | Path,
        axes: str | None = None,
        region: vtkMRMLMarkupsROINode | None = None,
        calibration: str | Path | None = None,
    ) -> list[Any]:
        """Project a volume or a recording and wait for it.

        Args:
            inputVolume: 3D ultrasound of the back, not changed; or the path of a tracked recording (.igs.mha ...).
            axes: What its columns, rows and slices run to, such as "RIA"; None takes its own directions.
            region: ROI whose axes are the patient's right, front and head; instead of ``axes``.
            calibration: PLUS configuration that places the images of a recording on its probe.

        Returns:
            Five projections, superficial first.

        Raises:
            MedEnhanceError: With `kind`, `message` (what happened) and `hint` (what to do); then no node was made.
        """
        options = _projectionOptions(axes, calibration)
        nodes, _result = self.runs.wait(lambda means, told: ProjectionJob(inputVolume, options, means, told, region))
        return list(nodes.values())

    def process(
        self,
        projection: vtkMRMLScalarVolumeNode,
        outputVolume: vtkMRMLScalarVolumeNode | None = None,
        modelId: str | None = None,
        steps: Sequence[str] = ("enhance", "segment", "measure"),
        pixelMm: float = 0.0,
        thoracicEnd: str = "T12",
        device: str = "auto",
    ) -> tuple[dict[str, Any], dict[str, Any]]:
        """Enhance, segment and measure a projection and wait for it.

        Args:
            projection: Coronal image; not changed.
            outputVolume: Gets the enhanced image; None makes a new volume.
            modelId: None for the default model.
            steps: "enhance", "segment", "measure".
            pixelMm: Size of the pixels; 0 takes what the image states.
            thoracicEnd: "T12" or "T11".
            device: "auto", "cpu", "cuda" ...

        Returns:
            Nodes ("output", "generated", "segmentationOriginal", "segmentationEnhanced") and the report.

        Raises:
            MedEnhanceError: With `kind`, `message` and `hint`; then no node was changed.
        """
        options = self._options(modelId, thoracicEnd, device)
        request = spineRequest(projection, list(steps), options, pixelMm, outputVolume)
        nodes, result = self.runs.wait(lambda means, told: VolumeJob(request, means, told))
        return publish(projection, nodes, result), result["report"]

    def startProjection(
        self,
        inputVolume: vtkMRMLScalarVolumeNode | str | Path,
        callbacks: JobCallbacks,
        axes: str | None = None,
        region: vtkMRMLMarkupsROINode | None = None,
        calibration: str | Path | None = None,
    ) -> None:
        """Project without waiting; arguments as of `project`, the callbacks tell how it goes."""
        options = _projectionOptions(axes, calibration)
        self.runs.start(lambda means: ProjectionJob(inputVolume, options, means, callbacks, region))

    def start(
        self,
        projection: Any,
        callbacks: JobCallbacks,
        outputVolume: Any = None,
        modelId: str | None = None,
        steps: Sequence[str] = ("enhance", "segment", "measure"),
        pixelMm: float = 0.0,
        thoracicEnd: str = "T12",
        device: str = "auto",
    ) -> None:
        """Enhance, segment and measure without waiting; arguments as of `process`, the callbacks tell how it goes.

        Raises:
            MedEnhanceError: The projection cannot be used; nothing was begun.
        """
        options = self._options(modelId, thoracicEnd, device)
        request = spineRequest(projection, list(steps), options, pixelMm, outputVolume)

        def published(nodes: dict[str, Any], result: dict[str, Any]) -> None:
            callbacks.finished(publish(projection, nodes, result), result)

        told = replace(callbacks, finished=published)
        self.runs.start(lambda means: VolumeJob(request, means, told))

    def measureAgain(self, projection: vtkMRMLScalarVolumeNode, thoracicEnd: str = "T12") -> dict[str, Any]:
        """Measure the segmentations of a projection as they were edited, and wait for it.

        The lines are drawn anew, and the new report is noted on the results of the run.

        Args:
            projection: The original, after a run.
            thoracicEnd: "T12" or "T11".

        Returns:
            The new report.

        Raises:
            MedEnhanceError: With `kind`, `message` and `hint`; then nothing was changed.
        """
        report = reportOf(projection)
        labels = labelsToMeasure(projection, report)
        result = self.runs.result(lambda means, told: measureTrip(projection, labels, report, thoracicEnd, means, told))
        return publishMeasured(projection, report, result["report"])

    def startMeasuring(
        self, projection: vtkMRMLScalarVolumeNode, callbacks: RunCallbacks, thoracicEnd: str = "T12"
    ) -> None:
        """The same without waiting; `finished` gets the new report.

        Raises:
            MedEnhanceError: There is nothing to measure; nothing was begun.
        """
        report = reportOf(projection)
        labels = labelsToMeasure(projection, report)

        def finished(result: dict[str, Any]) -> None:
            if projection.GetScene() is None:  # deleted meanwhile
                callbacks.cancelled()
            else:
                callbacks.finished(publishMeasured(projection, report, result["report"]))

        told = replace(callbacks, finished=finished)
        self.runs.start(lambda means: measureTrip(projection, labels, report, thoracicEnd, means, told))

    @property
    def isRunning(self) -> bool:
        """Whether a run goes on."""
        return self.runs.isRunning

    def cancel(self) -> None:
        """Stop the run; its `cancelled` is called within two seconds."""
        self.runs.cancel()

    def processBatch(
        self,
        inputs: Sequence[Any],
        outputFolder: str | Path,
        modelId: str | None = None,
        pixelMm: float = 0.0,
        device: str = "auto",
        told: Callable[[BatchRow], object] = lambda _row: None,
    ) -> list[BatchRow]:
        """Enhance and measure many projections or volumes and wait; one that fails stops no other.

        Args:
            inputs: Projection nodes, and paths of projections or volumes.
            outputFolder: Gets a folder for each, and a table of how each ended. What is done already, from the same
                input with the same model and options, is skipped, so a batch that was stopped goes on.
            modelId: None for the default model.
            pixelMm: Size of the pixels; 0 takes what each image states.
            device: "auto", "cpu", "cuda" ...
            told: Called with each row as soon as it is known, such as `print`.

        Returns:
            A row for each input.

        Raises:
            MedEnhanceError: What every input would fail with, such as an unknown model.
        """
        request = BatchRequest(
            TASK,
            list(inputs),
            Path(outputFolder),
            self._options(modelId, "T12", device),
            "",
            slicer.app.temporaryPath,
            told,
            asFolder=True,
            optionsOf=lambda one: batchOptions(one, pixelMm),
        )
        return runBatch(self.session.client, request)

    def exportDicom(
        self, volumeNode: Any, sourceFiles: Sequence[str], folder: str | Path, callbacks: RunCallbacks
    ) -> None:
        """Write an enhanced image as a derived DICOM series, without waiting."""
        self.runs.exportDicom(volumeNode, sourceFiles, folder, callbacks)

    def exportSegmentation(
        self, segmentationNode: Any, sourceFiles: Sequence[str], folder: str | Path, callbacks: RunCallbacks
    ) -> None:
        """Write a segmentation, as it is now, as a DICOM segmentation of its projection, without waiting.

        Args:
            segmentationNode: Of a run.
            sourceFiles: DICOM files of the projection, such as `dicomFilesOf` finds them.
            folder: New or empty folder.
            callbacks: Called on the main thread.

        Raises:
            MedEnhanceError: The segmentation cannot be exported; nothing was begun.
        """
        self.runs.start(lambda means: segmentationTrip(segmentationNode, sourceFiles, Path(folder), means, callbacks))

    def _options(self, modelId: str | None, thoracicEnd: str, device: str) -> dict[str, Any]:
        return {**self.runs.options(modelId, device), "thoracic_end": thoracicEnd}


class MedEnhanceSpineUltrasoundWidget(ScriptedLoadableModuleWidget):
    """The panel: connects its sections to the parameters and to the logic."""

    def __init__(self, parent: Any = None) -> None:
        ScriptedLoadableModuleWidget.__init__(self, parent)
        self.logic: MedEnhanceSpineUltrasoundLogic | None = None

    def setup(self) -> None:
        """Make the panel; called once, when the module is first opened."""
        ScriptedLoadableModuleWidget.setup(self)
        self.ui = loadPanel(self, "MedEnhanceSpineUltrasound")
        self.logic = MedEnhanceSpineUltrasoundLogic()
        self.panel = TaskPanel(self.ui, self.logic, PanelEvents(self._onModified, self._onSceneClosing))
        self.model, self.controls, self.requirements = self.panel.model, self.panel.controls, self.panel.requirements
        self._makeSections()
        self.panel.connectApply(self.onApply)
        self.ui.saveButton.clicked.connect(self.onSave)
        self.ui.sampleDataButton.clicked.connect(self.onLoadSample)
        self.ui.measureAgainButton.clicked.connect(self.onMeasureAgain)
        self.panel.resume(self.parent.isEntered)

    def cleanup(self) -> None:
        """The panel goes for good."""
        self.panel.close()
        self.curves.stop()

    def enter(self) -> None:
        """The user opens the module."""
        self.panel.enter()

    def exit(self) -> None:
        """The user goes to another module; a run goes on."""
        self.panel.exit()
        self.ui.originalButton.setChecked(False)

    @property
    def _parameterNode(self) -> MedEnhanceSpineUltrasoundParameterNode | None:
        return self.panel.parameters

    def _makeSections(self) -> None:
        ui = self.ui
        self.project = ProjectSection(ui, self.panel, self.logic.startProjection, self._onProjected)
        self.overlay = OverlaySection(ui.originalButton, ui.markCheckBox, slicer.mrmlScene)
        self.curves = CurveSection(ui.reportLabel, ui.curveTable, slicer.mrmlScene)
        self.export = ExportSection(
            ui.exportButton, ui.exportLabel, self.controls, self.logic.exportDicom, self.panel.failed
        )
        self.segmentationExports = {
            name: ExportSection(button, ui.exportLabel, self.controls, self.logic.exportSegmentation, self.panel.failed)
            for name, button in ((ORIGINAL, ui.exportOriginalButton), (ENHANCED, ui.exportEnhancedButton))
        }

    def _onSceneClosing(self) -> None:
        self.curves.stop()

    def _onModified(self) -> None:
        """Bring what depends on the parameters, the model and the run up to date."""
        parameters, ui = self._parameterNode, self.ui
        image = parameters.projection if parameters is not None else None
        output = parameters.outputVolume if parameters is not None else None
        problem = projectionProblem(image, parameters.pixelMm if parameters is not None else 0.0)
        showProblems(ui.inputMessageLabel, [problem] if problem and image is not None else [])
        problem = problem or self._stepsProblem(parameters) or _sameNodeProblem(image, output)
        self.controls.setCanApply(not problem, problem or _("Do the chosen steps on the projection."))
        self.project.refresh()
        found = resultOf(image, output)
        report = provenanceOf(found)["report"] if found is not None else None
        enhanced = found if found is output else None
        self.curves.show(report, image)
        self.ui.saveButton.setEnabled(report is not None)
        segmentations = segmentationsOf(image) if image is not None else {}
        self.ui.measureAgainButton.setEnabled(ORIGINAL in segmentations and not self.controls.isRunning)
        self.overlay.setNodes(image, enhanced, parameters.generated if enhanced is not None else None)
        addToDatabase = parameters is not None and parameters.addToDatabase
        self.export.setVolumes(image, enhanced, addToDatabase)
        for name, section in self.segmentationExports.items():
            section.setVolumes(image, segmentations.get(name), addToDatabase)

    def _stepsProblem(self, parameters: Any) -> str:
        if parameters is not None and not (parameters.enhance or parameters.segment or parameters.measure):
            return _("Choose at least one step.")
        if self.model.entry is None:
            return _("No model for spine ultrasound is at hand; open MedEnhance Models to add one.")
        return ""

    def onApply(self) -> None:
        """Do the chosen steps."""
        self.panel.run(self._start, needed="projection")

    def _onProjected(self, projections: list[Any]) -> None:
        if self._parameterNode is not None:
            middle = projections[len(projections) // 2]
            with slicer.util.NodeModify(self._parameterNode.parameterNode):
                self._parameterNode.projection = middle
                self._parameterNode.outputVolume = None
            slicer.util.setSliceViewerLayers(background=middle, foreground=None, label=None, fit=True)

    def _start(self, parameters: MedEnhanceSpineUltrasoundParameterNode) -> None:
        self.logic.start(
            parameters.projection,
            self.panel.callbacks(self._onFinished),
            outputVolume=parameters.outputVolume,
            modelId=self.model.modelId,
            steps=stepsOf(parameters.enhance, parameters.segment, parameters.measure),
            pixelMm=parameters.pixelMm,
            thoracicEnd=parameters.thoracicEnd,
        )

    def _onFinished(self, nodes: dict[str, Any], result: dict[str, Any]) -> None:
        self.panel.doneIn(result["report"]["run"], result["report"]["warnings"])
        if self._parameterNode is None:  # the scene was closed meanwhile
            return
        with slicer.util.NodeModify(self._parameterNode.parameterNode):
            # Without one, that of an earlier run does not belong to these lines.
            self._parameterNode.outputVolume = nodes.get("output")
            self._parameterNode.generated = nodes.get("generated")
        self._onModified()
        self.overlay.show()

    def onMeasureAgain(self) -> None:
        """Measure the segmentations as they are now."""
        self.panel.run(self._startMeasuring, needed="projection")

    def _startMeasuring(self, parameters: MedEnhanceSpineUltrasoundParameterNode) -> None:
        callbacks = self.panel.runCallbacks(self._onMeasured)
        self.logic.startMeasuring(parameters.projection, callbacks, parameters.thoracicEnd)

    def _onMeasured(self, _report: dict[str, Any]) -> None:
        self.controls.succeeded(_("The segmentations were measured as they are now."))

    def onLoadSample(self) -> None:
        """Load the built-in projection and choose it."""
        projection = loadSpineSample()
        with slicer.util.NodeModify(self._parameterNode.parameterNode):
            self._parameterNode.projection = projection
            self._parameterNode.pixelMm = 0.0
            self._parameterNode.outputVolume = None

    def onSave(self) -> None:
        """Write the table or the report to a file that the user names."""
        parameters = self._parameterNode
        found = resultOf(parameters.projection, parameters.outputVolume) if parameters is not None else None
        path = qt.QFileDialog.getSaveFileName(
            None, _("Save the curves"), "curves.csv", _("Table (*.csv);;Report (*.json)")
        )
        if not path or found is None:
            return
        try:
            writeReport(provenanceOf(found)["report"], Path(path), self.curves.rows(), headings())
        except MedEnhanceError as error:
            self.panel.refuse(error)


def _projectionOptions(axes: str | None, calibration: str | Path | None) -> dict[str, Any]:
    return {"axes": axes, "image_to_probe": None if calibration is None else str(calibration)}


def _sameNodeProblem(image: Any, output: Any) -> str:
    if image is not None and image is output:
        return _("The original is never changed: choose another volume for the enhanced image.")
    return ""


class MedEnhanceSpineUltrasoundTest(ScriptedLoadableModuleTest):
    """Runs in Slicer, on the built-in projection; also under CTest."""

    def runTest(self) -> None:
        """Run all."""
        for test in (self.test_lines, self.test_panel):
            self.setUp()
            test()

    def setUp(self) -> None:
        """Start from an empty scene."""
        slicer.mrmlScene.Clear()

    def test_lines(self) -> None:
        """Lines give the angle that they were drawn with, and another one after one was dragged."""
        from MedEnhanceLib.CurveLines import CurveLines, addCurveLines

        image = loadSpineSample()
        upper = {"level": "T5", "left": [40.0, 20.0], "right": [40.0, 80.0]}
        lower = {"level": "L1", "left": [120.0, 20.0], "right": [180.0, 80.0]}
        lines = addCurveLines(slicer.mrmlScene, image, [{"lines": [upper, lower]}])
        follower = CurveLines(slicer.mrmlScene, lambda: None)
        follower.follow(image, (0.5, 0.5))
        self.assertAlmostEqual(follower.angles()[0], 45.0, places=6)
        lines[1].SetNthControlPointPositionWorld(1, lines[1].GetNthControlPointPositionWorld(0))
        self.assertNotIn(0, follower.angles())
        follower.follow(None, None)
        self.delayDisplay("Lines were measured.")

    def test_panel(self) -> None:
        """The panel takes a projection, and says what is missing where no model is at hand."""
        slicer.util.selectModule("MedEnhanceSpineUltrasound")
        widget = slicer.modules.MedEnhanceSpineUltrasoundWidget
        widget.onLoadSample()
        slicer.app.processEvents()
        self.assertEqual(widget.ui.applyButton.enabled, bool(widget.logic.models()))
        if widget.logic.models():
            widget.ui.applyButton.click()
            waitFor(lambda: not widget.controls.isRunning)
            self.assertIsNotNone(widget.logic.getParameterNode().outputVolume, widget.ui.statusLabel.text)
        self.delayDisplay("The panel was tried.")
