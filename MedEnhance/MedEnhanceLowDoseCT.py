"""Low-dose CT denoising: the module, its parameters, panel, logic and self test.

From Slicer's Python console::

    logic = slicer.util.getModuleLogic("MedEnhanceLowDoseCT")
    report = logic.process(inputVolume, outputVolume, strength=0.8)
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Annotated, Any

import slicer
import vtk
from slicer import vtkMRMLMarkupsROINode, vtkMRMLScalarVolumeNode
from slicer.i18n import tr as _
from slicer.i18n import translate
from slicer.parameterNodeWrapper import WithinRange, parameterNodeWrapper
from slicer.ScriptedLoadableModule import (
    ScriptedLoadableModule,
    ScriptedLoadableModuleLogic,
    ScriptedLoadableModuleTest,
    ScriptedLoadableModuleWidget,
)

from medenhance.errors import MedEnhanceError
from medenhance.manifest import ModelEntry
from MedEnhanceLib.BatchRun import BatchRequest, BatchRow, runBatch
from MedEnhanceLib.CompareLayout import CompareLayout
from MedEnhanceLib.CompareSection import CompareSection
from MedEnhanceLib.ExportSection import ExportSection
from MedEnhanceLib.FrameSequence import sequenceOf
from MedEnhanceLib.InputCheck import inputProblem
from MedEnhanceLib.InputSection import InputSection
from MedEnhanceLib.Provenance import provenanceOf
from MedEnhanceLib.RegionSection import RegionSection
from MedEnhanceLib.SampleCase import loadSample, registerSample
from MedEnhanceLib.SceneJob import JobCallbacks
from MedEnhanceLib.SequenceJob import SequenceJob
from MedEnhanceLib.TaskPanel import PanelEvents, TaskPanel, loadPanel
from MedEnhanceLib.TaskRuns import TaskRuns
from MedEnhanceLib.TrustSection import TrustSection
from MedEnhanceLib.Views import refreshViews, showChart, waitFor
from MedEnhanceLib.VolumeJob import REMOVED, JobRequest, Target, VolumeJob
from MedEnhanceLib.WorkerClient import RunCallbacks

TASK = "denoise-ct"


class MedEnhanceLowDoseCT(ScriptedLoadableModule):
    """What Slicer's module list shows."""

    def __init__(self, parent: Any) -> None:
        ScriptedLoadableModule.__init__(self, parent)
        parent.title = _("MedEnhance Low-dose CT")
        parent.categories = [translate("qSlicerAbstractCoreModule", "Filtering.Denoising")]
        parent.dependencies = []
        parent.contributors = ["MedEnhance contributors"]
        parent.helpText = _(
            "Denoises low-dose CT with published deep networks, shows what was removed and what it did to the CT "
            "numbers, and exports the result as DICOM. Research use only."
        )
        parent.acknowledgementText = _("The model cards name the publications and the data of each network.")
        slicer.app.connect("startupCompleted()", registerSample)


@parameterNodeWrapper
class MedEnhanceLowDoseCTParameterNode:
    """What is saved with the scene.

    Attributes:
        inputVolume: The volume to denoise.
        allFrames: Whether all frames of its sequence are denoised.
        modelId: The model; empty for the default one. Set by hand, as the models are only known at run time.
        strength: 0 keeps the input, 1 is the network's output.
        outputVolume: Where the result goes; None for a new volume.
        createResidual: Whether what was removed is kept.
        residualVolume: Where it goes; None for a new volume.
        blend: Opacity of the denoised volume over the original.
        region: ROI of the read-out.
        addToDatabase: Whether an exported series is imported into Slicer's DICOM database.
    """

    inputVolume: vtkMRMLScalarVolumeNode
    allFrames: bool = False
    modelId: str
    strength: Annotated[float, WithinRange(0.0, 1.0)] = 1.0
    outputVolume: vtkMRMLScalarVolumeNode
    createResidual: bool = True
    residualVolume: vtkMRMLScalarVolumeNode
    blend: Annotated[float, WithinRange(0.0, 1.0)] = 0.0
    region: vtkMRMLMarkupsROINode
    addToDatabase: bool = False


