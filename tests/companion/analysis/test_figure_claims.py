"""The verdicts on Figures 2, 5, 6 and 7, on small made-up labels and estimates."""

import json

import numpy as np
import pandas as pd
import pytest

from aulib import UNKNOWN
from companion.analysis.figure_claims import (
    PAIRS,
    figure_claims,
    moved_by_chance,
    moved_share,
    pair_sums,
    pair_table,
    pearson,
    person_counts,
)
from companion.base.paths import ROOT
from companion.bp4d import AU_NAMES

PUBLISHED = json.loads((ROOT / "data" / "bp4d_statistics.json").read_text())


def made_up(seed=0, people=8, frames=60):
    """Levels of which four AUs go together and AU17 does not; all six occur."""
    generator = np.random.default_rng(seed)
    common = generator.normal(size=(people * frames, 1))
    own = generator.normal(size=(people * frames, 5))
    latent = own + [1.5, 1.5, 1.5, 1.5, 0] * common
    labels = np.digitize(latent, [0.5, 1.3, 2, 2.7, 3.4]).astype(np.int8)
    labels[::50, 1] = UNKNOWN
    subjects = np.repeat([f"F{n:03d}" for n in range(people)], frames)
    return labels, subjects


def training_table(labels):
    table = pd.DataFrame(labels, columns=AU_NAMES, dtype=float)
    return table.where(labels != UNKNOWN).corr()


def judged(labels, estimates, subjects, standin=False, training=None):
    """Claim → (verdict, because)."""
    training = training_table(labels) if training is None else training
    rows = figure_claims(
        labels, estimates, subjects, training, PUBLISHED, "made-up data", standin
    )
    keys = ["where", "claim", "verdict", "because", "here"]
    assert all(list(row) == keys for row in rows)
    return {row["claim"]: (row["verdict"], row["because"]) for row in rows}


def about(verdicts, words):
    (found,) = [value for claim, value in verdicts.items() if words in claim]
    return found


def test_counts_are_of_known_frames_by_person():
    levels = np.array([[0, 5], [0, UNKNOWN], [3, 5]])
    counts = person_counts(levels, np.array(["b", "a", "b"]))
    assert counts.shape == (2, 2, 6)
    assert counts[0].tolist() == [[1, 0, 0, 0, 0, 0], [0] * 6]
    assert counts[1].tolist() == [[1, 0, 0, 1, 0, 0], [0, 0, 0, 0, 0, 2]]


def test_the_share_that_must_move():
    """By hand: of ten frames at 0, three must go to 2; two of them twice as many."""
    assert moved_share([10, 0, 0, 0, 0, 0], [14, 0, 6, 0, 0, 0]) == pytest.approx(0.3)
    assert moved_share([1, 1, 0, 0, 0, 0], [0, 0, 7, 0, 0, 0]) == 1
    assert np.isnan(moved_share([0] * 6, [1] * 6))


def test_chance_moves_nothing_where_all_people_are_alike():
    alike = np.tile([[5, 3, 1, 0, 0, 0]], (6, 1, 1))
    assert moved_by_chance(alike) == pytest.approx([0])
    apart = np.array([[[10, 0, 0, 0, 0, 0]], [[0, 10, 0, 0, 0, 0]]])
    assert moved_by_chance(apart) == pytest.approx([1])  # one draw all a, one all b
    assert np.isnan(moved_by_chance(np.zeros((3, 1, 6)))).all()


def test_correlations_are_those_of_pandas():
    labels, subjects = made_up()
    found = pearson(pair_sums(labels, subjects).sum(axis=0))
    expected = training_table(labels).to_numpy()
    np.testing.assert_allclose(found, [expected[pair] for pair in PAIRS], atol=1e-12)
    table = pair_table({"labels": training_table(labels)})
    np.testing.assert_allclose(found, table["labels"], atol=1e-12)
    assert list(table.index[[0, 1, 9]]) == ["AU06–AU10", "AU06–AU12", "AU14–AU17"]
    assert np.isnan(pearson(np.array([4, 8, 6, 16, 14, 12.0])))  # y is 2 four times


def test_a_perfect_model_is_similar_close_and_captures_the_tendency():
    labels, subjects = made_up()
    verdicts = judged(labels, np.where(labels == UNKNOWN, 0, labels), subjects)
    for words in ("distribuição similar", "a tendência", "labels: “", "estimates: “"):
        assert about(verdicts, words)[0] == "holds", words
    for words in ("labels: AU17", "estimates: AU17"):
        assert about(verdicts, words)[0] == "holds", words
        assert "4 of 4 intervals hold 0" in about(verdicts, words)[1]
    for words in ("no estimate of 5", "estimadas com intensidade 5"):
        assert about(verdicts, words)[0] == "does not hold", words
    # the same correlations are not larger; nothing is wrong, so nothing is close
    assert about(verdicts, "do conjunto de treino")[0] == "does not hold"
    assert about(verdicts, "próximas")[0] == "cannot be decided here"


