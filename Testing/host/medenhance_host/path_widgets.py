"""Stand-ins for the CTK widgets that name a file or folder."""

from __future__ import annotations

import enum

from PySide6.QtCore import Property, QSize, Signal
from PySide6.QtGui import QPainter, QPaintEvent
from PySide6.QtWidgets import (
    QAbstractButton,
    QHBoxLayout,
    QSizePolicy,
    QStyle,
    QStyleOptionButton,
    QToolButton,
    QWidget,
)

from medenhance_host.ctk_widgets import ctkComboBox
from medenhance_host.dialogs import dialogs
from medenhance_host.pythonqt import exposed


class PathFilters(enum.Flag):
    """ctkPathLineEdit::Filters; the same numbers as QDir::Filters."""

    Dirs = 0x001
    Files = 0x002
    Drives = 0x004
    NoSymLinks = 0x008
    AllEntries = 0x007
    Readable = 0x010
    Writable = 0x020
    Executable = 0x040
    Modified = 0x080
    Hidden = 0x100
    System = 0x200
    AllDirs = 0x400
    CaseSensitive = 0x800
    NoDotAndDotDot = 0x1000
    NoDot = 0x2000
    NoDotDot = 0x4000


class ctkPathLineEdit(QWidget):
    """A path, typed or chosen in a dialog."""

    currentPathChanged = Signal(str)
    validInputChanged = Signal(bool)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._filters = PathFilters.AllEntries.value
        self._label, self._settingKey, self._nameFilters = "", "", []
        self._combo, self._button = ctkComboBox(self), QToolButton(self)
        self._combo.setEditable(True)
        self._combo.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self._button.setText("...")
        layout = QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self._combo)
        layout.addWidget(self._button)
        self.setFocusProxy(self._combo)
        self._button.clicked.connect(self.browse)
        self._hasValidInput = False
        self._combo.editTextChanged.connect(self._onTextChanged)

    def _onTextChanged(self, text: str) -> None:
        # As CTK's updateHasValidInput: its validator wants one character or more, and without that no path is named.
        had, self._hasValidInput = self._hasValidInput, bool(text)
        if self._hasValidInput:
            self.currentPathChanged.emit(text)
        if self._hasValidInput != had:
            self.validInputChanged.emit(self._hasValidInput)

    def _currentPath(self) -> str:
        return self._combo.currentText()

    @exposed
    def setCurrentPath(self, path: str) -> None:
        self._combo.setEditText(path)

    @exposed
    def browse(self) -> None:
        # As CTK: with files it is a file dialog, to save where the path is writable; else a folder is chosen.
        kind = "getExistingDirectory"
        if self._filters & PathFilters.Files.value:
            kind = "getSaveFileName" if self._filters & PathFilters.Writable.value else "getOpenFileName"
        path = dialogs.answerPath(kind, self._label)
        if path:
            self.setCurrentPath(path)

    @exposed
    def addCurrentPathToHistory(self) -> None:
        self._combo.addItem(self._currentPath())

    @exposed
    def retrieveHistory(self) -> None:
        """The host keeps no history between sessions."""

    def _filtersValue(self) -> int:
        return self._filters

    def setFilters(self, filters: int) -> None:
        self._filters = int(filters)

    def _showBrowseButton(self) -> bool:
        return not self._button.isHidden()

    def setShowBrowseButton(self, visible: bool) -> None:
        self._button.setVisible(visible)

    def _showHistoryButton(self) -> bool:
        return False

    def setShowHistoryButton(self, visible: bool) -> None:
        """The host shows no history button."""

    def _nameFiltersValue(self) -> list[str]:
        return self._nameFilters

    def setNameFilters(self, filters: list[str]) -> None:
        self._nameFilters = filters

    def _settingKeyValue(self) -> str:
        return self._settingKey

    def setSettingKey(self, key: str) -> None:
        self._settingKey = key

    def _labelValue(self) -> str:
        return self._label

    def setLabel(self, label: str) -> None:
        self._label = label

    currentPath = Property(str, _currentPath, setCurrentPath, user=True)
    filters = Property(int, _filtersValue, setFilters)
    label = Property(str, _labelValue, setLabel)
    settingKey = Property(str, _settingKeyValue, setSettingKey)
    nameFilters = Property("QStringList", _nameFiltersValue, setNameFilters)
    showBrowseButton = Property(bool, _showBrowseButton, setShowBrowseButton)
    showHistoryButton = Property(bool, _showHistoryButton, setShowHistoryButton)


for _filter in PathFilters.__members__.values():
    setattr(ctkPathLineEdit, _filter.name or "", _filter)


class ctkDirectoryButton(QAbstractButton):
    """A button that names a folder and lets the user choose another."""

    directoryChanged = Signal(str)
    directorySelected = Signal(str)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._directory, self._caption = "", ""
        self.clicked.connect(self.browse)

    def _directoryValue(self) -> str:
        return self._directory

    @exposed
    def setDirectory(self, directory: str) -> None:
        if directory != self._directory:
            self._directory = directory
            self.setText(directory)
            self.directoryChanged.emit(directory)

    @exposed
    def browse(self) -> None:
        path = dialogs.answerPath("getExistingDirectory", self._caption)
        if path:
            self.setDirectory(path)
            self.directorySelected.emit(path)

    def _captionValue(self) -> str:
        return self._caption

    def setCaption(self, caption: str) -> None:
        self._caption = caption

    def sizeHint(self) -> QSize:
        return QSize(self.fontMetrics().horizontalAdvance(self.text()) + 20, self.fontMetrics().height() + 10)

    def paintEvent(self, event: QPaintEvent) -> None:
        painter, option = QPainter(self), QStyleOptionButton()
        option.initFrom(self)
        option.text = self.text()
        self.style().drawControl(QStyle.ControlElement.CE_PushButton, option, painter, self)
        painter.end()

    directory = Property(str, _directoryValue, setDirectory, user=True)
    caption = Property(str, _captionValue, setCaption)
