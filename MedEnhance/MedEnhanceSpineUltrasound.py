"""Spine ultrasound: projection, enhancement, segmentation and curve angles; module, panel, logic and self test.

From Slicer's Python console::

    logic = slicer.util.getModuleLogic("MedEnhanceSpineUltrasound")
    projections = logic.project(volume)
    nodes, report = logic.process(projections[2])
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Annotated, Any

import qt
import slicer
import vtk
from slicer import vtkMRMLScalarVolumeNode
from slicer.i18n import tr as _
from slicer.i18n import translate
from slicer.parameterNodeWrapper import Choice, WithinRange, parameterNodeWrapper
from slicer.ScriptedLoadableModule import (
    ScriptedLoadableModule,
    ScriptedLoadableModuleLogic,
    ScriptedLoadableModuleTest,
    ScriptedLoadableModuleWidget,
)
from slicer.util import VTKObservationMixin

from medenhance.errors import MedEnhanceError
from medenhance.manifest import ModelEntry, load_manifest
from MedEnhanceLib.BatchRun import BatchRow
from MedEnhanceLib.BlockingRun import runBlocking
from MedEnhanceLib.CurveSection import CurveSection, headings
from MedEnhanceLib.DicomExportJob import DicomExportJob
from MedEnhanceLib.ExportSection import ExportSection
from MedEnhanceLib.InputSection import showProblems
from MedEnhanceLib.ModelSection import ModelSection
from MedEnhanceLib.OverlaySection import OverlaySection
from MedEnhanceLib.ParameterBinding import ParameterBinding
from MedEnhanceLib.ProjectionJob import ProjectionJob
from MedEnhanceLib.Provenance import dicomProvenance, provenanceOf
from MedEnhanceLib.RequirementsSection import RequirementsSection
from MedEnhanceLib.RunControls import RunControls
from MedEnhanceLib.SettingsSection import SettingsSection
from MedEnhanceLib.SpineBatch import runSpineBatch
from MedEnhanceLib.SpineRun import TASK, projectionProblem, publish, spineRequest, stepsOf, writeReport
from MedEnhanceLib.VolumeJob import JobCallbacks, VolumeJob
from MedEnhanceLib.WorkerClient import RunCallbacks, WorkerFailure
from MedEnhanceLib.WorkerSession import WorkerSession

AS_STATED = "as the volume states"
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


@parameterNodeWrapper
class MedEnhanceSpineUltrasoundParameterNode:
    """What is saved with the scene.

    Attributes:
        inputVolume: 3D ultrasound that is projected.
        axes: What its columns, rows and slices run to.
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
        self.session = WorkerSession()
        self._job: Any = None

    def getParameterNode(self) -> MedEnhanceSpineUltrasoundParameterNode:
        return MedEnhanceSpineUltrasoundParameterNode(super().getParameterNode())

    def models(self) -> dict[str, ModelEntry]:
        """The models for this task that are part of MedEnhance, by id."""
        return {name: entry for name, entry in load_manifest().items() if entry.task == TASK}

    def project(self, inputVolume: vtkMRMLScalarVolumeNode, axes: str | None = None) -> list[Any]:
        """Project a volume and wait for it.

        Args:
            inputVolume: 3D ultrasound of the back; not changed.
            axes: What its columns, rows and slices run to, such as "RIA"; None takes its own directions.

        Returns:
            Five projections, superficial first.

        Raises:
            MedEnhanceError: With `kind`, `message` (what happened) and `hint` (what to do); then no node was made.
        """
        nodes, _result = runBlocking(
            lambda means, told: ProjectionJob(inputVolume, {"axes": axes}, means, told),
            self.session.client,
            slicer.app.temporaryPath,
        )
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
        nodes, result = runBlocking(
            lambda means, told: VolumeJob(request, means, told), self.session.client, slicer.app.temporaryPath
        )
        return publish(projection, nodes, result), result["report"]

    def startProjection(self, inputVolume: Any, callbacks: JobCallbacks, axes: str | None = None) -> None:
        """Project a volume without waiting; the callbacks tell how it goes."""
        assert not self.isRunning, "one run at a time"
        self._job = ProjectionJob(inputVolume, {"axes": axes}, self.session.means, callbacks)
        self._job.start()

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
        assert not self.isRunning, "one run at a time"
        options = self._options(modelId, thoracicEnd, device)
        request = spineRequest(projection, list(steps), options, pixelMm, outputVolume)
        finished = callbacks.finished

        def published(nodes: dict[str, Any], result: dict[str, Any]) -> None:
            finished(publish(projection, nodes, result), result)

        callbacks.finished = published
        self._job = VolumeJob(request, self.session.means, callbacks)
        self._job.start()

    @property
    def isRunning(self) -> bool:
        """Whether a run goes on."""
        return self._job is not None and self._job.isActive

    def cancel(self) -> None:
        """Stop the run; its `cancelled` is called within two seconds."""
        if self._job is not None:
            self._job.cancel()

    def processBatch(
        self,
        inputs: Sequence[Any],
        outputFolder: str | Path,
        modelId: str | None = None,
        pixelMm: float = 0.0,
        device: str = "auto",
    ) -> list[BatchRow]:
        """Enhance and measure many projections or volumes and wait; one that fails stops no other.

        Args:
            inputs: Projection nodes, and paths of projections or volumes.
            outputFolder: Gets a folder for each; those that are there already are kept.
            modelId: None for the default model.
            pixelMm: Size of the pixels; 0 takes what each image states.
            device: "auto", "cpu", "cuda" ...

        Returns:
            A row for each input.
        """
        options = self._options(modelId, "T12", device)
        return runSpineBatch(
            self.session.client, inputs, Path(outputFolder), options, pixelMm, slicer.app.temporaryPath
        )

    def exportDicom(
        self, volumeNode: Any, sourceFiles: Sequence[str], folder: str | Path, callbacks: RunCallbacks
    ) -> None:
        """Write an enhanced image as a derived DICOM series, without waiting."""
        assert not self.isRunning, "one run at a time"
        self._job = DicomExportJob(
            volumeNode, sourceFiles, Path(folder), dicomProvenance(volumeNode), self.session.means, callbacks
        )
        self._job.start()

    def _options(self, modelId: str | None, thoracicEnd: str, device: str) -> dict[str, Any]:
        settings = self.session.settings()
        return {
            "model": modelId or None,
            "thoracic_end": thoracicEnd,
            "device": settings.device if device == "auto" else device,
            "precision": settings.precision,
        }