def test_a_shift_is_not_similar_and_a_middling_answer_not_close():
    labels, subjects = made_up()
    known = np.where(labels == UNKNOWN, 0, labels)
    shifted = judged(labels, np.minimum(known + 1, 5), subjects)
    assert about(shifted, "distribuição similar")[0] == "does not hold"
    assert about(shifted, "próximas")[0] == "holds"
    guesses = np.random.default_rng(1).permutation(known)
    assert about(judged(labels, guesses, subjects), "próximas")[0] == "does not hold"


def test_the_missing_5s_and_the_errors_of_level_1():
    labels, subjects = made_up()
    estimates = np.where(labels == UNKNOWN, 0, labels)
    estimates[:, [1, 3, 4]] = np.minimum(estimates[:, [1, 3, 4]], 4)
    ones, zeros = (np.flatnonzero(labels[:, 2] == level) for level in (1, 0))
    estimates[ones[:9], 2], estimates[zeros[:2], 2] = 2, 5
    verdicts = judged(labels, estimates, subjects)
    assert about(verdicts, "no estimate of 5") == (
        "holds",
        "made-up data: none for AU10, AU14, AU17",
    )
    assert about(verdicts, "níveis 0 e 2")[0] == "holds"
    assert "9 of 9" in about(verdicts, "níveis 0 e 2")[1]
    holds, because = about(verdicts, "estimadas com intensidade 5")
    assert holds == "holds" and because.startswith("made-up data: 2 of ")
    estimates[ones[:5], 2] = 4
    assert about(judged(labels, estimates, subjects), "níveis 0 e 2") == (
        "does not hold",
        "made-up data: 4 of 9 errors of this run did; the rule asks for 95 %",
    )


def test_larger_means_larger_beyond_the_choice_of_people():
    labels, subjects = made_up()
    estimates = np.repeat(np.where(labels == UNKNOWN, 0, labels)[:, [0]], 5, axis=1)
    verdicts = judged(labels, estimates, subjects)
    assert about(verdicts, "do conjunto de treino")[0] == "holds"
    assert about(verdicts, "estimates: “")[0] == "does not hold"  # AU17 is with them
    assert about(verdicts, "estimates: AU17")[0] == "does not hold"
    assert "0 of 4 intervals" in about(verdicts, "estimates: AU17")[1]


def test_the_labels_are_judged_by_what_is_public_or_by_those_at_hand():
    labels, subjects = made_up()
    estimates = np.where(labels == UNKNOWN, 0, labels)
    public = judged(labels, estimates, subjects, standin=True)
    own = judged(labels, estimates, subjects)
    for words, verdict in [
        ("predominante", "holds"),
        ("rarer than the one below", "does not hold"),
        ("the rarest", "holds"),
        ("labels: “", "holds"),
        ("labels: AU17", "cannot be decided here"),
    ]:
        assert about(public, words)[0] == verdict
        assert "BP4D" in about(public, words)[1]
        assert about(own, words)[1].startswith("made-up data: ")
    assert (
        about(own, "rarer than the one below")[1]
        != (about(public, "rarer than the one below")[1])
    )


def test_a_stand_in_decides_nothing_about_estimates_and_says_what_it_found():
    labels, subjects = made_up()
    estimates = np.where(labels == UNKNOWN, 0, labels)
    here = judged(labels, estimates, subjects)
    there = judged(labels, estimates, subjects, standin=True)
    for claim, (verdict, because) in list(there.items())[5:]:
        assert verdict == "cannot be decided here"
        if here[claim][0] != verdict:
            assert because.startswith(f"on made-up data it {here[claim][0]}: ")


def test_nothing_is_printed(capsys):
    labels, subjects = made_up()
    judged(labels, np.where(labels == UNKNOWN, 0, labels), subjects)
    assert capsys.readouterr().out == ""


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("standin", [True, False])
def test_aus_that_are_unknown_or_constant_leave_a_claim_undecided(standin):
    labels, subjects = made_up(people=2, frames=6)
    labels[:, 2] = UNKNOWN
    estimates = np.zeros_like(labels)
    verdicts = judged(labels, estimates, subjects, standin)
    for words in ("AU12: the errors", "estimates: “", "tendência", "treino"):
        assert about(verdicts, words)[0] == "cannot be decided here", words
    nothing = np.full_like(labels, UNKNOWN)
    verdicts = judged(nothing, estimates, subjects, standin)
    decided = {claim for claim, (verdict, _) in verdicts.items() if "hold" in verdict}
    assert all(figure_2_or_labels(claim) for claim in decided)


def figure_2_or_labels(claim):
    words = ("predominante", "rarer than", "the rarest", "labels: ")
    return any(word in claim for word in words)
