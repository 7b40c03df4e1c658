"""The checks of published tables, on the thesis's own (papers/004; specification of head CT, section 9)."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from medenhance.errors import MedEnhanceError
from medenhance_training.__main__ import main
from medenhance_training.check_table import Finding, GroupCheck, check_rows
from medenhance_training.commands.check_table import check_table
from medenhance_training.confusion_cells import CELLS, Range, matching_counts, range_of
from medenhance_training.operating import Counts
from medenhance_training.published_table import Printed, PublishedRow, read_published_table

TABLES = Path(__file__).parent / "published_tables"


def thesis(*numbers: int) -> dict[str, GroupCheck]:
    rows = [row for n in numbers for row in read_published_table(TABLES / f"thesis_table_{n}.csv").rows]
    return {check.group: check for check in check_rows(rows)}


def findings(check: GroupCheck) -> dict[str, list[Finding]]:
    found: dict[str, list[Finding]] = {}
    for one in check.findings:
        found.setdefault(one.row, []).append(one)
    return found


def printed(digits: int = 3, **values: float) -> dict[str, Printed]:
    """Values as a table prints them."""
    texts = {key: f"{value:.{digits}f}" for key, value in values.items()}
    return {key: Printed(text, float(text), 0.5 * 10**-digits) for key, text in texts.items()}


def ratios(counts: Counts) -> dict[str, float]:
    names = {"sensitivity", "specificity", "ppv", "npv", "accuracy", "f1"}
    return {name: value for name in names if np.isfinite(value := getattr(counts, name))}


def row(name: str, counts: Counts, **changes: object) -> PublishedRow:
    return PublishedRow("t", "set", name, printed(**ratios(counts)), **changes)  # type: ignore[arg-type]


def test_table_2_implies_its_prevalence_and_its_numbers() -> None:
    cases = thesis(2)[""].cases
    assert cases.prevalence is not None
    # What all three rows leave possible.
    assert (cases.prevalence.low, cases.prevalence.high) == (
        pytest.approx(0.58037, abs=2e-5),
        pytest.approx(0.58170, abs=2e-5),
    )
    assert cases.fitting == ("Model-Baseline", "Model-PedXnet-7C", "Model-PedXnet-30C")
    assert (cases.positives, cases.negatives, cases.stated) == (104, 75, False)


def test_the_classes_of_the_imagenet_row_of_table_2_are_swapped() -> None:
    (found,) = findings(thesis(2)[""])["Model-ImageNet"]
    assert found.kind == "swapped-classes"
    assert "0.418 to 0.420" in found.message
    for value in ("sensitivity 0.778", "specificity 0.853", "ppv 0.880", "npv 0.735", "f1 0.826", "accuracy 0.810"):
        assert value in found.message


def test_the_specificity_of_the_68c_row_of_table_2_is_too_high() -> None:
    (found,) = findings(thesis(2)[""])["Model-PedXnet-68C"]
    assert found.kind == "inconsistent"
    assert found.message.endswith("specificity 0.880 should be 0.839 to 0.841")


def test_table_3_disagrees_about_the_variance() -> None:
    found = findings(thesis(3)[""])
    assert "r2 should be 0.966 to 0.967" in found["Model-PedXnet-68C"][0].message
    # 0.9705 by a hair: its MSE over the variance of the others.
    assert "r2 should be 0.970" in found["Model-PedXnet-30C"][0].message
    assert len(found) == 2


def test_mae_and_mse_of_the_text_are_swapped() -> None:
    values = {"mae": Printed("42.857", 42.857, 5e-4), "mse": Printed("5.245", 5.245, 5e-4)}
    (check,) = check_rows([PublishedRow("text", "", "Model-PedXnet-7C", values)])
    assert "they may be swapped" in check.findings[0].message


def test_smart_net_of_table_6_is_consistent_on_two_sets_and_not_on_the_others() -> None:
    checks = thesis(6)
    own = {group: findings(check).get("SMART-Net-CLS", []) for group, check in checks.items()}
    assert own["Internal"] == own["External 1"] == []
    counts = {group: check.rows[-1].counts for group, check in checks.items()}
    assert counts["Internal"] == Counts(28, 1, 97, 3)
    assert counts["External 1"] == Counts(81, 5, 142, 20)
    assert "sensitivity 0.864 should be 0.818" in own["External 2"][0].message
    assert "sensitivity 0.971 should be 0.941" in own["External 3"][0].message


def test_table_6_has_a_slip_of_copying_and_values_that_39_normal_scans_cannot_give() -> None:
    found = findings(thesis(6)["External 3"])
    (slip,) = found["Autoencoder and Model Genesis"]
    assert slip.kind == "same-values"
    assert [one.kind for one in found["Singh et al."]] == ["impossible-at-n", "inconsistent"]
    assert "30/39 = 0.769 or 31/39 = 0.795" in found["Singh et al."][0].message
    assert "specificity 0.205 should be 0.718" in found["Patel et al. (2019b) (Simple)"][0].message


def test_a_collapsed_threshold_is_named() -> None:
    for check in thesis(7).values():
        assert [one.kind for one in findings(check)["Only SEG"]] == ["collapsed"]


def test_two_tables_that_print_one_result_differently_are_told_apart() -> None:
    differing = [one for check in thesis(6, 7).values() for one in check.findings if one.kind == "differs"]
    assert [(one.group, one.row) for one in differing] == [("External 2", "SMART-Net-CLS")]
    rows = [cells for cells in check_table(thesis(6, 7)["External 2"]).rows if cells[0] == "SMART-Net-CLS"]
    assert [cells[-1] for cells in rows] == ["inconsistent, differs", "differs"]
    assert differing[0].message == "sensitivity is 0.864 in thesis_table_6 and 0.818 in thesis_table_7"


matrices = st.builds(Counts, *[st.integers(0, 60)] * 4).filter(lambda c: len(ratios(c)) == 6)


@settings(max_examples=60, deadline=None)
@given(matrices)
def test_true_ratios_are_never_accused_and_give_their_counts_back(counts: Counts) -> None:
    p, n = counts.true_positive + counts.false_negative, counts.true_negative + counts.false_positive
    one = row("a", counts)
    span = range_of("prevalence", one.ratios)
    assert span is not None
    assert span.low - 1e-6 <= counts.prevalence <= span.high + 1e-6
    assert counts in (matching_counts(one.ratios, p, n) or [])
    (check,) = check_rows([row("a", counts, positives=p, negatives=n)])
    assert {finding.kind for finding in check.findings} <= {"collapsed"}


@settings(max_examples=60, deadline=None)
@given(matrices, st.sampled_from(sorted(CELLS.keys() - {"prevalence"})), st.floats(0.03, 0.5))
def test_a_changed_value_is_found_and_its_true_value_named(counts: Counts, key: str, change: float) -> None:
    value = ratios(counts)[key]
    wrong = value + change if value + change <= 1 else value - change
    assume(0 <= wrong <= 1)
    p, n = counts.true_positive + counts.false_negative, counts.true_negative + counts.false_positive
    values = {**printed(**ratios(counts)), **printed(**{key: wrong})}
    (check,) = check_rows([PublishedRow("t", "set", "a", values, p, n)])
    contradiction = [one for one in check.findings if one.kind in ("inconsistent", "swapped-classes")]
    assert contradiction, "six values of four cells leave no freedom"
    if contradiction[0].kind == "inconsistent":
        assert f"{key} {wrong:.3f} should be {value:.3f}" in contradiction[0].message


def test_an_area_that_no_curve_through_the_point_has_is_refused() -> None:
    values = {**printed(sensitivity=0.9, specificity=0.9), **printed(auc=0.6)}
    (check,) = check_rows([PublishedRow("t", "", "a", values)])
    assert "0.809 to 0.990" in next(one.message for one in check.findings if one.kind == "auc")


def test_a_linear_programme_equals_a_search_through_whole_numbers() -> None:
    rng = np.random.default_rng(7)
    cells = rng.integers(1, 400, size=(200_000, 4))
    values = printed(2, sensitivity=0.8, ppv=0.5)
    shares = {key: (cells @ num) / (cells @ den) for key, (num, den) in CELLS.items()}
    fits = np.all([np.abs(shares[key] - value.value) <= value.half for key, value in values.items()], axis=0)
    span = range_of("f1", values)
    assert span is not None
    assert span.low <= shares["f1"][fits].min() < span.low + 0.005
    assert span.high >= shares["f1"][fits].max() > span.high - 0.005
    assert range_of("f1", printed(sensitivity=0.9, ppv=0.9, f1=0.5)) is None
    assert range_of("prevalence", printed(sensitivity=0.9), Range(0.2, 0.3)) == Range(
        pytest.approx(0.2), pytest.approx(0.3)
    )


def test_json_keeps_the_digits_and_percentages_and_marks_are_read(tmp_path: Path) -> None:
    path = tmp_path / "table.json"
    path.write_text(
        '{"rows": [{"Model": "a", "N": "1,000", "Positives": 400, "SEN": 0.880, "Spec": "91.5%**", "AUC": null}]}'
    )
    (one,) = read_published_table(path).rows
    assert (one.positives, one.negatives) == (400, 600)
    assert one.values["sensitivity"].text == "0.880"
    assert one.values["specificity"] == Printed("91.5%", pytest.approx(0.915), pytest.approx(0.0005))
    assert one.values["specificity"].like(0.8767) == "87.7%"
    assert "auc" not in one.values
    assert read_published_table(path, 1.0).rows[0].values["sensitivity"].half == pytest.approx(0.001)


def test_a_percentage_without_its_sign_is_out_of_range(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("method,SEN,SPE,ACC\nm,91.2,80.1,85\n")
    (check,) = check_rows(read_published_table(tmp_path / "a.csv").rows)
    assert {one.kind for one in check.findings} == {"out-of-range"}
    assert "mark percentages with %" in check.findings[0].message


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("a.csv", "SEN,SPE\n0.1,0.2\n", "no column that names"),
        ("a.csv", "method,SEN\n", "no row"),
        ("a.csv", "method,SEN\nx,high\n", r"row 1 \(x\), sensitivity: 'high'"),
        ("a.csv", "method,SEN\nx,0.1,0.2\n", "one cell for each"),
        ("a.csv", "method,positives\nx,many\n", "no number of cases"),
        ("a.json", "{", "no JSON"),
        ("a.json", "[1]", "no list of objects"),
    ],
)
def test_what_is_no_table_is_refused(tmp_path: Path, name: str, text: str, said: str) -> None:
    (tmp_path / name).write_text(text)
    with pytest.raises(MedEnhanceError, match=said):
        read_published_table(tmp_path / name)


def test_the_command_prints_what_it_found_and_writes_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = [str(tmp_path / name) for name in ("found.json", "found.md")]
    words = ["check-table", *(str(TABLES / f"thesis_table_{n}.csv") for n in (2, 6))]
    assert main([*words, "--json", out[0], "--markdown", out[1]]) == 0
    shown = capsys.readouterr().out
    assert "104 positive and 75 negative cases would give" in shown
    assert "29 positive and 100 negative cases stated, prevalence 0.225" in shown
    found = json.loads(Path(out[0]).read_text())
    assert [group["group"] for group in found] == ["", "Internal", "External 1", "External 2", "External 3"]
    assert "| Model-ImageNet | 0.418..0.420 |" in Path(out[1]).read_text()
    assert main(["check-table", str(tmp_path / "none.csv")]) == 1


def test_columns_that_are_not_understood_are_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "a.csv"
    path.write_text("method,SEN,SPE,ACC,DSC\nm,0.9,0.9,0.9,0.5\n")
    assert main(["check-table", str(path)]) == 0
    assert "columns that were not checked: DSC" in capsys.readouterr().out


def test_a_consistent_set_says_so() -> None:
    (check,) = check_rows([row("a", Counts(26, 3, 94, 6)), row("b", Counts(20, 9, 99, 1))])
    table = check_table(check)
    assert table.notes == ["Nothing contradicts anything else."]
    assert [cells[-1] for cells in table.rows] == ["consistent", "consistent"]
