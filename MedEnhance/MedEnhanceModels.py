"""The models of this computer: what is there, download, verify, delete, packs, and a check of the computer.

From Slicer's Python console::

    logic = slicer.util.getModuleLogic("MedEnhanceModels")
    logic.importPack("/media/usb/models.zip")
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import qt
import slicer
from slicer.i18n import tr as _
from slicer.i18n import translate
from slicer.ScriptedLoadableModule import (
    ScriptedLoadableModule,
    ScriptedLoadableModuleLogic,
    ScriptedLoadableModuleTest,
    ScriptedLoadableModuleWidget,
)

from medenhance.manifest import entry_to_json, load_manifest
from MedEnhanceLib.BlockingRun import ask
from MedEnhanceLib.Interpreter import otherCopyProblem
from MedEnhanceLib.ModelCard import cardHtml
from MedEnhanceLib.ModelList import ListedModel, listedModels
from MedEnhanceLib.RequirementsSection import RequirementsSection
from MedEnhanceLib.RunControls import RunControls
from MedEnhanceLib.TrustSection import fillTable
from MedEnhanceLib.WorkerClient import RunCallbacks, WorkerFailure, WorkerRun
from MedEnhanceLib.WorkerSession import WorkerSession

WEIGHTS_FILTER, PACK_FILTER = "*.safetensors", "*.zip"


class MedEnhanceModels(ScriptedLoadableModule):
    """What Slicer's module list shows."""

    def __init__(self, parent: Any) -> None:
        ScriptedLoadableModule.__init__(self, parent)
        parent.title = _("MedEnhance Models")
        parent.categories = [translate("qSlicerAbstractCoreModule", "Utilities")]
        parent.dependencies = []
        parent.contributors = ["MedEnhance contributors"]
        parent.helpText = _(
            "Shows the networks of MedEnhance on this computer with their cards; downloads, verifies and deletes them, "
            "carries them to computers without a network, and checks this computer. Research use only."
        )
        parent.acknowledgementText = _("The model cards name the publications and the data of each network.")


class MedEnhanceModelsLogic(ScriptedLoadableModuleLogic):
    """Does what the panel shows; never opens a dialog. Every method waits, but `start`."""

    def __init__(self) -> None:
        ScriptedLoadableModuleLogic.__init__(self)
        self.session = WorkerSession()
        self._run: WorkerRun | None = None

    def models(self) -> dict[str, Any]:
        """All models that this computer knows, and where the downloaded ones are kept."""
        return self._ask("models")

    def bundledModels(self) -> dict[str, Any]:
        """The models that are part of MedEnhance, in the same form; needs no worker."""
        return {"models": [{**entry_to_json(e), "installed": "bundled"} for e in load_manifest().values() if e.bundled]}

    def download(self, modelId: str, acceptLicence: bool = False) -> str:
        """Fetch and verify the weights of a model; returns their path."""
        return self._ask("model-download", model=modelId, accept_licence=acceptLicence)["path"]

    def verify(self, modelId: str) -> dict[str, float]:
        """Check the weights of a model; returns the difference of its golden test, and what is tolerated."""
        return self._ask("model-verify", model=modelId)

    def delete(self, modelId: str) -> int:
        """Delete the weights of a model; returns the bytes that became free."""
        return self._ask("model-delete", model=modelId)["freed_bytes"]

    def add(self, path: str | Path) -> str:
        """Check, test and add the model of a weights file; returns its id."""
        return self._ask("model-add", path=str(path))["model"]

    def exportPack(self, path: str | Path, modelIds: tuple[str, ...] = ()) -> list[str]:
        """Write models, or all that are installed, into a new pack; returns their ids."""
        return self._ask("pack-export", path=str(path), models=list(modelIds))["models"]

    def importPack(self, path: str | Path) -> list[str]:
        """Install the models of a pack; returns their ids."""
        return self._ask("pack-import", path=str(path))["models"]

    def doctor(self) -> str:
        """A report on this computer, as text."""
        return self._ask("doctor")["text"]

    def start(self, task: str, payload: dict[str, Any], callbacks: RunCallbacks) -> None:
        """Do one of these tasks without waiting."""
        self._run = self.session.client.submit(task, payload, callbacks)

    def cancel(self) -> None:
        """Stop what `start` began."""
        if self._run is not None:
            self._run.cancel()

    def _ask(self, task: str, **payload: Any) -> dict[str, Any]:
        return ask(self.session.client, task, payload)


