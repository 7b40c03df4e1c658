"""The demonstration compares with a known truth, writes what it says, and replaces nothing but its own files."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from medenhance import demo
from medenhance.__main__ import main
from medenhance.demo import compare, run_demo
from medenhance.errors import MedEnhanceError
from medenhance.image_files import write_image
from medenhance.manifest import load_manifest
from medenhance.progress import Silent
from medenhance.study import read_study
from medenhance.tasks.denoise_ct import DenoiseOptions
from medenhance.volume import Grid, Volume

FILES = {
    "low-dose case": "low_dose.nrrd",
    "truth": "truth.nrrd",
    "denoised": "denoised.nrrd",
    "residual": "residual.nrrd",
    "report": "report.json",
    "figure": "report.png",
}


@pytest.fixture
def case(tmp_path: Path, ct_array: np.ndarray, monkeypatch: pytest.MonkeyPatch) -> np.ndarray:
    """Stands in for the built-in case; returns its truth."""
    truth = np.repeat(np.median(ct_array, axis=0, keepdims=True), 5, axis=0).astype(np.int16)
    grid = Grid((0.7, 0.8, 2.1))
    write_image(Volume(ct_array, grid, modality="CT"), tmp_path / "demo_low_dose.nrrd", {})
    write_image(Volume(truth, grid, modality="CT"), tmp_path / "demo_truth.nrrd", {})
    monkeypatch.setattr(demo, "LOW_DOSE", tmp_path / "demo_low_dose.nrrd")
    monkeypatch.setattr(demo, "TRUTH", tmp_path / "demo_truth.nrrd")
    return truth


def names_in(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def test_the_built_in_case_gives_figures_against_its_truth(case: np.ndarray, tiny_model: str, tmp_path: Path) -> None:
    folder = tmp_path / "demo"
    result = run_demo(folder, DenoiseOptions(tiny_model), Silent())
    assert result.files == {what: folder / name for what, name in FILES.items()}
    assert names_in(folder) == {*FILES.values(), "medenhance-demo.json"}
    low_dose, denoised = (read_study(folder / name).array for name in ("low_dose.nrrd", "denoised.nrrd"))
    assert result.before == compare(low_dose, case)
    assert result.after == compare(denoised, case)
    np.testing.assert_array_equal(read_study(folder / "residual.nrrd").array, low_dose - denoised)
    assert json.loads((folder / "report.json").read_text(encoding="utf-8"))["run"]["model_id"] == tiny_model


def test_a_shift_of_every_voxel_is_the_bias_of_every_tissue(ct_array: np.ndarray) -> None:
    truth = np.repeat(np.median(ct_array, axis=0, keepdims=True), 5, axis=0).repeat(3, axis=1).repeat(3, axis=2)
    quality = compare(truth + 3.0, truth)
    assert {"air", "lung", "fat", "soft", "bone"} == quality.bias_hu.keys()
    assert quality.bias_hu["soft"] == pytest.approx(3)
    assert quality.bias_hu["fat"] == pytest.approx(3)
    assert quality.bias_hu["bone"] is None
    inside = np.mean((truth > -160) & (truth < 237))  # outside the window nothing differs
    assert quality.rmse_hu == pytest.approx(3 * np.sqrt(inside), rel=0.01)
    assert quality.psnr_db == pytest.approx(20 * np.log10(400 / quality.rmse_hu), abs=0.01)


@pytest.mark.usefixtures("case")
def test_a_second_run_replaces_the_first_and_gives_the_same(tiny_model: str, tmp_path: Path) -> None:
    first = run_demo(tmp_path / "demo", DenoiseOptions(tiny_model), Silent())
    (tmp_path / "demo" / "notes.txt").write_text("mine", encoding="utf-8")
    second = run_demo(tmp_path / "demo", DenoiseOptions(tiny_model), Silent())
    assert first.after == second.after
    assert (tmp_path / "demo" / "notes.txt").read_text(encoding="utf-8") == "mine"


@pytest.mark.parametrize("name", ["denoised.nrrd", "truth.nrrd", "medenhance-demo.json"])
@pytest.mark.usefixtures("case")
def test_a_file_of_the_users_is_never_replaced(tiny_model: str, tmp_path: Path, name: str) -> None:
    mine = tmp_path / "demo" / name
    mine.parent.mkdir()
    mine.write_text("mine", encoding="utf-8")
    with pytest.raises(MedEnhanceError, match="in the way") as refused:
        run_demo(tmp_path / "demo", DenoiseOptions(tiny_model), Silent())
    assert refused.value.kind == "output-refused"
    assert mine.read_text(encoding="utf-8") == "mine"
    assert names_in(tmp_path / "demo") == {name}


@pytest.mark.usefixtures("case")
def test_a_result_that_the_user_changed_is_not_replaced(tiny_model: str, tmp_path: Path) -> None:
    run_demo(tmp_path / "demo", DenoiseOptions(tiny_model), Silent())
    (tmp_path / "demo" / "report.json").write_text("annotated", encoding="utf-8")
    with pytest.raises(MedEnhanceError, match=r"report\.json is in the way"):
        run_demo(tmp_path / "demo", DenoiseOptions(tiny_model), Silent())


@pytest.mark.usefixtures("case")
def test_the_result_of_a_demonstration_cannot_be_its_input(tiny_model: str, tmp_path: Path) -> None:
    run_demo(tmp_path / "demo", DenoiseOptions(tiny_model), Silent())
    with pytest.raises(MedEnhanceError, match="is the input itself"):
        run_demo(tmp_path / "demo", DenoiseOptions(tiny_model), Silent(), tmp_path / "demo" / "denoised.nrrd")


@pytest.mark.usefixtures("case")
def test_the_command_prints_the_figures_and_the_places(
    tiny_model: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["demo", "--model", tiny_model]) == 0
    out = capsys.readouterr().out
    for name in FILES.values():
        assert str(Path("medenhance-demo") / name) in out
    for words in ("PSNR", "SSIM", "RMSE", "CT-number bias, soft", "[-160, 240] HU", "Research use only"):
        assert words in out


@pytest.mark.usefixtures("case")
def test_a_study_of_the_users_gets_the_trust_report_only(
    tiny_model: str,
    tmp_path: Path,
    ct_array: np.ndarray,
    write_dicom: Callable[..., Path],
    capsys: pytest.CaptureFixture[str],
) -> None:
    study = write_dicom(tmp_path / "study", ct_array)
    assert main(["demo", str(study), "--output", str(tmp_path / "demo"), "--model", tiny_model]) == 0
    out = capsys.readouterr().out
    assert "PSNR" not in out
    assert "noise SD before" in out
    assert names_in(tmp_path / "demo") == {*FILES.values(), "medenhance-demo.json"} - {"low_dose.nrrd", "truth.nrrd"}


def test_the_case_that_ships_is_small_and_its_images_lie_on_one_grid() -> None:
    assert demo.LOW_DOSE.stat().st_size + demo.TRUTH.stat().st_size <= 3e6
    low_dose, truth = read_study(demo.LOW_DOSE), read_study(demo.TRUTH)
    assert low_dose.grid == truth.grid
    assert low_dose.array.shape == truth.array.shape
    assert not np.array_equal(low_dose.array, truth.array)


def test_the_default_model_brings_the_case_that_ships_nearer_to_its_truth(tmp_path: Path) -> None:
    if not any(entry.default for entry in load_manifest().values()):
        pytest.skip("this checkout brings no model")
    result = run_demo(tmp_path / "demo", DenoiseOptions(), Silent())
    assert result.before is not None
    assert result.after is not None
    assert result.after.psnr_db > result.before.psnr_db + 1.5
    assert result.after.ssim > result.before.ssim
