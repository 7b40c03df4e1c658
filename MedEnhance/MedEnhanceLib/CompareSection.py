"""Original, denoised and residual side by side, blended, or in turn."""

from __future__ import annotations

from typing import Any

import qt

from MedEnhanceLib.CompareLayout import CompareLayout

_FLICKER_MS = 500


class CompareSection:
    """Connects the comparison's widgets of a panel.

    Args:
        button: Checkable QPushButton, side by side.
        slider: ctkSliderWidget of 0 to 1, bound to a parameter.
        flicker: QCheckBox.
        layout: The views.
    """

    def __init__(self, button: Any, slider: Any, flicker: Any, layout: CompareLayout) -> None:
        self._button, self._slider, self._flicker, self._layout = button, slider, flicker, layout
        self._original: Any = None
        self._denoised: Any = None
        self._residual: Any = None
        self._timer = qt.QTimer()
        self._timer.setInterval(_FLICKER_MS)
        self._timer.timeout.connect(self._onTick)
        self._showsDenoised = False
        button.toggled.connect(self._onToggled)
        slider.valueChanged.connect(self._onBlend)
        flicker.toggled.connect(self._onFlicker)

    def setVolumes(self, original: Any, denoised: Any, residual: Any) -> None:
        """What to compare; None for what is not there."""
        areOthers = (original, denoised, residual) != (self._original, self._denoised, self._residual)
        self._original, self._denoised, self._residual = original, denoised, residual
        able = original is not None and denoised is not None
        for widget in (self._button, self._slider, self._flicker):
            widget.setEnabled(able)
        if not able:
            self.stop()
        elif self._button.checked and areOthers:  # else the user's zoom and slice stay
            self._layout.show(original, denoised, residual)

    def stop(self) -> None:
        """Go back to the views as they were."""
        self.stopFlicker()
        self._button.setChecked(False)
        self._layout.restore()

    @property
    def isShown(self) -> bool:
        """Whether the volumes stand side by side."""
        return self._layout.isShown

    def stopFlicker(self) -> None:
        """Show the two as the slider says."""
        self._flicker.setChecked(False)

    def _onToggled(self, checked: bool) -> None:
        if checked:
            self._layout.show(self._original, self._denoised, self._residual)
        else:
            self._layout.restore()

    def _onBlend(self, opacity: float) -> None:
        if self._original is not None and self._denoised is not None:
            self._layout.blend(self._original, self._denoised, opacity)

    def _onFlicker(self, checked: bool) -> None:
        if checked:
            self._showsDenoised = False
            self._timer.start()
            self._onTick()
        else:
            self._timer.stop()
            self._onBlend(self._slider.value)

    def _onTick(self) -> None:
        self._showsDenoised = not self._showsDenoised
        self._onBlend(1.0 if self._showsDenoised else 0.0)
