"""Any supported input to any supported output; what cannot be is refused early and leaves nothing behind."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import SimpleITK as sitk

from medenhance.errors import Cancelled, MedEnhanceError
from medenhance.image_files import FORMATS
from medenhance.progress import Silent
from medenhance.study import Derivation, check_output, read_study, write_study
from medenhance.volume import Volume

WriteDicom = Callable[..., Path]

DERIVATION = Derivation("tiny", "1", "0a" * 32, "Test", "copied")
PLACE = "Größe 尺寸 ü"


@pytest.fixture
def folder(tmp_path: Path, write_dicom: WriteDicom) -> Path:
    """A DICOM series of 4 slices in a path with accents, CJK characters and blanks."""
    hu = np.random.default_rng(4).integers(-1024, 3071, (4, 9, 7)).astype(np.int16)
    return write_dicom(tmp_path / PLACE / "source", hu)


def refusal(path: Path, source: Path) -> MedEnhanceError:
    with pytest.raises(MedEnhanceError) as caught:
        check_output(path, source)
    return caught.value


def left_over(place: Path) -> list[str]:
    """Whatever lies beside the source."""
    return sorted(path.name for path in place.iterdir() if path.name != "source")


# Conversions


def test_dicom_goes_through_every_format_and_back_unchanged(folder: Path, tmp_path: Path) -> None:
    source = read_study(folder)
    volume = source
    for suffix in FORMATS:
        path = tmp_path / PLACE / f"step{suffix}"
        assert write_study(volume, path, DERIVATION) == ()
        volume = read_study(path)
        np.testing.assert_array_equal(volume.array, source.array)
        assert volume.array.dtype == np.int16
        np.testing.assert_allclose(volume.grid.affine, source.grid.affine, atol=1e-5)
    write_study(source, tmp_path / "out", DERIVATION)
    np.testing.assert_array_equal(read_study(tmp_path / "out").array, source.array)


def test_values_that_are_no_whole_hu_stay_floats(folder: Path, tmp_path: Path) -> None:
    import pydicom

    for path in folder.iterdir():
        dataset = pydicom.dcmread(path)
        dataset.RescaleSlope = "0.1"
        dataset.save_as(path)
    source = read_study(folder)
    write_study(source, tmp_path / "a.nrrd", None)
    np.testing.assert_array_equal(read_study(tmp_path / "a.nrrd").array, source.array)


def test_folders_may_have_dots_in_their_names(folder: Path, tmp_path: Path) -> None:
    for name in ("1.2.840.10008.5", "study 2.1", "john.doe"):
        check_output(tmp_path / name, folder)
        write_study(read_study(folder), tmp_path / name, DERIVATION)
        assert len(list((tmp_path / name).iterdir())) == 4


def test_dicom_is_not_made_from_files_without_a_patient(tmp_path: Path) -> None:
    volume = Volume(np.zeros((2, 3, 4), np.int16))
    write_study(volume, tmp_path / "a.nrrd")
    for name in ("out", "out.dcm"):
        with pytest.raises(MedEnhanceError, match="can only be derived from a DICOM series"):
            write_study(volume, tmp_path / name, DERIVATION)
        assert "can only be derived" in refusal(tmp_path / name, tmp_path / "a.nrrd").message
    assert left_over(tmp_path) == ["a.nrrd"]


def test_a_derived_series_needs_a_derivation(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(MedEnhanceError, match="must state how"):
        write_study(read_study(folder), tmp_path / "out", None)


@pytest.mark.parametrize("name", ["a.png", "a.npy", "a.raw", "a.nii.zip", "a.jpeg", "a.nifti"])
def test_formats_that_hold_no_volume_are_refused(folder: Path, tmp_path: Path, name: str) -> None:
    assert "cannot be written as" in refusal(tmp_path / name, folder).message
    with pytest.raises(MedEnhanceError, match="cannot be written as"):
        write_study(read_study(folder), tmp_path / name, DERIVATION)


@pytest.mark.parametrize(
    ("name", "kind"),
    [("missing.nrrd", "input-missing"), ("a.png", "input-unsuitable"), ("a.txt", "input-unsuitable")],
)
def test_inputs_that_cannot_be_read_are_refused(tmp_path: Path, name: str, kind: str) -> None:
    if "missing" not in name:
        (tmp_path / name).write_bytes(b"\x89PNG")
    with pytest.raises(MedEnhanceError) as caught:
        read_study(tmp_path / name)
    assert caught.value.kind == kind
    assert name in caught.value.message


@pytest.mark.parametrize("suffix", FORMATS)
def test_files_that_are_not_what_their_name_says_are_refused(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"wrong{suffix}"
    path.write_bytes(b"this is a text\n" * 100)
    with pytest.raises(MedEnhanceError, match="wrong") as caught:
        read_study(path)
    assert caught.value.kind == "input-unreadable"


# Checking the output before the work


@pytest.mark.parametrize("name", ["out", "out.nrrd", "out.dcm", "new/deep/out", "new/out.nii.gz"])
def test_good_outputs_pass_and_nothing_is_made(folder: Path, name: str) -> None:
    check_output(folder.parent / name, folder)
    assert left_over(folder.parent) == []


def test_outputs_in_the_way_are_refused(folder: Path) -> None:
    place = folder.parent
    (place / "file").write_text("x")
    (place / "taken.nrrd").mkdir()
    (place / "lone.raw").write_text("x")
    cases = {
        folder: "is the input itself",
        place / "source" / ".." / "source": "is the input itself",
        folder / "out": "lies inside the input folder",
        folder / "out.dcm": "lies inside the input folder",
        place: "is not empty",
        place / "file": "is a file, not a folder",
        place / "taken.nrrd": "is a folder",
        place / "lone.mhd": "belongs to something else",
        place / "file" / "out": "cannot be written",
    }
    for path, text in cases.items():
        error = refusal(path, folder)
        assert error.kind == "output-refused"
        assert text in error.message, path
        assert error.hint


def test_an_input_file_is_never_overwritten(tmp_path: Path) -> None:
    write_study(Volume(np.zeros((2, 3, 4), np.int16)), tmp_path / "a.nrrd")
    assert "is the input itself" in refusal(tmp_path / "a.nrrd", tmp_path / "a.nrrd").message
    (tmp_path / "link.nrrd").symlink_to(tmp_path / "a.nrrd")
    assert "is the input itself" in refusal(tmp_path / "link.nrrd", tmp_path / "a.nrrd").message


def test_an_image_file_may_lie_in_the_input_folder(folder: Path) -> None:
    check_output(folder / "out.nrrd", folder)
    write_study(read_study(folder), folder / "out.nrrd", DERIVATION)
    assert any("out.nrrd" in warning for warning in read_study(folder).warnings)


def test_an_empty_output_folder_may_be_there(folder: Path) -> None:
    out = folder.parent / "out"
    out.mkdir()
    check_output(out, folder)
    write_study(read_study(folder), out, DERIVATION)
    assert len(list(out.iterdir())) == 4
    with pytest.raises(MedEnhanceError, match="cannot be written"):
        write_study(read_study(folder), out, DERIVATION)
    assert left_over(folder.parent) == ["out"]


@pytest.mark.parametrize("obstacle", ["mounted", "parent not writable"])
def test_a_folder_that_cannot_be_renamed_is_written_into(
    folder: Path, obstacle: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = folder.parent / "out"
    out.mkdir()
    if obstacle == "mounted":
        monkeypatch.setattr(os.path, "ismount", lambda path: Path(path) == out)
    else:
        make = Path.mkdir

        def refuse_in_parent(path: Path, *args: Any, **kwargs: Any) -> None:
            if path.parent == folder.parent and path.name.startswith("."):
                raise PermissionError(13, "Permission denied", str(path))
            make(path, *args, **kwargs)

        monkeypatch.setattr(Path, "mkdir", refuse_in_parent)
    check_output(out, folder)
    write_study(read_study(folder), out, DERIVATION)
    assert left_over(out) == ["0001.dcm", "0002.dcm", "0003.dcm", "0004.dcm"]
    assert left_over(folder.parent) == ["out"]


# Whole or not at all


def test_an_older_file_is_replaced_whole_or_kept(folder: Path) -> None:
    class Stop(Silent):
        calls = 0

        def cancelled(self) -> bool:
            self.calls += 1
            return self.calls == 3

    volume, path = read_study(folder), folder.parent / "a.nrrd"
    path.write_bytes(b"older")
    with pytest.raises(Cancelled):
        write_study(volume, path, DERIVATION, progress=Stop())
    assert path.read_bytes() == b"older"
    assert left_over(folder.parent) == ["a.nrrd"]
    write_study(volume, path, DERIVATION)
    np.testing.assert_array_equal(read_study(path).array, volume.array)


FILL_DISK = """
import resource, sys
from pathlib import Path
from typing import Any
from medenhance.errors import MedEnhanceError
from medenhance.study import Derivation, read_study, write_study
volume = read_study(Path(sys.argv[1]))
resource.setrlimit(resource.RLIMIT_FSIZE, (100, 100))  # every file ends after 100 bytes, as on a full disk
try:
    write_study(volume, Path(sys.argv[2]), Derivation("m", "1", "", "x", "y"))
