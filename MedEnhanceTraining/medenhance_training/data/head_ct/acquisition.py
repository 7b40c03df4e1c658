"""What the scanner makes of a head: slices, kernel, noise, beam hardening, motion, the holder."""

from __future__ import annotations

import numpy as np
from scipy.fft import irfft2, rfft2
from scipy.ndimage import rotate, shift

from medenhance_training.data.head_ct.config import HeadConfig
from medenhance_training.data.head_ct.geometry import NUM_SUB_PLANES, Scan


def averaged(fine: np.ndarray) -> np.ndarray:
    """(D, R, C) float32 slices from (D * NUM_SUB_PLANES, R, C)."""
    total = fine[0::NUM_SUB_PLANES].astype(np.float32)
    for k in range(1, NUM_SUB_PLANES):
        total += fine[k::NUM_SUB_PLANES]
    return total * np.float32(1.0 / NUM_SUB_PLANES)


def acquire(
    slices: np.ndarray,
    depth: np.ndarray,
    coordinates: tuple[np.ndarray, np.ndarray, np.ndarray],
    scan: Scan,
    config: HeadConfig,
    rng: np.random.Generator,
) -> tuple[np.ndarray, tuple[str, ...]]:
    """The image.

    Args:
        slices: (D, r, c) float32 of the scan's window.
        depth: (D, r, c) float32 mm from the inner table into the cavity.
        coordinates: Head coordinates of the window, (D, r, c) each.
        scan: Where they lie.
        config: What may be drawn.
        rng: Source.

    Returns:
        (D, H, W) float32 HU, whole numbers, and the names of the artefacts.
    """
    names: list[str] = []
    slices = slices + _cupping(coordinates, depth, config, rng)
    if rng.random() < 0.8:
        slices += _petrous_bands(coordinates, depth, rng)
        names.append("beam-hardening")
    r0, r1, c0, c1 = scan.window
    image: np.ndarray = np.full((scan.num_slices, scan.size_px, scan.size_px), -1000.0, np.float32)
    image[:, r0:r1, c0:c1] = slices
    _add_holder(image, scan, rng)
    if rng.random() < config.motion_share:
        _move(image, rng)
        names.append("motion")
    gain, offset = rng.uniform(*config.gain), rng.uniform(*config.offset_hu)
    image = np.where(image > -200.0, image * np.float32(gain) + np.float32(offset), image)
    image = _reconstruct(image, scan, config, rng)
    return np.rint(np.clip(image, -1024.0, 3071.0)), tuple(names)


def _cupping(
    coordinates: tuple[np.ndarray, np.ndarray, np.ndarray],
    depth: np.ndarray,
    config: HeadConfig,
    rng: np.random.Generator,
) -> np.ndarray:
    """Brain beside the skull looks denser, on one side more than on the other."""
    x, y, _ = coordinates
    rise, reach, lean = rng.uniform(*config.cupping_hu), rng.uniform(6.0, 12.0), rng.uniform(*config.cupping_lean)
    angle = rng.uniform(0.0, 2.0 * np.pi)
    aside = (x * np.cos(angle) + y * np.sin(angle)) / np.maximum(np.hypot(x, y), 1.0)
    uneven = np.float32(rise) * (1.0 + np.float32(lean) * aside)
    return np.asarray(uneven * np.exp(-np.maximum(depth, 0.0) / reach) * (depth > 0), np.float32)


def _petrous_bands(
    coordinates: tuple[np.ndarray, np.ndarray, np.ndarray], depth: np.ndarray, rng: np.random.Generator
) -> np.ndarray:
    """Dark and bright streaks between the dense parts of the skull base, and bright bone shadows on the brain."""
    x, y, z = coordinates
    low = np.exp(-(((z + 18.0) / 12.0) ** 2)) * (depth > 0)
    band = -rng.uniform(4.0, 22.0) * np.exp(-(((y - rng.uniform(10.0, 24.0)) / rng.uniform(4.0, 9.0)) ** 2))
    band = band * np.exp(-((x / 40.0) ** 2))
    for _ in range(int(rng.integers(2, 7))):
        angle, through = rng.normal(0, 0.35), rng.uniform(-30.0, 60.0)
        away = (y - through) * np.cos(angle) + x * np.sin(angle)
        band = band + rng.uniform(-9.0, 9.0) * np.exp(-((away / rng.uniform(1.5, 5.0)) ** 2))
    return np.asarray(low * band, np.float32)


