"""The run's memory: metrics as JSON lines and TensorBoard scalars, sample pictures as PNG and TensorBoard images."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from medenhance.errors import MedEnhanceError

if TYPE_CHECKING:
    from torch.utils.tensorboard import SummaryWriter

GAP = 4  # white pixels between the images of a row


class RunLog:
    """Writes under one folder; entries carry the samples seen, so a resumed run continues its curves.

    Args:
        folder: The run's folder.
        samples_seen: Position at which the run starts or resumes; later entries of a killed run are dropped.
    """

    def __init__(self, folder: Path, samples_seen: int = 0) -> None:
        self.folder = folder
        self.path = folder / "metrics.jsonl"
        folder.mkdir(parents=True, exist_ok=True)
        _drop_later_entries(self.path, samples_seen)
        self._board = _open_board(folder / "tensorboard", samples_seen)

    def metrics(self, samples_seen: int, values: Mapping[str, float]) -> None:
        """Append one line, flushed at once so that a killed run keeps it."""
        with self.path.open("a", encoding="utf-8") as file:
            file.write(json.dumps({"samples": samples_seen, **values}) + "\n")
        for name, value in values.items():
            self._board.add_scalar(name, value, samples_seen)

    def picture(self, samples_seen: int, name: str, images: list[np.ndarray]) -> Path:
        """Save images side by side.

        Args:
            images: (H, W) each, in [0, 1]; values outside are clipped.
        """
        from PIL import Image

        row = side_by_side(images)
        path = self.folder / "pictures" / f"{samples_seen:012d}_{name}.png"
        path.parent.mkdir(exist_ok=True)
        Image.fromarray(row).save(path)
        self._board.add_image(name, row, samples_seen, dataformats="HW")
        return path

    def close(self) -> None:
        self._board.close()


def side_by_side(images: list[np.ndarray]) -> np.ndarray:
    """(H, W) images in [0, 1] -> (H, sum of W + gaps) uint8."""
    height = images[0].shape[0]
    pieces: list[np.ndarray] = []
    for image in images:
        pieces += [np.ones((height, GAP)), np.clip(image, 0.0, 1.0)]
    row: np.ndarray = np.rint(np.concatenate(pieces[1:], axis=1) * 255.0).astype(np.uint8)
    return row


def read_metrics(folder: Path) -> list[dict[str, float]]:
    """All entries of a run, in order."""
    with (folder / "metrics.jsonl").open(encoding="utf-8") as file:
        return [json.loads(line) for line in file]


def _drop_later_entries(path: Path, samples_seen: int) -> None:
    """What a killed run logged after its last checkpoint will be logged again."""
    if not path.exists():
        return
    lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
    kept = [line for line in lines if line.endswith("\n") and json.loads(line)["samples"] <= samples_seen]
    path.write_text("".join(kept), encoding="utf-8")


def _open_board(folder: Path, samples_seen: int) -> SummaryWriter:
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError as error:
        raise MedEnhanceError("bad-option", "TensorBoard is not installed.", "Run: pip install tensorboard") from error
    return SummaryWriter(str(folder), purge_step=samples_seen + 1 if samples_seen else None)
