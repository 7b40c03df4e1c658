"""Intensity maps: they invert themselves, and they say which voxels a network may change."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from medenhance.errors import MedEnhanceError
from medenhance.intensity import Grey, Scale, Window, intensity_map

MAPS = [Grey(), Scale(), Scale(center_hu=-1024.0, scale_hu=4096.0), Window(-160.0, 240.0), Window(0.0, 80.0)]


@pytest.mark.parametrize("mapping", MAPS)
@given(position=st.floats(0.0, 1.0))
def test_inverse_undoes_forward_inside_the_range(mapping, position):
    low, high = mapping.clip_hu
    hu = torch.tensor([low + position * (high - low)])
    assert mapping.inverse(mapping.forward(hu)).item() == pytest.approx(hu.item(), abs=1e-3)


@pytest.mark.parametrize("mapping", MAPS)
def test_a_unit_is_as_many_hu_as_it_says(mapping):
    middle = sum(mapping.clip_hu) / 2
    step = mapping.forward(torch.tensor([middle, middle + 10.0])).diff().item()
    assert step * mapping.unit_hu == pytest.approx(10.0, rel=1e-4)


@pytest.mark.parametrize("mapping", MAPS)
def test_values_outside_the_range_are_clipped_going_in_and_not_touched(mapping):
    low, high = mapping.clip_hu
    outside = torch.tensor([low - 500.0, high + 500.0])
    assert torch.equal(mapping.forward(outside), mapping.forward(torch.tensor([low, high])))
    assert torch.equal(mapping.weight(outside), torch.zeros(2))


def test_the_published_windows_map_to_zero_and_one():
    assert Window(-160.0, 240.0).forward(torch.tensor([-160.0, 40.0, 240.0])).tolist() == [0.0, 0.5, 1.0]
    assert Window(0.0, 80.0).forward(torch.tensor([0.0, 80.0])).tolist() == [0.0, 1.0]


def test_a_window_fades_in_without_a_step():
    window = Window(-160.0, 240.0)
    hu = torch.arange(-200.0, 280.0, 0.25)
    weight = window.weight(hu)
    assert weight[hu == -160.0].item() == 0.0
    assert weight[hu == 240.0].item() == 0.0
    assert weight[hu == 40.0].item() == 1.0
    # Over 0.25 HU of a fade of 20 HU the weight may rise by 1.5 * 0.25 / 20 at most: the slope of smoothstep.
    assert weight.diff().abs().max().item() <= 1.5 * 0.25 / 20.0 + 1e-6


@pytest.mark.parametrize(
    ("spec", "what"),
    [
        ({"kind": "cube"}, "cube"),
        ({"lo_hu": 0.0}, "None"),
        ({"kind": "window", "low": 1.0}, "low"),
        ({"kind": "window", "lo_hu": 240.0, "hi_hu": -160.0}, "no range"),
    ],
)
def test_a_wrong_description_is_refused_by_name(spec, what):
    with pytest.raises(MedEnhanceError, match=what) as caught:
        intensity_map(spec)
    assert caught.value.kind == "model-invalid"


def test_a_description_from_json_gives_the_map():
    assert intensity_map({"kind": "scale", "clip_hu": [-1000, 2000]}) == Scale(clip_hu=(-1000, 2000))
