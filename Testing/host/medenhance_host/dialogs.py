"""Dialogs do not wait for a user here: each is written down and answered from a list that the test fills beforehand."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from PySide6.QtWidgets import QDialog, QFileDialog, QInputDialog, QMessageBox

from medenhance_host import pythonqt


class UnexpectedDialogError(AssertionError):
    """A dialog opened that no test had asked for; in Slicer the user would have been interrupted."""


@dataclass(frozen=True)
class ShownDialog:
    """A dialog that was opened.

    Attributes:
        kind: Qt class, or the static function such as "getOpenFileName".
        text: What it said or asked.
        title: Its window title.
        answer: What it was answered.
    """

    kind: str
    text: str
    title: str
    answer: Any


class Dialogs:
    """What was shown, and the answers for what is to come."""

    def __init__(self) -> None:
        self.shown: list[ShownDialog] = []
        self._answers: deque[Any] = deque()
        self.unexpected: list[ShownDialog] = []

    def answer(self, *answers: Any) -> None:
        """Queue answers: a button such as ``qt.QMessageBox.Yes``, a path, or a callable that gets the dialog."""
        self._answers.extend(answers)

    def expect(self, *answers: Any) -> None:
        """The same as `answer`, for messages that only need to be closed: without arguments one OK."""
        self.answer(*(answers or (pythonqt.EnumValue(QMessageBox.StandardButton.Ok),)))

    @property
    def unused(self) -> int:
        """Answers that no dialog has asked for."""
        return len(self._answers)

    def clear(self) -> None:
        self.shown.clear()
        self.unexpected.clear()
        self._answers.clear()

    def next(self, kind: str, text: str, title: str = "", subject: Any = None) -> Any:
        """The answer to a dialog; without one it is refused."""
        if not self._answers:
            self.unexpected.append(ShownDialog(kind, text, title, None))
            raise UnexpectedDialogError(f"{kind} opened: {title} {text}")
        answer = self._answers.popleft()
        answer = answer(subject) if callable(answer) else answer
        self.shown.append(ShownDialog(kind, text, title, answer))
        return answer

    def answerPath(self, kind: str, text: str) -> str:
        """The path that a file dialog returns; "" is a cancelled dialog."""
        return str(self.next(kind, text) or "")


dialogs = Dialogs()


def executed(dialog: Any) -> int:
    """In place of ``exec_`` of every dialog."""
    box = isinstance(dialog, QMessageBox)
    text = dialog.text() if box else ""
    answer = dialogs.next(type(dialog).__name__, text, dialog.windowTitle().strip(), pythonqt.wrapObject(dialog))
    if (
        box
        and answer is not None
        and not dialog.standardButtons().value & int(answer)
        and dialog.standardButtons().value
    ):
        raise ValueError(f"the message box has no button {answer!r}: {dialog.standardButtons()}")
    if not box:
        dialog.done(int(answer))
    return pythonqt.EnumValue(answer.member) if isinstance(answer, pythonqt.EnumValue) else int(answer)


def install() -> None:
    """Let every dialog be answered by the test."""
    QDialog.exec = executed  # type: ignore[method-assign]
    for kind in (QMessageBox, QFileDialog, QInputDialog):
        kind.exec = executed  # type: ignore[method-assign]
    paths = ("getOpenFileName", "getSaveFileName", "getExistingDirectory")
    file = {name: pathDialog(name) for name in paths}
    file["getOpenFileNames"] = pathsDialog
    pythonqt.replacedStatics["QFileDialog"] = file
    boxes = ("information", "warning", "critical", "question", "about")
    pythonqt.replacedStatics["QMessageBox"] = {name: messageDialog(name) for name in boxes}
    texts = ("getText", "getItem", "getInt", "getDouble", "getMultiLineText")
    pythonqt.replacedStatics["QInputDialog"] = {name: inputDialog(name) for name in texts}


def pathDialog(name: str) -> Callable[..., str]:
    """A static of QFileDialog that PythonQt returns a plain path from."""

    def ask(parent: Any = None, caption: str = "", folder: str = "", *_filters: Any) -> str:
        checked(name, caption, folder)
        return dialogs.answerPath(name, caption)

    return ask


def pathsDialog(parent: Any = None, caption: str = "", folder: str = "", *_filters: Any) -> tuple[str, ...]:
    checked("getOpenFileNames", caption, folder)
    return tuple(str(path) for path in dialogs.next("getOpenFileNames", caption) or ())


def messageDialog(name: str) -> Callable[..., Any]:
    def show(parent: Any, title: str, text: str, *_buttons: Any) -> Any:
        return dialogs.next(f"QMessageBox.{name}", text, title)

    return show


def inputDialog(name: str) -> Callable[..., Any]:
    def ask(parent: Any, title: str, label: str, *_rest: Any) -> Any:
        return dialogs.next(f"QInputDialog.{name}", label, title)

    return ask


def checked(name: str, *texts: Any) -> None:
    for text in texts:
        if not isinstance(text, str):
            raise ValueError(f"{name} takes strings, got {text!r}")
