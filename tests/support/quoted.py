"""The numbers that the text below a solution quotes, and whether its code prints them.

A quoted number is found if a printed one, rounded to as many decimals, equals it, with
its sign. Two kinds are not looked for: numbers in names ("Eq. 4", "notebook 03",
"AU12"), and numbers that the exercise or the solution's code gives.
"""

import re
from decimal import Decimal
from typing import NamedTuple

from solutions import DETAILS, PYTHON

EXERCISE = re.compile(r"\*\*Exercise \d\.\*\*")
NAME = re.compile(
    r"\b(?:Eq\.|Equations?|[Ee]xercises?|[Nn]otebooks?)\s\[?\d+(?: and \d+)?"
    r"|ICC\(3,1\)|\[\d+\]"
)
NUMBER = re.compile(
    r"(?:(?<![\w)])[-−+])?"  # a sign, not a hyphen or an operator
    r"(?<![\w.])(?:\d{1,3}(?:,\d{3})+(?:\.\d+)?|\d*\.\d+|\d+)(?:[eE][-+]?\d+)?"
    r"(?!\w|\.\d|,\d{3})"  # not a part of a name or of a longer number
)


class Solution(NamedTuple):
    cell: str
    """The id of the code cell that `with_solutions` makes of it."""
    given: str
    """The exercise and the solution's code."""
    text: str
    """The text below the code."""


def solutions_with_text(notebook: dict) -> list[Solution]:
    """The solutions of a notebook, in the order of `with_solutions`."""
    found = []
    for cell in notebook["cells"]:
        source = "".join(cell["source"])
        hidden = DETAILS.finditer(source) if cell["cell_type"] == "markdown" else ()
        parts, before = [], 0
        for details in hidden:
            exercise = EXERCISE.split(source[before : details.start()])[-1]
            _, *pieces = PYTHON.split(details[1])  # code, text, code, text …
            for code, text in zip(pieces[::2], pieces[1::2]):
                parts.append((exercise + code, text))
            before = details.end()
        found += [Solution(f"{cell['id']}-{n}", *part) for n, part in enumerate(parts)]
    return found


def printed(cell: dict) -> str:
    """What an executed cell shows as text; the text in place of a picture is not."""
    shown = []
    for output in cell["outputs"]:
        data = output.get("data", {})
        if output.get("name") != "stderr":
            shown.append(output.get("text", ""))
        if not any(kind.startswith("image/") for kind in data):
            shown += [data.get(kind, "") for kind in ("text/plain", "text/markdown")]
    return "\n".join(map("".join, shown))


def numbers(text: str) -> dict[str, Decimal]:
    """The numbers in a text, as they are written, and their values."""
    return {
        found: Decimal(found.replace(",", "").replace("−", "-"))
        for found in NUMBER.findall(text)
    }


def to_find(solution: Solution) -> dict[str, Decimal]:
    """The numbers that a solution's text quotes and that its code has to print."""
    given, quoted = (numbers(NAME.sub("", text)) for text in solution[1:])
    return {
        found: value for found, value in quoted.items() if value not in given.values()
    }


def not_found(solution: Solution, printed: str) -> list[str]:
    """The quoted numbers that the code did not print."""
    values = numbers(printed).values()
    return [
        found
        for found, quoted in to_find(solution).items()
        if not any(_rounds_to(value, quoted) for value in values)
    ]


def _rounds_to(value: Decimal, quoted: Decimal) -> bool:
    """Whether a value rounds to a quoted one.

    A half does not: 1.45 may have been 1.447, and no one sees where it rounds to.
    """
    last_digit = Decimal(1).scaleb(quoted.as_tuple().exponent)
    return abs(value - quoted) < last_digit / 2
