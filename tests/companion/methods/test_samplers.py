"""How a run draws the frames of an epoch: the paper's sampler and three others."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy import stats

from aulib.sampler import MultinomialSampler, sampling_weights
from companion.methods.samplers import (
    SAMPLERS,
    constant_aus,
    draw_epoch,
    iterative_batches,
    joint_weights,
)
from companion.methods.structured import PAIRS, turn

# -- all


@pytest.mark.parametrize("sampler", SAMPLERS)
def test_draws_are_a_function_of_seed_and_epoch(sampler):
    intensities, people = labelled_frames(0, 500)
    more = people, 20
    drawn = draw_epoch(intensities, sampler, 1, 1, *more)
    again = draw_epoch(intensities, sampler, 1, 1, *more)
    np.testing.assert_array_equal(drawn, again)
    assert drawn.dtype == np.int64
    for seed, epoch in ((1, 2), (2, 1)):
        other = draw_epoch(intensities, sampler, seed, epoch, *more)
        assert other.shape == drawn.shape and (other != drawn).any()


def test_the_papers_draws_are_those_of_aulib():
    intensities, _ = labelled_frames(0, 500)
    sampler = MultinomialSampler(sampling_weights(intensities), seed=3)
    sampler.set_epoch(2)
    np.testing.assert_array_equal(
        draw_epoch(intensities, "multinomial", 3, 2), list(sampler)
    )


def test_an_au_that_never_changes_is_named():
    """Its frequency is 1, so Eq. 1 is 0 for every frame."""
    intensities, _ = labelled_frames(0, 50)
    assert constant_aus(intensities) == []
    intensities[:, 3] = 2
    assert constant_aus(intensities) == ["AU14"]
    with pytest.raises(ValueError, match="^AU14: one level in all 50 .* shuffle") as e:
        draw_epoch(intensities, "multinomial", 1, 1)
    assert "\n" not in str(e.value)
    for other in ("joint", "shuffle", "iterative"):  # as the message says
        draw_epoch(intensities, other, 1, 1, np.arange(50), 5)


def test_a_shuffled_epoch_has_every_frame_once():
    intensities, _ = labelled_frames(0, 500)
    drawn = draw_epoch(intensities, "shuffle", 2, 1)
    assert (drawn != np.arange(500)).any()
    np.testing.assert_array_equal(np.sort(drawn), np.arange(500))


def test_an_unknown_sampler_is_refused():
    with pytest.raises(ValueError, match="'random' is unknown: choose one of"):
        draw_epoch(np.zeros((3, 5), dtype=int), "random", 1, 1)


# -- iterative


def labelled_frames(seed: int, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Levels with rare ones, and people with few frames; AU06 is never at level 4."""
    generator = np.random.default_rng(seed)
    shares = [0.5, 0.2, 0.1, 0.1, 0.06, 0.04]
    levels = generator.choice(6, (count, 5), p=shares)
    levels[levels[:, 0] == 4, 0] = 0
    people = generator.choice(9, count, p=np.arange(1, 10) / 45)
    return levels, np.array([f"F{number:03d}" for number in people])


@given(st.integers(1, 40), st.integers(1, 12), st.integers(0, 99), st.integers(1, 9))
def test_an_epoch_has_three_batches_for_each_plain_one(count, batch_size, seed, epoch):
    levels, people = labelled_frames(seed, count)
    drawn = iterative_batches(levels, people, batch_size, seed, epoch)
    assert drawn.shape == (3 * int(np.ceil(count / batch_size)) * batch_size,)
    assert drawn.dtype == np.int64 and (0 <= drawn).all() and (drawn < count).all()
    again = draw_epoch(levels, "iterative", seed, epoch, people, batch_size)
    np.testing.assert_array_equal(drawn, again)


