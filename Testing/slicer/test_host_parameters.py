"""Parameter nodes: stored with the scene, bound to widgets both ways, strict about types, as in Slicer."""

from __future__ import annotations

import pathlib
from pathlib import Path
from typing import Annotated, Optional

import pytest

from medenhance_host.parameter_node import parameterNodeWrapper
from medenhance_host.stored_types import Choice, Maximum, Minimum, WithinRange


@pytest.fixture
def node(host):
    import slicer

    return slicer.mrmlScene.AddNewNodeByClass("vtkMRMLScriptedModuleNode")


def wrapped(node, *, default=None, **types):
    members = {"__annotations__": types, **(default or {})}
    return parameterNodeWrapper(type("Parameters", (), members))(node)


def test_defaults_are_written_at_once_and_stored_values_win(node):
    parameters = wrapped(node, strength=float, name=str, default={"strength": 0.5})
    assert (parameters.strength, parameters.name, node.GetParameter("strength")) == (0.5, "", "0.5")
    parameters.strength = 0.25
    assert wrapped(node, strength=float, default={"strength": 0.5}).strength == 0.25


def test_every_type_comes_back_as_itself(node):
    types = {"count": int, "strength": float, "name": str, "on": bool, "path": pathlib.Path}
    values = {"count": 3, "strength": 0.1, "name": "a é", "on": True, "path": Path("/a b/检查")}
    parameters = wrapped(node, **types)
    for name, value in values.items():
        setattr(parameters, name, value)
    assert {name: getattr(wrapped(node, **types), name) for name in types} == values


@pytest.mark.parametrize(
    ("kind", "value", "error"),
    [
        (int, 1.5, TypeError),
        (float, "1", TypeError),
        (str, None, ValueError),
        (bool, 1, TypeError),
        (pathlib.Path, "/tmp", TypeError),
        (Annotated[float, WithinRange(0.0, 1.0)], 1.01, ValueError),
        (Annotated[int, Minimum(1)], 0, ValueError),
        (Annotated[int, Maximum(5)], 6, ValueError),
    ],
)
def test_values_of_the_wrong_kind_are_refused(node, kind, value, error):
    parameters = wrapped(node, value=kind, default={"value": 2} if "Minimum" in str(kind) else None)
    before = parameters.value
    with pytest.raises(error):
        parameters.value = value
    assert parameters.value == before


def test_a_default_outside_of_its_own_bounds_is_refused(node):
    with pytest.raises(ValueError, match="must be one of"):
        wrapped(node, device=Annotated[str, Choice(["cpu"])])


def test_nodes_are_references_that_empty_themselves(node, host):
    import slicer

    parameters = wrapped(node, volume=slicer.vtkMRMLScalarVolumeNode)
    volume = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLScalarVolumeNode")
    parameters.volume = volume
    assert parameters.volume is volume
    with pytest.raises(TypeError):
        parameters.volume = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLTableNode")
    slicer.mrmlScene.RemoveNode(volume)
    assert parameters.volume is None


def test_optional_values_start_as_none(node):
    parameters = wrapped(node, limit=Optional[float])  # noqa: UP045 - Slicer knows typing's form alone
    assert parameters.limit is None
    parameters.limit = 3.5
    assert wrapped(node, limit=Optional[float]).limit == 3.5  # noqa: UP045


def test_a_bar_in_a_type_is_refused_as_slicer_does(node):
    with pytest.raises(TypeError, match="Optional"):
        wrapped(node, limit=float | None)


def test_names_of_the_wrapper_cannot_be_parameters(node):
    with pytest.raises(ValueError, match="reserved name"):
        wrapped(node, default={"Modified": 3})


def bound(parameters, name, widget):
    return parameters.connectParametersToGui({name: widget})


def test_a_widget_shows_the_parameter_first_and_then_both_follow(node, host):
    import ctk

    parameters = wrapped(node, strength=Annotated[float, WithinRange(0.0, 1.0)], default={"strength": 0.75})
    slider = ctk.ctkSliderWidget()
    slider.setMaximum(10.0)
    slider.value = 3.0
    bound(parameters, "strength", slider)
    assert (slider.value, slider.maximum, parameters.strength) == (0.75, 1.0, 0.75)
    slider.value = 0.5
    assert parameters.strength == 0.5
    parameters.strength = 0.25
    assert slider.value == 0.25


def test_after_disconnecting_the_widget_is_free(node, host):
    import qt

    parameters, box = wrapped(node, on=bool), qt.QCheckBox()
    tag = bound(parameters, "on", box)
    parameters.disconnectGui(tag)
    box.checked = True
    assert parameters.on is False


def test_connect_gui_gives_no_tag_as_in_slicer(node, host):
    import qt

    panel = qt.QWidget()
    box = qt.QCheckBox(panel)
    box.setProperty("SlicerParameterName", "on")
    parameters = wrapped(node, on=bool)
    assert parameters.connectGui(panel) is None
    box.checked = True
    assert parameters.on is True


def test_a_combo_box_is_emptied_and_filled_with_the_choices(node, host):
    import qt

    parameters = wrapped(node, device=Annotated[str, Choice(["auto", "cpu"])], default={"device": "cpu"})
    box = qt.QComboBox()
    box.addItem("left over")
    bound(parameters, "device", box)
    assert ([box.itemText(i) for i in range(box.count)], box.currentText) == (["auto", "cpu"], "cpu")
    box.setCurrentIndex(0)
    assert parameters.device == "auto"


def test_a_selector_gets_its_node_class_from_the_parameter(node, host):
    import slicer

    parameters = wrapped(node, table=slicer.vtkMRMLTableNode)
    selector = slicer.qMRMLNodeComboBox()
    selector.nodeTypes = ["vtkMRMLScalarVolumeNode"]
    selector.setMRMLScene(slicer.mrmlScene)
    bound(parameters, "table", selector)
    assert selector.nodeTypes == ("vtkMRMLTableNode",)


def widgets():
    import ctk
    import qt
    import slicer

    return {
        "slider without bounds": (ctk.ctkSliderWidget, float),
        "integer in a double box": (qt.QDoubleSpinBox, int),
        "float in a spin box": (qt.QSpinBox, float),
        "text without choices": (qt.QComboBox, str),
        "subclass of a combo box": (ctk.ctkComboBox, Annotated[str, Choice(["a"])]),
        "path in a line edit": (qt.QLineEdit, pathlib.Path),
        "text in a path edit": (ctk.ctkPathLineEdit, str),
        "text in a plain text edit": (qt.QPlainTextEdit, str),
        "bool in a tool button": (qt.QToolButton, bool),
        "node in a combo box": (qt.QComboBox, slicer.vtkMRMLTableNode),
        "text in a label": (qt.QLabel, str),
    }


@pytest.mark.parametrize(
    "pair",
    [
        "slider without bounds",
        "integer in a double box",
        "float in a spin box",
        "text without choices",
        "subclass of a combo box",
        "path in a line edit",
        "text in a path edit",
        "text in a plain text edit",
        "bool in a tool button",
        "node in a combo box",
        "text in a label",
    ],
)
def test_pairs_that_slicer_does_not_bind_fail(node, host, pair):
    widget, kind = widgets()[pair]
    parameters = wrapped(node, value=kind, default={"value": "a"} if pair == "subclass of a combo box" else None)
    with pytest.raises(RuntimeError):
        bound(parameters, "value", widget())


def test_a_widget_of_no_parameter_is_an_error(node, host):
    import qt

    with pytest.raises(ValueError, match="Cannot find a param"):
        bound(wrapped(node, on=bool), "off", qt.QCheckBox())
