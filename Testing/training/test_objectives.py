"""Objectives: their losses against the formulas written out, and what their variants change."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from tiny_data import batch_of
from tiny_runs import adversarial, state_of, supervised
from torch import Tensor

from medenhance.intensity import Scale, Window
from medenhance.networks.mtdgan import MtdGanConfig
from medenhance.networks.redcnn import RedCnnConfig
from medenhance_training import losses
from medenhance_training.commands.fit import fit
from medenhance_training.critics import MultiTaskCriticConfig
from medenhance_training.initialisation import start_weights
from medenhance_training.log import read_metrics
from medenhance_training.objectives.mtd_gan import MtdGan, MtdGanObjectiveConfig
from medenhance_training.objectives.objective import PublishedNetwork
from medenhance_training.objectives.published import build_published, describe
from medenhance_training.objectives.supervised import SupervisedConfig
from medenhance_training.optimizer import OptimizerConfig
from medenhance_training.step import freeze_all_but

BATCH = batch_of(seed=3, first=0, count=4, size=16)
REDCNN = RedCnnConfig(channels=4, kernel=3, depth=3, padding="same", final_relu=False)
METHOD = MtdGanObjectiveConfig(
    generator=MtdGanConfig(channels=4, levels=2), critic=MultiTaskCriticConfig(channels=4, levels=4)
)


def judged(config: MtdGanObjectiveConfig) -> MtdGan:
    """The method with a critic that answers the same twice, and strongly enough to tell losses apart."""
    torch.manual_seed(0)
    objective = config.build()
    with torch.no_grad():
        for head in (objective.critic.classify.score, objective.critic.segment, objective.critic.reconstruct):
            for parameter in head.parameters() if head is not None else ():
                parameter.add_(0.3 * torch.randn_like(parameter))
    freeze_all_but("nothing", objective.networks)
    return objective


def test_supervised_loss_is_taken_in_network_units() -> None:
    objective = SupervisedConfig(REDCNN, Scale(center_hu=0.0, scale_hu=500.0), loss="l1").build()
    output = objective.denoiser(BATCH["low"] / 500.0)
    expected = (output - BATCH["normal"] / 500.0).abs().mean()
    assert objective.losses(BATCH)["l1"].item() == pytest.approx(expected.item(), rel=1e-5)


def test_root_mean_square_counts_pixels_inside_the_focus_fully_and_others_less() -> None:
    objective = SupervisedConfig(REDCNN, loss="rms", focus_hu=(0.0, 100.0), unfocused_weight=0.25).build()
    output = objective.denoiser(BATCH["low"] / 1000.0)
    weight = torch.where(BATCH["normal"] == 60.0, 1.0, 0.25)  # the disc is inside the focus, the fat is not
    expected = losses.root_mean_square(output, BATCH["normal"] / 1000.0, weight)
    assert objective.losses(BATCH)["rms"].item() == pytest.approx(expected.item(), rel=1e-5)


def test_edge_loss_joins_with_its_weight() -> None:
    objective = SupervisedConfig(REDCNN, edge_weight=7.0).build()
    terms = objective.losses(BATCH)
    output = objective.denoiser(BATCH["low"] / 1000.0)
    expected = 7.0 * losses.edge(output, BATCH["normal"] / 1000.0)
    assert set(terms) == {"mse", "edge"}
    assert terms["edge"].item() == pytest.approx(expected.item(), rel=1e-5)


def test_restore_leaves_voxels_outside_the_window_as_they_are() -> None:
    objective = SupervisedConfig(REDCNN, Window(-160.0, 240.0)).build()
    low = torch.tensor([-1000.0, -161.0, 40.0, 241.0, 3000.0]).repeat(5, 1)[None, None]
    restored = objective.restore(objective.denoiser, low).detach()
    assert torch.equal(restored[..., [0, 1, 3, 4]], low[..., [0, 1, 3, 4]])
    assert not torch.equal(restored[..., 2], low[..., 2])


def test_published_network_is_described_by_plain_values() -> None:
    published = SupervisedConfig(REDCNN, Window(0.0, 80.0)).build().published
    assert published == PublishedNetwork(
        network="redcnn",
        config={
            "channels": 4,
            "kernel": 3,
            "depth": 3,
            "padding": "same",
            "unshuffle": 1,
            "final_relu": False,
        },
        intensity={"kind": "window", "lo_hu": 0.0, "hi_hu": 80.0, "fade": Window().fade},
    )


def released_critic_losses(objective: MtdGan, low: Tensor, normal: Tensor) -> dict[str, Tensor]:
    """The three task losses as the release states them, real and fake patches one after the other."""
    mask = (low != normal).float()
    fake = objective.generator(low)
    real_whole, real_map, real_image = objective.critic(normal)
    fake_whole, fake_map, fake_image = objective.critic(fake)
    real_again, fake_again = objective.critic(real_image.clamp(0, 1)), objective.critic(fake_image.clamp(0, 1))
    return {
        "adversarial": ((real_whole - 1) ** 2).mean()
        + (fake_whole**2).mean()
        + (mask * (real_map - 1) ** 2).mean()
        + (mask * fake_map**2).mean(),
        "reconstruction": F.l1_loss(real_image, normal) + F.l1_loss(fake_image, fake),
        "consistency": F.mse_loss(real_whole, real_again.whole)
        + F.mse_loss(real_map, real_again.pixels)
        + F.mse_loss(fake_whole, fake_again.whole)
        + F.mse_loss(fake_map, fake_again.pixels),
    }


def windowed(window: Window) -> tuple[Tensor, Tensor]:
    return window.forward(BATCH["low"]), window.forward(BATCH["normal"])


def test_critic_losses_are_the_released_ones() -> None:
    objective = judged(replace(METHOD, suppress="pixels", consistency="released"))
    expected = released_critic_losses(objective, *windowed(Window()))
    found = objective.critic_losses(BATCH)
    assert found.keys() == expected.keys()
    for name, term in expected.items():
        assert found[name].item() == pytest.approx(term.item(), rel=1e-4), name


def test_reconstructions_are_clipped_to_the_range_of_the_intensity_map() -> None:
    assert METHOD.build().range == [0.0, 1.0]
    assert replace(METHOD, intensity=Scale(scale_hu=400.0)).build().range == pytest.approx([-2.56, 3071 / 400])


def test_consistency_of_the_thesis_is_an_expectation_of_norms_over_all_that_the_critic_sees() -> None:
    objective = judged(replace(METHOD, consistency="thesis"))
    low, normal = windowed(Window())
    images = torch.cat([normal, objective.generator(low)])
    verdict = objective.critic(images)
    again = objective.critic(verdict.reconstruction)
    whole = (verdict.whole - again.whole).abs()[:, 0]
    pixels = (verdict.pixels - again.pixels).square().sum(dim=(1, 2, 3)).sqrt()
    found = objective.critic_losses(BATCH)["consistency"]
    assert found.item() == pytest.approx((whole + pixels).mean().item(), rel=1e-4)


def test_generator_losses_are_the_published_ones() -> None:
    objective = judged(replace(METHOD, suppress="pixels"))
    low, normal = windowed(Window())
    fake = objective.generator(low)
    verdict = objective.critic(fake)
    mask = (low != normal).float()
    found = objective.generator_losses(BATCH)
    adversarial = ((verdict.whole - 1) ** 2).mean() + (mask * (verdict.pixels - 1) ** 2).mean()
    assert found["adversarial"].item() == pytest.approx(adversarial.item(), rel=1e-4)
    assert found["charbonnier"].item() == pytest.approx(50 * losses.charbonnier(fake, normal).item(), rel=1e-5)
    assert found["edge"].item() == pytest.approx(50 * losses.edge(fake, normal).item(), rel=1e-5)


@pytest.mark.parametrize(
    ("segmentation", "reconstruction", "consistency", "terms"),
    [
        (False, False, "off", {"adversarial"}),
        (True, False, "off", {"adversarial"}),
        (True, True, "off", {"adversarial", "reconstruction"}),
        (True, True, "thesis", {"adversarial", "reconstruction", "consistency"}),
    ],
)
def test_heads_decide_which_tasks_the_critic_has(
    segmentation: bool, reconstruction: bool, consistency: str, terms: set[str]
) -> None:
    critic = replace(METHOD.critic, segmentation=segmentation, reconstruction=reconstruction)
    objective = replace(METHOD, critic=critic, consistency=consistency).build()
    assert set(objective.critic_losses(BATCH)) == terms
    assert set(objective.generator_losses(BATCH)) == {"adversarial", "charbonnier", "edge"}


def test_consistency_without_a_reconstruction_is_refused() -> None:
    critic = replace(METHOD.critic, reconstruction=False)
    with pytest.raises(ValueError, match=r"needs a critic that reconstructs.*--objective\.consistency off"):
        replace(METHOD, critic=critic, consistency="released")


@pytest.mark.parametrize("on", [True, False])
def test_dropout_of_the_critic_while_the_generator_learns_is_a_choice(on: bool) -> None:
    objective = replace(METHOD, dropout_against_generator=on).build()
    freeze_all_but("generator", objective.networks)
    objective.generator_losses(BATCH)
    assert objective.critic.classify.dropout.training == on
    assert not objective.critic.encoder[0].first.training


@pytest.mark.parametrize("train_classifier", [True, False])
def test_the_released_rule_never_trains_the_hidden_layer_of_the_classifier(
    tmp_path: Path, train_classifier: bool
) -> None:
    run = adversarial(tmp_path / "run")
    start = run.objective.build()
    fit(replace(run, objective=replace(run.objective, train_classifier=train_classifier)))
    optimizer = {name for name in state_of(tmp_path / "run") if name.startswith("/optimizers/critic/state/")}
    trained = {int(name.split("/")[4]) for name in optimizer}
    names = [name for name, _ in start.critic.named_parameters()]
    idle = {name for index, name in enumerate(names) if index not in trained}
    hidden = {"classify.hidden.bias", "classify.hidden.parametrizations.weight.original"}
    assert idle == (set() if train_classifier else hidden)


def test_a_rate_of_zero_changes_no_weight(tmp_path: Path) -> None:
    run = supervised(tmp_path / "run")
    idle = replace(run, objective=replace(run.objective, optimizer=OptimizerConfig(lr=0.0, weight_decay=0.1)))
    fit(idle)
    moved = fit(replace(idle, run=tmp_path / "short", loop=replace(run.loop, samples=4)))
    first, second = state_of(tmp_path / "run"), state_of(moved)
    assert all(torch.equal(first[name], second[name]) for name in first if name.startswith("/networks/"))


@pytest.mark.parametrize("network", [REDCNN, METHOD.generator])
def test_identity_start_returns_the_input(network: object) -> None:
    denoiser = build_published(describe(network, Window()))
    start_weights(denoiser, "identity")
    image = torch.rand(1, 1, 16, 16)
    torch.testing.assert_close(denoiser(image), image)


def test_released_start_draws_plain_convolutions_alone_and_xavier_all() -> None:
    for start, transposed_std in (("mtd-gan-released", None), ("xavier-uniform", (2 / (2 * 9 * 32)) ** 0.5)):
        torch.manual_seed(0)
        generator = build_published(describe(MtdGanConfig(levels=2), Window()))
        before = generator.decoder[0].weight.detach().clone()
        start_weights(generator, start)
        assert torch.equal(before, generator.decoder[0].weight) == (transposed_std is None)
        if transposed_std is None:
            assert generator.encoder[1].weight.std().item() == pytest.approx(0.01, rel=0.05)
        else:
            assert generator.decoder[0].weight.std().item() == pytest.approx(transposed_std, rel=0.05)
        assert torch.count_nonzero(generator.encoder[1].bias) == 0


def test_the_generator_learns_to_denoise_against_the_critic(tmp_path: Path) -> None:
    run = adversarial(tmp_path / "run")
    optimizer = OptimizerConfig(lr=5e-3)
    objective = replace(run.objective, start="identity", generator_optimizer=optimizer)
    loop = replace(run.loop, samples=320, batch_size=8, validate_every_samples=320)
    fit(replace(run, objective=objective, loop=loop))
    last = read_metrics(tmp_path / "run")[-1]
    assert last["validation/psnr_db"] > last["validation/psnr_low_db"] + 1.5
