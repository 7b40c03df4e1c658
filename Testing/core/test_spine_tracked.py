"""Tracked sequences: what is read, what is refused, and a volume that lies where the poses say."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk

from medenhance.__main__ import main
from medenhance.errors import MedEnhanceError
from medenhance.spine.pictures import read_labels, read_projection
from medenhance.spine.projection_files import read_projections
from medenhance.spine.tracked import is_sequence, read_calibration, read_sweep, reconstruct

FOLDER = Path(__file__).resolve().parents[3] / "shared/data/spine_us/plus_testimages"
SEQUENCE = FOLDER / "SpinePhantomFreehand.igs.mha"
needs_real = pytest.mark.skipif(not SEQUENCE.is_file(), reason="the real sequence is not at hand")
# Pixels of 0.6 x 0.5 mm; the probe looks along its own y, and its x is across.
CALIBRATION = np.array([[0.6, 0, 0, -24.0], [0, 0.5, 0, 2.0], [0, 0, 0.3, 0], [0, 0, 0, 1]])
REFERENCE = np.array([[0.0, -1, 0, 300], [1, 0, 0, 400], [0, 0, 1, 700], [0, 0, 0, 1]])


def pose(index: int) -> np.ndarray:
    """Probe to reference: 1 mm a frame along -z, columns to -x (right), depth to -y (front)."""
    matrix = np.diag([-1.0, -1.0, 1.0, 1.0])
    matrix[:3, 3] = (5.0, 40.0, 100.0 - index)
    return matrix


def write_sequence(path: Path, num_frames: int = 50, *, spoil: int | None = None, colour: bool = False) -> np.ndarray:
    """A sweep over a back with bone; returns the frames (N, H, W)."""
    depth, column = np.mgrid[0:110, 0:80]
    z, aside = depth * 0.5, np.abs(column - 39.5) * 0.6
    bone = 150 * np.exp(-0.5 * ((z - 24) / 1.0) ** 2) * ((aside > 14) & (aside < 23))
    frame = np.clip(20 + 100 * np.exp(-z / 15) + bone, 1, 255).astype(np.uint8)
    frames = np.repeat(frame[None], num_frames, axis=0)
    frames[num_frames // 2, 60, 20] = 255
    lines = [
        "ObjectType = Image",
        "NDims = 3",
        "BinaryData = True",
        "BinaryDataByteOrderMSB = False",
        "CompressedData = False",
        f"DimSize = 80 110 {num_frames}",
        *(["ElementNumberOfChannels = 3"] if colour else []),
        "ElementSpacing = 1 1 1",
        "Kinds = domain domain list",
        "UltrasoundImageOrientation = MFA",
        "ElementType = MET_UCHAR",
    ]
    for index in range(num_frames):
        for name, matrix in (("ProbeToTracker", REFERENCE @ pose(index)), ("ReferenceToTracker", REFERENCE)):
            key = f"Seq_Frame{index:04}_{name}Transform"
            lines.append(f"{key} = {' '.join(repr(float(v)) for v in matrix.ravel())}")
            lines.append(f"{key}Status = {'INVALID' if index == spoil and name.startswith('Probe') else 'OK'}")
    data = frames.repeat(3, axis=-1) if colour else frames
    path.write_bytes(("\n".join([*lines, "ElementDataFile = LOCAL"]) + "\n").encode() + data.tobytes())
    return frames


def write_calibration(path: Path) -> Path:
    numbers = " ".join(repr(float(v)) for v in CALIBRATION.ravel())
    path.write_text(
        f'<PlusConfiguration><CoordinateDefinitions><Transform From="Image" To="Probe" Matrix="{numbers}"/>'
        "</CoordinateDefinitions></PlusConfiguration>",
        encoding="utf-8",
    )
    return path


def test_frames_without_a_valid_pose_are_left_out(tmp_path: Path) -> None:
    frames = write_sequence(tmp_path / "a.igs.mha", spoil=3)
    assert is_sequence(tmp_path / "a.igs.mha")
    sweep = read_sweep(tmp_path / "a.igs.mha")
    assert sweep.num_left_out == 1
    np.testing.assert_array_equal(sweep.frames, np.delete(frames, 3, axis=0))
    np.testing.assert_allclose(sweep.probe_to_world[0], pose(0), atol=1e-9)
    np.testing.assert_allclose(sweep.probe_to_world[3], pose(4), atol=1e-9)


def test_every_pixel_lands_within_half_a_voxel_of_its_pose(tmp_path: Path) -> None:
    frames = write_sequence(tmp_path / "a.igs.mha")
    volume, filled = reconstruct(read_sweep(tmp_path / "a.igs.mha"), CALIBRATION, 0.5)
    inverse = np.linalg.inv(volume.grid.affine)
    for index, row, column in ((25, 60, 20), (0, 0, 0), (49, 109, 79), (10, 50, 12)):
        world = pose(index) @ CALIBRATION @ (column, row, 0, 1)
        i, j, k = (inverse @ world)[:3]
        at = tuple(np.round((k, j, i)).astype(int))
        assert filled[at]
        assert volume.array[at] == pytest.approx(frames[index, row, column], abs=1)
    assert np.linalg.det(np.reshape(volume.grid.direction, (3, 3))) == pytest.approx(1)
    assert 0.1 < filled.mean() < 0.9  # frames 1 mm apart leave gaps between voxels of 0.5 mm


def test_a_sweep_is_projected_and_its_marked_pixel_comes_back(tmp_path: Path) -> None:
    write_sequence(tmp_path / "a.igs.mha")
    calibration = write_calibration(tmp_path / "plus.xml")
    np.testing.assert_allclose(read_calibration(calibration), CALIBRATION)
    out = tmp_path / "out"
    words = ["project-vpi", str(tmp_path / "a.igs.mha"), str(out), "--image-to-probe", str(calibration)]
    assert main([*words, "--axes", "RIA"]) == 0
    found = read_projections(out)
    assert found.lamina_mm == pytest.approx(24, abs=1.5)
    world = (pose(25) @ CALIBRATION @ (20, 60, 0, 1))[:3]
    row, column, depth = found.from_lps(world)
    assert 0 < row < found.scan.shape[0]
    assert 0 < column < found.scan.shape[1]
    assert depth == pytest.approx(60 * 0.5, abs=1)
    # The sweep runs to the feet, and its columns to the right.
    later = found.from_lps((pose(30) @ CALIBRATION @ (30, 60, 0, 1))[:3])
    assert later[0] > row
    assert later[1] > column


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--axes", "RIA"), "size of the sequence's pixels is not known"),
        (("--image-to-probe", "plus.xml"), "which way the patient lies"),
        (("--axes", "RIA", "--image-to-probe", "empty.xml"), "no matrix from Image to Probe"),
    ],
)
def test_without_calibration_or_axes_a_sweep_is_refused(
    words: tuple[str, ...], message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_sequence(tmp_path / "a.igs.mha", 5)
    write_calibration(tmp_path / "plus.xml")
    (tmp_path / "empty.xml").write_text("<PlusConfiguration/>")
    paths = [str(tmp_path / word) if word.endswith(".xml") else word for word in words]
    assert main(["project-vpi", str(tmp_path / "a.igs.mha"), str(tmp_path / "out"), *paths]) == 1
    assert message in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_colour_frames_and_a_single_frame_are_refused(tmp_path: Path) -> None:
    write_sequence(tmp_path / "c.igs.mha", 4, colour=True)
    with pytest.raises(MedEnhanceError, match="colour"):
        read_sweep(tmp_path / "c.igs.mha")
    write_sequence(tmp_path / "one.igs.mha", 1)
    with pytest.raises(MedEnhanceError, match="at least two"):
        read_sweep(tmp_path / "one.igs.mha")


@needs_real
def test_the_real_sequence_is_read_and_reconstructed_with_a_calibration() -> None:
    sweep = read_sweep(SEQUENCE)
    assert sweep.frames.shape == (21, 616, 820)
    assert sweep.num_left_out == 0
    rotation = sweep.probe_to_world[:, :3, :3]
    np.testing.assert_allclose(
        rotation @ rotation.transpose(0, 2, 1), np.broadcast_to(np.eye(3), (21, 3, 3)), atol=1e-3
    )
    volume, filled = reconstruct(sweep, np.diag([0.1, 0.1, 0.1, 1.0]), 1.0)
    assert volume.array[filled].mean() == pytest.approx(sweep.frames.mean(), rel=0.1)
    with pytest.raises(MedEnhanceError, match="not known"):
        reconstruct(sweep, None)


@needs_real
def test_real_frames_without_poses_are_no_sweep() -> None:
    with pytest.raises(MedEnhanceError, match="at least two"):
        read_sweep(FOLDER / "UltrasonixLinearScanConvertedData.igs.mha")


def test_a_spacing_counts_only_where_a_file_states_it(tmp_path: Path) -> None:
    image = sitk.GetImageFromArray(np.arange(12, dtype=np.uint8).reshape(3, 4))
    image.SetSpacing((0.3, 0.2))
    for name, spacing in (("a.nrrd", (0.2, 0.3)), ("a.mha", (0.2, 0.3)), ("a.png", None)):
        sitk.WriteImage(image, str(tmp_path / name))
        projection = read_projection(tmp_path / name)
        assert projection.spacing_mm == (pytest.approx(spacing) if spacing else None)
        assert read_labels(tmp_path / name, (1.0, 2.0))[1] == (1.0, 2.0)
        np.testing.assert_array_equal(projection.image, np.arange(12).reshape(3, 4))


def test_pictures_that_are_none_are_refused(tmp_path: Path) -> None:
    colour = sitk.GetImageFromArray(np.zeros((5, 6, 3), np.uint8), isVector=True)
    sitk.WriteImage(colour, str(tmp_path / "c.png"))
    sitk.WriteImage(sitk.GetImageFromArray(np.zeros((2, 5, 6), np.uint8)), str(tmp_path / "two.nrrd"))
    sitk.WriteImage(sitk.GetImageFromArray(np.full((5, 6), 9, np.uint8)), str(tmp_path / "e.png"))
    (tmp_path / "broken.png").write_bytes(b"\x89PNG")
    for name, message in {
        "c.png": "colour",
        "two.nrrd": "2 slices",
        "e.png": "is empty",
        "none.png": "There is nothing",
        "broken.png": "cannot be read",
        "x.pdf": "There is nothing",
    }.items():
        with pytest.raises(MedEnhanceError, match=message):
            read_projection(tmp_path / name)
    with pytest.raises(MedEnhanceError, match="JPEG"):
        read_labels(tmp_path / "l.jpg")
