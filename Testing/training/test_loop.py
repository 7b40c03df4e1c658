"""The loop: exact resume, frozen networks, clean stops, and a network that learns."""

from __future__ import annotations

import json
import signal
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import pytest
import torch
from tiny_data import SyntheticData, batch_of
from tiny_runs import LOOP, adversarial, state_of, supervised

from medenhance.errors import MedEnhanceError
from medenhance.networks.redcnn import RedCnnConfig
from medenhance_training.checkpoint import checkpoints, load_published
from medenhance_training.commands.fit import fit, launch
from medenhance_training.config import RunConfig, Stream, TrainingData
from medenhance_training.log import read_metrics
from medenhance_training.loop import DivergedError, new_state
from medenhance_training.objectives.objective import Batch
from medenhance_training.objectives.supervised import SupervisedConfig
from medenhance_training.optimizer import OptimizerConfig
from medenhance_training.step import train_step

MakeRun = Callable[..., RunConfig]


@dataclass(frozen=True)
class Eventful:
    """Synthetic data with an event at one position: the process is asked to end, or the batch holds no numbers."""

    at: int
    event: Literal["terminate", "nan"]

    def open(self, batch_size: int, rank: int, num_processes: int, seed: int) -> TrainingData:
        data = SyntheticData(16).open(batch_size, rank, num_processes, seed)
        return TrainingData(_EventfulStream(data.stream, self), data.validation)


@dataclass(frozen=True)
class _EventfulStream:
    stream: Stream
    config: Eventful

    def batch_at(self, samples_seen: int) -> Batch:
        batch = self.stream.batch_at(samples_seen)
        if samples_seen != self.config.at:
            return batch
        if self.config.event == "terminate":
            signal.raise_signal(signal.SIGTERM)
            return batch
        return {name: torch.full_like(tensor, float("nan")) for name, tensor in batch.items()}


@pytest.mark.parametrize("make", [supervised, adversarial])
@pytest.mark.parametrize("channels_last", [True, False])
def test_a_run_stopped_and_resumed_equals_the_uninterrupted_one_bit_for_bit(
    tmp_path: Path, make: MakeRun, channels_last: bool
) -> None:
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    fit(make(whole, channels_last=channels_last))
    # The signal arrives while the batch at 20 is read; the step under way, and perhaps the next, still ends.
    fit(make(parts, channels_last=channels_last, data=Eventful(20, "terminate")))
    stopped_at = int(state_of(parts)["/samples_seen"])
    assert 16 <= stopped_at < 48
    fit(make(parts, channels_last=channels_last, resume=True))
    expected, found = state_of(whole), state_of(parts)
    assert expected.keys() == found.keys()
    assert any("/optimizers/" in name for name in found)
    assert any(name.startswith("/ema/") for name in found)
    assert [name for name in expected if not torch.equal(expected[name], found[name])] == []


def test_two_runs_of_the_same_configuration_are_equal_and_another_seed_is_not(tmp_path: Path) -> None:
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        fit(adversarial(tmp_path / name, loop=replace(LOOP, samples=8, seed=seed)))
    a, b, c = (state_of(tmp_path / name) for name in "abc")
    assert all(torch.equal(a[name], b[name]) for name in a)
    assert not all(torch.equal(a[name], c[name]) for name in a)


def test_a_finished_run_that_is_resumed_changes_nothing(tmp_path: Path) -> None:
    fit(supervised(tmp_path / "run"))
    before = (tmp_path / "run" / "metrics.jsonl").read_text()
    fit(supervised(tmp_path / "run", resume=True))
    assert (tmp_path / "run" / "metrics.jsonl").read_text() == before


def test_entries_after_the_last_checkpoint_are_logged_once_after_a_resume(tmp_path: Path) -> None:
    run = fit(supervised(tmp_path / "run", loop=replace(LOOP, samples=24)))
    with (run / "metrics.jsonl").open("a") as file:
        file.write('{"samples": 32, "denoiser/mse": 1.0}\n{"samples": 40, "denoi')  # a killed run's last words
    fit(supervised(run, resume=True))
    positions = [entry["samples"] for entry in read_metrics(run) if "denoiser/mse" in entry]
    assert positions == [8, 16, 24, 32, 40, 48]


def test_a_tiny_network_overfits_the_synthetic_pairs(tmp_path: Path) -> None:
    objective = SupervisedConfig(
        RedCnnConfig(channels=8, kernel=3, depth=3, padding="same", final_relu=False),
        optimizer=OptimizerConfig(lr=3e-3),
    )
    loop = replace(LOOP, samples=1600, batch_size=16, validate_every_samples=800, log_every_samples=160)
    run = fit(supervised(tmp_path / "run", objective=objective, loop=loop))
    entries = read_metrics(run)
    validation = [entry for entry in entries if "validation/psnr_db" in entry]
    assert [entry["samples"] for entry in validation] == [800, 1600]
    assert validation[-1]["validation/psnr_db"] > validation[-1]["validation/psnr_low_db"] + 3.0
    losses = [entry["denoiser/mse"] for entry in entries if "denoiser/mse" in entry]
    assert losses[-1] < 0.5 * losses[0]
    assert len(list((run / "pictures").glob("*.png"))) == 2
    assert list((run / "tensorboard").iterdir())


