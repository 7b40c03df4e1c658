"""The table of curves: angles of both images, their difference, and the angle of the lines as they lie now.

Saved, it has a column for each; in the panel, which is narrow, a cell holds several lines.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from html import escape
from typing import Any

import qt
from slicer.i18n import tr as _

from MedEnhanceLib.CurveLines import CurveLines
from MedEnhanceLib.TrustSection import fillTable

TRUTH = "MedEnhance.TrueCurves"  # attribute of a simulated projection


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
        self._label.setText(self._emptyText if report is None else _verdict(report) + _truthText(imageNode))
        self._fill()

    def stop(self) -> None:
        """The panel goes."""
        self._lines.follow(None, None)

    def rows(self) -> list[tuple[str, ...]]:
        """The table that is saved, as it is now, without headings."""
        return [] if self._report is None else curveRows(self._report, self._lines.angles())

    def _fill(self) -> None:
        rows = [_folded(row) for row in self.rows()]
        fillTable(self._table, _foldedHeadings() if rows else [], rows)
        self._table.setVisible(bool(rows))


def headings() -> list[str]:
    """Of the table that is saved."""
    return [
        _("Curve (levels assumed)"), _("Convex"), _("Original"), _("Enhanced"), _("Difference"), _("Lines now"),
    ]  # fmt: skip


def _foldedHeadings() -> list[str]:
    return [_("Curve (levels\nassumed)"), _("Original"), _("Enhanced"), _("Lines\nnow")]


def _folded(row: tuple[str, ...]) -> tuple[str, ...]:
    """A row as the panel shows it."""
    name, side, original, enhanced, apart, now = row
    curve = _("{name}, convex {side}").format(name=name, side=side).replace(", ", ",\n")
    if apart != "-":
        enhanced = f"{enhanced}\n{apart}"
    return curve, original.replace(" (", "\n("), enhanced.replace(" (", "\n("), now


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
        rows.append((name, side, _angle(original), _angle(enhanced, report["doubtful_levels"]), apart, now))
    return rows


def _angle(curve: dict[str, Any] | None, doubtful: Sequence[str] = ()) -> str:
    """An angle with its interval; marked where an end level rests on something that no original depth shows."""
    if curve is None:
        return "-"
    low, high = curve["interval_deg"]
    text = _("{angle:.1f}° ({low:.1f} to {high:.1f})").format(angle=curve["angle_deg"], low=low, high=high)
    return f"⚠ {text}" if {curve["upper"], curve["lower"]} & set(doubtful) else text


def _truthText(imageNode: Any) -> str:
    """What is true about a simulated back; empty for any other."""
    known = imageNode.GetAttribute(TRUTH)
    if known is None:
        return ""
    curves = ", ".join("{upper} to {lower} {angle_deg:.1f}° {side}".format(**curve) for curve in json.loads(known))
    return f"<p>{escape(_('Simulated; its true curves: {curves}.').format(curves=curves))}</p>"


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
