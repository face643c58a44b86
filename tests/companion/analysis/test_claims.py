"""The list of the paper's claims, verdicts on them, and the paper's own numbers."""

import json
import re

import numpy as np
import pandas as pd
import pytest

from companion.analysis import claims
from companion.analysis.claims import EVIDENCE, VERDICTS, Verdicts, read_claims
from companion.base.paths import ROOT
from companion.bp4d import AU_NAMES
from companion.methods.structured import OrdinalPairs

NOTEBOOK = json.loads((ROOT / "notebooks" / "08_claims.ipynb").read_text())
RECORDED = ROOT / "data" / "recorded" / "standin" / "tables" / "claims.csv"
COLUMNS = ["claim", "section", "quotation", "english", "evidence", "heading"]
COLUMNS += ["artifact", "reason", "kindly", "verdict", "because", "here", "uncertainty"]

BY_PRINT, BY_RUNS = "means-of-table-2", "more-robust"
BY_ALGEBRA = "probability-in-0-1"


def verdicts(standin: bool = True) -> Verdicts:
    return Verdicts("made-up data", standin)


def row_of(kept: Verdicts, claim: str) -> dict:
    (row,) = [row for row in kept.rows if row["claim"] == claim]
    return row


def all_findings():
    return [(claim, None, "a", "b") for claim in read_claims().index]


# -- the list


def test_every_claim_is_listed_with_what_it_rests_on():
    table = read_claims()
    assert len(table) >= 57
    assert list(table) == COLUMNS[1:9]
    filled = table[["section", "quotation", "english", "evidence", "heading"]]
    assert (filled != "").all(axis=None)
    sections = {"Abstract", "I", "II", "III", "IV", "V", "VI", "Fig. 2", "Table II"}
    assert set(table["section"]) == sections


def test_the_headings_are_those_of_notebook_08():
    text = [line for cell in NOTEBOOK["cells"] for line in cell["source"]]
    headings = {line.lstrip("# ").strip() for line in text if line.startswith("#")}
    assert set(read_claims()["heading"]) <= headings


def test_the_table_links_to_anchors_of_notebook_08():
    """Jupyter's own anchors keep capitals and GitHub's don't, so cells have both."""
    text = json.dumps(NOTEBOOK, ensure_ascii=False).replace('\\"', '"')
    table = claims.claims_table(verdicts().keep(all_findings()), "")
    links = set(re.findall(r"\]\(#([^)]+)\)", table))
    judged = read_claims().query("reason == ''")
    assert len(links) == judged["heading"].nunique() + 1
    for link in links:
        assert f'<a id="{link}"></a>' in text, link
    assert claims.OPEN_CLAIMS in links


def test_every_claim_has_a_verdict_or_a_reason_and_its_artifact_exists():
    table = pd.read_csv(RECORDED, keep_default_na=False)
    assert list(table) == COLUMNS
    known = read_claims()
    assert list(table["claim"]) == list(known.index)
    same = table.set_index("claim")[list(known)]
    pd.testing.assert_frame_equal(same, known)
    assert set(table["verdict"]) == set(VERDICTS.values())
    assert (table["because"] != "").all()
    decided = (table["verdict"] != VERDICTS[None]) | (table["here"] != "")
    assert (table.loc[decided, "artifact"] != "").all()
    assert (table.loc[decided, "uncertainty"] != "").all()
    for artifact in set(table["artifact"]) - {""}:
        assert (ROOT / artifact).exists(), artifact
    assert not decided[table["reason"] != ""].any()


def test_a_stand_in_decides_no_claim_on_trained_networks():
    table = pd.read_csv(RECORDED, keep_default_na=False)
    ours = table[table["evidence"].isin(claims.OURS)]
    assert (ours["verdict"] == VERDICTS[None]).all() and (ours["here"] != "").all()
    assert (table.loc[~table["evidence"].isin(claims.OURS), "here"] == "").all()


def test_numbers_in_reasons():
    """Of structured learning's last layer, and the distance of two means."""
    reasons = read_claims()["reason"]
    extra = sum(p.numel() for p in OrdinalPairs(4096).parameters()) - 5 * 4097
    assert f"has {extra} parameters more" in reasons["structured-is-more-complex"]
    paper = pd.read_csv(ROOT / "data" / "paper_table_2.csv", comment="#").set_index(
        "model"
    )["mean"]
    behind = paper["structured learning [9]"] - paper["proposed"]
    gain = paper["proposed"] - paper["baseline VGG16"]
    similar = reasons["similar-to-state-of-the-art"]
    assert f"{behind:.3f}"[1:] in similar and f"{gain:.3f}"[1:] in similar
    left_out = 100 - 100 * 2300 / 4096
    assert f"leaves out {left_out:.1f} %" in reasons["half-left-out"]


