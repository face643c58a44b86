"""Verdicts on the paper's claims, and the numbers that the paper prints."""

import numpy as np
import pandas as pd
import pytest

from companion.analysis.claims import (
    VERDICTS,
    Verdicts,
    claim_row,
    count_verdicts,
    row_of_ours,
)
from companion.base.paths import ROOT
from companion.bp4d import AU_NAMES


@pytest.mark.parametrize(
    "holds, expected",
    [
        (True, "holds"),
        (False, "does not hold"),
        (None, "cannot be decided here"),
        (np.True_, "holds"),
        (np.False_, "does not hold"),
    ],
)
def test_a_verdict_is_printed_and_kept(capsys, holds, expected):
    verdicts = Verdicts("made-up data", standin=True)
    verdicts.judge("Section V", "two exceeds one", holds, "2 > 1")
    assert verdicts.rows == [claim_row("Section V", "two exceeds one", holds, "2 > 1")]
    row = ["Section V", "two exceeds one", expected, "2 > 1", ""]
    assert list(verdicts.rows[0].values()) == row
    assert capsys.readouterr().out == f"two exceeds one\n  {expected}: 2 > 1\n"


def test_a_cell_that_runs_again_replaces_its_own_verdict():
    verdicts = Verdicts("made-up data", standin=False)
    for holds in (True, False):
        verdicts.judge("Section I", "a", holds, "")
        verdicts.judge("Section I", "b", True, "")
    assert [(row["claim"], row["verdict"]) for row in verdicts.rows] == [
        ("a", "does not hold"),
        ("b", "holds"),
    ]


@pytest.mark.parametrize("found", [True, False, None])
def test_a_stand_in_decides_nothing_and_says_what_it_found(found):
    here, there = (Verdicts("made-up data", standin) for standin in (False, True))
    for verdicts in (here, there):
        verdicts.judge_ours("Section V", "ours is best", found, "1 > 0")
    (row,), (of_standin,) = here.rows, there.rows
    assert row["verdict"] == VERDICTS[found] and row["here"] == ""
    assert row["because"] == "made-up data: 1 > 0"
    assert of_standin["verdict"] == VERDICTS[None]
    said = "is undecided" if found is None else VERDICTS[found]
    assert of_standin["here"] == said.removeprefix("is ")
    assert of_standin["because"] == f"on made-up data it {said}: 1 > 0"


def test_verdicts_are_counted():
    claims = [
        claim_row("Section I", "a", True, ""),
        claim_row("Section II", "b", False, ""),
        row_of_ours("Section III", "c", True, "", "made-up data", True),
        row_of_ours("Section III", "d", None, "", "made-up data", True),
        claim_row("Section IV", "e", None, ""),
    ]
    assert count_verdicts(claims, "made-up data") == (
        "**Of 5 claims of the paper, 1 holds, 1 does not hold, and 3 cannot be decided "
        "here.** Of the latter, 1 hold on made-up data, 0 do not, and 1 stay "
        "undecided; our runs have no bearing on the other 1. This says nothing about "
        "BP4D.\n\nThis does not hold:\n\n- Section II: b"
    )
    assert count_verdicts(claims[:1], "made-up data", "about the figures") == (
        "**Of 1 claims about the figures, 1 holds, 0 do not hold, and 0 cannot be "
        "decided here.**"
    )


def test_the_papers_table():
    path = ROOT / "data" / "paper_table_2.csv"
    assert path.read_text().startswith("# Table II of Batista, Bellon and Silva")
    table = pd.read_csv(path, comment="#", index_col="model")
    assert list(table) == [*AU_NAMES, "mean"] and len(table) == 4
    means = table[list(AU_NAMES)].mean(axis=1)
    # three rows round to the printed mean; the fourth has .506 and prints .510
    assert (means - table["mean"]).abs().round(4).tolist() == [0, 0.0002, 0, 0.004]
