"""Recipes: every one builds and learns a step; the published numbers stand in them."""

from __future__ import annotations

import inspect
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from tiny_data import SyntheticData
from tiny_head import TinyHeadData, tiny_head_network
from tiny_runs import state_of
from tiny_spine import TinySpineData

from medenhance.errors import MedEnhanceError
from medenhance.intensity import Window
from medenhance.networks import parse_config
from medenhance.networks.dagan import DaGanConfig
from medenhance.networks.fpn import FpnConfig
from medenhance.networks.resnet_generator import ResnetGeneratorConfig
from medenhance.networks.spine import SpineConfig, SpineNetwork
from medenhance_training.commands.fit import fit
from medenhance_training.config import RunConfig
from medenhance_training.data.head_source import HeadData
from medenhance_training.data.spine_source import SpineData
from medenhance_training.objectives.mtd_gan import MtdGanObjectiveConfig
from medenhance_training.recipes import RECIPES, recipe
from medenhance_training.recipes.smart_net import COMBINATIONS
from medenhance_training.run_record import to_plain
from medenhance_training.schedule import learning_rate_factor

MTD_GAN = sorted(name for name in RECIPES if name.startswith("mtd-gan"))
ABLATIONS = [f"mtd-gan-ablation-{step}" for step in "abcdefg"]


def tiny(config: RunConfig, run: Path) -> RunConfig:
    """The recipe with few channels, two samples and made-up data; all else stays."""
    objective: Any = config.objective
    if isinstance(config.data, SpineData):
        return tiny_spine(config, run)
    if isinstance(config.data, HeadData):
        return tiny_head(config, run)
    if isinstance(objective, MtdGanObjectiveConfig):
        generator = replace(objective.generator, channels=2)
        objective = replace(objective, generator=generator, critic=replace(objective.critic, channels=2))
    else:
        objective = replace(objective, network=replace(objective.network, channels=2))
    loop = replace(config.loop, samples=2, batch_size=2)
    return replace(config, objective=objective, loop=loop, data=SyntheticData(64), run=run, threads=1)


def tiny_spine(config: RunConfig, run: Path) -> RunConfig:
    """The recipe with few channels, four samples and made-up projections."""
    objective: Any = config.objective
    changes: dict[str, Any] = {"network": tiny_network(objective.network)}
    if hasattr(objective, "critic"):
        changes["critic"] = replace(objective.critic, widths=objective.critic.widths[:2], patch=32)
    if hasattr(objective, "back"):
        changes["back"] = ResnetGeneratorConfig(2, 1)
    loop = replace(config.loop, samples=4, batch_size=4)
    objective = replace(objective, **changes)
    return replace(config, objective=objective, loop=loop, data=TinySpineData(), run=run, threads=1)


def tiny_head(config: RunConfig, run: Path) -> RunConfig:
    """The recipe with few channels, two samples and made-up scans."""
    objective: Any = replace(config.objective, network=tiny_head_network(config.objective.network))
    loop = replace(config.loop, samples=2, batch_size=2)
    return replace(config, objective=objective, loop=loop, data=TinyHeadData.like(config.data), run=run, threads=1)


def tiny_network(network: SpineConfig) -> SpineConfig:
    enhancer, segmenter = network.enhancer, network.segmenter
    if isinstance(enhancer, DaGanConfig):
        enhancer = replace(enhancer, widths=(4, 4))
    elif enhancer is not None:
        enhancer = ResnetGeneratorConfig(2, 1)
    if isinstance(segmenter, FpnConfig):
        segmenter = replace(
            segmenter, stem=4, widths=(4, 8), blocks=(1, 1), pyramid=4, head=4, reduce=1.0, block="basic"
        )
    elif segmenter is not None:
        segmenter = replace(segmenter, channels=4, levels=3, reduce=1.0, pyramid_bins=segmenter.pyramid_bins[:2])
    return SpineConfig(enhancer, segmenter)


@pytest.mark.parametrize("name", RECIPES)
def test_recipe_learns_a_step(name: str, tmp_path: Path) -> None:
    fit(tiny(recipe(name), tmp_path / "run"))
    assert int(state_of(tmp_path / "run")["/samples_seen"]) in (2, 4)


@pytest.mark.parametrize("name", RECIPES)
def test_recipe_names_itself_says_what_it_is_and_can_be_recorded(name: str) -> None:
    config = recipe(name)
    assert config.recipe == name
    assert (inspect.getdoc(RECIPES[name]) or "").endswith(".")
    assert json.loads(json.dumps(to_plain(config)))["recipe"] == name


@pytest.mark.parametrize("name", RECIPES)
def test_recipe_publishes_a_network_that_inference_can_read(name: str) -> None:
    config = tiny(recipe(name), Path("unused"))
    published = config.objective.build().published
    parse_config(published.network, published.config)


