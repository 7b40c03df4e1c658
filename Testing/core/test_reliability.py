"""Agreement of raters against published worked examples."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from medenhance.__main__ import main
from medenhance.measure.reliability import bland_altman, mean_squares, reliability

# Shrout and Fleiss, Psychological Bulletin 86:420 (1979), Table 2: six targets, four judges.
JUDGES = np.array([[9, 2, 5, 8], [6, 1, 3, 2], [8, 4, 6, 8], [7, 1, 2, 6], [10, 5, 6, 9], [6, 2, 4, 7]], float)
# Bland and Altman, Lancet 1:307 (1986), Table 1: first readings of the two peak flow meters, l/min.
LARGE = np.array([494, 395, 516, 434, 476, 557, 413, 442, 650, 433, 417, 656, 267, 478, 178, 423, 427], float)
MINI = np.array([512, 430, 520, 428, 500, 600, 364, 380, 658, 445, 432, 626, 260, 477, 259, 350, 451], float)


def test_shrout_and_fleiss_mean_squares() -> None:
    """Their Table 3: BMS 11.24, WMS 6.26, JMS 32.49, EMS 1.02."""
    squares = mean_squares(JUDGES)
    found = (squares.subjects, squares.within, squares.raters, squares.error)
    assert found == pytest.approx((11.24, 6.26, 32.49, 1.02), abs=0.005)


def test_shrout_and_fleiss_coefficients() -> None:
    """Their Table 4."""
    found = {form.shrout_fleiss: form.value for form in reliability(JUDGES).icc}
    published = {"ICC(1,1)": 0.17, "ICC(2,1)": 0.29, "ICC(3,1)": 0.71, "ICC(1,k)": 0.44, "ICC(2,k)": 0.62}
    assert found == pytest.approx(published | {"ICC(3,k)": 0.91}, abs=0.005)


def test_intervals_of_the_same_table() -> None:
    """As R's psych 2.3 prints them for this table (ICC(sf)): they follow McGraw and Wong (1996)."""
    found = {form.name: form.interval for form in reliability(JUDGES).icc}
    published = {
        "ICC(1)": (-0.133, 0.723),
        "ICC(A,1)": (0.019, 0.761),
        "ICC(C,1)": (0.342, 0.946),
        "ICC(k)": (-0.884, 0.912),
        "ICC(A,k)": (0.071, 0.927),
        "ICC(C,k)": (0.676, 0.986),
    }
    for name, interval in published.items():
        assert found[name] == pytest.approx(interval, abs=0.0015), name


def test_bland_and_altman_peak_flow() -> None:
    """Their text: mean difference -2.1 l/min, SD 38.8, limits -79.7 and 75.5; 95 % intervals of bias and limits."""
    found = bland_altman(MINI, LARGE)
    assert found.bias == pytest.approx(-2.1, abs=0.05)
    assert found.sd == pytest.approx(38.8, abs=0.05)
    # The paper takes 2 SD where 1.96 SD is usual now.
    assert (found.bias - 2 * found.sd, found.bias + 2 * found.sd) == pytest.approx((-79.7, 75.5), abs=0.1)
    assert found.limits == pytest.approx((found.bias - 1.96 * found.sd, found.bias + 1.96 * found.sd))
    assert found.bias_interval == pytest.approx((-22.0, 17.8), abs=0.1)
    assert found.lower_limit_interval[1] - found.lower_limit_interval[0] == pytest.approx(2 * 34.6, abs=1.5)


def test_sem_by_each_formula_is_told_apart() -> None:
    ratings = np.stack([LARGE, MINI], axis=1)
    found = reliability(ratings)
    difference = MINI - LARGE
    assert found.mad == pytest.approx(np.abs(difference).mean())
    assert found.sem.mad_root2 == pytest.approx(found.mad / np.sqrt(2))
    # For two raters sqrt(MSE) is the SD of the differences by sqrt(2).
    assert found.sem.root_mse == pytest.approx(difference.std(ddof=1) / np.sqrt(2))
    absolute = next(form.value for form in found.icc if form.name == "ICC(A,1)")
    assert absolute is not None
    assert found.sem.sd_icc == pytest.approx(ratings.std(ddof=1) * np.sqrt(1 - absolute))


def test_the_interval_of_absolute_agreement_covers_the_truth() -> None:
    """Subjects of variance 9, raters of 0.5, noise of 4: ICC(A,1) is 9 / 13.5."""
    rng = np.random.default_rng(3)
    hits = []
    for _ in range(300):
        ratings = rng.normal(0, 3, (30, 1)) + rng.normal(0, 0.5**0.5, (1, 4)) + rng.normal(0, 2, (30, 4))
        interval = next(form.interval for form in reliability(ratings).icc if form.name == "ICC(A,1)")
        assert interval is not None
        hits.append(interval[0] <= 9 / 13.5 <= interval[1])
    assert 0.92 <= np.mean(hits) <= 0.985


def test_exact_agreement_and_no_variance() -> None:
    subjects = np.arange(5.0)[:, None]
    for form in reliability(np.repeat(subjects, 2, axis=1)).icc:
        assert form.value == pytest.approx(1)
        assert form.interval == pytest.approx((1, 1))
    assert all(form.value is None and form.interval is None for form in reliability(np.ones((4, 2))).icc)
    shifted = {form.name: form.value for form in reliability(np.hstack([subjects, subjects + 2])).icc}
    assert shifted["ICC(C,1)"] == pytest.approx(1)
    assert shifted["ICC(A,1)"] == pytest.approx(2.5 / (2.5 + 2))


def table(path: Path, text: str) -> Path:
    path.write_text(text, encoding="utf-8")
    return path


def test_the_command_reads_a_table_and_writes_json(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows = "\n".join(f"p{i},{a:g},{b:g},{c:g},{d:g}" for i, (a, b, c, d) in enumerate(JUDGES))
    path = table(tmp_path / "ratings.csv", f"id,A,B,C,D\n{rows}\n")
    assert main(["reliability", str(path), "--output", str(tmp_path / "out.json")]) == 0
    text = capsys.readouterr().out
    assert "ICC(A,1)" in text
    assert "0.290" in text
    assert "SEM by sqrt(MSE): 1.010" in text
    assert json.loads((tmp_path / "out.json").read_text())["raters"] == ["A", "B", "C", "D"]
    assert main(["reliability", str(path), "--raters", "A", "C"]) == 0
    assert "Bland-Altman (C minus A): bias -3.333" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("A,B\n1,2\n3,4\n", "at least 3 subjects"),
        ("A,B\n1,2\n3,\n5,6\n", "at least 3 subjects by 2 raters"),
        ("A,B\n1,2\n3\n5,6\n", "Line 3"),
        ("A,B\n", "no rows"),
    ],
)
def test_bad_tables_are_refused(text: str, message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = table(tmp_path / "ratings.csv", text)
    assert main(["reliability", str(path), "--output", str(tmp_path / "out.json")]) == 1
    assert message in capsys.readouterr().err
    assert not (tmp_path / "out.json").exists()


def test_a_gap_in_a_named_column_is_pointed_at(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = table(tmp_path / "ratings.csv", "A,B\n1,2\n3,x\n5,6\n")
    assert main(["reliability", str(path), "--raters", "A", "B"]) == 1
    assert "'x' in the column B" in capsys.readouterr().err
    assert main(["reliability", str(path), "--raters", "A", "Z"]) == 1
    assert "no column 'Z'" in capsys.readouterr().err
