"""MTD-GAN (thesis, papers/004, section C; IEEE TMI 2024): released, mended, thesis, its ablations, and compact.

Where thesis and release differ, the "official" recipe follows the release and the "thesis" recipes the thesis. Both
count an epoch as 8 patches of each of the 6,054 training slices.
"""

from __future__ import annotations

from dataclasses import replace

from medenhance.intensity import Scale, Window
from medenhance.networks.mtdgan import MtdGanConfig
from medenhance_training.config import LoopConfig, RunConfig
from medenhance_training.critics import MultiTaskCriticConfig
from medenhance_training.data.augment import AugmentRange
from medenhance_training.objectives.mtd_gan import MtdGanObjectiveConfig
from medenhance_training.objectives.supervised import SupervisedConfig
from medenhance_training.optimizer import OptimizerConfig
from medenhance_training.recipes.low_dose import bundled_data, quarter_dose
from medenhance_training.schedule import ScheduleConfig

EPOCH = 6_054 * 8  # samples
BATCH = 20 * 8  # 20 slices, 8 patches of each
PATCH = 64
BRAIN = Window(0.0, 80.0)
ABDOMEN = Window(-160.0, 240.0)


def mtd_gan() -> RunConfig:
    """MTD-GAN with the defects mended: every layer trains, real warm-up, NDS over its mask, no size effect."""
    schedule = ScheduleConfig(kind="linear", warmup_samples=10 * EPOCH, hold_samples=50 * EPOCH, floor=0.01)
    optimizer = OptimizerConfig(lr=1e-4, weight_decay=5e-4, schedule=schedule)
    objective = MtdGanObjectiveConfig(
        generator=MtdGanConfig(spectral="window"),
        intensity=ABDOMEN,
        suppress="mask",
        start="mtd-gan-released",
        generator_optimizer=optimizer,
        critic_optimizer=optimizer,
    )
    loop = LoopConfig(samples=500 * EPOCH, batch_size=BATCH, ema_half_life_samples=20_000.0)
    return RunConfig("mtd-gan", objective, quarter_dose(PATCH), loop)


def mtd_gan_official() -> RunConfig:
    """MTD-GAN as released, defects included: idle CLS layer, two epochs at rate 0, NDS over all pixels."""
    schedule = ScheduleConfig(
        kind="mtd-gan-released",
        warmup_samples=10 * EPOCH,
        hold_samples=50 * EPOCH,
        floor=1e-6,
        epoch_samples=EPOCH,
    )
    optimizer = OptimizerConfig(lr=1e-4, betas=(0.9, 0.999), weight_decay=5e-4, schedule=schedule)
    objective = MtdGanObjectiveConfig(
        generator=MtdGanConfig(),
        intensity=ABDOMEN,
        start="mtd-gan-released",
        suppress="pixels",
        consistency="released",
        train_classifier=False,
        dropout_against_generator=True,
        generator_optimizer=optimizer,
        critic_optimizer=optimizer,
    )
    loop = LoopConfig(samples=500 * EPOCH, batch_size=BATCH, ema_half_life_samples=0.0)
    released = AugmentRange(turn_share=0.1, flip_share=0.1, tilt_share=0.1, tilt_deg=15.0, blur_share=0.0)
    return RunConfig("mtd-gan-official", objective, replace(quarter_dose(PATCH), augment=released), loop)


def mtd_gan_thesis_brain() -> RunConfig:
    """MTD-GAN as the thesis describes it, brain window [0, 80] HU (Table 9)."""
    return _thesis("mtd-gan-thesis-brain", BRAIN, epochs=500)


def mtd_gan_thesis_abdomen() -> RunConfig:
    """MTD-GAN as the thesis describes it, in the abdomen window [-160, 240] HU."""
    return _thesis("mtd-gan-thesis-abdomen", ABDOMEN, epochs=500)


def ablation_a() -> RunConfig:
    """Thesis Table 10 (a): generator without FFT blocks, critic with the CLS head alone."""
    return _ablation("a")


def ablation_b() -> RunConfig:
    """Thesis Table 10 (b): (a) and the SEG head."""
    return _ablation("b")


def ablation_c() -> RunConfig:
    """Thesis Table 10 (c): (b) and the REC head."""
    return _ablation("c")


