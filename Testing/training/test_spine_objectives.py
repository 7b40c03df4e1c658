"""DA-GAN and its rivals: losses by hand, hidden pixels, and a network that learns to fill dashes."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from tiny_spine import TinySpineData, stream
from torch import nn

from medenhance.errors import MedEnhanceError
from medenhance.networks.dagan import DaGanConfig
from medenhance.networks.fpn import FpnConfig
from medenhance.networks.spine import SpineConfig
from medenhance_training import losses
from medenhance_training.checkpoint import load_published
from medenhance_training.commands.fit import fit
from medenhance_training.config import LoopConfig, RunConfig
from medenhance_training.objectives.blind_spot import BlindSpot, BlindSpotConfig, hide_grid, hide_scattered
from medenhance_training.objectives.da_gan import DaGan, DaGanObjectiveConfig
from medenhance_training.objectives.segmentation import SegmentationConfig
from medenhance_training.optimizer import OptimizerConfig
from medenhance_training.patch_critics import PatchCritic, PatchCriticConfig

FPN = FpnConfig(stem=4, widths=(8, 8), blocks=(1, 1), block="basic", pyramid=8, head=8, reduce=1.0)
NETWORK = SpineConfig(DaGanConfig(widths=(4, 8)), FPN)
CRITIC = PatchCriticConfig(widths=(4, 8))


def objective(**changes: object) -> DaGan:
    torch.manual_seed(0)
    return DaGanObjectiveConfig(NETWORK, CRITIC, **changes).build()  # type: ignore[arg-type]


class Constant(nn.Module):
    """A critic that always gives one score."""

    def __init__(self, score: float) -> None:
        super().__init__()
        self.score = score

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        return image.new_full((len(image), 1), self.score)


def test_logistic_loss_is_the_paper_s_log_loss() -> None:
    score = torch.tensor([[0.3], [-1.2]])
    d = torch.sigmoid(score)
    assert losses.logistic(score, real=True).item() == pytest.approx(-d.log().mean().item())
    assert losses.logistic(score, real=False).item() == pytest.approx(-(1 - d).log().mean().item())


def test_reconstruction_sums_over_pixels_and_averages_over_patches() -> None:
    a, b = torch.zeros(2, 1, 3, 3), torch.full((2, 1, 3, 3), 2.0)
    assert losses.summed_square(a, b).item() == pytest.approx(9 * 4.0)


def test_total_variation_counts_class_borders() -> None:
    scores = torch.zeros(1, 2, 1, 4)
    scores[:, 0, :, :2], scores[:, 1, :, 2:] = 50.0, 50.0
    # One of three steps along the row, in both classes; there is no step across one row.
    value = losses.total_variation(torch.cat([scores, scores], dim=2))
    assert value.item() == pytest.approx(1 / 3)


@pytest.mark.parametrize(("dual", "expected"), [("two", {"clean", "corrupted"}), ("off", {"clean"})])
def test_terms_of_the_generator(dual: str, expected: set[str]) -> None:
    terms = objective(dual=dual).network_losses(stream(2).batch_at(0))
    assert terms.keys() == expected | {"reconstruction", "segmentation"}


def test_two_undecided_critics_give_log_two_each_and_the_generator_too() -> None:
    method = objective(start="identity")
    assert method.critics is not None
    method.critics.clean, method.critics.corrupted = Constant(0.0), Constant(0.0)  # type: ignore[assignment]
    batch = stream(2).batch_at(0)
    assert all(v.item() == pytest.approx(math.log(2)) for v in method.critic_losses(batch).values())
    terms = method.network_losses(batch)
    assert terms["clean"].item() == terms["corrupted"].item() == pytest.approx(math.log(2))
    assert terms["reconstruction"].item() == 0.0  # the network still does nothing


def test_one_critic_wants_restored_patches_real_and_moved_noise_fake() -> None:
    method = objective(dual="one", start="identity")
    method.critic = Constant(2.0)  # type: ignore[assignment]
    terms = method.network_losses(stream(2).batch_at(0))
    assert terms["clean"].item() == pytest.approx(math.log1p(math.exp(-2.0)))
    assert terms["corrupted"].item() == pytest.approx(0.5 * math.log1p(math.exp(2.0)))


def test_removed_noise_is_moved_onto_the_clean_patch() -> None:
    method, seen = objective(), []

    class Watching(Constant):
        def forward(self, image: torch.Tensor) -> torch.Tensor:
            seen.append(image.detach())
            return super().forward(image)

    assert method.critics is not None
    method.critics.corrupted = Watching(0.0)  # type: ignore[assignment]
    batch = stream(2).batch_at(0)
    method.network_losses(batch)
    x, z = (method.intensity.forward(batch[name]) for name in ("corrupted", "clean"))
    assert torch.allclose(seen[0], z + (x - method.network.enhance(x)), atol=1e-6)


def test_reconstruction_counts_grey_levels_of_0_to_1() -> None:
    method = objective(reconstruction_weight=1.0)
    method.network.enhancer = nn.Identity()
    method.network.enhance = lambda x: x + 51.0 / 84.15  # type: ignore[method-assign]
    terms = method.network_losses(stream(2).batch_at(0))
    assert terms["reconstruction"].item() == pytest.approx(32 * 32 * 0.2**2, rel=1e-4)


def test_the_twin_counts_only_where_it_is_asked_for() -> None:
    batch = stream(2).batch_at(0)
    terms = objective(twin_weight=3.0, start="identity").network_losses(batch)
    pairs = [("corrupted", "twin"), ("image", "image_twin")]
    errors = [(batch[a] - batch[b]).flatten(1) / 84.15 for a, b in pairs]
    expected = sum((e.abs().mean() + 0.2 * e.square().mean(dim=1).sqrt().mean()).item() for e in errors)
    assert terms["twin"].item() == pytest.approx(3.0 * 0.5 * expected, rel=1e-3)


def test_critics_see_patches_of_their_size_alone_with_a_dense_head() -> None:
    critic = PatchCritic(PatchCriticConfig(widths=(4, 4), head="dense", patch=32))
    assert critic(torch.zeros(3, 1, 32, 32)).shape == (3, 1)
    with pytest.raises(MedEnhanceError, match="32x32, not of 16x16"):
        critic(torch.zeros(3, 1, 16, 16))


def test_scattered_pixels_are_hidden_behind_neighbours_of_another_row() -> None:
    torch.manual_seed(1)
    x = torch.arange(40.0).view(1, 1, 40, 1).expand(1, 1, 40, 40).contiguous()  # a pixel is its row
    hidden, asked = hide_scattered(x, 0.05, 11, 5)
    changed = hidden != x
    assert 0.03 < asked.mean() < 0.07
    assert changed[asked > 0].float().mean() > 0.99
    assert changed.sum() > 3 * asked.sum()  # the row neighbours too
    assert (hidden - x).abs().max() <= 5


def test_the_grid_hides_one_phase_behind_the_mean_of_its_neighbours() -> None:
    x = torch.rand(1, 1, 8, 8)
    hidden, asked = hide_grid(x, 4, 5)
    assert asked[0, 0].nonzero().tolist() == [[1, 1], [1, 5], [5, 1], [5, 5]]
    a = x[0, 0, 0:3, 0:3]
    expected = (0.5 * (a[0, 0] + a[0, 2] + a[2, 0] + a[2, 2]) + a[0, 1] + a[1, 0] + a[1, 2] + a[2, 1]) / 6
    assert hidden[0, 0, 1, 1].item() == pytest.approx(expected.item())


def test_a_blind_spot_s_segmenter_does_not_move_its_enhancer() -> None:
    torch.manual_seed(0)
    method: BlindSpot = BlindSpotConfig(NETWORK).build()
    terms = method.losses(stream(2).batch_at(0))
    enhancer = list(method.network.enhancer.parameters())  # type: ignore[union-attr]
    found = torch.autograd.grad(terms["segmentation"], enhancer, allow_unused=True)
    assert all(gradient is None for gradient in found)


def test_methods_refuse_networks_that_lack_a_half() -> None:
    with pytest.raises(MedEnhanceError, match="needs an enhancer"):
        DaGanObjectiveConfig(SpineConfig(None, FPN))
    with pytest.raises(MedEnhanceError, match="no enhancer"):
        SegmentationConfig(NETWORK)


def test_da_gan_learns_to_fill_dashes(tmp_path: Path) -> None:
    network = SpineConfig(DaGanConfig(widths=(16,)), FPN)
    config = DaGanObjectiveConfig(
        network, CRITIC, start="identity", twin_weight=20.0, segment_patches=False,
        network_optimizer=OptimizerConfig(lr=5e-3), critic_optimizer=OptimizerConfig(lr=1e-3),
    )  # fmt: skip
    loop = LoopConfig(samples=320, batch_size=4, ema_half_life_samples=16.0, log_every_samples=64)
    run = fit(RunConfig("tiny-spine", config, TinySpineData(), loop, run=tmp_path / "run", threads=1))
    batch = stream(8, seed=9).batch_at(0)
    output = config.build().restore(load_published(run)[1], batch["image"])
    before = (batch["image"] - batch["image_twin"]).abs().mean()
    assert (output[:, :1] - batch["image_twin"]).abs().mean() < 0.5 * before


def test_a_segmenter_learns_to_find_bones(tmp_path: Path) -> None:
    fpn = replace(FPN, stem=8, widths=(8, 16), pyramid=16, head=16, dropout=0.0)
    config = SegmentationConfig(SpineConfig(None, fpn), optimizer=OptimizerConfig(lr=1e-2))
    loop = LoopConfig(samples=480, batch_size=4, ema_half_life_samples=16.0, log_every_samples=64)
    data = TinySpineData(crop=(96, 96))
    run = fit(RunConfig("tiny-fpn", config, data, loop, run=tmp_path / "run", threads=1))
    batch = stream(8, seed=9, crop=(96, 96)).batch_at(0)
    found = config.build().restore(load_published(run)[1], batch["image"])[:, 1:].argmax(dim=1)
    assert (found > 0)[batch["labels"] > 0].float().mean() > 0.6
    assert (found > 0)[batch["labels"] == 0].float().mean() < 0.1
