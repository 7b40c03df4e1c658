"""The trust report becomes rows for people and a plot whose numbers are the report's."""

from __future__ import annotations

import re

import numpy as np
import pytest
from mrml_samples import newScene

from medenhance.measure.trust import RunFacts, trust_report
from medenhance.volume import Grid
from MedEnhanceLib.TrustNodes import plotNodes, removePlotNodes, rowsOfTissues


@pytest.fixture(scope="module")
def report():
    """A real report: a cylinder of soft tissue in air, whose noise was halved."""
    random = np.random.default_rng(0)
    rows, columns = np.mgrid[-80:80, -80:80]
    clean = np.where(np.hypot(rows, columns) < 70, 40.0, -1000.0)[None].repeat(2, axis=0)
    noise = random.normal(0.0, 20.0, clean.shape)
    run = RunFacts("m", "1", "", "cpu", "fp32", 1.0, 0.1, None)
    grid = Grid(spacing_mm=(0.7, 0.7, 2.0))
    before, after = (clean + noise).astype(np.float32), (clean + 0.5 * noise + 1.0).astype(np.float32)
    return trust_report(before, after, grid, padding_below=None, trusted=None, run=run).to_json()


@pytest.fixture
def scene():
    return newScene()


def test_the_table_is_in_plain_words_with_units(report):
    headings, rows = rowsOfTissues(report)
    assert headings[1] == "Noise\nbefore, HU"
    assert [row[0] for row in rows] == ["Air", "Lung", "Fat", "Soft tissue", "Bone, contrast medium"]
    assert all(len(row) == len(headings) for row in rows)
    soft = rows[3]
    assert float(soft[1]) == pytest.approx(20.0, rel=0.1)
    assert float(soft[2]) == pytest.approx(10.0, rel=0.1)
    assert re.fullmatch(r"\+(0\.[89]|1\.[012]) ± 0\.\d", soft[3])
    assert rows[1][1:] == ("", "", "", "none found")


def test_the_plot_holds_the_spectra_of_the_report(scene, report):
    chart = plotNodes(scene, report, "CT 头部")
    assert chart.GetNumberOfPlotSeriesNodes() == 2
    for n, key in enumerate(("noise_power_before", "noise_power_after")):
        series = chart.GetNthPlotSeriesNode(n)
        table = series.GetTableNode().GetTable()
        for name, wanted in ((series.GetXColumnName(), "frequency"), (series.GetYColumnName(), "power")):
            column = table.GetColumnByName(name)
            assert [column.GetValue(i) for i in range(column.GetNumberOfValues())] == list(report[key][wanted])
    assert chart.GetTitle() == "Noise power of CT 头部"
    assert chart.GetXAxisTitle() == "Spatial frequency, 1/mm"
    assert chart.GetYAxisTitle() == "Noise power, HU² mm²"


def test_a_second_report_takes_the_place_of_the_first(scene, report):
    chart = plotNodes(scene, report, "first")
    count = scene.GetNumberOfNodes()
    unit = {
        **report,
        "noise_power_before": {
            **report["noise_power_before"],
            "unit": "px^-1",
            "power": [7.0] * 5,
            "frequency": [1.0] * 5,
        },
    }
    unit["noise_power_after"] = {**unit["noise_power_before"], "power": [3.0] * 5}
    assert plotNodes(scene, unit, "second") is chart
    assert scene.GetNumberOfNodes() == count
    assert chart.GetTitle() == "Noise power of second"
    assert chart.GetXAxisTitle() == "Spatial frequency, 1/pixel"
    series = chart.GetNthPlotSeriesNode(1)
    assert series.GetTableNode().GetTable().GetColumnByName(series.GetYColumnName()).GetValue(4) == 3.0


def test_a_node_that_the_user_deleted_is_made_again(scene, report):
    chart = plotNodes(scene, report, "a")
    scene.RemoveNode(chart.GetNthPlotSeriesNode(0))
    chart = plotNodes(scene, report, "a")
    names = [chart.GetNthPlotSeriesNode(n).GetName() for n in range(chart.GetNumberOfPlotSeriesNodes())]
    assert sorted(names) == ["after", "before"]


def test_nothing_is_left_after_removal_or_when_there_is_no_spectrum(scene, report):
    before = scene.GetNumberOfNodes()
    plotNodes(scene, report, "a")
    removePlotNodes(scene)
    assert scene.GetNumberOfNodes() == before
    plotNodes(scene, report, "a")
    assert plotNodes(scene, {**report, "noise_power_before": None, "noise_power_after": None}, "a") is None
    assert scene.GetNumberOfNodes() == before