except MedEnhanceError as error:
    print(error.kind)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="file sizes cannot be limited on Windows")
@pytest.mark.parametrize("name", ["new/out", "out.nii.gz", "out.mhd"])
def test_a_full_disk_is_told_and_leaves_nothing(folder: Path, name: str) -> None:
    result = subprocess.run(
        [sys.executable, "-X", "utf8", "-c", FILL_DISK, str(folder), str(folder.parent / name)],
        capture_output=True,
        text=True,
        check=True,
    )
    assert result.stdout.strip() == "disk-full"
    assert left_over(folder.parent) == []


def test_what_a_killed_run_left_is_removed_later(folder: Path) -> None:
    old, new = folder.parent / ".medenhance-0123456789ab.part", folder.parent / ".medenhance-ba9876543210.part"
    for stage in (old, new):
        stage.mkdir()
        (stage / "0001.dcm").write_text("half")
    two_days_ago = time.time() - 2 * 24 * 3600
    os.utime(old, (two_days_ago, two_days_ago))
    write_study(read_study(folder), folder.parent / "out.nrrd", DERIVATION)
    assert left_over(folder.parent) == [new.name, "out.nrrd"]


def test_a_kill_leaves_nothing_under_the_final_name(folder: Path) -> None:
    code = (
        "import os, signal; from pathlib import Path; from medenhance.study import *;"
        "from medenhance.progress import Silent\n"
        "class Die(Silent):\n"
        "    def update(self, stage, fraction):\n"
        "        if stage == 'write' and fraction > 0.4: os.kill(os.getpid(), signal.SIGKILL)\n"
        f"write_study(read_study(Path({str(folder)!r})), Path({str(folder.parent / 'out')!r}),"
        " Derivation('m', '1', '', 'x', 'y'), progress=Die())"
    )
    if sys.platform == "win32":
        pytest.skip("there is no SIGKILL on Windows")
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == -9
    assert not (folder.parent / "out").exists()


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="peak memory is read from /proc")
def test_memory_does_not_grow_with_the_slices_beyond_the_array(tmp_path: Path, write_dicom: WriteDicom) -> None:
    """Peak memory of reading and writing, less the array, must not depend on the number of slices."""
    code = (
        "import re, sys; from pathlib import Path; from medenhance.study import *\n"
        "volume = read_study(Path(sys.argv[1]))\n"
        "d = Derivation('m', '1', '', 'x', 'y')\n"
        "for name in ('out', 'out.nrrd', 'out.nii.gz'): write_study(volume, Path(sys.argv[1]).parent / name, d)\n"
        "peak_kib = re.search(r'VmHWM:\\s+(\\d+)', Path('/proc/self/status').read_text())[1]\n"
        "print(int(peak_kib) / 1024 - volume.array.nbytes / 2**20)"
    )
    used_mib = []
    for num_slices in (6, 60):
        array = np.random.default_rng(0).integers(-1024, 3071, (num_slices, 256, 256)).astype(np.int16)
        folder = write_dicom(tmp_path / str(num_slices) / "source", array)
        result = subprocess.run([sys.executable, "-c", code, str(folder)], capture_output=True, text=True, check=True)
        used_mib.append(float(result.stdout))
    assert used_mib[1] < used_mib[0] + 5  # one more copy would be 13


