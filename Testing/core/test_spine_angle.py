"""The ultrasound curve angle against synthetic label maps of known tilts.

`python Testing/core/test_spine_angle.py 400 [FIRST_SEED [JITTER_MM]]` measures error and coverage over 400 cases that
neither a test nor the choice of the method has used.
"""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from scipy.ndimage import binary_dilation, binary_erosion, gaussian_filter1d

from medenhance.__main__ import main
from medenhance.errors import MedEnhanceError
from medenhance.spine import angle
from medenhance.spine.angle import angle_between, measure
from medenhance.spine.curves import alternating_extremes
from medenhance.spine.labels import converted
from medenhance.spine.measurement import Curve, Measurement
from medenhance.tasks.measure_uca import paired

SPACING = (0.5, 0.5)
NUM_THORACIC, NUM_LUMBAR = 11, 6
STEP_MM = 0.5


@dataclass(frozen=True)
class Drawn:
    """A label map and what is true of it: rows in mm and tilts in degrees (positive: right end lower) by level."""

    labels: np.ndarray
    rows_mm: np.ndarray
    tilts_deg: np.ndarray

    def curves(self) -> list[tuple[int, int, float]]:
        """Upper and lower level and signed angle of every curve, by turning points of the tilts."""
        steps = np.sign(np.diff(self.tilts_deg))
        turns = [0, *(i for i in range(1, len(steps)) if steps[i] != steps[i - 1]), len(steps)]
        return [(a, b, float(self.tilts_deg[b] - self.tilts_deg[a])) for a, b in pairwise(turns)]

    def largest(self) -> tuple[int, int, float]:
        return max(self.curves(), key=lambda curve: abs(curve[2]))


def draw(
    seed: int,
    *,
    angle_deg: float | None = None,
    missing: float | None = None,
    jitter_mm: float | None = None,
    grow_px: int | None = None,
) -> Drawn:
    """A spine with one or two main curves, half of them smooth and half with abrupt turns; what is None is drawn.

    Centroids are off by an SD of 0.3 to 2 mm along both axes, up to 30 % of the processes are missing, masks are
    eroded or dilated by up to two pixels, and in some a false speck is marked.
    """
    rng = np.random.default_rng(seed)
    angle_deg = float(rng.uniform(0, 60)) if angle_deg is None else angle_deg
    missing = float(rng.uniform(0, 0.3)) if missing is None else missing
    jitter_mm = float(rng.uniform(0.3, 2.0)) if jitter_mm is None else jitter_mm
    grow_px = int(rng.integers(-2, 3)) if grow_px is None else grow_px
    arcs, arc, tilt = _posture(rng, angle_deg)
    x, y = np.cumsum(-np.sin(np.radians(tilt))) * STEP_MM, np.cumsum(np.cos(np.radians(tilt))) * STEP_MM
    x += 65 - x.min()
    levels = [(np.interp(arcs, arc, values)) for values in (x, y + 5, tilt)]
    labels = np.zeros((int((y[-1] + 10) / SPACING[0]), int((x.max() + 65) / SPACING[1])), np.uint8)
    for number, (cx, cy, turn) in enumerate(zip(*levels, strict=True)):
        _paint_level(labels, number, (cx, cy), np.radians(turn), missing, jitter_mm, rng)
    if rng.uniform() < 0.3:
        _paint(labels, 2, (rng.uniform(8, 30), rng.uniform(30, 250)), (4, 4), 0, rng)
    return Drawn(_grown(labels, grow_px), levels[1], levels[2])


