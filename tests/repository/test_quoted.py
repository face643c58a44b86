"""The numbers quoted below a solution are those that its code prints."""

import json

import pytest
from checkout import run
from quoted import not_found, numbers, printed, solutions_with_text, to_find
from solutions import with_solutions

from companion.base.paths import ROOT, run_directory
from companion.workflow.execute import execute

NOTEBOOKS = {p.stem: p for p in sorted((ROOT / "notebooks").glob("0*.ipynb"))}
QUOTING = [
    name
    for name, path in NOTEBOOKS.items()
    if any(map(to_find, solutions_with_text(json.loads(path.read_text()))))
]
"""The notebooks with a solution whose text quotes a number that its code must print."""

SOLUTION = """**Exercise 3.** Of 20 people, how many score above .5?

<details>
<summary>Solution</summary>

```python
people = range(7)
print(f"{{score:.3f}}")
```

{text}

</details>
"""


def wrong(text: str, shown: str) -> list[str]:
    """What is wrong with a text below a solution whose code shows this."""
    source = SOLUTION.format(text=text).splitlines(keepends=True)
    cell = {"cell_type": "markdown", "id": "a", "source": source}
    (solution,) = solutions_with_text({"cells": [cell]})
    assert solution.cell == "a-0"
    return not_found(solution, shown)


def test_a_wrong_number_is_found():
    shown = "0.824 of 6400, +0.0061, AU17 98.4%"
    right = "98 % of 6,400 estimates, an ICC of .82 or 0.8, a gain of .006 or 0.0061."
    assert wrong(right, shown) == []
    assert wrong(right.replace(".82", ".83"), shown) == [".83"]
    assert wrong("99 % of 6,401, 17, −0.0061, .8244.", shown) == [
        *("99", "6,401", "17", "−0.0061", ".8244")
    ]
    assert wrong("98 % of six thousand.", "") == ["98"]


def test_signs_and_halves():
    assert wrong("−0.02", "a -0.018 b") == [] == wrong("-1.5 and 1.25", "−1.5, +1.25")
    assert wrong("0.02", "-0.018") == ["0.02"]
    assert wrong("1.4 or 1.5", "1.45") == ["1.4", "1.5"]  # once 1.447
    assert numbers("1 − 2, 3-4, (−6), 1.5–2.5.").keys() == {
        *("1", "2", "3", "4", "−6", "1.5", "2.5")
    }


def test_names_and_what_is_given_need_not_be_printed():
    assert wrong("Eq. 4, Equations 1 and 2, notebook [08](08_x.ipynb), AU12.", "") == []
    assert (
        wrong("M011 and [9]: the ICC(3,1) of 20.0 people, of 7, above 0.5.", "") == []
    )
    assert wrong("Exercise 3 gives 3.", "") == ["3"]


def test_tables_and_markdown_are_printed_and_pictures_are_not():
    outputs = [
        {"output_type": "stream", "name": "stdout", "text": ["1\n", "2\n"]},
        {"output_type": "stream", "name": "stderr", "text": "8"},
        {"data": {"text/plain": ["   ICC\n", "a  3"], "text/html": ["<td>4</td>"]}},
        {"data": {"text/plain": "<Markdown object>", "text/markdown": "is **5**"}},
        {"data": {"text/plain": "<Figure with 6 Axes>", "image/png": "7"}},
    ]
    assert numbers(printed({"outputs": outputs})).keys() == {"1", "2", "3", "5"}


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """The stand-in, and the crops that notebook 01 makes of it."""
    answer = run(ROOT, "companion.standin", "standin")
    assert answer.returncode == 0, answer.stderr
    if not (run_directory("standin") / "crops" / "store.json").exists():
        path = NOTEBOOKS["01_data_cleaning"]
        execute(path, tmp_path_factory.mktemp("made") / path.name, {})


@pytest.mark.stress
@pytest.mark.xdist_group("quoted")  # all read what `data` makes
@pytest.mark.parametrize("name", QUOTING)
def test_what_solutions_quote_is_printed(name, data, tmp_path):
    notebook = with_solutions(json.loads(NOTEBOOKS[name].read_text()))
    source, target = tmp_path / f"{name}.ipynb", tmp_path / "done" / f"{name}.ipynb"
    source.write_text(json.dumps(notebook))
    execute(source, target, {})
    cells = {cell["id"]: cell for cell in json.loads(target.read_text())["cells"]}
    wrong = {
        solution.cell: missing
        for solution in solutions_with_text(notebook)
        if (missing := not_found(solution, printed(cells[solution.cell])))
    }
    assert wrong == {}, "numbers in the text below a solution that it does not print"
