"""The whole of Table II as notebook 04 has written it, ready to paste."""

import re

import pandas as pd
import pytest

from companion.base.grids import load_grid
from companion.base.paths import run_directory
from companion.bp4d import AU_NAMES

MADE = run_directory("standin") / "table_2"
pytestmark = pytest.mark.made  # by executing notebook 04


@pytest.fixture
def table() -> pd.DataFrame:
    return pd.read_csv(MADE / "table_2_all.csv", index_col=["data", "model"])


def test_the_papers_rows_and_ours_stand_in_blocks_of_their_own(table):
    blocks = table.index.get_level_values("data")
    assert list(dict.fromkeys(blocks)) == [
        "the paper, BP4D",
        "this companion, stand-in data",
    ]
    assert set(load_grid("table_2")["models"]) <= set(table.loc[blocks[-1]].index)
    printed = table.loc["the paper, BP4D"]
    assert printed["mean"].astype(float).tolist() == [0.61, 0.619, 0.63, 0.51]
    assert printed["95 %"].isna().all()


def test_each_trained_row_has_interval_size_and_time(table):
    ours = table.loc["this companion, stand-in data"]
    for row in ours.itertuples():
        low, high = map(float, ours.loc[row.Index, "95 %"].split(" to "))
        assert low < float(row.mean) < high
        mean = ours.loc[row.Index, list(AU_NAMES)].astype(float).mean()
        assert mean == pytest.approx(float(row.mean), abs=0.0011)
        assert int(row.parameters.replace(",", "")) > 8000
        assert "s/epoch" not in ours  # it changes from run to run
        assert row.runs == "3 of 3"


def test_markdown_and_latex_hold_what_the_csv_holds(table):
    lines = (MADE / "table_2_all.md").read_text().splitlines()
    assert len(lines) == 2 + len(table)
    assert {line.count("|") for line in lines} == {len(table.columns) + 3}
    latex = (MADE / "table_2_all.tex").read_text()
    assert all(latex.count(rule) == 1 for rule in (r"\toprule", r"\bottomrule"))
    assert latex.count(r"\midrule") == 2  # below the head, and between the blocks
    rows = [line for line in latex.splitlines() if line.endswith(r"\\")]
    assert len(rows) == 2 + len(table)
    assert {line.count("&") for line in rows} == {len(table.columns) + 1}
    assert not re.search(r"(?<!\\)[%_]", latex)
    for name in table.index.get_level_values("model"):
        assert name in latex and any(f"| {name} " in line for line in lines)
