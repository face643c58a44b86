"""What notebook 07 says and draws."""

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure

from aulib.icc import icc_3_1
from companion.analysis.icc_report import (
    beyond,
    describe_clip,
    describe_gaps,
    describe_places,
    describe_strongest,
    describe_ways,
    draw_judges,
    draw_ways,
    toy_table,
)

TRUTH = np.tile(np.arange(6), 10)
JUDGES = {"too high": TRUTH + 1, "halved": TRUTH / 2, "always 2": np.full(60, 2)}
OFF_BY = pd.Series({"a": 0.004, "b": -0.2, "c": 0.03})


def test_judges_by_hand():
    table = toy_table(TRUTH, JUDGES)
    assert table["ICC(3,1)"].tolist() == pytest.approx([1, 0.8, 0])
    assert table["Pearson's r"].tolist() == pytest.approx([1, 1, 0])
    assert table["mean absolute error"].tolist() == pytest.approx([1, 1.25, 1.5])
    noisy = TRUTH + np.random.default_rng(0).normal(size=60)
    found = toy_table(TRUTH, {"noisy": noisy}).loc["noisy", "ICC(3,1)"]
    assert found == pytest.approx(icc_3_1(np.column_stack([TRUTH, noisy])))


def test_judges_are_drawn_with_their_scores():
    axes = Figure().subplots(1, 3)
    draw_judges(axes, TRUTH, JUDGES, toy_table(TRUTH, JUDGES)["ICC(3,1)"])
    assert [ax.get_title() for ax in axes] == [
        "too high\nICC 1.000",
        "halved\nICC 0.800",
        "always 2\nICC 0.000",
    ]
    for ax, answers in zip(axes, JUDGES.values()):
        _, points = ax.lines
        assert np.abs(points.get_xdata() - TRUTH).max() < 0.6
        assert np.abs(points.get_ydata() - answers).max() < 0.6


def test_ways_are_drawn_in_order_cut_and_large_ones_coloured():
    ax = Figure().subplots()
    draw_ways(ax, OFF_BY, 0.009)
    bars = ax.patches
    assert [bar.get_width() for bar in bars] == [-0.1, 0.004, 0.03]
    assert bars[0].get_facecolor() == bars[2].get_facecolor()
    assert bars[0].get_facecolor() != bars[1].get_facecolor()
    texts = [text.get_text() for text in ax.texts]
    assert texts == ["−0.200", "+0.004", "+0.030"]
    _, arrow = ax.lines
    assert arrow.get_marker() == "<" and arrow.get_xydata().tolist() == [[-0.1, 0]]


def test_ways_are_counted():
    assert describe_ways(OFF_BY, 0.009, ["a", "b"]) == (
        "2 of 3 ways move the mean by more than 0.009, the gain in Table II. The list "
        "is ours, so this count is no rate. Of the 2 in the question, “b” moves it "
        "most, by −0.200."
    )
    said = describe_ways(OFF_BY - 0.0003, 0.004, ["a"])  # a: .0037, equal by its digits
    assert said.startswith("2 of 3 ways")
    assert (
        "rate. “a” changes it by +0.004, which rounds to the gain, so it is drawn grey."
        in said
    )
    assert beyond(OFF_BY - 0.0003, 0.003).all()


def test_ways_for_both_networks():
    scores = pd.DataFrame({"off by": {"rule": 0.0} | OFF_BY.to_dict()})
    gaps = pd.Series({"rule": 0.006, "a": 0.005, "b": 0.009, "c": 0.026})
    assert describe_gaps(scores, gaps, 0.009) == (
        "By Table II's rule the networks differ by +0.006. 2 ways that treat both "
        "alike move the score by more than 0.009; 1 of them move the difference by no "
        "more than that. Over all ways that treat both alike it is +0.005 to +0.026; "
        "“c” changes it most, to +0.026."
    )
    assert describe_gaps(scores, gaps[:2], 0.009).startswith("No way moves both")


@pytest.mark.parametrize("clipped, verb", [(0.8, "raises"), (0.7, "does not raise")])
def test_the_clip_in_words(clipped, verb):
    assert describe_clip(0.75, clipped, 0.2) == (
        "Outputs that are rounded but neither halved nor clipped score 0.750; 20 % of "
        f"them lie outside of 0 to 5. The clip {verb} the score: with it, *Eq. 3 "
        f"without its ½* has {clipped:.3f}."
    )


def test_places():
    measures = pd.DataFrame(
        {"ICC(3,1)": [0.9, 0.8, 0.7], "MAE": [0.5, 0.6, 0.4]}, ["a", "b", "c"]
    )
    assert describe_places(measures) == (
        "By ICC(3,1) the best row is *a*, by mean absolute error *c*. *c* changes rank "
        "most: third by ICC, first by error."
    )
    alike = measures.assign(MAE=[0.1, 0.2, 0.3])
    assert describe_places(alike) == (
        "*a* is the best row by both ICC(3,1) and mean absolute error. Both put all "
        "rows in the same order."
    )
    many = pd.DataFrame({"ICC(3,1)": range(12), "MAE": range(12)})
    assert describe_places(many).endswith("number 12 by ICC, first by error.")


def test_the_strongest_level():
    recall = pd.Series({"a": 0.25, "b": 0.0, "c": np.nan})
    assert describe_strongest(recall, np.array([5, 0, 0, 0])) == (
        "Of the frames at level 5, averaged over the AUs, *a* finds 25 %, and *b* 0 %. "
        "Only 1 of 4 labels are 5."
    )
    assert describe_strongest(recall * np.nan, np.array([0])) == "No label is 5."
