"""ROC analysis against the published example, scikit-learn, MLstatkit and the definitions."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import f1_score, precision_score, recall_score, roc_auc_score

from medenhance.errors import MedEnhanceError
from medenhance_training.operating import Counts, choose_threshold, counts_at
from medenhance_training.resampling import bootstrap
from medenhance_training.roc import auc, auc_of, compare_auc, delong, wilson

# The ovarian cancer patients of DeLong et al. (1988), those without missing values, as SAS prints them in the example
# "Comparing Receiver Operating Characteristic Curves" of PROC LOGISTIC: albumin, total protein, K-G score, outcome.
PATIENTS = np.fromstring(
    """3.0 5.8 10 0 3.2 6.3 5 1 3.9 6.8 3 1 2.8 4.8 6 0 3.2 5.8 3 1 0.9 4.0 5 0 2.5 5.7 8 0 1.6 5.6 5 1 3.8 5.7 5 1
    3.7 6.7 6 1 3.2 5.4 4 1 3.8 6.6 6 1 4.1 6.6 5 1 3.6 5.7 5 1 4.3 7.0 4 1 3.6 6.7 4 0 2.3 4.4 6 1 4.2 7.6 4 0
    4.0 6.6 6 0 3.5 5.8 6 1 3.8 6.8 7 1 3.0 4.7 8 0 4.5 7.4 5 1 3.7 7.4 5 1 3.1 6.6 6 1 4.1 8.2 6 1 4.3 7.0 5 1
    4.3 6.5 4 1 3.2 5.1 5 1 2.6 4.7 6 1 3.3 6.8 6 0 1.7 4.0 7 0 3.7 6.1 5 1 3.3 6.3 7 1 4.2 7.7 6 1 3.5 6.2 5 1
    2.9 5.7 9 0 2.1 4.8 7 1 2.8 6.2 8 0 4.0 7.0 7 1 3.3 5.7 6 1 3.7 6.9 5 1 3.6 6.6 5 1""",
    sep=" ",
).reshape(-1, 4)
ALBUMIN, PROTEIN, KG, BENEFIT = PATIENTS[:, 0], PATIENTS[:, 1], 10 - PATIENTS[:, 2], PATIENTS[:, 3] == 1

ranks = st.integers(0, 6)
drawn = st.integers(5, 30).flatmap(
    lambda n: st.tuples(
        st.lists(ranks, min_size=n, max_size=n),
        st.lists(ranks, min_size=n, max_size=n),
        st.lists(st.booleans(), min_size=n, max_size=n).filter(lambda labels: 2 <= sum(labels) <= len(labels) - 2),
    )
)


@pytest.mark.parametrize(
    ("test", "area", "error"),
    [(ALBUMIN, 0.7366, 0.0927), (PROTEIN, 0.6478, 0.1000), (KG, 0.7258, 0.1028)],
    ids=["albumin", "protein", "K-G"],
)
def test_the_published_example(test: np.ndarray, area: float, error: float) -> None:
    found = auc(test, BENEFIT)
    assert found.value == pytest.approx(area, abs=5e-5)
    assert found.standard_error == pytest.approx(error, abs=5e-5)
    assert (found.num_positive, found.num_negative) == (31, 12)


@pytest.mark.parametrize(
    ("test", "p_value", "variance"),
    # MLstatkit 0.1.91, Delong_test(outcome, test, K-G), and its `var_diff`.
    [(ALBUMIN, 0.9102063472010351, 0.009090405441862261), (PROTEIN, 0.45613970750747357, 0.010943166051776873)],
    ids=["albumin", "protein"],
)
def test_paired_tests_equal_mlstatkit(test: np.ndarray, p_value: float, variance: float) -> None:
    found = compare_auc(test, KG, BENEFIT)
    assert found.p_value == pytest.approx(p_value, rel=1e-9)
    assert found.standard_error**2 == pytest.approx(variance, rel=1e-9)


@settings(max_examples=60, deadline=None)
@given(drawn)
def test_midranks_equal_the_definition(data: tuple[list[int], list[int], list[bool]]) -> None:
    first, second, labels = (np.array(part) for part in data)
    areas, covariance = delong([first, second], labels)
    v10, v01 = zip(*(placements(scores, labels) for scores in (first, second)), strict=True)
    expected = np.cov(v10) / labels.sum() + np.cov(v01) / (~labels).sum()
    assert areas == pytest.approx([roc_auc_score(labels, first), roc_auc_score(labels, second)])
    assert covariance == pytest.approx(expected, abs=1e-12)
    assert auc_of(first, labels) == pytest.approx(areas[0])


@settings(max_examples=40, deadline=None)
@given(drawn)
def test_the_test_is_symmetric_and_knows_no_difference_to_itself(data: tuple[list[int], list[int], list[bool]]) -> None:
    first, second, labels = data
    there, back = compare_auc(first, second, labels), compare_auc(second, first, labels)
    assert there.value == pytest.approx(-back.value)
    assert there.p_value == pytest.approx(back.p_value)
    assert there.interval == pytest.approx((-back.interval[1], -back.interval[0]))
    assert compare_auc(first, first, labels).p_value == 1.0
    assert compare_auc(first, np.exp(first), labels).p_value == 1.0, "only the order of scores matters"


def placements(scores: np.ndarray, labels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The structural components of DeLong, eq. 5, by comparing every case with every control."""
    cases, controls = scores[labels][:, None], scores[~labels][None]
    wins = (cases > controls) + 0.5 * (cases == controls)
    return wins.mean(axis=1), wins.mean(axis=0)


