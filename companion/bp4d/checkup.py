"""A check-up of a BP4D tree: what is there, what is missing, what is odd.

    python -m companion.bp4d ROOT           as text
    python -m companion.bp4d ROOT --json    for a program

The check-up writes no file. It compares the counts with the published ones in
`data/bp4d_statistics.json`; a complete copy of BP4D differs from them by a few frames.
"""

import argparse
import json
import sys
from collections.abc import Iterable
from pathlib import Path

import pandas as pd

from aulib import UNKNOWN
from companion.base.paths import ROOT
from companion.bp4d.frames import read_frames
from companion.bp4d.layout import AU_NAMES, find_layout
from companion.bp4d.occurrences import find_occurrences, read_occurrences

CODES = [0, 1, 2, 3, 4, 5, UNKNOWN]
TASKS = [f"T{number}" for number in range(1, 9)]
SHOWN = 12  # sentences of a list in the text; --json has all of them


def check_up(root: str | Path) -> dict[str, pd.DataFrame | list[str]]:
    """Read a tree and compare it with the published counts of BP4D.

    Returns:
        The parts of the report. Tables: `layout` (the folders), `counts` (found and
        published), `codes` (frames of each code), `codings` (from `compare_codings`)
        and `quarantine` (lines of each reason). Sentences: `missing`, `odd`, `notes`.

    Raises:
        OSError, ValueError: as `read_frames` raises them.
    """
    root = Path(root)
    layout = find_layout(root)
    frames, quarantine = read_frames(root)
    occurrences, unreadable = read_occurrences(root)
    folders = {"pictures": layout.images, "intensities": layout.intensities}
    for path in find_occurrences(root)[:1]:
        folders["occurrences"] = path.parent
    folders = {name: path.relative_to(root) for name, path in folders.items()}
    published = json.loads((ROOT / "data" / "bp4d_statistics.json").read_text())
    people = published["frames_per_subject"]["value"]
    reasons = quarantine["reason"].value_counts().sort_index().rename_axis(None)
    notes = [
        "The published codes are those of the evaluation half.",
        "The published numbers of frames are recalled, not verified.",
    ]
    if stand_in := (root / "standin.json").is_file():
        notes.append("This is a stand-in; its profile sets the number of frames.")
    return {
        "layout": pd.DataFrame({"folder": folders}).map(Path.as_posix),
        "counts": count_frames(frames, published),
        "codes": count_codes(frames, published),
        "codings": compare_codings(frames, occurrences),
        "quarantine": reasons.to_frame("lines"),
        "missing": find_missing(frames, quarantine, people),
        "odd": find_odd(frames, {} if stand_in else people) + unreadable,
        "notes": notes,
    }


def count_frames(frames: pd.DataFrame, published: dict) -> pd.DataFrame:
    """The numbers of people, sequences and frames, found and published."""
    train = int((frames["split"] == "train").sum())
    sequences = frames.groupby(["subject", "task"]).ngroups
    found = [frames["subject"].nunique(), sequences, train, len(frames) - train]
    expected = [
        len(published["frames_per_subject"]["value"]),
        published["frames_per_sequence"]["sequences"],
        published["frames_per_partition"]["train"],
        published["frames_per_partition"]["evaluation"],
    ]
    names = ["people", "sequences", "train frames", "evaluation frames"]
    return pd.DataFrame({"found": found, "published": expected}, index=names)


def count_codes(frames: pd.DataFrame, published: dict) -> pd.DataFrame:
    """The frames of each code by Action Unit, found and published."""
    half = frames[frames["split"] == "evaluation"]
    known = published["evaluation_intensity"]["counts"]
    unknown = published["evaluation_unknown"]["counts"]
    rows = {}
    for name in AU_NAMES:
        rows[f"{name} all"] = [(frames[name] == code).sum() for code in CODES]
        rows[f"{name} evaluation"] = [(half[name] == code).sum() for code in CODES]
        rows[f"{name} published"] = [*known[name], unknown[name]]
    return pd.DataFrame(rows, index=CODES).T


