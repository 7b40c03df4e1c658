"""Mean, SD and noise inside a box that the user places; the figures follow when it is moved."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import qt
from slicer.i18n import tr as _
from slicer.util import VTKObservationMixin

from MedEnhanceLib.RegionReadout import regionStatistics
from MedEnhanceLib.TrustSection import fillTable

# Dragging a corner modifies the node many times a second; the table follows a few times.
_DELAY_MS = 150


class RegionSection(VTKObservationMixin):
    """Shows the statistics of volumes in a region.

    Args:
        table: QTableWidget.
        volumes: Gives the volume nodes to read, by the name to show them under.
    """

    def __init__(self, table: Any, volumes: Callable[[], dict[str, Any]]) -> None:
        VTKObservationMixin.__init__(self)
        self._table, self._volumes, self._region = table, volumes, None
        self._timer = qt.QTimer()
        self._timer.setSingleShot(True)
        self._timer.setInterval(_DELAY_MS)
        self._timer.timeout.connect(self.refresh)

    def setRegion(self, region: Any) -> None:
        """Follow this markups ROI node; None follows none."""
        if region is self._region:
            return
        self.removeObservers()
        self._region = region
        if region is not None:
            self.addObserver(region, region.PointModifiedEvent, self._onModified)
        self.refresh()

    def refresh(self) -> None:
        """Measure again."""
        headings = [_("Volume"), _("Mean, HU"), _("SD, HU"), _("Noise, HU"), _("Voxels")]
        fillTable(self._table, headings, self._rows())

    def stop(self) -> None:
        """Follow nothing any more."""
        self._timer.stop()
        self.removeObservers()
        self._region = None

    def _onModified(self, _caller: Any, _event: Any) -> None:
        self._timer.start()

    def _rows(self) -> list[tuple[str, ...]]:
        named = {name: node for name, node in self._volumes().items() if node is not None}
        if self._region is None or not named:
            return []
        found = regionStatistics(self._region, list(named.values()))
        return [_row(name, statistics) for name, statistics in zip(named, found, strict=True)]


def _row(name: str, statistics: Any) -> tuple[str, ...]:
    if statistics is None:
        return name, _("outside"), "", "", "0"
    noise = "" if statistics.noiseSd is None else f"{statistics.noiseSd:.1f}"
    return name, f"{statistics.mean:.1f}", f"{statistics.sd:.1f}", noise, str(statistics.numVoxels)
