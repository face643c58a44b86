"""What our runs say about the paper's claims on its networks."""

import json

import numpy as np
import pandas as pd
import pytest

from companion.analysis import evidence
from companion.analysis.bootstrap import subject_sums
from companion.analysis.effects import run_table
from companion.base.grids import grid_models, load_grid
from companion.base.paths import ROOT
from companion.base.profiles import load_profile
from companion.bp4d import AU_NAMES

ENDS = ["best low", "best high"]
BEST = pd.DataFrame({"baseline": [0.61], "proposed": [0.619]}, ["the paper"])
FIVE = pd.DataFrame({"baseline": [0.588], "proposed": [0.603]}, ["the paper"])


@pytest.mark.parametrize(
    "gain, verdict",
    [(0.009, "Both are"), (0.5, "One of them is"), (0.9, "Neither is")],
)
def test_chance_in_words(gain, verdict):
    gap = pd.Series([-0.1, 0.2], ENDS)
    bests = {"a": np.array([0.0, 0.6]), "b": np.array([0.0, 0.8])}  # sd √.18, √.32
    said = evidence.describe_chance(gap, bests, gain)
    assert "about ±0.150 over people" in said and "standard deviation of 0.707." in said
    assert said.endswith(f"{verdict} larger than the paper's gain of {gain:.3f}.")
    alone = evidence.describe_chance(gap, {"a": np.array([0.5])}, gain)
    assert alone.startswith("A single run")


@pytest.mark.parametrize(
    "baseline, proposed, expected",
    [
        ([0.1, 0.5, 0.9], [0.50, 0.51, 0.52], True),  # F = 1600
        ([0.50, 0.51, 0.52], [0.1, 0.5, 0.9], False),
        ([0.1, 0.2, 0.3], [0.1, 0.15, 0.2], None),  # F = 4, below 39
        ([0.1, 0.2, 0.3], [0.1, 0.1, 0.1], None),
        ([0.1], [0.2], None),
    ],
)
def test_robustness_is_a_ratio_of_variances(baseline, proposed, expected):
    runs = np.array(baseline), np.array(proposed)
    holds, because, uncertainty = evidence.steadier_over_seeds(*runs, BEST, FIVE)
    assert holds is expected
    assert "the paper, baseline: 0.610 − 0.588 = 0.022" in because
    assert "the paper, proposed: 0.619 − 0.603 = 0.016" in because
    if expected is not None:
        assert "up to 39 times the smaller in 95 %" in uncertainty


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


ONCE, TWICE = evidence.PARTNERS


@pytest.mark.parametrize(
    "once, twice, classes, expected",
    [
        (0.5, 0.6, 2.0, True),
        (2.0, 2.5, 0.5, False),
        (2.0, 0.5, 1.0, None),  # the partners disagree
        (1.0, 1.0, 1.0, None),
    ],
)
def test_regression_against_classes(once, twice, classes, expected):
    sums = made_up({ONCE: once, TWICE: twice, evidence.CLASSES: classes})
    table = evidence.regression_table(sums, count=200)
    last = run_table(sums).groupby("model")["last"].mean()
    gaps = [last[partner] - last[evidence.CLASSES] for partner in (ONCE, TWICE)]
    assert table.index.tolist() == [f"{p}, less classifier" for p in (ONCE, TWICE)]
    assert table["size"].tolist() == pytest.approx(gaps)
    holds, because, uncertainty = evidence.better_by_regression(sums, table)
    assert holds is expected
    for lower in table["lower"]:
        assert f"{lower:+.3f}".replace("-", "−") in uncertainty
    assert f"{ONCE} {last[ONCE]:.3f}; {TWICE} {last[TWICE]:.3f}" in because


@pytest.mark.parametrize(
    "ends, expected",
    [
        ([0.1, 0.2, 0.1, 0.3], True),
        ([-0.3, -0.1, -0.4, -0.1], False),
        ([0.1, 0.2, -0.1, 0.3], None),  # other seeds
        ([0.1, 0.2, np.nan, np.nan], None),  # a single run
    ],
)
def test_a_difference_is_clear_of_people_and_seeds(ends, expected):
    row = pd.Series(ends, ["low", "high", "lower", "upper"])
    holds, said = evidence.clear_of_chance(row)
    assert holds is expected
    assert said.startswith("95 % over people ")
    assert ("over people and seeds" in said) != bool(np.isnan(ends[2]))


@pytest.mark.parametrize(
    "baseline, proposed, expected",
    [(2.0, 0.5, True), (0.5, 2.0, False), (1.0, 1.0, None)],
)
def test_a_gain_over_the_baseline(baseline, proposed, expected):
    sums = made_up({"baseline": baseline, "proposed": proposed})
    holds, because, uncertainty = evidence.gain_beyond_chance(sums)
    means = run_table(sums).groupby("model")["last"].mean()
    assert holds is expected
    assert f"{means['proposed']:.3f} less {means['baseline']:.3f}" in because
    assert "over people and seeds" in uncertainty
    single = {run: own for run, own in sums.items() if run[1] == 1}
    assert evidence.gain_beyond_chance(single)[0] is None


