"""What the panel tests share: a panel that is driven as a user does, small CTs, and what a run may not change."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from mrml_samples import filled, linearTransform

CT_SHAPE = (3, 96, 96)
LIMIT_S = 120.0  # a busy machine takes long to load PyTorch


def ctArray(shape: tuple[int, int, int] = CT_SHAPE, seed: int = 0) -> np.ndarray:
    """A noisy body with a lung and a bone in air, HU."""
    rows, columns = np.mgrid[-1 : 1 : shape[1] * 1j, -1 : 1 : shape[2] * 1j]
    clean = np.where(np.hypot(rows, columns) < 0.85, 40.0, -1000.0)
    clean[np.hypot(rows + 0.3, columns - 0.3) < 0.25] = -850.0
    clean[np.hypot(rows - 0.4, columns) < 0.15] = 700.0
    noise = np.random.default_rng(seed).normal(0.0, 25.0, shape)
    return np.clip(np.round(clean + noise), -1024, 3071).astype(np.int16)


def addCt(name: str = "CT Schädel 头部 é", transformed: bool = False, **changes: Any) -> Any:
    """A small oblique CT in the scene, shown with a window of its own."""
    import slicer

    node = filled(ctArray(**changes), slicer.mrmlScene, name)
    node.CreateDefaultDisplayNodes()
    node.GetDisplayNode().AutoWindowLevelOff()
    node.GetDisplayNode().SetWindowLevel(350.0, 41.0)
    if transformed:
        node.SetAndObserveTransformNodeID(linearTransform(slicer.mrmlScene).GetID())
    return node


def nodeIds() -> set[str]:
    """Of everything in the scene."""
    import slicer

    scene = slicer.mrmlScene
    return {scene.GetNthNode(n).GetID() for n in range(scene.GetNumberOfNodes())}


def useStrangeTemporaryFolder(host: Any) -> None:
    """Have Slicer's temporary folder lie under a path with blanks, accents and Chinese characters."""
    host.app.folder = host.app.folder / "a folder 目录 é"
    (host.app.folder / "temporary").mkdir(parents=True)


class LowDosePanel:
    """The low-dose panel, open.

    Args:
        host: The fixture.
        isReady: Whether its Python is known to have what is needed, so that no run begins with a look at it.
    """

    def __init__(self, host: Any, isReady: bool = True) -> None:
        self.host = host
        self.widget = host.openModule("MedEnhanceLowDoseCT")
        self.ui, self.logic = self.widget.ui, self.widget.logic
        if isReady:
            self.setReady()

    def setReady(self) -> None:
        import slicer

        from MedEnhanceLib.RequirementsSection import READY_KEY

        slicer.app.userSettings().setValue(READY_KEY, self.widget.requirements._mark())

    @property
    def parameters(self) -> Any:
        return self.widget._parameterNode

    @property
    def status(self) -> str:
        """What stands below the progress bar."""
        return self.ui.statusLabel.text

    @property
    def isRunning(self) -> bool:
        return self.ui.applyButton.text == "Cancel"

    def choose(self, node: Any) -> None:
        self.ui.inputSelector.setCurrentNode(node)

    def press(self) -> None:
        """Apply, or Cancel."""
        assert self.ui.applyButton.enabled, self.ui.applyButton.toolTip
        self.ui.applyButton.click()

    def wait(self) -> None:
        """Until the run has ended."""
        self.host.waitFor(lambda: not self.isRunning, LIMIT_S)

    def apply(self) -> Any:
        """Press Apply and wait; returns the result's node."""
        self.press()
        assert self.isRunning
        self.wait()
        assert "Done in" in self.status, self.status
        return self.parameters.outputVolume

    def waitForStage(self, text: str) -> None:
        self.host.waitFor(lambda: self.status.startswith(text), LIMIT_S)

    def table(self, name: str) -> list[list[str]]:
        """The texts of a table."""
        table = getattr(self.ui, name)
        rows, columns = range(table.rowCount), range(table.columnCount)
        return [[table.item(row, column).text() for column in columns] for row in rows]


@contextmanager
def atStage(panel: Any, stage: str, call: Callable[[], None]) -> Iterator[list[str]]:
    """Make a call, once, in the very moment in which a run says that it has come to a stage; yields the stages seen."""
    seen: list[str] = []
    told = panel.widget.controls.progress

    def progress(name: str, fraction: float, etaS: float | None) -> None:
        isNew = name not in seen
        seen.append(name)
        told(name, fraction, etaS)
        if isNew and name == stage:
            call()

    panel.widget.controls.progress = progress
    try:
        yield seen
    finally:
        panel.widget.controls.progress = told


@contextmanager
def handlerTimes() -> Iterator[list[tuple[float, str]]]:
    """How much of the processor's time each of our handlers takes, in ms, and its name.

    Not the time on the wall, which `Host.longestCall` measures: a busy machine may stop us at any moment.
    """
    from medenhance_host import pythonqt

    times: list[tuple[float, str]] = []
    call = pythonqt.Handler.__call__

    def timed(handler: Any, *arguments: Any) -> None:
        begun = time.thread_time()
        call(handler, *arguments)
        times.append((1000.0 * (time.thread_time() - begun), handler.function.__qualname__))

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pythonqt.Handler, "__call__", timed)
        yield times


def pathWith(program: Path) -> str:
    """A search path where a program comes first."""
    return os.pathsep.join([str(program.parent), os.environ["PATH"]])
