"""Readers of public head CT sets on small trees: every layout, every trap, no patient in two parts."""

from __future__ import annotations

import csv
import shutil
from pathlib import Path

import numpy as np
import pytest
from head_set_trees import (
    blank,
    cq500_reads,
    drawn,
    physionet,
    rsna,
    write_dicom,
    write_table,
    write_volume,
)

from medenhance.errors import MedEnhanceError
from medenhance_training.__main__ import main
from medenhance_training.data.head_sets.dicom_slices import unwrapped
from medenhance_training.data.head_sets.known import HEAD_SETS, read_head_set
from medenhance_training.data.head_sets.manifest import (
    FoundSet,
    HeadSetCase,
    HeadSetManifest,
    load_manifest,
    make_manifest,
    save_manifest,
)


def read(name: str, root: Path) -> HeadSetManifest:
    return read_head_set(name, root, validation=0.0, test=0.0)


def reasons(manifest: HeadSetManifest) -> dict[str, str]:
    return {one.path: one.reason for one in manifest.left_out}


# RSNA 2019


@pytest.fixture
def rsna_tree(tmp_path: Path) -> Path:
    slices = {
        "ID_000000002": ("p1", 10.0, ("any", "subdural")),
        "ID_000000001": ("p1", 5.0, ()),
        "ID_000000003": ("p1", 0.0, ("any", "epidural", "subdural")),
        "ID_00000000a": ("p2", 0.0, ()),
        "ID_00000000b": ("p2", 5.0, ()),
    }
    return rsna(tmp_path, slices)


def test_rsna_slices_become_series_from_the_feet_to_the_head(rsna_tree: Path) -> None:
    manifest = read("rsna-2019", rsna_tree)
    one, other = sorted(manifest.cases, key=lambda case: case.patient_id)
    assert one.images == tuple(f"stage_2_train/ID_00000000{k}.dcm" for k in "312")
    assert one.slice_labels["any"] == (True, False, True)
    assert one.slice_labels["epidural"] == (True, False, False)
    assert (one.labels["any"], one.labels["subdural"], one.labels["intraventricular"]) == (True, True, False)
    assert one.spacing_mm == (0.5, 0.4, 5.0)
    assert not any(other.labels.values())
    assert (manifest.variant, manifest.licence, one.licence) == ("stage 2", *["RSNA-2019-non-commercial"] * 2)


def test_rsna_test_folder_has_no_labels_and_a_patient_stays_in_one_part(rsna_tree: Path) -> None:
    for k in range(9):
        write_dicom(rsna_tree / f"stage_2_test/ID_t{k}.dcm", 0.0, patient=f"p{k}", series="later")
    manifest = read_head_set("rsna-2019", rsna_tree, 0.3, 0.3)
    parts: dict[str, set[str]] = {}
    for case in manifest.cases:
        parts.setdefault(case.patient_id, set()).add(case.part)
    assert len(manifest.cases) == 11
    assert all(len(found) == 1 for found in parts.values())
    assert set().union(*parts.values()) == {"train", "validation", "test"}
    assert sum(not case.labels for case in manifest.cases) == 9


def test_rsna_rows_that_stand_twice_are_read_once_unless_they_differ(rsna_tree: Path) -> None:
    with (rsna_tree / "stage_2_train.csv").open("a") as file:
        file.write("ID_000000001_any,0\nID_00000000a_any,1\n")
    manifest = read("rsna-2019", rsna_tree)
    assert reasons(manifest)["ID_00000000a"] == "the table holds it twice with different labels"
    assert "no label" in reasons(manifest)["stage_2_train/ID_00000000a.dcm"]
    assert sorted(len(case.images) for case in manifest.cases) == [1, 3]


def test_rsna_files_that_are_cut_off_or_none_are_left_out(rsna_tree: Path) -> None:
    folder = rsna_tree / "stage_2_train"
    write_dicom(folder / "ID_000000002.dcm", 10.0, cut_off=True, size=64)
    (folder / "ID_00000000b.dcm").write_bytes(b"nothing")
    write_dicom(folder / "ID_unknown.dcm", 20.0)
    found = reasons(read("rsna-2019", rsna_tree))
    assert "cut off" in found["stage_2_train/ID_000000002.dcm"]
    assert found["stage_2_train/ID_00000000b.dcm"] == "no DICOM file"
    assert "has no label" in found["stage_2_train/ID_unknown.dcm"]


