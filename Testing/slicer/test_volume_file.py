"""Raw NRRD files: every number comes back, in small steps, and a file is whole or not there."""

from __future__ import annotations

import numpy as np
import pytest
import SimpleITK as sitk
from hypothesis import given
from hypothesis import strategies as st
from mrml_samples import SCALAR_TYPES, directions, filled, finish, ijkToRas, ramp, strangeFolder  # first: the host

from medenhance.errors import MedEnhanceError
from medenhance.image_files import MODALITY_KEY as CORE_KEY
from medenhance.image_files import read_image
from MedEnhanceLib import VolumeFile
from MedEnhanceLib.VolumeFile import MODALITY_KEY, newVoxels, readSteps, writeSteps

IDENTITY = np.eye(4).tolist()


@pytest.fixture
def smallChunks(monkeypatch):
    """Several steps even for the few voxels of a test, none of them at the end of a row."""
    monkeypatch.setattr(VolumeFile, "CHUNK_BYTES", 48)


@pytest.mark.parametrize("dtype", SCALAR_TYPES)
@pytest.mark.usefixtures("smallChunks")
def test_voxels_of_every_type_come_back(tmp_path, dtype):
    path = strangeFolder(tmp_path) / "vol ume.nrrd"
    finish(writeSteps(ramp(dtype=dtype), IDENTITY, path, None))
    array = finish(readSteps(path))
    assert array.dtype == dtype
    np.testing.assert_array_equal(array, ramp(dtype=dtype))


@given(st.lists(st.floats(-1e4, 1e4, allow_subnormal=False), min_size=12, max_size=12))
def test_the_matrix_is_written_with_every_digit(tmp_path_factory, numbers):
    matrix = [*np.reshape(numbers, (3, 4)).tolist(), [0.0, 0.0, 0.0, 1.0]]
    path = tmp_path_factory.getbasetemp() / "matrix.nrrd"
    finish(writeSteps(ramp(), matrix, path, None))
    fields = dict(line.split(": ") for line in path.read_bytes().split(b"\n\n")[0].decode().split("\n")[1:])
    axes = [eval(vector) for vector in fields["space directions"].split(" ")]
    written = np.array([*axes, eval(fields["space origin"])]).T
    np.testing.assert_array_equal(np.diag([-1.0, -1.0, 1.0]) @ written, np.array(matrix)[:3])


def test_itk_and_the_core_see_the_same_geometry(tmp_path):
    node = filled(ramp())
    finish(writeSteps(ramp(), ijkToRas(node).tolist(), tmp_path / "a.nrrd", "CT"))
    volume = read_image(tmp_path / "a.nrrd")
    np.testing.assert_allclose(np.diag([-1.0, -1.0, 1.0, 1.0]) @ volume.grid.affine, ijkToRas(node), rtol=0, atol=1e-13)
    np.testing.assert_array_equal(sitk.GetArrayFromImage(sitk.ReadImage(str(tmp_path / "a.nrrd"))), ramp())
    assert volume.modality == "CT"
    # The sample is sheared, or this test would say little.
    assert abs(directions()[:, 1] @ directions()[:, 2]) > 0.3


def test_the_modality_has_the_name_that_the_core_reads():
    assert MODALITY_KEY == CORE_KEY


@pytest.mark.usefixtures("smallChunks")
def test_closing_in_the_middle_leaves_nothing_and_keeps_what_was_there(tmp_path):
    path = tmp_path / "volume.nrrd"
    path.write_text("before")
    steps = writeSteps(ramp(), IDENTITY, path, None)
    next(steps)
    assert len(list(tmp_path.iterdir())) == 2
    steps.close()
    assert [one.name for one in tmp_path.iterdir()] == ["volume.nrrd"]
    assert path.read_text() == "before"


def test_a_folder_that_cannot_be_written_says_so(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(MedEnhanceError, match="cannot be written"):
        finish(writeSteps(ramp(), IDENTITY, tmp_path / "file" / "volume.nrrd", None))


@pytest.mark.parametrize(
    ("damage", "reason"),
    [
        (lambda data: data[:-1], "more or fewer"),
        (lambda data: data + b"\0", "more or fewer"),
        (lambda data: b"MZ" + data, "no NRRD file"),
        (lambda data: data.replace(b"raw", b"gzip"), "gzip"),
        (lambda data: data.replace(b"little", b"big"), "endian: big"),
        (lambda data: data.replace(b"type: int16", b"type: block"), "block"),
        (lambda data: data.replace(b"sizes: 7 5 3", b"sizes: 7 5"), "sizes: 7 5"),
        (lambda data: data.split(b"\n\n")[0], "header does not end"),
    ],
)
def test_a_damaged_file_is_refused_in_words(tmp_path, damage, reason):
    path = tmp_path / "volume.nrrd"
    finish(writeSteps(ramp(), IDENTITY, path, None))
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(MedEnhanceError, match=reason) as caught:
        finish(readSteps(path))
    assert caught.value.kind == "input-unreadable"


def test_a_type_that_no_file_holds_is_refused(tmp_path):
    with pytest.raises(MedEnhanceError, match="bool"):
        finish(writeSteps(np.zeros((2, 2, 2), bool), IDENTITY, tmp_path / "volume.nrrd", None))
    assert not list(tmp_path.iterdir())


def test_new_voxels_live_as_long_as_their_array():
    array = newVoxels((2, 3, 4), "uint16")
    array[:] = 65535
    part = array[1:, ::2]
    del array
    again = newVoxels((2, 3, 4), "uint16")
    again[:] = 0
    assert (part == 65535).all()
