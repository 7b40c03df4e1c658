"""Checkpoints: complete, atomic, and never code."""

from __future__ import annotations

import json
from dataclasses import asdict, replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from medenhance.errors import MedEnhanceError
from medenhance.networks.redcnn import RedCnnConfig
from medenhance_training import checkpoint
from medenhance_training.checkpoint import (
    TrainingState,
    checkpoint_path,
    checkpoints,
    initialise,
    load_published,
    read_checkpoint,
    resume,
    save_checkpoint,
)
from medenhance_training.ema import Ema
from medenhance_training.objectives.supervised import Supervised, SupervisedConfig
from medenhance_training.optimizer import build_optimizer

TINY = RedCnnConfig(channels=4, kernel=3, depth=3, padding="same")


def new(network: RedCnnConfig = TINY) -> tuple[Supervised, TrainingState]:
    objective = SupervisedConfig(network=network).build()
    optimizers = {"denoiser": build_optimizer(objective.optimizers["denoiser"], objective.denoiser)}
    return objective, TrainingState(objective.networks, optimizers, Ema(objective.denoiser, 100.0))


def saved(run: Path, samples_seen: int = 32) -> tuple[Supervised, TrainingState]:
    objective, state = new()
    state.samples_seen = samples_seen
    torch.nn.init.constant_(state.ema.network.encoder[0].bias, 0.25)  # the average differs from the network
    save_checkpoint(run, state, objective.published)
    return objective, state


def test_resume_brings_back_networks_average_and_position(tmp_path: Path) -> None:
    _, before = saved(tmp_path)
    objective, after = new()
    resume(tmp_path, after, objective.published)
    assert after.samples_seen == 32
    for name, tensor in before.ema.network.state_dict().items():
        assert torch.equal(after.ema.network.state_dict()[name], tensor)
    for name, tensor in before.networks["denoiser"].state_dict().items():
        assert torch.equal(after.networks["denoiser"].state_dict()[name], tensor)


def test_only_the_newest_two_are_kept(tmp_path: Path) -> None:
    objective, state = new()
    for state.samples_seen in (8, 16, 24):
        save_checkpoint(tmp_path, state, objective.published)
    assert checkpoints(tmp_path) == [checkpoint_path(tmp_path, 16), checkpoint_path(tmp_path, 24)]


def test_failed_write_leaves_the_earlier_checkpoint_and_no_part(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    objective, state = saved(tmp_path)

    def full(content: object, file: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(checkpoint.torch, "save", full)
    state.samples_seen = 64
    with pytest.raises(OSError, match="No space left"):
        save_checkpoint(tmp_path, state, objective.published)
    assert [path.name for path in (tmp_path / "checkpoints").iterdir()] == ["000000000032.pt"]


def test_a_checkpoint_that_carries_code_is_refused_and_does_not_run_it(tmp_path: Path) -> None:
    class Intruder:
        def __reduce__(self) -> tuple[object, tuple[str]]:
            return Path.mkdir, (tmp_path / "broken-in",)  # type: ignore[return-value]

    path = tmp_path / "code.pt"
    torch.save({"schema": 1, "x": Intruder()}, path)
    with pytest.raises(MedEnhanceError, match="not a readable checkpoint"):
        read_checkpoint(path)
    assert not (tmp_path / "broken-in").exists()


@pytest.mark.parametrize("content", [b"", b"not a checkpoint at all"])
def test_a_damaged_file_is_a_clear_error(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "damaged.pt"
    path.write_bytes(content)
    with pytest.raises(MedEnhanceError, match=r"damaged\.pt is not a readable checkpoint"):
        read_checkpoint(path)


def test_a_truncated_checkpoint_is_a_clear_error(tmp_path: Path) -> None:
    saved(tmp_path)
    path = checkpoint_path(tmp_path, 32)
    path.write_bytes(path.read_bytes()[:-200])
    with pytest.raises(MedEnhanceError, match="not a readable checkpoint"):
        read_checkpoint(path)


def test_a_checkpoint_of_another_shape_says_what_to_do(tmp_path: Path) -> None:
    saved(tmp_path)
    objective, wider = new(RedCnnConfig(channels=6, kernel=3, depth=3, padding="same"))
    with pytest.raises(MedEnhanceError, match=r"does not fit this configuration.*--init-from"):
        resume(tmp_path, wider, objective.published)


def test_a_checkpoint_without_a_network_that_is_needed_says_what_to_do(tmp_path: Path) -> None:
    saved(tmp_path)
    objective, state = new()
    state.networks = {"denoiser": objective.denoiser, "critic": torch.nn.Linear(1, 1)}
    with pytest.raises(MedEnhanceError, match=r"does not fit this configuration: 'critic'.*--init-from"):
        resume(tmp_path, state, objective.published)


def test_a_checkpoint_for_another_intensity_map_is_refused(tmp_path: Path) -> None:
    saved(tmp_path)
    objective, state = new()
    other = replace(objective.published, intensity={"kind": "window", "lo_hu": 0.0, "hi_hu": 80.0})
    with pytest.raises(MedEnhanceError, match=r"does not fit this configuration: it is of .*'scale'.*'window'"):
        resume(tmp_path, state, other)


def test_published_network_is_the_average_and_needs_no_config_of_the_caller(tmp_path: Path) -> None:
    objective, state = saved(tmp_path)
    published, network = load_published(tmp_path)
    assert published == objective.published
    assert published.config["channels"] == 4
    assert torch.equal(network.encoder[0].bias, state.ema.network.encoder[0].bias)
    assert not network.training


def test_a_later_stage_starts_from_the_average_of_an_earlier_one(tmp_path: Path) -> None:
    saved(tmp_path)
    objective, _ = new()
    assert initialise(objective.networks, "denoiser", tmp_path) == ["denoiser"]
    assert objective.denoiser.encoder[0].bias.tolist() == [0.25] * 4


def test_a_later_stage_may_call_the_network_by_another_name(tmp_path: Path) -> None:
    saved(tmp_path)
    objective, _ = new()
    assert initialise({"generator": objective.denoiser}, "generator", tmp_path) == ["generator"]
    assert objective.denoiser.encoder[0].bias.tolist() == [0.25] * 4


def test_training_may_start_from_a_weights_file(tmp_path: Path) -> None:
    objective, _ = new()
    torch.nn.init.constant_(objective.denoiser.encoder[0].bias, 0.5)
    path = tmp_path / "model.safetensors"
    header = {"format": "medenhance-1", "network": "redcnn", "config": json.dumps(asdict(TINY)), "entry": "{}"}
    save_file(objective.denoiser.state_dict(), path, metadata=header)
    fresh, _ = new()
    assert initialise(fresh.networks, "denoiser", path) == ["denoiser"]
    assert torch.equal(fresh.denoiser.encoder[0].bias, objective.denoiser.encoder[0].bias)


def test_a_later_stage_of_another_shape_is_refused(tmp_path: Path) -> None:
    saved(tmp_path)
    objective, _ = new(RedCnnConfig(channels=6, kernel=3, depth=3, padding="same"))
    with pytest.raises(MedEnhanceError, match=r"denoiser of .* has another shape"):
        initialise(objective.networks, "denoiser", tmp_path)


def test_a_folder_without_checkpoints_is_a_clear_error(tmp_path: Path) -> None:
    with pytest.raises(MedEnhanceError, match="holds no checkpoint"):
        load_published(tmp_path)
