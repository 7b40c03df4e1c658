"""The main job on real studies with the model that ships: a valid study on the input's grid, or a clear refusal."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk

from medenhance.errors import MedEnhanceError
from medenhance.manifest import load_manifest
from medenhance.study import read_study
from medenhance.tasks.denoise_ct import DenoiseRequest, run

pytestmark = pytest.mark.skipif(not load_manifest(), reason="this checkout brings no model")

# Studies of the folder of real images, and what an output of the same kind is called.
STUDIES = [
    ("head_ct/ge_hispeed_tilt_variable_spacing", "out"),
    ("head_ct/subdural_slice_693", "out"),
    ("body_ct/siemens_abdomen_j2k_20slices", "out"),
    ("body_ct/dcmqi_ct_3slice", "out"),
    ("body_ct/thorax_aorta_1p5mm/ct_cropped.nii.gz", "out.nii.gz"),
    ("body_ct/sts_petct_lowdose/STS_019_CT_image.nii.gz", "out.nii.gz"),
    ("dicom_tricky/eCT_Supplemental.dcm", "out"),
    ("dicom_tricky/bad_sequence.dcm", "out"),
    ("dicom_tricky/explicit_VR-UN.dcm", "out"),
]


@pytest.fixture(autouse=True)
def empty_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MEDENHANCE_CACHE", str(tmp_path.parent / f"{tmp_path.name}-cache"))


@pytest.mark.parametrize(("name", "output"), STUDIES, ids=[name for name, _ in STUDIES])
def test_a_real_study_comes_back_denoised_on_its_own_grid(
    name: str, output: str, shared_data: Path, tmp_path: Path
) -> None:
    request = DenoiseRequest(shared_data / name, tmp_path / output, report=tmp_path / "report.json")
    report = run(request)
    before, after = read_study(request.input), read_study(request.output)
    assert after.grid == before.grid
    assert not np.array_equal(after.array, before.array)
    if before.padding_below is not None:
        padding = before.array <= before.padding_below
        assert np.array_equal(after.array[padding], before.array[padding])
    written = json.loads((tmp_path / "report.json").read_text(encoding="utf-8"))
    assert written == json.loads(json.dumps(report.to_json()))


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("body_ct/deeplesion_000088_03_01", "21 x .png"),
        ("ct_lowdose/sfrc_L506_slice32_pair", "2 x .raw"),
        ("dicom_tricky/vlut_04.dcm", "OT, not CT"),
        ("radiographs/wg04_cr/RG3_J2KR.dcm", "CR, not CT"),
    ],
)
def test_what_is_no_ct_study_is_refused_and_nothing_is_written(
    name: str, words: str, shared_data: Path, tmp_path: Path
) -> None:
    with pytest.raises(MedEnhanceError, match=words) as caught:
        run(DenoiseRequest(shared_data / name, tmp_path / "out", report=tmp_path / "report.json"))
    assert caught.value.kind == "input-unsuitable"
    assert caught.value.hint
    assert list(tmp_path.iterdir()) == []


def as_volume(slices: np.ndarray, path: Path) -> Path:
    image = sitk.GetImageFromArray(slices.astype(np.int16))
    image.SetSpacing((0.8, 0.8, 3.0))
    sitk.WriteImage(image, path)
    return path


def test_slices_from_png_files_of_a_public_data_set(shared_data: Path, tmp_path: Path) -> None:
    """DeepLesion: 16-bit PNG, HU = value - 32768."""
    files = sorted((shared_data / "body_ct/deeplesion_000088_03_01").glob("*.png"))[:4]
    slices = np.stack([sitk.GetArrayFromImage(sitk.ReadImage(str(file))).astype(np.int32) - 32768 for file in files])
    report = run(DenoiseRequest(as_volume(slices, tmp_path / "in.nrrd"), tmp_path / "out.nrrd"))
    soft = next(row for row in report.to_json()["tissues"] if row["tissue"] == "soft")
    assert soft["noise_sd_after_hu"] < soft["noise_sd_before_hu"]  # a scan of full dose, so not by much


def test_a_real_quarter_dose_slice_comes_closer_to_its_full_dose_twin(shared_data: Path, tmp_path: Path) -> None:
    folder = shared_data / "ct_lowdose/sfrc_L506_slice32_pair"
    raw = {
        path.name: np.fromfile(path, "<u2").reshape(1, 512, 512).astype(np.int32) - 1024
        for path in folder.iterdir()
        if path.stat().st_size == 2 * 512 * 512
    }
    (full,) = (array for name, array in raw.items() if "full" in name.lower() or "fd" in name.lower())
    (low,) = (array for name, array in raw.items() if array is not full)
    run(DenoiseRequest(as_volume(low, tmp_path / "in.nrrd"), tmp_path / "out.nrrd"))
    after = sitk.GetArrayFromImage(sitk.ReadImage(tmp_path / "out.nrrd"))

    def error(array: np.ndarray) -> float:
        return float(np.sqrt(np.mean((array.clip(-160, 240) - full.clip(-160, 240)) ** 2.0)))

    assert error(after) < 0.6 * error(low)
