"""The request "model-verify": does an installed model compute what was published."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from medenhance.progress import checkpoint
from medenhance.worker_tasks.running import Running


@dataclass(frozen=True)
class ModelVerifyMessage:
    """A "model-verify" request."""

    id: str
    task: Literal["model-verify"]
    model: str


def run(message: ModelVerifyMessage, running: Running) -> dict[str, Any]:
    """Check hash, header and tensors, and run the golden test."""
    from medenhance.catalog import get_model, read_catalog
    from medenhance.weights import GOLDEN_TOLERANCE, verify

    checkpoint(running.progress, "verify", 0.0)
    difference = verify(get_model(message.model, read_catalog()))
    checkpoint(running.progress, "verify", 1.0)
    return {"difference": difference, "tolerance": GOLDEN_TOLERANCE}
