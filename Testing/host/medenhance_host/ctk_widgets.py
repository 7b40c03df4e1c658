"""Stand-ins for the CTK widgets of the panels: the properties, slots and signals of CTK's headers, simple paint."""

from __future__ import annotations

from typing import Any

from PySide6.QtCore import Property, QEvent, QPoint, QRect, QSize, Qt, Signal
from PySide6.QtGui import QPainter, QPaintEvent
from PySide6.QtWidgets import (
    QAbstractButton,
    QCheckBox,
    QComboBox,
    QDoubleSpinBox,
    QHBoxLayout,
    QMessageBox,
    QSizePolicy,
    QSlider,
    QStyle,
    QStyleOptionButton,
    QWidget,
)

from medenhance_host.pythonqt import exposed

SLIDER_STEPS = 1000


class ctkCollapsibleButton(QAbstractButton):
    """A header that shows or hides the widgets below it."""

    contentsCollapsed = Signal(bool)

    def __init__(self, *arguments: Any) -> None:
        text = arguments[0] if arguments and isinstance(arguments[0], str) else ""
        parents = [one for one in arguments if isinstance(one, QWidget)]
        super().__init__(*parents)
        self.setText(text)
        self._hiddenByUs: list[QWidget] = []
        self._isCollapsed = False
        self.setCheckable(True)
        self.setChecked(True)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setSizePolicy(QSizePolicy.Policy.MinimumExpanding, QSizePolicy.Policy.Preferred)
        self.setContentsMargins(0, self._headerHeight(), 0, 0)
        self.toggled.connect(lambda checked: self._collapse(not checked))

    def _headerHeight(self) -> int:
        return self.fontMetrics().height() + 10

    def isCollapsed(self) -> bool:
        return self._isCollapsed

    def setCollapsed(self, collapsed: bool) -> None:
        self.setChecked(not collapsed)

    collapsed = Property(bool, isCollapsed, setCollapsed, notify=contentsCollapsed)

    def _collapse(self, collapsed: bool) -> None:
        if collapsed == self._isCollapsed:
            return
        self._isCollapsed = collapsed
        if collapsed:
            children = [child for child in self.children() if isinstance(child, QWidget) and not child.isHidden()]
            self._hiddenByUs = children
        for child in self._hiddenByUs:
            child.setVisible(not collapsed)
        if not collapsed:
            self._hiddenByUs = []
        self.setMaximumHeight(self._headerHeight() if collapsed else 16777215)
        self.updateGeometry()
        self.contentsCollapsed.emit(collapsed)

    def childEvent(self, event: Any) -> None:
        child = event.child()
        if event.type() == QEvent.Type.ChildAdded and self._isCollapsed and isinstance(child, QWidget):
            child.setVisible(False)
            self._hiddenByUs.append(child)
        super().childEvent(event)

    def hitButton(self, position: QPoint) -> bool:
        return position.y() < self._headerHeight()

    def sizeHint(self) -> QSize:
        header = QSize(self.fontMetrics().horizontalAdvance(self.text()) + 40, self._headerHeight())
        if self._isCollapsed or self.layout() is None:
            return header
        return self.layout().totalSizeHint().expandedTo(header)

    def minimumSizeHint(self) -> QSize:
        if self._isCollapsed or self.layout() is None:
            return QSize(0, self._headerHeight())
        return self.layout().totalMinimumSize()

    def heightForWidth(self, width: int) -> int:
        return self._headerHeight() if self._isCollapsed else super().heightForWidth(width)

    def paintEvent(self, event: QPaintEvent) -> None:
        option = QStyleOptionButton()
        option.initFrom(self)
        option.rect = QRect(0, 0, self.width(), self._headerHeight())
        painter = QPainter(self)
        self.style().drawControl(QStyle.ControlElement.CE_PushButtonBevel, option, painter, self)
        arrow = (
            QStyle.PrimitiveElement.PE_IndicatorArrowRight
            if self._isCollapsed
            else (QStyle.PrimitiveElement.PE_IndicatorArrowDown)
        )
        side = self._headerHeight() // 2
        option.rect = QRect(6, (self._headerHeight() - side) // 2, side, side)
        self.style().drawPrimitive(arrow, option, painter, self)
        painter.drawText(
            QRect(side + 14, 0, self.width(), self._headerHeight()),
            int(Qt.AlignmentFlag.AlignVCenter | Qt.TextFlag.TextShowMnemonic),
            self.text(),
        )
        painter.end()


class ctkSliderWidget(QWidget):
    """A slider and a spin box with one value."""

    valueChanged = Signal(float)
    valueIsChanging = Signal(float)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._minimum, self._maximum, self._tracking, self._spinBoxShown = 0.0, 99.0, True, True
        self._pageStep, self._tickInterval = 10.0, 0.0
        self._slider, self._box = QSlider(Qt.Orientation.Horizontal, self), QDoubleSpinBox(self)
        self._slider.setRange(0, SLIDER_STEPS)
        self._box.setRange(self._minimum, self._maximum)
        layout = QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self._slider)
        layout.addWidget(self._box)
        self.setFocusProxy(self._slider)
        self._slider.valueChanged.connect(self._slid)
        self._box.valueChanged.connect(self._changed)

    def _slid(self, position: int) -> None:
        self._box.setValue(self._minimum + (self._maximum - self._minimum) * position / SLIDER_STEPS)

    def _changed(self, value: float) -> None:
        self._place()
        self.valueChanged.emit(value)

    def _place(self) -> None:
        extent = self._maximum - self._minimum
        blocked = self._slider.blockSignals(True)
        self._slider.setValue(round(SLIDER_STEPS * (self._box.value() - self._minimum) / extent) if extent > 0 else 0)
        self._slider.blockSignals(blocked)

    def _value(self) -> float:
        return self._box.value()

    @exposed
    def setValue(self, value: float) -> None:
        self._box.setValue(value)

    def _minimumValue(self) -> float:
        return self._minimum

    @exposed
    def setMinimum(self, minimum: float) -> None:
        self.setRange(minimum, max(minimum, self._maximum))

    def _maximumValue(self) -> float:
        return self._maximum

    @exposed
    def setMaximum(self, maximum: float) -> None:
        self.setRange(min(self._minimum, maximum), maximum)

    @exposed
    def setRange(self, minimum: float, maximum: float) -> None:
        self._minimum, self._maximum = minimum, maximum
        self._box.setRange(minimum, maximum)
        self._place()

    def _decimals(self) -> int:
        return self._box.decimals()

    @exposed
    def setDecimals(self, decimals: int) -> None:
        self._box.setDecimals(decimals)

    def _singleStep(self) -> float:
        return self._box.singleStep()

    @exposed
    def setSingleStep(self, step: float) -> None:
        self._box.setSingleStep(step)
        if self._maximum > self._minimum:
            self._slider.setSingleStep(max(1, round(SLIDER_STEPS * step / (self._maximum - self._minimum))))

    def _pageStepValue(self) -> float:
        return self._pageStep

    @exposed
    def setPageStep(self, step: float) -> None:
        self._pageStep = step

    def _prefix(self) -> str:
        return self._box.prefix()

    @exposed
    def setPrefix(self, prefix: str) -> None:
        self._box.setPrefix(prefix)

    def _suffix(self) -> str:
        return self._box.suffix()

    @exposed
    def setSuffix(self, suffix: str) -> None:
        self._box.setSuffix(suffix)

    def _hasTracking(self) -> bool:
        return self._tracking

    @exposed
    def setTracking(self, tracking: bool) -> None:
        self._tracking = tracking

    def _isSpinBoxVisible(self) -> bool:
        return self._spinBoxShown

    @exposed
    def setSpinBoxVisible(self, visible: bool) -> None:
        self._spinBoxShown = visible
        self._box.setVisible(visible)

    @exposed
    def reset(self) -> None:
        self.setValue(0.0)

    value = Property(float, _value, setValue)
    minimum = Property(float, _minimumValue, setMinimum)
    maximum = Property(float, _maximumValue, setMaximum)
    decimals = Property(int, _decimals, setDecimals)
    singleStep = Property(float, _singleStep, setSingleStep)
    pageStep = Property(float, _pageStepValue, setPageStep)
    prefix = Property(str, _prefix, setPrefix)
    suffix = Property(str, _suffix, setSuffix)
    tracking = Property(bool, _hasTracking, setTracking)
    spinBoxVisible = Property(bool, _isSpinBoxVisible, setSpinBoxVisible)


class ctkComboBox(QComboBox):
    """A combo box with a text for no choice."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setPlaceholderText("")

    def _defaultText(self) -> str:
        return self.placeholderText()

    @exposed
    def setDefaultText(self, text: str) -> None:
        self.setPlaceholderText(text)

    defaultText = Property(str, _defaultText, setDefaultText)


class ctkMessageBox(QMessageBox):
    """The message box of slicer.util; it is answered by the test, never by waiting."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._settingsKey = ""
        self.setCheckBox(QCheckBox("Don't show this message again", self))
        self.checkBox().hide()

    def _settingsKeyValue(self) -> str:
        return self._settingsKey

    def setDontShowAgainSettingsKey(self, key: str) -> None:
        self._settingsKey = key

    dontShowAgainSettingsKey = Property(str, _settingsKeyValue, setDontShowAgainSettingsKey)