class MedEnhanceLowDoseCTLogic(ScriptedLoadableModuleLogic):
    """Denoises; never opens a dialog. One run at a time."""

    def __init__(self) -> None:
        ScriptedLoadableModuleLogic.__init__(self)
        self.runs = TaskRuns(TASK)
        self.session = self.runs.session

    def getParameterNode(self) -> MedEnhanceLowDoseCTParameterNode:
        return MedEnhanceLowDoseCTParameterNode(super().getParameterNode())

    def models(self) -> dict[str, ModelEntry]:
        """The models for this task that are part of MedEnhance, by id."""
        return self.runs.models()

    def defaultModel(self) -> ModelEntry | None:
        """The model that is taken when none is named."""
        return self.runs.entryOf(None)

    def process(
        self,
        inputVolume: vtkMRMLScalarVolumeNode,
        outputVolume: vtkMRMLScalarVolumeNode,
        modelId: str | None = None,
        strength: float = 1.0,
        residualVolume: vtkMRMLScalarVolumeNode | None = None,
        device: str = "auto",
    ) -> dict[str, Any]:
        """Denoise a volume and wait for it.

        Args:
            inputVolume: CT in HU; not changed.
            outputVolume: Gets the result, on the grid of the input.
            modelId: None for the default model.
            strength: 0 keeps the input, 1 is the network's output.
            residualVolume: Gets input minus output, when given.
            device: "auto", "cpu", "cuda" ...

        Returns:
            The trust report.

        Raises:
            MedEnhanceError: With `kind`, `message` (what happened) and `hint` (what to do); then no node was changed.
        """
        request = self._request(inputVolume, modelId, strength, device)
        request.targets["output"] = Target(outputVolume)
        if residualVolume is not None:
            request.targets["residual"] = Target(residualVolume, what=REMOVED)
        problem = _sameNodeProblem(inputVolume, outputVolume, residualVolume)
        if problem:
            raise MedEnhanceError("output-refused", problem)
        self._refuseUnsuitable(inputVolume, modelId)
        return self.runs.wait(lambda means, told: VolumeJob(request, means, told))[1]["report"]

    def start(
        self,
        inputVolume: vtkMRMLScalarVolumeNode,
        callbacks: JobCallbacks,
        outputVolume: vtkMRMLScalarVolumeNode | None = None,
        modelId: str | None = None,
        strength: float = 1.0,
        createResidual: bool = False,
        residualVolume: vtkMRMLScalarVolumeNode | None = None,
        device: str = "auto",
        allFrames: bool = False,
    ) -> None:
        """Denoise a volume without waiting; the callbacks tell how it goes.

        Args:
            inputVolume: CT in HU; with `allFrames` the volume that a sequence browser shows.
            callbacks: Called on the main thread.
            outputVolume: None makes a new volume beside the input, when there is a result.
            modelId: None for the default model.
            strength: 0 keeps the input, 1 is the network's output.
            createResidual: Whether input minus output is kept too.
            residualVolume: None makes a new volume for it.
            device: "auto", "cpu", "cuda" ...
            allFrames: Denoise every frame of the sequence, into a new sequence.
        """
        request = self._request(inputVolume, modelId, strength, device)
        request.targets["output"] = Target(outputVolume, _("denoised"))
        if createResidual:
            request.targets["residual"] = Target(residualVolume, _("removed noise"), REMOVED)
        kind = SequenceJob if allFrames else VolumeJob
        self.runs.start(lambda means: kind(request, means, callbacks))

    @property
    def isRunning(self) -> bool:
        """Whether a run that `start` began goes on."""
        return self.runs.isRunning

    def cancel(self) -> None:
        """Stop the run that `start` began; its `cancelled` is called within two seconds."""
        self.runs.cancel()

    def processBatch(
        self,
        inputs: Sequence[Any],
        outputFolder: str | Path,
        modelId: str | None = None,
        strength: float = 1.0,
        device: str = "auto",
        told: Callable[[BatchRow], object] = lambda _row: None,
    ) -> list[BatchRow]:
        """Denoise many volumes and wait; one that fails stops no other.

        Args:
            inputs: Volume nodes, and paths of DICOM folders or volume files.
            outputFolder: Gets a NRRD file and a report for each, and a table of how each ended. What is done already,
                from the same input with the same model and options, is skipped, so a batch that was stopped goes on.
            modelId: None for the default model.
            strength: 0 keeps the input, 1 is the network's output.
            device: "auto", "cpu", "cuda" ...
            told: Called with each row as soon as it is known, such as `print`.

        Returns:
            A row for each input.

        Raises:
            MedEnhanceError: What every input would fail with, such as an unknown model.
        """
        options = self._options(modelId, strength, device)
        folder, temporary = Path(outputFolder), slicer.app.temporaryPath
        request = BatchRequest(TASK, list(inputs), folder, options, "_denoised", temporary, told)
        return runBatch(self.session.client, request)

    def exportDicom(
        self,
        volumeNode: vtkMRMLScalarVolumeNode,
        sourceFiles: Sequence[str],
        folder: str | Path,
        callbacks: RunCallbacks,
    ) -> None:
        """Write a denoised volume as a derived DICOM series, without waiting.

        Args:
            volumeNode: Result of a run.
            sourceFiles: DICOM files of the run's input, such as `dicomFilesOf` finds them.
            folder: New or empty folder.
            callbacks: Called on the main thread.

        Raises:
            MedEnhanceError: The volume is no result of a run.
        """
        self.runs.exportDicom(volumeNode, sourceFiles, folder, callbacks)

    def _request(self, inputVolume: Any, modelId: str | None, strength: float, device: str) -> JobRequest:
        return JobRequest(TASK, inputVolume, {}, self._options(modelId, strength, device))

    def _options(self, modelId: str | None, strength: float, device: str) -> dict[str, Any]:
        return {**self.runs.options(modelId, device), "strength": float(strength)}

    def _refuseUnsuitable(self, inputVolume: Any, modelId: str | None) -> None:
        """Say at once what the worker would say of a model that is part of MedEnhance; others it checks itself."""
        entry = self.runs.entryOf(modelId)
        problem = "" if entry is None else inputProblem(inputVolume, entry.accepted)
        if problem:
            raise MedEnhanceError("input-unsuitable", problem)