def test_entire_separation_has_an_interval_that_depends_on_the_number_of_cases() -> None:
    few = auc([0, 1, 2, 3], [False, False, True, True])
    many = auc(np.arange(60), np.arange(60) >= 30)
    assert (few.value, few.standard_error, many.value) == (1.0, 0.0, 1.0)
    assert few.interval == pytest.approx((0.025**0.5, 1.0))
    assert few.interval[0] < many.interval[0] == pytest.approx(0.884, abs=1e-3)
    reverse = compare_auc([0, 1, 2, 3], [3, 2, 1, 0], [False, False, True, True])
    assert (reverse.value, reverse.p_value) == (1.0, 0.0)


@pytest.mark.parametrize(
    ("scores", "labels", "said"),
    [
        ([1.0, 2.0], [True, True], "both classes"),
        ([1.0, float("nan")], [True, False], "finite"),
        ([1.0, 2.0, 3.0], [True, False], "do not fit"),
    ],
)
def test_what_has_no_area_is_refused(scores: list[float], labels: list[bool], said: str) -> None:
    with pytest.raises(MedEnhanceError, match=said):
        auc(scores, labels)


def test_counts_equal_scikit_learn() -> None:
    rng = np.random.default_rng(4)
    labels = rng.random(80) < 0.3
    scores = np.round(rng.random(80) + 0.4 * labels, 2)
    found, called = counts_at(scores, labels, 0.6), scores >= 0.6
    assert found.sensitivity == pytest.approx(recall_score(labels, called))
    assert found.specificity == pytest.approx(recall_score(~labels, ~called))
    assert found.ppv == pytest.approx(precision_score(labels, called))
    assert found.npv == pytest.approx(precision_score(~labels, ~called))
    assert found.f1 == pytest.approx(f1_score(labels, called))
    assert found.accuracy == pytest.approx((called == labels).mean())
    assert (found.total, found.prevalence) == (80, pytest.approx(labels.mean()))
    assert np.isnan(Counts(0, 0, 5, 0).sensitivity)


def test_a_threshold_reaches_what_is_wanted_and_is_best_otherwise() -> None:
    scores = np.array([0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0])
    labels = np.array([0, 0, 0, 0, 1, 0, 0, 1, 1, 1], bool)
    assert choose_threshold(scores, labels, "sensitivity", 1.0) == pytest.approx(0.45)
    assert choose_threshold(scores, labels, "specificity", 1.0) == pytest.approx(0.75)
    assert choose_threshold(scores, labels, "specificity", 0.6) == pytest.approx(0.45)
    assert choose_threshold(scores, labels, "youden") == pytest.approx(0.75)
    with pytest.raises(MedEnhanceError, match="both kinds"):
        choose_threshold(scores, np.ones(10, bool), "youden")


def test_the_middle_of_equally_good_thresholds_is_taken() -> None:
    assert choose_threshold([0.0, 1.0, 3.0, 4.0], [False, False, True, True], "youden") == 2.0


def test_wilson_s_interval() -> None:
    # Newcombe, Statistics in Medicine 17:857 (1998), Table I, method 3: 81 of 263 and 0 of 20.
    assert wilson(81, 263) == pytest.approx((0.2553, 0.3662), abs=5e-5)
    assert wilson(0, 20) == pytest.approx((0.0, 0.1611), abs=5e-5)
    assert wilson(0, 0) == (0.0, 1.0)


def test_a_bootstrap_covers_scans_and_runs_and_keeps_the_prevalence() -> None:
    labels = np.arange(40) < 10
    values = np.stack([labels + 0.0, labels + 0.5])
    shares: list[float] = []

    def mean(runs: np.ndarray, scans: np.ndarray) -> float:
        shares.append(float(labels[scans].mean()))
        return float(values[np.ix_(runs, scans)].mean())

    found = bootstrap(mean, 2, labels, resamples=200)
    assert found.value == pytest.approx(0.5)
    assert set(shares) == {0.25}
    assert found.interval == pytest.approx((0.25, 0.75)), "only the runs differ when prevalence is kept"
    assert found.above_zero
    assert bootstrap(mean, 2, labels[:2]).interval is None
    assert bootstrap(lambda runs, scans: float("nan"), 1, labels, resamples=5).interval is None
