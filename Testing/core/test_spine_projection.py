"""Volume projection imaging: orientation, gaps, skin, slabs, and the way back into the patient."""

from __future__ import annotations

import json
from dataclasses import replace
from itertools import permutations, product
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk
from scipy.ndimage import gaussian_filter

from medenhance.__main__ import main
from medenhance.errors import MedEnhanceError
from medenhance.image_files import read_image, write_image
from medenhance.spine.back_volume import DIRECTIONS, check_direction, turned
from medenhance.spine.projection import ProjectionSet
from medenhance.spine.projection_files import read_projections
from medenhance.spine.skin import find_skin
from medenhance.spine.slabs import lamina_depth_mm, project
from medenhance.volume import Grid, Volume

REAL = (
    Path(__file__).resolve().parents[3] / "shared/data/spine_us/plus_testimages/SpinePhantomFreehandReconstructed.mha"
)
needs_real = pytest.mark.skipif(not REAL.is_file(), reason="the real phantom volume is not at hand")
SPACING = (1.1, 0.9, 0.8)  # I, J, K in mm: columns, rows, depth of "RIA"


def back(*, lamina_mm: float = 28.0, tilt_deg: float = 0.0, gaps: bool = False) -> np.ndarray:
    """(depth 90, row 70, column 60) of a back: air, skin 8 mm deep at the head end, tissue, bone beside the middle.

    Args:
        lamina_mm: Depth of the bone below the skin.
        tilt_deg: How much deeper the skin lies at the feet.
        gaps: Leave every seventh row without data.
    """
    depth, row, column = np.ogrid[0:90, 0:70, 0:60]
    z = depth * SPACING[2] - 8 - np.tan(np.radians(tilt_deg)) * row * SPACING[1]
    aside = np.abs((column - 29.5) * SPACING[0])
    tissue = 30 + 110 * np.exp(-z / 15)
    bone = 160 * np.exp(-0.5 * ((z - lamina_mm) / 1.2) ** 2) * ((aside > 13) & (aside < 31))
    speckle = np.random.default_rng(5).rayleigh(0.8, (90, 70, 60))
    value = np.where(z >= 0, np.maximum((tissue + bone) * speckle, 3), 0)
    if gaps:
        value[:, ::7] = 0
    return np.rint(np.clip(value, 0, 255)).astype(np.uint8)


def oblique_grid(spacing: tuple[float, float, float] = SPACING) -> Grid:
    turn = np.reshape(sitk.Euler3DTransform((0.0, 0.0, 0.0), 0.4, -0.3, 0.2).GetMatrix(), (3, 3))
    return Grid(spacing, (12.0, -30.5, 101.25), tuple(turn.ravel().tolist()))


def projected(array: np.ndarray, **options: object) -> ProjectionSet:
    return project(turned(Volume(array, oblique_grid()), "RIA"), **options)  # type: ignore[arg-type]


def with_axes(letters: str) -> Volume:
    """The same patient in a file whose I, J and K run as the letters say."""
    matrix = oblique_grid().affine
    source = {"R": (0, 1), "L": (0, -1), "I": (1, 1), "S": (1, -1), "A": (2, 1), "P": (2, -1)}
    array, sizes = back().transpose(2, 1, 0), (60, 70, 90)
    order = [source[letter][0] for letter in letters]
    signs = [source[letter][1] for letter in letters]
    array = array.transpose(order)[tuple(slice(None, None, sign) for sign in signs)]
    columns = [matrix[:3, axis] * sign for axis, sign in zip(order, signs, strict=True)]
    start = [sizes[axis] - 1 if (axis, -1) in [source[x] for x in letters] else 0 for axis in range(3)]
    affine = np.eye(4)
    affine[:3, :3] = np.stack(columns, axis=1)
    affine[:3, 3] = matrix[:3, :3] @ start + matrix[:3, 3]
    return Volume(np.ascontiguousarray(array.transpose(2, 1, 0)), Grid.from_affine(affine))


ALL_AXES = ["".join(p) for names in product("LR", "AP", "SI") for p in permutations(names)]


def mirrors(letters: str) -> bool:
    return bool(np.linalg.det([DIRECTIONS[letter] for letter in letters]) < 0)


def test_every_way_of_storing_a_back_gives_the_same_volume_and_the_same_places() -> None:
    wanted = turned(with_axes("RIA"), "RIA")
    tried = 0
    for letters in ALL_AXES:
        volume = with_axes(letters)
        if np.linalg.det(np.reshape(volume.grid.direction, (3, 3))) < 0:
            with pytest.raises(MedEnhanceError, match="mirrors the patient"):
                turned(replace(volume, grid=oblique_grid()), letters)
            continue
        found = turned(volume, letters)
        np.testing.assert_array_equal(found.array, wanted.array)
        np.testing.assert_array_equal(found.filled, wanted.filled)
        place = (3.25, 41.5, 17.75)
        np.testing.assert_allclose(found.frame.to_lps(*place), wanted.frame.to_lps(*place), atol=1e-9)
        tried += 1
    assert tried == 24