def test_rsna_pixels_that_wrapped_around_are_noted_and_can_be_put_right(rsna_tree: Path) -> None:
    write_dicom(rsna_tree / "stage_2_train/ID_000000001.dcm", 5.0, bits=12, intercept=0)
    write_dicom(rsna_tree / "stage_2_train/ID_00000000a.dcm", 0.0, patient="p2", bits=12, intercept=-1024)
    notes = {case.patient_id: case.notes for case in read("rsna-2019", rsna_tree).cases}
    assert notes["p1"] == ("1 slices with unsigned 12-bit pixels that wrapped around: see unwrapped()",)
    assert notes["p2"] == ()
    stored = np.array([40, 3096, 4095, 0, 2500], np.uint16)
    assert unwrapped(stored).tolist() == [40.0, -1000.0, -1.0, 0.0, 2500.0]


def test_slices_at_one_place_and_unequal_gaps_are_noted(rsna_tree: Path) -> None:
    table = (rsna_tree / "stage_2_train.csv").read_text()
    more = [
        line.replace("ID_000000001", name)
        for name in ("ID_z1", "ID_z2")
        for line in table.splitlines()
        if "0001" in line
    ]
    (rsna_tree / "stage_2_train.csv").write_text(table + "\n".join(more) + "\n")
    write_dicom(rsna_tree / "stage_2_train/ID_z1.dcm", 5.0, patient="p1")
    write_dicom(rsna_tree / "stage_2_train/ID_z2.dcm", 17.0, patient="p1")
    one = next(case for case in read("rsna-2019", rsna_tree).cases if case.patient_id == "p1")
    assert one.notes == ("1 slices stood where another one does", "unequal gaps, 5.00 to 7.00 mm")
    assert len(one.images) == 4


@pytest.mark.parametrize("line", ["ID_1_any,2", "ID_1_bleed,1", "ID_1_any"])
def test_rsna_rows_that_are_none_are_refused(rsna_tree: Path, line: str) -> None:
    with (rsna_tree / "stage_2_train.csv").open("a") as file:
        file.write(line + "\n")
    with pytest.raises(MedEnhanceError, match="is no ID_<hex>_<kind>"):
        read("rsna-2019", rsna_tree)


def test_rsna_is_found_in_a_folder_of_its_own_and_as_stage_1(rsna_tree: Path, tmp_path: Path) -> None:
    inner = tmp_path / "outer" / "rsna-intracranial-hemorrhage-detection"
    inner.mkdir(parents=True)
    shutil.move(rsna_tree / "stage_2_train", inner / "stage_1_train")
    shutil.move(rsna_tree / "stage_2_train.csv", inner / "stage_1_train.csv")
    assert read("rsna-2019", tmp_path / "outer").variant == "stage 1"
    (inner / "stage_1_train.csv").unlink()
    with pytest.raises(MedEnhanceError, match=r"no stage_1_train\.csv"):
        read("rsna-2019", tmp_path / "outer")


# CQ500


def cq500(root: Path, folder: str, series: dict[str, float], patient: str) -> None:
    for name, thickness in series.items():
        for k in range(3):
            path = root / folder / "Unknown Study" / name / f"CT{k:06d}.dcm"
            write_dicom(path, k * thickness, patient=patient, series=name, thickness=thickness)


@pytest.fixture
def cq500_tree(tmp_path: Path) -> Path:
    cq500(tmp_path, "qct01/CQ500CT0 CQ500CT0", {"CT Plain": 5.0, "CT PLAIN THIN": 0.625, "CT BONE": 5.0}, "CQ500-CT-0")
    cq500(tmp_path, "qct02/CQ500CT12", {"CT 0.625mm": 0.625, "CT 4cc sec 150cc D3D on": 5.0}, "CQ500-CT-12")
    cq500(tmp_path, "CQ500CT7 CQ500CT7", {"CT 4cc sec 150cc D3D on": 5.0}, "CQ500-CT-7")
    votes = {0: {"ICH": (1, 1, 0), "SDH": (1, 0, 1), "IPH": (0, 0, 1), "Fracture": (1, 1, 1)}, 12: {}, 7: {}, 99: {}}
    cq500_reads(tmp_path / "reads.csv", votes)
    return tmp_path


