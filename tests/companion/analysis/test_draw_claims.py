"""What Eq. 1 and 2 do to labels, against `aulib` and brute force."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from aulib.sampler import sampling_weights
from companion.analysis import draw_claims
from companion.analysis.draws import level_balance

LEVELS = st.integers(0, 5)


def made_up(seed=0, frames=600, people=6, share=0.8):
    """Labels with level 0 in most frames, and who is in them."""
    generator = np.random.default_rng(seed)
    rare = (1 - share) * np.array([0.4, 0.3, 0.2, 0.07, 0.03])
    labels = generator.choice(6, (frames, 5), p=[share, *rare])
    return labels, generator.integers(0, people, frames)


@settings(max_examples=50, deadline=None)
@given(arrays(np.int64, st.tuples(st.integers(2, 30), st.just(5)), elements=LEVELS))
def test_weights_of_vectors_are_those_of_aulib(labels):
    labels = np.concatenate([labels, np.arange(10).reshape(2, 5) % 6])  # none constant
    vectors, counts = draw_claims.vector_counts(labels, np.arange(len(labels)) % 3)
    assert counts.sum() == len(labels)
    weights = draw_claims.vector_weights(vectors, counts.sum(axis=0))
    place = [int(np.flatnonzero((vectors == row).all(axis=1))[0]) for row in labels]
    np.testing.assert_allclose(weights[place], sampling_weights(labels), rtol=1e-12)


def test_levels_are_counted():
    labels, subjects = made_up()
    vectors, counts = draw_claims.vector_counts(labels, subjects)
    levels = draw_claims.level_counts(vectors, counts)
    for person in range(6):
        own = labels[subjects == person]
        expected = [np.bincount(column, minlength=6) for column in own.T]
        np.testing.assert_array_equal(levels[person], expected)


def test_draws_reduce_an_imbalance_and_not_a_balance():
    labels, subjects = made_up()
    holds, because, uncertainty = draw_claims.imbalance_is_reduced(labels, subjects)
    assert holds is True and "more even for 5 of 5 AUs" in because
    weights = sampling_weights(labels)
    table = level_balance({"frames": np.ones(len(labels)), "draws": weights}, labels)
    gain = table.loc["draws"] - table.loc["frames"]
    assert f"{gain.min():.2f} to {gain.max():.2f}" in because
    assert "95 % over people" in uncertainty
    even = np.stack([np.roll(np.arange(600) % 6, shift) for shift in range(5)], axis=1)
    assert draw_claims.imbalance_is_reduced(even, subjects)[0] is not True


def test_frequent_vectors_are_drawn_less_than_once():
    labels, subjects = made_up(frames=3000)
    holds, because, uncertainty = draw_claims.frequent_is_used_little(labels, subjects)
    assert holds is True and "(0, 0, 0, 0, 0)" in because
    weights = sampling_weights(labels)
    expected = weights * len(labels) / weights.sum()
    none = (labels == 0).all(axis=1)
    assert f"drawn {expected[none].mean():.2f} times" in because
    rows, number, times = np.unique(
        labels, axis=0, return_inverse=True, return_counts=True
    )
    rare = (times <= draw_claims.RARE * len(labels))[number.ravel()]
    assert f"frames has, {expected[rare].mean():.2f} times" in because
    assert uncertainty.startswith("95 % over people: ")


def test_batches_become_more_even_by_the_draws():
    labels, subjects = made_up()
    found = draw_claims.batches_are_more_even(labels, subjects, 16)
    assert found[0] is True and "95 % over people" in found[2]
    even = np.stack([np.roll(np.arange(600) % 6, shift) for shift in range(5)], axis=1)
    assert draw_claims.batches_are_more_even(even, subjects, 16)[0] is None


def test_the_balance_of_a_batch():
    batches = np.stack([np.zeros((6, 5), int), np.arange(30).reshape(6, 5) // 5])
    assert draw_claims._batch_balance(batches) == pytest.approx([0, 1])