@pytest.fixture(scope="module")
def batches():
    """Levels and people of 3,000 frames; the frames drawn for each `turn`."""
    levels, people = labelled_frames(1, 3000)
    drawn: dict[tuple[int, int], list] = {}
    for epoch in range(1, 5):
        rows = iterative_batches(levels, people, 300, 5, epoch).reshape(-1, 300)
        for batch, part in enumerate(rows):
            drawn.setdefault(turn(batch), []).append(part)
    return levels, people, {key: np.concatenate(rows) for key, rows in drawn.items()}


def assert_balanced(groups: np.ndarray, drawn: np.ndarray) -> None:
    """All groups are equally probable, and so are all frames of a group."""
    known = np.unique(groups)
    found = pd.Series(groups[drawn]).value_counts()
    assert set(found.index) <= set(known)
    counts = found.reindex(known, fill_value=0)
    assert stats.chisquare(counts).pvalue > 0.001
    largest = pd.Series(groups).value_counts().index[0]
    members = np.flatnonzero(groups == largest)
    times = np.bincount(drawn, minlength=len(groups))[members]
    halves = times[: len(times) // 2].sum(), times[len(times) // 2 :].sum()
    expected = np.array([len(times) // 2, len(times) - len(times) // 2]) / len(times)
    assert stats.chisquare(halves, expected * sum(halves)).pvalue > 0.001


def test_the_first_kind_of_batch_is_balanced_over_people(batches):
    _, people, drawn = batches
    assert_balanced(people, drawn[0, 0])


@pytest.mark.parametrize("au", range(5))
def test_the_second_kind_is_balanced_over_the_levels_of_one_au(batches, au):
    levels, _, drawn = batches
    assert_balanced(levels[:, au], drawn[1, au])
    assert au or 4 not in levels[drawn[1, 0], 0]
    other = (au + 1) % 5  # its levels are as rare as in the data
    counts = np.bincount(levels[drawn[1, au], other], minlength=6)
    assert counts[0] > 4 * counts[5]


@pytest.mark.parametrize("pair", range(10))
def test_the_third_kind_is_balanced_over_the_levels_of_a_pair(batches, pair):
    levels, _, drawn = batches
    q, r = PAIRS[pair]
    both = np.array([f"{a} {b}" for a, b in levels[:, [q, r]]])
    assert_balanced(both, drawn[2, pair])


def test_frames_of_a_group_are_drawn_equally_often():
    """A group of ten frames at level 0 and a group of one frame at level 1."""
    levels, people = np.zeros((11, 5), dtype=int), np.array(["F001"] * 11)
    levels[10] = 1
    parts = [
        iterative_batches(levels, people, 1000, 3, epoch)[1000:2000]
        for epoch in range(1, 6)
    ]
    counts = np.bincount(np.concatenate(parts), minlength=11)
    expected = np.array([250.0] * 10 + [2500.0])
    assert stats.chisquare(counts, expected).pvalue > 0.001


# -- joint


@given(
    arrays(
        np.int64,
        st.tuples(st.integers(1, 40), st.integers(1, 5)),
        elements=st.integers(0, 2),
    )
)
def test_all_label_vectors_are_equally_probable(intensities):
    weights = joint_weights(intensities)
    assert weights.shape == (len(intensities),) and weights.dtype == np.float64
    frames = pd.DataFrame(intensities)
    counts = frames.value_counts()
    expected = [1 / counts[tuple(row)] for row in intensities.tolist()]
    np.testing.assert_array_equal(weights, expected)
    totals = pd.Series(weights).groupby([*intensities.T]).sum()
    assert len(totals) == len(counts)
    np.testing.assert_allclose(totals, 1)


def test_joint_draws_are_balanced_over_label_vectors():
    generator = np.random.default_rng(0)
    levels = generator.choice(3, (600, 2), p=[0.8, 0.15, 0.05])
    drawn = [draw_epoch(levels, "joint", 4, epoch) for epoch in range(1, 11)]
    vectors = pd.Series([f"{a} {b}" for a, b in levels])
    counts = vectors.iloc[np.concatenate(drawn)].value_counts()
    assert counts.sum() == 6000 and len(counts) == vectors.nunique()
    assert stats.chisquare(counts).pvalue > 0.001
