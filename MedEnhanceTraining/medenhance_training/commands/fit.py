"""`medenhance-train fit RECIPE`: carry a run from its configuration to its last checkpoint."""

from __future__ import annotations

import sys
from pathlib import Path

import torch
from lightning_fabric import Fabric

from medenhance.errors import MedEnhanceError
from medenhance_training.checkpoint import checkpoints, initialise, resume
from medenhance_training.config import RunConfig
from medenhance_training.loop import Loop, new_state
from medenhance_training.run_record import write_run_record
from medenhance_training.step import seed_of


def fit(config: RunConfig) -> Path:
    """Train, and return the run's folder.

    Raises:
        MedEnhanceError: The folder is in use, the data or the earlier run is missing or unsuitable, training diverged.
    """
    resuming = _check_folder(config)
    fabric = launch(config)
    if config.loop.batch_size % fabric.world_size:
        raise MedEnhanceError(
            "bad-option",
            f"a batch of {config.loop.batch_size} samples cannot be shared by {fabric.world_size} processes.",
            "Choose a multiple with --loop.batch-size.",
        )
    fabric.print("Preparing the training data ...", file=sys.stderr)
    share = config.loop.batch_size // fabric.world_size
    data = config.data.open(share, fabric.global_rank, fabric.world_size, config.loop.seed)
    _seed_initial_weights(config.loop.seed)
    objective = config.objective.build()
    if config.init_from is not None and not resuming:
        initialise(objective.networks, objective.published_name, config.init_from)
    state = new_state(fabric, objective, config.loop, config.channels_last)
    if resuming:
        resume(config.folder, state, objective.published)
    if fabric.is_global_zero:
        write_run_record(config, state.samples_seen)
    Loop(fabric, objective, state, data, config.loop, config.folder).train()
    return config.folder


def launch(config: RunConfig) -> Fabric:
    """Start the processes of the run; each returns from here."""
    if config.threads is not None:
        torch.set_num_threads(config.threads)
    single = config.devices == 1 and config.num_nodes == 1
    fabric = Fabric(
        accelerator=config.accelerator,
        devices=config.devices,
        num_nodes=config.num_nodes,
        precision=config.precision,
        strategy="auto" if single else "ddp",
    )
    fabric.launch()
    return fabric


def _check_folder(config: RunConfig) -> bool:
    """Whether the run resumes; refuses to mix a new run into the folder of another."""
    has_checkpoints = bool(checkpoints(config.folder))
    if has_checkpoints and not config.resume:
        raise MedEnhanceError(
            "output-refused",
            f"{config.folder} already holds a run.",
            "Add --resume to go on with it, or name another folder with --run.",
        )
    return has_checkpoints


def _seed_initial_weights(seed: int) -> None:
    """The same initial weights in every process."""
    torch.manual_seed(seed_of(seed))
