"""A PythonSlicer of our own for the panel tests: answers the panels' questions at once, and stops where a test wants.

It is found on the search path as Slicer's is, so the panels run unchanged: process, protocol, files and all. What it
"denoises" is the input itself.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

from MedEnhanceLib.PackageProbe import REQUIREMENTS

FOLDER = "MEDENHANCE_TEST_STAND_IN"  # in the environment: where it reads what to do

PROGRAM = r"""
import json, os, shutil, sys, threading, time
from pathlib import Path

folder = Path(os.environ["MEDENHANCE_TEST_STAND_IN"])

def orders():
    return json.loads((folder / "orders.json").read_text(encoding="utf-8"))

if "worker" not in sys.argv:
    (folder / "asked").open("a").write(json.dumps(sys.argv[1:]) + "\n")
    if any("version_info" in word for word in sys.argv):
        print(*sys.version_info[:2])
    else:
        while orders()["stall"] == "check":
            time.sleep(0.02)
        print(json.dumps({"event": "probe", "python": "3.12.1", "torch": "", "versions": orders()["versions"]}))
    sys.exit(0)

cancelled = set()
requests = []

def read():
    for line in sys.stdin.buffer:
        message = json.loads(line)
        cancelled.add(message["cancel"]) if "cancel" in message else requests.append(message)
    os._exit(0)

def send(message, event, **values):
    line = json.dumps({"id": message["id"], "event": event, **values}) + "\n"
    sys.stdout.buffer.write(line.encode())
    sys.stdout.buffer.flush()

def stage(message, name):
    send(message, "progress", stage=name, fraction=0.5, eta_s=None)
    while orders()["stall"] == name:
        if orders().get("dies"):
            print("Killed: out of memory", file=sys.stderr, flush=True)
            os._exit(9)
        if message["id"] in cancelled and not orders().get("deaf"):
            return False
        time.sleep(0.01)
    return True

def denoise(message):
    for name in ("load", "denoise", "measure"):
        if not stage(message, name):
            return send(message, "cancelled")
    targets = [message["output"], *filter(None, [message["options"].get("residual")])]
    for target in targets:
        shutil.copy(message["input"], target + ".part")
    if not stage(message, "write"):
        for target in targets:
            os.remove(target + ".part")
        return send(message, "cancelled")
    for target in targets:
        os.replace(target + ".part", target)
    (folder / "request.json").write_text(json.dumps(message))
    report = json.loads((folder / "report.json").read_text(encoding="utf-8"))
    report["run"]["strength"] = message["options"]["strength"]
    send(message, "result", report=report, outputs={})

while orders()["stall"] == "start":
    time.sleep(0.01)
threading.Thread(target=read, daemon=True).start()
while True:
    if requests:
        message = requests.pop(0)
        send(message, "started")
        denoise(message)
    time.sleep(0.002)
"""

_SPECTRUM = {"frequency": [0.1, 0.3, 0.5], "unit": "mm^-1"}
REPORT: dict[str, Any] = {
    "run": {
        "model_id": "redcnn-compact",
        "model_version": "1.0.0",
        "weights_sha256": "ab" * 32,
        "strength": 1.0,
        "precision": "fp32",
        "device": "cpu",
        "seconds": 1.5,
        "peak_memory_mb": None,
    },
    "shape": [3, 96, 96],
    "tissues": [
        {
            "tissue": "soft",
            "noise_sd_before_hu": 30.0,
            "noise_sd_after_hu": 10.0,
            "bias_hu": -0.6,
            "bias_standard_error_hu": 0.1,
            "note": None,
        },
        {
            "tissue": "lung",
            "noise_sd_before_hu": None,
            "noise_sd_after_hu": None,
            "bias_hu": None,
            "bias_standard_error_hu": None,
            "note": "none found",
        },
    ],
    "noise_power_before": {**_SPECTRUM, "power": [3.0, 2.0, 1.0]},
    "noise_power_after": {**_SPECTRUM, "power": [1.0, 0.5, 0.25]},
    "residual_structure": 0.02,
    "warnings": ['Größe: "1" & <2>; é 像素: 5 %'],
    "notice": "Research use only. Not for diagnosis.",
}


class StandInPython:
    """The program and what it is told.

    Args:
        folder: Gets the program and its orders.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(parents=True)
        script = folder / "stand_in.py"
        script.write_text(PROGRAM, encoding="utf-8")
        (folder / "report.json").write_text(json.dumps(REPORT), encoding="utf-8")
        self.program = folder / ("PythonSlicer.cmd" if os.name == "nt" else "PythonSlicer")
        # -S: without the packages of the tests' environment it starts in no time.
        text = f'@"{sys.executable}" -S "{script}" %*\n'
        if os.name != "nt":
            text = f'#!/bin/sh\nexec "{sys.executable}" -S "{script}" "$@"\n'
        self.program.write_text(text, encoding="utf-8")
        self.program.chmod(0o755)
        self.order()

    def order(self, stall: str = "", missing: tuple[str, ...] = (), **more: Any) -> None:
        """What to do from now on.

        Args:
            stall: Stage to stay in until it is cancelled or told otherwise.
            missing: Packages that are not there.
            more: "dies" ends the process in that stage, "deaf" ignores a cancel in it.
        """
        versions = {one.name: None if one.name in missing else one.oldest for one in REQUIREMENTS}
        whole = self.folder / "orders.tmp"
        whole.write_text(json.dumps({"stall": stall, "versions": versions, **more}), encoding="utf-8")
        whole.replace(self.folder / "orders.json")

    @property
    def numProbes(self) -> int:
        """How often it was asked what it has."""
        asked = self.folder / "asked"
        lines = asked.read_text(encoding="utf-8").splitlines() if asked.exists() else []
        return sum("find_spec" in line for line in lines)

    @property
    def request(self) -> dict[str, Any]:
        """The last one that was done."""
        return json.loads((self.folder / "request.json").read_text(encoding="utf-8"))
