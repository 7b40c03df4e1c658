"""SMART-Net's objectives: which losses, when a module learns, what is taken over."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from tiny_head import TinyHeadData, scan_stream, slice_stream, tiny_head_network
from tiny_runs import state_of
from torch import nn

from medenhance.errors import MedEnhanceError
from medenhance.networks.smart_net import PAPER, RELEASE_2022, RELEASE_2024, SmartNet
from medenhance.networks.smart_net_scan import SmartNetScanConfig
from medenhance_training.commands.fit import fit
from medenhance_training.config import LoopConfig, RunConfig
from medenhance_training.data.head_variants import HeadVariants
from medenhance_training.head_losses import batch_dice, consistency
from medenhance_training.objectives.objective import StepContext
from medenhance_training.objectives.smart_net import SmartNetObjectiveConfig
from medenhance_training.objectives.smart_net_scan import ScanObjectiveConfig
from medenhance_training.optimizer import OptimizerConfig, build_optimizer, set_learning_rate
from medenhance_training.recipes import recipe
from medenhance_training.recipes.smart_net import COMBINATIONS
from medenhance_training.transfer import transfer
from medenhance_training.unfreezing import Unfreeze, frozen_prefixes, gradient_of_learning

SCAN = tiny_head_network(SmartNetScanConfig())
ALONE = StepContext(lambda tensors: tensors, torch.Generator())


def upstream(config: SmartNetObjectiveConfig) -> Any:
    torch.manual_seed(0)
    return replace(config, network=tiny_head_network(config.network)).build()


# Upstream


@pytest.mark.parametrize("name", COMBINATIONS)
@pytest.mark.parametrize("suffix", ["", "-compact"])
def test_each_row_of_table_7_has_its_losses(name: str, suffix: str) -> None:
    config = recipe(name + suffix)
    neighbours = config.objective.network.input.neighbours
    terms = upstream(config.objective).losses(slice_stream(2, neighbours=neighbours).batch_at(0))
    row = COMBINATIONS[name]
    assert set(terms) == {*row.heads, *(["consistency"] if row.consistent else [])}
    assert all(torch.isfinite(term) for term in terms.values())


def preset(name: str) -> tuple[Any, dict[str, torch.Tensor], dict[str, torch.Tensor]]:
    objective = upstream(recipe(name).objective)
    objective.network.eval()  # dropout would draw anew in each pass
    batch = slice_stream(4, sampling="even").batch_at(0)
    return objective, batch, objective.losses(batch)


@pytest.mark.parametrize(
    ("name", "bce", "weight", "pooling", "of_logits"),
    [
        ("smart-net", False, 1.0, "max-avg", False),
        ("smart-net-release2022", True, 0.5, "max-avg", False),
        ("smart-net-release2024", False, 1.0, "gem", True),
    ],
)
def test_presets_have_the_losses_of_paper_and_code(
    name: str, bce: bool, weight: float, pooling: Any, of_logits: bool
) -> None:
    objective, batch, terms = preset(name)
    found = objective.network.pretexts(batch["slices"])
    dice = batch_dice(found.mask_logits, batch["share"])
    entropy = F.binary_cross_entropy_with_logits(found.mask_logits, batch["share"])
    apart = consistency(found.logit, found.mask_logits, pooling, of_logits=of_logits)
    expected = {
        "cls": F.binary_cross_entropy_with_logits(found.logit, batch["has_blood"]),
        "seg": dice + entropy if bce else dice,
        "rec": (found.image - found.target).abs().mean(),
        "consistency": weight * apart,
    }
    for key, value in expected.items():
        assert terms[key].item() == pytest.approx(value.item(), rel=1e-5), key


def test_presets_start_from_the_published_networks() -> None:
    names = ("smart-net", "smart-net-release2022", "smart-net-release2024")
    assert [recipe(name).objective.network for name in names] == [PAPER, RELEASE_2022, RELEASE_2024]
    assert [recipe(name).objective.skip_empty for name in names] == [True, True, False]
    optimizers = [recipe(name).objective.optimizer for name in names]
    assert [(one.kind, one.lr, one.weight_decay, one.betas) for one in optimizers] == [
        ("adam", 1e-4, 5e-4, (0.9, 0.999)),
        ("adam", 5e-4, 5e-4, (0.9, 0.999)),
        ("adam", 5e-4, 5e-4, (0.9, 0.999)),
    ]


def test_xavier_is_drawn_as_the_paper_says() -> None:
    weight = upstream(SmartNetObjectiveConfig()).network.encoder.layer4[0].conv2.weight
    bound = (6 / (2 * weight.shape[0] * 9)) ** 0.5
    assert weight.abs().max().item() <= bound
    assert weight.std().item() == pytest.approx(bound / 3**0.5, rel=0.05)


def test_rec_restores_the_whole_slice_from_the_spoiled_one() -> None:
    config = recipe("models-genesis")
    objective = upstream(config.objective)
    batch = slice_stream(2, spoil=config.data.spoil).batch_at(0)
    objective.network.eval()
    (term,) = objective.losses(batch).values()
    found = objective.network.pretexts(batch["slices"], batch["whole"])
    assert term.item() == pytest.approx((found.image - found.target).square().mean().item(), rel=1e-5)
    unspoiled = objective.network.pretexts(batch["slices"])
    assert not torch.equal(found.target, unspoiled.target)


def test_consistency_without_its_heads_is_refused() -> None:
    with pytest.raises(MedEnhanceError, match="cls and seg"):
        SmartNetObjectiveConfig(replace(PAPER, heads=("cls", "rec")))


def test_a_tiny_upstream_network_learns_where_the_blood_is() -> None:
    torch.manual_seed(0)
    config = recipe("smart-net-compact").objective
    small = tiny_head_network(config.network)
    network = replace(
        small,
        encoder=replace(small.encoder, width=8),
        segmentation=replace(small.segmentation, widths=(8, 8, 8, 8, 8)),
    )
    objective = replace(config, network=network).build()
    optimizer = torch.optim.Adam(objective.network.parameters(), lr=3e-3)
    stream = slice_stream(8, neighbours=1, sampling="even", variants=HeadVariants(share=0.0))
    for step in range(45):
        loss = torch.stack(list(objective.losses(stream.batch_at(8 * step)).values())).sum()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    objective.network.eval()
    batch = stream.batch_at(0)
    found = objective.network.pretexts(batch["slices"])
    assert found.logit is not None
    assert found.mask_logits is not None
    assert ((found.logit > 0) == (batch["has_blood"] > 0)).float().mean() > 0.8
    blood = batch["share"] > 0
    assert found.mask_logits[blood].mean() - found.mask_logits[~blood].mean() > 1.5


# Unfreezing

SCHEDULE = (Unfreeze(20, "encoder.layer4"), Unfreeze(30, "encoder.layer3"), Unfreeze(40, "encoder.conv1"))


@pytest.mark.parametrize(
    ("seen", "frozen"),
    [
        (0, ("encoder.layer4", "encoder.layer3", "encoder.conv1")),
        (19, ("encoder.layer4", "encoder.layer3", "encoder.conv1")),
        (20, ("encoder.layer3", "encoder.conv1")),
        (39, ("encoder.conv1",)),
        (40, ()),
    ],
)
def test_modules_follow_one_after_the_other(seen: int, frozen: tuple[str, ...]) -> None:
    assert frozen_prefixes(SCHEDULE, seen) == frozen


def test_the_paper_s_schedule_opens_the_encoder_from_the_top() -> None:
    schedule = recipe("smart-net-scan").objective.unfreezing
    epochs = {step.prefix: step.after_samples / 1469 for step in schedule}
    assert epochs == {
        "encoder.layer4": 100, "encoder.layer3": 110, "encoder.layer2": 120, "encoder.layer1": 130,
        "encoder.conv1": 140, "encoder.bn1": 140,
    }  # fmt: skip


def test_what_is_frozen_neither_learns_nor_counts_statistics_and_the_rest_does() -> None:
    torch.manual_seed(0)
    objective = ScanObjectiveConfig(SCAN, unfreezing=SCHEDULE).build()
    network = objective.network.train()
    before = {name: value.clone() for name, value in network.state_dict().items()}
    terms = objective.losses(scan_stream(2).batch_at(0))
    parameters = list(network.named_parameters())
    for (_, parameter), gradient in zip(parameters, gradient_of_learning(terms, parameters, ALONE), strict=True):
        if gradient is not None:
            parameter.data.sub_(gradient)
    changed = {name for name, value in network.state_dict().items() if not torch.equal(value, before[name])}
    frozen = ("encoder.layer4.", "encoder.layer3.", "encoder.conv1.")
    assert not [name for name in changed if name.startswith(frozen)]
    assert {"encoder.layer2.0.conv1.weight", "encoder.bn1.running_mean", "classifier.last.weight"} <= changed
    assert all(p.requires_grad != name.startswith(frozen) for name, p in parameters)


def test_a_prefix_that_the_network_does_not_have_is_refused() -> None:
    with pytest.raises(MedEnhanceError, match=r"encoder\.layer9"):
        ScanObjectiveConfig(SCAN, unfreezing=(Unfreeze(1, "encoder.layer9"),)).build()


def test_a_run_unfreezes_while_it_goes_on(tmp_path: Path) -> None:
    weights = {}
    for samples in (4, 8):
        objective = ScanObjectiveConfig(SCAN, unfreezing=(Unfreeze(4, "encoder"),), optimizer=OptimizerConfig(lr=1e-2))
        loop = LoopConfig(samples=samples, batch_size=2, ema_half_life_samples=0.0)
        run = tmp_path / str(samples)
        fit(RunConfig("tiny", objective, TinyHeadData("scan"), loop, run=run, threads=1))
        weights[samples] = state_of(run)
    start = ScanObjectiveConfig(SCAN).build().network.state_dict()
    name = "encoder.layer1.0.conv1.weight"
    key = next(key for key in weights[4] if key.endswith(name) and "ema" not in key and "networks" in key)
    assert weights[4][key].shape == start[name].shape
    assert not torch.equal(weights[4][key], weights[8][key])
    statistics = key.replace("conv1.weight", "bn1.running_mean")
    assert not weights[4][statistics].any()  # as it began
    assert weights[8][statistics].any()


def test_named_parameters_get_their_share_of_the_learning_rate() -> None:
    network = nn.ModuleDict({"encoder": nn.Linear(2, 2), "head": nn.Linear(2, 1)})
    config = OptimizerConfig(lr=0.5, ratios=(("encoder.w", 0.1), ("encoder", 0.2)))
    optimizer = build_optimizer(config, network)
    set_learning_rate(optimizer, config, 10**6, 10**6)
    floor = config.schedule.floor
    assert [group["lr"] for group in optimizer.param_groups] == pytest.approx([0.05 * floor, 0.1 * floor, 0.5 * floor])
    assert [len(group["params"]) for group in optimizer.param_groups] == [1, 1, 2]


# Scans


def test_padding_counts_in_no_loss() -> None:
    torch.manual_seed(0)
    objective = ScanObjectiveConfig(SCAN, slice_weight=1.0).build()
    objective.network.eval()
    batch = scan_stream(4).batch_at(0)
    before = objective.losses(batch)
    longer = {
        name: F.pad(batch[name], [0, 0] * (batch[name].dim() - 2) + [0, 3], value=1.0)
        for name in ("share", "has_blood", "slices")
    }
    after = objective.losses({**batch, **longer})
    for name, term in before.items():
        assert after[name].item() == pytest.approx(term.item(), rel=1e-4), name


@pytest.mark.parametrize(
    ("name", "losses"),
    [
        ("smart-net-scan", {"scan", "mask"}),
        ("smart-net-scan-cls", {"scan"}),
        ("smart-net-scan-seg", {"mask"}),
        ("smart-net-scan-compact", {"scan", "slice", "mask"}),
        ("patel-2019a", {"mask"}),
        ("patel-2019b", {"scan"}),
        ("patel-2019b-simple", {"scan"}),
        ("singh-2020", {"scan"}),
    ],
)
def test_recipes_learn_what_their_networks_say(name: str, losses: set[str]) -> None:
    config = recipe(name).objective
    objective = replace(config, network=tiny_head_network(config.network), unfreezing=()).build()
    assert set(objective.losses(scan_stream(2).batch_at(0))) == losses


# Taking over


@pytest.fixture(scope="module")
def upstream_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    config = recipe("smart-net-compact")
    objective = replace(config.objective, network=tiny_head_network(config.objective.network))
    run = tmp_path_factory.mktemp("runs") / "up"
    loop = LoopConfig(samples=2, batch_size=2, ema_half_life_samples=0.0)
    data = TinyHeadData.like(config.data)
    return fit(RunConfig("up", objective, data, loop, run=run, threads=1))


def test_the_parts_asked_for_are_taken_from_a_run(upstream_run: Path) -> None:
    config = recipe("smart-net-scan-compact").objective
    built = replace(config, network=tiny_head_network(config.network), encoder_from=upstream_run, unfreezing=()).build()
    state, there = built.network.state_dict(), state_of(upstream_run)
    for here, name in (
        ("encoder.layer1.0.conv1.weight", "encoder.layer1.0.conv1.weight"),
        ("decoder.blocks.0.first.0.weight", "seg.decoder.blocks.0.first.0.weight"),
        ("slice_head.last.weight", "cls.last.weight"),
    ):
        key = next(key for key in there if key.startswith("/ema") and key.endswith(name))
        assert torch.equal(state[here], there[key]), here


def test_the_paper_takes_the_encoder_alone(upstream_run: Path) -> None:
    config = recipe("smart-net-pretext-compact").objective
    config = replace(config, network=tiny_head_network(config.network), unfreezing=())
    torch.manual_seed(0)
    fresh = config.build().network.state_dict()
    torch.manual_seed(0)
    taken = replace(config, encoder_from=upstream_run).build().network.state_dict()
    changed = {name.split(".")[0] for name, value in taken.items() if not torch.equal(value, fresh[name])}
    assert changed == {"encoder"}


def test_what_does_not_fit_is_refused(upstream_run: Path) -> None:
    wider = replace(SCAN, encoder=replace(SCAN.encoder, width=8))
    with pytest.raises(MedEnhanceError, match="another shape"):
        ScanObjectiveConfig(wider, encoder_from=upstream_run).build()
    classifier = replace(SCAN, targets=("cls",))
    with pytest.raises(MedEnhanceError, match="decoder"):
        ScanObjectiveConfig(classifier, encoder_from=upstream_run, take=("decoder",), mask_weight=0.0).build()


def test_imagenet_weights_are_taken_from_a_file_of_the_user(tmp_path: Path) -> None:
    torch.manual_seed(5)
    coloured = SmartNet(tiny_head_network(PAPER)).encoder.state_dict()
    coloured["conv1.weight"] = torch.rand(4, 3, 7, 7)
    torch.save({**coloured, "fc.weight": torch.zeros(2, 2)}, tmp_path / "resnet50.pth")
    network = ScanObjectiveConfig(SCAN).build().network
    transfer(network, tmp_path / "resnet50.pth", ("encoder",))
    assert torch.allclose(network.encoder.conv1.weight, coloured["conv1.weight"].sum(dim=1, keepdim=True))
    assert torch.equal(network.encoder.layer4[0].conv1.weight, coloured["layer4.0.conv1.weight"])