def scored(bests: list[float], fives: list[float], model: str) -> dict:
    """Sums of runs with the given mean ICC at the best epoch and over the five best.

    Five epochs: one of the best score, four equal ones; ICC 2c/(vy + vz) from sums.
    """
    sums = {}
    for seed, (best, five) in enumerate(zip(bests, fives)):
        other = (5 * five - best) / 4
        runs = np.array([best, other, other, other, other])
        own = np.zeros((5, 1, 5, 6))
        own[..., 0], own[..., 3], own[..., 4] = 2, 2, 2  # n, Σyy, Σzz; Σy = Σz = 0
        own[..., 5] = 2 * runs[:, None, None]
        sums[model, seed] = own
    return sums


@pytest.mark.parametrize("factor, expected", [(0.2, True), (5.0, False), (1.0, None)])
def test_five_best_against_best(factor, expected):
    """Ratios of standard deviations around a factor; each side of 1 for the last."""
    generator = np.random.default_rng(0)
    sums = {}
    for number in range(12):
        bests = 0.5 + generator.normal(0, 0.02, 3)
        own = factor * (1.3 if number % 2 else 0.7)
        fives = 0.3 + own * (bests - bests.mean())
        sums |= scored(list(bests), list(fives), f"m{number}")
    holds, because, uncertainty = evidence.five_best_are_steadier(sums)
    assert holds is expected
    assert "the median of 12 models" in because and "95 % over models" in uncertainty


def test_one_model_does_not_decide_on_five_best():
    generator = np.random.default_rng(0)
    sums = {}
    for number in range(9):
        bests = 0.5 + generator.normal(0, 0.02, 3)
        factor = 0.01 if number == 0 else 0.9 if number % 2 else 1.1
        fives = 0.3 + factor * (bests - bests.mean())
        sums |= scored(list(bests), list(fives), f"m{number}")
    assert evidence.five_best_are_steadier(sums)[0] is None
    few = {run: own for run, own in sums.items() if run[0] in ("m1", "m2")}
    assert evidence.five_best_are_steadier(few)[0] is None


def test_the_ablations_runs_or_those_at_hand():
    others = {("m", 1): np.zeros((1, 1, 5, 6))}
    assert evidence.seeded_sums("tiny", "recorded", others) is others
    assert len(evidence.seeded_sums("standin", "recorded", others)) > 40


def test_by_how_much_people_move_an_au():
    sums = made_up({"a": 0.5, "b": 1.0})
    margins = evidence.au_margins(sums["a", 1][-1], sums["b", 1][-1])
    assert list(margins) == list(AU_NAMES)
    assert all(0 < half < 0.2 for half in margins.values())
    same = evidence.au_margins(sums["a", 1][-1], sums["a", 1][-1])
    assert set(same.values()) == {0}
    said = evidence.by_people_alone(margins, ["AU10", "AU17"], "made-up data")
    assert said.startswith("on made-up data the choice of people alone")
    assert said.endswith(f"by ±{margins['AU10']:.3f}, AU17 by ±{margins['AU17']:.3f}")


def test_two_answers_of_one_training_count_once():
    sums = made_up({ONCE: 1.0, TWICE: 1.0, evidence.CLASSES: 1.2})
    both = sums | {
        (evidence.EXPECTATION, seed): own
        for (name, seed), own in sums.items()
        if name == evidence.CLASSES
    }
    rows = [evidence.regression_table(each, count=50).iloc[0] for each in (sums, both)]
    assert rows[0]["seeds ±"] == rows[1]["seeds ±"]


def test_without_runs_nothing_is_said():
    table = evidence.regression_table({})
    assert table.empty and "size" in table
    holds, *said = evidence.better_by_regression({}, table)
    assert holds is None and all(said)


def test_the_recorded_pair():
    sums = evidence.regression_runs("standin", "recorded")
    assert {name for name, _ in sums} == {
        *evidence.PARTNERS,
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


def test_the_verdicts_rest_on_the_networks_the_ablation_and_the_classifier():
    networks = [(m, seed) for m in ("baseline", "proposed") for seed in (42, 43, 44)]
    origin = evidence.claims_origin("standin", "recorded", networks)
    planned = set(grid_models(load_grid("ablation"), load_profile("standin")))
    assert set(origin["models"]) == planned | {"classifier"}
    folder = ROOT / "data" / "recorded" / "standin" / "training"
    made = [json.loads(path.read_text()) for path in folder.glob("*/provenance.json")]
    assert {own["volatile"]["commit"] for own in made} <= set(origin["commits"])
    assert origin["source"] == "recorded" and origin["seeds"] == [42, 43, 44]


def test_without_an_ablation_the_verdicts_rest_on_the_networks(monkeypatch):
    def not_recorded(*names):
        raise FileNotFoundError

    monkeypatch.setattr(evidence, "sums_origin", not_recorded)
    monkeypatch.setattr(evidence, "read_grid", lambda *names: ({}, {}))
    origin = evidence.claims_origin("standin", "recorded", [("baseline", 42)])
    assert origin["models"] == ["baseline"] and origin["seeds"] == [42]
