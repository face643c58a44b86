import numpy as np
import pandas as pd
import pytest
import torch
from people import Narrow
from sklearn.linear_model import Ridge

from companion.analysis.starts import (
    IMAGENET,
    PENALTIES,
    channel_table,
    describe_starts,
    measure_start,
    measure_starts,
    sample_rows,
)
from companion.crops.squares import central_corners, cut_squares, normalise


def test_rows_are_evenly_spaced_and_repeat_where_there_are_fewer(people):
    rows = people.rows("evaluation")
    assert sample_rows(people, "evaluation", 3).tolist() == rows[[0, 8, 17]].tolist()
    many = sample_rows(people, "evaluation", 40)
    assert len(many) == 40 and set(many) == set(rows) and (np.diff(many) >= 0).all()


def test_channels_normalised_by_their_own_constants_have_mean_0_and_deviation_1():
    generator = np.random.default_rng(0)
    squares = generator.integers(0, 200, (5, 8, 8, 3)).astype(np.uint8)
    squares[..., 2] += 50
    own = (*squares.mean((0, 1, 2)),), (*squares.std((0, 1, 2)),)
    table = channel_table(squares, {"own": own, "other": IMAGENET})
    assert table.columns.tolist() == ["red", "green", "blue"]
    assert (table.loc["own: mean"] == 0).all()
    assert (table.loc["own: deviation"] == 1).all()
    expected = (squares[..., 2].mean() / 255 - 0.406) / 0.225
    assert table.loc["other: mean", "blue"] == pytest.approx(expected, abs=0.006)
    assert "-0.0" not in table.to_string().split()


def test_a_start_is_measured_on_the_last_maps(people):
    torch.manual_seed(0)
    network = Narrow("baseline", width=1 / 8).eval()
    training, others = people.rows("train"), people.rows("evaluation")
    differs, icc = measure_start(network, people, training, others)
    squares = cut_squares(people, training, central_corners(people, training))
    with torch.inference_mode():
        images = normalise(squares, people.mean, people.std)
        maps = network.features(images).flatten(1).double().numpy()
    expected = ((maps - maps.mean(0)) ** 2).sum() / (maps**2).sum()
    assert differs == pytest.approx(expected, rel=1e-3)
    assert -1 <= icc <= 1
    table = measure_starts({"a": network, "b": network}, people, training, others)
    assert table.to_numpy().tolist() == 2 * [[differs, icc]]


@pytest.mark.parametrize(
    "rows, expected",
    [
        ([(0.3, 0.5), (0.5, 0.2), (0.4, 0.6)], "raises lowers higher"),
        ([(0.3, 0.1), (0.2, 0.2), (0.4, 0.2)], "lowers raises no higher"),
    ],
)
def test_starts_in_words(rows, expected):
    said = describe_starts(pd.DataFrame(rows, columns=["differs", "mean ICC"]))
    first, second, third = expected.split(maxsplit=2)
    assert f"alone {first} the share that differs from 0.30 to" in said
    assert f"{second} the ICC from {rows[0][1]:.2f} to 0.20" in said
    assert f"the ICC is {third}, {rows[2][1]:.2f}." in said


def test_maps_that_do_not_differ_read_nothing(people):
    network = Narrow("baseline", width=1 / 8).eval()
    with torch.no_grad():
        network.features[0].weight.zero_()
    rows = people.rows("train"), people.rows("evaluation")
    differs, icc = measure_start(network, people, *rows)
    assert differs == pytest.approx(0, abs=1e-6) and icc == pytest.approx(0, abs=1e-6)


def test_the_penalties_reach_from_hardly_any_to_one_that_flattens():
    x = np.random.default_rng(0).normal(size=(50, 3)) / np.sqrt(3)
    y = x[:, 0]
    sizes = [Ridge(alpha=a).fit(x, y).coef_[0] for a in (PENALTIES[0], PENALTIES[-1])]
    assert sizes[0] > 0.99 and sizes[1] < 0.7
