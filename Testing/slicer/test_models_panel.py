"""The model manager as a user drives it, with a real worker and a server on this machine."""

from __future__ import annotations

import json
import threading
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import slicer
from panel_driver import LIMIT_S, handlerTimes

from medenhance.added_models import register
from medenhance.cache import weights_path
from medenhance.manifest import ModelEntry, load_manifest
from medenhance.weights import entry_of
from MedEnhanceLib.RequirementsSection import READY_KEY
from MedEnhanceLib.SampleCase import LOW_DOSE

SOURCE = LOW_DOSE.with_name("mtdgan-compact.safetensors")


class ModelsPanel:
    """The panel, open, in an environment that has all that is needed."""

    def __init__(self, host: Any) -> None:
        self.host = host
        self.widget = host.openModule("MedEnhanceModels")
        self.ui = self.widget.ui
        slicer.app.userSettings().setValue(READY_KEY, self.widget.requirements._mark())

    @property
    def status(self) -> str:
        return self.ui.statusLabel.text

    @property
    def isRunning(self) -> bool:
        return self.widget.controls.isRunning

    @property
    def places(self) -> dict[str, str]:
        """Where each model is, by title."""
        table = self.ui.modelTable
        return {table.item(row, 0).text(): table.item(row, 2).text() for row in range(table.rowCount)}

    def press(self, name: str) -> None:
        button = getattr(self.ui, name)
        assert button.enabled
        button.click()

    def do(self, name: str) -> str:
        """Press a button and wait until the work is done and the list has been read again; returns what is said."""
        self.press(name)
        self.wait()
        return self.status

    def wait(self) -> None:
        client = self.widget.logic.session.client
        self.host.waitFor(lambda: not self.isRunning, LIMIT_S)
        self.host.processEvents(0.05)
        self.host.waitFor(lambda: not client.busy(), LIMIT_S)

    def choose(self, title: str) -> None:
        self.ui.modelTable.selectRow(list(self.places).index(title))


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "cache 検 é"
    monkeypatch.setenv("MEDENHANCE_CACHE", str(folder))
    monkeypatch.delenv("MEDENHANCE_MIRROR", raising=False)
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)
    return folder


@pytest.fixture
def panel(host: Any, cache: Path) -> ModelsPanel:
    return ModelsPanel(host)


def madeModel(path: Path, title: str) -> ModelEntry:
    """A weights file of another id and licence, with the tensors of a bundled one; no PyTorch is needed to make it."""
    data = SOURCE.read_bytes()
    size = int.from_bytes(data[:8], "little")
    header = json.loads(data[8 : 8 + size])
    entry = json.loads(header["__metadata__"]["entry"])
    entry |= {"id": path.stem, "title": title, "licence": "CC-BY-NC-4.0"}
    header["__metadata__"]["entry"] = json.dumps(entry)
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    path.write_bytes(len(text).to_bytes(8, "little") + text + data[8 + size :])
    return entry_of(path)


class Site:
    """A server that gives one file; the second half of it not before it is told to."""

    def __init__(self, body: bytes) -> None:
        self.body, self.open, self.isHalf = body, threading.Event(), threading.Event()
        self.numAsked = 0

    def answer(self, handler: BaseHTTPRequestHandler) -> None:
        self.numAsked += 1
        handler.send_response(200)
        handler.send_header("Content-Length", str(len(self.body)))
        handler.end_headers()
        half = len(self.body) // 2
        handler.wfile.write(self.body[:half])
        handler.wfile.flush()
        self.isHalf.set()
        if self.open.wait(60):
            handler.wfile.write(self.body[half:])


@contextmanager
def serving(site: Site) -> Iterator[str]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            try:
                site.answer(self)
            except OSError:  # the other side has gone
                self.close_connection = True

        def log_message(self, *_words: object) -> None: ...

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/far.safetensors"
    finally:
        site.open.set()
        server.shutdown()
        server.server_close()


def test_the_bundled_models_and_their_cards_are_there_at_once(panel: ModelsPanel) -> None:
    assert panel.places == {entry.title: "built in" for entry in load_manifest().values() if entry.bundled}
    for title in panel.places:
        panel.choose(title)
        card = panel.ui.modelCardBrowser.toPlainText()
        assert title in card
        assert "Limits" in card
        assert "Licence" in card
    assert not panel.ui.downloadButton.enabled
    assert not panel.ui.deleteButton.enabled
    assert not panel.ui.cancelButton.enabled


