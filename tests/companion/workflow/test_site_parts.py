"""The start page's parts say what the recorded files say."""

import csv
import json
import re
from collections import Counter
from html.parser import HTMLParser

import pytest

from companion.base.paths import ROOT
from companion.workflow import site_parts
from companion.workflow.site_words import in_english

CLAIMS = list(csv.DictReader((site_parts.TABLES / "claims.csv").open()))


class Text(HTMLParser):
    """What a reader sees of HTML, and the tags with their attributes."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.words: list[str] = []
        self.tags: list[tuple[str, dict]] = []
        self.feed(html)

    def handle_data(self, data: str) -> None:
        self.words += data.split()

    def handle_starttag(self, tag: str, attributes: list) -> None:
        self.tags.append((tag, dict(attributes)))

    def all(self, tag: str) -> list[dict]:
        return [attributes for name, attributes in self.tags if name == tag]


def made(part: str) -> Text:
    return Text(site_parts.PARTS[part](in_english, lambda path: f"to:{path}"))


def test_the_totals_are_those_of_the_list():
    counts = Counter(row["verdict"] for row in CLAIMS)
    said = " ".join(made("totals").words)
    assert said.startswith(f"Of {len(CLAIMS)} claims of the paper: ")
    assert [int(n) for n in re.findall(r"(\d+) (?:hold|do not hold|cannot)", said)] == [
        counts["holds"],
        counts["does not hold"],
        counts["cannot be decided here"],
    ]
    here = Counter(row["here"] for row in CLAIMS if row["verdict"].startswith("cannot"))
    ours = f"on stand-in data {here['holds']} of them hold, {here['does not hold']} do"
    ours += f" not, {here['undecided']} stay undecided; our runs have no bearing on "
    assert ours + str(here[""]) in said


def test_the_papers_block_is_its_table():
    lines = (ROOT / "data" / "paper_table_2.csv").read_text().splitlines()
    rows = list(csv.DictReader(line for line in lines if not line.startswith("#")))
    words = made("paper-table").words
    printed = [word for word in words if re.fullmatch(r"\.\d{3}", word)]
    columns = ["AU06", "AU10", "AU12", "AU14", "AU17", "mean"]
    assert printed == [row[name].removeprefix("0") for row in rows for name in columns]


def test_our_block_has_each_score_and_interval():
    table = list(csv.DictReader((site_parts.TABLES / "table_2_all.csv").open()))
    rows = [row for row in table if row["data"] != "the paper, BP4D"]
    intervals = list(csv.DictReader((site_parts.TABLES / "intervals.csv").open()))
    text = " ".join(made("standin-table").words)
    assert "stand-in data" in text
    for row in rows:
        for name in ("AU06", "AU10", "AU12", "AU14", "AU17", "mean", "95 %"):
            assert row[name].replace("0.", ".") in text
    for row in intervals:
        if row["what"] in ("baseline", "proposed") and row["AU"] != "mean":
            low, high = (f"{float(row[end]):.3f}" for end in ("low", "high"))
            assert f"{low} to {high}".replace("0.", ".") in text


def test_every_claim_is_there_with_its_heading_and_its_file():
    page = made("claims")
    rows = [row for row in page.all("tr") if "id" in row]
    assert [row["id"] for row in rows] == [f"claim-{row['claim']}" for row in CLAIMS]
    assert [row["data-section"] for row in rows] == [row["section"] for row in CLAIMS]
    links = [link["href"] for link in page.all("a")]
    cells = json.loads((ROOT / site_parts.CLAIMS_NOTEBOOK).read_text())["cells"]
    prose = "\n".join("".join(cell["source"]) for cell in cells)
    headings = re.findall(r"^#+ (.*)$", prose, re.MULTILINE)
    for row in CLAIMS:
        assert row["heading"] in headings
        anchor = site_parts.anchor(row["heading"])
        assert f"to:{site_parts.CLAIMS_NOTEBOOK}#{anchor}" in links
        if row["artifact"]:
            assert (ROOT / row["artifact"]).exists()
            assert f"to:{row['artifact']}" in links
    assert len(links) == len(CLAIMS) + sum(bool(row["artifact"]) for row in CLAIMS)


def test_the_filter_has_every_section_and_verdict():
    page = made("claims")
    options = [option["value"] for option in page.all("option")]
    sections = list(dict.fromkeys(row["section"] for row in CLAIMS))
    assert options == ["", *sections, "", "yes", "no", "open"]
    assert {row["data-verdict"] for row in page.all("tr") if "id" in row} == {
        *("yes", "no", "open")
    }


@pytest.mark.parametrize("number", [2, 5, 6, 7])
def test_a_figure_opens_large_and_comes_as_vector_and_numbers(number):
    page = made(f"figure-{number}")
    (image,) = page.all("img")
    assert len(image["alt"]) > 40 and not re.search(r"\.(png|svg)", image["alt"])
    addresses = [link["href"].removeprefix("to:") for link in page.all("a")]
    kinds = ("svg", "pdf", "svg", "png", "csv")
    assert addresses == [f"figures/figure_{number}.{kind}" for kind in kinds]
    assert all((ROOT / address).exists() for address in addresses)


def test_a_figure_that_is_not_there_is_named():
    with pytest.raises(ValueError, match="0 of Figure 3"):
        site_parts.figure(3, in_english, str)


def test_all_recorded_files_are_listed_once():
    links = [link["href"] for link in made("recorded-files").all("a")]
    top = ROOT / site_parts.RECORDED
    expected = [f"to:{path.relative_to(ROOT).as_posix()}" for path in top.rglob("*")]
    assert sorted(links) == sorted(expected)


def test_the_small_networks_table_is_the_recorded_one():
    path = ROOT / "site" / "explorables" / "compression.csv"
    (row,) = csv.DictReader(path.open())
    words = made("compression").words
    icc = [
        f"{float(row[f'{small}{half}_icc']):.4f}"[1:]
        for half in ("training", "evaluation")
        for small in ("", "small_")
    ]
    assert [word for word in words if re.fullmatch(r"\.\d{4}", word)] == icc
    assert f"{100 * float(row['same_levels']):.1f}" in words
    assert f"{int(row['numbers']):,}" in words and row["rank"] in words
    assert "stand-in" in words and f"{int(row['script_bytes']) / 1e6:.2f}" in words
