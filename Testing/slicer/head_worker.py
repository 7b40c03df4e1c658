"""A worker that answers the head CT panel with what a test has laid ready, and notes what it was asked."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
from scripted_worker import markedEnvironment

from MedEnhanceLib.WorkerTransport import WorkerCommand

SCRIPT = r"""
import json, shutil, sys, time
from pathlib import Path

ANSWERS = Path(sys.argv[1])

def send(request, event, **values):
    sys.stdout.write(json.dumps({"id": request["id"], "event": event, **values}) + "\n")
    sys.stdout.flush()

for line in sys.stdin:
    request = json.loads(line)
    if "cancel" in request:
        continue
    send(request, "started")
    task = request["task"]
    number = len(list(ANSWERS.glob("asked-*.json")))
    note = ANSWERS / f"part-{number}"
    note.write_text(line, encoding="utf-8")
    note.rename(ANSWERS / f"asked-{number}.json")
    answer = json.loads((ANSWERS / f"{task}.json").read_text(encoding="utf-8"))
    if task == "measure-hemorrhage":
        shutil.copy(request["mask"], ANSWERS / "measured.nrrd")
    if "hang" in answer:
        time.sleep(600)
    for text in answer.pop("told", []):
        send(request, "warning", message=text)
    if "error" in answer:
        send(request, "error", **answer["error"])
        continue
    if task == "detect-hemorrhage":
        folder = Path(request["output"])
        folder.mkdir()
        if answer["report"]["status"] == "processed":
            shutil.copy(ANSWERS / "mask.nrrd", folder / "mask.nrrd")
    if task == "export-hemorrhage":
        folder = Path(request["output"])
        folder.mkdir()
        for name in request["objects"]:
            (folder / f"{name}.dcm").write_bytes(b"DICM")
    send(request, "result", **answer)
"""


class HeadWorker:
    """What the worker answers.

    Args:
        folder: Of a test.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "answers 答 é"
        self.folder.mkdir()
        self._script = self.folder / "worker.py"
        self._script.write_text(SCRIPT, encoding="utf-8")

    def command(self, python: str) -> WorkerCommand:
        return WorkerCommand(python, ("-u", str(self._script), str(self.folder)), markedEnvironment(self.folder))

    def answer(self, task: str, **values: Any) -> None:
        """What to send for a task from now on."""
        (self.folder / f"{task}.json").write_text(json.dumps(values), encoding="utf-8")

    def lay(self, mask: np.ndarray, node: Any) -> None:
        """The mask file of a result."""
        from mrml_samples import finish

        from MedEnhanceLib.VolumeBridge import ijkToRas
        from MedEnhanceLib.VolumeFile import writeSteps

        finish(writeSteps(mask, ijkToRas(node), self.folder / "mask.nrrd", None))

    def asked(self) -> list[dict[str, Any]]:
        """Every request so far."""
        files = sorted(self.folder.glob("asked-*.json"), key=lambda path: int(path.stem.split("-")[1]))
        return [json.loads(path.read_text(encoding="utf-8")) for path in files]

    def measured(self) -> np.ndarray:
        """The mask of the last measurement."""
        from mrml_samples import finish

        from MedEnhanceLib.VolumeFile import readSteps

        return finish(readSteps(self.folder / "measured.nrrd"))
