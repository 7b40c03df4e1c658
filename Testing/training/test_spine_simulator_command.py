"""`medenhance-train simulate spine-ultrasound`: subjects as folders, and the comparison with a real image."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk

from medenhance.errors import MedEnhanceError
from medenhance_training.__main__ import main
from medenhance_training.commands.simulate_spine import SimulateSpineUltrasound, simulate_spine_ultrasound
from medenhance_training.data.spine.config import SpineConfig
from medenhance_training.data.spine.simulate import simulate_case


def pixels(path: Path) -> np.ndarray:
    return sitk.GetArrayFromImage(sitk.ReadImage(str(path)))


def test_a_subject_is_written_as_it_was_simulated(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["simulate", "spine-ultrasound", str(tmp_path), "--cases", "2", "--seed", "7", "--pixel-mm", "0.8"]
    assert main([*words, "--volume"]) == 0
    assert capsys.readouterr().out.split() == [str(tmp_path / "case_00007"), str(tmp_path / "case_00008")]
    case, folder = simulate_case(8, SpineConfig(pixel_mm=0.8, with_volume=True)), tmp_path / "case_00008"
    for k in range(5):
        np.testing.assert_array_equal(pixels(folder / f"vpi_d{k + 1}.png"), case.projections[k])
        np.testing.assert_array_equal(pixels(folder / f"clean_d{k + 1}.png"), case.clean[k])
        np.testing.assert_array_equal(pixels(folder / f"noise_d{k + 1}.png") == 255, case.noise_mask[k])
    np.testing.assert_array_equal(pixels(folder / "mask.png"), case.labels)
    np.testing.assert_array_equal(pixels(folder / "volume.nrrd"), case.volume)
    truth = json.loads((folder / "case.json").read_text(encoding="utf-8"))
    assert truth["tilts_deg"] == case.tilts_deg
    assert [curve["angle_deg"] for curve in truth["curves"]] == [curve.angle_deg for curve in case.curves]
    assert len(truth["landmarks"]) == 28
    assert (truth["pixel_mm"], truth["label_order"]) == (0.8, "da-gan")


def test_the_volume_lies_in_a_patient_who_lies_face_down(tmp_path: Path) -> None:
    simulate_spine_ultrasound(SimulateSpineUltrasound(tmp_path, pixel_mm=1.0, volume=True))
    image = sitk.ReadImage(str(tmp_path / "case_00000" / "volume.nrrd"))
    here = np.array(image.TransformIndexToPhysicalPoint((0, 0, 0)))
    column, row, plane = (
        np.array(image.TransformIndexToPhysicalPoint(index)) - here for index in ((1, 0, 0), (0, 1, 0), (0, 0, 1))
    )
    # LPS: columns run to the patient's right, rows to the feet, planes from the back to the front.
    np.testing.assert_allclose(column, (-1.0, 0, 0))
    np.testing.assert_allclose(row, (0, 0, -1.0))
    np.testing.assert_allclose(plane, (0, -0.8, 0))


def test_a_real_image_is_set_beside_the_simulated_ones(tmp_path: Path) -> None:
    stripes = np.zeros((400, 400), np.uint8)
    stripes[::2] = 255
    sitk.WriteImage(sitk.GetImageFromArray(stripes), str(tmp_path / "real.png"))
    (table,) = simulate_spine_ultrasound(SimulateSpineUltrasound(compare=tmp_path / "real.png"))
    assert "of 1 simulated" in table
    assert len(table.splitlines()) == 15


@pytest.mark.parametrize(
    ("args", "kind"),
    [
        (SimulateSpineUltrasound(), "bad-option"),
        (SimulateSpineUltrasound(Path("x"), cases=0), "bad-option"),
        (SimulateSpineUltrasound(Path("x"), pixel_mm=2.0), "bad-option"),
        (SimulateSpineUltrasound(Path("x"), curve_deg=(50.0, 10.0)), "bad-option"),
        (SimulateSpineUltrasound(compare=Path("nowhere.png")), "input-unreadable"),
        (SimulateSpineUltrasound(compare=Path("a.png"), pixel_mm=0.5), "bad-option"),
    ],
)
def test_what_makes_no_sense_is_refused(args: SimulateSpineUltrasound, kind: str) -> None:
    with pytest.raises(MedEnhanceError) as caught:
        simulate_spine_ultrasound(args)
    assert caught.value.kind == kind


def test_a_colour_picture_is_refused(tmp_path: Path) -> None:
    colour = sitk.GetImageFromArray(np.zeros((400, 400, 3), np.uint8), isVector=True)
    sitk.WriteImage(colour, str(tmp_path / "colour.png"))
    with pytest.raises(MedEnhanceError, match="8-bit grey"):
        simulate_spine_ultrasound(SimulateSpineUltrasound(compare=tmp_path / "colour.png"))
