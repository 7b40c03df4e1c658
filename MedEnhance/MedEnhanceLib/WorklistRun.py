"""Runs all studies of a folder through the worker, and reads the worklist that it wrote."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from slicer.i18n import tr as _

from medenhance.errors import MedEnhanceError
from MedEnhanceLib.FileTrip import FileCallbacks, FileTrip, Means, TripSteps
from MedEnhanceLib.WorkerClient import RunCallbacks

WORKLIST_TASK = "worklist-hemorrhage"
WORKLIST_FILE = "worklist.json"


def worklistTrip(payload: dict[str, Any], means: Means, callbacks: RunCallbacks) -> FileTrip:
    """One run over a folder, to be started; its result has "rows"."""
    told = FileCallbacks(
        callbacks.progress, callbacks.warning, callbacks.finished, callbacks.failed, callbacks.cancelled
    )
    return FileTrip(WORKLIST_TASK, TripSteps(lambda _folder: iter(()), lambda _folder: payload), means, told)


def readWorklist(folder: Path) -> list[dict[str, Any]]:
    """The rows of a worklist that was written before, in its order.

    Raises:
        MedEnhanceError: input-missing, input-unreadable.
    """
    path = folder / WORKLIST_FILE
    try:
        return list(json.loads(path.read_text(encoding="utf-8"))["studies"])
    except OSError as error:
        message = _("There is no worklist in {folder}.").format(folder=folder)
        raise MedEnhanceError("input-missing", message, _("Choose the folder for the results of a run.")) from error
    except (ValueError, KeyError, TypeError) as error:
        message = _("{path} is no worklist.").format(path=path)
        raise MedEnhanceError("input-unreadable", message, _("Read the folder of studies again.")) from error
