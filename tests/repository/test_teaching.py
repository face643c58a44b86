"""The notebooks teach, and the pages hold together.

Predictions, exercises with solutions, alternative texts, translations, links; and
sentences that once contradicted each other do not come back. nbval executes the
solutions (`make test`).
"""

import json
import re
from pathlib import Path
from urllib.parse import unquote

import pytest
from solutions import solutions, with_solutions

from companion.base.paths import ROOT

NOTEBOOKS = sorted((ROOT / "notebooks").glob("0*.ipynb"))
TITLES = {
    "00_stand_in": "The stand-in",
    "01_data_cleaning": "Data cleaning",
    "02_pca_dropout": "PCA and dropout",
    "03_training": "Training",
    "04_table_2": "Table II",
    "05_figures": "Figures",
    "06_ablation": "Ablation",
    "07_icc": "ICC(3,1)",
    "08_claims": "Claims",
}
PAGES = [
    *ROOT.glob("*.md"),
    *(ROOT / "docs").glob("*.md"),
    ROOT / "data" / "README.md",
]
PORTUGUESE = re.compile(r"[ãçõáéíóúâêôà]")
QUOTATION = re.compile(r"[“\"]([^“”\"`\n]+)[”\"](.{0,3})", re.DOTALL)
LINK = re.compile(r"\]\(([^)\s]+)\)")

CONTRADICTIONS = {  # a sentence that was wrong, and why
    "up to five": "four things change at once: a start has its learning rate",
    r"ablation[^.]{0,40}\ban hour\b": "it takes two to three hours",
    "fewer even than five": "five outputs are not below five",
    "never lower": "Pearson's r is lower where ICC is negative",
    "less than the last column": "a column is named, since tables grow",
    r"cover about 90 %": "91 %, as the simulation says",
    r"np\.float64": "a raw repr",
    r"the table shows whether": "true of any numbers",
    r"the correlations tell\b": "true of any numbers",
    r"recalled": "what can't be verified is not quoted",
}


def cells_of(path: Path, kind: str) -> list[dict]:
    cells = json.loads(path.read_text())["cells"]
    return [cell for cell in cells if cell["cell_type"] == kind]


def prose_of(path: Path) -> str:
    """A page's text, or a notebook's markdown cells."""
    if path.suffix == ".md":
        return path.read_text()
    return "\n\n".join("".join(c["source"]) for c in cells_of(path, "markdown"))


def each_notebook(function):
    return pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)(
        function
    )


@each_notebook
def test_a_notebook_is_short_and_says_how_long_it_takes(path):
    cells = json.loads(path.read_text())["cells"]
    assert 30 <= len(cells) <= 45
    first = "".join(cells[0]["source"])
    assert first.startswith(f"# {path.stem[:2]} · ")
    for word in ("**You will see**", "**Needs**"):
        assert word in first
    (minutes,) = re.findall(r"\*\*Takes\*\* (?:about )?(\d+) minutes", first)
    prose = prose_of(path).split("## Exercises")[0]
    prose = re.sub(r"<details>.*?</details>|\]\(.*?\)", "", prose, flags=re.DOTALL)
    words = len(prose.split())
    assert words / 75 <= int(minutes) <= words / 30  # as readers took, with pictures


@each_notebook
def test_a_notebook_links_to_its_neighbours_at_both_ends(path):
    names, at = list(TITLES), list(TITLES).index(path.stem)
    parts = []
    if at:
        name = names[at - 1]
        parts.append(f"[← {name[:2]} {TITLES[name]}]({name}.ipynb)")
    parts += ["[Contents](../README.md)", "[Glossary](../docs/glossary.md)"]
    if at + 1 < len(names):
        name = names[at + 1]
        parts.append(f"[{name[:2]} {TITLES[name]} →]({name}.ipynb)")
    line = " · ".join(parts)
    assert prose_of(path).count(line) == 2
    assert line in "".join(cells_of(path, "markdown")[0]["source"])


@each_notebook
def test_a_reader_predicts_and_practises(path):
    prose = prose_of(path)
    assert len(re.findall(r"^\*\*Predict\.\*\*", prose, re.MULTILINE)) >= 2
    exercises = re.findall(r"^\*\*Exercise (\d)\.\*\*", prose, re.MULTILINE)
    assert 2 <= len(exercises) <= 3 and exercises == sorted(set(exercises))
    solved = [code for cell in cells_of(path, "markdown") for code in solutions(cell)]
    assert len(solved) == len(exercises)
    assert all("assert " in code for code in solved)
    assert prose.index("## What we found") < prose.index("## Exercises")
    assert prose.index("## Exercises") < prose.index("## Provenance")


