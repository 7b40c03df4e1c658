"""RED-CNN (Chen et al., IEEE TMI 2017), as published and in the compact shape that ships."""

from __future__ import annotations

from dataclasses import replace

from medenhance.intensity import Scale
from medenhance.networks.redcnn import RedCnnConfig
from medenhance_training.config import LoopConfig, RunConfig
from medenhance_training.data.augment import AugmentRange
from medenhance_training.data.sources import LowDoseData
from medenhance_training.objectives.supervised import SupervisedConfig
from medenhance_training.optimizer import OptimizerConfig
from medenhance_training.recipes.low_dose import bundled_data, quarter_dose
from medenhance_training.schedule import ScheduleConfig


def redcnn() -> RunConfig:
    """RED-CNN as published: 5 + 5 layers of 96 channels, 5x5 kernels, MSE, patches of 55, rate 1e-4 to 1e-5."""
    optimizer = OptimizerConfig(kind="adam", lr=1e-4, schedule=ScheduleConfig(kind="cosine", floor=0.1))
    # The final ReLU needs network units that are not negative: air is 0, as in SSinyu's (HU + 1024) / 4096.
    intensity = Scale(center_hu=-1024.0, scale_hu=4096.0)
    objective = SupervisedConfig(network=RedCnnConfig(), intensity=intensity, loss="mse", optimizer=optimizer)
    loop = LoopConfig(samples=16_000_000, batch_size=160, ema_half_life_samples=0.0)
    return RunConfig("redcnn", objective, quarter_dose(patch=55), loop)


COMPACT = RedCnnConfig(channels=96, kernel=3, depth=6, padding="same", unshuffle=2, final_relu=False)


def redcnn_compact_pretrain() -> RunConfig:
    """First of four stages of `redcnn_compact`: many phantoms, and anatomy as softer and sharper kernels show it."""
    schedule = ScheduleConfig(kind="cosine", warmup_samples=2_000)
    optimizer = OptimizerConfig(kind="adamw", lr=7e-4, clip_norm=0.5, schedule=schedule)
    objective = SupervisedConfig(network=COMPACT, loss="rms", optimizer=optimizer)
    loop = LoopConfig(samples=90_000, batch_size=8, ema_half_life_samples=8_000.0, validate_every_samples=10_000)
    return RunConfig("redcnn-compact-pretrain", objective, bundled_data(patch=96), loop, precision="bf16-mixed")


def redcnn_compact_anatomy() -> RunConfig:
    """Second stage of `redcnn_compact`: real anatomy, nearly as it is; `--init-from` the first stage.

    After the first stage the network takes fine texture for noise, which phantoms and blurred anatomy do not have.
    """
    plain = AugmentRange(blur_share=0.15, sharpness=(-0.3, 0.5))
    data = replace(bundled_data(patch=96), phantom_share=0.08, num_phantoms=16, augment=plain)
    return _compact_stage("redcnn-compact-anatomy", data, lr=3e-4, samples=30_000)


def redcnn_compact_diagnostic() -> RunConfig:
    """Third stage of `redcnn_compact`: whole slices of diagnostic scans alone; `--init-from` the second stage.

    Leave resampled and cropped scans out of its index: their noise is not that of a scanner.
    """
    data = _diagnostic(num_fields=4, noisy_normal_share=0.35, phantom_share=0.05, num_phantoms=8)
    return _compact_stage("redcnn-compact-diagnostic", data, lr=4e-4, samples=24_000)


def redcnn_compact() -> RunConfig:
    """The default denoiser that ships: a RED-CNN on folded pixels, fast on a CPU in bfloat16.

    The last of four stages, the long one, on the index of the third; `--init-from` the third stage. That one left a
    tenth of the noise on scans it had not seen: too many of its targets were noisy.
    """
    data = _diagnostic(num_fields=8, noisy_normal_share=0.05, phantom_share=0.1, num_phantoms=16)
    return _compact_stage("redcnn-compact", data, lr=5e-4, samples=95_000, ema_half_life_samples=6_000.0)


def _diagnostic(num_fields: int, noisy_normal_share: float, phantom_share: float, num_phantoms: int) -> LowDoseData:
    data = bundled_data(patch=96)
    return replace(
        data,
        doses=replace(data.doses, exposure=(0.35, 16.0), noisy_normal_share=noisy_normal_share),
        noise=replace(data.noise, num_fields=num_fields),
        phantom_share=phantom_share,
        num_phantoms=num_phantoms,
        augment=AugmentRange(blur_share=0.0),
    )


def _compact_stage(
    name: str, data: LowDoseData, lr: float, samples: int, ema_half_life_samples: float = 3_000.0
) -> RunConfig:
    schedule = ScheduleConfig(kind="cosine", warmup_samples=500)
    optimizer = OptimizerConfig(kind="adamw", lr=lr, clip_norm=0.5, schedule=schedule)
    objective = SupervisedConfig(network=COMPACT, loss="rms", optimizer=optimizer)
    loop = LoopConfig(
        samples=samples,
        batch_size=8,
        ema_half_life_samples=ema_half_life_samples,
        validate_every_samples=10_000,
    )
    return RunConfig(name, objective, data, loop, precision="bf16-mixed")
