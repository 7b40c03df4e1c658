"""The figure is written whole, is the same each time, and shows what it must."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from scipy.ndimage import gaussian_filter

from medenhance.errors import MedEnhanceError
from medenhance.figure import informative_slice, write_figure
from medenhance.measure.trust import RunFacts, TrustReport, trust_report
from medenhance.volume import Grid

RUN = RunFacts("tiny", "1.0.0", "ab" * 32, "cpu", "bf16", 1.0, 2.5, 640.0)
GRID = Grid(spacing_mm=(0.7, 0.9, 2.5))


@pytest.fixture(scope="module")
def study() -> tuple[np.ndarray, np.ndarray, TrustReport]:
    rows, columns = np.indices((96, 80))
    body = np.where(np.hypot(rows - 48, columns - 40) < 36, 50.0, -1000.0)
    before = (body + np.random.default_rng(0).normal(0.0, 25.0, (3, 96, 80))).astype(np.float32)
    after = gaussian_filter(before, (0, 0.8, 0.8))
    return before, after, trust_report(before, after, GRID, padding_below=None, trusted=None, run=RUN)


def _pixels(path: Path) -> np.ndarray:
    with Image.open(path) as image:
        return np.asarray(image.convert("RGB"), dtype=int)


def test_the_same_study_gives_the_same_bytes(study: tuple[np.ndarray, np.ndarray, TrustReport], tmp_path: Path) -> None:
    for name in ("one.png", "two.png"):
        write_figure(tmp_path / name, *study, GRID)
    assert (tmp_path / "one.png").read_bytes() == (tmp_path / "two.png").read_bytes()
    with Image.open(tmp_path / "one.png") as image:
        assert image.size == (1800, 1290)
        assert not {"Software", "Creation Time"} & set(image.info)


def test_input_output_and_residual_are_shown_in_their_windows(
    study: tuple[np.ndarray, np.ndarray, TrustReport], tmp_path: Path
) -> None:
    before, after, report = study
    shown = {}
    for name, output in (("kept", before), ("zeroed", np.full_like(after, -1000.0))):
        write_figure(tmp_path / f"{name}.png", before, output, report, GRID)
        page = _pixels(tmp_path / f"{name}.png")
        # The centres of the three panels: 50 HU in [-160, 240] is the grey of 134.
        shown[name] = [page[380:460, x - 40 : x + 40].mean() for x in (330, 900, 1465)]
    assert shown["kept"] == pytest.approx([134, 134, 128], abs=8)
    assert shown["zeroed"][1] == pytest.approx(0, abs=1)
    assert shown["zeroed"][2] > 240


def test_warnings_are_red_and_their_absence_is_not(
    study: tuple[np.ndarray, np.ndarray, TrustReport], tmp_path: Path
) -> None:
    before, after, report = study
    red = {}
    for name, warnings in (("calm", ()), ("loud", tuple(f"Warning {n} of many." for n in range(9)))):
        write_figure(tmp_path / f"{name}.png", before, after, replace(report, warnings=warnings), GRID)
        foot = _pixels(tmp_path / f"{name}.png")[1165:]
        red[name] = int(np.sum((foot[..., 0] > 150) & (foot[..., 1] < 100)))
        assert np.all(foot[-8:] == 255)
    assert red["calm"] == 0
    assert red["loud"] > 300


@pytest.mark.parametrize("volume", [np.full((1, 9, 300), -1000, dtype=np.int16), np.full((2, 40, 4), np.nan)])
def test_a_study_in_which_nothing_could_be_measured_is_drawn_too(volume: np.ndarray, tmp_path: Path) -> None:
    report = trust_report(volume, volume, GRID, padding_below=None, trusted=None, run=RUN)
    write_figure(tmp_path / "empty.png", volume, volume, report, GRID)
    assert _pixels(tmp_path / "empty.png").shape == (1290, 1800, 3)


def test_a_slice_stored_upside_down_is_shown_upright(
    study: tuple[np.ndarray, np.ndarray, TrustReport], tmp_path: Path
) -> None:
    before, after, report = study
    marked = before.copy()
    marked[:, 10:30, 10:30] = 240.0
    write_figure(tmp_path / "upright.png", marked, after, report, GRID)
    turned = replace(GRID, direction=(-1.0, 0.0, 0.0, 0.0, -1.0, 0.0, 0.0, 0.0, 1.0))
    write_figure(tmp_path / "turned.png", marked[:, ::-1, ::-1], after[:, ::-1, ::-1], report, turned)
    assert (tmp_path / "upright.png").read_bytes() == (tmp_path / "turned.png").read_bytes()


def test_the_slice_shown_is_the_most_central_of_those_with_much_in_them() -> None:
    volume = np.full((9, 4, 4), -1000.0)
    volume[1:4] = 40.0
    volume[4, 0] = 40.0
    assert informative_slice(volume, (0, 1, 2, 3, 4, 5)) == 3
    assert informative_slice(np.full((5, 4, 4), -1000.0), (0, 2, 4)) == 2


def test_a_figure_that_cannot_be_written_leaves_nothing(
    study: tuple[np.ndarray, np.ndarray, TrustReport], tmp_path: Path
) -> None:
    (tmp_path / "folder.png").mkdir()
    with pytest.raises(MedEnhanceError) as caught:
        write_figure(tmp_path / "folder.png", *study, GRID)
    assert caught.value.kind == "output-refused"
    assert [p.name for p in tmp_path.iterdir()] == ["folder.png"]


def test_neither_the_report_nor_the_figure_loads_matplotlib_before_it_draws() -> None:
    code = "import sys, medenhance.figure, medenhance.measure.trust; sys.exit('matplotlib' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
