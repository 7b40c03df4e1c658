"""What every panel for a task has: parameters, model, run, requirements, settings; and it follows the scene."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Any, Protocol

import slicer
import vtk
from slicer.i18n import tr as _
from slicer.util import VTKObservationMixin

from medenhance.errors import MedEnhanceError
from MedEnhanceLib.Interpreter import otherCopyProblem
from MedEnhanceLib.ModelSection import ModelSection
from MedEnhanceLib.ParameterBinding import ParameterBinding
from MedEnhanceLib.RequirementsSection import RequirementsSection
from MedEnhanceLib.RunControls import RunControls
from MedEnhanceLib.SceneJob import JobCallbacks
from MedEnhanceLib.SettingsSection import SettingsSection
from MedEnhanceLib.TaskRuns import TaskRuns
from MedEnhanceLib.WorkerClient import RunCallbacks, WorkerFailure

_BEFORE_SELECTORS = 1.0  # priority of an observer


class TaskLogic(Protocol):
    """What is needed of a module's logic."""

    runs: TaskRuns

    def getParameterNode(self) -> Any: ...


def _nothing() -> None:
    """For a panel whose sections hold no nodes."""


@dataclass(frozen=True)
class PanelEvents:
    """What a module's own sections do.

    Attributes:
        modified: Bring everything up to date: parameters or models have changed, or a run has begun or ended.
        closing: The scene is closed: let go of its nodes.
    """

    modified: Callable[[], None]
    closing: Callable[[], None] = _nothing


def loadPanel(widget: Any, name: str) -> Any:
    """Load Resources/UI/NAME.ui into a module's widget, and give it the scene; returns its widgets by name."""
    uiWidget = slicer.util.loadUI(widget.resourcePath(f"UI/{name}.ui"))
    widget.layout.addWidget(uiWidget)
    uiWidget.setMRMLScene(slicer.mrmlScene)
    return slicer.util.childWidgetVariables(uiWidget)


