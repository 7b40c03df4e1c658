"""The evidence slice by slice: a strip, the slices to look at, and the slice views, which follow and are followed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import qt
import vtk
from slicer.i18n import tr as _
from slicer.util import VTKObservationMixin

from MedEnhanceLib.HeadReport import evidence, evidenceRows, isDoubtful, sliceText
from MedEnhanceLib.SliceJump import jumpToSlice, nearestSlice
from MedEnhanceLib.SliceStrip import SliceStrip, StripSlice
from MedEnhanceLib.TrustSection import fillTable

_FOLLOWED = "vtkMRMLSliceNodeRed"  # Slicer's axial view, there in every layout but those of users' own


class SliceSection(VTKObservationMixin):
    """Shows the slices of a report.

    Args:
        strip: QTableWidget for all slices.
        label: QLabel for the slice that is shown.
        table: QTableWidget for the slices to look at.
        scene: The scene.
        middle: Gives the (K, J, I) point to show in a slice, of its index and the slice axis; None for its middle.
    """

    def __init__(
        self, strip: Any, label: Any, table: Any, scene: Any, middle: Callable[[int, int], list[float] | None]
    ) -> None:
        VTKObservationMixin.__init__(self)
        self._label, self._table, self._scene, self._middle = label, table, scene, middle
        self._emptyText = label.text
        self._strip = SliceStrip(strip, self._onColumnChosen)
        self._volume: Any = None
        self._slices: list[dict[str, Any]] = []
        self._listed: list[dict[str, Any]] = []
        self._axis = 0
        self._isJumping = False
        table.cellClicked.connect(self._onRowClicked)
        self.show(None, None)

    def show(self, report: dict[str, Any] | None, volumeNode: Any) -> None:
        """Show the slices of a processed report on its volume; None shows none."""
        findings = report["findings"] if report is not None else None
        self._slices = findings["slices"] if findings is not None else []
        self._listed = evidence(findings) if findings is not None else []
        self._axis = report["scan"]["slice_axis"] if findings is not None else 0
        self._volume = volumeNode if findings is not None else None
        self._strip.show([self._column(one) for one in self._slices])
        headings = [_("Slice"), _("Proba-\nbility"), _("Area,\nmm²"), _("To look at")]
        fillTable(self._table, headings if self._listed else [], evidenceRows(self._listed))
        # What is to be noted takes the space that is left, not the number.
        if self._listed:
            self._table.horizontalHeader().setSectionResizeMode(0, qt.QHeaderView.ResizeToContents)
            self._table.horizontalHeader().setSectionResizeMode(3, qt.QHeaderView.Stretch)
        self._table.setVisible(bool(self._listed))
        self._label.setText(self._emptyText)
        self._follow()

    def jump(self, index: int) -> None:
        """Bring the slice views to a slice, by its index along the slice axis."""
        if self._volume is None:
            return
        self._isJumping = True
        try:
            jumpToSlice(self._volume, index, self._axis, self._middle(index, self._axis))
        finally:
            self._isJumping = False
        self._mark(index)

    def stop(self) -> None:
        """The panel or the scene goes."""
        self.removeObservers()
        self._volume = None

    def _column(self, one: dict[str, Any]) -> StripSlice:
        tip = sliceText(one, len(self._slices))
        return StripSlice(one["probability"], one["area_mm2"], isDoubtful(one), tip)

    def _follow(self) -> None:
        """Mark the slice that the axial view shows, and go on doing so."""
        self.removeObservers()
        view = self._scene.GetNodeByID(_FOLLOWED)
        if view is None or self._volume is None:
            return
        self.addObserver(view, vtk.vtkCommand.ModifiedEvent, self._onViewMoved)
        self._onViewMoved(view, "")

    def _onViewMoved(self, view: Any, _event: Any) -> None:
        if self._isJumping or self._volume is None or self._volume.GetImageData() is None:
            return
        matrix = view.GetSliceToRAS()
        index = nearestSlice(self._volume, [matrix.GetElement(r, 3) for r in range(3)], self._axis)
        if index is not None:
            self._mark(index)

    def _mark(self, index: int) -> None:
        # A column of a thin series stands for several slices: the nearest one.
        column = min(range(len(self._slices)), key=lambda n: abs(self._slices[n]["index"] - index), default=None)
        self._strip.setCurrent(column)
        if column is not None:
            self._label.setText(sliceText(self._slices[column], len(self._slices)))

    def _onColumnChosen(self, column: int) -> None:
        self.jump(self._slices[column]["index"])

    def _onRowClicked(self, row: int, _column: int) -> None:
        if row < len(self._listed):
            self.jump(self._listed[row]["index"])