@pytest.mark.parametrize(
    "change, message",
    [
        (lambda table: pd.concat([table, table.iloc[:1]]), "two claims are called"),
        (lambda table: table.assign(evidence="hearsay"), "unknown evidence 'hearsay'"),
    ],
)
def test_a_damaged_list_is_refused(tmp_path, monkeypatch, change, message):
    path = tmp_path / "claims.csv"
    change(read_claims()).to_csv(path, index_label="claim")
    monkeypatch.setattr(claims, "PATH", path)
    with pytest.raises(ValueError, match=message) as error:
        read_claims()
    assert str(path) in str(error.value) and "\n" not in str(error.value)


# -- verdicts


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
    kept = verdicts()
    kept.judge(BY_PRINT, holds, "2 > 1")
    row = row_of(kept, BY_PRINT)
    assert list(row) == COLUMNS
    assert (row["verdict"], row["because"], row["here"]) == (expected, "2 > 1", "")
    assert row["uncertainty"] == (
        "" if holds is None else "none: print is compared with print"
    )
    printed = capsys.readouterr().out.splitlines()
    assert printed[0].startswith("Table II · the four means")
    assert printed[1:] == [f"  {expected}", "  2 > 1"]


def test_a_formula_is_printed_as_text(capsys):
    kept = verdicts()
    kept.judge("probability-in-0-1", True, "0 < 1")
    assert capsys.readouterr().out.startswith("II · every P_i lies between 0 and 1\n")
    assert "$P_i$" in row_of(kept, "probability-in-0-1")["english"]


def test_an_uncertainty_is_printed(capsys):
    verdicts(standin=False).judge(BY_RUNS, True, "2 > 1", "±3")
    lines = capsys.readouterr().out.splitlines()
    assert lines[1:] == ["  holds", "  2 > 1", "  uncertainty: ±3"]


def test_runs_need_an_uncertainty_and_claims_a_name():
    with pytest.raises(ValueError, match="'more-robust' is judged by runs"):
        verdicts().judge(BY_RUNS, True, "2 > 1")
    with pytest.raises(KeyError, match="no claim is called 'more-robst'"):
        verdicts().judge("more-robst", True, "2 > 1")


def test_a_cell_that_runs_again_replaces_its_own_verdict():
    kept = verdicts()
    for holds in (True, False):
        kept.judge(BY_PRINT, holds, "")
        kept.judge(BY_ALGEBRA, True, "")
    assert row_of(kept, BY_PRINT)["verdict"] == "does not hold"
    order = [row["claim"] for row in kept.rows]
    assert order.index(BY_ALGEBRA) < order.index(BY_PRINT)  # as in the list


@pytest.mark.parametrize("found", [True, False, None])
def test_a_stand_in_decides_nothing_and_says_what_it_found(found, capsys):
    here, there = verdicts(standin=False), verdicts(standin=True)
    for kept in (here, there):
        kept.judge(BY_RUNS, found, "1 > 0", "±1")
    row, of_standin = row_of(here, BY_RUNS), row_of(there, BY_RUNS)
    assert row["verdict"] == VERDICTS[found] and row["here"] == ""
    assert of_standin["verdict"] == VERDICTS[None]
    said = "undecided" if found is None else VERDICTS[found]
    assert of_standin["here"] == said
    printed = capsys.readouterr().out
    assert f"cannot be decided here, made-up data: {said}\n" in printed


def test_claims_that_nothing_can_decide_begin_with_their_reason():
    kept = verdicts()
    reasons = read_claims()["reason"]
    assert len(kept.rows) == (reasons != "").sum() > 0
    for row in kept.rows:
        assert row["because"] == reasons[row["claim"]]
        assert row["verdict"] == VERDICTS[None]
    with pytest.raises(ValueError, match="no verdict on 'surpasses-baselines'"):
        kept.table()


