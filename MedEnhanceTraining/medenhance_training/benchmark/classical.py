"""The denoisers that a person has without any network, tuned as well as a grid over training slices tunes them.

Every strength is in units of the slice's own noise, so that a setting found on one slice means the same on another; the
noise is measured on the slice itself, as a user without a reference would.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np
import SimpleITK as sitk
from scipy.ndimage import gaussian_filter
from skimage.restoration import denoise_bilateral, denoise_nl_means, denoise_tv_chambolle

from medenhance.measure.image_quality import Window, psnr
from medenhance.measure.noise import detrended
from medenhance.progress import Progress, Silent, checkpoint
from medenhance_training.evaluate import KernelFamily, Pair

Parameters = Mapping[str, float]

CLIP_HU = (-1024.0, 3071.0)
_SQUARE_PX = 10
_BODY_ABOVE_HU = -200.0
_FLAT_SHARE = 0.1
_LEAST_NOISE_HU = 1.0


@dataclass(frozen=True)
class Classical:
    """A classical denoiser and the settings to try.

    Attributes:
        id: Short name, as in a table of results.
        title: What people call it, and whose implementation it is.
        grid: Parameter -> values to try, all combinations.
        run: ((H, W) HU float32, noise SD in HU, parameters) -> (H, W) HU.
    """

    id: str
    title: str
    grid: Mapping[str, Sequence[float]]
    run: Callable[[np.ndarray, float, Parameters], np.ndarray]

    def settings(self) -> list[dict[str, float]]:
        """All combinations of the grid."""
        return [dict(zip(self.grid, values, strict=True)) for values in product(*self.grid.values())]

    def restore(self, hu: np.ndarray, parameters: Parameters) -> np.ndarray:
        """(H, W) HU -> (H, W) float32 HU; the noise estimate is part of the method."""
        image = np.clip(hu, *CLIP_HU).astype(np.float32)
        return np.asarray(self.run(image, slice_noise_sd_hu(image), parameters), dtype=np.float32)


def slice_noise_sd_hu(hu: np.ndarray) -> float:
    """Noise SD of a slice, up to a factor near 1: the lowest tenth over squares of the body, which show no structure.

    Args:
        hu: (H, W), HU, at least 10 x 10 pixels.
    """
    rows, columns = (n // _SQUARE_PX for n in hu.shape)
    cropped = hu[: rows * _SQUARE_PX, : columns * _SQUARE_PX].reshape(rows, _SQUARE_PX, columns, _SQUARE_PX)
    squares = cropped.swapaxes(1, 2).reshape(-1, _SQUARE_PX, _SQUARE_PX)
    body = squares[squares.mean(axis=(1, 2)) > _BODY_ABOVE_HU]
    noise = detrended(body if len(body) else squares).std(axis=(1, 2))
    return max(float(np.quantile(noise, _FLAT_SHARE)), _LEAST_NOISE_HU)


@dataclass(frozen=True)
class TunedClassical:
    """A classical denoiser with its settings for each kernel family; opens itself, having nothing to load.

    Attributes:
        id: Of one of `CLASSICAL`.
        parameters: Family -> parameters.
    """

    id: str
    parameters: Mapping[KernelFamily, Parameters]

    @property
    def title(self) -> str:
        return classical(self.id).title

    def open(self) -> TunedClassical:
        return self

    def restore(self, low: np.ndarray, kernel: KernelFamily) -> np.ndarray:
        """(D, H, W) HU -> (D, H, W) float32 HU."""
        method = classical(self.id)
        return np.stack([method.restore(image, self.parameters[kernel]) for image in low])


def tune(method: Classical, pairs: Sequence[Pair], window_hu: Window, progress: Progress | None = None) -> Parameters:
    """The setting with the highest mean PSNR over training pairs.

    Args:
        method: The denoiser.
        pairs: At least one.
        window_hu: Window in which PSNR is taken.
        progress: Is told about every setting, and may cancel.
    """
    progress, settings = progress or Silent(), method.settings()
    slices = [both for pair in pairs for both in zip(pair.low, pair.normal, strict=True)]
    scores = []
    for n, parameters in enumerate(settings):
        checkpoint(progress, f"tune {method.id}", n / len(settings))
        scores.append(np.mean([psnr(method.restore(low, parameters), normal, window_hu) for low, normal in slices]))
    return settings[int(np.argmax(scores))]


def classical(name: str) -> Classical:
    """The one of `CLASSICAL` with this id."""
    return next(method for method in CLASSICAL if method.id == name)


def _gaussian(image: np.ndarray, _noise_sd_hu: float, parameters: Parameters) -> np.ndarray:
    return np.asarray(gaussian_filter(image, parameters["sigma_px"]))


def _median(image: np.ndarray, _noise_sd_hu: float, parameters: Parameters) -> np.ndarray:
    return np.asarray(
        sitk.GetArrayFromImage(sitk.Median(sitk.GetImageFromArray(image), [int(parameters["radius_px"])] * 2))
    )


def _bilateral(image: np.ndarray, noise_sd_hu: float, parameters: Parameters) -> np.ndarray:
    """scikit-image takes no negative values, so that the scale starts at the lowest CT number."""
    lifted = denoise_bilateral(
        image - CLIP_HU[0],
        sigma_color=parameters["range_in_noise_sd"] * noise_sd_hu,
        sigma_spatial=parameters["sigma_px"],
        mode="edge",
    )
    return np.asarray(lifted + CLIP_HU[0])


def _non_local_means(image: np.ndarray, noise_sd_hu: float, parameters: Parameters) -> np.ndarray:
    denoised = denoise_nl_means(
        image,
        patch_size=int(parameters["patch_px"]),
        patch_distance=int(parameters["distance_px"]),
        h=parameters["h_in_noise_sd"] * noise_sd_hu,
        fast_mode=True,
    )
    return np.asarray(denoised)


def _total_variation(image: np.ndarray, noise_sd_hu: float, parameters: Parameters) -> np.ndarray:
    return np.asarray(denoise_tv_chambolle(image, weight=parameters["weight_in_noise_sd"] * noise_sd_hu))


def _gradient_anisotropic_diffusion(image: np.ndarray, _noise_sd_hu: float, parameters: Parameters) -> np.ndarray:
    """SimpleITK's conductance is relative to the mean gradient of the image, hence to its noise."""
    diffused = sitk.GradientAnisotropicDiffusion(
        sitk.GetImageFromArray(image),
        timeStep=0.125,
        conductanceParameter=parameters["conductance"],
        conductanceScalingUpdateInterval=1,
        numberOfIterations=int(parameters["iterations"]),
    )
    return np.asarray(sitk.GetArrayFromImage(diffused))


