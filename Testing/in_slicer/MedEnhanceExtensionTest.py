"""Runs inside Slicer (CTest, or `slicer.testing.runUnitTest`): what only the whole application can show.

Testing/CMakeLists.txt registers it beside each module's own self test. It needs no network and installs nothing.
"""

from __future__ import annotations

import sys
import unittest
from pathlib import Path

import slicer

MODULES = ("MedEnhanceHeadCT", "MedEnhanceLowDoseCT", "MedEnhanceModels", "MedEnhanceSpineUltrasound")


class MedEnhanceExtensionTest(unittest.TestCase):
    def test_every_module_is_loaded_from_one_folder(self) -> None:
        folders = {Path(slicer.util.modulePath(name)).resolve().parent for name in MODULES}
        assert len(folders) == 1

    def test_every_panel_opens_and_has_an_icon(self) -> None:
        for name in MODULES:
            with self.subTest(module=name):
                module = getattr(slicer.modules, name.lower())
                assert module.widgetRepresentation() is not None
                assert not module.icon.isNull()

    def test_panels_survive_a_closed_scene(self) -> None:
        for name in MODULES:
            with self.subTest(module=name):
                slicer.util.selectModule(name)
                slicer.mrmlScene.Clear()
                slicer.app.processEvents()
                assert slicer.util.selectedModule() == name

    def test_the_core_comes_from_the_extension_and_not_from_pip(self) -> None:
        import medenhance
        import MedEnhanceLib

        extension = Path(slicer.util.modulePath(MODULES[0])).resolve().parent
        assert Path(MedEnhanceLib.__file__).resolve().parents[1] == extension
        assert Path(medenhance.__file__).resolve().parents[1] == extension

    def test_torch_stays_out_of_the_process(self) -> None:
        for name in MODULES:
            getattr(slicer.modules, name.lower()).widgetRepresentation()
        assert "torch" not in sys.modules
