"""The models that the worker knows, as a panel lists them."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any

from slicer.i18n import tr as _

from medenhance.manifest import ModelEntry, entry_from_json


@dataclass(frozen=True)
class ListedModel:
    """A model and where it is.

    Attributes:
        entry: Its manifest entry.
        installed: "bundled", "installed" or "available".
    """

    entry: ModelEntry
    installed: str

    @property
    def id(self) -> str:
        return self.entry.id

    def words(self) -> dict[str, str]:
        """What a question to the user says of it."""
        return {"title": self.entry.title, "size": _sizeText(self.entry.size_bytes), "licence": self.entry.licence}

    def row(self) -> tuple[str, ...]:
        """Title, job, place, size and licence."""
        places = {"bundled": _("built in"), "installed": _("installed"), "available": _("not downloaded")}
        jobs = {
            "denoise-ct": _("low-dose CT"),
            "enhance-spine": _("spine ultrasound"),
            "detect-hemorrhage": _("head CT"),
        }
        place, job = places.get(self.installed, self.installed), jobs.get(self.entry.task, self.entry.task)
        return self.entry.title, job, place, _sizeText(self.entry.size_bytes), self.entry.licence


def listedModels(result: dict[str, Any]) -> list[ListedModel]:
    """The models in a result of the worker's task "models"."""
    known = {field.name for field in fields(ModelEntry)}
    return [
        ListedModel(entry_from_json({name: value for name, value in item.items() if name in known}), item["installed"])
        for item in result["models"]
    ]


def _sizeText(sizeBytes: int) -> str:
    return f"{sizeBytes / 1e6:.1f} MB"
