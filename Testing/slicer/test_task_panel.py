"""What holds for every panel, because all are made of the same parts."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import slicer
from mrml_samples import filled
from panel_driver import ctArray

from medenhance_host import Host
from medenhance_host.host import SOURCE_TREE

MODULES = sorted(path.stem for path in SOURCE_TREE.glob("*.py"))
every_module = pytest.mark.parametrize("name", MODULES)
every_task = pytest.mark.parametrize("name", [name for name in MODULES if name != "MedEnhanceModels"])


def selectorsOf(ui: Any) -> list[Any]:
    return [one for one in vars(ui).values() if one.className() == "qMRMLNodeComboBox"]


@every_module
def test_another_copy_of_the_core_is_told(
    name: str, host: Host, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import medenhance

    monkeypatch.setattr(medenhance, "__file__", str(tmp_path / "medenhance & co" / "__init__.py"))
    assert "medenhance &amp; co" in host.openModule(name).ui.statusLabel.text


@every_module
def test_nothing_is_said_before_there_was_a_run(name: str, host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    import medenhance

    monkeypatch.setattr(medenhance, "__file__", str(SOURCE_TREE / "medenhance" / "__init__.py"))
    assert host.openModule(name).ui.statusLabel.text == ""


@every_task
def test_a_selector_whose_node_is_deleted_does_not_take_the_neighbour(name: str, host: Host) -> None:
    """By itself it would: another patient's, perhaps."""
    widget = host.openModule(name)
    chosen = 0
    for selector in selectorsOf(widget.ui):
        if "vtkMRMLScalarVolumeNode" not in selector.nodeTypes:
            continue
        nodes = [filled(ctArray((1, 20, 20)), slicer.mrmlScene, f"volume {n}") for n in range(3)]
        selector.setCurrentNode(nodes[1])
        assert selector.currentNode() is nodes[1]
        slicer.mrmlScene.RemoveNode(nodes[1])
        assert selector.currentNode() is None, selector.objectName
        chosen += 1
    assert chosen


@every_task
def test_a_panel_follows_the_next_scene(name: str, host: Host) -> None:
    widget = host.openModule(name)
    widget._parameterNode.modelId = "of the first scene"
    slicer.mrmlScene.Clear()
    assert widget._parameterNode is not None
    assert widget._parameterNode.modelId != "of the first scene"


@every_task
def test_a_panel_that_is_left_does_not_make_parameters(name: str, host: Host) -> None:
    widget = host.openModule(name)
    host.openModule("MedEnhanceModels")
    slicer.mrmlScene.Clear()
    assert widget._parameterNode is None