def test_an_unknown_recipe_lists_the_known_ones() -> None:
    with pytest.raises(MedEnhanceError, match=r"no recipe 'redcn'.*redcnn, redcnn-compact.*mtd-gan-compact"):
        recipe("redcn")


def test_redcnn_is_the_paper_s() -> None:
    objective = recipe("redcnn").objective
    network = objective.network
    assert (network.channels, network.kernel, network.depth, network.padding) == (96, 5, 5, "valid")
    assert (objective.loss, objective.optimizer.kind, objective.optimizer.lr) == ("mse", "adam", 1e-4)
    assert recipe("redcnn").data.patch == 55


PUBLISHED = ["redcnn", *(name for name in MTD_GAN if "compact" not in name)]


@pytest.mark.parametrize("name", PUBLISHED)
def test_published_methods_train_on_a_quarter_of_the_dose(name: str) -> None:
    doses = recipe(name).data.doses
    assert (doses.low, doses.high, doses.clean_share, doses.noisy_normal_share) == (0.25, 0.25, 0.0, 0.0)


def test_official_mtd_gan_has_the_released_numbers() -> None:
    config = recipe("mtd-gan-official")
    objective = config.objective
    assert objective.generator.spectral == "global"
    assert objective.generator.identity_path
    assert (objective.critic.channels, objective.critic.dropout) == (64, 0.3)
    assert (objective.charbonnier_weight, objective.edge_weight) == (50.0, 50.0)
    assert (objective.suppress, objective.consistency, objective.train_classifier) == ("pixels", "released", False)
    for optimizer in (objective.generator_optimizer, objective.critic_optimizer):
        assert (optimizer.kind, optimizer.lr, optimizer.weight_decay) == ("adamw", 1e-4, 5e-4)
        assert optimizer.betas == (0.9, 0.999)
    assert config.loop.batch_size == 160
    assert config.loop.samples == 500 * 6054 * 8
    augment = config.data.augment
    assert (augment.turn_share, augment.flip_share, augment.tilt_share, augment.tilt_deg) == (0.1, 0.1, 0.1, 15.0)


def test_official_mtd_gan_starts_with_two_epochs_at_rate_zero_and_the_mended_one_does_not() -> None:
    epoch = 6054 * 8
    rates = {}
    for name in ("mtd-gan-official", "mtd-gan"):
        config = recipe(name)
        schedule = config.objective.generator_optimizer.schedule
        positions = (0, epoch, 2 * epoch, 60 * epoch, 499 * epoch)
        rates[name] = [learning_rate_factor(schedule, seen, config.loop.samples) for seen in positions]
    assert rates["mtd-gan-official"] == pytest.approx([0.0, 0.0, 0.1, 1 - 9 / 450, 1 - 448 / 450])
    assert rates["mtd-gan"][0] > 0.0
    assert rates["mtd-gan"][1:3] == pytest.approx([0.1, 0.2], rel=1e-4)
    assert rates["mtd-gan"][-1] >= 0.01


def test_mended_mtd_gan_trains_every_layer_and_does_not_depend_on_the_image_s_size() -> None:
    objective = recipe("mtd-gan").objective
    assert objective.train_classifier
    assert objective.suppress == "mask"
    assert objective.generator.spectral == "window"
    assert not objective.dropout_against_generator


def test_thesis_recipes_differ_in_their_window_alone() -> None:
    brain, abdomen = recipe("mtd-gan-thesis-brain"), recipe("mtd-gan-thesis-abdomen")
    assert (brain.objective.intensity.lo_hu, brain.objective.intensity.hi_hu) == (0.0, 80.0)
    assert (abdomen.objective.intensity.lo_hu, abdomen.objective.intensity.hi_hu) == (-160.0, 240.0)
    assert replace(brain.objective, intensity=Window()) == replace(abdomen.objective, intensity=Window())
    assert brain.objective.generator_optimizer.betas == (0.9, 0.99)
    assert brain.objective.start == "xavier-uniform"
    assert brain.loop.window_hu == (0.0, 80.0)


def test_ablations_add_one_thing_a_row() -> None:
    rows = []
    for name in ABLATIONS:
        objective = recipe(name).objective
        rows.append(
            (
                objective.critic.segmentation,
                objective.critic.reconstruction,
                objective.suppress == "pixels",
                objective.consistency == "thesis",
                objective.generator.spectral == "global",
                objective.pcgrad,
            )
        )
    assert rows == [tuple(column < row for column in range(6)) for row in range(7)]


def test_ablations_run_for_200_epochs_in_the_brain_window() -> None:
    for name in ABLATIONS:
        config = recipe(name)
        assert config.loop.samples == 200 * 6054 * 8
        assert config.objective.intensity.hi_hu == 80.0


SPINE = sorted(name for name in RECIPES if isinstance(recipe(name).data, SpineData))


def weights_of(name: str) -> int:
    network = recipe(name).objective.network
    with torch.device("meta"):
        return sum(parameter.numel() for parameter in SpineNetwork(network).parameters())


