"""Whether memory grows by more than the study itself: the peak of `denoise-ct` on a short and on a long study."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from medenhance.errors import MedEnhanceError
from medenhance.image_files import write_image
from medenhance.progress import Progress, checkpoint
from medenhance.volume import Grid, Volume

ITEMSIZE = np.dtype(np.int16).itemsize


@dataclass(frozen=True)
class MemoryReport:
    """Peak resident memory of two runs that differ in the number of slices.

    Attributes:
        num_slices: Of the short and the long study.
        side_px: Rows and columns.
        peak_bytes: Of the process that ran `denoise-ct` with residual, report and figure.
        arrays_bytes: Voxels of input and output together, as they are held in memory.
    """

    num_slices: tuple[int, int]
    side_px: int
    peak_bytes: tuple[int, int]
    arrays_bytes: tuple[int, int]

    @property
    def growth_bytes(self) -> int:
        """By how much the long study's peak exceeds the short one's."""
        return self.peak_bytes[1] - self.peak_bytes[0]

    @property
    def allowed_bytes(self) -> int:
        """By how much it may: the arrays of input and output of the long study."""
        return self.arrays_bytes[1]


def measure_memory(
    model: str | None, progress: Progress, num_slices: tuple[int, int] = (60, 600), side_px: int = 512
) -> MemoryReport:
    """Run `denoise-ct` on two synthetic int16 NRRD studies, each in a process of its own."""
    peaks = []
    with tempfile.TemporaryDirectory(prefix="medenhance-memory-") as folder:
        for index, count in enumerate(num_slices):
            checkpoint(progress, "memory", index / 2)
            study = Path(folder) / f"{count}.nrrd"
            write_synthetic_study(study, count, side_px)
            peaks.append(_peak_of_run(study, Path(folder) / str(count), model))
            study.unlink()
    progress.update("memory", 1.0)
    arrays = tuple(2 * ITEMSIZE * count * side_px**2 for count in num_slices)
    return MemoryReport(num_slices, side_px, (peaks[0], peaks[1]), (arrays[0], arrays[1]))


def write_synthetic_study(path: Path, num_slices: int, side_px: int) -> None:
    """A body of fat and soft tissue in air with noise, int16 HU."""
    generator = np.random.default_rng(0)
    rows, columns = np.ogrid[-1 : 1 : side_px * 1j, -1 : 1 : side_px * 1j]
    radius = np.hypot(rows, columns)
    body = np.select([radius < 0.6, radius < 0.8], [50.0, -100.0], -1000.0)
    array = np.empty((num_slices, side_px, side_px), np.int16)
    for plane in array:
        plane[:] = np.rint(body + generator.normal(0.0, 25.0, body.shape))
    write_image(Volume(array, Grid((0.7, 0.7, 1.5)), modality="CT"), path, {})


def _peak_of_run(study: Path, folder: Path, model: str | None) -> int:
    words = [str(study), str(folder / "out.nrrd"), "--residual", str(folder / "residual.nrrd")]
    words += ["--report", str(folder / "report.json"), "--figure", str(folder / "figure.png")]
    words += ["--model", model] if model is not None else []
    command = [sys.executable, "-m", "medenhance.memory_probe", "denoise-ct", *words]
    done = subprocess.run(command, capture_output=True, text=True, encoding="utf-8")
    if done.returncode != 0:
        raise MedEnhanceError("input-unsuitable", f"the measured run failed: {done.stderr.strip()[-500:]}")
    return int(json.loads(done.stdout.splitlines()[-1])["peak_bytes"])
