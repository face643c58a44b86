import numpy as np
import pytest

from aulib.sampler import MultinomialSampler, sampling_weights
from companion.analysis.draws import (
    count_draws,
    describe_draws,
    describe_shares,
    describe_weights,
    draw_shares,
    effective_size,
    level_shares,
    varying_labels,
)


@pytest.fixture(scope="module")
def labels() -> np.ndarray:
    """200 frames, of which about a quarter show no AU."""
    generator = np.random.default_rng(0)
    levels = generator.integers(0, 6, (200, 5))
    return levels * (generator.random((200, 1)) > 0.25)


def test_columns_of_one_level_are_left_out(labels):
    constant = labels.copy()
    constant[:, [1, 4]] = 3
    np.testing.assert_array_equal(varying_labels(constant), labels[:, [0, 2, 3]])
    np.testing.assert_array_equal(varying_labels(labels), labels)


@pytest.mark.parametrize("count", [1, 7])
def test_equal_weights_have_the_size_of_the_sample(count):
    assert effective_size(np.full(count, 0.3)) == pytest.approx(count)
    many = np.r_[np.ones(count), np.full(1000, 1e-9)]
    assert effective_size(many) == pytest.approx(count, rel=1e-5)


def test_weights_in_words():
    levels = np.zeros((4, 5), dtype=int)
    levels[3] = 1
    said = describe_weights(levels, np.array([1.0, 1.0, 1.0, 3.0]))
    assert "Of the M = 4 training frames, 75.0 % show none" in said
    assert "they get 50.0 % of the draws" in said and "3 times the smallest" in said
    assert "effective sample size is 3." in said  # 36 / 12


def test_draws_are_counted_by_epoch(labels):
    sampler = MultinomialSampler(sampling_weights(labels), seed=7)
    times = count_draws(sampler, len(labels), 3)
    assert times.shape == (3, 200) and (times.sum(axis=1) == 200).all()
    sampler.set_epoch(2)
    drawn = list(sampler)
    assert all(times[1, frame] == drawn.count(frame) for frame in range(200))


@pytest.mark.parametrize("first, than", [([2, 2, 0, 0], "more"), ([1] * 4, "fewer")])
def test_draws_in_words(first, than):
    said = describe_draws(np.array([first, [0, 4, 0, 0]]))
    assert f"misses {25 * first.count(0)} % of the frames, {than} than" in said
    assert f"one frame {max(first)} times" in said
    assert f"2 epochs together, {50.0 if 0 in first else 0.0:.1f} % are never" in said


def test_shares_count_frames_as_often_as_they_are_drawn(labels):
    times = np.random.default_rng(1).integers(0, 4, 200)
    repeated = np.repeat(labels, times, axis=0)
    expected = [[(column == k).mean() for column in repeated.T] for k in range(6)]
    np.testing.assert_allclose(level_shares(labels, times), expected)


def test_the_figure_has_the_shares(labels):
    times = np.random.default_rng(1).integers(0, 4, 200)
    figure = draw_shares(labels, times, "some data")
    assert "some data" in figure.get_suptitle()
    heights = [[bar.get_height() for bar in ax.patches] for ax in figure.axes]
    np.testing.assert_allclose(np.transpose(heights), level_shares(labels, times))
    line = figure.axes[2].lines[0].get_ydata()
    np.testing.assert_allclose(line[:6], [(labels[:, 2] == k).mean() for k in range(6)])


def test_shares_in_words():
    labels, times = (
        np.array([[0] * 5, [0] * 5, [5] * 5, [3] * 5]),
        np.array([0, 1, 3, 0]),
    )
    said = describe_shares(labels, times)
    assert "level 0 goes from 50.0 % of the frames to 25.0 % of the draws" in said
    assert "level 5 from 25.0 % of the frames to 75.0 % of the draws" in said
