"""A run as a typed value: recipes return it, the command line overrides it, `run.json` records it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Literal, Protocol

import tyro

from medenhance.errors import MedEnhanceError
from medenhance_training.objectives.objective import Batch


class Stream(Protocol):
    """Endless training data, whose randomness is a function of seed, rank and position alone."""

    def batch_at(self, samples_seen: int) -> Batch:
        """This process's share of the batch that follows after `samples_seen` samples.

        Returns:
            What the objective of the run reads: for CT "low" and "normal", (n, 1, P, P) float32, HU; for spine
            projections what `data.spine_stream.SpineStream.batch_at` returns, grey.
        """


@dataclass(frozen=True)
class TrainingData:
    """What a run reads.

    Attributes:
        stream: This process's share of the training data.
        validation: Fixed slices, the same at every validation: "low" and "normal", (1, 1, H, W) float32, HU
            or grey; and, where there are classes to find, "labels", (1, H, W) int64.
    """

    stream: Stream
    validation: Sequence[Batch]


class DataConfig(Protocol):
    """A frozen dataclass that says where the data lie and how patches are drawn."""

    def open(self, batch_size: int, rank: int, num_processes: int, seed: int) -> TrainingData:
        """Check the data and open this process's share; `batch_size` counts the samples of this process."""


@dataclass(frozen=True)
class LoopConfig:
    """How long a run lasts and what it leaves behind.

    Attributes:
        samples: The run is over after so many samples, counted over all processes; the schedule ends with them.
        minutes: Stop earlier, after so many minutes of this session, with a checkpoint to resume from.
        batch_size: Samples of a step, over all processes.
        seed: All randomness follows from it.
        ema_half_life_samples: Of the averaged weights, which are those that get published; 0 averages nothing.
        log_every_samples: Distance of entries in the log.
        validate_every_samples: Distance of validations on the fixed slices.
        checkpoint_minutes: Time between checkpoints; one more is written at the end.
        window_hu: Window in which validation measures and shows, (low, high).
    """

    samples: int = 1_000_000
    minutes: float | None = None
    batch_size: int = 16
    seed: int = 2024
    ema_half_life_samples: float = 10_000.0
    log_every_samples: int = 1_000
    validate_every_samples: int = 50_000
    checkpoint_minutes: float = 10.0
    window_hu: tuple[float, float] = (-160.0, 240.0)

    def __post_init__(self) -> None:
        for name in ("samples", "batch_size", "log_every_samples", "validate_every_samples"):
            if getattr(self, name) < 1:
                option = name.replace("_", "-")
                raise MedEnhanceError("bad-option", f"--loop.{option} is at least 1, not {getattr(self, name)}.")


@dataclass(frozen=True)
class RunConfig:
    """Everything that decides a run.

    Attributes:
        recipe: Name of the recipe that it came from.
        objective: The method, with its networks and optimizers.
        data: Where the data lie and how patches are drawn.
        loop: How long, and what is left behind.
        run: Folder of the run; "runs/RECIPE" where none is given.
        resume: Go on from the newest checkpoint of that folder, if it has one.
        init_from: Start from the weights of this earlier run (folder or checkpoint) or weights file (.safetensors).
        accelerator: Where to compute.
        devices: Devices on each machine, or "auto".
        num_nodes: Machines; start the command on each, under torchrun or SLURM.
        precision: "bf16-mixed" keeps float32 weights and runs convolutions in bfloat16.
        threads: CPU threads of each process; the framework's choice where none is given.
        channels_last: Memory layout with the channels innermost, which convolutions in bfloat16 like best.
    """

    recipe: Annotated[str, tyro.conf.Suppress]
    objective: Any
    data: Any
    loop: LoopConfig = field(default_factory=LoopConfig)
    run: Path | None = None
    resume: bool = False
    init_from: Path | None = None
    accelerator: Literal["auto", "cpu", "cuda", "mps"] = "auto"
    devices: int | Literal["auto"] = 1
    num_nodes: int = 1
    precision: Literal["32-true", "bf16-mixed"] = "32-true"
    threads: int | None = None
    channels_last: bool = True

    @property
    def folder(self) -> Path:
        """Where the run lies."""
        return self.run if self.run is not None else Path("runs") / self.recipe
