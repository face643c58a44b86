"""A check-up of a BP4D tree: what is there, what is missing, what is odd.

    python -m companion.bp4d ROOT           as text
    python -m companion.bp4d ROOT --json    for a program

The exit status is 0 if the tree can be used for training and evaluation, otherwise 1.
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
from companion.bp4d.codes import read_line
from companion.bp4d.folders import AU_NAMES, TASKS
from companion.bp4d.frames import read_frames
from companion.bp4d.layout import find_layout
from companion.bp4d.occurrences import find_occurrences, read_occurrences

CODES = [0, 1, 2, 3, 4, 5, UNKNOWN]
SHOWN = 12  # sentences of a list in the text; --json has all of them
LEAST_TRAINING = 2  # frames with all codes: the variances of notebook 02 need two


def check_up(root: str | Path) -> dict[str, pd.DataFrame | list[str]]:
    """Read a tree and compare it with the published counts of BP4D.

    Returns:
        The parts of the report. Tables: `layout` (the folders), `counts` (found and
        published), `codes` (frames of each code), `codings` (from `compare_codings`)
        and `quarantine` (lines of each reason). Sentences: `obstacles`, without which
        the tree can be used, `missing`, `odd` and `notes`.

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
        "The published frames are those of public lists.",
        "A published 9 is a listed frame without a code.",
    ]
    if stand_in := (root / "standin.json").is_file():
        notes.append("This is a stand-in; its profile sets the number of frames.")
    return {
        "layout": pd.DataFrame({"folder": folders}).map(Path.as_posix),
        "counts": count_frames(frames, published),
        "codes": count_codes(frames, published),
        "codings": compare_codings(frames, occurrences),
        "quarantine": reasons.to_frame("lines"),
        "obstacles": find_obstacles(root, frames, quarantine),
        "missing": find_missing(frames, quarantine, people) + find_unscored(frames),
        "odd": find_odd(frames, {} if stand_in else people) + unreadable,
        "notes": notes,
    }


def count_frames(frames: pd.DataFrame, published: dict) -> pd.DataFrame:
    """The numbers of people, sequences and frames, found and published."""
    train = int((frames["split"] == "train").sum())
    sequences = frames.groupby(["subject", "task"]).ngroups
    found = [frames["subject"].nunique(), sequences, train, len(frames) - train]
    train_listed, evaluation_listed = listed_frames(published)
    expected = [
        len(published["frames_per_subject"]["value"]),
        published["frames_per_sequence"]["sequences"],
        train_listed,
        evaluation_listed,
    ]
    names = ["people", "sequences", "train frames", "evaluation frames"]
    return pd.DataFrame({"found": found, "published": expected}, index=names)


def listed_frames(published: dict) -> tuple[int, int]:
    """The frames of the training and the evaluation half in public lists."""
    listed = published["frames_per_subject"]["value"]
    train = sum(n for subject, n in listed.items() if int(subject[1:]) % 2)
    return train, sum(listed.values()) - train


def count_codes(frames: pd.DataFrame, published: dict) -> pd.DataFrame:
    """The frames of each code by Action Unit, found and published."""
    half = frames[frames["split"] == "evaluation"]
    known = published["evaluation_intensity"]["counts"]
    _, listed = listed_frames(published)
    rows = {}
    for name in AU_NAMES:
        rows[f"{name} all"] = [(frames[name] == code).sum() for code in CODES]
        rows[f"{name} evaluation"] = [(half[name] == code).sum() for code in CODES]
        rows[f"{name} published"] = [*known[name], listed - sum(known[name])]
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


def find_obstacles(
    root: str | Path, frames: pd.DataFrame, quarantine: pd.DataFrame
) -> list[str]:
    """A sentence for each lack because of which a tree can't be used.

    Args:
        root: the data root.
        frames, quarantine: the tables from `read_frames`.

    Returns:
        Sentences, none if there are frames for training and for evaluation.
    """
    known = frames[list(AU_NAMES)] != UNKNOWN
    if not known.any(axis=None):
        return [_explain_no_code(Path(root), quarantine)]
    sentences = []
    train = frames["split"] == "train"
    complete = int(known[train].all(axis=1).sum())
    if not train.any():
        sentences.append("training: no frame of a person with an odd number")
    elif complete < LEAST_TRAINING:
        need = f"at least {LEAST_TRAINING} are needed"
        sentences.append(f"training: {complete} frames with all five codes, {need}")
    if train.all():
        sentences.append("evaluation: no frame of a person with an even number")
    elif not known[~train].any(axis=None):
        sentences.append("evaluation: no frame has a known code")
    return sentences


def _explain_no_code(root: Path, quarantine: pd.DataFrame) -> str:
    """The most frequent fault, with an example, where no frame has a known code."""
    if quarantine.empty:
        return "no frame has a known code: all of them are 9"
    counts = quarantine["reason"].value_counts()
    reason = counts.index[0]
    first = quarantine[quarantine["reason"] == reason].iloc[0]
    sentence = f"no frame has a known code: {counts.iloc[0]:,} times '{reason}', "
    if pd.isna(first["line"]):
        return f"{sentence}first {first['file']}"
    text = read_line(root / first["file"], first["line"])
    return (
        f"{sentence}first {first['file']}, line {first['line']}: {text!r}; "
        "expected is a frame number and a code, such as 2440,3"
    )


def find_unscored(frames: pd.DataFrame) -> list[str]:
    """A sentence for each Action Unit that has no known code in the evaluation half."""
    half = frames[frames["split"] == "evaluation"]
    none = (half[list(AU_NAMES)] == UNKNOWN).all()
    if none.all():
        return []  # `find_obstacles` says so
    names = none.index[none]
    return [f"{name}: no known code in the evaluation half, no score" for name in names]


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
        if not 0.95 <= count / people[subject] <= 1.05:
            share = (
                f"{count / people[subject]:.0%} of the published {people[subject]:,}"
            )
            sentences.append(f"{subject}: {count:,} frames, {share}")
    for (subject, task), rows in frames.groupby(["subject", "task"]):
        uncoded = (rows[list(AU_NAMES)] == UNKNOWN).all()
        odd = [f"{name} is not coded at all" for name in uncoded.index[uncoded]]
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
        prog="python -m companion.bp4d",
        description="Check up on a BP4D tree.",
        epilog="The exit status is 0 if the tree can be used, otherwise 1.",
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
    sys.exit(1 if found["obstacles"] else 0)
