"""Eq. 1 and 2 by hand, and draws that follow them."""

from fractions import Fraction
from math import prod

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy import stats
from torch.utils.data import DataLoader

from aulib.sampler import MultinomialSampler, sampling_weights

TABLE = np.array([(0, 0), (0, 0), (0, 1), (3, 1), (5, 1)])


def by_the_letter(intensities: np.ndarray) -> list[float]:
    """Eq. 1 and 2 in rational numbers, one comparison at a time."""
    rows = intensities.tolist()
    size = len(rows)

    def complement(i: int, j: int) -> Fraction:
        return 1 - Fraction(sum(rows[k][j] == rows[i][j] for k in range(size)), size)

    return [
        float(prod(complement(i, j) for j in range(len(row))))
        for i, row in enumerate(rows)
    ]


# -- the weights


def test_weights_by_hand():
    """First AU: 0 three times in five, 3 and 5 once; second: 0 twice, 1 three times."""
    expected = [
        2 / 5 * 3 / 5,
        2 / 5 * 3 / 5,
        2 / 5 * 2 / 5,
        4 / 5 * 2 / 5,
        4 / 5 * 2 / 5,
    ]
    weights = sampling_weights(TABLE)
    assert weights == pytest.approx(expected, rel=1e-15)
    assert weights.dtype == np.float64
    assert weights.sum() != pytest.approx(1)  # no probabilities, see the docstring


@given(
    arrays(
        np.int64,
        st.tuples(st.integers(1, 25), st.integers(1, 5)),
        elements=st.integers(0, 5),
    )
)
def test_weights_by_the_letter(intensities):
    weights = sampling_weights(intensities)
    assert weights == pytest.approx(by_the_letter(intensities), abs=1e-14)
    assert ((weights >= 0) & (weights < 1)).all()


@pytest.mark.parametrize("dtype", [np.int8, np.uint8, np.int32, np.int64])
def test_any_integer_type(dtype):
    expected = sampling_weights(TABLE)
    assert (sampling_weights(TABLE.astype(dtype)) == expected).all()


def test_rarer_is_heavier():
    levels = np.repeat([0, 1, 2, 3, 4, 5], [50, 20, 12, 9, 6, 3])[:, None]
    weights = sampling_weights(levels)
    assert (np.diff(weights) >= 0).all()
    assert weights[0] == pytest.approx(0.5) and weights[-1] == pytest.approx(0.97)


@pytest.mark.parametrize("odd", [9, 6, -1])
def test_a_level_that_is_none(odd):
    with pytest.raises(ValueError, match=rf"0\.\.5, found {odd}"):
        sampling_weights(np.array([[0, 1], [odd, 2]]))


@pytest.mark.parametrize("shape", [(0, 5), (5, 0), (5,), (2, 2, 2)])
def test_a_table_that_is_none(shape):
    with pytest.raises(ValueError, match=r"\(M, Q\)"):
        sampling_weights(np.zeros(shape, dtype=int))


def test_levels_that_are_not_whole():
    with pytest.raises(ValueError, match="integers, not float64"):
        sampling_weights(TABLE.astype(float))


# -- the draws


def test_draws_follow_the_weights():
    """Chi-square of a million draws from the weights of 60 frames."""
    levels = np.random.default_rng(5).choice(
        6, (60, 3), p=[0.5, 0.2, 0.1, 0.1, 0.06, 0.04]
    )
    weights = sampling_weights(levels)
    drawn = MultinomialSampler(weights, num_samples=1_000_000, seed=1).draws()
    counts = np.bincount(drawn, minlength=60)
    expected = weights / weights.sum() * 1_000_000
    assert stats.chisquare(counts, expected).pvalue > 0.001


def test_draws_are_independent_of_their_position():
    """The first and the second half of an epoch have the same distribution."""
    weights = np.arange(1.0, 21.0)
    drawn = MultinomialSampler(weights, num_samples=200_000, seed=2).draws().numpy()
    halves = [
        np.bincount(half, minlength=20) for half in (drawn[:100_000], drawn[100_000:])
    ]
    assert stats.chi2_contingency(halves).pvalue > 0.001
    pairs = np.histogram2d(drawn[:-1] < 14, drawn[1:] < 14, bins=2)[0]
    assert stats.chi2_contingency(pairs).pvalue > 0.001


