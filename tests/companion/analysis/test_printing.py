"""Table II as text, on numbers made up here."""

import re

import numpy as np
import pandas as pd
import pytest
from origins import ORIGIN, said

from companion.analysis import printing
from companion.bp4d import AU_NAMES

AUS = list(AU_NAMES)
SCORES = pd.DataFrame(
    {
        **dict.fromkeys([*AUS, "mean"], [0.8404, -0.0001]),
        "low": [0.8, -0.01],
        "high": [0.9, 0.01],
        "seeds": [0.83, 0.0],
        "sd": [0.012, np.nan],
        "last": [0.82, 0.0],
        "runs": [2, 1],
    },
    ["net", "net, by expectation"],
)
FAILED = {
    ("net", 44): "never begun",
    ("hog", 42): "a line\nValueError: no",
    ("x_%", 1): "not recorded",
}


def printed() -> pd.DataFrame:
    return printing.printed_rows(SCORES, {"net": 3958445}, FAILED)


def test_rows_as_text():
    table = printed()
    row = table.loc["net"]
    assert row[AUS].tolist() == ["0.840"] * 5
    assert row["95 %"] == "0.800 to 0.900"
    assert row["best epoch, over seeds"] == "0.830 ± 0.012"
    assert row["parameters"] == "3,958,445" and row["runs"] == "2 of 3"
    assert row["log"] == "44: never begun"
    second = table.loc["net, by expectation"]
    assert second["mean"] == "0.000"  # not -0.000
    assert second["best epoch, over seeds"] == "0.000"


def test_a_model_without_a_run_has_a_row_that_says_why():
    table = printed()
    assert table.loc["hog", [*AUS, "mean"]].eq("failed").all()
    assert table.loc["hog", "log"] == "42: a line; ValueError: no"
    assert table.loc["x_%", "mean"] == "not recorded"
    assert table.loc["hog", "runs"] == "none" and table.loc["hog", "95 %"] == ""


def test_markdown_and_latex_hold_what_the_csv_holds(tmp_path):
    blocks = {"the paper": printed()[AUS].iloc[:1], "here": printed()}
    printing.write_table(tmp_path, "table", blocks, ORIGIN)
    assert said(tmp_path / "table.csv") == ORIGIN
    table = pd.read_csv(tmp_path / "table.csv", index_col=["data", "model"])
    assert len(table) == 1 + len(printed())
    lines = (tmp_path / "table.md").read_text().splitlines()
    assert len(lines) == 2 + len(table)
    assert {line.count("|") for line in lines} == {len(table.columns) + 3}
    latex = (tmp_path / "table.tex").read_text()
    assert latex.count(r"\midrule") == 2  # below the head, and between the blocks
    rows = [line for line in latex.splitlines() if line.endswith(r"\\")]
    assert len(rows) == 2 + len(table)
    assert not re.search(r"(?<!\\)[%_]", latex) and r"x\_\%" in latex


def test_aggregates_with_their_spread():
    score = pd.DataFrame({"AU06": [0.5, 0.4], "mean": [0.6, 0.5]}, ["best", "last"])
    aggregated = {"net": {"score": score, "spread": score / 10}}
    index = pd.MultiIndex.from_tuples([("net", "best")])
    paper = pd.DataFrame({"AU06": [0.7], "mean": [0.61]}, index)
    table = printing.aggregate_table(aggregated, paper, "stand-in data")
    assert table["source"].tolist() == ["this companion"] * 2 + ["the paper"]
    assert table["data"].tolist() == ["stand-in data"] * 2 + ["BP4D"]
    assert table["aggregate"].tolist() == ["best", "last", "best"]
    assert table["sd mean"].iloc[0] == 0.06 and np.isnan(table["sd mean"].iloc[2])


@pytest.mark.parametrize(
    "value, text",
    [(0.0421, "+0.042"), (-0.0421, "−0.042"), (-0.0001, "0.000"), (0.0, "0.000")],
)
def test_a_number_with_its_sign(value, text):
    assert printing.signed(value) == text


def test_a_number_with_more_decimals():
    assert (
        printing.signed(-0.00021, 4) == "−0.0002"
        and printing.signed(-0.00001, 4) == "0.0000"
    )


def test_how_probable_chance_alone_is():
    assert printing.any_by_chance(1) == "1 − .95¹ = 5 %"
    assert printing.any_by_chance(14) == "1 − .95¹⁴ = 51 %"
