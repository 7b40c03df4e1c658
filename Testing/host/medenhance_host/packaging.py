"""slicer.packaging (5.12): what was asked to be installed is written down; nothing is installed."""

from __future__ import annotations

import types
from collections.abc import Callable
from typing import Any


class Packages:
    """Calls to pip, and what the test answers."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, tuple[Any, ...], dict[str, Any]]] = []
        self.onInstall: Callable[..., None] | None = None

    def clear(self) -> None:
        self.calls.clear()
        self.onInstall = None

    def record(self, name: str) -> Callable[..., None]:
        def call(*arguments: Any, **keywords: Any) -> None:
            self.calls.append((name, arguments, keywords))
            if self.onInstall is not None:
                self.onInstall(*arguments, **keywords)

        return call


packages = Packages()


def packagingModule() -> types.ModuleType:
    """``slicer.packaging``."""
    module = types.ModuleType("slicer.packaging")
    for name in ("pip_install", "pip_uninstall", "pip_ensure"):
        setattr(module, name, packages.record(name))
    return module
