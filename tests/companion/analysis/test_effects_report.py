"""Effects in words, tables and pictures."""

import numpy as np
import pandas as pd
import pytest
from designs import LEVELS, TITLES, additive
from matplotlib.figure import Figure

from companion.analysis.effects import interactions, main_effects, margin_of_error
from companion.analysis.effects_report import (
    draw_effects,
    effect_sentences,
    findings,
    interaction_sentences,
    levels_table,
    rounded,
    signed,
)
from companion.bp4d import AU_NAMES


def test_what_each_level_sets():
    changes = {"start": {"a": {"title": "random", "learning_rate": 0.01}, "b": None}}
    table = levels_table(changes, {"start": {"a": "random", "b": "start b"}})
    assert table.to_numpy().tolist() == [["start", "random", "learning rate", "0.01"]]


def test_clear_effects_become_sentences_the_largest_first():
    small = {name: 0.05 * scores for name, scores in additive().items()}
    table = main_effects(LEVELS, TITLES, small, (0.001, 4))
    sentences = effect_sentences(table)
    assert sentences[0] == (
        "Going from *title a* to *title b* raises the mean ICC by 0.010 "
        "(95 % interval +0.008 to +0.012)."
    )
    assert sentences[1].startswith(
        "Going from *title x1* to *title x2* lowers the mean ICC by 0.005"
    )
    assert len(sentences) == 3  # "m" is lost in the spread over seeds
    assert effect_sentences(main_effects(LEVELS, TITLES, small, (np.nan, 0))) == []
    assert effect_sentences(main_effects(LEVELS, TITLES, {}, (0.01, 4))) == []


def test_clear_interactions_become_sentences():
    scored = additive()
    for name, levels in LEVELS.items():
        both = levels["start"] == "b" and levels["target"] == "x2"
        scored[name] = scored[name] - 0.08 * both
    table = interactions(LEVELS, TITLES, scored, (0.001, 4))
    margin = margin_of_error(0.001, 4, 1.5)
    assert interaction_sentences(table) == [
        "The effect of *title b* is 0.080 lower with *title x2* than with *title x1*: "
        "+0.120 and +0.200 (95 % interval "
        f"−{0.08 + margin:.3f} to −{0.08 - margin:.3f} for the difference)."
    ]


def test_findings_count_what_is_clear():
    scored = {name: 0.05 * scores for name, scores in additive().items()}
    of = LEVELS, TITLES, scored
    text = findings(main_effects(*of, (0.001, 4)), interactions(*of, (0.001, 4)))
    first, empty, *lines = text.split("\n")
    assert first == (
        "3 of 4 main effects and 0 of 5 interactions have a 95 % interval over people "
        "and seeds that leaves out 0. If nothing had any effect, at least one of 9 "
        "independent intervals would leave it out with a probability of 37 %."
    )
    assert empty == "" and len(lines) == 3
    assert all(line.startswith("- Going from *title ") for line in lines)
    no_seeds = np.nan, 0
    text = findings(main_effects(*of, no_seeds), interactions(*of, no_seeds))
    assert text.startswith("0 of 4 main effects and 0 of 5 interactions have")
    assert text.endswith("(No model has two runs, so no interval is known.)\n")
    nothing = LEVELS, TITLES, {}
    text = findings(main_effects(*nothing, no_seeds), interactions(*nothing, no_seeds))
    assert text.startswith("0 of 0 main effects and 0 of 0")


def test_rounded_numbers_have_no_negative_zero():
    table = pd.DataFrame({"a": ["x"], "b": [-0.0001], "c": [3], "d": [0.12345]})
    assert rounded(table).to_csv() == ",a,b,c,d\n0,x,0.0,3,0.123\n"


@pytest.mark.parametrize(
    "value, text",
    [(0.0421, "+0.042"), (-0.0421, "−0.042"), (-0.0001, "0.000"), (0.0, "0.000")],
)
def test_a_number_with_its_sign(value, text):
    assert signed(value) == text


def test_the_drawn_effects():
    table = main_effects(LEVELS, TITLES, additive(noise=0.1), (0.01, 4))
    left, right = Figure().subplots(1, 2, sharey=True)
    draw_effects(left, right, table)
    labels = [label.get_text() for label in left.get_yticklabels()]
    assert labels[0] == "title b\n(not title a)" and len(labels) == 4
    means = table[table["AU"] == "mean"]
    dots = [line.get_xydata()[0] for line in left.lines if line.get_marker() == "o"]
    np.testing.assert_allclose([x for x, _ in dots], means["size"])
    entries = [text.get_text() for text in right.get_legend().get_texts()]
    assert entries == list(AU_NAMES)
    assert left.get_ylim() == (3.5, -0.5)  # the first effect is at the top


@pytest.mark.filterwarnings("error")
def test_no_effect_can_be_drawn():
    left, right = Figure().subplots(1, 2, sharey=True)
    draw_effects(left, right, main_effects(LEVELS, TITLES, {}, (0.01, 4)))
    assert left.get_yticklabels() == []
