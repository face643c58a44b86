"""A check-up of a BP4D tree: what is there, what is missing, what is odd.

    python -m aulib.bp4d ROOT           as text
    python -m aulib.bp4d ROOT --json    for a program

Nothing is written. Published counts, from `data/bp4d_statistics.json`, stand beside
those found: a whole copy of BP4D agrees with them but for a few frames.
"""

import argparse
import json
import sys
from pathlib import Path

import numpy as np
import pandas as pd

from aulib import AU_NAMES, UNKNOWN
from aulib.bp4d import (
    find_layout,
    find_occurrences,
    read_frames,
    read_occurrences,
)
from aulib.notebook import ROOT

LEVELS = (0, 1, 2, 3, 4, 5, UNKNOWN)
TASKS = tuple(f"T{number}" for number in range(1, 9))
FEWER, MORE = 0.95, 1.05  # of the published frames of a person, not yet odd
LABELS = {
    "all": "all",
    "evaluation": "evaluation",
    "evaluation_published": "  published",
}
SHOWN = 12  # lines of a list; --json has them all


def check_up(root: str | Path) -> dict:
    """Read a tree and compare it with what was published of BP4D.

    Args:
        root: the data root.

    Returns:
        A dictionary of plain values: `layout` (folders), `stand_in` (or a real tree),
        `people`, `sequences`, `frames` and `levels` (found and published),
        `quarantine` (lines by reason), `occurrence` (how the two codings agree, by
        Action Unit; empty without one), `missing` and `odd` (sentences).

    Raises:
        OSError, ValueError: as `aulib.bp4d.find_layout`.
    """
    root = Path(root)
    layout = find_layout(root)
    frames, quarantine = read_frames(root)
    occurrences, unreadable = read_occurrences(layout)
    published = json.loads((ROOT / "data" / "bp4d_statistics.json").read_text())
    listed = published["frames_per_subject"]["value"]
    sequences = frames.groupby(["subject", "task"]).size()
    by_split = frames["split"].value_counts()
    occurrence_folder = find_occurrences(root)
    stand_in = (root / "standin.json").is_file()
    return {
        "root": str(root),
        "stand_in": stand_in,
        "layout": {
            "images": layout.images.relative_to(root).as_posix(),
            "intensities": layout.intensities.relative_to(root).as_posix(),
            "occurrences": occurrence_folder[0].parent.relative_to(root).as_posix()
            if occurrence_folder
            else None,
        },
        "people": {"found": frames["subject"].nunique(), "published": len(listed)},
        "sequences": {
            "found": len(sequences),
            "published": published["frames_per_sequence"]["sequences"],
        },
        "frames": {
            split: {
                "found": int(by_split.get(split, 0)),
                "published": published["frames_per_partition"][split],
            }
            for split in ("train", "evaluation")
        },
        "levels": _levels(frames, published),
        "quarantine": quarantine["reason"].value_counts().sort_index().to_dict(),
        "occurrence": compare_codings(frames, occurrences),
        "missing": _missing(frames, quarantine, listed),
        "odd": [*_odd(frames, {} if stand_in else listed), *unreadable],
    }


def compare_codings(frames: pd.DataFrame, occurrences: pd.DataFrame) -> dict:
    """How often the coders' two passes, intensity and occurrence, contradict.

    On BP4D's evaluation half occurrence exceeds intensity above 0 by 1 to 8 % of the
    positives (the published label files): they are two codings, not one.

    Returns:
        By Action Unit: `both` frames known in both, `present` in both, and those
        present in one alone, `occurrence_alone` and `intensity_alone`.
    """
    if occurrences.empty:
        return {}
    key = ["subject", "task", "frame"]
    joined = frames.merge(occurrences, on=key, suffixes=("", "_occurrence"))
    table = {}
    for name in AU_NAMES:
        intensity, occurrence = joined[name], joined[f"{name}_occurrence"]
        known = (intensity != UNKNOWN) & (occurrence != UNKNOWN)
        strong, present = (intensity > 0) & known, (occurrence == 1) & known
        table[name] = {
            "both": int(known.sum()),
            "present": int((strong & present).sum()),
            "occurrence_alone": int((present & ~strong).sum()),
            "intensity_alone": int((strong & ~present).sum()),
        }
    return table


def _levels(frames: pd.DataFrame, published: dict) -> dict:
    """Frames of each code, of the evaluation half beside the published ones."""
    evaluation = frames[frames["split"] == "evaluation"]
    table = {}
    for name in AU_NAMES:
        counts = [int((frames[name] == level).sum()) for level in LEVELS]
        half = [int((evaluation[name] == level).sum()) for level in LEVELS]
        known = published["evaluation_intensity"]["counts"][name]
        unknown = published["evaluation_unknown"]["counts"][name]
        table[name] = {
            "all": counts,
            "evaluation": half,
            "evaluation_published": [*known, unknown],
        }
    return table


