"""ICC(3,1) against the literature, its closed form and another package."""

from itertools import permutations

import numpy as np
import pandas as pd
import pingouin
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from aulib.icc import icc_3_1, icc_per_au

# Shrout and Fleiss (1979), Table 2: six targets, four judges
SHROUT_FLEISS = np.array(
    [
        (9, 2, 5, 8),
        (6, 1, 3, 2),
        (8, 4, 6, 8),
        (7, 1, 2, 6),
        (10, 5, 6, 9),
        (6, 2, 4, 7),
    ]
)
# the wine ratings in pingouin's tests, four judges by eight wines
WINE = np.array(
    [
        (1, 1, 3, 6, 6, 7, 8, 9),
        (2, 3, 8, 4, 5, 5, 7, 9),
        (0, 3, 1, 3, 5, 6, 7, 9),
        (1, 2, 4, 3, 6, 2, 9, 8),
    ]
).T
LABELS = np.array([0, 0, 0, 0, 1, 1, 2, 2, 3, 4, 5, 0])
ESTIMATES = np.array([0, 0, 1, 0, 1, 2, 2, 1, 3, 3, 4, 0])


def by_pingouin(ratings: np.ndarray) -> float:
    """The same coefficient by another package."""
    n, k = ratings.shape
    long = pd.DataFrame(
        {
            "target": np.repeat(np.arange(n), k),
            "judge": np.tile(np.arange(k), n),
            "rating": ratings.ravel(),
        }
    )
    table = pingouin.intraclass_corr(long, "target", "judge", "rating")
    # ICC3 is ICC(C,1) in the names of McGraw and Wong, which newer versions use
    return table.loc[table["Type"].isin(["ICC3", "ICC(C,1)"]), "ICC"].item()


def by_covariance(truth: np.ndarray, estimate: np.ndarray) -> float:
    """The closed form for two judges, 0 where both are constant."""
    spread = truth.var() + estimate.var()
    return 2 * np.cov(truth, estimate, ddof=0)[0, 1] / spread if spread else 0.0


def test_shrout_and_fleiss():
    assert icc_3_1(SHROUT_FLEISS) == pytest.approx(0.714841, abs=5e-7)


@pytest.mark.parametrize(
    "pair, expected",
    [
        ((0, 1), 0.745342),
        ((0, 2), 0.725000),
        ((0, 3), 0.686567),
        ((1, 2), 0.894410),
        ((1, 3), 0.669145),
        ((2, 3), 0.656716),
    ],
)
def test_shrout_and_fleiss_by_pairs(pair, expected):
    assert icc_3_1(SHROUT_FLEISS[:, pair]) == pytest.approx(expected, abs=5e-7)
    assert icc_3_1(SHROUT_FLEISS[:, pair[::-1]]) == pytest.approx(expected, abs=5e-7)


def test_wine():
    assert icc_3_1(WINE) == pytest.approx(0.729487, abs=5e-7)


@pytest.mark.parametrize(
    "estimates, expected",
    [
        (ESTIMATES, 0.908810),
        (ESTIMATES + 3, 0.908810),  # blind to a shift
        (2 * ESTIMATES, 0.840000),  # not to a factor
        (np.full(12, 2), 0.0),
    ],
)
def test_labels_and_estimates_of_an_au(estimates, expected):
    ratings = np.column_stack([LABELS, estimates])
    assert icc_3_1(ratings) == pytest.approx(expected, abs=5e-7)


def test_numbers_that_are_no_levels():
    ratings = np.array([(5, 5.3), (2, 2.2), (4, 4.7), (6, 4.6)])
    assert icc_3_1(ratings) == pytest.approx(0.821155, abs=5e-7)


@pytest.mark.parametrize("ratings", [SHROUT_FLEISS, WINE])
def test_agrees_with_pingouin_on_the_tables(ratings):
    assert icc_3_1(ratings) == pytest.approx(by_pingouin(ratings), abs=1e-10)


@settings(max_examples=40)
@given(
    seed=st.integers(0, 2**32 - 1),
    shape=st.tuples(st.integers(5, 40), st.integers(2, 5)),
    agreement=st.floats(0, 3),
)
def test_agrees_with_pingouin(seed, shape, agreement):
    generator = np.random.default_rng(seed)
    ratings = generator.normal(size=shape)
    ratings += agreement * generator.normal(size=(shape[0], 1))
    assert icc_3_1(ratings) == pytest.approx(by_pingouin(ratings), abs=1e-10)


@given(
    arrays(
        np.int64, st.tuples(st.integers(2, 60), st.just(2)), elements=st.integers(0, 5)
    )
)
def test_two_judges_have_a_closed_form(ratings):
    expected = by_covariance(*ratings.T)
    assert icc_3_1(ratings) == pytest.approx(expected, abs=1e-12)
    assert icc_3_1(ratings) <= 1 + 1e-12


