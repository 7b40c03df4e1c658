"""The index and the split: hashes notice change, patients never leak, cases load as they were scanned."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk
from hypothesis import given, settings
from hypothesis import strategies as st
from paired_trees import write_series

from medenhance.errors import MedEnhanceError
from medenhance.volume import Grid, Volume
from medenhance_training.commands.index import MakeIndex, make_index_file
from medenhance_training.data.bank import NoiseRange
from medenhance_training.data.cases import load_normal, load_pairs, study_case
from medenhance_training.data.index import Case, Index, load_index, make_index, save_index, scan_cases, verify_index
from medenhance_training.data.mayo import read_mayo
from medenhance_training.data.sources import LowDoseData
from medenhance_training.data.split import split_cases
from medenhance_training.data.studies import normal_slices


def case(patient: str, number: int = 0, licence: str = "CC-BY-3.0") -> Case:
    return Case(f"{patient}/{number}", patient, "made-up", licence, 0.7, 3.0, "B30f", 0.25, ())


@pytest.fixture
def mayo(tmp_path: Path) -> tuple[Path, Index]:
    """Four patients, three pairs each, one full-dose slice without a twin."""
    for patient in ("L067", "L096", "L333", "L506"):
        options = {"patient": patient, "size": 32}
        write_series(tmp_path / patient / "full_3mm", ["1", "2", "3", "4"], [0, 3, 6, 9], **options)
        write_series(tmp_path / patient / "quarter_3mm", ["c", "b", "a"], [0, 3, 6], series="low", **options)
    scans = read_mayo(tmp_path).scans
    cases = [one for scan in scans for one in scan_cases(scan, tmp_path, "mayo-2016", "data-use agreement")]
    return tmp_path, make_index(cases)


def write_study(path: Path, depth: int = 3, size: int = 40) -> Path:
    """A CT study as NRRD: a soft-tissue block in air."""
    array = np.full((depth, size, size), -1000, np.int16)
    array[:, 8:-8, 8:-8] = 40 + np.arange(size - 16)
    image = sitk.GetImageFromArray(array)
    image.SetSpacing((1.5, 1.5, 4.0))
    path.parent.mkdir(parents=True, exist_ok=True)
    sitk.WriteImage(image, str(path))
    return path


def test_an_index_comes_back_as_it_was_saved(mayo: tuple[Path, Index]) -> None:
    root, index = mayo
    save_index(index, root / "index.json")
    assert load_index(root / "index.json") == index
    assert len(index.cases) == 8, "the pairs of each patient and its slices without a twin"
    paired = next(one for one in index.cases if one.is_paired)
    assert (paired.dose, paired.kernel, paired.slice_mm, paired.spacing_mm) == (0.25, "B30f", 3.0, 0.7)
    assert paired.normal[0].path == "L067/full_3mm/1"
    verify_index(index, root)


def test_a_changed_file_is_noticed(mayo: tuple[Path, Index]) -> None:
    root, index = mayo
    path = root / index.cases[0].low[1].path
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)
    with pytest.raises(MedEnhanceError, match="not the file that was indexed"):
        verify_index(index, root)
    path.unlink()
    with pytest.raises(MedEnhanceError, match="not there"):
        verify_index(index, root)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"schema": 9}, "schema 9"),
        ({"extra": 1}, "unknown key"),
        ({"cases": [{"id": 3}]}, "cases\\[0\\]"),
    ],
)
def test_an_index_that_is_none_is_refused(tmp_path: Path, change: dict[str, object], said: str) -> None:
    path = tmp_path / "index.json"
    path.write_text(json.dumps({"schema": 1, "cases": [], **change}))
    with pytest.raises(MedEnhanceError, match=said):
        load_index(path)
    path.write_text("{")
    with pytest.raises(MedEnhanceError, match="is no index"):
        load_index(path)
    with pytest.raises(MedEnhanceError, match="no index"):
        load_index(tmp_path / "missing.json")


def test_one_id_twice_is_refused() -> None:
    with pytest.raises(ValueError, match="twice"):
        make_index([case("a"), case("a")])


def test_cases_are_chosen_by_licence() -> None:
    index = make_index([case("a"), case("b", licence="unclear")])
    assert [one.patient_id for one in index.with_licences(["CC-BY-3.0"]).cases] == ["a"]


def test_recorded_pairs_load_with_their_twins(mayo: tuple[Path, Index]) -> None:
    root, index = mayo
    pairs = load_pairs(index.cases[0], root)
    # The value tells the slice's number: full k and quarter k were written with 1064 + k.
    whole = (slice(None), slice(None))
    assert [p.normal[16, 16] for p in pairs] == [40.0, 41.0, 42.0]
    assert [(p.normal + p.noises[0].crop(whole, 1.0))[16, 16] for p in pairs] == [40.0, 41.0, 42.0]
    assert sum(p.weight for p in pairs) == pytest.approx(1.0)
    with pytest.raises(MedEnhanceError, match="no low-dose slices"):
        load_pairs(index.cases[1], root)


def test_any_study_is_a_case_of_normal_dose(tmp_path: Path) -> None:
    one = study_case(write_study(tmp_path / "scans/a.nrrd"), tmp_path, "own", "CC0-1.0", patient_id="p1")
    assert (one.id, one.patient_id, one.spacing_mm, one.slice_mm) == ("own/scans/a.nrrd", "own/p1", 1.5, 4.0)
    slices = load_normal(one, tmp_path)
    assert len(slices) == 3
    assert slices[0].hu[20, 20] == 52.0
    assert sum(s.weight for s in slices) == pytest.approx(1.0)


def test_a_dicom_folder_is_a_case_of_normal_dose(tmp_path: Path) -> None:
    write_series(tmp_path / "study", ["x", "y"], [0.0, 5.0], thickness=2.5, size=32)
    one = study_case(tmp_path / "study", tmp_path, "own", "CC0-1.0")
    assert [file.path for file in one.normal] == ["study/x", "study/y"]
    assert one.slice_mm == 2.5
    assert [s.hu[16, 16] for s in load_normal(one, tmp_path)] == [40.0, 41.0]


def test_slices_are_axial_whatever_the_axis_order() -> None:
    array = np.full((20, 6, 20), -1000.0, np.float32)  # D is left-right, H head-foot, W front-back
    array[5:15, :, 5:15] = 40.0 + np.arange(100).reshape(10, 1, 10)
    array[:, 2] = -1000.0  # the third axial slice is empty
    grid = Grid((0.8, 3.0, 0.8), direction=(0, 0, 1, 1, 0, 0, 0, 1, 0))
    slices = normal_slices(Volume(array, grid, modality="CT"))
    assert len(slices) == 5
    assert slices[0].hu.shape == (20, 20)
    assert (slices[0].spacing_mm, slices[0].slice_mm) == (0.8, 3.0)


def test_padding_is_air_and_other_modalities_are_refused() -> None:
    array = np.arange(400, dtype=np.float32).reshape(1, 20, 20)
    array[0, 0] = -2000.0
    (one,) = normal_slices(Volume(array, modality="CT", padding_below=-1500.0))
    assert one.hu[0, 0] == -1000.0
    with pytest.raises(MedEnhanceError, match="MR"):
        normal_slices(Volume(array, modality="MR"))
    with pytest.raises(MedEnhanceError, match="square"):
        normal_slices(Volume(array, Grid((1.0, 0.7, 3.0))))
    with pytest.raises(MedEnhanceError, match="label map"):
        normal_slices(Volume(np.arange(20.0).repeat(20).reshape(1, 20, 20)))
    with pytest.raises(MedEnhanceError, match="shows a body"):
        normal_slices(Volume(np.full((1, 20, 20), -1000.0)))


def test_the_command_indexes_a_paired_data_set(mayo: tuple[Path, Index]) -> None:
    root, index = mayo
    summary = make_index_file(MakeIndex(root, root / "index.json", licence="data-use agreement", layout="mayo"))
    assert load_index(root / "index.json") == index
    assert summary.startswith("12 pairs in 4 scans of 4 patients; 4 slices without a twin")


def test_the_command_indexes_studies_and_leaves_out_what_is_none(tmp_path: Path) -> None:
    write_study(tmp_path / "a.nrrd")
    write_series(tmp_path / "b", ["1", "2"], [0.0, 3.0], size=32)
    (tmp_path / "notes.txt").write_text("no study")
    args = MakeIndex(tmp_path, tmp_path / "index.json", licence="CC0-1.0", source="own")
    for _ in range(2):  # an index that is there already is no study
        assert make_index_file(args) == "2 studies of 3 files and folders"
    assert [one.id for one in load_index(args.output).cases] == ["own/a.nrrd", "own/b"]
    named = MakeIndex(tmp_path, tmp_path / "named.json", licence="CC0-1.0", studies=(Path("b"),))
    assert make_index_file(named) == "1 studies of 1 files and folders"
    with pytest.raises(MedEnhanceError, match=r"notes\.txt"):
        make_index_file(MakeIndex(tmp_path, tmp_path / "x.json", licence="CC0-1.0", studies=(Path("notes.txt"),)))
    (tmp_path / "empty").mkdir()
    with pytest.raises(MedEnhanceError, match="gave no case"):
        make_index_file(MakeIndex(tmp_path / "empty", tmp_path / "other.json", licence="CC0-1.0"))
    assert not (tmp_path / "other.json").exists()


patients = st.lists(st.text("abcdef0123456789", min_size=1, max_size=5), min_size=4, max_size=30, unique=True)


@settings(max_examples=80, deadline=None)
@given(names=patients, scans=st.integers(1, 4), seed=st.integers(0, 99), order=st.randoms(use_true_random=False))
def test_no_patient_is_in_two_parts_and_the_order_does_not_matter(
    names: list[str], scans: int, seed: int, order: object
) -> None:
    cases = [case(name, k) for name in names for k in range(scans)]
    split = split_cases(cases, validation=0.2, test=0.2, seed=seed)
    parts = [{one.patient_id for one in part} for part in (split.train, split.validation, split.test)]
    assert all(parts)
    assert sum(map(len, parts)) == len(names) == len(set.union(*parts))
    assert len(split.train) + len(split.validation) + len(split.test) == len(cases)
    shuffled = list(cases)
    order.shuffle(shuffled)  # type: ignore[attr-defined]
    again = split_cases(shuffled, validation=0.2, test=0.2, seed=seed)
    assert {one.patient_id for one in again.test} == parts[2]
    # One scan a patient or many: the patients' parts are the same.
    single = split_cases([case(name) for name in names], validation=0.2, test=0.2, seed=seed)
    assert {one.patient_id for one in single.validation} == parts[1]


def test_patients_may_be_put_in_a_part_by_name() -> None:
    cases = [case(name) for name in "abcdef"]
    split = split_cases(cases, 0.0, 0.0, fixed={"c": "test", "a": "validation"})
    assert [one.patient_id for one in split.test] == ["c"]
    assert [one.patient_id for one in split.validation] == ["a"]
    assert len(split.train) == 4


def test_splits_that_leave_nothing_are_refused() -> None:
    with pytest.raises(MedEnhanceError, match="nothing to train on"):
        split_cases([case("a")], 0.5, 0.5)
    with pytest.raises(MedEnhanceError, match="too few"):
        split_cases([case("a"), case("b")], 0.1, 0.1)


def test_a_run_trains_on_pairs_simulation_and_phantoms_and_validates_on_held_back_patients(
    mayo: tuple[Path, Index],
) -> None:
    root, index = mayo
    save_index(index, root / "index.json")
    data = LowDoseData(
        index=root / "index.json",
        validation=0.0,
        validation_patients=("mayo-2016/L333",),
        test_patients=("mayo-2016/L506",),
        num_phantoms=1,
        phantom_size=64,
        phantom_share=0.25,
        patch=16,
        noise=NoiseRange(num_fields=1),
        num_validation=2,
        verify=True,
    )
    opened = data.open(batch_size=3, rank=1, num_processes=2, seed=5)
    batch = opened.stream.batch_at(6)
    assert batch["low"].shape == (3, 1, 16, 16)
    assert [item["low"].shape for item in opened.validation] == [(1, 1, 32, 32)] * 2
    again = data.open(batch_size=6, rank=0, num_processes=1, seed=5).stream.batch_at(6)
    np.testing.assert_array_equal(again["low"][3:], batch["low"])


def test_a_run_without_an_index_trains_on_phantoms() -> None:
    noise = NoiseRange(num_fields=1)
    opened = LowDoseData(num_phantoms=1, phantom_size=64, patch=16, num_validation=1, noise=noise).open(2, 0, 1, 0)
    assert opened.stream.batch_at(0)["normal"].shape == (2, 1, 16, 16)
    low, normal = opened.validation[0]["low"], opened.validation[0]["normal"]
    assert (low - normal).std() > 3


def test_a_run_without_anything_is_refused(mayo: tuple[Path, Index]) -> None:
    root, index = mayo
    with pytest.raises(MedEnhanceError, match="nothing to train on"):
        LowDoseData(num_phantoms=0).open(1, 0, 1, 0)
    save_index(index, root / "index.json")
    with pytest.raises(MedEnhanceError, match="no case to use"):
        LowDoseData(index=root / "index.json", licences=("CC0-1.0",)).open(1, 0, 1, 0)
