"""Slicer's Reload button: the panel is made anew while its module stays open."""

from __future__ import annotations

import pytest

from medenhance_host import Host


@pytest.mark.parametrize("module", ["MedEnhanceLowDoseCT", "MedEnhanceSpineUltrasound", "MedEnhanceHeadCT"])
def test_a_panel_works_on_after_it_was_reloaded(host: Host, module: str) -> None:
    panel = host.openModule(module)
    panel.ui.modelComboBox.setCurrentIndex(0)
    panel.parent.reload()
    import slicer

    again = slicer.util.getModuleWidget(module)
    assert again is not panel
    assert again.panel.parameters is not None
    again.onLoadSample()
    assert again.ui.inputSelector.currentNode() is not None
    assert panel.panel.parameters is None, "the old one holds nothing"
