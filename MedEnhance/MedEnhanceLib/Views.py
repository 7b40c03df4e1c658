"""What the sections of a panel ask of Slicer's window."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import slicer


def refreshViews() -> None:
    """Have the views that a layout names made."""
    slicer.app.processEvents()


def waitFor(condition: Callable[[], bool], limitS: float = 120.0) -> None:
    """Let Slicer work until a condition holds, or so long; for self tests."""
    until = time.monotonic() + limitS
    while not condition() and time.monotonic() < until:
        slicer.app.processEvents()
        time.sleep(0.01)


def showChart(chartNode: Any) -> None:
    """Show a plot chart, in a layout that has a plot view."""
    manager = slicer.app.layoutManager()
    layout = manager.layoutLogic().GetLayoutNode()
    manager.setLayout(slicer.modules.plots.logic().GetLayoutWithPlot(layout.GetViewArrangement()))
    logic = slicer.app.applicationLogic()
    logic.GetSelectionNode().SetReferenceActivePlotChartID(chartNode.GetID())
    logic.PropagatePlotChartSelection()
