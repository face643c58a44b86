"""Claims that print, public counts or another publication decide."""

import copy
import json

import pandas as pd

from companion.analysis import print_claims
from companion.analysis.claims import read_claims
from companion.base.paths import ROOT

PAPER = ROOT / "data" / "paper"
TABLE_1 = pd.read_csv(PAPER / "table_1.csv", comment="#")
PUBLISHED = json.loads((ROOT / "data" / "bp4d_statistics.json").read_text())


def test_table_1():
    whole, additive = print_claims.table_1_findings(TABLE_1)
    assert whole[:2] == ("thirty-two-aus", False)
    assert whole[2] == "26 entries, 25 different AUs: AU28 twice, AU16 and AU26 never"
    assert additive[:2] == ("additive-aus", False)
    moved = TABLE_1.replace({"au": {25: 99}})
    moved.loc[len(moved)] = ["upper", 25]
    assert print_claims.table_1_findings(moved)[1][1] is True
    codes = pd.DataFrame({"region": "lower", "au": range(1, 33)})
    assert print_claims.table_1_findings(codes)[0][1] is True


def test_frames_with_au12_alone_are_at_least_the_difference_of_rates():
    made_up = {"train_occurrence": {"by_task": {"T1": [0.3, 0, 0.5, 0, 0]}}}
    _, holds, because, _ = print_claims.smile_finding(made_up)
    assert holds is True and "at least 40 % of those" in because
    made_up["train_occurrence"]["by_task"]["T1"][0] = 0.6
    assert print_claims.smile_finding(made_up)[1] is False
    assert print_claims.smile_finding(PUBLISHED)[1] is True


def test_people_and_codes():
    findings = print_claims.people_findings(PUBLISHED)
    assert [holds for _, holds, *_ in findings] == [True, True, False]
    assert "68,454 frames" in findings[-1][2]
    changed = copy.deepcopy(PUBLISHED)
    del changed["frames_per_subject"]["value"]["F001"]
    changed["evaluation_unknown"]["counts"]["AU06"] = 0
    changed["evaluation_unknown"]["counts"]["AU10"] = 40000
    found = [holds for _, holds, *_ in print_claims.people_findings(changed)]
    assert found == [False, False, True]


def test_literature():
    table = pd.read_csv(PAPER / "literature.csv", index_col="claim")
    assert set(table.index) <= set(read_claims().index)
    claim, holds, because, uncertainty = print_claims.literature_finding(table)
    assert claim in table.index and holds is True
    assert table.at[claim, "title"] in because and uncertainty
