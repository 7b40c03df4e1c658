"""What a run keeps on disk so that it can go on exactly where it stopped.

A checkpoint is a plain dict of tensors and numbers, read with ``weights_only=True``: no code is ever unpickled. It is
written beside its final name and renamed, so a killed run leaves the previous one whole.
"""

from __future__ import annotations

import json
import os
import pickle
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn

from medenhance.errors import MedEnhanceError
from medenhance.weights import load_state
from medenhance_training.ema import Ema
from medenhance_training.objectives.objective import PublishedNetwork
from medenhance_training.objectives.published import build_published

SCHEMA = 1


@dataclass
class TrainingState:
    """All that changes while a run goes on.

    Attributes:
        networks: By the objective's names.
        optimizers: One for each network that trains.
        ema: Average of the published network.
        samples_seen: Position of the run, over all processes.
    """

    networks: Mapping[str, nn.Module]
    optimizers: Mapping[str, torch.optim.Optimizer]
    ema: Ema
    samples_seen: int = 0

    def state_dict(self) -> dict[str, Any]:
        return {
            "networks": {name: network.state_dict() for name, network in self.networks.items()},
            "optimizers": {name: optimizer.state_dict() for name, optimizer in self.optimizers.items()},
            "ema": self.ema.network.state_dict(),
            "samples_seen": self.samples_seen,
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        for name, network in self.networks.items():
            network.load_state_dict(state["networks"][name])
        for name, optimizer in self.optimizers.items():
            optimizer.load_state_dict(state["optimizers"][name])
        self.ema.network.load_state_dict(state["ema"])
        self.samples_seen = state["samples_seen"]


def checkpoint_path(run: Path, samples_seen: int) -> Path:
    """Where the checkpoint of that position lies in the run's folder."""
    return run / "checkpoints" / f"{samples_seen:012d}.pt"


def checkpoints(run: Path) -> list[Path]:
    """The complete checkpoints of a run, oldest first."""
    return sorted((run / "checkpoints").glob("*.pt"))


def save_checkpoint(run: Path, state: TrainingState, published: PublishedNetwork, keep: int = 2) -> Path:
    """Write the state and drop all but the newest `keep` checkpoints.

    Raises:
        OSError: The disk is full or not writable; earlier checkpoints are left as they were.
    """
    path = checkpoint_path(run, state.samples_seen)
    path.parent.mkdir(parents=True, exist_ok=True)
    content = {"schema": SCHEMA, "published": json.dumps(asdict(published)), **state.state_dict()}
    _save_atomically(content, path)
    for old in checkpoints(run)[:-keep]:
        old.unlink()
    return path


def _save_atomically(content: dict[str, Any], path: Path) -> None:
    temporary = path.with_suffix(".part")
    try:
        with temporary.open("wb") as file:
            torch.save(content, file)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def read_checkpoint(path: Path) -> dict[str, Any]:
    """The content of a checkpoint file, on the CPU.

    Raises:
        MedEnhanceError: Not a file, damaged, or not written by this program.
    """
    if not path.is_file():
        raise MedEnhanceError("input-missing", f"there is no checkpoint {path}.")
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except (RuntimeError, OSError, EOFError, pickle.UnpicklingError) as error:
        raise MedEnhanceError("input-unreadable", f"{path} is not a readable checkpoint: {error}") from error
    if not isinstance(content, dict) or content.get("schema") != SCHEMA:
        raise MedEnhanceError("input-unreadable", f"{path} is not a checkpoint of this program (schema {SCHEMA}).")
    return content


def latest_checkpoint(path: Path) -> Path:
    """`path` itself where it is a file, else the newest checkpoint of the run in that folder.

    Raises:
        MedEnhanceError: The folder holds no checkpoint.
    """
    if path.is_file():
        return path
    found = checkpoints(path)
    if not found:
        raise MedEnhanceError(
            "input-missing", f"{path} holds no checkpoint.", "Name a run's folder, or one of its checkpoint files."
        )
    return found[-1]


def resume(run: Path, state: TrainingState, published: PublishedNetwork) -> None:
    """Put `state` where the run's newest checkpoint has it.

    Raises:
        MedEnhanceError: The checkpoint is of other networks, or of another intensity map, than this configuration.
    """
    path = latest_checkpoint(run)
    content = read_checkpoint(path)
    hint = "Resume with the configuration of its run.json, or start a new run with --init-from."
    earlier = PublishedNetwork(**json.loads(content["published"]))
    if earlier != published:
        message = f"{path} does not fit this configuration: it is of {earlier}, not of {published}."
        raise MedEnhanceError("input-unsuitable", message, hint)
    try:
        state.load_state_dict(content)
    except (KeyError, ValueError, RuntimeError) as error:
        message = f"{path} does not fit this configuration: {_first_mismatch(error)}"
        raise MedEnhanceError("input-unsuitable", message, hint) from error


def load_published(path: Path) -> tuple[PublishedNetwork, nn.Module]:
    """The averaged network of a run (a folder, or a checkpoint file) and its description, in evaluation mode."""
    content = read_checkpoint(latest_checkpoint(path))
    published = PublishedNetwork(**json.loads(content["published"]))
    network = build_published(published)
    network.load_state_dict(content["ema"])
    return published, network.eval().requires_grad_(False)


def initialise(networks: Mapping[str, nn.Module], published_name: str, path: Path) -> list[str]:
    """Start from weights that exist already: joins the stages of a training that has several.

    Of an earlier run every network that both have is taken over, the published one from its average; a weights file
    holds the published one alone.

    Args:
        path: Folder or checkpoint of a run, or a weights file (.safetensors).

    Returns:
        The names of the networks taken over.

    Raises:
        MedEnhanceError: The earlier run has none of these networks, or one of another shape.
    """
    earlier = {published_name: load_state(path)} if path.suffix == ".safetensors" else _networks(path, published_name)
    shared = [name for name in networks if name in earlier]
    for name in shared:
        try:
            networks[name].load_state_dict(earlier[name])
        except RuntimeError as error:
            raise MedEnhanceError(
                "input-unsuitable", f"{name} of {path} has another shape: {_first_mismatch(error)}"
            ) from error
    return shared


def _networks(path: Path, published_name: str) -> dict[str, Any]:
    content = read_checkpoint(latest_checkpoint(path))
    return {**content["networks"], published_name: content["ema"]}


def _first_mismatch(error: Exception) -> str:
    """The framework lists every tensor that does not fit; one is enough."""
    return " ".join(str(error).split("\n\t")[:2])
