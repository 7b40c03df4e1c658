"""The Apply button that turns into Cancel, the progress bar and the line below it."""

from __future__ import annotations

from collections.abc import Callable, Collection
from functools import cache
from html import escape
from typing import Any

import qt
from slicer.i18n import tr as _

from MedEnhanceLib.WorkerClient import WorkerFailure


@cache
def stageText(stage: str) -> str:
    """What a stage is called in front of a user; Slicer looks texts up slowly, and keeps its language while it runs."""
    texts = {
        "check": _("Checking the Python packages"),
        "install": _("Installing the Python packages; this takes some minutes"),
        "prepare": _("Preparing the volume"),
        "start": _("Starting"),
        "load": _("Loading the model"),
        "read": _("Reading"),
        "denoise": _("Denoising"),
        "project": _("Projecting"),
        "enhance": _("Enhancing"),
        "segment": _("Segmenting"),
        "scan": _("Looking for studies"),
        "study": _("Going through the studies"),
        "detect": _("Looking for haemorrhage"),
        "measure": _("Measuring"),
        "write": _("Writing"),
        "show": _("Showing the result"),
        "download": _("Downloading"),
    }
    return texts.get(stage, stage)


def timeText(seconds: float) -> str:
    """Time left, for people."""
    if seconds < 1.0:
        return _("less than a second left")
    if seconds < 90.0:
        return _("about {n} s left").format(n=round(seconds))
    return _("about {n} min left").format(n=round(seconds / 60.0))


class RunControls:
    """Shows the state of a run in an apply button, a progress bar and a label; asks through callables.

    Args:
        button: QPushButton.
        bar: QProgressBar of range 0 to 1000.
        label: QLabel for what is going on, warnings and errors.
        apply: Called when the button is pressed while nothing runs.
        cancel: Called when it is pressed during a run.
        changed: Called when a run has begun or ended, for what else must wait meanwhile.
    """

    def __init__(
        self,
        button: Any,
        bar: Any,
        label: Any,
        apply: Callable[[], None],
        cancel: Callable[[], None],
        changed: Callable[[], None] = lambda: None,
    ) -> None:
        self._button, self._bar, self._label = button, bar, label
        self._apply, self._cancel, self._changed = apply, cancel, changed
        self._applyText, self._applyTip = button.text, button.toolTip
        self._canApply, self._warnings = False, []
        self.isRunning = False
        label.setTextFormat(qt.Qt.RichText)
        button.clicked.connect(self._onClicked)
        self._show()

    def note(self, text: str) -> None:
        """Say something before there was a run."""
        self._label.setText(escape(text))

    def setCanApply(self, canApply: bool, tip: str = "") -> None:
        """Whether a run could start now; ``tip`` says what is missing."""
        self._canApply, self._applyTip = canApply, tip or self._applyTip
        self._show()

    def begin(self) -> None:
        """A run has started."""
        self.isRunning, self._warnings = True, []
        self._label.setText(escape(_("Starting …")))
        self._bar.setValue(0)
        self._show()
        self._changed()

    def progress(self, stage: str, fraction: float, etaS: float | None) -> None:
        text = stageText(stage)
        if etaS is not None and fraction > 0.0:
            text = _("{stage}: {left}").format(stage=text, left=timeText(etaS))
        self._bar.setValue(round(1000 * fraction))
        self._label.setText(escape(text + " …"))

    def warn(self, text: str) -> None:
        """Keep a warning until the run has ended, and show it then."""
        self._warnings.append(text)

    def holdCancel(self) -> None:
        """What goes on now cannot be broken off."""
        self._button.setEnabled(False)

    def cancelling(self) -> None:
        """The user has asked to stop."""
        self._button.setEnabled(False)
        self._label.setText(escape(_("Cancelling …")))

    def succeeded(self, text: str, shown: Collection[str] = ()) -> None:
        """A run has come to its end.

        Args:
            text: What it did.
            shown: Warnings that stand elsewhere in the panel, and are not said twice.
        """
        told = [warning for warning in self._warnings if warning not in shown]
        self._ended([f"<p>{escape(text)}</p>", *(f"<p>⚠ {escape(warning)}</p>" for warning in told)])

    def cancelled(self) -> None:
        self._ended([escape(_("Cancelled; nothing was changed.")), *(f"<p>{escape(w)}</p>" for w in self._warnings)])

    def failed(self, failure: WorkerFailure) -> None:
        self._ended([f"<p><b>{escape(failure.message)}</b></p>", f"<p>{escape(failure.hint)}</p>"])

    def _ended(self, paragraphs: list[str]) -> None:
        self.isRunning = False
        self._bar.setValue(0)
        self._label.setText("".join(paragraphs))
        self._show()
        self._changed()

    def _onClicked(self) -> None:
        if self.isRunning:
            self.cancelling()
            self._cancel()
        else:
            self._apply()

    def _show(self) -> None:
        self._button.setText(_("Cancel") if self.isRunning else self._applyText)
        self._button.setToolTip(_("Stop the run; nothing is changed.") if self.isRunning else self._applyTip)
        self._button.setEnabled(self.isRunning or self._canApply)
        self._bar.setVisible(self.isRunning)
