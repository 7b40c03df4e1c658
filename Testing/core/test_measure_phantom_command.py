"""`medenhance measure-phantom`, from files to a table and a JSON."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk
from scipy.ndimage import gaussian_filter

from medenhance.__main__ import main
from medenhance.errors import MedEnhanceError
from medenhance.tasks.measure_phantom import measure_phantom, read_inserts

SPACING_MM = 0.5
HEADING = "name,row,column,radius_mm,contrast_hu\n"


@pytest.fixture
def scans(tmp_path: Path) -> tuple[Path, Path, Path]:
    """Files with and without a disk of 200 HU and radius 6 mm, blurred by 0.5 mm, noise 10 HU, and its CSV."""
    rows, columns = np.indices((96, 96))
    disk = gaussian_filter(200.0 * (np.hypot(rows - 47.5, columns - 47.5) * SPACING_MM < 6.0), 1.0)
    rng = np.random.default_rng(3)
    paths = tmp_path / "present.nrrd", tmp_path / "absent.nrrd"
    for path, clean in zip(paths, (disk, 0.0 * disk), strict=True):
        image = sitk.GetImageFromArray((clean + rng.normal(0.0, 10.0, (8, 96, 96))).astype(np.float32))
        image.SetSpacing((SPACING_MM, SPACING_MM, 3.0))
        sitk.WriteImage(image, str(path))
    table = tmp_path / "inserts.csv"
    table.write_text(f"{HEADING}disk,47.5,47.5,6,\n", encoding="utf-8")
    return *paths, table


def test_the_table_and_the_json_hold_what_was_scanned(
    scans: tuple[Path, Path, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    report = scans[0].with_name("report.json")
    assert main(["measure-phantom", *map(str, scans), "--output", str(report)]) == 0
    printed = capsys.readouterr().out
    assert "disk" in printed
    assert "Hotelling observer needs 40 scans" in printed
    assert "Research use only" in printed
    insert = json.loads(report.read_text(encoding="utf-8"))["inserts"][0]
    assert insert["transfer"]["contrast_hu"] == pytest.approx(200.0, rel=0.02)
    assert insert["noise_power"]["noise_sd_hu"] == pytest.approx(10.0, rel=0.05)
    blur_mm = 1.0 * SPACING_MM
    assert insert["transfer"]["f50"] == pytest.approx(np.sqrt(np.log(2.0) / 2.0) / np.pi / blur_mm, rel=0.08)


@pytest.mark.parametrize(
    ("text", "match"),
    [
        (HEADING, "names no insert"),
        (f"{HEADING}a,1,2,zero,\n", "row 1, column radius_mm: 'zero'"),
        (f"{HEADING}a,1,2,0,\n", "radius of 0 mm"),
        (f"{HEADING}a,1,,3,\n", "column column"),
        (f"{HEADING}a,1,2,nan,5\n", "'nan'"),
    ],
)
def test_a_wrong_table_is_refused_with_the_place(tmp_path: Path, text: str, match: str) -> None:
    table = tmp_path / "inserts.csv"
    table.write_text(text, encoding="utf-8")
    with pytest.raises(MedEnhanceError, match=match) as refused:
        read_inserts(table)
    assert "radius_mm" in refused.value.hint


def test_studies_that_do_not_fit_are_refused(scans: tuple[Path, Path, Path]) -> None:
    present, absent, table = scans
    image = sitk.ReadImage(str(absent))
    image.SetSpacing((0.7, 0.7, 3.0))
    sitk.WriteImage(image, str(absent))
    with pytest.raises(MedEnhanceError, match="pixels of"):
        measure_phantom(present, absent, table)
    with pytest.raises(MedEnhanceError, match="no file"):
        measure_phantom(present, absent, table.with_name("none.csv"))
    sitk.WriteImage(image[:, :, :1], str(absent))
    with pytest.raises(MedEnhanceError):
        measure_phantom(absent, absent, table)