class MedEnhanceLowDoseCTWidget(ScriptedLoadableModuleWidget):
    """The panel: connects its sections to the parameters and to the logic."""

    def __init__(self, parent: Any = None) -> None:
        ScriptedLoadableModuleWidget.__init__(self, parent)
        self.logic: MedEnhanceLowDoseCTLogic | None = None

    def setup(self) -> None:
        """Make the panel; called once, when the module is first opened."""
        ScriptedLoadableModuleWidget.setup(self)
        self.ui = loadPanel(self, "MedEnhanceLowDoseCT")
        self.logic = MedEnhanceLowDoseCTLogic()
        self.panel = TaskPanel(self.ui, self.logic, PanelEvents(self._onModified, self._onSceneClosing))
        self.model, self.controls, self.requirements = self.panel.model, self.panel.controls, self.panel.requirements
        self._makeSections()
        self.panel.connectApply(self.onApply)
        self.ui.sampleDataButton.clicked.connect(self.onLoadSample)
        self.panel.resume(self.parent.isEntered)

    def cleanup(self) -> None:
        """The panel goes for good."""
        self.panel.close()
        self.compare.stop()
        self.region.stop()

    def enter(self) -> None:
        """The user opens the module."""
        self.panel.enter()

    def exit(self) -> None:
        """The user goes to another module; a run goes on."""
        self.panel.exit()
        self.compare.stopFlicker()

    @property
    def _parameterNode(self) -> MedEnhanceLowDoseCTParameterNode | None:
        return self.panel.parameters

    def _makeSections(self) -> None:
        ui = self.ui
        self.input = InputSection(ui.inputMessageLabel)
        self.compare = CompareSection(
            ui.compareButton, ui.blendSlider, ui.flickerCheckBox, CompareLayout(slicer.mrmlScene, refreshViews)
        )
        self.trust = TrustSection(ui.trustLabel, ui.tissueTable, ui.noisePlotButton, slicer.mrmlScene, showChart)
        self.region = RegionSection(ui.regionTable, self._readVolumes)
        self.export = ExportSection(
            ui.exportButton, ui.exportLabel, self.controls, self.logic.exportDicom, self.panel.failed
        )

    def _onSceneClosing(self) -> None:
        self.compare.stop()

    def _onModified(self) -> None:
        """Bring what depends on the parameters, the model and the run up to date."""
        parameters, ui = self._parameterNode, self.ui
        inputVolume = parameters.inputVolume if parameters is not None else None
        output = parameters.outputVolume if parameters is not None else None
        residual = parameters.residualVolume if parameters is not None else None
        problem = self.input.check(inputVolume, self.model.entry)
        problem = problem or _sameNodeProblem(inputVolume, output, residual)
        self.controls.setCanApply(not problem, problem or _("Denoise the input volume."))
        ui.allFramesCheckBox.setEnabled(sequenceOf(inputVolume) is not None)
        ui.residualSelector.setEnabled(parameters is not None and parameters.createResidual)
        report = _reportOf(output, inputVolume)
        result = output if report is not None else None
        self.trust.show(report, output.GetName() if output is not None else "")
        self.compare.setVolumes(inputVolume, result, residual)
        self.region.setRegion(parameters.region if parameters is not None else None)
        self.export.setVolumes(inputVolume, result, parameters is not None and parameters.addToDatabase)

    def _readVolumes(self) -> dict[str, Any]:
        """The volumes that the region read-out shows."""
        parameters = self._parameterNode
        if parameters is None:
            return {}
        return {
            _("Original"): parameters.inputVolume,
            _("Denoised"): parameters.outputVolume,
            _("Removed"): parameters.residualVolume,
        }

    def onApply(self) -> None:
        """Denoise."""
        self.panel.run(self._start, needed="inputVolume")

    def _start(self, parameters: MedEnhanceLowDoseCTParameterNode) -> None:
        self.logic.start(
            parameters.inputVolume,
            self.panel.callbacks(self._onFinished),
            outputVolume=parameters.outputVolume,
            modelId=self.model.modelId,
            strength=parameters.strength,
            createResidual=parameters.createResidual,
            residualVolume=parameters.residualVolume if parameters.createResidual else None,
            allFrames=parameters.allFrames and sequenceOf(parameters.inputVolume) is not None,
        )

    def _onFinished(self, nodes: dict[str, Any], result: dict[str, Any]) -> None:
        report = result["report"]
        self.panel.doneIn(report["run"], report["warnings"], report["shape"][0])
        if self._parameterNode is not None:  # else the scene was closed meanwhile
            with slicer.util.NodeModify(self._parameterNode.parameterNode):
                self._parameterNode.outputVolume = nodes["output"]
                # Without one, that of an earlier run does not belong to this output.
                self._parameterNode.residualVolume = nodes.get("residual")
            self._onModified()
            if not self.compare.isShown:
                slicer.util.setSliceViewerLayers(background=self._parameterNode.inputVolume, foreground=nodes["output"])

    def onLoadSample(self) -> None:
        """Load the built-in case and choose it."""
        self._parameterNode.inputVolume, _truth = loadSample()


