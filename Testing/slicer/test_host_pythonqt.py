"""The host's Qt behaves as PythonQt's: what would fail in Slicer fails here."""

from __future__ import annotations

import functools
import sys

import pytest


@pytest.fixture
def qt(host):
    import qt

    return qt


def test_properties_are_values_and_other_getters_are_methods(qt):
    button = qt.QPushButton("Apply")
    assert button.text == "Apply"
    assert button.isChecked() is False
    button.enabled = False
    button.setText("Cancel")
    assert (button.isEnabled(), button.text) == (False, "Cancel")


def test_calling_a_property_is_an_error(qt):
    with pytest.raises(TypeError):
        qt.QLineEdit().text()
    with pytest.raises(TypeError):
        qt.QComboBox().currentIndex()


def test_no_attribute_can_be_added_to_a_cpp_object(qt):
    with pytest.raises(AttributeError, match="creation of new attributes on C\\+\\+ objects is not allowed"):
        qt.QLabel().volume = 3


@pytest.mark.parametrize("name", ["setText", "clicked"])
def test_methods_and_signals_cannot_be_overwritten(qt, name):
    with pytest.raises(AttributeError, match="can not be overwritten"):
        setattr(qt.QPushButton(), name, print)


def test_read_only_properties_refuse_a_value(qt):
    with pytest.raises(AttributeError, match="not writable"):
        qt.QComboBox().count = 3


@pytest.mark.parametrize(("name", "value"), [("text", None), ("checkable", "yes")])
def test_properties_refuse_what_they_cannot_hold(qt, name, value):
    with pytest.raises(TypeError, match="does not accept"):
        setattr(qt.QPushButton(), name, value)


def test_name_is_the_object_name(qt):
    label = qt.QLabel()
    label.name = "volumeLabel"
    assert label.objectName == "volumeLabel"


def test_classes_do_not_inherit_from_each_other(qt):
    button = qt.QPushButton()
    assert not isinstance(button, qt.QWidget)
    assert type(button) is qt.QPushButton
    assert button.inherits("QWidget")
    assert button.className() == "QPushButton"


def test_arguments_have_no_names(qt):
    with pytest.raises(TypeError, match="keyword"):
        qt.QLabel().setText(text="a")
    with pytest.raises(TypeError, match="keyword"):
        qt.QLabel(text="a")


def test_handlers_get_as_many_arguments_as_they_declare(qt):
    button, got = qt.QPushButton(), []

    class Panel:
        def none(self):
            got.append(())

        def one(self, checked):
            got.append((checked,))

        def defaulted(self, checked="unset"):
            got.append((checked,))

        def all(self, *arguments):
            got.append(arguments)

    panel = Panel()
    for handler in (panel.none, panel.one, panel.defaulted, panel.all):
        button.clicked.connect(handler)
    button.click()
    assert got == [(), (False,), (False,), (False,)]


def test_a_partial_gets_every_argument(qt, host):
    button = qt.QPushButton()
    button.clicked.connect(functools.partial(lambda name: None, "apply"))
    button.click()
    assert [type(error) for error, _ in host.errors] == [TypeError]
    host.errors.clear()


def test_an_error_in_a_handler_does_not_reach_the_sender(qt, host):
    button = qt.QPushButton()
    button.clicked.connect(lambda: 1 / 0)
    button.click()
    assert [type(error) for error, _ in host.errors] == [ZeroDivisionError]
    host.errors.clear()


def test_signals_disconnect_from_one_handler_or_all(qt):
    edit, got = qt.QLineEdit(), []
    edit.textChanged.connect(got.append)

    def second(text):
        got.append(text + "!")

    edit.textChanged.connect(second)
    assert edit.textChanged.disconnect(second) is True
    edit.text = "a"
    assert edit.textChanged.disconnect(second) is False
    edit.textChanged.disconnect()
    edit.text = "b"
    assert got == ["a"]


def test_the_signature_of_a_connection_must_exist(qt):
    button, got = qt.QPushButton(), []
    button.connect("clicked(bool)", got.append)
    button.connect("clicked()", lambda: got.append("pressed"))
    button.click()
    assert got == [False, "pressed"]
    with pytest.raises(ValueError, match="no signal"):
        button.connect("pushed()", got.append)


def test_lists_come_back_as_tuples(qt):
    box = qt.QListWidget()
    box.addItems(["a", "b"])
    assert [item.text() for item in box.selectedItems()] == []
    assert isinstance(box.selectedItems(), tuple)


def test_enums_are_numbers(qt):
    assert qt.QMessageBox.Yes == 0x4000
    assert qt.QMessageBox.Yes | qt.QMessageBox.No == 0x14000
    label = qt.QLabel()
    label.textFormat = qt.Qt.PlainText
    assert label.textFormat == qt.Qt.PlainText
    assert qt.Qt.UserRole + 1 == 257


def test_a_destroyed_object_is_false_and_refuses_use(qt, host):
    label = qt.QLabel("a")
    label.deleteLater()
    host.processEvents()
    assert not label
    with pytest.raises(ValueError, match="destroyed QLabel"):
        label.text = "b"


def test_execution_of_dialogs_has_its_old_name(qt):
    with pytest.raises(AttributeError):
        qt.QDialog().exec()
    assert callable(qt.QDialog().exec_)


def test_qt_classes_have_no_python_subclasses_here(qt):
    with pytest.raises(TypeError, match="hold the object instead"):
        type("Panel", (qt.QWidget,), {})


def test_timers_and_processes_run(qt, host):
    done = []
    qt.QTimer.singleShot(0, lambda: done.append("timer"))
    process = qt.QProcess()
    process.finished.connect(lambda code, status: done.append((code, status == qt.QProcess.NormalExit)))
    process.start(sys.executable, ["-c", "print('äß')"])
    host.waitFor(lambda: len(done) == 2)
    assert process.readAllStandardOutput().data().decode("utf-8").strip() == "äß"
    assert done == ["timer", (0, True)]


def test_trees_and_tables_keep_data(qt):
    item = qt.QTreeWidgetItem(["title", "size"])
    item.setData(0, qt.Qt.UserRole, "model-id")
    tree = qt.QTreeWidget()
    tree.addTopLevelItem(item)
    assert tree.topLevelItem(0).data(0, qt.Qt.UserRole) == "model-id"
    table = qt.QTableWidget(1, 2)
    table.setItem(0, 1, qt.QTableWidgetItem("12 HU"))
    assert (table.rowCount, table.item(0, 1).text(), table.item(0, 0)) == (1, "12 HU", None)
