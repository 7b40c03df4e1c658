"""The benchmark of head CT: Tables 5 to 7, paired tests, subgroups, calibration; the paper's numbers as printed."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from tiny_heads import Knowing, KnowingMethod, TinySets, scans

from medenhance.head_ct.calibration import Calibration, OperatingPoint
from medenhance.head_ct.mask_rule import MaskRule
from medenhance.head_ct.prediction import HeadPrediction
from medenhance.head_ct.volume_spread import VolumeSpread
from medenhance.progress import Silent
from medenhance.strict_json import from_json, to_json
from medenhance.volume import Volume
from medenhance_training.__main__ import main
from medenhance_training.benchmark.head_comparison import compare
from medenhance_training.benchmark.head_ct import (
    HeadBenchmark,
    MethodFigures,
    RunFigures,
    run_head_benchmark,
)
from medenhance_training.benchmark.head_subgroups import (
    subgroup_table,
    volume_table,
    within_stated,
    within_tolerance,
)
from medenhance_training.benchmark.head_tables import (
    average_table,
    comparison_table,
    quality_table,
    scan_table,
    slice_table,
)
from medenhance_training.benchmark.paper_head_ct import (
    MASK_AVERAGES,
    MASKS,
    NUM_CASES,
    PAPER_SETS,
    SCANS,
    TABLE_5,
    printed_mask,
    printed_scan,
)
from medenhance_training.benchmark.reliability import draw_reliability, reliability, reliability_table
from medenhance_training.commands import benchmark_head
from medenhance_training.head_evaluation import evaluate_heads
from medenhance_training.published_table import read_published_table
from medenhance_training.table import Table

TABLES = Path(__file__).parent / "published_tables"


class Wrong(Knowing):
    """Takes blood for none, and none for blood."""

    def predict(self, volume: Volume) -> HeadPrediction:
        found = super().predict(volume)
        return replace(found, scan_logit=-found.scan_logit)


@pytest.fixture(scope="module")
def found() -> HeadBenchmark:
    ours = KnowingMethod("SMART-Net", (Knowing(noise=1.0, seed=1), Knowing(noise=1.0, seed=2)))
    scratch = KnowingMethod("Scratch", (Knowing(noise=6.0, seed=3, rim=2, speck=True), Knowing(6.0, 4, 2, True)))
    return run_head_benchmark([ours, scratch], TinySets(), names=("like training", "noise"))  # type: ignore[arg-type]


def cells(table: Table, row: str) -> dict[str, str]:
    (found,) = [cells for cells in table.rows if cells[0] == row]
    return dict(zip(table.columns, found, strict=True))


def test_every_method_is_calibrated_on_other_scans_and_run_on_the_same_ones(found: HeadBenchmark) -> None:
    assert [one.name for one in found.sets] == ["like training", "noise"]
    for one in found.sets:
        assert [len(method.runs) for method in one.methods] == [2, 2]
        seeds = {tuple(scan.seed for scan in run.scans) for method in one.methods for run in method.runs}
        assert len(seeds) == 1
        assert min(next(iter(seeds))) >= 100
    for run in (run for method in found.sets[0].methods for run in method.runs):
        assert run.calibration.operating_points[0].measured_on == "24 simulated scans, drawn with a prevalence of 33 %"


def test_a_model_with_a_calibration_keeps_it() -> None:
    own = Calibration(3.0, 0.1, (OperatingPoint("mine", 0.5, 1.0, 1.0, "elsewhere"),), MaskRule(0.5))
    sets = TinySets(6)
    found = run_head_benchmark([KnowingMethod("m", (Knowing(calibration=own),))], sets, names=("noise",))  # type: ignore[arg-type]
    assert found.sets[0].methods[0].runs[0].calibration == own
    assert sets.asked == ["noise"], "nothing had to be calibrated"


def test_a_detector_that_says_nothing_is_measured_at_a_half() -> None:
    told: list[str] = []

    class Listening(Silent):
        def warn(self, message: str) -> None:
            told.append(message)

    wrong = KnowingMethod("m", (Wrong(),))
    found = run_head_benchmark([wrong], TinySets(6), Listening(), ("noise",))  # type: ignore[arg-type]
    assert "does not mean blood" in told[0]
    assert found.sets[0].ours.runs[0].threshold == 0.5
    assert found.sets[0].ours.area().value == 0.0
    assert "at 0.5 for m, whose logit could not be calibrated" in scan_table(found, found.sets[0]).text()


def test_the_table_of_scans_has_the_figures_and_the_paper_s_below(found: HeadBenchmark) -> None:
    table = scan_table(found, found.sets[0])
    ours, theirs = cells(table, "SMART-Net"), cells(table, "Scratch")
    method = found.sets[0].ours
    assert ours["AUC"] == f"{method.area().value:.3f}"
    assert (ours["DSC"], ours["FPV uL"], ours["FPV sum uL"]) == ("1.000", "0.0", "0")
    assert (theirs["FPV uL"], theirs["FPV sum uL"]) == ("20.0", "240"), "one voxel of 20 uL in each of 12 scans"
    printed = [row for row in table.rows if row[0] == "  the paper, Internal"]
    assert printed[0][1:6] == ("0.988", "", "0.933", "0.966", "0.970")
    assert printed[1][6:9] == ("0.534", "", "44.4")
    assert any("a voxel is 20.00 to 20.00 uL" in note for note in table.notes)
    external = scan_table(found, found.sets[1])
    assert next(row[1] for row in external.rows if row[0] == "  the paper, External mean") == "0.955"
    assert "Research use only" in table.text()


def test_the_table_of_slices_counts_concurrence(found: HeadBenchmark) -> None:
    table = slice_table(found, found.sets[0])
    assert cells(table, "SMART-Net")["concurrence +"] == "1.000"
    # One speck in one slice of each of 12 scans without blood: 6 x 12 + 4 x 6 slices without.
    assert cells(table, "Scratch")["concurrence -"] == f"{1 - 12 / 96:.3f}"
    assert any(row[0] == "  the paper, Internal, upstream" and row[1] == "0.901" for row in table.rows)


def test_methods_are_compared_in_pairs(found: HeadBenchmark) -> None:
    ours, theirs = found.sets[0].methods
    result = compare(ours, theirs)
    assert result.area.value == pytest.approx(ours.area().value - theirs.area().value)
    assert result.dice.above_zero
    assert result.false_ul.value == pytest.approx(-20.0)
    assert result.false_p is None, "no spread, no test"
    assert result.dice_p is not None
    assert result.dice_p < 0.001
    same = compare(ours, ours)
    assert (same.area.value, same.area.interval, same.delong.p_value) == (0.0, (0.0, 0.0), 1.0)
    assert "Scratch" in comparison_table(found.sets[0]).text()


def test_one_training_seed_has_delong_s_interval_and_several_a_bootstrap(found: HeadBenchmark) -> None:
    scratch = found.sets[0].methods[1]
    alone = MethodFigures("Scratch", scratch.runs[:1])
    assert alone.area().interval == alone.areas()[0].interval
    assert scratch.area().interval != scratch.areas()[0].interval
    assert scratch.area().value == pytest.approx(np.mean([one.value for one in scratch.areas()]))
    unpaired = compare(alone, scratch)
    assert unpaired.area.value == pytest.approx(alone.area().value - scratch.area().value)


def test_the_average_of_the_sets_stands_beside_the_paper_s(found: HeadBenchmark) -> None:
    rows = average_table(found).rows
    assert [row[0] for row in rows[:2]] == ["SMART-Net", "  the paper, four hospitals"]
    assert rows[0][1:] == ("1.000", "0.0")
    assert rows[1][1:] == ("0.575", "4.5")
    assert rows[2][2] == "20.0"


def test_subgroups_hold_the_scans_that_they_name(found: HeadBenchmark) -> None:
    table = subgroup_table(found.sets[0])
    rows = {row[0]: row for row in table.rows}
    of = [scan for scan in found.sets[0].ours.runs[0].scans if scan.has_blood]
    for name in ("epidural", "subdural"):
        assert int(rows[name][1]) == sum(name in scan.present for scan in of)
    assert int(rows["mild, up to 15 mL"][1]) == len(of) == 6
    assert "severe, 30 mL or more" not in rows
    assert int(rows["all"][1]) == 12
    assert int(rows["calibration"][1]) if "calibration" in rows else int(rows["calcification"][1]) == 6


def test_volumes_are_right_within_ten_per_cent_or_half_a_millilitre(found: HeadBenchmark) -> None:
    true = np.array([2.0, 4.0, 20.0, 20.0])
    assert within_tolerance(true, np.array([2.5, 4.6, 22.0, 17.9])).tolist() == [True, False, True, False]
    table = volume_table(found.sets)
    scans_row, lesions_row, _ = (row for row in table.rows if row[0] == "like training")
    assert scans_row[3] == lesions_row[3] == "1.000"
    assert int(scans_row[2]) == sum(scan.volume_ml > 2 for scan in found.sets[0].ours.runs[0].scans)


def test_true_volumes_are_counted_in_the_range_that_a_report_states(found: HeadBenchmark) -> None:
    run = found.sets[0].ours.runs[0]
    large = [k for k, scan in enumerate(run.scans) if scan.has_blood and scan.mask.predicted_ul >= 1000.0]
    k = large[0]
    small = replace(run.scans[k], mask=replace(run.scans[k].mask, predicted_ul=900.0))
    missed = replace(run.scans[k], volume_ml=3.0 * run.scans[k].mask.predicted_ul / 1000.0)
    spread = VolumeSpread(0.8, 1.5, 0.8, 1.0, "other scans")
    stating = RunFigures(replace(run.calibration, volume=spread), (*run.scans, small, missed))
    assert within_stated(stating).tolist() == [True] * len(large) + [False]
    one = replace(found.sets[0], methods=(MethodFigures("SMART-Net", (stating,)),))
    row = next(row for row in volume_table([one]).rows if row[1] == "stated range")
    assert row[2:4] == (str(len(large) + 1), f"{len(large) / (len(large) + 1):.3f}")


def test_probabilities_are_compared_with_what_happened() -> None:
    probabilities = np.array([0.05] * 20 + [0.75] * 4 + [1.0])
    labels = np.array([False] * 19 + [True] + [True] * 3 + [False] + [True])
    result = reliability(probabilities, labels)
    assert [(one.count, one.share) for one in result.bins] == [(20, 0.05), (4, 0.75), (1, 1.0)]
    assert result.expected_error == pytest.approx(0.0)
    wrong = reliability(np.array([0.9, 0.9]), np.array([False, False]))
    assert (wrong.expected_error, wrong.brier) == (pytest.approx(0.9), pytest.approx(0.81))
    assert wrong.log_loss == pytest.approx(-np.log(0.1))


def test_calibration_helps_a_detector_that_is_too_sure(tmp_path: Path) -> None:
    sure = Knowing(noise=8.0, seed=5)
    found = run_head_benchmark([KnowingMethod("m", (sure,))], TinySets(60, 90), names=("noise",))  # type: ignore[arg-type]
    row = reliability_table(found).rows[0]
    assert float(row[3]) < float(row[6]), "log loss after and before"
    draw_reliability(found, tmp_path / "plot.png")
    assert (tmp_path / "plot.png").read_bytes()[:4] == b"\x89PNG"


def test_the_quality_bar_is_read_off_the_curve(found: HeadBenchmark) -> None:
    (figures,) = evaluate_heads([Knowing()], scans(12), 12)
    perfect = MethodFigures("SMART-Net", (RunFigures(Calibration(1.0, 0.0, (), MaskRule(0.5)), tuple(figures)),))
    one = type(found.sets[0])("like training", (perfect,))
    (row,) = quality_table(HeadBenchmark(1, "detect-hemorrhage", 0.3, 0, (one,), "cpu")).rows
    assert row == ("like training", "1.000 yes", "1.000 yes", "1.000 yes", "0.0 yes")


def test_figures_come_back_from_json(found: HeadBenchmark) -> None:
    assert from_json(HeadBenchmark, json.loads(json.dumps(to_json(found), allow_nan=False))) == found


def test_the_command_writes_its_tables_and_its_figure(
    found: HeadBenchmark, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(benchmark_head, "run_head_benchmark", lambda *_: found)
    paths = [tmp_path / name for name in ("a.json", "a.md", "a.png")]
    words = ["benchmark", "head-ct", "--runs", "SMART-Net=x", "SMART-Net=y"]
    assert main([*words, "--json", str(paths[0]), "--markdown", str(paths[1]), "--reliability", str(paths[2])]) == 0
    shown = capsys.readouterr().out
    for words_shown in ("Quality bar", "SMART-Net minus the others", "Subgroups of SMART-Net", "Volumes over 2 mL"):
        assert words_shown in shown
    assert all(path.stat().st_size > 1000 for path in paths)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ([], "Nothing was named"),
        (["--runs", "folder"], "TITLE=FOLDER"),
        (["--nnunet", "Isensee 2D=/none"], "nnU-Net is not installed"),
        (["--models", "no-such-model"], "no-such-model"),
    ],
)
def test_what_names_nothing_is_refused(words: list[str], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["benchmark", "head-ct", *words]) == 1
    assert said in capsys.readouterr().err


def test_the_paper_s_numbers_are_those_of_its_tables() -> None:
    names = {
        6: {"Patel et al. (2019b) (Full)": "Patel 2019b full", "Patel et al. (2019b) (Simple)": "Patel 2019b simple",
            "Singh et al.": "Singh", "Scratch (end-to-end)": "Scratch", "Model Genesis": "Models Genesis",
            "SMART-Net-CLS": "SMART-Net"},
        7: {"Only CLS": "CLS", "Only SEG": "SEG", "Only REC": "REC", "CLS+SEG w/ consist": "CLS+SEG, consistent",
            "SMART-Net-CLS": "SMART-Net"},
    }  # fmt: skip
    off = []
    for number, titles in names.items():
        for row in read_published_table(TABLES / f"thesis_table_{number}.csv").rows:
            printed = SCANS[titles.get(row.name, row.name)][PAPER_SETS.index(row.group)]
            expected = tuple(row.values[key].value for key in ("auc", "f1", "sensitivity", "specificity"))
            assert NUM_CASES[row.group] == (row.positives, row.negatives)
            if printed != expected:
                off.append((number, row.name, row.group))
    assert off == [(7, "SMART-Net-CLS", "External 2")], "the sensitivity that the two tables print differently"


def test_the_paper_s_averages_follow_from_its_sets() -> None:
    off = {}
    for title, rows in MASKS.items():
        dice, volume = np.mean(rows, axis=0).tolist()
        # A unit of the last digit: some averages are cut off, others rounded.
        if abs(dice - MASK_AVERAGES[title][0]) > 0.001 or abs(volume - MASK_AVERAGES[title][1]) > 0.1:
            off[title] = round(volume, 2)
    assert off == {"Autoencoder": 161.55, "REC": 161.55}, "printed as 156.5 in both tables"
    assert set(TABLE_5) <= set(SCANS) & set(MASKS)
    assert printed_scan("SMART-Net", True) == (0.988, 0.933, 0.966, 0.970)
    assert printed_mask("SMART-Net", False) == pytest.approx((0.5527, 4.4), abs=1e-3)
    assert printed_scan("ours", True) is None
    assert printed_mask("ours", True) is None