def _reportOf(output: Any, inputVolume: Any) -> dict[str, Any] | None:
    """The trust report of a result; None for one of another input, of another patient perhaps."""
    provenance = provenanceOf(output)
    if provenance is None or inputVolume is None or provenance["input"] is not inputVolume:
        return None
    return provenance["report"]


def _sameNodeProblem(inputVolume: Any, output: Any, residual: Any) -> str:
    """Why these volumes cannot be used together, or empty."""
    if inputVolume is not None and inputVolume in (output, residual):
        return _("The input is never changed: choose another volume for the result.")
    if output is not None and output is residual:
        return _("Choose different volumes for the denoised volume and for the residual.")
    return ""


class MedEnhanceLowDoseCTTest(ScriptedLoadableModuleTest):
    """Runs in Slicer, on the built-in case; also under CTest."""

    def runTest(self) -> None:
        """Run all."""
        for test in (self.test_sample, self.test_cancel, self.test_panel):
            self.setUp()
            test()

    def setUp(self) -> None:
        """Start from an empty scene."""
        slicer.mrmlScene.Clear()

    def test_sample(self) -> None:
        """The logic brings the sample closer to its truth and keeps its geometry."""
        low, truth = loadSample()
        output = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", "Denoised")
        report = MedEnhanceLowDoseCTLogic().process(low, output)
        before, after = (rootMeanSquare(node, truth) for node in (low, output))
        self.assertLess(after, 0.5 * before)
        self.assertTrue(slicer.vtkAddonMathUtilities.MatrixAreEqual(*map(ijkToRas, (low, output)), 0.0))
        self.assertEqual(report["notice"], "Research use only. Not for diagnosis.")
        self.delayDisplay("The sample was denoised.")

    def test_cancel(self) -> None:
        """A run that is cancelled leaves the scene as it was."""
        low, _truth = loadSample()
        numNodes, ends = slicer.mrmlScene.GetNumberOfNodes(), []
        logic = MedEnhanceLowDoseCTLogic()
        logic.start(low, JobCallbacks(cancelled=lambda: ends.append("cancelled")))
        logic.cancel()
        waitFor(lambda: bool(ends))
        self.assertEqual(ends, ["cancelled"])
        self.assertEqual(slicer.mrmlScene.GetNumberOfNodes(), numNodes)
        self.delayDisplay("A run was cancelled.")

    def test_panel(self) -> None:
        """The panel denoises the sample at the press of Apply."""
        slicer.util.selectModule("MedEnhanceLowDoseCT")
        widget = slicer.modules.MedEnhanceLowDoseCTWidget
        widget.onLoadSample()
        self.assertTrue(widget.ui.applyButton.enabled)
        widget.ui.applyButton.click()
        waitFor(lambda: not widget.controls.isRunning)
        self.assertIsNotNone(widget.logic.getParameterNode().outputVolume, widget.ui.statusLabel.text)
        self.assertGreater(widget.ui.tissueTable.rowCount, 0)
        self.delayDisplay("The panel denoised the sample.")


def rootMeanSquare(first: Any, second: Any) -> float:
    """Root mean square difference of two volumes, HU."""
    import numpy as np

    a, b = (slicer.util.arrayFromVolume(node).astype(np.float64) for node in (first, second))
    return float(np.sqrt(np.mean((a - b) ** 2)))


def ijkToRas(volumeNode: Any) -> vtk.vtkMatrix4x4:
    matrix = vtk.vtkMatrix4x4()
    volumeNode.GetIJKToRASMatrix(matrix)
    return matrix