@given(
    arrays(
        np.int64,
        st.tuples(st.integers(2, 30), st.integers(2, 4)),
        elements=st.integers(0, 5),
    ),
    st.integers(-9, 9),
)
def test_neither_order_nor_shift_of_a_judge_matters(ratings, shift):
    score = icc_3_1(ratings)
    shifted = ratings + shift * (np.arange(ratings.shape[1]) == 0)
    assert icc_3_1(shifted) == pytest.approx(score, abs=1e-12)
    assert icc_3_1(ratings[::-1, ::-1]) == pytest.approx(score, abs=1e-12)


def test_identical_judges_agree():
    assert icc_3_1(np.column_stack([LABELS, LABELS, LABELS])) == pytest.approx(1)


@given(st.lists(st.floats(-1e6, 1e6), min_size=2, max_size=5), st.integers(2, 2000))
def test_constant_judges_score_zero(constants, n):
    """0.1 summed a thousand times is not a thousandth of itself: still exactly 0."""
    assert icc_3_1(np.tile(constants, (n, 1))) == 0


@pytest.mark.parametrize("constant", [0, 2, 5, 0.1])
def test_a_constant_prediction_scores_zero(constant):
    truth = np.random.default_rng(0).integers(0, 6, 5000)
    ratings = np.column_stack([truth, np.full(5000, constant)])
    assert icc_3_1(ratings) == 0
    assert by_pingouin(ratings[:50]) == pytest.approx(0, abs=1e-10)


def test_a_large_offset_costs_no_digits():
    """Images of a whole data set, levels far from zero: no cancellation."""
    generator = np.random.default_rng(3)
    truth = generator.integers(0, 6, 75_000)
    estimate = np.clip(truth + generator.integers(-1, 2, 75_000), 0, 5)
    ratings = np.column_stack([truth, estimate])
    assert icc_3_1(ratings) == pytest.approx(by_covariance(truth, estimate), abs=1e-12)
    assert icc_3_1(ratings + 1e6) == pytest.approx(icc_3_1(ratings), abs=1e-9)


@pytest.mark.parametrize("shape", [(1, 2), (5, 1), (0, 2), (5,), (3, 2, 2)])
def test_too_little_to_compare(shape):
    with pytest.raises(ValueError, match=r"n >= 2, k >= 2"):
        icc_3_1(np.ones(shape))


@pytest.mark.parametrize("odd", [np.nan, np.inf, -np.inf])
def test_a_number_that_is_none(odd):
    with pytest.raises(ValueError, match="NaN or infinity"):
        icc_3_1(np.array([(0, 1), (2, odd), (3, 3)]))


# -- icc_per_au


def test_unknown_frames_leave_their_own_au_alone():
    generator = np.random.default_rng(1)
    truth = generator.integers(0, 6, (200, 3))
    estimates = np.clip(truth + generator.integers(-2, 3, (200, 3)), 0, 5)
    untouched = icc_per_au(truth, estimates)
    masked = truth.copy()
    masked[:50, 1] = 9
    scores = icc_per_au(masked, estimates)
    assert scores[0] == untouched[0] and scores[2] == untouched[2]
    expected = by_covariance(truth[50:, 1], estimates[50:, 1])
    assert scores[1] == pytest.approx(expected, abs=1e-12)
    assert scores[1] != untouched[1]


@settings(max_examples=50)
@given(st.integers(0, 2**32 - 1))
def test_masks_against_a_loop(seed):
    generator = np.random.default_rng(seed)
    truth = generator.choice([0, 1, 2, 3, 4, 5, 9], (30, 5)).astype(np.int8)
    estimates = generator.integers(0, 6, (30, 5))
    scores = icc_per_au(truth, estimates)
    for au in range(5):
        pairs = [(t, e) for t, e in zip(truth[:, au], estimates[:, au]) if t != 9]
        pairs = np.array(pairs, dtype=float)
        assert scores[au] == pytest.approx(by_covariance(*pairs.T), abs=1e-12)


def test_what_stands_where_the_truth_is_unknown_is_not_read():
    truth = np.column_stack([LABELS, LABELS])
    truth[3, 0] = 9
    estimates = np.column_stack([ESTIMATES, ESTIMATES]).astype(float)
    before = icc_per_au(truth, estimates)
    estimates[3, 0] = np.nan
    assert (icc_per_au(truth, estimates) == before).all()


def test_another_code_for_unknown():
    truth = np.column_stack([LABELS, np.where(LABELS == 5, -1, LABELS)])
    estimates = np.column_stack([ESTIMATES, ESTIMATES])
    known = LABELS != 5
    expected = by_covariance(LABELS[known], ESTIMATES[known])
    scores = icc_per_au(truth, estimates, unknown=-1)
    assert scores == pytest.approx([0.908810, expected], abs=5e-7)


def test_an_au_that_nobody_coded_has_no_score():
    truth = np.column_stack([LABELS, np.full(12, 9)])
    scores = icc_per_au(truth, truth)
    assert scores[0] == pytest.approx(1)
    assert np.isnan(scores[1])


@pytest.mark.parametrize("shapes", list(permutations([(4, 5), (5, 5), (4, 4)], 2)))
def test_shapes_must_be_the_same(shapes):
    with pytest.raises(ValueError, match="one shape"):
        icc_per_au(np.zeros(shapes[0]), np.zeros(shapes[1]))