def _add_holder(image: np.ndarray, scan: Scan, rng: np.random.Generator) -> None:
    """A head holder: a thin open shell behind and beside the head, in most scans."""
    kind = rng.random()
    if kind > 0.8:
        return
    axis = (np.arange(scan.size_px) - (scan.size_px - 1) / 2) * scan.pixel_mm
    x, y = (axis - scan.centre_mm[0])[None, :], (axis - scan.centre_mm[1])[:, None]
    half, deep = rng.uniform(92.0, 112.0), rng.uniform(108.0, 122.0)
    ring = np.abs(((np.abs(x) / half) ** 2.6 + (np.maximum(y + 5.0, 0.0) / deep) ** 2.6) ** (1 / 2.6) - 1.0) * half
    shell = np.clip(1.0 - ring / rng.uniform(1.5, 3.0), 0.0, 1.0) * (y > rng.uniform(-50.0, 60.0))
    hu = rng.uniform(-150.0, 400.0)
    empty = image < -900.0
    image += np.where(empty, (hu + 1000.0) * shell.astype(np.float32), np.float32(0.0))
    if kind < 0.4:
        foam = (ring < 14.0) & (((np.abs(x) / half) ** 2.6 + (np.abs(y) / deep) ** 2.6) < 1.0) & (y > 20)
        image += np.where(empty & foam & (shell == 0), np.float32(rng.uniform(10.0, 60.0)), np.float32(0.0))


def _move(image: np.ndarray, rng: np.random.Generator) -> None:
    """Some slices were taken while the head moved: two positions and the streaks between them."""
    count = int(rng.integers(1, max(2, len(image) // 4)))
    first = int(rng.integers(0, len(image) - count + 1))
    for k in range(first, first + count):
        strength = rng.uniform(0.3, 1.0)
        moved = rotate(image[k], strength * rng.normal(0, 3.0), reshape=False, order=1, mode="nearest")
        moved = shift(moved, strength * rng.normal(0, 1.5, 2), order=1, mode="nearest")
        image[k] += np.float32(rng.uniform(0.2, 0.5)) * (moved - image[k])


def _reconstruct(image: np.ndarray, scan: Scan, config: HeadConfig, rng: np.random.Generator) -> np.ndarray:
    """Kernel and noise in one pass: the noise has the kernel's spectrum times the ramp's."""
    fy = np.fft.fftfreq(scan.size_px, scan.pixel_mm)[:, None]
    fx = np.fft.rfftfreq(scan.size_px, scan.pixel_mm)[None, :]
    frequency = np.hypot(fy, fx).astype(np.float32)
    cutoff = rng.uniform(*config.kernel_per_mm)
    gain = np.exp(-((frequency / np.float32(cutoff)) ** 2))
    smooth = irfft2(rfft2(image) * gain, image.shape[1:])
    white = rng.standard_normal(image.shape, dtype=np.float32)
    # The ramp starts above 0: gantry drift and interpolation leave some low frequencies.
    noise = irfft2(rfft2(white) * (gain * (frequency + np.float32(rng.uniform(0.01, 0.08)))), image.shape[1:])
    sd = rng.uniform(*config.noise_hu) / max(float(noise[:: max(1, len(noise) // 4)].std()), 1e-9)
    return smooth + noise * np.float32(sd) * _noise_map(image, rng)


def _noise_map(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """(D, H, W): noise grows with what the beam crosses, so with the bone and water of a slice."""
    water = np.clip(image, -1000.0, 2000.0).mean(axis=(1, 2)) + 1000.0
    level = np.sqrt(water / max(float(np.median(water)), 1.0)).clip(0.6, 1.6)
    inside = np.where(image > -700.0, np.float32(1.0), np.float32(rng.uniform(0.4, 0.8)))
    return level[:, None, None].astype(np.float32) * inside