def test_cq500_takes_the_thick_plain_series_and_the_majority_of_the_readers(cq500_tree: Path) -> None:
    manifest = read("cq500", cq500_tree)
    cases = {case.id: case for case in manifest.cases}
    one = cases["CQ500-CT-0"]
    assert one.images[0] == "qct01/CQ500CT0 CQ500CT0/Unknown Study/CT Plain/CT000000.dcm"
    assert (one.spacing_mm, one.notes) == ((0.5, 0.4, 5.0), ("fracture",))
    assert {name for name, value in one.labels.items() if value} == {"any", "subdural"}
    assert cases["CQ500-CT-12"].notes == ("thin, 0.625 mm: average to 5 mm",)
    found = reasons(manifest)
    assert found["qct01/CQ500CT0 CQ500CT0/Unknown Study/CT BONE"] == "a series with contrast or of bone"
    assert "CT Plain (5 mm) was taken" in found["qct01/CQ500CT0 CQ500CT0/Unknown Study/CT PLAIN THIN"]
    assert "no plain series" in found["CQ500CT7 CQ500CT7"]
    assert found["CQ500-CT-99"] == "is in reads.csv but has no folder"
    assert one.licence == "CC-BY-NC-SA-4.0"


def test_cq500_without_its_table_or_with_another_is_refused(cq500_tree: Path) -> None:
    write_table(cq500_tree / "reads.csv", ("name", "Category"), [("CQ500-CT-0", "B1")])
    with pytest.raises(MedEnhanceError, match="has no column R1:EDH"):
        read("cq500", cq500_tree)
    (cq500_tree / "reads.csv").unlink()
    with pytest.raises(MedEnhanceError, match="holds no CQ500"):
        read("cq500", cq500_tree)


# PhysioNet CT-ICH


def test_physionet_labels_slices_and_masks_of_0_and_255(tmp_path: Path) -> None:
    inner = tmp_path / "computed-tomography-images-1.3.1"
    physionet(inner, {49: {2: "Subdural", 3: "Epidural"}, 50: {}})
    manifest = read("physionet-ct-ich", tmp_path)
    one, other = manifest.cases
    assert one.images == ("computed-tomography-images-1.3.1/ct_scans/049.nii",)
    assert one.slice_labels["any"] == (False, True, True, False)
    assert one.slice_labels["subdural"] == (False, True, False, False)
    assert (one.mask_kind, one.masks) == ("binary", ("computed-tomography-images-1.3.1/masks/049.nii",))
    assert (one.labels["epidural"], other.labels["any"]) == (True, False)
    assert one.notes == ("face blurred with added noise",)
    assert not manifest.left_out


def test_physionet_says_where_table_scans_and_masks_do_not_fit(tmp_path: Path) -> None:
    physionet(tmp_path, {49: {2: "Subdural"}, 50: {1: "Epidural"}, 51: {}, 52: {}, 60: {}})
    (tmp_path / "ct_scans/060.nii").unlink()
    write_volume(tmp_path / "masks/049.nii", drawn(255, (1, 3)))
    write_volume(tmp_path / "masks/050.nii", drawn(255, (0,), depth=5))
    write_volume(tmp_path / "ct_scans/051.nii", blank(5))
    write_volume(tmp_path / "ct_scans/070.nii", blank())
    table = tmp_path / "hemorrhage_diagnosis_raw_ct.csv"
    table.write_text(table.read_text().replace("52,2,0,0,0,0,0,1,0", "52,2,0,0,0,0,0,0,1"))
    manifest = read("physionet-ct-ich", tmp_path)
    notes = {case.id: case.notes for case in manifest.cases}
    assert "mask and table differ on slices 4" in notes["049"]
    assert notes["052"][1:] == ("table contradicts itself on slices 2", "fracture")
    found = reasons(manifest)
    assert "its mask has shape (5, 6, 6)" in found["ct_scans/050.nii"]
    assert found["ct_scans/051.nii"] == "it has 5 slices, the table 4 rows, 1 to 4"
    assert found["ct_scans/070.nii"] == "the table has no row of it"
    assert found["patient 060"] == "is in the table but has no scan"


def test_physionet_s_jpeg_slices_are_refused(tmp_path: Path) -> None:
    (tmp_path / "Patients_CT/049/brain").mkdir(parents=True)
    with pytest.raises(MedEnhanceError, match="windowed JPEG"):
        read("physionet-ct-ich", tmp_path)


# BHSD


