"""Compare recorded numbers with those that the notebooks compute (`make verify`).

Notebooks 04 to 08 compute their tables, and the numbers in their figures, from the
recorded outputs of the trainings. This module compares what they have just written to
`runs/standin` with `data/recorded/standin/tables` and `figures`, and names what
differs.

    python -m companion.workflow.verify
"""

import csv
import sys
from itertools import zip_longest
from pathlib import Path

from companion.base.paths import ROOT, run_directory
from companion.workflow.record import TABLES

SHOWN = 5
"""Differences named for one file."""


def recorded_numbers(made: Path) -> dict[Path, Path]:
    """Recorded CSV → the file in a run that must be equal to it.

    Args:
        made: the run's directory.

    Returns:
        All recorded tables, and the numbers of those figures that the run has drawn.
    """
    tables = {
        path: next(
            (
                made / name / path.name
                for name in TABLES
                if (made / name / path.name).exists()
            ),
            made / TABLES[0] / path.name,
        )
        for path in sorted((ROOT / "data/recorded/standin/tables").glob("*.csv"))
    }
    figures = {
        path: made / "figures" / path.name
        for path in sorted((ROOT / "figures").glob("*.csv"))
    }
    return tables | {path: own for path, own in figures.items() if own.exists()}


def differences(recorded: Path, computed: Path) -> list[str]:
    """What differs between two CSV files, one line each: place, both values.

    Args:
        recorded, computed: the files; the second may be missing.
    """
    name = recorded.relative_to(ROOT) if recorded.is_relative_to(ROOT) else recorded
    if not computed.exists():
        return [f"{name}: not computed; `make verify` executes the notebooks first"]
    (head, *rows), (own_head, *own_rows) = (
        list(csv.reader(path.read_text().splitlines())) for path in (recorded, computed)
    )
    if head != own_head:
        columns, own = ", ".join(head), ", ".join(own_head)
        return [f"{name}: columns {columns} recorded, {own} computed"]
    found = []
    for number, pair in enumerate(zip_longest(rows, own_rows), start=2):
        if pair[0] is None or pair[1] is None:
            found.append(f"{name}: {len(rows)} rows recorded, {len(own_rows)} computed")
            break
        for column, was, now in zip(head, *pair):
            if was != now:
                found.append(
                    f"{name}, line {number}, {column}: {was} recorded, {now} computed"
                )
    return found


def main() -> None:
    pairs = recorded_numbers(run_directory("standin"))
    wrong = 0
    for recorded, computed in pairs.items():
        found = differences(recorded, computed)
        wrong += bool(found)
        print(*found[:SHOWN], sep="\n", end="\n" * bool(found))
        if len(found) > SHOWN:
            print(f"  and {len(found) - SHOWN} more in this file")
    if wrong:
        sys.exit(f"verify: {wrong} of {len(pairs)} recorded files differ")
    print(f"verify: the numbers of all {len(pairs)} recorded files come out again")


if __name__ == "__main__":
    main()
