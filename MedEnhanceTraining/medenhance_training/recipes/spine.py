"""DA-GAN (papers/001) and the methods that it is compared with, as published and in the compact shape that ships.

The paper gives 100 epochs of patches from 80 subjects and does not count the patches; the authors' later code names
80,000 steps of 16, which is taken here. "tmi2022" follows that code where it differs from the paper.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from medenhance.networks.dagan import DaGanConfig
from medenhance.networks.fpn import FpnConfig
from medenhance.networks.resnet_generator import ResnetGeneratorConfig
from medenhance.networks.spine import SpineConfig
from medenhance.networks.unet import UnetConfig
from medenhance_training.config import LoopConfig, RunConfig
from medenhance_training.data.spine.config import SpineConfig as SimulatorConfig
from medenhance_training.data.spine_patches import Splitting
from medenhance_training.data.spine_source import SpineData
from medenhance_training.data.spine_stream import SpineVariants
from medenhance_training.objectives.blind_spot import BlindSpotConfig
from medenhance_training.objectives.cycle import CycleConfig
from medenhance_training.objectives.da_gan import DaGanObjectiveConfig
from medenhance_training.objectives.segmentation import SegmentationConfig
from medenhance_training.optimizer import OptimizerConfig
from medenhance_training.patch_critics import PatchCriticConfig
from medenhance_training.schedule import ScheduleConfig

BATCH = 16
SAMPLES = 80_000 * BATCH
# Capacity of the vanilla FPN is at least that of DA-GAN with FPN (specification, section 2).
PAPER_FPN = FpnConfig(smooth=True)
WIDER_FPN = FpnConfig(pyramid=320, head=192, smooth=True)


def da_gan() -> RunConfig:
    """DA-GAN as in the paper: patches of 96 split at native scale, two critics, Adam 1e-4 to 1e-6."""
    objective = DaGanObjectiveConfig(
        SpineConfig(DaGanConfig(), PAPER_FPN),
        network_optimizer=_paper_optimizer(),
        critic_optimizer=_paper_optimizer(),
    )
    return _published("da-gan", objective, _data(patch=96))


def da_gan_tmi2022() -> RunConfig:
    """DA-GAN as in the authors' later code: one critic with a dense head, patches of 128, a change that brightens."""
    whole = da_gan()
    objective = replace(
        whole.objective,
        network=SpineConfig(
            DaGanConfig(attention=False, residual="relu"), FpnConfig(blocks=(3, 4, 23, 3), smooth=True)
        ),
        critic=PatchCriticConfig(widths=(64, 128, 256, 512), kernel=4, attention=False, head="dense"),
        dual="one",
        # A summed square of images of SD 1, weight 1e-4, in units of [0, 1].
        reconstruction_weight=1e-4 * (255.0 / 84.15) ** 2,
        network_every=3,
    )
    splitting = Splitting(clean_up_to=1.2, corrupted_from=1.8)
    return _published("da-gan-tmi2022", objective, replace(_data(patch=128), splitting=splitting))


def da_gan_no_attention() -> RunConfig:
    """The paper's ablation: no spatial attention, neither in the generator nor in the critics."""
    return replace(da_gan(), recipe="da-gan-no-attention", objective=_without_attention(da_gan().objective))


def da_gan_no_dual() -> RunConfig:
    """The paper's ablation: the critic of clean patches alone."""
    return replace(da_gan(), recipe="da-gan-no-dual", objective=replace(da_gan().objective, dual="off"))


def spine_fpn() -> RunConfig:
    """The paper's vanilla FPN: segmentation alone, as many weights as DA-GAN with FPN."""
    objective = SegmentationConfig(SpineConfig(None, WIDER_FPN), optimizer=_paper_optimizer())
    return _published("spine-fpn", objective, _crops())


def spine_unet() -> RunConfig:
    """The paper's U-Net: segmentation alone."""
    objective = SegmentationConfig(SpineConfig(None, UnetConfig()), optimizer=_paper_optimizer())
    return _published("spine-unet", objective, _crops())


def spine_rsnu() -> RunConfig:
    """RSNU: the U-Net with total variation; its weight is not published, 0.01 is the middle of what is swept."""
    config = spine_unet()
    return replace(config, recipe="spine-rsnu", objective=replace(config.objective, variation_weight=0.01))


def spine_ppmu() -> RunConfig:
    """PPMU: the U-Net with pyramid pooling, bins 1, 2, 3 and 6, in its deep skips."""
    objective = SegmentationConfig(
        SpineConfig(None, UnetConfig(pyramid_bins=(1, 2, 3, 6))), optimizer=_paper_optimizer()
    )
    return _published("spine-ppmu", objective, _crops())