def test_bhsd_pairs_have_subtypes(tmp_path: Path) -> None:
    for name, label in (("ID_a1_ID_s1", 5), ("ID_a1_ID_s2", 0), ("ID_b2_ID_s3", 2)):
        write_volume(tmp_path / "label_192/images" / f"{name}.nii.gz", blank())
        write_volume(tmp_path / "label_192/ground truths" / f"{name}.nii.gz", drawn(label))
    write_volume(tmp_path / "unlabel_1980/ID_c3_ID_s9.nii.gz", blank())
    manifest = read("bhsd", tmp_path)
    cases = {case.id: case for case in manifest.cases}
    assert manifest.variant == "label_192 and unlabelled"
    assert cases["ID_a1_ID_s1"].patient_id == cases["ID_a1_ID_s2"].patient_id == "ID_a1"
    assert {name for name, value in cases["ID_a1_ID_s1"].labels.items() if value} == {"any", "subdural"}
    assert cases["ID_b2_ID_s3"].labels["intraparenchymal"]
    assert not any(cases["ID_a1_ID_s2"].labels.values())
    assert (cases["ID_c3_ID_s9"].labels, cases["ID_c3_ID_s9"].mask_kind) == ({}, "")
    assert "NC-ND" in manifest.licence


def test_bhsd_as_nnunet_keeps_its_test_part_by_patient(tmp_path: Path) -> None:
    for part, names in (("Tr", ("ID_a_ID_1", "ID_b_ID_2", "ID_c_ID_3")), ("Ts", ("ID_a_ID_4", "ID_d_ID_5"))):
        for name in names:
            write_volume(tmp_path / f"images{part}" / f"{name}_0000.nii.gz", blank())
            write_volume(tmp_path / f"labels{part}" / f"{name}.nii.gz", drawn(1))
    manifest = read("bhsd", tmp_path)
    assert manifest.variant == "nnU-Net"
    parts = {case.id: case.part for case in manifest.cases}
    assert {name for name, part in parts.items() if part == "test"} == {"ID_a_ID_1", "ID_a_ID_4", "ID_d_ID_5"}
    noted = {case.patient_id for case in manifest.cases if case.notes}
    assert noted == {"ID_a"}, "it stands in both parts of the set's own split"


def test_bhsd_of_several_readers_takes_their_majority(tmp_path: Path) -> None:
    folder = tmp_path / "case_1"
    write_volume(folder / "image.nii.gz", blank())
    for n, label in enumerate((3, 3, 4)):
        write_volume(folder / f"label_annot_{n}.nii.gz", drawn(label))
    (one,) = read("bhsd", tmp_path).cases
    assert {name for name, value in one.labels.items() if value} == {"any", "intraventricular"}
    assert (len(one.masks), one.notes) == (3, ("3 readers",))


def test_bhsd_masks_of_another_shape_or_with_other_labels_are_left_out(tmp_path: Path) -> None:
    for name, mask in (("ID_a_ID_1", drawn(6)), ("ID_b_ID_2", drawn(1, depth=5)), ("ID_c_ID_3", drawn(1))):
        write_volume(tmp_path / "images" / f"{name}.nii.gz", blank())
        write_volume(tmp_path / "labels" / f"{name}.nii.gz", mask)
    found = reasons(read("bhsd", tmp_path))
    assert "has labels [0, 6], not 0 to 5" in found["images/ID_a_ID_1.nii.gz"]
    assert "has shape (5, 6, 6)" in found["images/ID_b_ID_2.nii.gz"]


def test_a_set_that_was_not_unpacked_says_so(tmp_path: Path) -> None:
    (tmp_path / "MBH_train_label.zip").write_bytes(b"PK")
    with pytest.raises(MedEnhanceError, match=r"Unpack MBH_train_label\.zip first"):
        read("bhsd", tmp_path)


# INSTANCE 2022


def test_instance_pairs_and_other_parts(tmp_path: Path) -> None:
    for n in (1, 2):
        write_volume(tmp_path / f"train_2/data/{n:03d}.nii.gz", blank(24))
        write_volume(tmp_path / f"train_2/label/{n:03d}.nii.gz", drawn(n - 1, depth=24))
    write_volume(tmp_path / "evaluation/001.nii.gz", blank(24))
    manifest = read("instance-2022", tmp_path)
    cases = {case.id: case for case in manifest.cases}
    assert manifest.variant == "train_2 and others"
    assert [cases[name].labels for name in ("001", "002", "evaluation-001")] == [{"any": False}, {"any": True}, {}]
    assert cases["001"].masks == ("train_2/label/001.nii.gz",)
    assert cases["001"].notes == ()
    assert cases["evaluation-001"].spacing_mm == pytest.approx((0.5, 0.5, 5.0))