def test_findings_are_kept_in_silence(capsys):
    kept = verdicts()
    rows = kept.keep([(BY_PRINT, True, "a", ""), (BY_RUNS, False, "b", "±1")])
    assert [row["because"] for row in rows] == ["a", "b"]
    assert rows == [row_of(kept, claim) for claim in (BY_PRINT, BY_RUNS)]
    assert capsys.readouterr().out == ""


def judged(standin: bool = True) -> list[dict]:
    kept = verdicts(standin)
    findings = [
        (BY_PRINT, True, "a", ""),
        (BY_ALGEBRA, False, "b", ""),
        (BY_RUNS, True, "c", "±1"),
        ("similar-distribution", None, "d", "±2"),
        ("components-2300", None, "e", ""),
    ]
    return kept.keep(findings)


def test_verdicts_are_counted():
    assert claims.count_verdicts(judged(), "made-up data") == (
        "**Of 5 claims of the paper, 1 holds, 1 does not hold, and 3 cannot be decided "
        "here.** Of the latter, 1 hold on made-up data, 0 do not, and 1 stay "
        "undecided; our runs have no bearing on the other 1. This says nothing about "
        "BP4D.\n\nThis does not hold:\n\n- II: every $P_i$ lies between 0 and 1."
    )
    assert claims.count_verdicts(judged()[:1], "made-up data", "about the figures") == (
        "**Of 1 claims about the figures, 1 holds, 0 do not hold, and 0 cannot be "
        "decided here.**"
    )


def test_a_kinder_reading_stands_beside_what_does_not_hold(capsys):
    kept = verdicts()
    kept.judge("inverse-to-frequency", False, "2, not 50")
    kindly = read_claims().at["inverse-to-frequency", "kindly"]
    assert f"  kindly read: {kindly}\n" in capsys.readouterr().out
    row = row_of(kept, "inverse-to-frequency")
    said = claims.count_verdicts([row], "made-up data")
    assert "This does not hold, taken at its word:" in said
    assert said.endswith(f"*Kindly read: {kindly}.*")
    assert "| does not hold, literally |" in claims.claims_table([row], "")
    kept.judge("inverse-to-frequency", True, "50")
    assert "kindly" not in capsys.readouterr().out
    row = row_of(kept, "inverse-to-frequency")
    assert "literally" not in claims.claims_table([row], "")


def test_evidence_is_counted():
    table = claims.count_evidence(judged())
    assert list(table.index) == list(EVIDENCE.values())
    assert list(table) == list(VERDICTS.values())
    assert table.loc["algebra"].tolist() == [0, 1, 0]
    assert table.loc[EVIDENCE["runs"]].tolist() == [0, 0, 2]
    assert table.to_numpy().sum() == 5


def test_the_table_links_claims_and_files():
    lines = claims.claims_table(judged(), "made-up data").splitlines()
    assert lines[0] == (
        "| section | claim | verdict | on made-up data | rests on | uncertainty |"
    )
    assert len(lines) == 7
    assert lines[2] == (
        "| Table II | [the four means are the means of their five AUs]"
        "(#table-ii-against-itself) | holds | – | [print](../data/paper_table_2.csv) | "
        "none: print is compared with print |"
    )
    assert "| holds | [runs](" in lines[4] and lines[4].endswith("| ±1 |")
    for line in claims.claims_table(judged(standin=False), "").splitlines():
        assert line.count(" | ") == 4 and "made-up" not in line


def test_lists_of_verdicts_and_reasons():
    lines = claims.list_verdicts(judged(), "made-up data").splitlines()
    assert lines[:2] == [
        "- **holds** · Table II · the four means are the means of their five AUs.  ",
        "  A. *Uncertainty: none: print is compared with print.*",
    ]
    assert "- **cannot be decided here** (on made-up data: undecided) · V" in lines[6]
    reasons = claims.list_reasons(judged()).splitlines()
    assert len(reasons) == 3 and reasons[2].endswith("95 % of the variance. *e*")


# -- the paper's tables


def test_the_papers_table():
    path = ROOT / "data" / "paper_table_2.csv"
    assert path.read_text().startswith("# Table II of Batista, Bellon and Silva")
    table = pd.read_csv(path, comment="#", index_col="model")
    assert list(table) == [*AU_NAMES, "mean"] and len(table) == 4
    means = table[list(AU_NAMES)].mean(axis=1)
    # three rows round to the printed mean; the fourth has .506 and prints .510
    assert (means - table["mean"]).abs().round(4).tolist() == [0, 0.0002, 0, 0.004]
