import numpy as np
import pytest
from matplotlib.figure import Figure

from aulib.sampler import MultinomialSampler, sampling_weights
from companion.analysis.draws import (
    count_draws,
    describe_draws,
    describe_extremes,
    describe_shares,
    describe_weights,
    draw_level_shares,
    draw_shares,
    effective_sample_size,
    level_balance,
    level_shares,
    sampler_table,
    seen_share,
    varying_labels,
)


@pytest.fixture(scope="module")
def labels() -> np.ndarray:
    """200 frames, of which about a quarter show no AU."""
    generator = np.random.default_rng(0)
    levels = generator.integers(0, 6, (200, 5))
    return levels * (generator.random((200, 1)) > 0.25)


def shares_of(labels: np.ndarray, times: np.ndarray) -> np.ndarray:
    """`level_shares` as an array, level by AU."""
    table = level_shares({"drawn": times}, labels)
    return table.pivot(index="level", columns="AU", values="share").to_numpy()


def test_columns_of_one_level_are_left_out(labels):
    constant = labels.copy()
    constant[:, [1, 4]] = 3
    np.testing.assert_array_equal(varying_labels(constant), labels[:, [0, 2, 3]])
    np.testing.assert_array_equal(varying_labels(labels), labels)


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
    np.testing.assert_allclose(shares_of(labels, times), expected)


def test_the_figure_has_the_shares(labels):
    times = np.random.default_rng(1).integers(0, 4, 200)
    figure = draw_shares(labels, times, "some data")
    assert "some data" in figure.get_suptitle()
    heights = [[bar.get_height() for bar in ax.patches] for ax in figure.axes]
    np.testing.assert_allclose(np.transpose(heights), shares_of(labels, times))
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
    # by its own factor: (1/4 · 3/4) of (2/4 · 2/4 + 2 · 1/4 · 3/4)
    assert "itself would lift level 5 only to 30.0 %" in said
    assert said.endswith(
        "But in frames with a 5, the other four AUs are 0 in 0 % of cases (in all "
        "frames: 50 %), so their factors are larger too."
    )


def test_the_rise_of_level_5_is_explained_where_there_is_one():
    labels = np.array([[0] * 5, [3] * 5, [5, 0, 0, 0, 0], [3] * 5])
    for levels in (labels, labels % 5):
        said = describe_shares(levels, np.ones(4))
        assert said.endswith("of the draws.")


LABELS = np.array([[0, 0, 0, 0, 0], [5, 0, 0, 0, 1], [1, 1, 1, 1, 1], [0, 0, 0, 0, 1]])
WEIGHTS = {"equal": np.ones(4), "odd": np.array([0.0, 1, 1, 2])}


@pytest.mark.parametrize(
    "weights, size",
    [([1, 1, 1, 1], 4), ([3, 1, 1, 1], 3), ([1, 0, 0, 0], 1), ([0.2, 0.2], 2)],
)
def test_the_effective_sample_size_by_hand(weights, size):
    assert effective_sample_size(np.array(weights)) == pytest.approx(size)


def test_a_mean_has_the_variance_that_the_effective_sample_size_says():
    weights = np.random.default_rng(0).exponential(size=30)
    numbers = np.random.default_rng(1).normal(size=(50_000, 30))
    variance = np.average(numbers, axis=1, weights=weights).var()
    assert 1 / variance == pytest.approx(effective_sample_size(weights), rel=0.03)


def test_the_share_of_frames_that_draws_reach():
    """Against draws; of two equal weights, by hand: 1 - 1/4."""
    assert seen_share(np.ones(2)) == pytest.approx(0.75)
    weights = np.random.default_rng(0).exponential(size=400)
    generator, chances = np.random.default_rng(1), weights / weights.sum()
    seen = [len(np.unique(generator.choice(400, 400, p=chances))) for _ in range(200)]
    assert seen_share(weights) == pytest.approx(np.mean(seen) / 400, abs=0.005)


def test_the_table_of_samplers():
    table = sampler_table(WEIGHTS, LABELS)
    assert table["without any AU (%)"].tolist() == [25, 0]
    assert table["with a level 5 (%)"].tolist() == [25, 25]
    assert table["n_eff (%)"].tolist() == pytest.approx([100, 100 * 16 / 6 / 4])
    assert table.loc["equal", "seen (%)"] == pytest.approx(100 * (1 - 0.75**4))


def test_the_shares_of_the_levels():
    table = level_shares(WEIGHTS, LABELS).set_index(["sampler", "AU", "level"])["share"]
    assert table["odd"]["AU06"].tolist() == [0.5, 0.25, 0, 0, 0, 0.25]
    assert table["equal"]["AU17"].tolist() == [0.25, 0.75, 0, 0, 0, 0]
    assert (table.groupby(["sampler", "AU"]).sum() == 1).all()


def test_the_drawn_shares():
    figure = Figure(layout="constrained")
    axes = figure.subplots(1, 5)
    draw_level_shares(axes, level_shares(WEIGHTS, LABELS))
    heights = [bar.get_height() for bar in axes[0].patches]
    assert heights == [0.5, 0.25, 0, 0, 0, 0.25] * 2
    places = [bar.get_x() + bar.get_width() / 2 for bar in axes[0].patches]
    assert places[5] == pytest.approx(4.8) and places[11] == pytest.approx(5.2)
    (legend,) = figure.legends
    assert [text.get_text() for text in legend.get_texts()] == ["equal", "odd"]


def test_balance_is_1_for_equal_levels_and_0_for_one_level():
    levels = np.column_stack(
        [np.arange(6), *[np.zeros(6, int)] * 3, [0, 0, 0, 1, 1, 1]]
    )
    table = level_balance({"all": np.ones(6), "first": np.eye(6)[0]}, levels)
    halves = np.log(2) / np.log(6)
    np.testing.assert_allclose(table.loc["all"], [1, 0, 0, 0, halves], atol=1e-12)
    np.testing.assert_allclose(table.loc["first"], 0, atol=1e-12)


def test_the_most_frequent_vector_is_named():
    levels = np.array([[0, 0, 0, 0, 1], [0, 0, 0, 0, 0], [0, 0, 0, 0, 0]])
    assert describe_extremes(levels, np.array([0.75, 0.25, 0.25])) == (
        "the most frequent vector, (0, 0, 0, 0, 0), has 0.250, and the largest weight "
        "is 0.750"
    )
