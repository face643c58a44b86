"""What our runs say about the paper's claims on its networks."""

import numpy as np
import pandas as pd
import pytest

from companion.analysis import evidence
from companion.analysis.bootstrap import subject_sums
from companion.analysis.effects import run_table

ENDS = ["best low", "best high", "seeds low", "seeds high"]
BEST = pd.DataFrame({"baseline": [0.61], "proposed": [0.619]}, ["the paper"])
FIVE = pd.DataFrame({"baseline": [0.588], "proposed": [0.603]}, ["the paper"])


@pytest.mark.parametrize(
    "ends, expected",
    [
        ([0.1, 0.2, 0.1, 0.3], True),
        ([-0.1, 0.2, 0.1, 0.3], False),  # other people
        ([0.1, 0.2, -0.1, 0.3], False),  # other seeds
        ([0.1, 0.2, np.nan, np.nan], None),  # a single run
    ],
)
def test_a_gain_is_clear_of_people_and_seeds(ends, expected):
    gap = pd.Series([*ends, 0.006, 0.02], [*ENDS, "best", "seeds"])
    holds, because = evidence.gain_beyond_chance(gap)
    assert holds is expected
    assert because.startswith("best run less best run is +0.006 (95 % over people ")


@pytest.mark.parametrize(
    "gain, verdict",
    [(0.009, "Both are"), (0.5, "One of them is"), (0.9, "Neither is")],
)
def test_chance_in_words(gain, verdict):
    gap = pd.Series([-0.1, 0.2], ENDS[:2])
    bests = {"a": np.array([0.0, 0.6]), "b": np.array([0.0, 0.8])}  # sd √.18, √.32
    said = evidence.describe_chance(gap, bests, gain)
    assert "about ±0.150 (half" in said and "standard deviation of 0.707." in said
    assert said.endswith(f"{verdict} larger than the paper's gain of {gain:.3f}.")
    alone = evidence.describe_chance(gap, {"a": np.array([0.5])}, gain)
    assert alone.startswith("A single run")


@pytest.mark.parametrize(
    "baseline, proposed, expected",
    [
        ([0.1, 0.5, 0.9], [0.50, 0.51, 0.52], True),  # F = 1600
        ([0.50, 0.51, 0.52], [0.1, 0.5, 0.9], False),
        ([0.1, 0.2, 0.3], [0.1, 0.15, 0.2], None),  # F = 4, below 19
        ([0.1, 0.2, 0.3], [0.1, 0.1, 0.1], None),
        ([0.1], [0.2], None),
    ],
)
def test_robustness_is_a_ratio_of_variances(baseline, proposed, expected):
    runs = np.array(baseline), np.array(proposed)
    holds, because = evidence.steadier_over_seeds(*runs, BEST, FIVE)
    assert holds is expected
    assert "the paper, baseline: 0.610 − 0.588 = 0.022" in because
    assert "the paper, proposed: 0.619 − 0.603 = 0.016" in because
    if expected is not None:
        assert "up to 19 in 95 % of cases" in because


def made_up(noise: dict[str, float]) -> dict:
    """Sums of two epochs of three seeds: names and how far estimates are off."""
    generator = np.random.default_rng(0)
    truth = generator.integers(0, 6, (400, 5))
    subjects = np.repeat(np.arange(10), 40)
    sums = {}
    for name, off in noise.items():
        for seed in (1, 2, 3):
            estimates = truth + generator.normal(0, off, (2, *truth.shape))
            own = [subject_sums(truth, epoch, subjects) for epoch in estimates]
            sums[name, seed] = np.stack(own)
    return sums


@pytest.mark.parametrize(
    "regression, classes, expected",
    [(0.5, 2.0, True), (2.0, 0.5, False), (1.0, 1.0, None)],
)
def test_regression_against_classes(regression, classes, expected):
    sums = made_up({"regression": regression, evidence.CLASSES: classes})
    table = evidence.regression_table(sums, count=200)
    last = run_table(sums).groupby("model")["last"].mean()
    gap = last["regression"] - last[evidence.CLASSES]
    assert table.index.tolist() == ["regression less classifier"]
    assert table["size"].tolist() == pytest.approx([gap])
    holds, because = evidence.better_by_regression(sums, table)
    assert holds is expected
    assert f"regression {last['regression']:.3f} (" in because


def test_without_runs_nothing_is_said():
    table = evidence.regression_table({})
    assert table.empty and "size" in table
    assert evidence.better_by_regression({}, table)[0] is None


def test_the_recorded_pair():
    sums = evidence.regression_runs("standin", "recorded")
    assert {name for name, _ in sums} == {
        "regression",
        evidence.CLASSES,
        evidence.EXPECTATION,
    }
    people = {own.shape[1:] for own in sums.values()}
    assert people == {(20, 5, 6)}
    totals = [
        own[:, :, :, [0, 1, 3]].sum(axis=(0, 1)) / len(own) for own in sums.values()
    ]
    for total in totals:  # the same labels of the same frames
        np.testing.assert_array_equal(total, totals[0])


def test_a_profile_without_runs_has_no_pair():
    assert evidence.regression_runs("tiny", "recorded") == {}
