"""The readers of the public paired data sets: slices meet their twins by position, whatever files are called."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from paired_trees import write_series, write_slice

from medenhance.errors import MedEnhanceError
from medenhance_training.data.ct_headers import CtHeader, find_ct_slices
from medenhance_training.data.mayo import read_mayo
from medenhance_training.data.pairing import Pairing, pair_slices
from medenhance_training.data.tcia import read_tcia

HEIGHTS = [-30.0, -27.0, -24.0]


def places(pairing: Pairing) -> list[tuple[float, float]]:
    return [(p.normal.position_mm[2], p.low.position_mm[2]) for scan in pairing.scans for p in scan.pairs]


MAYO_LAYOUTS = {
    "patient first": ("L067/full_3mm/{n}.IMA", "L067/quarter_3mm/{n}.IMA"),
    "dose first": ("full_3mm/L067/full_3mm/{n}.IMA", "quarter_3mm/L067/quarter_3mm/{n}.IMA"),
    "kernel folders": ("Full_Dose/3mm/Sharp Kernel/L067/{n}.IMA", "Quarter_Dose/3mm/Sharp Kernel/L067/{n}.IMA"),
    "train and test": ("train/ndct/L067_{n}.IMA", "train/ldct/L067_{n}.IMA"),
    "dose in the name": (
        "L067/L067_FD_3_1.CT.0004.{n}.2015.12.22.IMA",
        "L067/L067_QD_3_1.CT.0004.{n}.2015.12.22.IMA",
    ),
    "no suffix": ("L067/full_1mm/{n}", "L067/quarter_1mm/{n}"),
}


@pytest.mark.parametrize("layout", MAYO_LAYOUTS)
def test_every_layout_of_the_challenge_is_read(tmp_path: Path, layout: str) -> None:
    full, quarter = MAYO_LAYOUTS[layout]
    # The file names count the wrong way in one of the two: sorted file order would pair first with last.
    write_series(tmp_path, [full.format(n=f"000{k}") for k in (1, 2, 3)], HEIGHTS)
    write_series(tmp_path, [quarter.format(n=f"000{k}") for k in (3, 2, 1)], HEIGHTS, series="quarter")
    pairing = read_mayo(tmp_path)
    assert places(pairing) == [(z, z) for z in HEIGHTS]
    assert [(scan.patient_id, scan.dose) for scan in pairing.scans] == [("L067", 0.25)]
    assert not pairing.unpaired
    assert not pairing.skipped


def test_scans_of_other_kernels_thicknesses_and_patients_stay_apart(tmp_path: Path) -> None:
    for patient in ("L067", "L096"):
        for kernel in ("B30f", "D45f"):
            for thickness in (1.0, 3.0):
                for dose in ("full", "quarter"):
                    folder = tmp_path / patient / f"{dose}_{thickness:g}mm_{kernel}"
                    options = {"patient": patient, "kernel": kernel, "thickness": thickness, "series": str(folder)}
                    write_series(folder, ["a", "b"], [0.0, thickness], **options)
    pairing = read_mayo(tmp_path)
    assert len(pairing.scans) == 8
    assert all(len(scan.pairs) == 2 for scan in pairing.scans)
    assert all(p.normal.kernel == p.low.kernel for scan in pairing.scans for p in scan.pairs)


def test_doses_in_the_patient_id_do_not_part_a_patient(tmp_path: Path) -> None:
    write_slice(tmp_path / "full/1.IMA", 0.0, patient="L506_FD_1_1")
    write_slice(tmp_path / "quarter/1.IMA", 0.0, patient="L506_QD_1_1")
    assert [scan.patient_id for scan in read_mayo(tmp_path).scans] == ["L506"]


def test_slices_without_a_twin_are_named(tmp_path: Path) -> None:
    write_series(tmp_path / "L067/full_3mm", ["1", "2", "3"], [0.0, 3.0, 6.0])
    write_series(tmp_path / "L067/quarter_3mm", ["1", "2"], [3.0, 9.0], series="quarter")
    pairing = read_mayo(tmp_path)
    assert places(pairing) == [(3.0, 3.0)]
    reasons = {skip.path.relative_to(tmp_path / "L067").as_posix(): skip.reason for skip in pairing.unpaired}
    assert set(reasons) == {"full_3mm/1", "full_3mm/3", "quarter_3mm/2"}
    assert "no normal-dose slice at (-20, 5, 9) mm with kernel B30f" in reasons["quarter_3mm/2"]
    assert "1 pairs in 1 scans of 1 patients; 3 slices without a twin" in pairing.summary


def test_slices_that_are_shifted_in_their_plane_are_no_twins(tmp_path: Path) -> None:
    write_slice(tmp_path / "full/1", 0.0)
    write_slice(tmp_path / "quarter/1", 0.0, x=-19.0)
    assert len(read_mayo(tmp_path).unpaired) == 2


def test_where_several_slices_share_a_place_the_instance_number_decides(tmp_path: Path) -> None:
    write_slice(tmp_path / "full/1", 0.0, number=7)
    write_slice(tmp_path / "quarter/1", 0.0, number=8, series="quarter")
    write_slice(tmp_path / "quarter/2", 0.0, number=7, series="quarter")
    pairing = read_mayo(tmp_path)
    assert [p.low.path.name for scan in pairing.scans for p in scan.pairs] == ["2"]
    write_slice(tmp_path / "quarter/3", 0.0, number=7, series="quarter")
    pairing = read_mayo(tmp_path)
    assert not places(pairing)
    assert any("3 low-dose slices" in skip.reason for skip in pairing.unpaired)


def test_files_that_state_no_dose_are_skipped_with_a_reason(tmp_path: Path) -> None:
    write_slice(tmp_path / "L067/full_3mm/1", 0.0)
    write_slice(tmp_path / "L067/other/1", 0.0)
    (skip,) = read_mayo(tmp_path).skipped
    assert skip.path.parent.name == "other"
    assert "full or quarter" in skip.reason


def test_the_root_folders_own_name_says_nothing_about_the_dose(tmp_path: Path) -> None:
    root = tmp_path / "quarter"
    write_slice(root / "L067/full/1", 0.0)
    write_slice(root / "L067/other/1", 0.0)
    pairing = read_mayo(root)
    assert not places(pairing)
    assert [skip.path.parent.name for skip in pairing.skipped] == ["other"]


def tcia_tree(root: Path, patient: str, low: bool = True, shouted: bool = False) -> None:
    study = root / "LDCT-and-Projection-data" / patient / "12-23-2021-NA-NA-62464"
    full, quarter = ("FULL DOSE IMAGES", "LOW DOSE IMAGES") if shouted else ("Full Dose Images", "Low Dose Images")
    names = ["1-001.dcm", "1-002.dcm", "1-003.dcm"]
    write_series(
        study / "1.000000-Full Dose Images-56325", names, HEIGHTS, patient=patient, description=full, series="full"
    )
    write_slice(study / "2.000000-Full Dose Projections-1" / "1-0001.dcm", 0.0, patient=patient)
    if low:
        write_series(
            study / "1.000000-Low Dose Images-39882",
            names[::-1],
            HEIGHTS,
            patient=patient,
            description=quarter,
            series="low",
        )


def test_the_archives_layout_is_read_with_the_dose_of_each_body_part(tmp_path: Path) -> None:
    for patient, shouted in (("C002", True), ("L033", False), ("N012", False)):
        tcia_tree(tmp_path, patient, shouted=shouted)
    (tmp_path / "metadata.csv").write_text("Subject ID,Series Description\n")
    pairing = read_tcia(tmp_path)
    assert {scan.patient_id: scan.dose for scan in pairing.scans} == {"C002": 0.10, "L033": 0.25, "N012": 0.25}
    assert places(pairing) == [(z, z) for z in HEIGHTS] * 3
    assert not pairing.skipped, "projections must not even be opened"


def test_scans_without_low_dose_images_are_kept_as_normal_dose(tmp_path: Path) -> None:
    tcia_tree(tmp_path, "L011", low=False)
    (scan,) = read_tcia(tmp_path).scans
    assert not scan.pairs
    assert [h.position_mm[2] for h in scan.normal_only] == HEIGHTS
    assert scan.dose == 1.0


def test_the_archives_series_folder_tells_the_dose_when_the_header_does_not(tmp_path: Path) -> None:
    for dose in ("Full", "Low"):
        write_slice(tmp_path / f"L001/date/1.000000-{dose} Dose Images-1/1-1.dcm", 0.0, patient="", series=dose)
    assert places(read_tcia(tmp_path)) == [(0.0, 0.0)]


def test_other_series_of_the_archive_are_skipped_with_a_reason(tmp_path: Path) -> None:
    tcia_tree(tmp_path, "C001")
    write_slice(tmp_path / "C001/date/scout/1.dcm", 0.0, patient="C001", description="Scout")
    write_slice(tmp_path / "X/1.dcm", 0.0, patient="PHANTOM", description="Full dose images")
    reasons = sorted(skip.reason for skip in read_tcia(tmp_path).skipped)
    assert ["'Scout'" in reasons[1], "PHANTOM" in reasons[0]] == [True, True]


def test_damaged_and_foreign_files_are_told_from_slices(tmp_path: Path) -> None:
    good = write_slice(tmp_path / "a/1.IMA", 0.0)
    (tmp_path / "a/cut.IMA").write_bytes(good.read_bytes()[:200])
    (tmp_path / "a/README.txt").write_text("not DICOM")
    write_slice(tmp_path / "a/mr.dcm", 0.0, modality="MR")
    found, skipped = find_ct_slices(tmp_path)
    assert [header.path.name for header in found] == ["1.IMA"]
    assert {skip.path.name for skip in skipped} == {"cut.IMA", "mr.dcm"}
    assert any("modality MR" in skip.reason for skip in skipped)


@pytest.mark.parametrize("reader", [read_mayo, read_tcia])
def test_a_folder_without_slices_is_refused(tmp_path: Path, reader: object) -> None:
    (tmp_path / "notes.txt").write_text("nothing")
    with pytest.raises(MedEnhanceError, match="holds no CT slices"):
        reader(tmp_path)  # type: ignore[operator]
    with pytest.raises(MedEnhanceError, match="not a folder"):
        reader(tmp_path / "missing")  # type: ignore[operator]


def header(number: int, z: float, name: str) -> CtHeader:
    tilt = np.deg2rad(20)
    down = (0.0, float(np.cos(tilt)), float(np.sin(tilt)))
    return CtHeader(
        Path(name), "P", "1.2", "", "B30f", number, (1.0, 2.0, z), (1.0, 0.0, 0.0, *down), (0.7, 0.7), 3.0, (8, 8)
    )


@settings(max_examples=60, deadline=None)
@given(
    gaps=st.lists(st.floats(0.3, 7.0), min_size=1, max_size=12),
    missing=st.sets(st.integers(0, 11)),
    order=st.randoms(use_true_random=False),
    jitter=st.floats(-0.02, 0.02),
)
def test_pairing_does_not_depend_on_any_order(
    gaps: list[float], missing: set[int], order: object, jitter: float
) -> None:
    """Tilted slices with unequal gaps, in any order, some without a twin: pairs are those at one place, no other."""
    heights = np.cumsum(gaps)
    normal = [header(k, z, f"n{k}") for k, z in enumerate(heights)]
    low = [header(90 - k, z + jitter, f"l{k}") for k, z in enumerate(heights) if k not in missing]
    order.shuffle(normal)  # type: ignore[attr-defined]
    order.shuffle(low)  # type: ignore[attr-defined]
    pairs, alone = pair_slices(normal, low)
    kept = [k for k in range(len(heights)) if k not in missing]
    assert [(p.normal.path.name, p.low.path.name) for p in pairs] == [(f"n{k}", f"l{k}") for k in kept]
    assert len(alone) == len(heights) - len(kept)
