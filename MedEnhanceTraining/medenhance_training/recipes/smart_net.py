"""SMART-Net (papers/004 B): pretext combinations of Table 7, downstream task, compared methods, at their full size.

The thesis gives 1,000 epochs upstream and 500 downstream of 1,469 patients, Adam 1e-4 and 5e-6, 5 epochs of warm-up
and a polynomial decay; it does not give the batch ("as large as memory allows"), which is 20 in the code of 2022.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from medenhance.networks.patel2019a import Patel2019aConfig
from medenhance.networks.patel2019b import Patel2019bConfig
from medenhance.networks.singh2020 import Singh2020Config
from medenhance.networks.smart_net import PAPER, RELEASE_2022, RELEASE_2024, Pretext
from medenhance.networks.smart_net_encoder import EncoderConfig
from medenhance.networks.smart_net_heads import RECONSTRUCTION
from medenhance.networks.smart_net_scan import SmartNetScanConfig
from medenhance_training.config import LoopConfig, RunConfig
from medenhance_training.data.genesis import Genesis
from medenhance_training.data.head_source import HeadData
from medenhance_training.data.head_variants import HeadVariants
from medenhance_training.objectives.smart_net import SmartNetObjectiveConfig
from medenhance_training.objectives.smart_net_scan import ScanObjectiveConfig
from medenhance_training.optimizer import OptimizerConfig
from medenhance_training.schedule import ScheduleConfig
from medenhance_training.unfreezing import Unfreeze

ScanConfig = SmartNetScanConfig | Patel2019aConfig | Patel2019bConfig | Singh2020Config
PATIENTS = 1469
BATCH = 20
# Encoder stages from the top; the stem's two layers follow together.
STAGES = ("encoder.layer4", "encoder.layer3", "encoder.layer2", "encoder.layer1", "encoder.conv1", "encoder.bn1")


@dataclass(frozen=True)
class Combination:
    """One row of Table 7.

    Attributes:
        heads: Its pretext tasks.
        consistent: CLS and SEG are held together.
        words: What it is, for lists of recipes.
    """

    heads: tuple[Pretext, ...]
    consistent: bool
    words: str


COMBINATIONS: dict[str, Combination] = {
    "smart-net-cls": Combination(("cls",), False, "slice classification alone"),
    "smart-net-seg": Combination(("seg",), False, "slice segmentation alone"),
    "smart-net-rec": Combination(("rec",), False, "reconstruction alone, the paper's Autoencoder"),
    "smart-net-cls-seg": Combination(("cls", "seg"), False, "classification and segmentation"),
    "smart-net-cls-rec": Combination(("cls", "rec"), False, "classification and reconstruction"),
    "smart-net-seg-rec": Combination(("seg", "rec"), False, "segmentation and reconstruction"),
    "smart-net-cls-seg-consist": Combination(("cls", "seg"), True, "classification and segmentation held together"),
    "smart-net-triple": Combination(("cls", "seg", "rec"), False, "all three tasks"),
    "smart-net": Combination(("cls", "seg", "rec"), True, "all three tasks and consistency, SMART-Net itself"),
}


def smart_net_release2022() -> RunConfig:
    """SMART-Net upstream as in the code of 2022: Dice and cross-entropy, consistency 0.5, warm-up of 10 epochs."""
    objective = SmartNetObjectiveConfig(
        RELEASE_2022, segmentation="dice+bce", consistency_weight=0.5, optimizer=_paper_optimizer(5e-4, 10)
    )
    return _upstream("smart-net-release2022", objective)


def smart_net_release2024() -> RunConfig:
    """SMART-Net upstream as in the code of 2024: stem of stride 2, skips in REC, consistency of pooled logits."""
    objective = SmartNetObjectiveConfig(
        RELEASE_2024, skip_empty=False, pooling="gem", pool_logits=True, optimizer=_paper_optimizer(5e-4, 10)
    )
    config = _upstream("smart-net-release2024", objective)
    variants = HeadVariants(shift=0.1, scale=0.15, flip=True, offset_hu=4.0, contrast=0.05, noise_hu=0.6)
    loop = replace(config.loop, batch_size=72)
    return replace(config, data=replace(config.data, variants=variants), loop=loop)


def models_genesis() -> RunConfig:
    """Models Genesis, re-implemented from its paper: a spoiled slice is restored, with skips, by mean squared error."""
    decoder = replace(RECONSTRUCTION, skips=True)
    network = replace(PAPER, heads=("rec",), reconstruction=decoder)
    objective = SmartNetObjectiveConfig(
        network, reconstruction="mse", consistency_weight=0.0, optimizer=_paper_optimizer(1e-4)
    )
    config = _upstream("models-genesis", objective)
    return replace(config, data=replace(config.data, spoil=Genesis()))


def smart_net_scan() -> RunConfig:
    """SMART-Net downstream, classifier and segmenter on one encoder; name it with --objective.encoder-from."""
    return _downstream("smart-net-scan", SmartNetScanConfig(), _unfreezing())


def smart_net_scan_cls() -> RunConfig:
    """SMART-Net-CLS: the LSTM classifier alone."""
    config = _downstream("smart-net-scan-cls", SmartNetScanConfig(targets=("cls",)), _unfreezing())
    return replace(config, objective=replace(config.objective, mask_weight=0.0))


def smart_net_scan_seg() -> RunConfig:
    """SMART-Net-SEG: the Conv3D segmenter alone."""
    config = _downstream("smart-net-scan-seg", SmartNetScanConfig(targets=("seg",)), _unfreezing())
    return replace(config, objective=replace(config.objective, scan_weight=0.0))


def smart_net_scratch() -> RunConfig:
    """The paper's Scratch: downstream end to end from random weights."""
    return _downstream("smart-net-scratch", SmartNetScanConfig(), ())


