"""The numbers behind the recorded figures, against the recorded outputs.

The tests use none of the notebooks' helpers: levels come from NumPy alone, the epoch
from the closed form of ICC(3,1), counts from pandas, correlations from SciPy.
"""

from itertools import product

import numpy as np
import pandas as pd
import pytest
from scipy.stats import pearsonr

from aulib import UNKNOWN
from companion.analysis.figure_claims import correlation_table, read_pair_sums
from companion.base.paths import ROOT, run_directory
from companion.base.profiles import load_profile
from companion.bp4d import AU_NAMES

RECORDED = ROOT / "data" / "recorded" / "standin"
FIGURES = ROOT / "figures"
SCALE = load_profile("standin")["models"]["proposed"]["scale"]
OUTPUTS = [f"output_{name}" for name in AU_NAMES]


def with_levels(outputs: pd.DataFrame) -> pd.DataFrame:
    """Labels (y) and estimates (z), NaN where the label is unknown."""
    halves = outputs[OUTPUTS].to_numpy(np.float64) / SCALE
    estimates = np.clip(np.floor(halves + 0.5), 0, 5)
    truth = outputs[list(AU_NAMES)].to_numpy(np.float64, copy=True)
    truth[truth == UNKNOWN] = np.nan
    estimates[np.isnan(truth)] = np.nan
    labels = pd.DataFrame(truth, columns=pd.MultiIndex.from_product([["y"], AU_NAMES]))
    columns = pd.MultiIndex.from_product([["z"], AU_NAMES])
    return labels.join(pd.DataFrame(estimates, columns=columns))


def mean_icc(levels: pd.DataFrame) -> float:
    scores = []
    for name in AU_NAMES:
        y, z = levels["y", name].dropna(), levels["z", name].dropna()
        scores.append(2 * np.cov(y, z)[0, 1] / (y.var() + z.var()))
    return np.mean(scores)


@pytest.fixture(scope="module")
def epochs() -> tuple[pd.DataFrame, pd.DataFrame]:
    """The proposed model's best epoch of the best run, and that run's last epoch."""
    every = {}
    for path in sorted(RECORDED.glob("training/proposed_*/outputs.parquet")):
        for epoch, rows in pd.read_parquet(path).groupby("epoch"):
            every[path.parent.name, epoch] = with_levels(rows)
    best = max(every, key=lambda key: mean_icc(every[key]))
    last = max(epoch for run, epoch in every if run == best[0])
    return every[best], every[best[0], last]


def counts(levels: pd.DataFrame, what: str) -> dict:
    return {
        (name, level): (levels[what, name] == level).sum()
        for name, level in product(AU_NAMES, range(6))
    }


def read(name: str) -> pd.DataFrame:
    return pd.read_csv(FIGURES / f"{name}.csv")


def test_figure_2_counts_the_labels(epochs):
    table = read("figure_2").set_index(["au", "level"])["frames"]
    assert table.to_dict() == counts(epochs[0], "y")


@pytest.mark.parametrize("name, which", [("figure_5", 0), ("figure_5_last_epoch", 1)])
def test_figure_5_counts_the_estimates_over_the_labels(epochs, name, which):
    table = read(name).set_index(["au", "level"])
    assert table["frames"].to_dict() == counts(epochs[which], "z")
    assert table["labels"].to_dict() == counts(epochs[which], "y")


@pytest.mark.parametrize("name, which", [("figure_6", 0), ("figure_6_last_epoch", 1)])
def test_figure_6_is_the_cross_table_of_au12(epochs, name, which):
    table = read(name).pivot(index="label", columns="estimate", values="frames")
    levels = epochs[which]
    expected = pd.crosstab(levels["y", "AU12"], levels["z", "AU12"])
    expected = expected.reindex(index=range(6), columns=range(6), fill_value=0)
    np.testing.assert_array_equal(table, expected)


@pytest.mark.parametrize(
    "name, panel, what, which",
    [
        ("figure_7", "(a) labels, evaluation", "y", 0),
        ("figure_7", "(b) estimates", "z", 0),
        ("figure_7b_last_epoch", "(b) estimates", "z", 1),
    ],
)
def test_figure_7_is_of_pearsons_r(epochs, name, panel, what, which):
    table = read(name).query("panel == @panel").set_index("au")
    for one, other in product(AU_NAMES, AU_NAMES):
        pair = epochs[which][what][[one, other]].dropna().to_numpy()
        expected = pearsonr(pair[:, 0], pair[:, -1]).statistic
        assert table.loc[one, other] == pytest.approx(expected, abs=2e-6)


def test_figure_7s_training_labels_are_those_recorded(epochs):
    table = read("figure_7").query("panel == 'labels, training'").set_index("au")
    recorded = correlation_table(read_pair_sums(RECORDED / "training_pairs.csv"))
    pd.testing.assert_frame_equal(
        table[list(AU_NAMES)], recorded, check_names=False, atol=2e-6
    )


@pytest.mark.parametrize("kind", ["png", "svg", "pdf"])
def test_every_table_has_a_figure(kind):
    for table in FIGURES.glob("*.csv"):
        assert table.with_suffix(f".{kind}").stat().st_size > 2_000


def test_every_cell_of_a_table_is_a_number_or_a_word():
    for path in FIGURES.glob("*.csv"):
        cells = pd.read_csv(path, dtype=str).fillna("")
        assert not cells.map(lambda cell: cell.startswith("[")).any(axis=None), path


def test_titles_say_that_the_data_are_a_stand_in():
    for name in ("figure_2", "figure_5", "figure_6", "figure_7"):
        assert "stand-in data" in (FIGURES / f"{name}.svg").read_text()


@pytest.mark.made
def test_drawn_again_the_figures_have_the_recorded_numbers():
    """After nbval has executed the notebooks; these figures need no training."""
    again = run_directory("standin") / "figures"
    for path in sorted(FIGURES.glob("figure_*.csv")):
        pd.testing.assert_frame_equal(
            pd.read_csv(again / path.name), pd.read_csv(path), atol=2e-6
        )
