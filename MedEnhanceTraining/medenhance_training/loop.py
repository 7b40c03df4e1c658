"""The training loop: owns time. What is learnt, and from which losses, is the objective's."""

from __future__ import annotations

import math
import sys
import time
from pathlib import Path
from typing import NoReturn

import torch
from lightning_fabric import Fabric
from tqdm import tqdm

from medenhance.errors import MedEnhanceError
from medenhance_training.checkpoint import TrainingState, checkpoints, save_checkpoint
from medenhance_training.config import LoopConfig, TrainingData
from medenhance_training.ema import Ema
from medenhance_training.log import RunLog
from medenhance_training.metrics import MetricMeans
from medenhance_training.objectives.objective import Objective
from medenhance_training.optimizer import build_optimizer
from medenhance_training.prefetch import Prefetch
from medenhance_training.step import average_over_processes, train_step
from medenhance_training.stopping import stop_on_signal
from medenhance_training.validation import pictures, validate


class DivergedError(MedEnhanceError):
    """A loss or a gradient is no longer a finite number."""


def new_state(fabric: Fabric, objective: Objective, config: LoopConfig, channels_last: bool = True) -> TrainingState:
    """The objective's networks on the device, with fresh optimizers and a fresh average."""
    layout = torch.channels_last if channels_last else torch.contiguous_format
    for network in objective.networks.values():
        network.to(device=fabric.device)
        network.to(memory_format=layout)  # type: ignore[call-overload]
    optimizers = {
        name: build_optimizer(objective.optimizers[name], network) for name, network in objective.networks.items()
    }
    ema = Ema(objective.networks[objective.published_name], config.ema_half_life_samples)
    return TrainingState(objective.networks, optimizers, ema)


class Loop:
    """Carries a state from where it is to the end of the run.

    Args:
        run: Folder of the run; only the first process writes into it.
    """

    def __init__(
        self,
        fabric: Fabric,
        objective: Objective,
        state: TrainingState,
        data: TrainingData,
        config: LoopConfig,
        run: Path,
    ) -> None:
        self.fabric, self.objective, self.state = fabric, objective, state
        self.data, self.config, self.run = data, config, run
        self.log = RunLog(run, state.samples_seen) if fabric.is_global_zero else None
        self.means = MetricMeans()
        self.validated_at = state.samples_seen
        self.started = self.saved = time.monotonic()

    def train(self) -> int:
        """Train until the samples or the minutes are used up, or the user asks to stop.

        Returns:
            Samples seen.

        Raises:
            DivergedError: A loss or gradient is not finite; the last good checkpoint stays.
        """
        if self.state.samples_seen >= self.config.samples:
            return self.state.samples_seen
        start = self.state.samples_seen
        with stop_on_signal() as asked, self._bar() as bar:
            with Prefetch(self.data.stream, start, self.config.batch_size) as batches:
                stopping = False
                while self.state.samples_seen < self.config.samples and not stopping:
                    self._step(batches)
                    bar.update(self.config.batch_size)
                    wants_stop = asked.is_set() or self._out_of_time()
                    if self._due(self.config.log_every_samples) or (wants_stop and self.fabric.world_size == 1):
                        stopping = self._tick(bar, wants_stop)
            self._finish(bar)
        return self.state.samples_seen

    def _step(self, batches: Prefetch) -> None:
        batch = {name: tensor.to(self.fabric.device, non_blocking=True) for name, tensor in batches.next().items()}
        config = self.config
        step = train_step(
            self.fabric, self.objective, self.state, batch, config.seed, config.batch_size, config.samples
        )
        self.means.add(step)

    def _tick(self, bar: tqdm[NoReturn], wants_stop: bool) -> bool:
        """Write what has gathered; every process arrives here after the same step. Returns whether to stop."""
        self._write_metrics(bar)
        if time.monotonic() - self.saved > 60.0 * self.config.checkpoint_minutes:
            self._checkpoint()
        if self._due(self.config.validate_every_samples):
            self._validate(bar)
        return self._any_process(wants_stop)

    def _finish(self, bar: tqdm[NoReturn]) -> None:
        self._write_metrics(bar)
        self._checkpoint()
        self._validate(bar)
        if self.log is not None:
            self.log.close()
        self.fabric.barrier()

    def _write_metrics(self, bar: tqdm[NoReturn]) -> None:
        """Average over the steps and processes since the last entry, and refuse to go on from broken numbers."""
        means = self.means.take()
        if not means:
            return
        values = torch.tensor(list(means.values()), device=self.fabric.device)
        means = dict(zip(means, average_over_processes(self.fabric, [values])[0].tolist(), strict=True))
        self._refuse_not_finite(means)
        if self.log is not None:
            self.log.metrics(self.state.samples_seen, {**means, "seconds": time.monotonic() - self.started})
        shown = {name: f"{value:.4g}" for name, value in means.items() if _is_loss(name)}
        bar.set_postfix(shown, refresh=False)

    def _refuse_not_finite(self, means: dict[str, float]) -> None:
        broken = [name for name, value in means.items() if not math.isfinite(value)]
        if broken:
            good = checkpoints(self.run)
            kept = f"The last good checkpoint is {good[-1]}." if good else "There is no checkpoint yet."
            raise DivergedError(
                "training-diverged",
                f"{', '.join(broken)} stopped being a finite number before {self.state.samples_seen} samples.",
                f"{kept} Go on with a lower learning rate, gradient clipping or --precision 32-true.",
            )

    def _checkpoint(self) -> None:
        if self.fabric.is_global_zero:
            save_checkpoint(self.run, self.state, self.objective.published)
        self.saved = time.monotonic()

    def _validate(self, bar: tqdm[NoReturn]) -> None:
        """Only the first process validates: the slices are few, and its state is everyone's."""
        slices = self.data.validation
        if self.log is None or not slices or self.validated_at == self.state.samples_seen:
            return
        self.validated_at = self.state.samples_seen
        network, window_hu = self.state.ema.network, self.config.window_hu
        values = validate(self.fabric, self.objective, network, slices, window_hu)
        self.log.metrics(self.state.samples_seen, values)
        row = pictures(self.fabric, self.objective, network, slices[0], window_hu)
        self.log.picture(self.state.samples_seen, "low_output_normal", row)
        shown = ", ".join(f"{name.removeprefix('validation/')} {value:.3f}" for name, value in values.items())
        bar.write(f"{self.state.samples_seen} samples: {shown}", file=sys.stderr)

    def _due(self, every: int) -> bool:
        """Whether the step that has just ended crossed a multiple of `every` samples."""
        seen = self.state.samples_seen
        return seen // every > (seen - self.config.batch_size) // every

    def _out_of_time(self) -> bool:
        minutes = self.config.minutes
        return minutes is not None and time.monotonic() - self.started > 60.0 * minutes

    def _any_process(self, flag: bool) -> bool:
        share = average_over_processes(self.fabric, [torch.tensor(float(flag), device=self.fabric.device)])[0]
        return share.item() > 0.0

    def _bar(self) -> tqdm[NoReturn]:
        batch_size, start = self.config.batch_size, self.state.samples_seen
        bar: tqdm[NoReturn] = tqdm(
            total=start + math.ceil((self.config.samples - start) / batch_size) * batch_size,
            initial=start,
            unit=" samples",
            unit_scale=True,
            mininterval=1.0 if sys.stderr.isatty() else 30.0,  # a log file needs no animation
            dynamic_ncols=True,
            disable=not self.fabric.is_global_zero,
        )
        return bar


def _is_loss(name: str) -> bool:
    return not name.endswith(("learning_rate", "gradient_norm"))