def spine_wavect() -> RunConfig:
    """The segmenter of WaveCT: it learns on clean projections, whose style the benchmark gives to the others."""
    config = spine_fpn()
    return replace(config, recipe="spine-wavect", data=replace(config.data, clean=True))


def spine_n2v() -> RunConfig:
    """Noise2Void with the FPN on what it returns."""
    network = SpineConfig(DaGanConfig(attention=False), PAPER_FPN)
    return _published("spine-n2v", BlindSpotConfig(network, optimizer=_paper_optimizer()), _data(patch=96))


def spine_structn2v() -> RunConfig:
    """Noise2Void that hides 11 pixels of a row, since dashes lie along it."""
    config = spine_n2v()
    return replace(config, recipe="spine-structn2v", objective=replace(config.objective, row_span=11))


def spine_n2s() -> RunConfig:
    """Noise2Self with a grid of 4, and the FPN on what it returns."""
    config = spine_n2v()
    return replace(config, recipe="spine-n2s", objective=replace(config.objective, hide="grid"))


def spine_cycle() -> RunConfig:
    """CycleGAN with a segmenter, end to end: Adam 2e-4 (0.5, 0.999), linear decay in the second half."""
    schedule = ScheduleConfig(kind="linear", hold_samples=SAMPLES // 2, floor=0.0)
    optimizer = OptimizerConfig(kind="adam", lr=2e-4, betas=(0.5, 0.999), schedule=schedule)
    objective = CycleConfig(
        SpineConfig(ResnetGeneratorConfig(), PAPER_FPN),
        network_optimizer=optimizer,
        back_optimizer=optimizer,
        critic_optimizer=optimizer,
    )
    return _published("spine-cycle", objective, _data(patch=128))


COMPACT_ENHANCER = DaGanConfig(widths=(16, 32, 64), unshuffle=2)
COMPACT_FPN = FpnConfig(
    stem=24, widths=(32, 64, 96, 160), blocks=(2, 2, 2, 2), block="basic", pyramid=64, head=48, reduce=2.0
)
# The same, wider, so that segmentation alone has at least the weights of enhancer and segmenter together.
COMPACT_WIDER_FPN = replace(COMPACT_FPN, widths=(32, 64, 96, 168), head=56)
COMPACT_UNET = UnetConfig(channels=16, levels=5, reduce=4.0)
_COMPACT_CRITIC = PatchCriticConfig(widths=(16, 32, 64))
COMPACT_SAMPLES = 4_800
# The paper's 80 subjects; some of their processes lie off their level, so that a network looks where they are.
_SUBJECTS, _STRAYS = 80, SimulatorConfig(stray_share=0.15)


def da_gan_compact() -> RunConfig:
    """The enhancer and segmenter that ship: few channels on folded pixels.

    The clean twin, which only simulated projections have, takes the place of the paper's reconstruction loss: that one
    pulls every dash back to black, five times as hard at a dash as the twin pulls it up.
    """
    return _compact("da-gan-compact", replace(_compact_objective(), twin_weight=20.0, reconstruction_weight=0.0))


def da_gan_compact_unpaired() -> RunConfig:
    """`da_gan_compact` with the paper's losses alone: no clean twin is used."""
    return _compact("da-gan-compact-unpaired", _compact_objective())


def da_gan_compact_no_attention() -> RunConfig:
    """Ablation of `da_gan_compact`: no spatial attention."""
    config = da_gan_compact()
    return replace(config, recipe="da-gan-compact-no-attention", objective=_without_attention(config.objective))


def da_gan_compact_no_dual() -> RunConfig:
    """Ablation of `da_gan_compact`: the critic of clean patches alone."""
    config = da_gan_compact()
    return replace(config, recipe="da-gan-compact-no-dual", objective=replace(config.objective, dual="off"))


def spine_fpn_compact() -> RunConfig:
    """The compact FPN alone, on as many crops and with as many weights as `da_gan_compact`."""
    objective = SegmentationConfig(SpineConfig(None, COMPACT_WIDER_FPN), optimizer=_compact_optimizer(2e-3))
    return _compact("spine-fpn-compact", objective, with_patches=False)


def spine_unet_compact() -> RunConfig:
    """A compact U-Net alone."""
    objective = SegmentationConfig(SpineConfig(None, COMPACT_UNET), optimizer=_compact_optimizer(2e-3))
    return _compact("spine-unet-compact", objective, with_patches=False)


def spine_rsnu_compact() -> RunConfig:
    """RSNU with the compact U-Net."""
    config = spine_unet_compact()
    return replace(config, recipe="spine-rsnu-compact", objective=replace(config.objective, variation_weight=0.01))


def spine_ppmu_compact() -> RunConfig:
    """PPMU with the compact U-Net."""
    network = SpineConfig(None, replace(COMPACT_UNET, pyramid_bins=(1, 2, 3, 6)))
    objective = SegmentationConfig(network, optimizer=_compact_optimizer(2e-3))
    return _compact("spine-ppmu-compact", objective, with_patches=False)


def spine_wavect_compact() -> RunConfig:
    """The compact FPN on clean projections, for WaveCT."""
    config = spine_fpn_compact()
    return replace(config, recipe="spine-wavect-compact", data=replace(config.data, clean=True))


def spine_n2v_compact() -> RunConfig:
    """Noise2Void with the compact networks."""
    network = SpineConfig(replace(COMPACT_ENHANCER, attention=False), COMPACT_FPN)
    return _compact("spine-n2v-compact", BlindSpotConfig(network, optimizer=_compact_optimizer(2e-3)))


def spine_structn2v_compact() -> RunConfig:
    """Structured Noise2Void with the compact networks."""
    config = spine_n2v_compact()
    return replace(config, recipe="spine-structn2v-compact", objective=replace(config.objective, row_span=11))


def spine_n2s_compact() -> RunConfig:
    """Noise2Self with the compact networks."""
    config = spine_n2v_compact()
    return replace(config, recipe="spine-n2s-compact", objective=replace(config.objective, hide="grid"))


def spine_cycle_compact() -> RunConfig:
    """CycleGAN with the compact segmenter."""
    generator = ResnetGeneratorConfig(channels=8, residual_blocks=3)
    objective = CycleConfig(
        network=SpineConfig(generator, COMPACT_FPN),
        back=generator,
        critic=PatchCriticConfig(widths=(16, 32, 64, 128), kernel=4, attention=False),
        network_optimizer=_compact_optimizer(2e-3),
        back_optimizer=_compact_optimizer(2e-3),
        critic_optimizer=_compact_optimizer(2e-4),
    )
    return _compact("spine-cycle-compact", objective)


def _compact_objective() -> DaGanObjectiveConfig:
    return DaGanObjectiveConfig(
        network=SpineConfig(COMPACT_ENHANCER, COMPACT_FPN),
        critic=_COMPACT_CRITIC,
        start="identity",
        # The paper's weights, but cross-entropy counts four times: the run is short.
        segmentation_weight=2.0,
        segment_patches=False,
        network_optimizer=_compact_optimizer(2e-3),
        critic_optimizer=_compact_optimizer(2e-4),
    )


def _compact_optimizer(lr: float) -> OptimizerConfig:
    schedule = ScheduleConfig(kind="cosine", warmup_samples=400)
    return OptimizerConfig(kind="adamw", lr=lr, weight_decay=1e-4, clip_norm=5.0, schedule=schedule)


def _compact(name: str, objective: Any, *, with_patches: bool = True) -> RunConfig:
    """Two crops a step, and eight patches of each domain where a method takes them."""
    data = SpineData(
        _SUBJECTS,
        simulator=_STRAYS,
        with_patches=with_patches,
        splitting=Splitting(mode="quantile"),
        crop=(384, 640),
        crop_every=4,
    )
    loop = LoopConfig(
        samples=COMPACT_SAMPLES,
        batch_size=8,
        ema_half_life_samples=400.0,
        log_every_samples=200,
        validate_every_samples=2_000,
        window_hu=(0.0, 255.0),
    )
    return RunConfig(name, objective, data, loop, precision="bf16-mixed")


def _published(name: str, objective: Any, data: SpineData) -> RunConfig:
    loop = LoopConfig(samples=SAMPLES, batch_size=BATCH, ema_half_life_samples=0.0, window_hu=(0.0, 255.0))
    return RunConfig(name, objective, data, loop)


def _paper_optimizer() -> OptimizerConfig:
    """Adam, 1e-4 to 1e-6 along a cosine (paper, section 3.1)."""
    return OptimizerConfig(kind="adam", lr=1e-4, schedule=ScheduleConfig(kind="cosine", floor=0.01))


def _data(patch: int) -> SpineData:
    """Eight crops to 16 patches; rotation and mirroring as in the paper, by small angles that leave dashes level."""
    return SpineData(_SUBJECTS, simulator=_STRAYS, patch=patch, crop_every=2, variants=SpineVariants(rotation_deg=10.0))


def _crops() -> SpineData:
    return replace(_data(patch=96), with_patches=False)


def _without_attention(objective: DaGanObjectiveConfig) -> DaGanObjectiveConfig:
    enhancer = objective.network.enhancer
    assert isinstance(enhancer, DaGanConfig)
    return replace(
        objective,
        network=replace(objective.network, enhancer=replace(enhancer, attention=False)),
        critic=replace(objective.critic, attention=False),
    )