def test_da_gan_is_the_paper_s() -> None:
    config = recipe("da-gan")
    objective, optimizer = config.objective, config.objective.network_optimizer
    assert objective.network.enhancer == DaGanConfig(widths=(64, 128, 256), attention=True)
    assert (objective.dual, objective.twin_weight, objective.segment_patches) == ("two", 0.0, True)
    assert (objective.segmentation_weight, objective.reconstruction_weight) == (0.5, 0.01)
    assert (optimizer.kind, optimizer.lr, optimizer.schedule.kind, optimizer.schedule.floor) == (
        "adam",
        1e-4,
        "cosine",
        0.01,
    )
    assert (config.data.patch, config.loop.batch_size) == (96, 16)
    assert (config.data.splitting.corrupted_from, config.data.splitting.clean_up_to) == (4.0, 2.0)


def test_tmi2022_differs_where_the_later_code_does() -> None:
    config = recipe("da-gan-tmi2022")
    assert config.objective.dual == "one"
    assert config.objective.critic.head == "dense"
    assert config.objective.network.enhancer.residual == "relu"
    assert config.data.patch == config.objective.critic.patch == 128


def test_ablations_of_da_gan_change_one_thing() -> None:
    for prefix in ("da-gan", "da-gan-compact"):
        whole = recipe(prefix).objective
        without = recipe(f"{prefix}-no-attention").objective
        assert not without.network.enhancer.attention
        assert not without.critic.attention
        assert replace(whole, dual="off") == recipe(f"{prefix}-no-dual").objective


@pytest.mark.parametrize("prefix", [("da-gan", "spine-fpn"), ("da-gan-compact", "spine-fpn-compact")])
def test_segmentation_alone_has_at_least_as_many_weights(prefix: tuple[str, str]) -> None:
    ours, vanilla = prefix
    assert weights_of(ours) <= weights_of(vanilla) < 1.1 * weights_of(ours)


def test_every_row_of_the_paper_s_table_has_a_recipe_and_a_compact_one() -> None:
    rows = ("cycle", "n2s", "n2v", "structn2v", "fpn", "unet", "rsnu", "wavect", "ppmu")
    assert {f"spine-{row}{end}" for row in rows for end in ("", "-compact")} <= set(SPINE)


def test_compact_recipes_train_on_the_same_crops() -> None:
    compact = [recipe(name) for name in SPINE if name.endswith("compact") or "compact-" in name]
    assert len({(config.loop.samples, config.data.crop, config.data.crop_every) for config in compact}) == 1
    assert {config.data.clean for config in compact} == {False, True}


def test_smart_net_has_the_thesis_s_numbers() -> None:
    config = recipe("smart-net")
    assert (config.objective.segmentation, config.objective.pooling) == ("dice", "max-avg")
    assert config.loop.samples == 1000 * 1469
    optimizer = config.objective.optimizer
    assert (optimizer.kind, optimizer.lr, optimizer.weight_decay, optimizer.betas) == ("adam", 1e-4, 5e-4, (0.9, 0.999))
    rates = [learning_rate_factor(optimizer.schedule, epoch * 1469, config.loop.samples) for epoch in (0, 1, 4, 5, 999)]
    assert rates[:3] == pytest.approx([0.2, 0.4, 1.0])  # (e + 1) / 5, and not 0 in the first epoch as in the code
    assert rates[3] == pytest.approx(1.0)
    assert rates[4] == pytest.approx((1 - 994 / 995) ** 0.9)
    assert recipe("smart-net-scan").objective.optimizer.lr == 5e-6
    assert recipe("smart-net-scan").loop.samples == 500 * 1469


def test_the_shipped_scan_network_fits_its_upstream_one() -> None:
    upstream, scan = recipe("smart-net-compact").objective.network, recipe("smart-net-scan-compact").objective.network
    assert (upstream.input, upstream.encoder, upstream.segmentation) == (scan.input, scan.encoder, scan.decoder)
    assert upstream.pool == scan.pool
    learnt, fresh = recipe("smart-net-compact").data, recipe("smart-net-scan-compact").data
    assert learnt.first_scan + learnt.num_scans <= fresh.first_scan
    parameters = sum(p.numel() for p in recipe("smart-net-scan-compact").objective.build().network.parameters())
    assert parameters * 4 <= 12_000_000  # bytes of the whole chain, issue 5


@pytest.mark.parametrize("name", [*COMBINATIONS, "models-genesis"])
def test_every_compact_pretext_fits_the_network_downstream(name: str) -> None:
    upstream = recipe(f"{name}-compact").objective.network
    downstream = recipe("smart-net-pretext-compact").objective
    assert (upstream.input, upstream.encoder) == (downstream.network.input, downstream.network.encoder)
    # All but the encoder has random weights, and must not wait.
    assert {step.prefix.split(".")[0] for step in downstream.unfreezing} == {"encoder"}
