"""The user's settings survive a restart, and a bad one costs nothing but itself."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from MedEnhanceLib.Settings import KEYS, WorkerSettings, readSettings, writeSettings


class Store(dict[str, Any]):
    """QSettings as far as it is needed: what is not there is None."""

    def value(self, key: str) -> Any:
        return self.get(key)

    def setValue(self, key: str, value: Any) -> None:
        self[key] = value

    def remove(self, key: str) -> None:
        self.pop(key, None)


CHOSEN = WorkerSettings("/opt/é 脑/bin/python", "cuda:1", "bf16", "D:\\models", "https://a.org/x http://b.org")


def test_what_is_written_is_read() -> None:
    store = Store()
    writeSettings(store, CHOSEN)
    assert readSettings(store) == CHOSEN
    assert set(store) == set(KEYS.values())
    assert all(key.startswith("MedEnhance/") for key in store)


def test_defaults_are_not_stored() -> None:
    store = Store()
    writeSettings(store, CHOSEN)
    writeSettings(store, WorkerSettings())
    assert store == {}
    assert readSettings(store) == WorkerSettings()


@pytest.mark.parametrize(
    ("name", "bad"),
    [
        ("device", "gpu"),
        ("device", "cuda:"),
        ("precision", "fp8"),
        ("precision", ["fp16"]),
        ("mirror", "ftp://a.org"),
        ("mirror", "https://a.org nonsense"),
        ("interpreter", 3),
        ("interpreter", "a\nb"),
        ("cacheFolder", ("a", "b")),
    ],
)
def test_a_bad_value_is_the_default_of_its_key_alone(name: str, bad: object) -> None:
    store = Store()
    writeSettings(store, CHOSEN)
    store.setValue(KEYS[name], bad)
    expected = {**CHOSEN.__dict__, name: getattr(WorkerSettings(), name)}
    assert readSettings(store) == WorkerSettings(**expected)


@given(
    st.dictionaries(st.sampled_from(sorted(KEYS.values())), st.none() | st.text() | st.integers() | st.lists(st.text()))
)
def test_reading_never_fails(stored: dict[str, Any]) -> None:
    settings = readSettings(Store(stored))
    assert settings.precision in ("auto", "fp32", "bf16", "fp16")


def test_the_settings_of_qt_do() -> None:
    core = pytest.importorskip("PySide6.QtCore")
    import tempfile
    from pathlib import Path

    with tempfile.TemporaryDirectory() as folder:
        path = str(Path(folder) / "Slicer.ini")
        store = core.QSettings(path, core.QSettings.IniFormat)
        writeSettings(store, CHOSEN)
        store.sync()
        del store
        assert readSettings(core.QSettings(path, core.QSettings.IniFormat)) == CHOSEN