@pytest.mark.parametrize("axes", ["RIX", "RI", "RLA", "", "RIAS"])
def test_axes_that_are_none_are_refused(axes: str) -> None:
    with pytest.raises(MedEnhanceError, match="is no orientation") as info:
        turned(Volume(back()), axes)
    assert info.value.kind == "bad-option"


@pytest.mark.parametrize("axes", ["LIP", "IRP", "RAS", "AIL", "IAR"])
def test_a_wrong_orientation_is_told_from_the_echoes(axes: str) -> None:
    volume = Volume(back(), Grid(SPACING))
    assert not mirrors(axes)
    with pytest.raises(MedEnhanceError, match="oriented wrongly") as info:
        check_direction(turned(volume, axes))
    assert "--axes" in info.value.hint


def test_right_orientations_pass() -> None:
    for axes in ("RIA", "LSA"):
        check_direction(turned(Volume(back(), Grid(SPACING)), axes))


def test_the_skin_is_found_to_a_fraction_of_a_millimetre() -> None:
    for tilt in (0.0, 10.0):
        found = find_skin(turned(Volume(back(tilt_deg=tilt), oblique_grid()), "RIA"))
        truth = 8 + np.tan(np.radians(tilt)) * np.arange(70)[:, None] * SPACING[1]
        # A voxel of 0.8 mm whose centre lies below the skin is the first one that is bright.
        error = np.abs(found - truth)[8:-8, 8:-8]
        assert error.mean() < 0.45
        assert error.max() < 0.9


def test_a_sheet_parallel_to_the_skin_is_one_grey() -> None:
    """A sheet half as wide as the image: on a slanted back, the covered half has one grey from head to feet."""
    depth, row, column = np.ogrid[0:90, 0:70, 0:60]
    z = depth * SPACING[2] - 8 - np.tan(np.radians(10)) * row * SPACING[1]
    sheet = 100 * np.exp(-0.5 * ((z - 30) / 2) ** 2) * (column >= 30)
    array = np.where(z >= 0, 120 * np.exp(-z / 20) + sheet + 5, 0).astype(np.float32)
    slab = projected(array, depths_mm=(20, 25, 30, 35, 40), thickness_mm=4).projections[2].image[10:-10]
    assert slab[:, 32:].mean() - slab[:, :28].mean() > 200
    assert slab[:, 32:].std() < 15


def test_a_tilt_of_the_trunk_leaves_the_image_as_it_is() -> None:
    marked = []
    for tilt in (-8.0, 0.0, 8.0):
        array = back(tilt_deg=tilt + 8)
        marked.append(gaussian_filter(projected(array, depths_mm=(20, 24, 28, 32, 36)).projections[2].image[8:-8], 2))
    for other in (marked[0], marked[2]):
        assert np.corrcoef(other.ravel(), marked[1].ravel())[0, 1] > 0.9
        assert np.abs(other - marked[1]).mean() < 20


def test_gaps_do_not_darken() -> None:
    full, gappy = (projected(back(gaps=gaps), depths_mm=(20, 24, 28, 32, 36)) for gaps in (False, True))
    a, b = full.projections[2].image, gappy.projections[2].image
    seen = b > 0
    assert seen.mean() == pytest.approx(6 / 7, abs=0.01)
    assert abs(float((b - a)[seen].mean())) < 3
    assert b[seen & (a > 150)].min() > 100