def test_solutions_become_cells_behind_their_exercises():
    text = (
        "<details>\n<summary>Solution</summary>\n\n```python\nx = 1\n```\n\n</details>"
    )
    exercise = {"cell_type": "markdown", "id": "a", "source": [text]}
    other = {"cell_type": "code", "id": "b", "source": ["y = 2"]}
    notebook = with_solutions({"cells": [other, exercise, other], "nbformat": 4})
    assert [cell["id"] for cell in notebook["cells"]] == ["b", "a", "a-0", "b"]
    assert notebook["cells"][2]["source"] == "x = 1\n"
    assert notebook["cells"][2]["metadata"]["tags"] == ["nbval-ignore-output"]


@each_notebook
def test_every_picture_has_an_alternative_text(path):
    for cell in cells_of(path, "code"):
        kinds = [kind for o in cell["outputs"] for kind in o.get("data", {})]
        pictures = [kind for kind in kinds if kind.startswith("image/")]
        alt = cell["metadata"].get("mystnb", {}).get("image", {}).get("alt", "")
        assert len(pictures) <= 1, "one picture a cell"
        if pictures:
            assert len(alt) > 40 and alt.endswith("."), "".join(cell["source"])[:80]
            assert not re.search(r"\.(png|jpg|svg)\b", alt)


@pytest.mark.parametrize("path", [*NOTEBOOKS, *PAGES], ids=lambda path: path.name)
def test_portuguese_is_translated(path):
    """A quotation of more than one word has its translation right behind it."""
    for quotation, behind in QUOTATION.findall(prose_of(path)):
        if PORTUGUESE.search(quotation) and " " in quotation:
            assert behind.startswith((" (", "\n(")), quotation


def anchors(path: Path) -> set[str]:
    """The anchors that GitHub gives a page's headings."""
    headings = re.findall(r"^#+ (.+)$", prose_of(path), re.MULTILINE)
    plain = [re.sub(r"[^\w\- ]", "", heading.lower()) for heading in headings]
    return {heading.strip().replace(" ", "-") for heading in plain}


@pytest.mark.parametrize("path", [*NOTEBOOKS, *PAGES], ids=lambda path: path.name)
def test_links_lead_somewhere(path):
    links = LINK.findall(prose_of(path))
    for link in links:
        if link.startswith(("http://", "https://")):
            continue
        name, _, anchor = unquote(link).partition("#")
        target = (path.parent / name).resolve() if name else path
        assert target.exists(), link
        if anchor:
            assert anchor in anchors(target), link


def test_the_glossary_is_used():
    used = {
        link.split("#")[1]
        for path in [*NOTEBOOKS, *PAGES]
        for link in LINK.findall(prose_of(path))
        if "glossary.md#" in link
    }
    assert len(used) > 30


def all_text() -> dict[str, str]:
    texts = {path.name: prose_of(path) for path in [*NOTEBOOKS, *PAGES]}
    for path in NOTEBOOKS:  # and what their cells say
        outputs = [o for cell in cells_of(path, "code") for o in cell["outputs"]]
        texts[f"outputs of {path.name}"] = "\n".join(
            "".join(o.get("text", "")) + "".join(o.get("data", {}).get(kind, ""))
            for o in outputs
            for kind in ("text/plain", "text/markdown")
        )
    for path in (ROOT / "figures").glob("*.csv"):
        texts[path.name] = path.read_text()
    return texts


@pytest.mark.parametrize("wrong", CONTRADICTIONS)
def test_old_contradictions_are_gone(wrong):
    for name, text in all_text().items():
        text = " ".join(text.split())
        found = re.search(f".{{0,40}}{wrong}.{{0,40}}", text)
        assert not found, f"{name}: {found[0]}: {CONTRADICTIONS[wrong]}"


@each_notebook
def test_outputs_hold_no_raw_objects(path):
    for cell in cells_of(path, "code"):
        for output in cell["outputs"]:
            text = "".join(output.get("text", ""))
            text += "".join(output.get("data", {}).get("text/html", ""))
            assert not re.search(r"tensor\(|array\(|np\.|dtype=|<[\w.]+ object", text)
            assert "-0.0 " not in text and "-0.000" not in text


def test_the_readme_fits_three_screens():
    assert len((ROOT / "README.md").read_text().splitlines()) <= 160
