"""Dataclasses and JSON: what goes out comes back, and nothing else comes in."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass, field
from typing import Any, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from medenhance.strict_json import SchemaError, from_json, to_json


@dataclass(frozen=True)
class Point:
    x_mm: float
    name: str


@dataclass(frozen=True)
class Everything:
    count: int
    flag: bool
    ratio: float
    mode: Literal["a", "b", 1]
    maybe: int | None
    either: int | str
    pair: tuple[int, float]
    names: tuple[str, ...]
    grid: list[list[int]]
    points: dict[str, Point]
    free: Any
    setting: Point | None = None
    extras: tuple[int, ...] = field(default=())


FINITE = st.floats(allow_nan=False, allow_infinity=False)
WHOLE = st.integers(-(2**53), 2**53)
POINTS = st.builds(Point, FINITE, st.text())
PLAIN = st.recursive(
    st.none() | st.booleans() | WHOLE | FINITE | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=5,
)
EVERYTHING = st.builds(
    Everything,
    count=WHOLE,
    flag=st.booleans(),
    ratio=FINITE,
    mode=st.sampled_from(["a", "b", 1]),
    maybe=st.none() | WHOLE,
    either=WHOLE | st.text(),
    pair=st.tuples(WHOLE, FINITE),
    names=st.lists(st.text()).map(tuple),
    grid=st.lists(st.lists(WHOLE)),
    points=st.dictionaries(st.text(), POINTS),
    free=PLAIN,
    setting=st.none() | POINTS,
    extras=st.lists(WHOLE).map(tuple),
)
GOOD = {
    "count": 1,
    "flag": True,
    "ratio": 2,
    "mode": "a",
    "maybe": None,
    "either": "x",
    "pair": [1, 2.5],
    "names": ["n"],
    "grid": [[1, 2], []],
    "points": {"p": {"x_mm": 1.5, "name": "q"}},
    "free": {"a": [None, {"b": 1}]},
}


@given(EVERYTHING)
def test_what_is_written_reads_back_equal(value: Everything) -> None:
    assert from_json(Everything, json.loads(json.dumps(to_json(value)))) == value


def test_a_whole_number_where_a_float_stands_becomes_a_float() -> None:
    value = from_json(Everything, GOOD)
    assert type(value.ratio) is float
    assert type(value.pair[0]) is int


@pytest.mark.parametrize(
    ("key", "wrong", "path"),
    [
        ("count", 1.0, "top.count"),
        ("count", True, "top.count"),
        ("count", "1", "top.count"),
        ("flag", 1, "top.flag"),
        ("ratio", "2", "top.ratio"),
        ("ratio", True, "top.ratio"),
        ("ratio", math.nan, "top.ratio"),
        ("ratio", math.inf, "top.ratio"),
        ("ratio", None, "top.ratio"),
        ("mode", "c", "top.mode"),
        ("mode", True, "top.mode"),
        ("maybe", "none", "top.maybe"),
        ("either", None, "top.either"),
        ("either", 1.5, "top.either"),
        ("pair", [1], "top.pair"),
        ("pair", [1.5, 2], "top.pair[0]"),
        ("pair", {"0": 1}, "top.pair"),
        ("names", "n", "top.names"),
        ("names", ["n", 1], "top.names[1]"),
        ("grid", [[1], [2, "3"]], "top.grid[1][1]"),
        ("points", [], "top.points"),
        ("points", {"p": {"x_mm": 1}}, "top.points.p.name"),
        ("points", {"p": {"x_mm": 1, "name": "", "y_mm": 2}}, "top.points.p.y_mm"),
        ("free", {"a": [1, math.nan]}, "top.free.a[1]"),
        ("free", {"a": object()}, "top.free.a"),
        ("setting", {"x_mm": "far", "name": ""}, "top.setting.x_mm"),
        ("colour", "red", "top.colour"),
    ],
)
def test_an_error_names_the_place(key: str, wrong: Any, path: str) -> None:
    with pytest.raises(SchemaError) as caught:
        from_json(Everything, {**GOOD, key: wrong}, "top")
    assert caught.value.path == path


def test_a_missing_key_is_named_and_one_with_a_default_may_be_missing() -> None:
    assert from_json(Everything, GOOD).setting is None
    without = {key: value for key, value in GOOD.items() if key != "pair"}
    with pytest.raises(SchemaError, match=r"top\.pair: this key is missing"):
        from_json(Everything, without, "top")


def test_the_offending_value_is_shown_but_never_a_page_of_it() -> None:
    with pytest.raises(SchemaError) as caught:
        from_json(Point, {"x_mm": "9" * 1000, "name": ""})
    assert "a number was expected, not '999" in str(caught.value)
    assert len(str(caught.value)) < 200


def test_anything_but_an_object_is_refused() -> None:
    with pytest.raises(SchemaError, match="an object was expected"):
        from_json(Point, [1, "a"])
