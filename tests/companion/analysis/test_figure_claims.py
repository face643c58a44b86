"""The verdicts on Figures 2, 5, 6 and 7, on small made-up labels and estimates."""

import json

import numpy as np
import pandas as pd
import pytest
from origins import ORIGIN, said

from aulib import UNKNOWN
from companion.analysis.claims import read_claims
from companion.analysis.figure_claims import (
    PAIRS,
    correlation_table,
    figure_claims,
    moved_by_chance,
    moved_share,
    pair_sums,
    pair_table,
    pearson,
    person_counts,
    read_pair_sums,
    write_pair_sums,
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


FIGURE_2 = ("level-0-predominant", "higher-is-rarer", "highest-is-rarest")
LABELS = (*FIGURE_2, "labels-four-together", "labels-au17-alone")


def judged(labels, estimates, subjects, standin=False, training=None):
    """Claim → (holds, because, uncertainty).

    Estimates are one run's, or those of each seed.
    """
    training = pair_sums(labels, subjects) if training is None else training
    runs = estimates if isinstance(estimates, dict) else {7: estimates}
    findings = figure_claims(
        labels, runs, subjects, training, PUBLISHED, "made-up data", standin
    )
    found = {claim: tuple(others) for claim, *others in findings}
    assert len(found) == len(findings) and set(found) <= set(read_claims().index)
    return found


def read_off(labels):
    """Estimates that are the labels, and 0 where they are unknown."""
    return np.where(labels == UNKNOWN, 0, labels)


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


def test_pair_sums_are_written_and_read(tmp_path):
    labels, subjects = made_up()
    write_pair_sums(tmp_path / "pairs.csv", labels, subjects, ORIGIN)
    assert said(tmp_path / "pairs.csv") == ORIGIN
    sums = read_pair_sums(tmp_path / "pairs.csv")
    np.testing.assert_array_equal(sums, pair_sums(labels, subjects))
    text = (tmp_path / "pairs.csv").read_text()
    assert text.startswith("person,pair,n,y,z,yy,zz,yz\n0,AU06-AU10,")
    assert not any(name in text for name in set(subjects))
    expected = training_table(labels)
    pd.testing.assert_frame_equal(
        correlation_table(sums), expected, check_names=False, check_index_type=False
    )


def test_a_perfect_model_is_similar_close_and_captures_the_tendency():
    labels, subjects = made_up()
    found = judged(labels, read_off(labels), subjects)
    for claim in ("similar-distribution", "captures-tendency"):
        assert found[claim][0] is True, claim
    for what in ("labels", "estimates"):
        assert found[f"{what}-four-together"][0] is True
        holds, because, uncertainty = found[f"{what}-au17-alone"]
        assert holds is None and "within ±0.1" in because  # eight people are too few
        assert uncertainty.startswith("95 % over people: all four within ")
    for claim in ("no-level-5", "au12-0-as-5"):
        assert found[claim][0] is False, claim
    # the same correlations are not larger; nothing is wrong, so nothing is close
    assert found["larger-correlation"][0] is None
    assert found["au12-close"][0] is None


def test_a_shift_is_not_similar_and_a_middling_answer_not_close():
    labels, subjects = made_up()
    known = read_off(labels)
    shifted = judged(labels, np.minimum(known + 1, 5), subjects)
    assert shifted["similar-distribution"][0] is False
    assert shifted["au12-close"][0] is True
    guesses = np.random.default_rng(1).permutation(known)
    assert judged(labels, guesses, subjects)["au12-close"][0] is None
    far = np.where(known >= 3, known - 3, known + 3)
    assert judged(labels, far, subjects)["au12-close"][0] is False


def test_the_missing_5s_and_the_errors_of_level_1():
    labels, subjects = made_up()
    estimates = read_off(labels)
    estimates[:, [1, 3, 4]] = np.minimum(estimates[:, [1, 3, 4]], 4)
    ones, zeros = (np.flatnonzero(labels[:, 2] == level) for level in (1, 0))
    estimates[ones[:9], 2], estimates[zeros[:2], 2] = 2, 5
    found = judged(labels, estimates, subjects)
    holds, because, _ = found["no-level-5"]
    assert holds is True and because.startswith("none for AU10, AU14, AU17; ")
    assert because.endswith("AU17 0 frames")
    assert found["au12-level-1"][0] is True
    assert found["au12-level-1"][1].startswith("9 of 9 errors did, 100.0 %")
    holds, because, _ = found["au12-0-as-5"]
    assert len(set(subjects[zeros[:2]])) == 1
    assert holds is True and because.startswith("2 frames of 1 person, out of ")
    estimates[ones[:5], 2] = 4
    assert judged(labels, estimates, subjects)["au12-level-1"][:2] == (
        False,
        "4 of 9 errors did, 44.4 %; the rule asks for 95 %",
    )


def test_larger_means_larger_beyond_the_choice_of_people():
    labels, subjects = made_up()
    same = np.repeat(read_off(labels)[:, [0]], 5, axis=1)
    found = judged(labels, same, subjects)
    assert found["larger-correlation"][0] is True
    assert found["estimates-four-together"][0] is False  # AU17 is with them
    assert found["estimates-au17-alone"][0] is False
    strong = pair_sums(same, subjects)
    weaker = judged(labels, read_off(labels), subjects, training=strong)
    assert weaker["larger-correlation"][0] is False
    few = pair_sums(labels[:120], subjects[:120])  # of two people
    vague = judged(labels, read_off(labels), subjects, training=few)
    assert vague["larger-correlation"][0] is None


def test_no_correlation_means_an_interval_within_the_margin():
    labels, subjects = made_up(people=60, frames=120)
    apart = read_off(labels)
    apart[:, 4] = np.random.default_rng(3).permutation(apart[:, 4])
    assert judged(labels, apart, subjects)["estimates-au17-alone"][0] is True


def test_runs_that_disagree_leave_a_claim_undecided():
    labels, subjects = made_up()
    good, shifted = read_off(labels), np.minimum(read_off(labels) + 1, 5)
    runs = {42: good, 43: good, 44: shifted}
    holds, because, uncertainty = judged(labels, runs, subjects)["similar-distribution"]
    assert holds is None
    assert because == judged(labels, good, subjects)["similar-distribution"][1]
    assert uncertainty.endswith(
        "; holds with seeds 42 and 43, does not hold with seed 44"
    )
    agreed = judged(labels, {1: good, 2: good}, subjects)["similar-distribution"]
    assert agreed[0] is True and agreed[2].endswith("; the same in all 2 runs")
    never = judged(labels, {1: shifted, 2: shifted}, subjects)["similar-distribution"]
    assert never[0] is False and never[2].endswith("; the same in all 2 runs")


def test_the_labels_are_judged_by_what_is_public_or_by_those_at_hand():
    labels, subjects = made_up()
    public = judged(labels, read_off(labels), subjects, standin=True)
    own = judged(labels, read_off(labels), subjects)
    expected = dict(zip(LABELS, (True, False, True, True, None)))
    for claim, holds in expected.items():
        assert public[claim][0] is holds
        assert "BP4D" in public[claim][1]
        assert own[claim][1].startswith("made-up data: ")
    assert own["higher-is-rarer"][1] != public["higher-is-rarer"][1]


def test_nothing_is_printed(capsys):
    labels, subjects = made_up()
    judged(labels, read_off(labels), subjects)
    assert capsys.readouterr().out == ""


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("standin", [True, False])
def test_aus_that_are_unknown_or_constant_leave_a_claim_undecided(standin):
    labels, subjects = made_up(people=2, frames=6)
    labels[:, 2] = UNKNOWN
    estimates = np.zeros_like(labels)
    found = judged(labels, estimates, subjects, standin)
    claims = "au12-level-1", "estimates-four-together", "captures-tendency"
    for claim in (*claims, "larger-correlation"):
        assert found[claim][0] is None, claim
    nothing = np.full_like(labels, UNKNOWN)
    found = judged(nothing, estimates, subjects, standin)
    assert {claim for claim, (holds, *_) in found.items() if holds is not None} <= {
        *LABELS
    }
