"""Calibration of a haemorrhage model: logit to probability to verdict, and its place in the manifest."""

from __future__ import annotations

import copy
import json
import math
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from medenhance.errors import MedEnhanceError
from medenhance.head_ct.calibration import UNCALIBRATED, Calibration, OperatingPoint, sigmoid
from medenhance.head_ct.mask_rule import MaskRule
from medenhance.head_ct.volume_spread import VolumeSpread
from medenhance.manifest import ModelEntry, entry_from_json, entry_to_json, manifest_text, parse_manifest

POINTS = (
    OperatingPoint("balanced", 0.4, 0.93, 0.91, "120 simulated scans, 25 % with blood"),
    OperatingPoint("sensitive", 0.2, 0.97, 0.8, "120 simulated scans, 25 % with blood"),
)
SPREAD = VolumeSpread(low=0.9, high=2.0, share=0.8, least_ml=1.0, measured_on="120 simulated scans, 25 % with blood")
FITTED = Calibration(temperature=2.0, bias=-0.5, operating_points=POINTS, mask=MaskRule(0.6, 0.9), volume=SPREAD)


@pytest.fixture
def detector(entry: ModelEntry) -> ModelEntry:
    return replace(entry, task="detect-hemorrhage", trusted=None, calibration=FITTED)


def test_a_logit_is_divided_and_shifted() -> None:
    assert FITTED.probability(1.0) == 0.5
    assert FITTED.probability(3.0) == pytest.approx(1 / (1 + math.exp(-1.0)))
    assert UNCALIBRATED.probability(math.log(3)) == pytest.approx(0.75)


@given(st.floats(-1e6, 1e6), st.floats(-1e6, 1e6))
def test_probabilities_are_ordered_as_logits_are(a: float, b: float) -> None:
    low, high = sorted((a, b))
    assert 0.0 <= FITTED.probability(low) <= FITTED.probability(high) <= 1.0


@given(st.floats(0.001, 0.999))
def test_a_probability_has_its_logit(probability: float) -> None:
    assert FITTED.probability(FITTED.logit(probability)) == pytest.approx(probability)


def test_the_logistic_function_neither_overflows_nor_loses_its_symmetry() -> None:
    assert (sigmoid(1e9), sigmoid(-1e9)) == (1.0, pytest.approx(0.0, abs=1e-300))
    assert sigmoid(2.5) + sigmoid(-2.5) == pytest.approx(1.0)


def test_the_first_operating_point_is_the_default_and_others_go_by_name() -> None:
    assert FITTED.operating_point().name == "balanced"
    assert FITTED.operating_point("sensitive").threshold == 0.2
    with pytest.raises(MedEnhanceError, match=r"'keen'.*balanced, sensitive"):
        FITTED.operating_point("keen")
    with pytest.raises(MedEnhanceError, match="none"):
        UNCALIBRATED.operating_point()


def test_a_calibrated_entry_survives_the_manifest(detector: ModelEntry) -> None:
    detector = replace(detector, default=True)
    text = manifest_text([detector])
    assert parse_manifest(text) == {detector.id: detector}
    assert json.loads(text)["models"][0]["calibration"]["operating_points"][1]["threshold"] == 0.2


def test_an_entry_from_before_volumes_were_measured_is_read(detector: ModelEntry) -> None:
    written = entry_to_json(detector)
    del written["calibration"]["volume"]
    assert entry_from_json(written).calibration == replace(FITTED, volume=None)


def test_a_true_volume_is_stated_as_multiples_of_the_mask_and_not_for_small_ones() -> None:
    found = SPREAD.around(10.0)
    assert found is not None
    assert (found.low_ml, found.high_ml) == (pytest.approx(9.0), pytest.approx(20.0))
    assert "9.0 to 20.0 mL in 80% of scans" in str(found)
    assert SPREAD.around(0.99) is None


def test_other_entries_do_not_mention_it(entry: ModelEntry) -> None:
    assert "calibration" not in entry_to_json(entry)


def test_it_belongs_to_every_haemorrhage_model_and_to_no_other(entry: ModelEntry, detector: ModelEntry) -> None:
    for wrong in (replace(entry, calibration=FITTED), replace(detector, calibration=None)):
        with pytest.raises(MedEnhanceError, match=r"entry\.calibration: it belongs to models for detect-hemorrhage"):
            entry_from_json(entry_to_json(wrong))


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("temperature",), 0.0),
        (("temperature",), "warm"),
        (("mask", "threshold"), 1.0),
        (("mask", "piece_threshold"), -0.1),
        (("volume", "low"), 2.5),
        (("volume", "share"), 1.0),
        (("volume", "least_ml"), 0.0),
        (("volume", "measured_on"), ""),
        (("operating_points",), []),
        (("operating_points", 0, "name"), "sensitive"),
        (("operating_points", 0, "name"), " "),
        (("operating_points", 1, "threshold"), 1.5),
        (("operating_points", 1, "sensitivity"), -0.1),
        (("operating_points", 1, "specificity"), 1.1),
        (("operating_points", 1, "measured_on"), ""),
        (("operating_points", 1, "colour"), "red"),
    ],
)
def test_a_wrong_value_is_found_and_named(detector: ModelEntry, path: tuple[Any, ...], value: object) -> None:
    changed = copy.deepcopy(entry_to_json(detector))
    inner = changed["calibration"]
    for key in path[:-1]:
        inner = inner[key]
    inner[path[-1]] = value
    with pytest.raises(MedEnhanceError, match=r"entry\.calibration") as caught:
        entry_from_json(changed)
    named = path[:1] if path[-1] == "name" and value == "sensitive" else path
    assert all(str(key) in caught.value.message for key in named)
