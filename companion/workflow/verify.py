"""Compare what is recorded with what the notebooks compute (`make verify`).

Notebooks 04 to 08 compute their tables, and the numbers in their figures, from the
recorded outputs of the trainings. This module compares what they have just written to
`runs/standin` with what is recorded, and names what differs: each cell of a table, and
each fact in the file beside it that says its origin. Versions of packages may differ
where all numbers agree; that is said and is no fault. A recorded file that nothing
computes again, such as the outputs themselves, must have the checksum that
`data/recorded.sha256` recorded.

    python -m companion.workflow.verify
"""

import csv
import json
import sys
from itertools import zip_longest
from pathlib import Path

from companion.base.paths import ROOT, run_directory
from companion.base.tables import origin_path
from companion.workflow.record import CHECKSUMS, TABLES, checksums

SHOWN = 5
"""Differences named for one file."""

ELSEWHERE = {"training_pairs.csv": "clean", "components_by_frames.csv": "pca"}
"""Recorded tables of notebooks 01 and 02, and the folder of a run that has them."""


def recorded_numbers(made: Path) -> dict[Path, Path]:
    """Recorded CSV → the file in a run that must be equal to it.

    Args:
        made: the run's directory.

    Returns:
        All recorded tables of notebooks 04 to 08, and those others and the numbers of
        those figures that the run has made.
    """
    recorded = ROOT / "data" / "recorded" / "standin"
    tables = {
        path: next(
            (
                made / name / path.name
                for name in TABLES
                if (made / name / path.name).exists()
            ),
            made / TABLES[0] / path.name,
        )
        for path in sorted((recorded / "tables").glob("*.csv"))
    }
    others = {
        recorded / name: made / folder / name for name, folder in ELSEWHERE.items()
    }
    others |= {
        path: made / "figures" / path.name
        for path in sorted((ROOT / "figures").glob("*.csv"))
    }
    return tables | {path: own for path, own in others.items() if own.exists()}


def differences(recorded: Path, computed: Path) -> list[str]:
    """What differs between two CSV files, one line each: place, both values.

    Args:
        recorded, computed: the files; the second may be missing.
    """
    name = _name(recorded)
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
        for column, was, now in zip_longest(head, *pair):
            if was != now:
                found.append(
                    f"{name}, line {number}, {column}: {was} recorded, {now} computed"
                )
    return found


def origin_differences(recorded: Path, computed: Path) -> tuple[list[str], list[str]]:
    """What differs between the origins of two tables, one line each.

    Args:
        recorded, computed: the tables (CSV).

    Returns:
        Faults; and differences of versions, which are none.
    """
    path, name = origin_path(recorded), _name(origin_path(recorded))
    if not path.exists():
        return [f"{name}: not recorded; `make record` writes it"], []
    try:
        was = json.loads(path.read_text())
        versions = was.pop("versions").items()
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        return [
            f"{name}: damaged ({error!r}); `git checkout -- {name}` restores it"
        ], []
    if not origin_path(computed).exists():
        return [f"{name}: not computed; `make verify` executes the notebooks first"], []
    now = json.loads(origin_path(computed).read_text())
    other = now.pop("versions")
    found = [
        f"{name}, {key}: {was.get(key)} recorded, {now.get(key)} computed"
        for key in was | now
        if was.get(key) != now.get(key)
    ]
    notes = [
        f"{package} {version} recorded, {other.get(package)} here"
        for package, version in versions
        if other.get(package) != version
    ]
    return found, notes


def checksum_differences() -> list[str]:
    """Recorded files and figures whose bytes are not those recorded, one line each."""
    lines = (ROOT / CHECKSUMS).read_text().splitlines()
    recorded = {name: digest for digest, name in (line.split("  ") for line in lines)}
    own = checksums()
    return [
        f"{name}: {_changed(name in recorded, name in own)} {CHECKSUMS}"
        for name in sorted(recorded | own)
        if recorded.get(name) != own.get(name)
    ]


def _changed(was: bool, is_there: bool) -> str:
    if was and is_there:
        return "not the bytes of"
    return "missing, but listed in" if was else "not listed in"


def _name(path: Path) -> Path:
    return path.relative_to(ROOT) if path.is_relative_to(ROOT) else path


def main() -> None:
    pairs = recorded_numbers(run_directory("standin"))
    wrong, notes = 0, {}
    for recorded, computed in pairs.items():
        found = differences(recorded, computed)
        faults, others = origin_differences(recorded, computed)
        found += faults
        notes |= dict.fromkeys(others)
        wrong += bool(found)
        print(*found[:SHOWN], sep="\n", end="\n" * bool(found))
        if len(found) > SHOWN:
            print(f"  and {len(found) - SHOWN} more in this file")
    changed = checksum_differences()
    print(*changed, sep="\n", end="\n" * bool(changed))
    if notes:
        print(f"verify: other versions than recorded: {'; '.join(notes)}")
    if wrong or changed:
        sys.exit(
            f"verify: {wrong} of {len(pairs)} recorded files differ from what is "
            f"computed, {len(changed)} from {CHECKSUMS}"
        )
    print(
        f"verify: the numbers of all {len(pairs)} recorded files come out again, and "
        f"all files have their checksums"
    )


if __name__ == "__main__":
    main()
