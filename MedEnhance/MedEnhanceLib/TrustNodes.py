"""A trust report as table rows and as a plot in the scene."""

from __future__ import annotations

from typing import Any

import slicer
import vtk
from slicer.i18n import tr as _

from MedEnhanceLib.OutputNodes import nodesOfClass

# Marks our nodes, so that a second report takes their place.
_MARK, _NOISE_POWER = "MedEnhance.Plot", "NoisePower"
# Told apart without seeing colour too: one is much darker.
_COLOURS = {"before": (0.35, 0.35, 0.35), "after": (0.90, 0.55, 0.0)}


def rowsOfTissues(report: dict[str, Any]) -> tuple[list[str], list[tuple[str, ...]]]:
    """The headings and rows of the table of tissues.

    Args:
        report: As `TrustReport.to_json` in `medenhance.measure.trust` gives it.
    """
    # In two lines: a panel is narrow.
    headings = [_("Tissue"), _("Noise\nbefore, HU"), _("Noise\nafter, HU"), _("CT number\nshift, HU"), _("Note")]
    return headings, [_row(tissue) for tissue in report["tissues"]]


def plotNodes(scene: Any, report: dict[str, Any], name: str) -> Any:
    """Show the noise power spectra before and after; the nodes of an earlier report are used again.

    Args:
        scene: Gets a table, two plot series and a chart.
        report: As above.
        name: Of the volume.

    Returns:
        The chart node; None, and no nodes, when the report holds no spectra.
    """
    before, after = report["noise_power_before"], report["noise_power_after"]
    if before is None or after is None:
        removePlotNodes(scene)
        return None
    table, chart, series = _nodes(scene)
    title = _("Noise power of {name}").format(name=name)
    columns = [(_("Spatial frequency"), before["frequency"])]
    columns += [(_("before"), before["power"]), (_("after"), after["power"])]
    table.SetName(title)
    table.SetAndObserveTable(_table(columns))
    for node, (label, _values) in zip(series, columns[1:], strict=True):
        node.SetName(label)
        node.SetXColumnName(columns[0][0])
        node.SetYColumnName(label)
    chart.SetName(title)
    chart.SetTitle(title)
    unit = "1/mm" if before["unit"] == "mm^-1" else _("1/pixel")
    chart.SetXAxisTitle(_("Spatial frequency, {unit}").format(unit=unit))
    chart.SetYAxisTitle(_("Noise power, HU² mm²") if before["unit"] == "mm^-1" else _("Noise power, HU² pixel²"))
    return chart


def removePlotNodes(scene: Any) -> None:
    """Remove what `plotNodes` made."""
    for node in _marked(scene):
        scene.RemoveNode(node)


def _row(tissue: dict[str, Any]) -> tuple[str, ...]:
    shift = _number(tissue["bias_hu"], "+.1f")
    if shift and tissue["bias_standard_error_hu"] is not None:
        shift += f" ± {tissue['bias_standard_error_hu']:.1f}"
    names = {
        "air": _("Air"),
        "lung": _("Lung"),
        "fat": _("Fat"),
        "soft": _("Soft tissue"),
        "bone": _("Bone, contrast medium"),
    }
    before, after = _number(tissue["noise_sd_before_hu"], ".1f"), _number(tissue["noise_sd_after_hu"], ".1f")
    return names.get(tissue["tissue"], tissue["tissue"]), before, after, shift, tissue["note"] or ""


def _number(value: float | None, form: str) -> str:
    return "" if value is None else format(value, form)


def _marked(scene: Any) -> list[Any]:
    classes = ("vtkMRMLPlotChartNode", "vtkMRMLPlotSeriesNode", "vtkMRMLTableNode")
    nodes = [node for name in classes for node in nodesOfClass(scene, name)]
    return [node for node in nodes if (node.GetAttribute(_MARK) or "").startswith(_NOISE_POWER)]


def _nodes(scene: Any) -> tuple[Any, Any, list[Any]]:
    """Table, chart and the two series, of an earlier report or new."""
    found = {node.GetAttribute(_MARK): node for node in _marked(scene)}
    table = found.get(_NOISE_POWER + "Table") or _new(scene, "vtkMRMLTableNode", "Table")
    chart = found.get(_NOISE_POWER + "Chart") or _new(scene, "vtkMRMLPlotChartNode", "Chart")
    series = [found.get(_NOISE_POWER + key) or _newSeries(scene, key) for key in _COLOURS]
    for node in series:
        node.SetAndObserveTableNodeID(table.GetID())
        if not chart.HasPlotSeriesNodeID(node.GetID()):
            chart.AddAndObservePlotSeriesNodeID(node.GetID())
    return table, chart, series


def _new(scene: Any, className: str, key: str) -> Any:
    node = scene.AddNewNodeByClass(className)
    node.SetAttribute(_MARK, _NOISE_POWER + key)
    return node


def _newSeries(scene: Any, key: str) -> Any:
    node = _new(scene, "vtkMRMLPlotSeriesNode", key)
    node.SetPlotType(slicer.vtkMRMLPlotSeriesNode.PlotTypeScatter)
    node.SetMarkerStyle(slicer.vtkMRMLPlotSeriesNode.MarkerStyleNone)
    node.SetLineWidth(2.0)
    node.SetColor(*_COLOURS[key])
    return node


def _table(columns: list[tuple[str, list[float]]]) -> Any:
    table = vtk.vtkTable()
    for name, values in columns:
        column = vtk.vtkDoubleArray()
        column.SetName(name)
        for value in values:
            column.InsertNextValue(value)
        table.AddColumn(column)
    return table