def compare_codings(frames: pd.DataFrame, occurrences: pd.DataFrame) -> pd.DataFrame:
    """Count the frames in which the two codings, intensity and occurrence, agree.

    In BP4D's evaluation half, more frames have an occurrence than an intensity above 0,
    by 1 to 8 % (published label files).

    Returns:
        By Action Unit, the frames `known in both` codings, and of these the frames
        with the Action Unit `present in both`, `occurrence only`, `intensity only`.
    """
    if occurrences.empty:
        return pd.DataFrame()
    key, names = ["subject", "task", "frame"], list(AU_NAMES)
    joined = frames.merge(occurrences, on=key, suffixes=("", "_occurrence"))
    coded = joined[[f"{name}_occurrence" for name in names]].set_axis(names, axis=1)
    known = (joined[names] != UNKNOWN) & (coded != UNKNOWN)
    intensity, occurrence = (joined[names] > 0) & known, (coded > 0) & known
    counts = {
        "known in both": known.sum(),
        "present in both": (intensity & occurrence).sum(),
        "occurrence only": (occurrence & ~intensity).sum(),
        "intensity only": (intensity & ~occurrence).sum(),
    }
    return pd.DataFrame(counts)


def find_missing(
    frames: pd.DataFrame, quarantine: pd.DataFrame, people: Iterable[str]
) -> list[str]:
    """A sentence for each missing person, sequence and CSV."""
    sentences = []
    found = set(zip(frames["subject"], frames["task"]))
    for subject in people:
        tasks = [task for task in TASKS if (subject, task) not in found]
        if len(tasks) == len(TASKS):
            sentences.append(f"{subject}: no frame of this person")
        else:
            sentences += [f"{subject} {task}: no frame of this task" for task in tasks]
    absent = quarantine.loc[quarantine["reason"] == "no CSV", ["subject", "task", "au"]]
    for subject, task, au in absent.drop_duplicates().itertuples(index=False):
        sentences.append(f"{subject} {task}: no CSV of AU{au:02d}")
    return sentences


def find_odd(frames: pd.DataFrame, people: dict[str, int]) -> list[str]:
    """A sentence for each oddity of a person or a sequence.

    `people` holds the published number of frames of each person. If it is empty,
    people are not compared.
    """
    sentences = []
    for subject, count in frames.groupby("subject").size().items() if people else ():
        expected = people.get(subject)
        if not expected:
            sentences.append(f"{subject}: not one of BP4D's {len(people)} people")
        elif not 0.95 <= count / expected <= 1.05:
            share = f"{count / expected:.0%} of the published {expected:,}"
            sentences.append(f"{subject}: {count:,} frames, {share}")
    for (subject, task), rows in frames.groupby(["subject", "task"]):
        uncoded = (rows[list(AU_NAMES)] == UNKNOWN).all()
        odd = [f"{name} is not coded at all" for name in uncoded.index[uncoded]]
        if task not in TASKS:
            odd.append("not one of the tasks T1 to T8")
        gaps = rows["frame"].diff()
        if gaps.max() > 5 * gaps.median():
            last = rows["frame"].shift()[gaps.idxmax()]
            odd.append(f"no frame for {gaps.max() - 1:.0f} after frame {last:.0f}")
        sentences += [f"{subject} {task}: {sentence}" for sentence in odd]
    return sentences


def report(found: dict[str, pd.DataFrame | list[str]]) -> str:
    """The check-up as text."""
    parts = []
    for name, part in found.items():
        if not len(part):
            text = "none"
        elif isinstance(part, pd.DataFrame):
            text = part.map(lambda n: n if isinstance(n, str) else f"{n:,}").to_string()
        else:
            more = [f"and {len(part) - SHOWN} more: --json has all of them"]
            text = "\n".join(part[:SHOWN] + more * (len(part) > SHOWN))
        parts.append(f"{name}\n{text}".replace("\n", "\n  "))
    return "\n\n".join(parts)


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m companion.bp4d", description="Check up on a BP4D tree."
    )
    parser.add_argument("root", help="the folder that holds BP4D-training")
    parser.add_argument("--json", action="store_true", help="print everything as JSON")
    arguments = parser.parse_args()
    try:
        found = check_up(arguments.root)
    except (OSError, ValueError) as error:
        sys.exit(str(error))
    if arguments.json:
        print(json.dumps(found, default=lambda table: table.to_dict("index"), indent=1))
    else:
        print(report(found))