class TaskPanel(VTKObservationMixin):
    """The common part of a panel; nothing of the module is called before `enter`, or a run.

    Args:
        ui: Widgets by name. Has applyButton, progressBar, statusLabel; modelComboBox, modelCardBrowser; installButton;
            and what `SettingsSection` needs.
        logic: Of the module; its parameter node has a `modelId`, set by hand, as models are only known at run time.
        events: What the module's own sections do.

    Attributes:
        model: The choice of a model.
        controls: Apply, Cancel, and what is said about a run.
        requirements: Of the worker's Python.
        binding: Of widgets to parameters.
        settings: Of the worker.
    """

    def __init__(self, ui: Any, logic: TaskLogic, events: PanelEvents) -> None:
        VTKObservationMixin.__init__(self)
        self._ui, self._logic, self._events, self._runs = ui, logic, events, logic.runs
        self._apply: Callable[[], None] = _nothing
        self._isEntered = False
        self._selectors = [one for one in vars(ui).values() if one.className() == "qMRMLNodeComboBox"]
        self.binding = ParameterBinding(ui, events.modified)
        self.model = ModelSection(ui.modelComboBox, ui.modelCardBrowser, self._onModelChosen)
        self.model.setModels(self._runs.models().values())
        self.controls = RunControls(
            ui.applyButton, ui.progressBar, ui.statusLabel, lambda: self._apply(), self._cancel, self._onRunChanged
        )
        self.requirements = RequirementsSection(self._runs.session, self.controls)
        self.settings = SettingsSection(ui, self._runs.session.log)
        ui.installButton.clicked.connect(lambda: self.requirements.check(events.modified))
        self._followScene()
        self.controls.note(otherCopyProblem())

    @property
    def parameters(self) -> Any:
        """The parameters that are shown; None while there is no scene."""
        return self.binding.parameters

    def connectApply(self, call: Callable[[], None]) -> None:
        """Have the Apply button do this."""
        self._apply = call

    def enter(self) -> None:
        """The user opens the module; a model may have been added meanwhile."""
        self._isEntered = True
        self._show(self._logic.getParameterNode())
        if self.requirements.knownReady and not self.controls.isRunning:
            self.model.askFor(self._runs.task, self._runs.session.client, self._events.modified)

    def resume(self, isEntered: bool) -> None:
        """The panel is complete; Slicer's Reload makes it anew while the user stays in the module."""
        if isEntered:
            self.enter()

    def exit(self) -> None:
        """The user goes to another module; a run goes on."""
        self._isEntered = False

    def close(self) -> None:
        """The panel goes for good."""
        self.requirements.cancel()
        self.binding.follow(None)
        self.settings.stop()
        self._runs.session.close()
        self.removeObservers()

    def run(self, start: Callable[[Any], None], needed: str = "") -> None:
        """Start a run as soon as the worker's Python has what it needs.

        Args:
            start: Is given the parameters. What it raises for the user is shown.
            needed: Name of the parameter without which there is nothing to do: its node may be deleted meanwhile. Empty
                for a run that needs none.
        """
        self.requirements.whenReady(lambda: self._start(start, needed))

    def callbacks(self, finished: Callable[[dict[str, Any], dict[str, Any]], None]) -> JobCallbacks:
        """For a job that makes nodes: the panel shows how it goes, and ``finished`` gets nodes and result."""
        controls = self.controls
        return JobCallbacks(controls.progress, controls.warn, finished, self.failed, controls.cancelled)

    def runCallbacks(self, finished: Callable[[dict[str, Any]], None]) -> RunCallbacks:
        """The same for a task that makes none."""
        controls = self.controls
        return RunCallbacks(
            progress=controls.progress,
            warning=controls.warn,
            finished=finished,
            failed=self.failed,
            cancelled=controls.cancelled,
        )

    def doneIn(self, run: dict[str, Any], shown: Collection[str], numSlices: int = 1) -> None:
        """A run has come to its end.

        Args:
            run: Facts of a report: model_id, seconds, device, precision.
            shown: Warnings that the panel shows with the report.
            numSlices: That it did, for the speed on the model's card.
        """
        self.model.rememberSeconds(run["model_id"], run["seconds"] / max(numSlices, 1))
        self.controls.succeeded(_("Done in {seconds:.1f} s on {device} ({precision}).").format(**run), shown)

    def failed(self, failure: WorkerFailure) -> None:
        """A run has failed."""
        if failure.kind == "worker-start":
            self.requirements.forget()
        self.controls.failed(failure)

    def refuse(self, error: MedEnhanceError) -> None:
        """Say what speaks against something that the user asked for."""
        self.failed(WorkerFailure(error.kind, error.message, error.hint))

    def _start(self, start: Callable[[Any], None], needed: str) -> None:
        if self.parameters is None or (needed and getattr(self.parameters, needed) is None):
            self.controls.cancelled()
            return
        self.controls.begin()
        try:
            start(self.parameters)
        except MedEnhanceError as error:
            self.refuse(error)

    def _cancel(self) -> None:
        if not self.requirements.cancel():
            self._runs.cancel()

    def _show(self, parameters: Any) -> None:
        """Show these parameters; None shows none."""
        self.binding.follow(parameters)
        if parameters is not None:
            self.model.choose(parameters.modelId)
            self._events.modified()

    def _followScene(self) -> None:
        scene, events = slicer.mrmlScene, slicer.vtkMRMLScene
        self.addObserver(scene, events.StartCloseEvent, self._onSceneStartClose)
        self.addObserver(scene, events.EndCloseEvent, self._onSceneReady)
        # While a scene is read, parameters name nodes that the selectors do not know yet.
        self.addObserver(scene, events.EndImportEvent, self._onSceneReady)
        removed = events.NodeAboutToBeRemovedEvent
        self.addObserver(scene, removed, self._onNodeAboutToBeRemoved, priority=_BEFORE_SELECTORS)

    def _onSceneStartClose(self, _caller: Any, _event: Any) -> None:
        self._runs.cancel()
        self._events.closing()
        self._show(None)

    def _onSceneReady(self, _caller: Any, _event: Any) -> None:
        if self._isEntered:
            self._show(self._logic.getParameterNode())

    @vtk.calldata_type(vtk.VTK_OBJECT)
    def _onNodeAboutToBeRemoved(self, _caller: Any, _event: Any, node: Any) -> None:
        """Clear a selector whose node goes: by itself it would take the neighbour, another patient's perhaps."""
        for selector in self._selectors:
            if selector.currentNode() is node:
                selector.setCurrentNode(None)

    def _onModelChosen(self, modelId: str) -> None:
        if self.parameters is not None:
            self.parameters.modelId = modelId

    def _onRunChanged(self) -> None:
        # A new interpreter is started once to see what it is, which would hold the window.
        for widget in (self._ui.installButton, self._ui.interpreterPath):
            widget.setEnabled(not self.controls.isRunning)
        self._events.modified()
