"""The user's settings about the worker, kept in Slicer's own settings."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, fields
from typing import Any, Protocol

PRECISIONS = ("auto", "fp32", "bf16", "fp16")
DEVICE_PATTERN = r"auto|cpu|mps|(cuda|xpu)(:\d+)?"


@dataclass(frozen=True)
class WorkerSettings:
    """How the worker runs; empty texts are the defaults.

    Attributes:
        interpreter: Full path of a Python; Slicer's own when empty.
        device: "auto", "cpu", "cuda", "cuda:1", "mps", "xpu" ...
        precision: "auto", "fp32", "bf16" or "fp16".
        cacheFolder: Where models are kept; the user's own folder for such things when empty.
        mirror: Addresses that models are downloaded from, separated by blanks, before those that they name.
    """

    interpreter: str = ""
    device: str = "auto"
    precision: str = "auto"
    cacheFolder: str = ""
    mirror: str = ""


class SettingsStore(Protocol):
    """What is needed of QSettings."""

    def value(self, key: str) -> Any: ...
    def setValue(self, key: str, value: str) -> None: ...
    def remove(self, key: str) -> None: ...


KEYS = {
    "interpreter": "MedEnhance/Interpreter",
    "device": "MedEnhance/Device",
    "precision": "MedEnhance/Precision",
    "cacheFolder": "MedEnhance/CacheFolder",
    "mirror": "MedEnhance/Mirror",
}


def isMirror(text: str) -> bool:
    """Whether a text lists addresses that models can be downloaded from, or nothing."""
    return all(re.fullmatch(r"https?://[^/]\S*", address) for address in text.split())


ACCEPTED: dict[str, Callable[[str], bool]] = {
    "interpreter": lambda text: "\n" not in text and "\0" not in text,
    "device": lambda text: re.fullmatch(DEVICE_PATTERN, text) is not None,
    "precision": lambda text: text in PRECISIONS,
    "cacheFolder": lambda text: "\n" not in text and "\0" not in text,
    "mirror": isMirror,
}


def readSettings(store: SettingsStore) -> WorkerSettings:
    """The stored settings; what is missing or not acceptable is the default of that key alone."""
    stored = {name: store.value(key) for name, key in KEYS.items()}
    good = {
        name: text.strip() for name, text in stored.items() if isinstance(text, str) and ACCEPTED[name](text.strip())
    }
    return WorkerSettings(**good)


def writeSettings(store: SettingsStore, settings: WorkerSettings) -> None:
    """Store settings; a default is not stored, so that a later default takes its place."""
    for field in fields(WorkerSettings):
        value = getattr(settings, field.name)
        if value == field.default:
            store.remove(KEYS[field.name])
        else:
            store.setValue(KEYS[field.name], value)
