"""The README says the numbers that the notebooks have recorded."""

import re

import pandas as pd

from companion.analysis.claims import VERDICTS
from companion.base.paths import ROOT
from companion.bp4d import AU_NAMES

README = (ROOT / "README.md").read_text()
TABLES = ROOT / "data" / "recorded" / "standin" / "tables"
PAPER = ("baseline VGG16", "proposed", "structured learning", "VGG16 in [9]")


def block(heading: str) -> list[list[str]]:
    """The rows of the README's table whose first column is headed so."""
    lines = README.split(f"| {heading} |")[1].split("\n\n")[0].splitlines()[2:]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]


def without_zero(text: str) -> str:
    return re.sub(r"\b0\.", ".", text)


def test_the_papers_rows():
    table = pd.read_csv(ROOT / "data" / "paper_table_2.csv", comment="#")
    rows = block("the paper, on BP4D (its Table II)")
    assert len(rows) == len(table) == 4
    for row, name, printed in zip(rows, PAPER, table.itertuples(index=False)):
        assert row[0].startswith(name)
        assert row[1:] == [without_zero(f"{value:.3f}") for value in printed[1:]]


def test_our_rows():
    table = pd.read_csv(TABLES / "table_2_all.csv", dtype=str)
    table = table[table["data"] != "the paper, BP4D"].set_index("model")
    columns = [*AU_NAMES, "mean", "95 %", "best epoch, over seeds"]
    rows = block("this repository, on stand-in data")
    assert [row[0] for row in rows] == list(table.index)
    for row in rows:
        expected = [without_zero(value) for value in table.loc[row[0], columns]]
        assert row[1:] == expected, row[0]


def test_the_ceiling():
    ceiling = pd.read_csv(TABLES / "ceiling.csv")["mean"].item()
    assert without_zero(f"would score {ceiling:.3f}") in README


def test_effects_are_those_of_the_ablation():
    """Each number of the section is one that notebook 06 wrote."""
    names = "effects", "interactions", "within", "three_way", "differences"
    tables = [pd.read_csv(TABLES / f"{name}.csv") for name in names]
    columns = ["size", "size with", "size without", "lower", "upper"]
    columns += ["other AUs", "other AUs lower", "other AUs upper"]
    values = [table[name] for table in tables for name in columns if name in table]
    known = {without_zero(f"{value:+.3f}") for value in pd.concat(values)}
    section = README.split("**What each change does**")[1].split("\n## ")[0]
    said = re.findall(r"[+−]\.\d{3}", section)
    assert len(said) >= 4
    assert {number.replace("−", "-") for number in said} <= known
    scores = [pd.read_csv(TABLES / "models.csv")["last epoch"]]
    scores += [tables[2][name] for name in ("score without", "score with")]
    known = {without_zero(f"{value:.3f}") for value in pd.concat(scores)}
    assert set(re.findall(r"(?<![+−\d])\.\d{3}", section)) <= known


def test_the_verdicts_are_counted():
    """The totals are those of the index that notebook 08 wrote."""
    claims = pd.read_csv(TABLES / "claims.csv")
    counts = claims["verdict"].value_counts()
    yes, no, open_ = (counts[verdict] for verdict in VERDICTS.values())
    only = (claims["verdict"] == VERDICTS[False]) & claims["kindly"].notna()
    said = f"judges {counts.sum()} claims: {yes} hold, {no} do not ({only.sum()} only "
    said += f"literally), {open_} cannot be "
    assert said + "decided here." in " ".join(README.split())
