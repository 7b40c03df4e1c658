"""The spectral branch of an FFT-Conv block: a 1x1 convolution over the real and imaginary parts of a spectrum.

A transform of the whole image ties the numbers that reach the convolution to the image's size: with the orthonormal
transform the mean of an N x N image grows with N, so a network trained on 64 x 64 patches sees a mean eight times as
large in a 512 x 512 slice, and bias and activation do not scale with it. `WindowedSpectral` transforms overlapping
windows of one fixed size instead; what it computes does not depend on the size of the image around them.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from medenhance.networks.precision import run


class GlobalSpectral(nn.Module):
    """Orthonormal transform of the whole image, as published.

    forward: (N, C, H, W) -> same shape and dtype; the transform itself runs in float32.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.mix = nn.Conv2d(2 * channels, 2 * channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        spectrum = torch.fft.rfft2(x.float(), norm="ortho")
        parts = torch.cat([spectrum.real, spectrum.imag], dim=1).to(self.mix.weight.dtype)
        real, imaginary = torch.relu(run(self.mix, parts)).float().chunk(2, dim=1)
        y: Tensor = torch.fft.irfft2(torch.complex(real, imaginary), s=x.shape[-2:], norm="ortho")
        return y.to(x.dtype)


class WindowedSpectral(nn.Module):
    """The same branch on Hann windows of `window` x `window` pixels that overlap by half.

    The discrete transform of so small a window is one matrix product, which also runs in bf16.

    forward: (N, C, H, W) -> same shape and dtype, any H and W.
    """

    forward_basis: Tensor
    tapered_inverse: Tensor

    def __init__(self, channels: int, window: int) -> None:
        super().__init__()
        if window < 4 or window % 2:
            raise ValueError(f"a spectral window has an even edge length of at least 4 pixels, not {window}")
        self.window = window
        self.mix = nn.Linear(2 * channels, 2 * channels)
        forward_basis, inverse_basis = _bases(window)
        # Periodic Hann: windows at half overlap sum to one, so their blend has no seam and no gain.
        hann = torch.hann_window(window, periodic=True)
        taper = torch.outer(hann, hann).reshape(-1, 1)
        self.register_buffer("forward_basis", forward_basis, persistent=False)
        self.register_buffer("tapered_inverse", taper * inverse_basis, persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        height, width = x.shape[-2:]
        hop = self.window // 2
        rows, columns = -(-(height + hop) // self.window), -(-(width + hop) // self.window)
        margins = (hop, columns * self.window - width, hop, rows * self.window - height)
        padded = F.pad(x, margins, mode="replicate").permute(0, 2, 3, 1)
        # Four grids of windows side by side, shifted by half a window, cover every pixel four times.
        shifts = [(top, left) for top in (0, hop) for left in (0, hop)]
        extent = (rows * self.window, columns * self.window)
        grids = [padded[:, top : top + extent[0], left : left + extent[1]] for top, left in shifts]
        changed = self._filter(torch.stack(grids).to(x.dtype), rows, columns)
        blended = torch.zeros_like(padded)
        for grid, (top, left) in zip(changed, shifts, strict=True):
            blended[:, top : top + extent[0], left : left + extent[1]] += grid
        return blended[:, hop : hop + height, hop : hop + width].permute(0, 3, 1, 2)

    def _filter(self, grids: Tensor, rows: int, columns: int) -> Tensor:
        """Transform, mix and transform back every window of (S, N, rows * window, columns * window, C)."""
        shifts, n, _, _, c = grids.shape
        side = self.window
        split = grids.reshape(shifts, n, rows, side, columns, side, c)
        pixels = split.permute(3, 5, 0, 1, 2, 4, 6).reshape(side * side, -1)
        real, imaginary = torch.mm(self.forward_basis.to(pixels.dtype), pixels).chunk(2)
        parts = torch.cat([real.reshape(-1, c), imaginary.reshape(-1, c)], dim=1)
        mixed = torch.relu_(run(self.mix, parts))
        spectrum = torch.stack(mixed.chunk(2, dim=1)).reshape(self.tapered_inverse.shape[1], -1)
        back = torch.mm(self.tapered_inverse.to(spectrum.dtype), spectrum)
        back = back.reshape(side, side, shifts, n, rows, columns, c)
        return back.permute(2, 3, 4, 0, 5, 1, 6).reshape(grids.shape)


def _bases(window: int) -> tuple[Tensor, Tensor]:
    """Real matrices of the orthonormal 2-D transform of a window and of its inverse.

    Returns:
        (2F, P) and (P, 2F) with P = window**2 pixels and F = window * (window // 2 + 1) frequencies; the first F rows
        (columns) are real parts, the others imaginary parts.
    """
    pixels = window**2
    half = window // 2 + 1
    impulses = torch.eye(pixels, dtype=torch.float64).reshape(pixels, window, window)
    spectra = torch.fft.rfft2(impulses, norm="ortho").reshape(pixels, -1)
    forward_basis = torch.cat([spectra.real, spectra.imag], dim=1).T
    units = torch.eye(window * half, dtype=torch.float64).reshape(-1, window, half)
    zeros = torch.zeros_like(units)
    lines = torch.cat([torch.complex(units, zeros), torch.complex(zeros, units)])
    inverse_basis = torch.fft.irfft2(lines, s=(window, window), norm="ortho").reshape(-1, pixels).T
    return forward_basis.float().contiguous(), inverse_basis.float().contiguous()
