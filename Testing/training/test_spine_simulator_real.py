"""Simulated projections beside the one public real one: their structured noise is alike by the usual measures."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk

from medenhance_training.data.spine.comparison import comparison_table, measures
from medenhance_training.data.spine.simulate import simulate_case

NUM_SUBJECTS = 12
# How far the median subject may lie from the one real person, who is a subject like any other.
TOLERANCE = {
    "patches with g >= 4 (of 175)": 4,
    "patches with g <= 2 (of 175)": 12,
    "g, median": 0.15,
    "g, 95th percentile": 0.4,
    "g, highest": 1.2,
    "dash pixels, % of the scan": 0.5,
    "empty pixels, % of the scan": 0.4,
    "dash height px, median": 0.0,
    "dash height px, 95th percentile": 1.0,
    "dash width px, median": 1.0,
    "dash width px, 75th percentile": 2.0,
    "dash width px, 95th percentile": 7.0,
    "mean grey in the scan": 15,
    "sd of grey": 15,
}


@pytest.fixture(scope="module")
def subjects() -> list[np.ndarray]:
    # The deepest slab, which evaluations measure on; those above are brighter, for bones shade less of them.
    return [simulate_case(seed).projections[4] for seed in range(NUM_SUBJECTS)]


@pytest.fixture(scope="module")
def real(shared_data: Path) -> np.ndarray:
    return sitk.GetArrayFromImage(sitk.ReadImage(str(shared_data / "spine_us" / "vpi_coronal_demo" / "demo.png")))


def test_the_real_image_could_be_one_of_the_simulated_by_every_measure(
    subjects: list[np.ndarray], real: np.ndarray
) -> None:
    print("\n" + comparison_table(real, subjects))
    theirs = measures(real)
    ours = [measures(image) for image in subjects]
    assert set(theirs) == set(TOLERANCE)
    for name, value in theirs.items():
        drawn = [one[name] for one in ours]
        assert abs(np.median(drawn) - value) <= TOLERANCE[name], name
        if "grey" not in name:
            assert min(drawn) <= value <= max(drawn), name


def test_the_table_names_the_real_value_and_the_spread(real: np.ndarray) -> None:
    lines = comparison_table(real, [real, real]).splitlines()
    assert "of 2 simulated" in lines[0]
    assert lines[1].split()[-4:] == ["5.00", "5.00", "5.00", "5.00"]


def test_one_subject_takes_less_than_a_second_of_one_core() -> None:
    simulate_case(0)
    taken = []
    for seed in range(3):
        start = time.process_time()
        simulate_case(seed)
        taken.append(time.process_time() - start)
    assert min(taken) < 1.0
