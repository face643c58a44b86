"""The notebooks with the solutions of their exercises, so that nbval executes them.

    python tests/support/solutions.py TARGET NOTEBOOK …

writes each notebook to the folder TARGET. A solution is Python in a `<details>` block
of a markdown cell. It becomes a code cell right after that cell, whose output is not
compared.
"""

import json
import re
import sys
from pathlib import Path

DETAILS = re.compile(r"<details>(.*?)</details>", re.DOTALL)
PYTHON = re.compile(r"^```python\n(.*?)^```", re.DOTALL | re.MULTILINE)


def solutions(cell: dict) -> list[str]:
    """The solutions that a cell hides, as Python."""
    if cell["cell_type"] != "markdown":
        return []
    hidden = DETAILS.findall("".join(cell["source"]))
    return [code for block in hidden for code in PYTHON.findall(block)]


def with_solutions(notebook: dict) -> dict:
    """The notebook, each solution a code cell behind its exercise."""
    cells = []
    for cell in notebook["cells"]:
        cells.append(cell)
        for number, code in enumerate(solutions(cell)):
            cells.append(
                {
                    "cell_type": "code",
                    "execution_count": None,
                    "id": f"{cell['id']}-{number}",
                    "metadata": {"tags": ["nbval-ignore-output"]},
                    "outputs": [],
                    "source": code,
                }
            )
    return {**notebook, "cells": cells}


def main() -> None:
    target, *notebooks = map(Path, sys.argv[1:])
    target.mkdir(parents=True, exist_ok=True)
    for path in notebooks:
        notebook = with_solutions(json.loads(path.read_text()))
        (target / path.name).write_text(json.dumps(notebook, indent=1))


if __name__ == "__main__":
    main()
