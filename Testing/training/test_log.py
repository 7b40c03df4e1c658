"""The run's log, and what validation measures."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from tiny_runs import supervised
from torch import nn

from medenhance_training.commands.fit import launch
from medenhance_training.log import RunLog, read_metrics, side_by_side
from medenhance_training.metrics import MetricMeans
from medenhance_training.validation import pictures, validate


class AddsTen:
    """Stands for an objective whose network adds 10 HU."""

    def restore(self, network: nn.Module, low_hu: torch.Tensor) -> torch.Tensor:
        return low_hu + 10.0


def test_entries_are_json_lines_that_read_back(tmp_path: Path) -> None:
    log = RunLog(tmp_path)
    log.metrics(8, {"a/b": 1.5})
    log.metrics(16, {"a/b": 0.5, "c": 2.0})
    log.close()
    assert read_metrics(tmp_path) == [{"samples": 8, "a/b": 1.5}, {"samples": 16, "a/b": 0.5, "c": 2.0}]
    assert list((tmp_path / "tensorboard").iterdir())


def test_a_resumed_log_drops_what_lies_after_its_position_and_half_lines(tmp_path: Path) -> None:
    lines = [json.dumps({"samples": seen}) + "\n" for seen in (8, 16, 24)]
    (tmp_path / "metrics.jsonl").write_text("".join(lines) + '{"samples": 2')
    RunLog(tmp_path, samples_seen=16).close()
    assert read_metrics(tmp_path) == [{"samples": 8}, {"samples": 16}]


def test_pictures_stand_side_by_side_clipped_to_black_and_white(tmp_path: Path) -> None:
    log = RunLog(tmp_path)
    path = log.picture(8, "row", [np.full((2, 3), -1.0), np.full((2, 3), 0.5), np.full((2, 3), 9.0)])
    log.close()
    row = np.asarray(Image.open(path))
    assert row.shape == (2, 3 + 4 + 3 + 4 + 3)
    assert row[0].tolist() == [0] * 3 + [255] * 4 + [128] * 3 + [255] * 4 + [255] * 3


def test_one_image_has_no_gap() -> None:
    assert side_by_side([np.zeros((2, 3))]).shape == (2, 3)


def test_means_are_over_the_steps_that_have_the_metric() -> None:
    means = MetricMeans()
    means.add({"a": torch.tensor(1.0), "b": 5.0})
    means.add({"a": torch.tensor(3.0)})
    assert means.take() == {"a": 2.0, "b": 5.0}
    assert means.take() == {}


def test_validation_measures_inside_the_window(tmp_path: Path) -> None:
    fabric = launch(supervised(tmp_path))
    normal = torch.tensor([0.0, 100.0, 240.0, 3000.0]).repeat(4, 1)[None, None]
    batch = {"low": normal - 20.0, "normal": normal}
    found = validate(fabric, AddsTen(), nn.Identity(), [batch], (-160.0, 240.0))
    # The output is 10 HU low in the first three columns; in the last both are above the window.
    rmse = (3 * 10.0**2 / 4) ** 0.5
    assert found["validation/rmse_hu"] == pytest.approx(rmse)
    assert found["validation/bias_hu"] == pytest.approx(-7.5)
    assert found["validation/psnr_db"] == pytest.approx(20 * np.log10(400.0 / rmse))
    assert found["validation/psnr_low_db"] == pytest.approx(20 * np.log10(400.0 / (2 * rmse)))


def test_validation_pictures_are_low_output_and_normal_in_the_window(tmp_path: Path) -> None:
    fabric = launch(supervised(tmp_path))
    batch = {"low": torch.full((1, 1, 2, 2), 30.0), "normal": torch.full((1, 1, 2, 2), 80.0)}
    low, output, normal = pictures(fabric, AddsTen(), nn.Identity(), batch, (0.0, 80.0))
    assert [image[0, 0] for image in (low, output, normal)] == pytest.approx([0.375, 0.5, 1.0])