# On the public training slices the best value of every strength lies inside its grid, not at its end.
CLASSICAL = (
    Classical("gaussian", "Gaussian", {"sigma_px": (0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0, 1.2)}, _gaussian),
    Classical("median", "median (ITK)", {"radius_px": (1, 2, 3)}, _median),
    Classical(
        "bilateral",
        "bilateral (scikit-image)",
        {"sigma_px": (1.5, 2.5), "range_in_noise_sd": (0.7, 1.0, 1.5, 2.0, 2.5)},
        _bilateral,
    ),
    Classical(
        "nlm",
        "non-local means (scikit-image)",
        {"patch_px": (5, 7), "distance_px": (6,), "h_in_noise_sd": (0.7, 0.9, 1.1, 1.4, 1.7)},
        _non_local_means,
    ),
    Classical(
        "tv",
        "total variation (scikit-image)",
        {"weight_in_noise_sd": (0.4, 0.6, 0.8, 1.0, 1.25, 1.6)},
        _total_variation,
    ),
    Classical(
        "gad",
        "gradient anisotropic diffusion (ITK)",
        {"iterations": (3, 5, 8), "conductance": (0.7, 1.0, 1.5, 2.0, 3.0, 4.0, 5.0)},
        _gradient_anisotropic_diffusion,
    ),
)
