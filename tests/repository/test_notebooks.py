"""The committed notebooks: their form, and nbval's eye for a changed number.

That nbval passes on all of them is a step of its own in `make test`.
"""

import json
import os
import re
import statistics
import subprocess
import sys

import pytest

from companion.base.paths import ROOT
from companion.workflow.execute import execute, normalise

NOTEBOOKS = sorted((ROOT / "notebooks").glob("0*.ipynb"))
NUMBER = re.compile(r"\d+")


def code_cells(notebook: dict) -> list[dict]:
    return [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]


def text_of(output: dict) -> str:
    return "".join(output.get("text", output.get("data", {}).get("text/plain", "")))


def test_the_notebooks_are_these():
    assert [path.stem for path in NOTEBOOKS] == [
        "00_stand_in",
        "01_data_cleaning",
        "02_pca_dropout",
        "03_training",
        "04_table_2",
        "05_figures",
        "06_ablation",
        "07_icc",
        "08_claims",
    ]


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_form(path):
    text = path.read_text()
    notebook = json.loads(text)
    cells = code_cells(notebook)
    photographs = path.stem == "00_stand_in"
    assert path.stat().st_size < (1_000_000 if photographs else 300_000)
    assert normalise(json.loads(text)) == notebook, "execute it with `make record`"
    assert str(ROOT) not in text and os.path.expanduser("~") not in text
    lengths = [len(cell["source"]) for cell in cells]
    assert max(lengths) <= 16 and statistics.median(lengths) <= 6
    assert notebook["cells"][0]["cell_type"] == "markdown"
    tagged = [c for c in cells if "parameters" in c["metadata"].get("tags", [])]
    assert len(tagged) == 1 and len(tagged[0]["source"]) <= 12
    assert "stable_provenance" in "".join(cells[-1]["source"])
    for number, cell in enumerate(cells, 1):
        assert cell["execution_count"] == number, "executed from top to bottom"
        for output in cell["outputs"]:
            assert output["output_type"] != "error"
            assert output.get("name") != "stderr"


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_the_style_is_set_before_anything_is_drawn(path):
    sources = [
        "".join(cell["source"]) for cell in code_cells(json.loads(path.read_text()))
    ]
    drawn = [number for number, text in enumerate(sources) if "plt." in text]
    styled = [number for number, text in enumerate(sources) if "figure_style()" in text]
    assert not drawn or (len(styled) == 1 and styled[0] < drawn[0])


def truncated(notebook: dict, stop: int) -> dict:
    """The notebook up to its code cell number `stop`, which gets a wrong number."""
    kept, seen = [], -1
    for cell in notebook["cells"]:
        seen += cell["cell_type"] == "code"
        kept.append(cell)
        if seen == stop:
            break
    for output in kept[-1]["outputs"]:
        for holder in (output, output.get("data", {})):
            for key in ("text", "text/plain"):
                if key in holder:
                    line = "".join(holder[key])
                    holder[key] = NUMBER.sub(lambda m: str(int(m[0]) + 1), line, 1)
    return {**notebook, "cells": kept}


def first_number(notebook: dict) -> int:
    """The first code cell whose stored, compared output holds a number."""
    for position, cell in enumerate(code_cells(notebook)):
        compared = "nbval-ignore-output" not in cell["metadata"].get("tags", [])
        if compared and any(NUMBER.search(text_of(o)) for o in cell["outputs"]):
            return position
    raise AssertionError("no number is ever compared")


@pytest.mark.made  # reads what executing the notebooks has made
@pytest.mark.parametrize("path", NOTEBOOKS[4:8:3], ids=lambda path: path.stem)
def test_nbval_sees_one_changed_number(path, tmp_path):
    compare_with_a_changed_number(path, tmp_path)


@pytest.mark.stress
@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_nbval_sees_one_changed_number_in_each_notebook(path, tmp_path):
    compare_with_a_changed_number(path, tmp_path)


def compare_with_a_changed_number(path, tmp_path):
    notebook = json.loads(path.read_text())
    position = first_number(notebook)
    copy = tmp_path / path.name
    copy.write_text(json.dumps(truncated(notebook, position)))
    command = [sys.executable, "-m", "pytest", "--nbval", "-p", "no:cacheprovider"]
    answer = subprocess.run(
        [*command, "-q", "-rf", "--rootdir", tmp_path, copy],
        capture_output=True,
        text=True,
        env={**os.environ, "TQDM_DISABLE": "1"},
    )
    failed = re.findall(r"^FAILED .*::Cell (\d+)", answer.stdout, re.MULTILINE)
    assert failed == [str(position)], answer.stdout[-2000:]


@pytest.mark.stress
def test_the_sliders_of_notebook_00_are_drawn(tmp_path):
    target = tmp_path / "sliders.ipynb"
    execute(NOTEBOOKS[0], target, {"interactive": True})
    cells = code_cells(json.loads(target.read_text()))
    (drawn,) = [c for c in cells if "interact(" in "".join(c["source"])]
    kinds = {kind for output in drawn["outputs"] for kind in output.get("data", {})}
    assert "application/vnd.jupyter.widget-view+json" in kinds
