"""The strip of slices as it is painted, and what its clicks and keys tell."""

from __future__ import annotations

from typing import Any

import head_nodes
import numpy as np
import pytest
import qt

from MedEnhanceLib.MaskFindings import counted
from MedEnhanceLib.SliceStrip import SliceStrip, StripSlice

WIDTH = 440
ORANGE, RED, PURPLE = (230, 145, 30), (214, 60, 48), (170, 60, 200)
PROBABILITY_ROW, AREA_ROW, MARK_ROW = (0, 44), (44, 78), (78, 86)  # pixels from the top


class Strip:
    """A strip and what it told."""

    def __init__(self, host: Any, slices: list[StripSlice]) -> None:
        self.host, self.chosen, self.table = host, [], qt.QTableWidget()
        self.strip = SliceStrip(self.table, self.chosen.append)
        self.strip.show(slices)

    def picture(self) -> np.ndarray:
        """(H, W, 3) of the columns, without their headings."""
        widget = self.table._qt
        widget.resize(WIDTH, widget.height())
        widget.show()
        self.host.processEvents(0.05)
        image = widget.viewport().grab().toImage().convertToFormat(qt.QImage.Format_RGB888.member)
        rows = np.frombuffer(image.constBits(), np.uint8).reshape(image.height(), image.bytesPerLine())
        return rows[:, : 3 * image.width()].reshape(image.height(), image.width(), 3).copy()


def slices(count: int = 10, **changes: Any) -> list[StripSlice]:
    made = [StripSlice(n / (count - 1), 100.0 * n, n == 3, f"slice {n}") for n in range(count)]
    return [StripSlice(**{**vars(one), **changes}) for one in made]


def share(picture: np.ndarray, column: int, count: int, row: tuple[int, int], colour: tuple[int, int, int]) -> float:
    """How much of a cell's middle line has a colour."""
    x = round((column + 0.5) * picture.shape[1] / count)
    line = picture[row[0] : row[1], x].astype(int)
    return float(np.mean(np.abs(line - np.array(colour)).max(axis=1) < 25))


def test_bars_are_as_high_as_their_values(host: Any) -> None:
    picture = Strip(host, slices()).picture()
    for n in range(10):
        assert share(picture, n, 10, PROBABILITY_ROW, ORANGE) == pytest.approx(0.92 * n / 9, abs=0.06)
        assert share(picture, n, 10, AREA_ROW, RED) == pytest.approx(0.92 * n / 9, abs=0.06)


def test_contradictions_are_marked(host: Any) -> None:
    picture = Strip(host, slices()).picture()
    marked = [share(picture, n, 10, MARK_ROW, PURPLE) > 0.5 for n in range(10)]
    assert marked == [n == 3 for n in range(10)]


def test_the_slice_that_is_shown_is_marked_and_no_other(host: Any) -> None:
    made = Strip(host, slices())
    before = made.picture()
    made.strip.setCurrent(2)
    made.strip.setCurrent(6)
    changed = np.any(made.picture() != before, axis=(0, 2))
    assert {made.table.columnAt(int(x)) for x in np.flatnonzero(changed)} == {6}


def test_a_mask_without_any_area_has_no_bars(host: Any) -> None:
    picture = Strip(host, slices(areaMm2=0.0)).picture()
    assert all(share(picture, n, 10, AREA_ROW, RED) == 0.0 for n in range(10))


def test_sixty_slices_fit_into_a_narrow_panel(host: Any) -> None:
    made = Strip(host, slices(60))
    made.picture()
    assert made.table.horizontalScrollBar().maximum == 0
    assert made.table.columnWidth(30) >= 5


def test_clicks_and_keys_choose_a_slice_once(host: Any) -> None:
    made = Strip(host, slices())
    made.table.cellClicked.emit(0, 4)
    made.table.cellClicked.emit(1, 4)  # it is shown already
    made.table.setCurrentCell(0, 5)
    made.table.setCurrentCell(0, 6)
    assert made.chosen == [4, 6]  # the first current cell is the keyboard's focus coming in, no choice


def test_new_slices_choose_nothing(host: Any) -> None:
    made = Strip(host, slices())
    made.table.setCurrentCell(0, 4)
    made.strip.show(slices(5))
    made.strip.show([])
    assert made.chosen == []
    assert not made.table.visible


def test_areas_of_slabs_are_those_of_their_slices() -> None:
    report = head_nodes.report()
    slabs = [head_nodes.evidence(index, 0.5, 0.0) for index in (1, 4, 7, 10)]  # three slices each
    report["findings"]["slices"] = [{**one, "thickness_mm": 30.0} for one in slabs]
    mask = np.zeros(head_nodes.SHAPE, np.uint8)
    mask[3:6, :10, :10] = 1
    found = counted(report, mask)
    areas = [one["area_mm2"] for one in found["slices"]]
    assert areas[1] == pytest.approx(100 * 2.6 * 2.7)
    assert areas[0] == areas[2] == areas[3] == 0.0
    assert found["total"]["ml"] == pytest.approx(3 * 100 * 2.6 * 2.7 * 10.0 / 1000.0)
