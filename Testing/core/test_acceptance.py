"""What a model refuses, and why."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from medenhance.errors import MedEnhanceError
from medenhance.manifest import AcceptedInput
from medenhance.tasks.acceptance import check_accepted, value_range
from medenhance.volume import Grid, Volume

ACCEPTED = AcceptedInput("CT", 1, (0.2, 2.5), (0.3, 10.5), (-2048.0, 8191.0))
BODY = Volume(np.linspace(-1024, 900, 60).reshape(3, 4, 5).astype(np.float32), Grid((0.7, 0.8, 3.0)), modality="CT")


def test_a_ct_is_accepted_with_and_without_saying_so():
    check_accepted(BODY, ACCEPTED)
    check_accepted(replace(BODY, modality=None), ACCEPTED)


@pytest.mark.parametrize(
    ("volume", "words"),
    [
        (replace(BODY, modality="MR"), "MR, not CT"),
        (Volume(np.full((2, 4, 4), 200, np.uint8)), "grey values or labels"),
        (Volume(np.arange(32).reshape(2, 4, 4)), "grey values or labels"),
        (replace(BODY, grid=Grid((3.0, 0.8, 3.0))), "pixel spacing is 3 mm; this model takes 0.2 to 2.5 mm"),
        (replace(BODY, grid=Grid((0.7, 0.8, 0.1))), "distance between slices is 0.1 mm"),
        (replace(BODY, array=BODY.array - 2000), "run from -3024 to -1100"),
        (replace(BODY, array=BODY.array * 10), "this model takes -2048 to 8191"),
    ],
)
def test_what_does_not_fit_is_refused_with_its_value(volume, words):
    with pytest.raises(MedEnhanceError, match=words) as caught:
        check_accepted(volume, ACCEPTED)
    assert caught.value.kind == "input-unsuitable"
    assert caught.value.hint


def test_a_spacing_that_no_file_states_is_not_judged():
    check_accepted(replace(BODY, grid=Grid((30.0, 30.0, 30.0), spacing_known=False)), ACCEPTED)


def test_one_slice_has_no_distance_to_the_next():
    one = replace(BODY, array=BODY.array[:1], grid=Grid((0.7, 0.8, 50.0)))
    check_accepted(one, ACCEPTED)


def test_dark_ct_of_soft_tissue_in_dicom_is_believed():
    """A DICOM series says that it is CT; a crop without air or bone is one all the same."""
    check_accepted(Volume(np.full((2, 4, 4), 40.0), modality="CT"), ACCEPTED)


def test_the_range_is_that_of_all_slices():
    assert value_range(BODY) == (-1024.0, 900.0)