@given(
    st.lists(
        st.sampled_from([0.0, 1e-300, 1e-9, 0.3, 1.0, 1e9]), min_size=1, max_size=9
    )
)
def test_a_weight_of_zero_is_never_drawn(weights):
    weights = np.array(weights)
    if weights.sum() == 0:
        with pytest.raises(ValueError, match="all weights are 0"):
            MultinomialSampler(weights)
        return
    drawn = MultinomialSampler(weights, num_samples=500).draws().numpy()
    assert (weights[drawn] > 0).all()


def test_as_many_draws_as_frames_unless_told_otherwise():
    assert (
        len(MultinomialSampler(np.ones(7)))
        == len(list(MultinomialSampler(np.ones(7))))
        == 7
    )
    assert len(list(MultinomialSampler(np.ones(7), num_samples=3))) == 3
    assert len(set(MultinomialSampler(np.ones(7), num_samples=99))) == 7  # replaces


def test_an_epoch_is_a_function_of_seed_and_number():
    sampler = MultinomialSampler(np.ones(50), seed=4)
    first = list(sampler)
    assert first == list(sampler) == list(MultinomialSampler(np.ones(50), seed=4))
    sampler.set_epoch(1)
    second = list(sampler)
    assert second != first
    sampler.set_epoch(0)
    assert list(sampler) == first
    assert list(MultinomialSampler(np.ones(50), seed=5)) != first


def test_leaves_the_global_generators_alone():
    torch.manual_seed(0)
    np.random.seed(0)
    before = torch.get_rng_state(), np.random.get_state()[1].copy()
    list(MultinomialSampler(np.ones(9)))
    assert torch.equal(torch.get_rng_state(), before[0])
    assert (np.random.get_state()[1] == before[1]).all()


def test_serves_a_data_loader():
    sampler = MultinomialSampler(np.arange(10.0), seed=3)
    loader = DataLoader(torch.arange(10), batch_size=4, sampler=sampler)
    assert torch.equal(torch.cat(list(loader)), sampler.draws())


@pytest.mark.parametrize(
    "weights, num_samples, message",
    [
        ([], None, r"\(M,\)"),
        ([[1.0]], None, r"\(M,\)"),
        ([1.0, np.nan], None, "finite"),
        ([1.0, np.inf], None, "finite"),
        ([1.0, -1.0], None, "negative"),
        ([1.0], 0, "at least 1"),
        ([1.0], -3, "at least 1"),
    ],
)
def test_weights_that_are_none(weights, num_samples, message):
    with pytest.raises(ValueError, match=message):
        MultinomialSampler(np.array(weights), num_samples)


def test_one_level_everywhere_is_an_error_that_says_so():
    with pytest.raises(ValueError, match="the same level in every frame"):
        MultinomialSampler(sampling_weights(np.zeros((4, 5), dtype=int)))


def test_twenty_million_frames():
    """`torch.multinomial` stops at 2^24 = 16,777,216."""
    size = 20_000_000
    generator = np.random.default_rng(6)
    levels = generator.integers(0, 6, (size, 2), dtype=np.int8)
    weights = sampling_weights(levels)
    rare = generator.integers(size)
    shares = [1 - (levels[:, j] == levels[rare, j]).mean() for j in range(2)]
    assert weights[rare] == pytest.approx(prod(shares), rel=1e-12)

    drawn = MultinomialSampler(weights, num_samples=2_000_000).draws().numpy()
    assert drawn.max() > 2**24
    counts = np.bincount(drawn // 1_000_000, minlength=20)
    expected = weights.reshape(20, -1).sum(axis=1)
    expected *= len(drawn) / expected.sum()
    assert stats.chisquare(counts, expected).pvalue > 0.001