def _missing(frames: pd.DataFrame, quarantine: pd.DataFrame, listed: dict) -> list[str]:
    sentences = []
    present = set(frames["subject"])
    for subject in sorted(set(listed) - present):
        sentences.append(f"{subject}: no frame of this person")
    found = set(zip(frames["subject"], frames["task"]))
    for subject in sorted(present & set(listed)):
        for task in TASKS:
            if (subject, task) not in found:
                sentences.append(f"{subject} {task}: no frame of this sequence")
    without = quarantine[quarantine["reason"] == "no CSV"]
    for (subject, task, au), _ in without.groupby(["subject", "task", "au"]):
        sentences.append(f"{subject} {task}: no CSV of AU{au:02d}")
    return sentences


def _odd(frames: pd.DataFrame, listed: dict) -> list[str]:
    sentences = []
    for subject, count in frames.groupby("subject").size().items():
        if not listed:
            continue  # a stand-in has as many as its profile asks for
        if subject not in listed:
            sentences.append(f"{subject}: not one of BP4D's 41 people")
        elif not FEWER <= count / listed[subject] <= MORE:
            share = count / listed[subject]
            sentences.append(
                f"{subject}: {count:,} frames, {share:.0%} of the {listed[subject]:,} "
                "of published lists"
            )
    groups = frames.groupby(["subject", "task"])
    for (subject, task), rows in groups:
        if task not in TASKS:
            sentences.append(f"{subject} {task}: not one of the tasks T1 to T8")
        numbers = rows["frame"].to_numpy()
        for name in AU_NAMES:
            if (rows[name] == UNKNOWN).all():
                sentences.append(f"{subject} {task}: {name} is not coded at all")
        gaps = np.diff(numbers)
        if len(gaps) and gaps.max() > 5 * np.median(gaps):
            first = numbers[gaps.argmax()]
            sentences.append(
                f"{subject} {task}: no frame for {gaps.max() - 1} after {first}"
            )
    return sentences


def report(found: dict) -> str:
    """The check-up as text."""
    layout = found["layout"]
    lines = [
        f"pictures      {layout['images']}",
        f"intensities   {layout['intensities']}",
        f"occurrences   {layout['occurrences'] or 'none, and none is needed'}",
        "",
        f"{'':<20}{'found':>10}{'published':>12}",
    ]
    counts = {name: found[name] for name in ("people", "sequences")}
    counts |= {f"{split} frames": both for split, both in found["frames"].items()}
    for name, both in counts.items():
        lines.append(f"{name:<20}{both['found']:>10,}{both['published']:>12,}")
    if found["stand_in"]:
        lines.append("a stand-in: it has as many frames as its profile asks for")
    lines.append("published totals of the two halves are recalled, not verified")
    lines += ["", f"{'frames of each code':<20}" + "".join(f"{c:>9}" for c in LEVELS)]
    for name, rows in found["levels"].items():
        for what, values in rows.items():
            label = f"{name} {LABELS[what]}"
            lines.append(f"{label:<20}" + "".join(f"{v:>9,}" for v in values))
    if found["occurrence"]:
        columns = ("both", "present", "occurrence_alone", "intensity_alone")
        titles = (
            "known in both",
            "present in both",
            "occurrence only",
            "intensity only",
        )
        lines += ["", f"{'the two codings':<17}" + "".join(f"{t:>17}" for t in titles)]
        for name, row in found["occurrence"].items():
            values = "".join(f"{row[column]:>17,}" for column in columns)
            lines.append(f"{name:<17}{values}")
    lines += ["", "quarantine"]
    for reason, count in found["quarantine"].items():
        lines.append(f"  {reason:<32}{count:>8,}")
    lines += [] if found["quarantine"] else ["  nothing"]
    for name in ("missing", "odd"):
        lines += ["", name, *(f"  {line}" for line in found[name][:SHOWN])]
        if len(found[name]) > SHOWN:
            lines.append(f"  and {len(found[name]) - SHOWN} more: --json has them all")
        lines += [] if found[name] else ["  nothing"]
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m aulib.bp4d", description="What is in a BP4D tree."
    )
    parser.add_argument("root", help="the folder that holds BP4D-training")
    parser.add_argument("--json", action="store_true", help="all of it, as JSON")
    arguments = parser.parse_args()
    try:
        found = check_up(arguments.root)
    except (OSError, ValueError) as error:
        sys.exit(str(error))
    print(json.dumps(found, indent=1) if arguments.json else report(found))
