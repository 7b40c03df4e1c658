"""The request "hello": what this worker is and what it can do."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from typing import Any, Literal

from medenhance import __version__
from medenhance.worker_tasks.running import Running


@dataclass(frozen=True)
class HelloMessage:
    """A "hello" request."""

    id: str
    task: Literal["hello"]


def run(_: HelloMessage, __: Running) -> dict[str, Any]:
    """Versions, tasks, models, and devices, each of which has to convolve."""
    import torch

    from medenhance.catalog import read_catalog
    from medenhance.devices import available_devices
    from medenhance.strict_json import to_json
    from medenhance.weights import is_installed
    from medenhance.worker_protocol import PROTOCOL
    from medenhance.worker_tasks import TASKS

    models = [
        {
            "id": entry.id,
            "version": entry.version,
            "title": entry.title,
            "task": entry.task,
            "default": entry.default,
            "installed": is_installed(entry),
        }
        for entry in read_catalog().entries.values()
    ]
    return {
        "version": __version__,
        "protocol": PROTOCOL,
        "python": sys.version.split()[0],
        "torch": torch.__version__,
        "tasks": list(TASKS),
        "models": models,
        "devices": [to_json(device) for device in available_devices()],
    }
