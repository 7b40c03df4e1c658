"""Sees to it that the worker's Python has what it needs before the first run, and asks once before it installs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import slicer
from slicer.i18n import tr as _

from medenhance import __version__
from medenhance.errors import MedEnhanceError
from MedEnhanceLib.Interpreter import workerCommand
from MedEnhanceLib.Pump import PumpRun
from MedEnhanceLib.QtTransport import QtTransport
from MedEnhanceLib.Requirements import (
    InstallPlan,
    Probe,
    ProbeRun,
    installPlan,
    installSteps,
    missingRequirements,
    planText,
)
from MedEnhanceLib.RunControls import RunControls
from MedEnhanceLib.WorkerClient import WorkerFailure
from MedEnhanceLib.WorkerSession import WorkerSession

READY_KEY = "MedEnhance/Ready"


class RequirementsSection:
    """Checks an interpreter, and installs what is missing after a question.

    Args:
        session: The worker.
        controls: Show what goes on.
    """

    def __init__(self, session: WorkerSession, controls: RunControls) -> None:
        self._session, self._controls = session, controls
        self._probe: ProbeRun | None = None
        self._installation: PumpRun | None = None

    @property
    def knownReady(self) -> bool:
        """Whether the interpreter of the settings had everything when it was last looked at."""
        return slicer.app.userSettings().value(READY_KEY) == self._mark()

    def forget(self) -> None:
        """Look again before the next run: the interpreter has failed."""
        slicer.app.userSettings().remove(READY_KEY)

    def whenReady(self, call: Callable[[], None]) -> None:
        """Make a call, at once or when the interpreter has been checked and what is missing was installed."""
        if self.knownReady:
            call()
        else:
            self.check(call)

    def check(self, call: Callable[[], None]) -> None:
        """Look at the interpreter, install what is missing after a question, and make a call."""
        self._controls.begin()
        self._controls.progress("check", 0.0, None)
        try:
            command = workerCommand(self._session.settings())
        except MedEnhanceError as error:
            self._fail(error)
            return
        self._probe = ProbeRun(QtTransport(), command, lambda probe: self._probed(probe, call))

    def cancel(self) -> bool:
        """Stop a check; whether there was one. An installation is not broken off in the middle."""
        if self._probe is None:
            return False
        self._probe.cancel()
        self._probe = None
        self._controls.cancelled()
        return True

    def _probed(self, probe: Probe, call: Callable[[], None]) -> None:
        self._probe = None
        if probe.problem:
            hint = _("Choose another interpreter in the settings, or leave the field empty to use Slicer's own.")
            self._controls.failed(WorkerFailure("worker-start", probe.problem, hint))
            return
        plan = installPlan(missingRequirements(probe), self._session.settings().interpreter)
        if not plan.missing:
            self._ready(call)
        elif plan.interpreter:
            message = _("The interpreter {path} lacks what is needed.").format(path=plan.interpreter)
            self._controls.failed(WorkerFailure("worker-start", message, planText(plan)))
        elif slicer.util.confirmOkCancelDisplay(planText(plan), _("Install what MedEnhance needs?")):
            self._install(plan, call)
        else:
            self._controls.cancelled()

    def _install(self, plan: InstallPlan, call: Callable[[], None]) -> None:
        self._controls.progress("install", 0.0, None)
        self._controls.holdCancel()
        steps = installSteps(plan, self._session.log.appendLine)
        self._installation = self._session.pump.run(steps, lambda: self._installed(call), self._fail)

    def _installed(self, call: Callable[[], None]) -> None:
        outcome, self._installation = self._installation.value, None
        if outcome.restart:
            message = _("Installed. Restart Slicer before the first run: {packages} were replaced.")
            self._controls.succeeded(message.format(packages=", ".join(outcome.restart)))
        else:
            self.check(call)  # what was installed must also load

    def _ready(self, call: Callable[[], None]) -> None:
        slicer.app.userSettings().setValue(READY_KEY, self._mark())
        self._controls.succeeded(_("Everything that is needed is installed."))
        call()

    def _fail(self, error: Any) -> None:
        hint = error.hint if isinstance(error, MedEnhanceError) else ""
        message = error.message if isinstance(error, MedEnhanceError) else str(error)
        self._controls.failed(WorkerFailure("worker-start", message, hint))

    def _mark(self) -> str:
        """Names the interpreter and the version of MedEnhance that were checked together."""
        try:
            return f"{__version__} {workerCommand(self._session.settings()).program}"
        except MedEnhanceError:
            return ""
