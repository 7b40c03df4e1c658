"""`medenhance-train simulate low-dose-ct`: a study in, the same study at a lower dose out."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pydicom
import pytest
import SimpleITK as sitk
from paired_trees import write_series

from medenhance.errors import MedEnhanceError
from medenhance_training.commands import simulate
from medenhance_training.commands.simulate import SimulateLowDoseCt, simulate_low_dose_ct
from medenhance_training.data import demo


@pytest.fixture
def study(tmp_path: Path) -> Path:
    """An oblique study: a soft-tissue cylinder in air, with a padded corner, int16."""
    array = np.full((3, 60, 50), -1000, np.int16)
    rows, columns = np.mgrid[-30:30, -25:25]
    array[:, np.hypot(rows, columns) < 20] = 40
    array[:, :4, :4] = -2000
    image = sitk.GetImageFromArray(array)
    image.SetSpacing((6.0, 6.0, 4.0))
    image.SetOrigin((3.0, -7.5, 11.25))
    image.SetDirection((0.8, -0.6, 0, 0.6, 0.8, 0, 0, 0, 1))
    path = tmp_path / "study.nrrd"
    sitk.WriteImage(image, str(path))
    return path


def voxels(path: Path) -> np.ndarray:
    return sitk.GetArrayFromImage(sitk.ReadImage(str(path)))


def test_the_study_gets_noise_and_keeps_everything_else(study: Path, tmp_path: Path) -> None:
    out = tmp_path / "low.nrrd"
    assert simulate_low_dose_ct(SimulateLowDoseCt(study, out)) == (out,)
    before, after = sitk.ReadImage(str(study)), sitk.ReadImage(str(out))
    assert before.GetOrigin() == after.GetOrigin()
    assert before.GetDirection() == after.GetDirection()
    assert before.GetSpacing() == after.GetSpacing()
    assert voxels(out).dtype == np.int16
    tissue = voxels(study) == 40
    noise = (voxels(out).astype(float) - voxels(study))[tissue]
    assert noise.std() > 5
    assert abs(noise.mean()) < 0.1 * noise.std()
    assert np.all(voxels(out)[voxels(study) == -2000] == -2000), "padding is not a measurement"


def test_the_same_seed_gives_the_same_study_and_slices_differ(study: Path, tmp_path: Path) -> None:
    args = SimulateLowDoseCt(study, tmp_path / "a.nrrd", seed=3)
    simulate_low_dose_ct(args)
    simulate_low_dose_ct(replace(args, output=tmp_path / "b.nrrd"))
    simulate_low_dose_ct(replace(args, output=tmp_path / "c.nrrd", seed=4))
    np.testing.assert_array_equal(voxels(tmp_path / "a.nrrd"), voxels(tmp_path / "b.nrrd"))
    assert not np.array_equal(voxels(tmp_path / "a.nrrd"), voxels(tmp_path / "c.nrrd"))
    assert not np.array_equal(*voxels(tmp_path / "a.nrrd")[:2])


def test_less_dose_or_fewer_photons_give_more_noise(study: Path, tmp_path: Path) -> None:
    def noise_sd(name: str, **options: float) -> float:
        args = replace(SimulateLowDoseCt(study, tmp_path / name), **options)  # type: ignore[arg-type]
        simulate_low_dose_ct(args)
        return float((voxels(tmp_path / name).astype(float) - voxels(study))[voxels(study) == 40].std())

    quarter = noise_sd("a.nrrd")
    assert noise_sd("b.nrrd", dose=0.1) == pytest.approx(quarter * np.sqrt(9 / 3), rel=0.05)
    assert noise_sd("c.nrrd", photons=1.75e5 / 4) == pytest.approx(2 * quarter, rel=0.05)
    assert noise_sd("d.nrrd", cutoff=0.9, order=4.0) > 1.5 * quarter


def test_a_dicom_series_becomes_a_derived_one(tmp_path: Path) -> None:
    write_series(tmp_path / "in", ["1", "2"], [0.0, 3.0], spacing=5.0, size=40)
    simulate_low_dose_ct(SimulateLowDoseCt(tmp_path / "in", tmp_path / "out", dose=0.5))
    written = [pydicom.dcmread(path) for path in sorted((tmp_path / "out").iterdir())]
    assert [list(one.ImageType[:2]) for one in written] == [["DERIVED", "SECONDARY"]] * 2
    assert written[0].PatientID == "L067"
    assert "simulated 50% dose" in written[0].SeriesDescription
    assert "research use only" in written[0].DerivationDescription


def test_unsigned_voxels_do_not_clip_the_noise(tmp_path: Path) -> None:
    image = sitk.GetImageFromArray(np.zeros((1, 40, 40), np.uint16))
    image.SetSpacing((8.0, 8.0, 3.0))
    sitk.WriteImage(image, str(tmp_path / "water.nrrd"))
    simulate_low_dose_ct(SimulateLowDoseCt(tmp_path / "water.nrrd", tmp_path / "low.nrrd"))
    low = voxels(tmp_path / "low.nrrd")
    assert low.min() < 0
    assert abs(low.mean()) < 0.1 * low.std()


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"dose": 0.0}, "not a fraction"),
        ({"cutoff": 0.5}, "makes no sense"),
        ({"photons": -1.0}, "photons is -1"),
        ({"input": Path("missing.nrrd")}, "nothing at"),
        ({"input": None}, "missing"),
        ({"demo": Path("folder")}, "takes no INPUT"),
    ],
)
def test_what_makes_no_sense_is_refused_and_leaves_nothing(
    study: Path, tmp_path: Path, options: dict[str, object], said: str
) -> None:
    args = replace(SimulateLowDoseCt(study, tmp_path / "out.nrrd"), **options)  # type: ignore[arg-type]
    with pytest.raises(MedEnhanceError, match=said):
        simulate_low_dose_ct(args)
    assert [path.name for path in tmp_path.iterdir()] == ["study.nrrd"]


def test_the_demonstrations_case_fits_in_three_megabytes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    one = demo.demo_case(num_slices=1)
    monkeypatch.setattr(demo, "demo_case", lambda: one)
    truth, low = simulate.write_demo(tmp_path / "demo")
    np.testing.assert_array_equal(voxels(truth), one.truth)
    np.testing.assert_array_equal(voxels(low), one.low)
    size = truth.stat().st_size + low.stat().st_size
    assert size * demo.SHAPE[0] < 3e6
    assert sitk.ReadImage(str(low)).GetSpacing() == pytest.approx(one.spacing_mm)
