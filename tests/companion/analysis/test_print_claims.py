"""Claims that print, public counts or another publication decide."""

import copy
import json

import numpy as np
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


def test_frames_with_both_aus_follow_from_rates_and_correlation():
    generator = np.random.default_rng(0)
    first = generator.random(5000) < 0.4
    other = np.where(generator.random(5000) < 0.6, first, generator.random(5000) < 0.5)
    correlation = np.eye(5)
    correlation[0, 2] = np.corrcoef(first, other)[0, 1]
    rate = [first.mean(), 0, other.mean(), 0, 0]
    made_up = {"train_occurrence": {"rate": rate, "correlation": correlation}}
    _, holds, because, _ = print_claims.smile_finding(made_up)
    alone = 100 * (~first[other.astype(bool)]).mean()
    assert holds is True and f"{alone:.0f} % have no AU06" in because
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
    findings = print_claims.literature_findings(table)
    assert [claim for claim, *_ in findings] == list(table.index)
    for claim, _, because, uncertainty in findings:
        assert table.at[claim, "title"] in because and uncertainty