class MedEnhanceSpineUltrasoundWidget(ScriptedLoadableModuleWidget, VTKObservationMixin):
    """The panel: connects its sections to the parameters and to the logic."""

    def __init__(self, parent: Any = None) -> None:
        ScriptedLoadableModuleWidget.__init__(self, parent)
        VTKObservationMixin.__init__(self)
        self.logic: MedEnhanceSpineUltrasoundLogic | None = None

    def setup(self) -> None:
        """Make the panel; called once, when the module is first opened."""
        ScriptedLoadableModuleWidget.setup(self)
        uiWidget = slicer.util.loadUI(self.resourcePath("UI/MedEnhanceSpineUltrasound.ui"))
        self.layout.addWidget(uiWidget)
        self.ui = slicer.util.childWidgetVariables(uiWidget)
        uiWidget.setMRMLScene(slicer.mrmlScene)
        self.logic = MedEnhanceSpineUltrasoundLogic()
        self._makeSections()
        self._connect()

    def cleanup(self) -> None:
        """The panel goes for good."""
        self.requirements.cancel()
        self.binding.follow(None)
        self.settings.stop()
        self.curves.stop()
        self.logic.session.close()
        self.removeObservers()

    def enter(self) -> None:
        """The user opens the module; a model may have been added meanwhile."""
        self.initializeParameterNode()
        if self.requirements.knownReady and not self.controls.isRunning:
            self.model.askFor(TASK, self.logic.session.client)

    def exit(self) -> None:
        """The user goes to another module; a run goes on."""
        self.ui.originalButton.setChecked(False)

    def onSceneStartClose(self, _caller: Any, _event: Any) -> None:
        self.logic.cancel()
        self.curves.stop()
        self.setParameterNode(None)

    def onSceneReady(self, _caller: Any, _event: Any) -> None:
        if self.parent.isEntered:
            self.initializeParameterNode()

    def initializeParameterNode(self) -> None:
        """Show the parameters of the scene."""
        self.setParameterNode(self.logic.getParameterNode())

    def setParameterNode(self, parameterNode: MedEnhanceSpineUltrasoundParameterNode | None) -> None:
        """Show these parameters; None shows none."""
        self.binding.follow(parameterNode)
        if parameterNode is not None:
            self.model.choose(parameterNode.modelId)
            self._onParametersModified()

    @property
    def _parameterNode(self) -> MedEnhanceSpineUltrasoundParameterNode | None:
        return self.binding.parameters

    def _makeSections(self) -> None:
        ui = self.ui
        self.binding = ParameterBinding(ui, self._onParametersModified)
        self.model = ModelSection(ui.modelComboBox, ui.modelCardBrowser, self._onModelChosen)
        self.model.setModels(self.logic.models().values())
        self.controls = RunControls(
            ui.applyButton, ui.progressBar, ui.statusLabel, self.onApply, self.onCancel, self._onRunChanged
        )
        self.requirements = RequirementsSection(self.logic.session, self.controls)
        self.overlay = OverlaySection(ui.originalButton, ui.markCheckBox, slicer.mrmlScene)
        self.curves = CurveSection(ui.reportLabel, ui.curveTable, slicer.mrmlScene)
        self.export = ExportSection(
            ui.exportButton, ui.exportLabel, self.controls, self.logic.exportDicom, self._onFailed
        )
        self.settings = SettingsSection(ui, self.logic.session.log, self._onSettingsProblem)

    def _connect(self) -> None:
        scene, events = slicer.mrmlScene, slicer.vtkMRMLScene
        self.addObserver(scene, events.StartCloseEvent, self.onSceneStartClose)
        self.addObserver(scene, events.EndCloseEvent, self.onSceneReady)
        # While a scene is read, parameters name nodes that the selectors do not know yet.
        self.addObserver(scene, events.EndImportEvent, self.onSceneReady)
        self.addObserver(scene, events.NodeAboutToBeRemovedEvent, self._onNodeAboutToBeRemoved)
        self.ui.projectButton.clicked.connect(self.onProject)
        self.ui.saveButton.clicked.connect(self.onSave)
        self.ui.installButton.clicked.connect(lambda: self.requirements.check(self._onParametersModified))

    @vtk.calldata_type(vtk.VTK_OBJECT)
    def _onNodeAboutToBeRemoved(self, _caller: Any, _event: Any, node: Any) -> None:
        """Clear a selector whose node goes: by itself it would take the neighbour, another patient's perhaps."""
        for selector in (self.ui.volumeSelector, self.ui.inputSelector, self.ui.outputSelector):
            if selector.currentNode() is node:
                selector.setCurrentNode(None)

    def _onParametersModified(self) -> None:
        """Bring what depends on the parameters up to date."""
        parameters, ui = self._parameterNode, self.ui
        image = parameters.projection if parameters is not None else None
        output = parameters.outputVolume if parameters is not None else None
        problem = projectionProblem(image, parameters.pixelMm if parameters is not None else 0.0)
        showProblems(ui.inputMessageLabel, [problem] if problem and image is not None else [])
        problem = problem or self._stepsProblem(parameters) or _sameNodeProblem(image, output)
        self.controls.setCanApply(not problem, problem or _("Do the chosen steps on the projection."))
        self._refreshProjectButton()
        found = _reportNode(parameters)
        report = provenanceOf(found)["report"] if found is not None else None
        enhanced = found if found is output else None
        self.curves.show(report, image)
        self.ui.saveButton.setEnabled(report is not None)
        self.overlay.setNodes(image, enhanced, parameters.generated if enhanced is not None else None)
        self.export.setVolumes(image, enhanced, parameters is not None and parameters.addToDatabase)

    def _stepsProblem(self, parameters: Any) -> str:
        if parameters is not None and not (parameters.enhance or parameters.segment or parameters.measure):
            return _("Choose at least one step.")
        if self.model.entry is None:
            return _("No model for spine ultrasound is at hand; open MedEnhance Models to add one.")
        return ""

    def _onRunChanged(self) -> None:
        self.export.refresh()
        self.ui.installButton.setEnabled(not self.controls.isRunning)
        self._refreshProjectButton()

    def _refreshProjectButton(self) -> None:
        parameters = self._parameterNode
        able = parameters is not None and parameters.inputVolume is not None
        self.ui.projectButton.setEnabled(able and not self.controls.isRunning)

    def _onModelChosen(self, modelId: str) -> None:
        if self._parameterNode is not None:
            self._parameterNode.modelId = modelId

    def _onSettingsProblem(self, problem: str) -> None:
        self.ui.settingsMessageLabel.setText(problem)
        self.ui.settingsMessageLabel.setVisible(bool(problem))

    def onProject(self) -> None:
        """Project the volume."""
        self.requirements.whenReady(self._startProjection)

    def onApply(self) -> None:
        """Do the chosen steps."""
        self.requirements.whenReady(self._start)

    def onCancel(self) -> None:
        """Stop whatever goes on."""
        if not self.requirements.cancel():
            self.logic.cancel()

    def _callbacks(self, finished: Callable[[dict[str, Any], dict[str, Any]], None]) -> JobCallbacks:
        return JobCallbacks(
            progress=self.controls.progress,
            warning=self.controls.warn,
            finished=finished,
            failed=self._onFailed,
            cancelled=self.controls.cancelled,
        )

    def _startProjection(self) -> None:
        parameters = self._parameterNode
        if parameters is None or parameters.inputVolume is None:  # went while the interpreter was checked
            self.controls.cancelled()
            return
        self.controls.begin()
        axes = None if parameters.axes == AS_STATED else parameters.axes
        self.logic.startProjection(parameters.inputVolume, self._callbacks(self._onProjected), axes)

    def _onProjected(self, nodes: dict[str, Any], result: dict[str, Any]) -> None:
        depths = ", ".join(f"{depth:.0f}" for depth in result["depths_mm"])
        self.controls.succeeded(_("Projected at {depths} mm below the skin.").format(depths=depths))
        if self._parameterNode is not None:
            middle = list(nodes.values())[len(nodes) // 2]
            with slicer.util.NodeModify(self._parameterNode.parameterNode):
                self._parameterNode.projection = middle
                self._parameterNode.outputVolume = None
            slicer.util.setSliceViewerLayers(background=middle, foreground=None, label=None, fit=True)

    def _start(self) -> None:
        parameters = self._parameterNode
        if parameters is None or parameters.projection is None:  # went while the interpreter was checked
            self.controls.cancelled()
            return
        self.controls.begin()
        try:
            self.logic.start(
                parameters.projection,
                self._callbacks(self._onFinished),
                outputVolume=parameters.outputVolume,
                modelId=self.model.modelId,
                steps=stepsOf(parameters.enhance, parameters.segment, parameters.measure),
                pixelMm=parameters.pixelMm,
                thoracicEnd=parameters.thoracicEnd,
            )
        except MedEnhanceError as error:
            self._onFailed(WorkerFailure(error.kind, error.message, error.hint))

    def _onFinished(self, nodes: dict[str, Any], result: dict[str, Any]) -> None:
        run = result["report"]["run"]
        self.model.rememberSeconds(run["model_id"], run["seconds"])
        self.controls.succeeded(_("Done in {seconds:.1f} s on {device} ({precision}).").format(**run))
        if self._parameterNode is None:  # the scene was closed meanwhile
            return
        with slicer.util.NodeModify(self._parameterNode.parameterNode):
            # Without one, that of an earlier run does not belong to these lines.
            self._parameterNode.outputVolume = nodes.get("output")
            self._parameterNode.generated = nodes.get("generated")
        self._onParametersModified()
        self.overlay.show()

    def _onFailed(self, failure: WorkerFailure) -> None:
        if failure.kind == "worker-start":
            self.requirements.forget()
        self.controls.failed(failure)

    def onSave(self) -> None:
        """Write the table or the report to a file that the user names."""
        found = _reportNode(self._parameterNode)
        path = qt.QFileDialog.getSaveFileName(
            None, _("Save the curves"), "curves.csv", _("Table (*.csv);;Report (*.json)")
        )
        if not path or found is None:
            return
        try:
            writeReport(provenanceOf(found)["report"], Path(path), self.curves.rows(), headings())
        except MedEnhanceError as error:
            self._onFailed(WorkerFailure(error.kind, error.message, error.hint))


def _reportNode(parameters: Any) -> Any:
    """The node whose report belongs to the chosen projection: the enhanced image, else its segmentation."""
    image = parameters.projection if parameters is not None else None
    if image is None:
        return None
    segmentations = slicer.util.getNodesByClass("vtkMRMLSegmentationNode")
    for node in (parameters.outputVolume, *reversed(segmentations)):
        provenance = provenanceOf(node)
        if provenance is not None and provenance["input"] is image and provenance["report"] is not None:
            return node
    return None


def _sameNodeProblem(image: Any, output: Any) -> str:
    if image is not None and image is output:
        return _("The original is never changed: choose another volume for the enhanced image.")
    return ""


class MedEnhanceSpineUltrasoundTest(ScriptedLoadableModuleTest):
    """Runs in Slicer, on a drawn projection; also under CTest."""

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

        image = drawnProjection()
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
        widget.logic.getParameterNode().projection = drawnProjection()
        slicer.app.processEvents()
        self.assertEqual(widget.ui.applyButton.enabled, bool(widget.logic.models()))
        if widget.logic.models():
            widget.ui.applyButton.click()
            waitFor(lambda: not widget.controls.isRunning)
            self.assertIsNotNone(widget.logic.getParameterNode().outputVolume, widget.ui.statusLabel.text)
        self.delayDisplay("The panel was tried.")


def drawnProjection() -> Any:
    """A coronal slice of noise with half-millimetre pixels."""
    import numpy as np

    node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", "Drawn projection")
    image = np.random.default_rng(0).integers(60, 200, (1, 400, 160), dtype=np.uint8)
    slicer.util.updateVolumeFromArray(node, image)
    node.SetSpacing(0.4, 0.4, 10.0)
    node.SetIJKToRASDirections(1, 0, 0, 0, 0, 1, 0, -1, 0)
    return node


def waitFor(condition: Callable[[], bool], limitS: float = 120.0) -> None:
    """Let Slicer work until a condition holds."""
    until = time.monotonic() + limitS
    while not condition() and time.monotonic() < until:
        slicer.app.processEvents()
        time.sleep(0.01)
