"""The enhanced image over its original in all slice views, what was generated marked, the original one key away."""

from __future__ import annotations

from typing import Any

from MedEnhanceLib.OutputNodes import nodesOfClass

_MARK_OPACITY = 0.45


class OverlaySection:
    """Connects the overlay's widgets of a panel.

    Args:
        original: Checkable QPushButton: the original alone, as long as it is down.
        mark: QCheckBox: what was generated in colour.
        scene: The scene.
    """

    def __init__(self, original: Any, mark: Any, scene: Any) -> None:
        self._original, self._mark, self._scene = original, mark, scene
        self._image: Any = None
        self._enhanced: Any = None
        self._generated: Any = None
        original.toggled.connect(self._onToggled)
        mark.toggled.connect(self._onToggled)

    def setNodes(self, image: Any, enhanced: Any, generated: Any) -> None:
        """What to show; None for what is not there."""
        areOthers = (image, enhanced, generated) != (self._image, self._enhanced, self._generated)
        self._image, self._enhanced, self._generated = image, enhanced, generated
        self._original.setEnabled(enhanced is not None)
        self._mark.setEnabled(enhanced is not None and generated is not None)
        if enhanced is None:
            self._original.setChecked(False)
        if areOthers and enhanced is not None:
            self.show()

    def show(self) -> None:
        """Bring the views up to date."""
        if self._image is None or self._enhanced is None:
            return
        isOriginal = self._original.checked
        marked = self._generated if self._mark.checked and not isOriginal else None
        for composite in nodesOfClass(self._scene, "vtkMRMLSliceCompositeNode"):
            wasModifying = composite.StartModify()
            composite.SetBackgroundVolumeID(self._image.GetID())
            composite.SetForegroundVolumeID(self._enhanced.GetID())
            composite.SetForegroundOpacity(0.0 if isOriginal else 1.0)
            composite.SetLabelVolumeID(marked.GetID() if marked is not None else None)
            composite.SetLabelOpacity(_MARK_OPACITY)
            composite.EndModify(wasModifying)

    def _onToggled(self, _checked: bool) -> None:
        self.show()