def ablation_d() -> RunConfig:
    """Thesis Table 10 (d): (c) and non-difference suppression."""
    return _ablation("d")


def ablation_e() -> RunConfig:
    """Thesis Table 10 (e): (d) and reconstruction consistency."""
    return _ablation("e")


def ablation_f() -> RunConfig:
    """Thesis Table 10 (f): (e) and the FFT generator."""
    return _ablation("f")


def ablation_g() -> RunConfig:
    """Thesis Table 10 (g): (f) and PCGrad, which is the whole method."""
    return _ablation("g")


COMPACT = MtdGanConfig(
    channels=32, levels=3, spectral="window", window=8, identity_path=True, unshuffle=2, final_relu=False
)
# A display window would leave every voxel that noise has pushed out of it as it is; at a quarter of the dose these are
# many, so the network that ships sees all CT numbers.
COMPACT_INTENSITY = Scale(scale_hu=400.0)


def mtd_gan_compact_pretrain() -> RunConfig:
    """First stage of `mtd_gan_compact`: its generator alone, supervised."""
    schedule = ScheduleConfig(kind="cosine", warmup_samples=1_000, floor=0.2)
    objective = SupervisedConfig(
        network=COMPACT,
        intensity=COMPACT_INTENSITY,
        loss="rms",
        optimizer=OptimizerConfig(lr=1e-3, clip_norm=1.0, schedule=schedule),
    )
    loop = LoopConfig(samples=14_000, batch_size=8, ema_half_life_samples=1_500.0, validate_every_samples=7_000)
    return RunConfig("mtd-gan-compact-pretrain", objective, bundled_data(PATCH), loop, precision="bf16-mixed")


def mtd_gan_compact() -> RunConfig:
    """The MTD-GAN denoiser that ships: few channels on folded pixels, against a narrow critic, over the full CT range.

    Start it from the first stage: `--init-from RUN`.
    """
    schedule = ScheduleConfig(kind="cosine", warmup_samples=500)
    objective = MtdGanObjectiveConfig(
        generator=COMPACT,
        critic=MultiTaskCriticConfig(channels=8),
        intensity=COMPACT_INTENSITY,
        generator_optimizer=OptimizerConfig(lr=3e-4, clip_norm=5.0, schedule=schedule),
        critic_optimizer=OptimizerConfig(lr=2e-4, schedule=schedule),
    )
    loop = LoopConfig(samples=9_000, batch_size=8, ema_half_life_samples=1_000.0, validate_every_samples=3_000)
    return RunConfig("mtd-gan-compact", objective, bundled_data(PATCH), loop, precision="bf16-mixed")


def _thesis(name: str, window: Window, epochs: int) -> RunConfig:
    """The thesis' settings (C 2.2 and 3); what it leaves open (weights 50 and 50, linear decay) is the release's."""
    schedule = ScheduleConfig(kind="linear", warmup_samples=10 * EPOCH, hold_samples=epochs // 10 * EPOCH, floor=0.01)
    optimizer = OptimizerConfig(lr=1e-4, betas=(0.9, 0.99), weight_decay=5e-4, schedule=schedule)
    objective = MtdGanObjectiveConfig(
        generator=MtdGanConfig(levels=9, identity_path=False),
        intensity=window,
        start="xavier-uniform",
        suppress="pixels",
        consistency="thesis",
        generator_optimizer=optimizer,
        critic_optimizer=optimizer,
    )
    loop = LoopConfig(
        samples=epochs * EPOCH,
        batch_size=BATCH,
        ema_half_life_samples=0.0,
        window_hu=(window.lo_hu, window.hi_hu),
    )
    return RunConfig(name, objective, quarter_dose(PATCH), loop)


def _ablation(step: str) -> RunConfig:
    """A row of Table 10: brain window, 200 epochs, batches of 20 slices; each row has all that stands above it."""
    whole = _thesis(f"mtd-gan-ablation-{step}", BRAIN, epochs=200)
    method: MtdGanObjectiveConfig = whole.objective
    objective = replace(
        method,
        critic=replace(method.critic, segmentation=step >= "b", reconstruction=step >= "c"),
        suppress="pixels" if step >= "d" else "off",
        consistency="thesis" if step >= "e" else "off",
        generator=replace(method.generator, spectral="global" if step >= "f" else "none"),
        pcgrad=step >= "g",
    )
    return replace(whole, objective=objective)
