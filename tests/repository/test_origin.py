"""Every figure and table that the notebooks write says where it is from."""

import json
import re

import pytest
from origins import said

from companion.base.paths import ROOT, run_directory
from companion.base.provenance import file_origin
from companion.workflow.record import FIGURE_SUFFIXES, TABLES

NOTEBOOKS = sorted((ROOT / "notebooks").glob("0*.ipynb"))
KEYS = list(file_origin("tiny", "data", [], []))
WITHOUT = re.compile(
    r"\.to_csv\((?!\))|\.savefig\(|\.to_(?:json|excel|latex|markdown)\([^)]"
)
"""Writes a figure or a table past `save_figure`, `save_table` and `save_jpeg`."""


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_notebooks_write_no_figure_or_table_without_an_origin(path):
    cells = json.loads(path.read_text())["cells"]
    sources = ["".join(c["source"]) for c in cells if c["cell_type"] == "code"]
    lines = [line for text in sources for line in text.splitlines()]
    wrong = [line for line in lines if WITHOUT.search(line) and "digest" not in line]
    assert wrong == []


def test_such_a_line_would_be_seen():
    for line in ('t.to_csv(made / "a.csv")', 'fig.savefig("a.png")'):
        assert WITHOUT.search(line)
    assert not WITHOUT.search('save_table(t, made / "a.csv", origin)')


def is_an_origin(origin: dict) -> bool:
    """Whether all of it is there, and a commit where a training is behind it."""
    trained = origin["source"] != "data"
    return (
        list(origin) == KEYS
        and bool(origin["data"])
        and trained == bool(origin["commits"]) == bool(origin["models"])
    )


@pytest.mark.made
@pytest.mark.parametrize(
    "folder",
    [ROOT / "figures", run_directory("standin") / "figures"],
    ids=["recorded", "made"],
)
def test_every_figure_says_its_origin(folder):
    files = [p for p in sorted(folder.iterdir()) if p.suffix in FIGURE_SUFFIXES]
    origins = {p: said(p) for p in files if not p.name.endswith(".origin.json")}
    assert len(origins) >= 60
    assert [p.name for p, origin in origins.items() if not is_an_origin(origin)] == []
    for path, origin in origins.items():
        beside = path.with_suffix(".csv")
        assert origin == (said(beside) if beside.exists() else origin), path.name
    assert {origin["profile"] for origin in origins.values()} == {"standin"}


@pytest.mark.made
def test_every_table_says_its_origin():
    made = run_directory("standin")
    files = [p for name in TABLES for p in sorted((made / name).glob("*.csv"))]
    files += (ROOT / "data" / "recorded" / "standin" / "tables").glob("*.csv")
    assert len(files) >= 2 * 16
    assert [path for path in files if not is_an_origin(said(path))] == []