def test_instance_notes_a_flat_head_and_leaves_out_masks_that_do_not_fit(tmp_path: Path) -> None:
    write_volume(tmp_path / "data/001.nii.gz", blank(), (0.5, 0.5, 1.0))
    write_volume(tmp_path / "label/001.nii.gz", drawn(1))
    write_volume(tmp_path / "data/002.nii.gz", blank())
    write_volume(tmp_path / "label/002.nii.gz", drawn(2))
    write_volume(tmp_path / "data/003.nii.gz", blank())
    write_volume(tmp_path / "label/003.nii.gz", drawn(1, depth=5))
    manifest = read("instance-2022", tmp_path)
    assert (manifest.variant, manifest.cases[0].notes) == ("data and label", ("the file says that 4 slices are 4 mm",))
    found = reasons(manifest)
    assert "labels [0, 2], not 0 and 1" in found["data/002.nii.gz"]
    assert "shape (5, 6, 6)" in found["data/003.nii.gz"]


# All of them


@pytest.mark.parametrize("name", HEAD_SETS)
def test_an_empty_or_missing_folder_is_refused_in_words(tmp_path: Path, name: str) -> None:
    with pytest.raises(MedEnhanceError, match="is not a folder"):
        read(name, tmp_path / "none")
    with pytest.raises(MedEnhanceError, match=r"holds no .* It should hold"):
        read(name, tmp_path)


def test_a_damaged_volume_is_named(tmp_path: Path) -> None:
    path = tmp_path / "data/001.nii.gz"
    path.parent.mkdir()
    path.write_bytes(b"nothing")
    with pytest.raises(MedEnhanceError, match=r"001\.nii\.gz cannot be read"):
        read("instance-2022", tmp_path)


def test_a_manifest_comes_back_from_json_and_fits_into_a_table(rsna_tree: Path, tmp_path: Path) -> None:
    manifest = read("rsna-2019", rsna_tree)
    save_manifest(manifest, tmp_path / "m.json")
    assert load_manifest(tmp_path / "m.json") == manifest
    save_manifest(manifest, tmp_path / "m.csv")
    rows = list(csv.DictReader((tmp_path / "m.csv").read_text().splitlines()))
    one = next(row for row in rows if row["patient_id"] == "p1")
    assert (one["any"], one["intraventricular"], one["split"]) == ("1", "0", "train")
    assert one["images"].split(";")[0] == "stage_2_train/ID_000000003.dcm"
    assert one["spacing_mm"] == "0.5;0.4;5"
    with pytest.raises(MedEnhanceError, match=r"neither \.json nor \.csv"):
        save_manifest(manifest, tmp_path / "m.txt")


@pytest.mark.parametrize(("text", "said"), [("{", "is no manifest"), ('{"schema": 1}', "name: this key is missing")])
def test_a_manifest_that_is_none_is_refused(tmp_path: Path, text: str, said: str) -> None:
    (tmp_path / "m.json").write_text(text)
    with pytest.raises(MedEnhanceError, match=said):
        load_manifest(tmp_path / "m.json")
    with pytest.raises(MedEnhanceError, match="no manifest"):
        load_manifest(tmp_path / "none.json")


def test_one_id_twice_and_an_empty_set_are_refused() -> None:
    case = HeadSetCase("a", "a", ("a.nii",))
    with pytest.raises(MedEnhanceError, match="a twice"):
        make_manifest("x", "l", "t", FoundSet("v", (case, case)), 0, 0, 0)
    with pytest.raises(MedEnhanceError, match="No scan of x"):
        make_manifest("x", "l", "t", FoundSet("v", ()), 0, 0, 0)


def test_the_command_writes_the_manifest_and_says_what_was_left_out(
    cq500_tree: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "cq500.json"
    words = ["index", "head-ct", "--set", "cq500", "--root", str(cq500_tree), "--output", str(out)]
    assert main([*words, "--validation", "0", "--test", "0"]) == 0
    shown = capsys.readouterr()
    assert "cq500 (DICOM): 2 scans of 2 patients, 1 with blood, 0 with masks; 2 train" in shown.out
    assert "no plain series" in shown.err
    assert len(load_manifest(out).cases) == 2
    assert main(words) == 1, "two patients are too few for three parts"
    assert "too few" in capsys.readouterr().err