def test_gaps_between_slanted_frames_do_not_darken_and_shadows_stay_dark() -> None:
    """Sheets without data that shift by a row every four planes, and a shadow of zeros three planes high."""
    full = back()
    depth, row, _ = np.indices(full.shape)
    even = np.where(full > 0, np.random.default_rng(8).integers(60, 100, full.shape), 0)
    gappy = np.where((row + depth // 4) % 7 == 0, 0, even).astype(np.uint8)
    options = {"depths_mm": (20, 24, 28, 32, 36), "thickness_mm": 6}
    image = projected(gappy, **options, trust_axes=True).projections[2].image[7:-7]
    assert (image > 0).mean() > 0.9
    # Three of seven rows hold a gap in this slab.
    means = [float(image[phase::7][image[phase::7] > 0].mean()) for phase in range(7)]
    assert min(means) > 0.9 * max(means)
    shadow = full.copy()
    shadow[40:50, 20:45, 24:36] = 0
    dark = projected(shadow, **options).projections[2].image
    assert dark[25:40, 26:34].max() <= 1


def test_slabs_are_scaled_to_the_body() -> None:
    for lamina in (22.0, 34.0):
        volume = turned(Volume(back(lamina_mm=lamina), oblique_grid()), "RIA")
        assert lamina_depth_mm(volume, find_skin(volume)) == pytest.approx(lamina, abs=1.2)
        found = project(volume)
        assert found.lamina_mm is not None
        assert found.depths_mm == pytest.approx([found.lamina_mm + d for d in (-8, -4, 0, 4, 8)])
        contrasts = [one.image[:, 5:15].mean() - one.image[:, 25:35].mean() for one in found.projections]
        assert int(np.argmax(contrasts)) == 2


def test_without_bone_the_usual_depths_are_taken_and_said() -> None:
    found = projected((back() > 0).astype(np.uint8) * 80, trust_axes=True)
    assert found.depths_mm == (20, 25, 30, 35, 40)
    assert "not found" in found.notes[0]


def test_a_place_in_the_volume_comes_back_within_half_a_voxel() -> None:
    for k, j, i in ((45, 33, 20), (44, 20, 41), (41, 50, 30)):
        array = back().astype(np.float32)
        plain = projected(array, depths_mm=(20, 24, 28, 32, 36), thickness_mm=3, blend="max")
        array[k, j, i] = 5000
        depth = k * SPACING[2] - 8
        index = int(np.argmin(np.abs(np.array(plain.depths_mm) - depth)))
        marked = projected(array, depths_mm=(20, 24, 28, 32, 36), thickness_mm=3, blend="max")
        raw = marked.projections[index].image - plain.projections[index].image
        row, column = np.unravel_index(int(np.argmax(raw)), raw.shape)
        truth = (oblique_grid().affine @ (i, j, k, 1))[:3]
        error = marked.frame.axes.T @ (marked.to_lps(row, column, index) - truth)
        assert abs(error[0]) <= SPACING[1] / 2
        assert abs(error[1]) <= SPACING[0] / 2
        assert abs(error[2]) <= 2 + SPACING[2] / 2  # depths are 4 mm apart
        found = marked.from_lps(truth)
        assert found[:2] == pytest.approx((j, i), abs=1e-6)
        assert found[2] == pytest.approx(depth, abs=0.9)


@needs_real
def test_the_real_phantom_is_projected_and_maps_back(tmp_path: Path) -> None:
    out = tmp_path / "Rücken 投影"
    assert main(["project-vpi", str(REAL), str(out), "--axes", "RIA"]) == 0
    found = read_projections(out)
    image = sitk.ReadImage(str(REAL))
    rng = np.random.default_rng(2)
    rows, columns = np.nonzero(found.scan)
    for pick in rng.integers(0, len(rows), 50):
        row, column, index = rows[pick] + rng.uniform(-0.5, 0.5), columns[pick] + rng.uniform(-0.5, 0.5), int(pick % 5)
        point = found.to_lps(row, column, index)
        deep = (found.skin_at(row, column) + found.depths_mm[index]) / 0.5
        expected = image.TransformContinuousIndexToPhysicalPoint((column, row, deep))
        assert np.linalg.norm(point - expected) < 0.25  # half a voxel
        assert found.from_lps(point) == pytest.approx((row, column, found.depths_mm[index]), abs=1e-4)
    assert 0.1 < found.scan.mean() < 0.6
    # Bone of the phantom lies 20 to 25 mm below its skin; five images, different, none of them empty.
    assert found.lamina_mm == pytest.approx(22, abs=3)
    means = [one.image[found.scan].mean() for one in found.projections]
    assert min(means) > 20
    assert len({round(float(mean), 3) for mean in means}) == 5


@needs_real
def test_the_real_phantom_in_its_file_axes_is_refused() -> None:
    with pytest.raises(MedEnhanceError, match="oriented wrongly"):
        project(turned(read_image(REAL)))


def test_the_folder_holds_flat_volumes_that_lie_in_the_patient(tmp_path: Path) -> None:
    path = tmp_path / "back.nrrd"
    write_image(Volume(back(), oblique_grid()), path, {})
    assert main(["project-vpi", str(path), str(tmp_path / "out"), "--axes", "RIA"]) == 0
    found = read_projections(tmp_path / "out")
    flat = sitk.ReadImage(str(tmp_path / "out" / "vpi_d3.nrrd"))
    assert flat.GetSize() == (60, 70, 1)
    assert flat.GetSpacing() == pytest.approx((*SPACING[:2], 10))
    corner = flat.TransformIndexToPhysicalPoint((0, 0, 0))
    deep = float(found.skin_mm[found.scan].mean()) + found.depths_mm[2]
    np.testing.assert_allclose(corner, found.frame.to_lps(0, 0, deep), atol=1e-6)
    again = sitk.GetArrayFromImage(sitk.ReadImage(str(tmp_path / "out" / "vpi_d3.png")))
    np.testing.assert_array_equal(again, sitk.GetArrayFromImage(flat)[0])
    facts = json.loads((tmp_path / "out" / "geometry.json").read_text(encoding="utf-8"))
    assert facts["columns_run_to"].startswith("the patient's right")


def test_a_region_of_interest_of_slicer_gives_the_axes(tmp_path: Path) -> None:
    volume = Volume(back(), oblique_grid())
    matrix = np.reshape(volume.grid.direction, (3, 3))
    # Of the ROI: x to the right, y to the front, z to the head; the file runs right, feet, front.
    axes = np.stack([matrix[:, 0], matrix[:, 2], -matrix[:, 1]], axis=1)
    middle = (volume.grid.affine @ (29.5, 34.5, 44.5, 1))[:3]
    flip = np.diag([-1.0, -1.0, 1.0])
    for system, change in (("LPS", np.eye(3)), ("RAS", flip)):
        markup = {
            "coordinateSystem": system,
            "center": (change @ middle).tolist(),
            "size": [60 * 1.1, 90 * 0.8, 70 * 0.9],
            "orientation": (change @ axes).ravel().tolist(),
        }
        (tmp_path / f"{system}.mrk.json").write_text(json.dumps({"markups": [markup]}), encoding="utf-8")
    path = tmp_path / "back.nrrd"
    write_image(volume, path, {})
    for system in ("LPS", "RAS"):
        out = tmp_path / f"out {system}"
        assert main(["project-vpi", str(path), str(out), "--roi", str(tmp_path / f"{system}.mrk.json")]) == 0
        found, plain = read_projections(out), project(turned(volume, "RIA"))
        assert found.lamina_mm == pytest.approx(plain.lamina_mm, abs=1)
        point = plain.to_lps(30, 20, 2)
        row, column, depth = found.from_lps(point)
        assert found.projections[2].image[round(row), round(column)] == pytest.approx(
            plain.projections[2].image[30, 20], abs=40
        )
        assert depth == pytest.approx(plain.depths_mm[2], abs=1)


def refused(tmp_path: Path, name: str, *words: str, capsys: pytest.CaptureFixture[str]) -> str:
    before = {path.name for path in tmp_path.iterdir()}
    assert main(["project-vpi", str(tmp_path / name), str(tmp_path / "out"), *words]) == 1
    assert {path.name for path in tmp_path.iterdir()} == before
    return capsys.readouterr().err


def test_bad_input_is_refused_and_leaves_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def write(name: str, array: np.ndarray, *, vector: bool = False) -> str:
        sitk.WriteImage(sitk.GetImageFromArray(array, isVector=vector), str(tmp_path / name))
        return name

    axes = ("--axes", "RIA")
    assert "empty" in refused(tmp_path, write("e.nrrd", np.zeros((40, 40, 40), np.uint8)), *axes, capsys=capsys)
    assert "One depth alone" in refused(tmp_path, write("d.nrrd", back()[:1]), *axes, capsys=capsys)
    colour = write("c.nrrd", np.zeros((9, 9, 9, 3), np.uint8), vector=True)
    assert "colour" in refused(tmp_path, colour, *axes, capsys=capsys)
    assert "one projection" in refused(tmp_path, write("p.png", back()[0]), *axes, capsys=capsys)
    good = write("b.nrrd", back())
    assert "five are needed" in refused(tmp_path, good, *axes, "--depths-mm", "30", capsys=capsys)
    assert "nothing at" in refused(
        tmp_path, good, *axes, "--depths-mm", *["90", "95", "100", "105", "110"], capsys=capsys
    )
    assert "There is nothing" in refused(tmp_path, "no.nrrd", capsys=capsys)
    raw = (tmp_path / good).read_bytes()
    text = [line for line in raw.split(b"\n\n", 1)[0].split(b"\n") if not line.startswith((b"space", b"spacings"))]
    (tmp_path / "s.nrrd").write_bytes(b"\n".join(text) + b"\n\n" + raw.split(b"\n\n", 1)[1])
    assert "no spacing in mm" in refused(tmp_path, "s.nrrd", *axes, capsys=capsys)


def test_a_full_output_folder_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_image(Volume(back(), oblique_grid()), tmp_path / "b.nrrd", {})
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "mine.txt").write_text("kept")
    assert main(["project-vpi", str(tmp_path / "b.nrrd"), str(tmp_path / "out"), "--axes", "RIA"]) == 1
    assert "not empty" in capsys.readouterr().err
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["mine.txt"]
