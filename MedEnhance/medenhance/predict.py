"""Runs a network over a volume: physical units in, physical units out.

The Predictor computes the *change* that a network makes, not its output: change = inverse(network(x)) - inverse(x). A
network that returns its input therefore gives back every voxel exactly, whatever the tiling, the precision or the type
of the array, and voxels outside the network's window are not touched at all.
"""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from medenhance import devices, networks
from medenhance.errors import MedEnhanceError
from medenhance.intensity import IntensityMap, intensity_map
from medenhance.manifest import ModelEntry, Precision
from medenhance.memory import keep_freed_memory
from medenhance.networks.precision import cast
from medenhance.progress import Progress, Silent, checkpoint
from medenhance.tiling import blend_tiles, pad_to_multiple
from medenhance.weights import load_state

SMALLEST_TILE = 64  # pixels; below this a network sees too little of the surroundings to be trusted
MEMORY_SHARE = 0.6  # of what is free; the rest is for the allocator and for what else runs
SLAB_ON_ACCELERATOR = 8  # slices a call; one slice already fills a CPU


class Predictor:
    """A model ready to run on one device in one precision.

    Attributes:
        entry: The manifest entry that it was made from.
        device: Where it runs.
        precision: "fp32", "bf16" or "fp16".
    """

    def __init__(
        self,
        entry: ModelEntry,
        network: nn.Module,
        *,
        device: torch.device | None = None,
        precision: Precision = "fp32",
    ) -> None:
        """Take `network`, with its weights loaded, over to `device` and `precision`."""
        self.entry = entry
        self.device = device or torch.device("cpu")
        if self.device.type == "cpu":
            keep_freed_memory()
        self.precision: Precision = precision
        self.intensity: IntensityMap = intensity_map(entry.intensity)
        network = cast(network.eval().to(device=self.device), devices.DTYPES[precision])
        self.network = network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self._tile = entry.tiling.tile

    @classmethod
    def load(cls, entry: ModelEntry, path: Path, *, device: str = "auto", precision: str = "auto") -> Predictor:
        """Build the network of `entry` with the weights at `path`.

        Args:
            entry: What to build and how to run it.
            path: Its verified weights file.
            device: "auto", "cpu", "cuda", "cuda:1", "mps" ...
            precision: "auto", "fp32", "bf16" or "fp16".

        Raises:
            MedEnhanceError: The device does not work, or the precision is not allowed for this model.
        """
        chosen = devices.pick_device(device)
        network = networks.build(entry.network, entry.config)
        try:
            network.load_state_dict(load_state(path, entry))
        except RuntimeError as error:
            raise MedEnhanceError("model-invalid", f"the weights in {path.name} do not fit: {error}") from error
        picked = devices.pick_precision(precision, chosen, entry.precisions)
        return cls(entry, network, device=chosen, precision=picked)

    def restore(
        self,
        array: np.ndarray,
        *,
        out: np.ndarray | None = None,
        strength: float = 1.0,
        padding_below: float | None = None,
        whole_numbers: bool = False,
        progress: Progress | None = None,
    ) -> np.ndarray:
        """Run the network over every slice.

        Args:
            array: (D, H, W), HU, any integer or floating type.
            out: Where to put the result; `array` itself is allowed. A new array by default.
            strength: 0 leaves the input, 1 gives the network's output, in between a blend.
            padding_below: Voxels at or below this HU mean nothing and are left as they are.
            whole_numbers: A floating `array` holds whole numbers, and so shall the result.
            progress: Is told about every slab, and may cancel.

        Returns:
            (D, H, W), HU, the type of `array`; integers are rounded, not truncated. The same whole numbers give the
            same result in every type that holds them.

        Raises:
            MedEnhanceError: Too small an image, or not even the smallest tile fits into memory.
        """
        if not 0.0 <= strength <= 1.0:
            raise MedEnhanceError("bad-option", f"strength {strength} is outside [0, 1].", "Choose 0 to 1.")
        self._check_size(array.shape)
        # Memory that was short in an earlier study says nothing about this one.
        self._tile = self.entry.tiling.tile
        progress = progress or Silent()
        out = np.empty_like(array) if out is None else out
        slab = 1 if self.device.type == "cpu" else SLAB_ON_ACCELERATOR
        for first in range(0, len(array), slab):
            checkpoint(progress, "denoise", first / len(array))
            part = slice(first, min(first + slab, len(array)))
            hu = torch.from_numpy(np.ascontiguousarray(array[part], dtype=np.float32))
            change = self._change(hu, padding_below, progress)[0].numpy()
            change = np.float32(strength) * change
            out[part] = _apply(array[part], np.rint(change) if whole_numbers else change)
        checkpoint(progress, "denoise", 1.0)
        return out

    def restore_and_classify(
        self, image: np.ndarray, *, progress: Progress | None = None
    ) -> tuple[np.ndarray, np.ndarray]:
        """Run a network that also returns class scores over one image.

        Args:
            image: (H, W), physical units, any integer or floating type.
            progress: May cancel, also between tiles.

        Returns:
            The restored image like `image`, and class probabilities, (K, H, W) float32.

        Raises:
            MedEnhanceError: As `restore`; or the network returns no classes.
        """
        if not networks.spec(self.entry.network).classes(self._config()):
            raise MedEnhanceError("model-unknown", f"model {self.entry.id} does not segment.")
        self._check_size((1, *image.shape))
        self._tile = self.entry.tiling.tile
        hu = torch.from_numpy(np.ascontiguousarray(image[None], dtype=np.float32))
        change, scores = self._change(hu, None, progress or Silent())
        return _apply(image, change[0].numpy()), scores[0].softmax(dim=0).numpy()

    @torch.inference_mode()
    def _change(self, hu: Tensor, padding_below: float | None, progress: Progress) -> tuple[Tensor, Tensor]:
        """What the network adds to (N, H, W) HU, in HU, and its scores (N, K, H, W), both float32 on the CPU."""
        hu = hu.to(self.device)
        weight = self.intensity.weight(hu)
        if padding_below is not None:
            weight = weight * (hu > padding_below)
        x = self.intensity.forward(hu)[:, None]
        multiple = networks.spec(self.entry.network).size_multiple(self._config())
        padded = pad_to_multiple(x, max(multiple, self.entry.size_multiple))
        output = self._in_tiles(padded, progress)[..., : hu.shape[1], : hu.shape[2]]
        change, scores = output[:, 0], output[:, 1:].cpu()
        change = (change * self.intensity.unit_hu * weight).cpu()
        # A sum is finite only if all its terms are; it takes one pass where testing each of them takes five.
        if not math.isfinite(float(change.sum()) + float(scores.sum())):
            hint = "Run it with --precision fp32; if that fails too, verify the weights."
            raise MedEnhanceError("model-invalid", f"model {self.entry.id} returned values that are no numbers.", hint)
        return change, scores

    def _in_tiles(self, x: Tensor, progress: Progress) -> Tensor:
        """Apply the network to (N, 1, H, W) in the largest tiles that memory allows."""
        if self._tile is None:
            self._tile = self._fitting_tile(x, progress)
        while True:
            try:
                return blend_tiles(x, self._residual, tile=self._tile, overlap=self._overlap())
            except (torch.cuda.OutOfMemoryError, MemoryError, RuntimeError) as error:
                if not _is_out_of_memory(error):
                    raise
            self._halve_tile(x, progress)

    def _residual(self, x: Tensor) -> Tensor:
        y: Tensor = self.network(x.contiguous(memory_format=torch.channels_last))
        return y - x if y.shape[1] == 1 else torch.cat([y[:, :1] - x, y[:, 1:]], dim=1)

    def _overlap(self) -> int:
        return min(self.entry.tiling.overlap, (self._tile or 2) // 2)

    def _fitting_tile(self, x: Tensor, progress: Progress) -> int | None:
        """None when whole slices fit into the free memory, otherwise the edge length of a tile that does."""
        itemsize = devices.DTYPES[self.precision].itemsize
        per_pixel = networks.spec(self.entry.network).bytes_per_pixel(self._config(), itemsize) * len(x)
        available = MEMORY_SHARE * devices.free_memory_bytes(self.device)
        height, width = x.shape[-2:]
        if per_pixel * height * width <= available:
            return None
        tile = max(SMALLEST_TILE, int((available / per_pixel) ** 0.5) // SMALLEST_TILE * SMALLEST_TILE)
        progress.warn(f"Memory is short: the slices are processed in tiles of {tile} x {tile} pixels.")
        return tile

    def _halve_tile(self, x: Tensor, progress: Progress) -> None:
        """Go on with tiles of half the size after memory ran out."""
        current = self._tile or max(x.shape[-2:])
        self._tile = current // 2 // SMALLEST_TILE * SMALLEST_TILE
        if self._tile < SMALLEST_TILE:
            hint = "Close other programs, or choose another device."
            raise MedEnhanceError("out-of-memory", f"model {self.entry.id} does not fit into memory.", hint)
        if self.device.type == "cuda":
            torch.cuda.empty_cache()
        progress.warn(f"Memory ran out: going on in tiles of {self._tile} x {self._tile} pixels.")

    def _config(self) -> object:
        return networks.parse_config(self.entry.network, self.entry.config)

    def _check_size(self, shape: tuple[int, ...]) -> None:
        least = networks.spec(self.entry.network).size_minimum(self._config())
        if min(shape[1:]) < least:
            message = f"slices of {shape[1]} x {shape[2]} pixels are too small for model {self.entry.id}."
            raise MedEnhanceError("input-unsuitable", message, f"It needs at least {least} x {least}.")


def _apply(hu: np.ndarray, change: np.ndarray) -> np.ndarray:
    """`hu` plus `change` in the type of `hu`; where the change is zero, exactly `hu`."""
    if not np.issubdtype(hu.dtype, np.integer):
        return np.asarray(hu + change, dtype=hu.dtype)
    limits = np.iinfo(hu.dtype)
    # The change is rounded, not the sum: a sum of single precision would be rounded twice, and now and then otherwise.
    changed = np.clip(hu + np.rint(change), limits.min, limits.max).astype(hu.dtype)
    # float64, to which numpy takes sums with 32 bits, holds every integer of these, but not all of 64.
    return changed if hu.dtype.itemsize <= 4 else np.where(change == 0, hu, changed)


def _is_out_of_memory(error: BaseException) -> bool:
    """Whether `error` is a failed allocation; on CPUs PyTorch says so only in words."""
    if isinstance(error, (torch.cuda.OutOfMemoryError, MemoryError)):
        return True
    text = str(error).lower()
    return "out of memory" in text or "can't allocate memory" in text or "not enough memory" in text
