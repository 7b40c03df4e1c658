"""The choice of a model, and its card."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import slicer
from slicer.i18n import tr as _

from medenhance.manifest import ModelEntry
from MedEnhanceLib.ModelCard import cardHtml, modelTitle
from MedEnhanceLib.ModelList import listedModels
from MedEnhanceLib.WorkerClient import RunCallbacks, WorkerClient


class ModelSection:
    """Fills a combo box with models and a text browser with the card of the chosen one.

    Args:
        combo: QComboBox.
        browser: QTextBrowser.
        changed: Called with the model's id when the user chooses another.
    """

    def __init__(self, combo: Any, browser: Any, changed: Callable[[str], None]) -> None:
        self._combo, self._browser, self._changed = combo, browser, changed
        self._entries: dict[str, ModelEntry] = {}
        self._wanted = ""
        self._filling = False
        combo.currentIndexChanged.connect(self._onChosen)

    def setModels(self, entries: Iterable[ModelEntry]) -> None:
        """Offer these models; the choice stays, or comes back with its model."""
        self._entries = {entry.id: entry for entry in entries}
        self._filling = True
        self._combo.clear()
        for entry in self._entries.values():
            self._combo.addItem(modelTitle(entry), entry.id)
        self._filling = False
        self.choose(self._wanted)

    def askFor(self, task: str, client: WorkerClient, offered: Callable[[], None]) -> None:
        """Have the worker list the models for a task, added and downloaded ones too, offer them, and make a call."""

        def offer(result: dict[str, Any]) -> None:
            installed = [model.entry for model in listedModels(result) if model.installed != "available"]
            self.setModels(entry for entry in installed if entry.task == task)
            offered()

        client.submit("models", {}, RunCallbacks(finished=offer))

    def choose(self, modelId: str) -> None:
        """Select a model; an empty or unknown id selects the default one."""
        self._wanted = modelId
        if modelId not in self._entries:
            modelId = next((entry.id for entry in self._entries.values() if entry.default), "")
        self._combo.setCurrentIndex(max(self._combo.findData(modelId), 0))
        self._showCard()

    @property
    def modelId(self) -> str:
        """Id of the chosen model; empty when there is none."""
        return self._combo.currentData or ""

    @property
    def entry(self) -> ModelEntry | None:
        """The chosen model."""
        return self._entries.get(self.modelId)

    def rememberSeconds(self, modelId: str, secondsASlice: float) -> None:
        """Keep how long a slice took on this computer, for the card."""
        slicer.app.userSettings().setValue(_settingsKey(modelId), secondsASlice)
        self._showCard()

    def _onChosen(self, _index: int) -> None:
        if not self._filling:
            self._wanted = self.modelId
            self._showCard()
            self._changed(self.modelId)

    def _showCard(self) -> None:
        entry = self.entry
        if entry is None:
            self._browser.setPlainText(_("No model is at hand; open MedEnhance Models to add one."))
            return
        seconds = _seconds(entry.id)
        text = _("{seconds:.2f} s a slice in the last run on this computer").format(seconds=seconds) if seconds else ""
        self._browser.setHtml(cardHtml(entry, text))


def _seconds(modelId: str) -> float:
    """What a slice took in the last run; 0 when nobody knows."""
    try:
        return float(slicer.app.userSettings().value(_settingsKey(modelId)) or 0.0)
    except (TypeError, ValueError):
        return 0.0


def _settingsKey(modelId: str) -> str:
    return f"MedEnhance/SecondsASlice/{modelId}"