def test_models_are_verified_added_packed_deleted_and_brought_back(
    panel: ModelsPanel, cache: Path, tmp_path: Path
) -> None:
    import qt

    madeModel(tmp_path / "mine.safetensors", "Mine 模型")
    pack, notes = tmp_path / "a pack 包.zip", tmp_path / "notes.safetensors"
    notes.write_text("no weights", encoding="utf-8")
    dialogs = panel.host.dialogs
    with handlerTimes() as times:
        assert panel.do("verifyButton").startswith("<p>The weights are right")

        dialogs.answer(None)  # cancelled: nothing happens
        panel.press("addButton")
        assert not panel.isRunning
        dialogs.answer(str(notes))
        assert "safetensors" in panel.do("addButton")
        dialogs.answer(str(tmp_path / "mine.safetensors"))
        assert "Mine 模型 was added." in panel.do("addButton")
        assert panel.places["Mine 模型"] == "installed"
        assert str(cache) in panel.ui.folderLabel.text

        dialogs.answer(str(pack.with_suffix("")))
        assert f"Written to {pack}." in panel.do("exportButton")
        with zipfile.ZipFile(pack) as archive:
            assert any("mine" in name for name in archive.namelist())

        panel.choose("Mine 模型")
        dialogs.answer(qt.QMessageBox.Cancel)
        panel.press("deleteButton")
        assert "Mine 模型" in panel.places
        dialogs.answer(qt.QMessageBox.Ok)
        assert "0.7 MB became free." in panel.do("deleteButton")
        assert "Mine 模型" not in panel.places

        dialogs.answer(str(pack))
        assert "Installed and verified" in panel.do("importButton")
        assert panel.places["Mine 模型"] == "installed"

        dialogs.answer(str(tmp_path / "nothing.zip"))
        assert "<b>" in panel.do("importButton")
        panel.do("refreshButton")
        assert panel.places["Mine 模型"] == "installed"
    assert max(times) < (50.0,)


def test_a_model_is_downloaded_after_its_licence_was_shown(panel: ModelsPanel, cache: Path, tmp_path: Path) -> None:
    import qt

    entry = madeModel(tmp_path / "far.safetensors", "Far")
    site = Site((tmp_path / "far.safetensors").read_bytes())
    with serving(site) as address:
        files = (replace(entry.files[0], urls=(address,)),)
        entry = replace(entry, files=files, bundled=False, default=False)
        (cache / "models").mkdir(parents=True)
        register(entry, cache)
        panel.do("refreshButton")
        assert panel.places["Far"] == "not downloaded"
        panel.choose("Far")
        panel.host.dialogs.answer(qt.QMessageBox.Cancel)
        panel.press("downloadButton")
        question = panel.host.dialogs.shown[0].text
        assert "CC-BY-NC-4.0" in question
        assert "0.7 MB" in question
        assert (panel.isRunning, site.numAsked) == (False, 0)

        panel.host.dialogs.answer(qt.QMessageBox.Ok)
        panel.press("downloadButton")
        assert not panel.ui.refreshButton.enabled
        panel.host.waitFor(site.isHalf.is_set, LIMIT_S)
        panel.host.waitFor(lambda: panel.status.startswith("Downloading"), LIMIT_S)
        panel.press("cancelButton")
        panel.host.waitFor(lambda: not panel.isRunning, 5.0)
        assert "Cancelled" in panel.status
        assert not weights_path(entry.files[0], cache).exists()

        site.open.set()
        panel.host.dialogs.answer(qt.QMessageBox.Ok)
        assert "installed and verified" in panel.do("downloadButton")
        assert panel.places["Far"] == "installed"
        assert weights_path(entry.files[0], cache).read_bytes() == site.body
        assert panel.ui.modelTable.currentRow() == list(panel.places).index("Far")


def test_a_model_that_was_added_can_be_chosen_in_the_low_dose_panel(
    panel: ModelsPanel, cache: Path, tmp_path: Path, host: Any
) -> None:
    madeModel(tmp_path / "mine.safetensors", "A model of mine")
    panel.widget.logic.add(tmp_path / "mine.safetensors")

    lowDose = host.openModule("MedEnhanceLowDoseCT")
    lowDose.enter()
    host.waitFor(lambda: lowDose.ui.modelComboBox.findData("mine") >= 0, LIMIT_S)

    lowDose.model.choose("mine")
    assert lowDose.model.entry.title == "A model of mine"
    assert lowDose.ui.modelComboBox.count == 3


def test_the_computer_is_checked_and_the_report_copied(panel: ModelsPanel, cache: Path) -> None:
    assert not panel.ui.copyButton.enabled
    panel.do("doctorButton")
    panel.press("copyButton")
    text = slicer.app.clipboard().text()
    assert text == panel.ui.doctorText.plainText
    assert str(cache) in text
    assert "research use only" in text


def test_the_folder_of_models_is_opened(panel: ModelsPanel, cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import qt

    opened: list[Any] = []
    assert not panel.ui.folderButton.enabled
    panel.do("refreshButton")
    monkeypatch.setattr("MedEnhanceModels.qt", FakeQt(qt, opened))
    panel.press("folderButton")
    assert opened == [str(cache)]
    assert cache.is_dir()


class FakeQt:
    """The module qt, with a desktop that writes down what it is asked to open."""

    def __init__(self, qt: Any, opened: list[Any]) -> None:
        self._qt, self.QDesktopServices = qt, self
        self._opened = opened

    def openUrl(self, url: Any) -> None:
        self._opened.append(url.toLocalFile())

    def __getattr__(self, name: str) -> Any:
        return getattr(self._qt, name)


def test_the_logic_opens_no_dialog_and_raises_in_words(panel: ModelsPanel) -> None:
    from medenhance.errors import MedEnhanceError

    logic = panel.widget.logic
    assert {model["id"] for model in logic.models()["models"]} >= set(load_manifest())
    with pytest.raises(MedEnhanceError, match="nobody"):
        logic.delete("nobody")
    assert panel.host.dialogs.shown == []