def _posture(rng: np.random.Generator, angle_deg: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Arc length of the levels, and a fine arc length with the tilt along it."""
    gaps = np.concatenate([np.linspace(rng.uniform(21, 26), 27, NUM_THORACIC), np.full(NUM_LUMBAR - 1, 29.0)])
    arcs = 25 + np.concatenate([[0], np.cumsum(gaps)]) * rng.uniform(0.9, 1.1)
    arc = np.arange(0, arcs[-1] + 25, STEP_MM)
    # No more than some 12 degrees a level, as in spines (specification, section 6.3); less tilt at both ends.
    double = angle_deg < 50 and rng.uniform() < 0.5
    turns = np.cumsum([rng.integers(2, 4), rng.integers(5, 7), 5]) if double else np.cumsum(rng.integers(5, 8, 2))
    nodes = np.concatenate([[0], turns, [len(arcs) - 1]])
    size = np.concatenate([rng.uniform(0, 0.5, 1), rng.uniform(0.6, 1, len(turns)), rng.uniform(0, 0.5, 1)])
    tilt = np.interp(arc, arcs[nodes], rng.choice([-1, 1]) * (-1.0) ** np.arange(len(nodes)) * size)
    if rng.uniform() < 0.5:
        tilt = gaussian_filter1d(tilt, 30 / STEP_MM, mode="nearest")
    at = np.interp(arcs, arc, tilt)
    drawn = Drawn(np.zeros((1, 1)), arcs, at)
    return arcs, arc, tilt * angle_deg / abs(drawn.largest()[2]) + rng.normal(0, 2)


def _paint_level(
    labels: np.ndarray,
    number: int,
    centre: tuple[float, float],
    turn: float,
    missing: float,
    jitter_mm: float,
    rng: np.random.Generator,
) -> None:
    along = np.array([np.cos(turn), np.sin(turn)])
    if number >= NUM_THORACIC:
        place, off = np.array(centre) + rng.normal(0, jitter_mm, 2), np.radians(rng.normal(0, 1.5 * jitter_mm))
        if rng.uniform() >= missing / 2:
            _paint(labels, 3, tuple(place), (26, 8), turn + off, rng)
            _paint(labels, 3, (place[0], place[1] - 5), (10, 7), turn + off, rng)
        return
    for side in (-1, 1):
        place = np.array(centre) + side * 23 * along + rng.normal(0, jitter_mm, 2)
        if rng.uniform() >= missing:
            _paint(labels, 1, tuple(place + side * 13 * along), (9, 5), turn + side * 0.25, rng)
            _paint(labels, 2, tuple(place), tuple(rng.uniform(0.85, 1.15, 2) * (7.5, 8.5)), turn, rng)


def _paint(
    labels: np.ndarray,
    value: int,
    centre_mm: tuple[float, ...],
    axes_mm: tuple[float, ...],
    turn: float,
    rng: np.random.Generator,
) -> None:
    """Paint an ellipse with a wavy border; a positive turn lowers its right end."""
    y, x = np.indices(labels.shape, sparse=True)
    dx, dy = x * SPACING[1] - centre_mm[0], y * SPACING[0] - centre_mm[1]
    near = (np.abs(dy[:, 0]) < 1.5 * max(axes_mm)).nonzero()[0]
    dy = dy[near]
    u, v = (dx * np.cos(turn) + dy * np.sin(turn)) / axes_mm[0], (dy * np.cos(turn) - dx * np.sin(turn)) / axes_mm[1]
    angle = np.arctan2(v, u)
    border = 1 + sum(0.04 * rng.normal() * np.cos(k * angle + rng.uniform(0, 2 * np.pi)) for k in (2, 3, 4))
    labels[near] = np.where(np.hypot(u, v) < border, value, labels[near])


def _grown(labels: np.ndarray, pixels: int) -> np.ndarray:
    grown = np.zeros_like(labels)
    for kind in (1, 2, 3):
        mask = labels == kind
        if pixels:
            mask = (binary_dilation if pixels > 0 else binary_erosion)(mask, iterations=abs(pixels))
        grown[mask] = kind
    return grown


def matching(measured: Measurement, drawn: Drawn, spacing_mm: tuple[float, float] = SPACING) -> Curve | None:
    """The reported curve that covers the rows of the largest true one best; None when none covers a third."""
    upper, lower, angle = drawn.largest()
    a, b = drawn.rows_mm[upper], drawn.rows_mm[lower]
    rows = {level.name: level.row * spacing_mm[0] for level in measured.levels}

    def overlap(curve: Curve) -> float:
        c, d = rows[curve.upper], rows[curve.lower]
        return float((min(b, d) - max(a, c)) / (max(b, d) - min(a, c)))

    candidates = measured.curves if abs(angle) >= 5 else (measured.largest,)
    best = max(candidates, key=overlap, default=None)
    return best if best is not None and (overlap(best) > 0.3 or abs(angle) < 5) else None


def judged(drawn: Drawn) -> tuple[float, float, bool, bool]:
    """True angle, error, whether the interval covers it, and whether the side is wrong; an unseen curve counts as 0."""
    truth = drawn.largest()[2]
    curve = matching(measure(drawn.labels, SPACING), drawn)
    if curve is None:
        return abs(truth), -abs(truth), False, False
    wrong = abs(truth) >= 5 and (curve.side == "right") != (truth > 0)
    low, high = curve.interval_deg
    error = (-1 if wrong else 1) * curve.angle_deg - abs(truth)
    return abs(truth), error, bool(low <= abs(truth) <= high) and not wrong, wrong


def study(seeds: range, jitter_mm: float | None = None) -> None:
    """Print error and coverage by size of the curve."""
    rows = np.array([judged(draw(seed, jitter_mm=jitter_mm)) for seed in seeds])
    print(f"{'angle':>10}{'cases':>7}{'MAE':>8}{'bias':>8}{'largest':>9}{'covered':>9}{'wrong side':>12}")
    for low, high in ((0, 61), (0, 5), (5, 15), (15, 30), (30, 45), (45, 61)):
        part = rows[(rows[:, 0] >= low) & (rows[:, 0] < high)]
        error, covered = part[:, 1], part[:, 2].mean()
        print(
            f"{low:>4} to {min(high, 60):<3}{len(part):>6}{np.abs(error).mean():8.2f}{error.mean():8.2f}"
            f"{np.abs(error).max():9.2f}{covered:9.3f}{int(part[:, 3].sum()):12d}"
        )


def test_angles_are_right_to_two_degrees_and_never_of_the_wrong_side() -> None:
    """With a jitter of 1 mm; over all of its range the error is near 2 degrees and needs more cases: see `study`."""
    rows = np.array([judged(draw(seed, jitter_mm=1.0)) for seed in range(500, 524)])
    assert np.abs(rows[:, 1]).mean() < 2
    assert rows[:, 3].sum() == 0
    assert rows[:, 2].mean() >= 0.8  # 24 cases at 95 % fall below that once in 400 runs


def test_a_clean_case_is_measured_closely_and_named() -> None:
    drawn = draw(3, angle_deg=40, missing=0, jitter_mm=0, grow_px=0)
    measured = measure(drawn.labels, SPACING)
    curve = matching(measured, drawn)
    assert curve is not None
    assert curve.angle_deg == pytest.approx(40, abs=2)
    assert [level.name for level in measured.levels] == [
        *(f"T{n}" for n in range(2, 13)),
        *["L1", "L2", "L3", "L4", "L5", "S1"],
    ]
    found = np.array([level.tilt_deg for level in measured.levels])
    np.testing.assert_allclose(found, drawn.tilts_deg, atol=2)
    np.testing.assert_allclose([level.row * 0.5 for level in measured.levels], drawn.rows_mm, atol=2.5)
    assert "assumed" in measured.notes[0]
    assert curve.supported


def test_the_mirror_image_has_the_mirrored_result_to_the_last_bit() -> None:
    for seed in (1, 5):
        drawn = draw(seed)
        one, other = measure(drawn.labels, SPACING), measure(drawn.labels[:, ::-1], SPACING)
        assert [c.angle_deg for c in one.curves] == [c.angle_deg for c in other.curves]
        assert [c.interval_deg for c in one.curves] == [c.interval_deg for c in other.curves]
        assert {(a.side, b.side) for a, b in zip(one.curves, other.curves, strict=True)} <= {
            ("left", "right"),
            ("right", "left"),
        }
        assert [level.tilt_deg for level in one.levels] == [-level.tilt_deg for level in other.levels]
        width = drawn.labels.shape[1]
        for a, b in zip(one.curves, other.curves, strict=True):
            for line, turned in zip(a.lines, b.lines, strict=True):
                assert turned.left == pytest.approx((line.right[0], width - 1 - line.right[1]), abs=1e-9)
                assert turned.right == pytest.approx((line.left[0], width - 1 - line.left[1]), abs=1e-9)
        columns = [width - 1 - level.column for level in other.levels]  # the subtraction rounds
        assert [level.column for level in one.levels] == pytest.approx(columns, abs=1e-9)


def test_the_method_itself_prefers_no_side() -> None:
    """Also before the step that measures the same of two mirror images; what rounding does is far below a degree."""
    labels = draw(5).labels
    one, other = (angle._measured(one, SPACING, "T12") for one in (labels, labels[:, ::-1]))
    tilts = [np.array([level.tilt_deg for level in found.levels]) for found in (one, other)]
    np.testing.assert_allclose(tilts[0], -tilts[1], atol=1e-3)
    assert not (tilts[0] == -tilts[1]).all()  # or the step would not be needed


def test_end_levels_are_turned_half_way_to_the_tips_of_likely_curves() -> None:
    tilts = np.array([0.0, 10, 0, -20, 0])
    spread = np.zeros((2, 5))
    spread[:, 2] = 14, -14  # either curve has its upper tip elsewhere: 14 degrees, or 10
    slopes, draws, ends = angle._with_tips(np.tan(np.radians(tilts)), np.tan(np.radians(tilts + spread)))
    assert ends == [0, 1, 3, 4]
    found = np.degrees(np.arctan(slopes))
    np.testing.assert_allclose(found, [0, 11, 0, -20, 0], atol=1e-9)
    np.testing.assert_allclose(np.degrees(np.arctan(draws)).mean(axis=0), found, atol=1e-9)


@pytest.mark.parametrize("factor", [0.25, 3.7])
def test_a_uniform_scale_changes_no_angle(factor: float) -> None:
    drawn = draw(7)
    one, other = measure(drawn.labels, SPACING), measure(drawn.labels, (SPACING[0] * factor, SPACING[1] * factor))
    assert [c.angle_deg for c in one.curves] == pytest.approx([c.angle_deg for c in other.curves], abs=1e-9)
    assert other.level_spacing_mm == pytest.approx(one.level_spacing_mm * factor)


def test_an_enlarged_image_has_the_same_angles_and_a_stretched_one_those_of_its_spacing() -> None:
    drawn = draw(11, missing=0.1)
    one = measure(drawn.labels, SPACING)
    larger = measure(drawn.labels.repeat(2, 0).repeat(2, 1), (0.25, 0.25))
    stretched = measure(drawn.labels.repeat(2, 0), (0.25, 0.5))
    for other in (larger, stretched):
        assert [c.angle_deg for c in other.curves] == pytest.approx([c.angle_deg for c in one.curves], abs=0.3)


def test_a_straight_spine_has_no_curve() -> None:
    measured = measure(draw(2, angle_deg=0.5, jitter_mm=0.5).labels, SPACING)
    assert measured.curves == ()
    assert measured.largest.angle_deg < 5


def test_the_lines_give_the_angle_and_follow_when_moved() -> None:
    drawn = draw(4, angle_deg=35)
    curve = measure(drawn.labels, SPACING).curves[0]
    upper, lower = curve.lines
    assert angle_between(upper, lower, SPACING) == pytest.approx(curve.angle_deg, abs=1e-9)
    row, column = lower.right
    rise = np.tan(np.radians(lower.tilt_deg(SPACING) + 7)) - np.tan(np.radians(lower.tilt_deg(SPACING)))
    moved = replace(lower, right=(row + rise * (column - lower.left[1]), column))
    turned = abs(moved.tilt_deg(SPACING) - upper.tilt_deg(SPACING))
    assert moved.tilt_deg(SPACING) == pytest.approx(lower.tilt_deg(SPACING) + 7)
    assert angle_between(upper, moved, SPACING) == pytest.approx(turned)


def test_a_level_that_was_not_seen_is_said() -> None:
    drawn = draw(3, angle_deg=30, missing=0, jitter_mm=0, grow_px=0)
    row = round(drawn.rows_mm[4] / SPACING[0])
    labels = drawn.labels.copy()
    labels[row - 22 : row + 22] = 0
    level = measure(labels, SPACING).levels[4]
    assert level.name == "T6"
    assert level.evidence == "none"
    assert level.own_deg is None
    assert level.row * SPACING[0] == pytest.approx(drawn.rows_mm[4], abs=6)


def test_turns_below_five_degrees_are_left_out() -> None:
    assert alternating_extremes(np.array([0.0, 10, 8, 20, -5, -3, -9])) == [0, 3, 6]
    assert alternating_extremes(np.array([1.0, 2, 0, 3])) == [2, 3]
    assert alternating_extremes(np.zeros(3)) == [0, 2]


def refused(labels: np.ndarray, spacing_mm: tuple[float, float] | None = SPACING, order: str = "da-gan") -> str:
    with pytest.raises(MedEnhanceError) as info:
        measure(labels, spacing_mm, order)  # type: ignore[arg-type]
    return str(info.value)


def test_what_cannot_be_measured_is_refused() -> None:
    labels = draw(3, missing=0).labels
    assert "size of this image's pixels is not known" in refused(labels, None)
    assert "0" in refused(labels, (0.0, 0.5))
    assert "name that one" in refused(labels, order="morphology")
    assert "above the thoracic processes" in refused(labels[::-1])
    assert "0 transverse processes" in refused(np.zeros((50, 50), np.uint8))
    assert "classes are 0, 1, 2 and 3" in refused(labels * 80)
    assert "two axes" in refused(np.stack([labels] * 3, -1))


def test_the_other_label_order_gives_the_same_angles() -> None:
    labels = draw(6).labels
    other = converted(labels, "da-gan", "morphology")
    assert sorted(np.unique(other)) == [0, 1, 2, 3]
    assert ((labels == 1) == (other == 2)).all()
    assert measure(other, SPACING, "morphology") == measure(labels, SPACING)


def test_original_and_enhanced_are_compared_curve_by_curve(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    one, other = draw(8, angle_deg=45, missing=0, jitter_mm=0.3), draw(8, angle_deg=35, missing=0, jitter_mm=0.3)
    shape = np.minimum(one.labels.shape, other.labels.shape)
    paths = []
    for name, drawn in (("original", one), ("enhanced", other)):
        paths.append(tmp_path / f"{name}.png")
        Image.fromarray(drawn.labels[: shape[0], : shape[1]]).save(paths[-1])
    words = [str(paths[0]), "--enhanced", str(paths[1]), "--spacing-mm", "0.5", "0.5"]
    assert main(["measure-uca", *words, "--output", str(tmp_path / "uca.json")]) == 0
    text = capsys.readouterr().out
    report = json.loads((tmp_path / "uca.json").read_text(encoding="utf-8"))
    differences = [p["difference_deg"] for p in report["pairs"] if p["difference_deg"] is not None]
    assert min(differences) == pytest.approx(-10, abs=3)
    assert "enhanced minus original" in text
    assert "not Cobb angles" in text
    assert set(tmp_path.iterdir()) == {*paths, tmp_path / "uca.json"}


def test_a_curve_of_one_image_alone_has_no_difference() -> None:
    one = measure(draw(8, angle_deg=45).labels, SPACING)
    pairs = paired(one, replace(one, curves=one.curves[1:]))
    assert [pair.difference_deg for pair in pairs] == [None, *[0.0] * (len(one.curves) - 1)]
    assert pairs[0].enhanced is None
    assert paired(replace(one, curves=()), one)[0].original is None


def test_a_refused_measurement_writes_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Image.fromarray(draw(3).labels).save(tmp_path / "labels.png")
    assert main(["measure-uca", str(tmp_path / "labels.png"), "--output", str(tmp_path / "uca.json")]) == 1
    assert "row and column spacing" in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["labels.png"]


if __name__ == "__main__":
    first = int(sys.argv[2]) if len(sys.argv) > 2 else 2000
    study(range(first, first + int(sys.argv[1])), float(sys.argv[3]) if len(sys.argv) > 3 else None)
