import numpy as np
import pandas as pd
import pytest
import torch
from people import Narrow

from aulib import UNKNOWN
from aulib.model import build_model
from companion.analysis.readings import (
    best_estimates,
    compare_readings,
    describe_picture,
    describe_spectrum,
    judge_readings,
    load_best,
    write_spectrum,
)
from companion.bp4d import AU_NAMES
from companion.training.outputs import OUTPUT_NAMES

GENERATOR = np.random.default_rng(0)
SEPARATE = GENERATOR.integers(0, 6, (4000, 5))
FOUR = SEPARATE[:, [0, 0, 2, 3, 4]]
SCALED = (SEPARATE[:, :1] + np.zeros((1, 5))).astype(int)


def test_separate_columns_have_their_number_as_rank_and_copies_have_one():
    table = compare_readings(SEPARATE, SCALED)
    expected = {"labels": (0, 5, 0.2), "estimates": (1, 1, 1)}
    for name, numbers in expected.items():
        assert table.loc[name, "AUs"] == 5
        found = table.loc[
            name, ["mean correlation", "effective rank", "first component"]
        ]
        np.testing.assert_allclose(found.astype(float), numbers, atol=0.05)


def test_a_constant_column_is_left_out_of_both():
    labels, estimates = SEPARATE.copy(), SCALED.copy()
    labels[:, 1] = 4
    estimates[:, 3] = 0
    table = compare_readings(labels, estimates)
    kept = [0, 2, 4]
    pd.testing.assert_frame_equal(
        table, compare_readings(SEPARATE[:, kept], SCALED[:, kept])
    )
    assert (table["AUs"] == 3).all()


@pytest.mark.parametrize("frames, varying", [(0, 0), (1, 0), (100, 1)])
def test_no_answer_from_fewer_than_two_aus(frames, varying):
    labels = np.zeros((frames, 5), dtype=int)
    labels[:, :varying] = SEPARATE[:frames, :varying]
    table = compare_readings(labels, labels)
    assert (table["AUs"] == varying).all() and table["effective rank"].isna().all()
    assert judge_readings(table).startswith("No answer: fewer than two AUs")


@pytest.mark.parametrize(
    "labels, estimates, answer, against, more",
    [
        (SEPARATE, SCALED, "One thing", "1.0, fewer than the 5.0", "more"),
        (SEPARATE, SEPARATE, "About 5.0 things", "5.0, as many as the 5.0", "no more"),
        (SEPARATE, FOUR, "About 3.8 things", "3.8, fewer than the 5.0", "more"),
        (FOUR, SEPARATE, "About 5.0 things", "5.0, more than the 3.8", "no more"),
    ],
)
def test_the_answer_in_words(labels, estimates, answer, against, more):
    said = judge_readings(compare_readings(labels, estimates))
    assert said.startswith(f"**{answer}, by") and f"are {more} correlated" in said
    assert f"of 5 AUs is {against} of the labels" in said
    assert "nan" not in said


def test_the_best_network_has_all_of_the_runs_weights(tmp_path):
    trained = build_model("proposed", width=1 / 64)
    torch.save(trained.state_dict(), tmp_path / "best.pt")
    best = load_best("proposed", 1 / 64, tmp_path)
    for name, weights in best.state_dict().items():
        assert torch.equal(weights, trained.state_dict()[name])
    assert not best.training and best.classifier[5].p == 0.6


def test_the_spectrum_is_written_whole(people, tmp_path):
    torch.manual_seed(0)
    network = Narrow("baseline", width=1 / 8).eval()
    variances = write_spectrum(network, people, tmp_path / "spectrum.csv", 4)
    table = pd.read_csv(tmp_path / "spectrum.csv")
    assert table["component"].tolist() == list(range(1, len(variances) + 1))
    np.testing.assert_allclose(table["variance"], variances, rtol=1e-5)
    said = describe_spectrum(np.array([97.0, 2, 1, 0]), 1234)
    assert "Of 4 principal components 1 hold" in said and "1,234 frames" in said
    assert "the first alone 97 %" in said and "effective rank is 1.2" in said
    assert "have fewer directions than 5 separate readings" in said
    assert "leave room for 5 separate readings" in describe_spectrum(np.ones(6), 9)
    assert "are the same" in describe_spectrum(np.zeros(4), 3)


def test_estimates_are_of_the_best_epoch_and_of_known_labels(tmp_path):
    generator = np.random.default_rng(0)
    table = pd.DataFrame({"epoch": np.repeat([1, 2, 3], 6)})
    table[list(AU_NAMES)] = generator.integers(0, 6, (18, 5))
    table[list(OUTPUT_NAMES)] = generator.normal(5, 3, (18, 5)).astype(np.float32)
    table.loc[8, "AU14"] = UNKNOWN
    table.to_parquet(tmp_path / "outputs.parquet")
    metrics = pd.DataFrame({"epoch": [1, 2, 3], "mean": [0.1, 0.3, 0.2]})
    metrics.to_csv(tmp_path / "metrics.csv", index=False)
    labels, estimates = best_estimates(tmp_path, 2.0)
    kept = table.loc[[6, 7, 9, 10, 11]]
    np.testing.assert_array_equal(labels, kept[list(AU_NAMES)])
    halves = kept[list(OUTPUT_NAMES)].to_numpy(np.float64) / 2
    np.testing.assert_array_equal(estimates, np.floor(halves + 0.5).clip(0, 5))


def test_a_picture_in_words():
    labels = np.array([[0, 1, 2, 3, 4], [5, 0, 0, 0, 0]], np.uint8)
    estimates = labels.astype(int) + [[0, 0, 1, -1, 0], [0, 0, 0, 2, 3]]
    said = describe_picture([3, 0, 4, 0, 0], [2, 1, 2, 1, 0], labels, estimates, 20)
    assert said.startswith(
        "1 of 5 levels is as drawn. The network reads AU06 1 level too low, AU10 1 "
        "level too high, AU12 2 levels too low, AU14 1 level too high."
    )
    assert said.endswith(
        "On the frames of 20 people, 60 % of the estimates are exactly the coder's "
        "level, 20 % one level off and 20 % further off."
    )
    same = describe_picture(np.arange(5), np.arange(5), labels[:0], estimates[:0], 2)
    assert same.startswith("All five levels are as drawn.")
    assert same.endswith("On the frames of 2 people, no frame has five known levels.")
