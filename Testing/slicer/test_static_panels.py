"""Modules and their .ui files fit each other; no Qt is needed to see that."""

from __future__ import annotations

import itertools
from pathlib import Path

import pytest

from medenhance_host import sources
from medenhance_host.host import SOURCE_TREE
from medenhance_host.sources import UiFile

MODULES = sorted(SOURCE_TREE.glob("*.py"))
LIBRARY = sorted((SOURCE_TREE / "MedEnhanceLib").rglob("*.py"))
PANELS = [path for path in MODULES if (SOURCE_TREE / "Resources" / "UI" / f"{path.stem}.ui").exists()]
every_module = pytest.mark.parametrize("module", MODULES, ids=lambda path: path.stem)
every_panel = pytest.mark.parametrize("module", PANELS, ids=lambda path: path.stem)


def uiOf(module: Path) -> UiFile:
    return UiFile(SOURCE_TREE / "Resources" / "UI" / f"{module.stem}.ui")


def sectionsOf(module: Path) -> list[Path]:
    """The library files that a module imports: parts of its panel."""
    stems = {name.split(".")[-1] for name in sources.importedAtFileScope(module) if name.startswith("MedEnhanceLib.")}
    return [path for path in LIBRARY if path.stem in stems]


def test_there_are_modules_to_look_at():
    assert MODULES
    assert PANELS


@every_panel
def test_each_bound_widget_names_a_parameter(module):
    unknown = set(uiOf(module).parameters().values()) - sources.parameterNodeMembers(module)
    assert not unknown, f"not in the parameter node: {sorted(unknown)}"


@every_panel
def test_each_parameter_is_bound_or_used_in_code(module):
    used = set().union(*(sources.attributesUsed(path) for path in [module, *LIBRARY]))
    lost = sources.parameterNodeMembers(module) - set(uiOf(module).parameters().values()) - used
    assert not lost, f"neither in the .ui nor used: {sorted(lost)}"


@every_panel
def test_a_parameter_has_one_widget(module):
    names = sorted(uiOf(module).parameters().values())
    assert len(names) == len(set(names)), names


@every_panel
def test_the_property_is_named_as_slicer_reads_it(module):
    """Slicer's own template has a check box that is never bound: its property is named like the parameter."""
    members = sources.parameterNodeMembers(module)
    for widget in uiOf(module).widgets():
        wrong = {one.get("name") for one in widget.findall("property") if one.get("stdset") == "0"} & members
        assert not wrong, f"{widget.get('name')}: {wrong}"


@every_panel
def test_each_widget_used_in_code_is_in_the_ui_file(module):
    used = set().union(*(sources.attributesOfUi(path) for path in [module, *sectionsOf(module)]))
    others = set().union(*(uiOf(one).names() for one in PANELS))
    unknown = used - uiOf(module).names() - others
    assert not unknown, f"not in the .ui: {sorted(unknown)}"
    inModule = sources.attributesOfUi(module) - uiOf(module).names()
    assert not inModule, f"not in the module's own .ui: {sorted(inModule)}"


@every_panel
def test_the_top_widget_gives_the_scene_to_each_selector(module):
    ui = uiOf(module)
    assert ui.top.get("class") == "qMRMLWidget"
    scene = "mrmlSceneChanged(vtkMRMLScene*)", "setMRMLScene(vtkMRMLScene*)"
    for widget in ui.widgets():
        if widget.get("class", "").startswith("qMRML") and widget is not ui.top:
            wired = (ui.top.get("name"), scene[0], widget.get("name"), scene[1])
            assert wired in ui.connections(), widget.get("name")


@every_panel
def test_each_control_explains_itself(module):
    silent = [
        one.get("name")
        for one in uiOf(module).widgets()
        if sources.isControl(one) and not sources.propertyOf(one, "toolTip")
    ]
    assert not silent, f"without a tool tip: {silent}"


@every_panel
def test_labels_lead_to_controls_by_keyboard(module):
    """A label with a mnemonic needs a buddy that exists; a label without one must not end like a caption."""
    ui = uiOf(module)
    for label in (one for one in ui.widgets() if one.get("class") == "QLabel"):
        text, buddy = sources.propertyOf(label, "text") or "", sources.propertyOf(label, "buddy")
        if buddy:
            assert buddy in ui.names(), f"{label.get('name')}: {buddy}"
            assert "&" in text, f"{label.get('name')} has a buddy and no mnemonic"
        else:
            assert not text.endswith(":"), f"{label.get('name')} has no buddy"
            assert "&" not in text, f"{label.get('name')} has a mnemonic and no buddy"


@every_panel
def test_no_two_controls_share_a_mnemonic(module):
    found: dict[str, list[str]] = {}
    for widget in uiOf(module).widgets():
        text = (sources.propertyOf(widget, "text") or "").replace("&&", "")
        for before, letter in itertools.pairwise(text):
            if before == "&":
                found.setdefault(letter.lower(), []).append(widget.get("name", ""))
    assert not {letter: names for letter, names in found.items() if len(names) > 1}


@every_panel
def test_selectors_say_which_nodes_they_take(module):
    for widget in (one for one in uiOf(module).widgets() if one.get("class") == "qMRMLNodeComboBox"):
        types = (sources.propertyOf(widget, "nodeTypes") or "").split()
        assert types, widget.get("name")
        assert all(one.startswith("vtkMRML") for one in types), types


@every_module
def test_a_module_file_holds_what_slicer_looks_for(module):
    import ast

    classes = {node.name for node in sources.tree(module).body if isinstance(node, ast.ClassDef)}
    assert {module.stem, f"{module.stem}Widget", f"{module.stem}Logic", f"{module.stem}Test"} <= classes