def test_bfloat16_learns_too_and_keeps_float32_weights(tmp_path: Path) -> None:
    run = fit(supervised(tmp_path / "run", precision="bf16-mixed", loop=replace(LOOP, samples=160)))
    losses = [entry["denoiser/mse"] for entry in read_metrics(run) if "denoiser/mse" in entry]
    assert losses[-1] < losses[0]
    _, network = load_published(run)
    assert {parameter.dtype for parameter in network.parameters()} == {torch.float32}


@pytest.mark.parametrize("trained", ["critic", "generator"])
def test_a_network_gets_no_gradient_and_stays_as_it_is_in_the_phase_of_another(tmp_path: Path, trained: str) -> None:
    config = adversarial(tmp_path)
    fabric, objective = launch(config), config.objective.build()
    objective.phases = [phase for phase in objective.phases if phase.trains == trained]
    state = new_state(fabric, objective, LOOP)
    before = {
        name: {key: tensor.clone() for key, tensor in network.state_dict().items()}
        for name, network in objective.networks.items()
    }
    train_step(fabric, objective, state, batch_of(0, 0, 4, 16), seed=0, batch_size=4, total=48)
    for name, network in objective.networks.items():
        same = [torch.equal(tensor, before[name][key]) for key, tensor in network.state_dict().items()]
        assert all(same) == (name != trained)
        assert all(parameter.grad is None for parameter in network.parameters())
        assert all(parameter.requires_grad == (name == trained) for parameter in network.parameters())


def test_a_phase_can_run_every_so_many_steps(tmp_path: Path) -> None:
    config = adversarial(tmp_path)
    fabric, objective = launch(config), config.objective.build()
    objective.phases = [replace(phase, every=3) if phase.trains == "generator" else phase for phase in objective.phases]
    state = new_state(fabric, objective, LOOP)
    ran = []
    for position in range(0, 24, 4):
        batch = batch_of(0, position, 4, 16)
        metrics = train_step(fabric, objective, state, batch, seed=0, batch_size=4, total=48)
        ran.append("generator/charbonnier" in metrics)
    assert ran == [True, False, False, True, False, False]


def test_a_loss_that_is_not_finite_stops_the_run_and_keeps_the_last_good_checkpoint(tmp_path: Path) -> None:
    run = fit(supervised(tmp_path / "run", loop=replace(LOOP, samples=24)))
    good = state_of(run)
    broken = Eventful(32, "nan")
    with pytest.raises(DivergedError, match=r"denoiser/mse.*stopped being a finite number.*000000000024\.pt"):
        fit(supervised(run, data=broken, resume=True))
    assert len(checkpoints(run)) == 1
    assert all(torch.equal(tensor, state_of(run)[name]) for name, tensor in good.items())


def test_minutes_end_a_run_early_with_a_checkpoint(tmp_path: Path) -> None:
    run = fit(supervised(tmp_path / "run", loop=replace(LOOP, samples=10**9, minutes=0.0)))
    assert int(state_of(run)["/samples_seen"]) == 4


def test_the_user_s_handler_is_back_after_the_run(tmp_path: Path) -> None:
    before = signal.getsignal(signal.SIGTERM)
    fit(supervised(tmp_path / "run", loop=replace(LOOP, samples=8)))
    assert signal.getsignal(signal.SIGTERM) == before


def test_a_used_folder_is_refused_without_resume(tmp_path: Path) -> None:
    fit(supervised(tmp_path / "run", loop=replace(LOOP, samples=4)))
    with pytest.raises(MedEnhanceError, match=r"already holds a run\. Add --resume"):
        fit(supervised(tmp_path / "run"))


def test_run_json_holds_configuration_versions_commit_and_every_session(tmp_path: Path) -> None:
    fit(supervised(tmp_path / "run", loop=replace(LOOP, samples=8)))
    run = fit(supervised(tmp_path / "run", loop=replace(LOOP, samples=16), resume=True))
    record = json.loads((run / "run.json").read_text())
    assert record["config"]["loop"]["samples"] == 16
    assert record["config"]["objective"]["network"] == {
        "type": "RedCnnConfig",
        "channels": 4,
        "kernel": 3,
        "depth": 3,
        "padding": "same",
        "unshuffle": 1,
        "final_relu": False,
    }
    assert [session["from_samples"] for session in record["sessions"]] == [0, 8]
    assert record["sessions"][0]["versions"]["torch"] == torch.__version__
    assert record["sessions"][0]["commit"]


def test_a_second_stage_starts_from_the_first(tmp_path: Path) -> None:
    first = fit(supervised(tmp_path / "first", loop=replace(LOOP, ema_half_life_samples=0.0)))
    second = supervised(tmp_path / "second", init_from=first, loop=replace(LOOP, samples=4))
    frozen = replace(second, objective=replace(second.objective, optimizer=OptimizerConfig(lr=0.0)))
    _, weights = load_published(fit(frozen))
    _, expected = load_published(first)
    assert all(torch.equal(a, b) for a, b in zip(weights.parameters(), expected.parameters(), strict=True))