def smart_net_imagenet() -> RunConfig:
    """The paper's ImageNet: name torchvision's ResNet-50 weights with --objective.encoder-from; stem of stride 2."""
    network = SmartNetScanConfig(encoder=EncoderConfig(stem_stride=2))
    return _downstream("smart-net-imagenet", network, _unfreezing())


def patel_2019a() -> RunConfig:
    """Patel 2019a: a 3D U-Net on whole scans."""
    config = _downstream("patel-2019a", Patel2019aConfig(), ())
    return segmenting(config)


def patel_2019b() -> RunConfig:
    """Patel 2019b, the full version: slice CNN and LSTM."""
    return classifying(_downstream("patel-2019b", Patel2019bConfig(), ()))


def patel_2019b_simple() -> RunConfig:
    """Patel 2019b, the simple version: the slice CNN alone, whose highest slice decides."""
    return classifying(_downstream("patel-2019b-simple", Patel2019bConfig(sequence=False), ()))


def singh_2020() -> RunConfig:
    """Singh 2020: a shallow 3D CNN on contrasted scans."""
    return classifying(_downstream("singh-2020", Singh2020Config(), ()))


def combination(name: str) -> RunConfig:
    """The upstream run of one row of Table 7, full size."""
    row = COMBINATIONS[name]
    objective = SmartNetObjectiveConfig(
        replace(PAPER, heads=row.heads),
        consistency_weight=1.0 if row.consistent else 0.0,
        optimizer=_paper_optimizer(1e-4),
    )
    return _upstream(name, objective)


def named_recipe(name: str, words: str, build: Callable[[str], RunConfig]) -> Callable[[], RunConfig]:
    """A recipe that builds the run of this name and says these words of itself."""

    def recipe() -> RunConfig:
        return build(name)

    recipe.__doc__ = words
    return recipe


RECIPES: dict[str, Callable[[], RunConfig]] = {
    **{
        name: named_recipe(name, f"SMART-Net upstream: {row.words}.", combination) for name, row in COMBINATIONS.items()
    },
    "smart-net-release2022": smart_net_release2022,
    "smart-net-release2024": smart_net_release2024,
    "models-genesis": models_genesis,
    "smart-net-scan": smart_net_scan,
    "smart-net-scan-cls": smart_net_scan_cls,
    "smart-net-scan-seg": smart_net_scan_seg,
    "smart-net-scratch": smart_net_scratch,
    "smart-net-imagenet": smart_net_imagenet,
    "patel-2019a": patel_2019a,
    "patel-2019b": patel_2019b,
    "patel-2019b-simple": patel_2019b_simple,
    "singh-2020": singh_2020,
}


def _upstream(name: str, objective: SmartNetObjectiveConfig) -> RunConfig:
    loop = LoopConfig(samples=1000 * PATIENTS, batch_size=BATCH, ema_half_life_samples=0.0)
    return RunConfig(name, objective, HeadData("slice", PATIENTS, seen=objective.network.input), loop)


def _downstream(name: str, network: ScanConfig, unfreezing: tuple[Unfreeze, ...]) -> RunConfig:
    objective = ScanObjectiveConfig(network, unfreezing=unfreezing, optimizer=_paper_optimizer(5e-6))
    loop = LoopConfig(samples=500 * PATIENTS, batch_size=4, ema_half_life_samples=0.0, log_every_samples=200)
    return RunConfig(name, objective, HeadData("scan", PATIENTS, seen=network.input), loop)


def _unfreezing() -> tuple[Unfreeze, ...]:
    """The encoder waits for 100 epochs, then a stage follows every 10 (specification, 1.5)."""
    epochs = (100, 110, 120, 130, 140, 140)
    return tuple(Unfreeze(epoch * PATIENTS, stage) for epoch, stage in zip(epochs, STAGES, strict=True))


def _paper_optimizer(lr: float, warmup_epochs: int = 5) -> OptimizerConfig:
    """Adam, betas 0.9 and 0.999, weight decay 5e-4 (papers/004 B, implementation details)."""
    schedule = ScheduleConfig(
        kind="polynomial", warmup_samples=warmup_epochs * PATIENTS, floor=0.0, epoch_samples=PATIENTS
    )
    return OptimizerConfig(kind="adam", lr=lr, weight_decay=5e-4, schedule=schedule)


def segmenting(config: RunConfig) -> RunConfig:
    """Of a network that has nothing but a mask."""
    return replace(config, objective=replace(config.objective, scan_weight=0.0, slice_weight=0.0))


def classifying(config: RunConfig) -> RunConfig:
    """Of a network that has no mask."""
    return replace(config, objective=replace(config.objective, mask_weight=0.0))