class MedEnhanceModelsWidget(ScriptedLoadableModuleWidget):
    """The panel."""

    def __init__(self, parent: Any = None) -> None:
        ScriptedLoadableModuleWidget.__init__(self, parent)
        self.logic: MedEnhanceModelsLogic | None = None
        self._models: list[ListedModel] = []
        self._cache = ""

    def setup(self) -> None:
        """Make the panel; called once, when the module is first opened."""
        ScriptedLoadableModuleWidget.setup(self)
        uiWidget = slicer.util.loadUI(self.resourcePath("UI/MedEnhanceModels.ui"))
        self.layout.addWidget(uiWidget)
        self.ui = slicer.util.childWidgetVariables(uiWidget)
        self.logic = MedEnhanceModelsLogic()
        ui = self.ui
        # The report has columns.
        ui.doctorText.setFont(qt.QFontDatabase.systemFont(qt.QFontDatabase.FixedFont))
        # The button is Cancel in every state: nothing can be "applied" here.
        self.controls = RunControls(
            ui.cancelButton, ui.progressBar, ui.statusLabel, _nothing, self.onCancel, self._enableButtons
        )
        self.controls.note(otherCopyProblem())
        self.requirements = RequirementsSection(self.logic.session, self.controls)
        self._connect()
        self._show(self.logic.bundledModels())

    def enter(self) -> None:
        """The user opens the module: the list may have changed since."""
        if self.requirements.knownReady:
            self.onRefresh()

    def cleanup(self) -> None:
        """The panel goes for good."""
        self.requirements.cancel()
        self.logic.session.close()

    def _connect(self) -> None:
        ui = self.ui
        handlers = {
            ui.downloadButton: self.onDownload,
            ui.verifyButton: self.onVerify,
            ui.deleteButton: self.onDelete,
            ui.refreshButton: self.onRefresh,
            ui.addButton: self.onAdd,
            ui.importButton: self.onImport,
            ui.exportButton: self.onExport,
            ui.folderButton: self.onOpenFolder,
            ui.doctorButton: self.onDoctor,
            ui.copyButton: self.onCopy,
        }
        for button, handler in handlers.items():
            button.clicked.connect(handler)
        ui.modelTable.itemSelectionChanged.connect(self._onSelected)

    def chosen(self) -> ListedModel | None:
        """The model whose row is selected."""
        row = self.ui.modelTable.currentRow()
        return self._models[row] if 0 <= row < len(self._models) else None

    def onCancel(self) -> None:
        """Stop whatever goes on."""
        if not self.requirements.cancel():
            self.logic.cancel()

    def onRefresh(self) -> None:
        """Read the list again."""
        self._do("models", {}, self._show, lambda result: " ".join(result["problems"]))

    def onDownload(self) -> None:
        """Fetch the chosen model, after its licence was shown."""
        model = self.chosen()
        text = _("{title} is {size} large. Its licence is {licence}. Do you accept it, and download the model?")
        if slicer.util.confirmOkCancelDisplay(text.format(**model.words())):
            payload = {"model": model.id, "accept_licence": True}
            self._change("model-download", payload, lambda _r: _("The model is installed and verified."))

    def onVerify(self) -> None:
        """Check the chosen model."""
        payload = {"model": self.chosen().id}
        self._do("model-verify", payload, None, lambda _r: _("The weights are right, and so is the known answer."))

    def onDelete(self) -> None:
        """Delete the chosen model, after a question."""
        model = self.chosen()
        text = _("Delete the weights of {title} ({size}) from this computer?").format(**model.words())
        if slicer.util.confirmOkCancelDisplay(text):
            freed = _("{size:.1f} MB became free.")
            self._change("model-delete", {"model": model.id}, lambda r: freed.format(size=r["freed_bytes"] / 1e6))

    def onAdd(self) -> None:
        """Add a model from a file that the user chooses."""
        path = qt.QFileDialog.getOpenFileName(None, _("Add a model"), "", _("Weights") + f" ({WEIGHTS_FILTER})")
        if path:
            self._change("model-add", {"path": path}, lambda r: _("{title} was added.").format(**r))

    def onImport(self) -> None:
        """Install a pack that the user chooses."""
        path = qt.QFileDialog.getOpenFileName(None, _("Import a pack"), "", _("Packs") + f" ({PACK_FILTER})")
        if path:
            self._change("pack-import", {"path": path}, lambda r: _installed(r["models"]))

    def onExport(self) -> None:
        """Write all installed models into a pack."""
        path = qt.QFileDialog.getSaveFileName(None, _("Export a pack"), "", _("Packs") + f" ({PACK_FILTER})")
        if path:
            path = path if path.lower().endswith(".zip") else path + ".zip"
            text = _("Written to {path}.").format(path=path)
            self._do("pack-export", {"path": path, "models": []}, None, lambda _r: text)

    def onOpenFolder(self) -> None:
        """Show the folder of downloaded models in the file browser."""
        Path(self._cache).mkdir(parents=True, exist_ok=True)
        qt.QDesktopServices.openUrl(qt.QUrl.fromLocalFile(self._cache))

    def onDoctor(self) -> None:
        """Check the computer."""

        def show(result: dict[str, Any]) -> None:
            self.ui.doctorText.setPlainText(result["text"])
            self.ui.copyButton.setEnabled(True)

        self._do("doctor", {}, show, lambda _r: _("The report stands below."))

    def onCopy(self) -> None:
        """Copy the report."""
        slicer.app.clipboard().setText(self.ui.doctorText.toPlainText())

    def _change(self, task: str, payload: dict[str, Any], text: Callable[[dict[str, Any]], str]) -> None:
        """Do something that changes the list, and read the list again."""
        self._do(task, payload, lambda _result: qt.QTimer.singleShot(0, self._refreshQuietly), text)

    def _refreshQuietly(self) -> None:
        """Read the list again and leave the message of what was just done."""
        callbacks = RunCallbacks(finished=self._show, failed=self.controls.failed)
        self.logic.start("models", {}, callbacks)

    def _do(self, task: str, payload: dict[str, Any], show: Any, text: Callable[[dict[str, Any]], str]) -> None:
        """Run a task of the worker, with the panel busy until it has ended."""

        def finished(result: dict[str, Any]) -> None:
            self.controls.succeeded(text(result))
            if show is not None:
                show(result)

        def begin() -> None:
            self.controls.begin()
            callbacks = RunCallbacks(
                progress=self.controls.progress,
                warning=self.controls.warn,
                finished=finished,
                failed=self._onFailed,
                cancelled=self.controls.cancelled,
            )
            self.logic.start(task, payload, callbacks)

        self.requirements.whenReady(begin)

    def _onFailed(self, failure: WorkerFailure) -> None:
        if failure.kind == "worker-start":
            self.requirements.forget()
        self.controls.failed(failure)

    def _show(self, result: dict[str, Any]) -> None:
        """Show the models; the choice stays where it can."""
        chosen = self.chosen()
        self._models, self._cache = listedModels(result), result.get("cache", "")
        headings = [_("Model"), _("Job"), _("Where"), _("Size"), _("Licence")]
        fillTable(self.ui.modelTable, headings, [model.row() for model in self._models])
        ids = [model.id for model in self._models]
        self.ui.modelTable.selectRow(ids.index(chosen.id) if chosen is not None and chosen.id in ids else 0)
        where = _("Downloaded and added models are kept in {folder}.").format(folder=self._cache)
        self.ui.folderLabel.setText(where if self._cache else "")
        self._enableButtons()

    def _onSelected(self) -> None:
        model = self.chosen()
        if model is None:
            self.ui.modelCardBrowser.clear()
        else:
            self.ui.modelCardBrowser.setHtml(cardHtml(model.entry))
        self._enableButtons()

    def _enableButtons(self) -> None:
        ui, model, idle = self.ui, self.chosen(), not self.controls.isRunning
        where = "" if model is None else model.installed
        ui.downloadButton.setEnabled(idle and where == "available")
        ui.verifyButton.setEnabled(idle and where in ("bundled", "installed"))
        ui.deleteButton.setEnabled(idle and where == "installed")
        for button in (ui.refreshButton, ui.addButton, ui.importButton, ui.exportButton, ui.doctorButton):
            button.setEnabled(idle)
        ui.folderButton.setEnabled(bool(self._cache))