# Real studies


@pytest.mark.parametrize(
    "name",
    [
        "body_ct/thorax_aorta_1p5mm/ct_cropped.nii.gz",
        "body_ct/sts_petct_lowdose/STS_005_CT_image.nii.gz",
        "body_ct/sts_petct_lowdose/STS_019_CT_image.nii.gz",
        "ct_lowdose/lcd_phantom_simulated/fbp/ground_truth.mhd",
        "head_ct/ge_hispeed_tilt_variable_spacing",
    ],
)
def test_real_studies_are_the_same_in_every_format(shared_data: Path, tmp_path: Path, name: str) -> None:
    source = read_study(shared_data / name)
    for suffix in (".nrrd", ".mha", ".nii"):
        path = tmp_path / f"copy{suffix}"
        write_study(source, path, DERIVATION)
        copy = read_study(path)
        np.testing.assert_array_equal(copy.array, source.array)
        assert copy.padding_below == source.padding_below
        np.testing.assert_allclose(copy.grid.affine, source.grid.affine, atol=1e-5)
        write_study(copy, tmp_path / f"again{suffix}", DERIVATION)
        assert read_study(tmp_path / f"again{suffix}").grid == copy.grid
        if not name.startswith("head_ct"):  # ITK refuses the sheared grid in NIfTI
            witness = sitk.ReadImage(path)
            np.testing.assert_array_equal(sitk.GetArrayFromImage(witness), source.array)
            np.testing.assert_allclose(witness.GetOrigin(), source.grid.origin_mm, rtol=1e-6)


def test_real_nifti_geometry_is_that_of_simpleitk(shared_data: Path) -> None:
    for path in sorted(shared_data.glob("body_ct/*/*.nii.gz")):
        volume, witness = read_study(path), sitk.ReadImage(path)
        assert volume.grid.spacing_mm == witness.GetSpacing()
        assert volume.grid.origin_mm == witness.GetOrigin()
        assert volume.grid.direction == witness.GetDirection()
        np.testing.assert_array_equal(volume.array, sitk.GetArrayFromImage(witness))
