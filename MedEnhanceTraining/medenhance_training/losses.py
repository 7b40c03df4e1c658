"""Loss functions: pure, each tied to the equation that it implements.

Images are (N, 1, H, W) in network units unless a docstring says otherwise. Every loss is a mean over samples, so the
mean of the losses of two half batches is the loss of the whole one.
"""

from __future__ import annotations

from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor


def mean_squared_error(prediction: Tensor, target: Tensor) -> Tensor:
    """Mean of d**2."""
    return F.mse_loss(prediction, target)


def mean_absolute_error(prediction: Tensor, target: Tensor) -> Tensor:
    """Mean of |d|."""
    return F.l1_loss(prediction, target)


def charbonnier(prediction: Tensor, target: Tensor, epsilon: float = 1e-3) -> Tensor:
    """Mean of sqrt(d**2 + epsilon**2): |d| with a rounded tip (Charbonnier et al., ICIP 1994)."""
    return (prediction - target).square().add(epsilon**2).sqrt().mean()


def root_mean_square(prediction: Tensor, target: Tensor, weight: Tensor, epsilon: float = 5e-3) -> Tensor:
    """Mean over samples of sqrt(mean(weight d**2) + epsilon**2).

    Counted by the root, a patch from a noisy scan does not outweigh many from quiet ones, as its square would; inside a
    patch the best guess stays the mean, so CT numbers stay unbiased, which the median of `mean_absolute_error` does not
    promise.

    Args:
        weight: Like `target`, how much each pixel counts.
    """
    return (weight * (prediction - target).square()).flatten(1).mean(dim=1).add(epsilon**2).sqrt().mean()


def edge(prediction: Tensor, target: Tensor, epsilon: float = 1e-3) -> Tensor:
    """Charbonnier distance of the two Laplacian images (Zamir et al., MPRNet, CVPR 2021, eq. 3).

    The Laplacian image is linear in the image, so it is taken once, of the difference.
    """
    detail = laplacian_detail(prediction - target)
    return charbonnier(detail, detail.new_zeros(()), epsilon)


def laplacian_detail(image: Tensor) -> Tensor:
    """The finest level of a Laplacian pyramid (Burt and Adelson, 1983): image - expand(reduce(image)).

    Reduce blurs and keeps every second pixel; expand puts these, four times as bright, on a grid of zeros and blurs.
    """
    kept = image.new_zeros(image.shape[-2:])
    kept[::2, ::2] = 4.0
    return image - _blur(_blur(image) * kept)


def _blur(image: Tensor) -> Tensor:
    """(N, 1, H, W) under the 5-tap binomial-like kernel of Burt and Adelson (a = 0.4), edges replicated."""
    taps = image.new_tensor([0.05, 0.25, 0.4, 0.25, 0.05])
    padded = F.pad(image, (2, 2, 2, 2), mode="replicate")
    return F.conv2d(F.conv2d(padded, taps.view(1, 1, 1, 5)), taps.view(1, 1, 5, 1))


def least_squares(scores: Tensor, target: Tensor | float) -> Tensor:
    """LSGAN: mean of (score - target)**2, with target 1 for real and 0 for fake (Mao et al., ICCV 2017)."""
    return (scores - target).square().mean()


def difference_mask(low: Tensor, normal: Tensor) -> Tensor:
    """1 where low and normal dose differ, else 0: the boolean of thesis (papers/004) eq. 3.

    In windowed units it is 0 wherever both saturate, in air and in bone.
    """
    return (low != normal).to(normal.dtype)


def non_difference_suppressed(
    scores: Tensor, target: Tensor | float, mask: Tensor, over: Literal["pixels", "mask"]
) -> Tensor:
    """LSGAN of a score map without the pixels in which nothing was to be done (NDS loss, thesis eq. 3 and 6).

    Args:
        scores: (N, 1, H, W).
        target: One number, or one for each patch, (N, 1, 1, 1).
        mask: `difference_mask`, same shape.
        over: "pixels" divides by all pixels, as the thesis and the release do, so that the loss of a patch shrinks with
            its mask; "mask" takes the mean over the mask of each patch, and 0 for an empty one.
    """
    squared = (scores - target).square() * mask
    if over == "pixels":
        return squared.mean()
    return (squared.sum(dim=(1, 2, 3)) / mask.sum(dim=(1, 2, 3)).clamp(min=1.0)).mean()


def consistency_thesis(scores: Tensor, scores_reconstructed: Tensor) -> Tensor:
    """One term of the reconstruction consistency loss as written: E ||D(x) - D(D_REC(x))|| (thesis eq. 4).

    Args:
        scores: (N, ...), a head's answer to x; the norm is the Euclidean one of a sample's whole answer.
        scores_reconstructed: Its answer to the reconstruction of x.
    """
    norms: Tensor = torch.linalg.vector_norm((scores - scores_reconstructed).flatten(1), dim=1)
    return norms.mean()


def consistency_released(scores: Tensor, scores_reconstructed: Tensor) -> Tensor:
    """The same term as released: mean squared difference; neither side is detached."""
    return F.mse_loss(scores, scores_reconstructed)


def logistic(scores: Tensor, real: bool) -> Tensor:
    """-log D for what should pass as real, -log(1 - D) for what should not; D is the sigmoid of the score.

    Used for critics and, against them, for the generator in its non-saturating form (DA-GAN, papers/001, eq. 4-6).
    """
    return F.softplus(-scores if real else scores).mean()


def summed_square(prediction: Tensor, target: Tensor) -> Tensor:
    """||prediction - target||^2, summed over pixels, mean over samples (DA-GAN, papers/001, eq. 7)."""
    return (prediction - target).square().flatten(1).sum(dim=1).mean()


def pixel_cross_entropy(scores: Tensor, labels: Tensor) -> Tensor:
    """Mean of -log softmax of the true class (DA-GAN's L_seg); (N, K, H, W) scores, (N, H, W) int64 labels."""
    return F.cross_entropy(scores, labels)


def total_variation(scores: Tensor) -> Tensor:
    """Mean of |dx p| + |dy p| over the class probabilities (RSNU, arXiv 2010.03740); (N, K, H, W) scores."""
    p = scores.softmax(dim=1)
    return p.diff(dim=-1).abs().mean() + p.diff(dim=-2).abs().mean()