def _nothing() -> None:
    """What the Cancel button does while nothing runs."""


def _installed(ids: list[str]) -> str:
    return _("Installed and verified: {models}.").format(models=", ".join(ids))


class MedEnhanceModelsTest(ScriptedLoadableModuleTest):
    """Runs in Slicer, without a network; also under CTest."""

    def runTest(self) -> None:
        """Run all."""
        for test in (self.test_bundled_models_pass_their_check, self.test_panel_lists_models):
            self.setUp()
            test()

    def setUp(self) -> None:
        """Start from an empty scene."""
        slicer.mrmlScene.Clear()

    def test_bundled_models_pass_their_check(self) -> None:
        """Every bundled model gives its known answer here."""
        logic = MedEnhanceModelsLogic()
        bundled = [model["id"] for model in logic.models()["models"] if model["installed"] == "bundled"]
        self.assertTrue(bundled)
        for name in bundled:
            outcome = logic.verify(name)
            self.assertLessEqual(outcome["difference"], outcome["tolerance"])
        logic.session.close()
        self.delayDisplay("The bundled models passed their check.")

    def test_panel_lists_models(self) -> None:
        """The panel lists the bundled models at once and shows a card."""
        slicer.util.selectModule("MedEnhanceModels")
        widget = slicer.modules.MedEnhanceModelsWidget
        self.assertGreater(widget.ui.modelTable.rowCount, 0)
        self.assertTrue(widget.ui.modelCardBrowser.toPlainText())
        self.delayDisplay("The panel lists the models.")
