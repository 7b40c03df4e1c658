"""The table of curves: angles of both images, their difference, and the angle of the lines as they lie now."""

from __future__ import annotations

from html import escape
from typing import Any

import qt
from slicer.i18n import tr as _

from MedEnhanceLib.CurveLines import CurveLines
from MedEnhanceLib.TrustSection import fillTable


class CurveSection:
    """Shows the curves of a report.

    Args:
        label: QLabel for what was changed, and for warnings.
        table: QTableWidget.
        scene: The scene.
    """

    def __init__(self, label: Any, table: Any, scene: Any) -> None:
        self._label, self._table = label, table
        self._emptyText = label.text
        label.setTextFormat(qt.Qt.RichText)
        self._lines = CurveLines(scene, self._fill)
        self._report: dict[str, Any] | None = None
        self._fill()

    def show(self, report: dict[str, Any] | None, imageNode: Any) -> None:
        """Show a report of "enhance-spine" and follow the lines on its image; None shows that there is none."""
        self._report = report
        spacing = None if report is None or report["spacing_mm"] is None else tuple(report["spacing_mm"])
        self._lines.follow(imageNode if report is not None else None, spacing)
        self._label.setText(self._emptyText if report is None else _verdict(report))
        self._fill()

    def stop(self) -> None:
        """The panel goes."""
        self._lines.follow(None, None)

    def rows(self) -> list[tuple[str, ...]]:
        """The table as it is now, without headings."""
        return [] if self._report is None else curveRows(self._report, self._lines.angles())

    def _fill(self) -> None:
        rows = self.rows()
        # In two lines a cell, the table fits into Slicer's narrow panel.
        folded = [tuple(text.replace(" (", "\n(").replace(", ", ",\n") for text in row) for row in rows]
        fillTable(self._table, [text.replace(" ", "\n", 1) for text in headings()] if rows else [], folded)
        self._table.setVisible(bool(rows))


def headings() -> list[str]:
    """Of the table."""
    return [
        _("Curve (levels assumed)"), _("Convex"), _("Original"), _("Enhanced"), _("Difference"), _("Lines now"),
    ]  # fmt: skip


def curvePairs(report: dict[str, Any]) -> list[tuple[dict[str, Any] | None, dict[str, Any] | None, float | None]]:
    """Original curve, enhanced curve, difference of their angles; also where one image alone was measured."""
    if report["pairs"]:
        return [(one["original"], one["enhanced"], one["difference_deg"]) for one in report["pairs"]]
    if report["original"] is not None:
        return [(one, None, None) for one in report["original"]["curves"]]
    return [] if report["enhanced"] is None else [(None, one, None) for one in report["enhanced"]["curves"]]


def curveRows(report: dict[str, Any], angles: dict[int, float]) -> list[tuple[str, ...]]:
    """Rows of the table.

    Args:
        report: Of "enhance-spine".
        angles: Of the lines, by the number of their curve.
    """
    rows = []
    for number, (original, enhanced, difference) in enumerate(curvePairs(report)):
        shown = original or enhanced
        if shown is None:
            continue
        name = _("{upper} to {lower}, {kind}").format(upper=shown["upper"], lower=shown["lower"], kind=shown["kind"])
        side = _("left") if shown["side"] == "left" else _("right")
        apart = "-" if difference is None else f"{difference:+.1f}°"
        now = f"{angles[number]:.1f}°" if number in angles else "-"
        rows.append((name, side, _angle(original), _angle(enhanced), apart, now))
    return rows


def _angle(curve: dict[str, Any] | None) -> str:
    if curve is None:
        return "-"
    low, high = curve["interval_deg"]
    return _("{angle:.1f}° ({low:.1f} to {high:.1f})").format(angle=curve["angle_deg"], low=low, high=high)


def _verdict(report: dict[str, Any]) -> str:
    lines = [f"<p>⚠ {escape(text)}</p>" for text in report["warnings"]]
    done = report["changes"]
    if done is not None:
        text = _("{changed:.1%} of the scan changed, {generated:.1%} by more than {grey} grey levels (marked).")
        text = text.format(
            changed=done["changed_share"], generated=done["generated_share"], grey=done["threshold_grey"]
        )
        lines.append(f"<p>{escape(text)}</p>")
    for name in ("original", "enhanced"):
        found = report[name]
        if found is not None and not found["curves"]:
            text = _("No curve of 5 degrees or more in the original image.")
            if name == "enhanced":
                text = _("No curve of 5 degrees or more in the enhanced image.")
            lines.append(f"<p>{escape(text)}</p>")
    return "".join(lines) + f"<p><i>{escape(report['notice'])}</i></p>"
