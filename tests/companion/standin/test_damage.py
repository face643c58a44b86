"""Every fault that the reader knows, put into a small tree, is found where it is."""

import hashlib
import re
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from aulib import AUS, UNKNOWN
from companion.bp4d import AU_NAMES, frames, read_frames
from companion.faces.boxes import BOX, judge_boxes
from companion.standin.damage import (
    BOX_DAMAGES,
    DAMAGES,
    SEQUENCES,
    damage,
    damage_boxes,
    explain,
    view,
    write_small_tree,
)

F001, F002, M001, M002 = SEQUENCES
ROW = {"AU06": 6, "AU10": 10, "AU12": 12, "AU14": 14, "AU17": 17}
CSV = "AU Intensity Codes3.0/{au}/{subject}_T1_{au}.csv"


def of_picture(position: int, reason: str, name: str = "{frame:04d}.jpg"):
    """The line, and the frame lost, of a fault of one picture of F001."""
    file = f"BP4D-training/F001/T1/{name}".rstrip("/")
    return [(F001, position, None, reason, file, None)], [(F001, position)], []


def of_row(au: str, position: int, *lines: tuple[bool, str, int | None]):
    """The lines, and the code lost, of a fault of one row of F002.

    A line is whether it names the frame, its reason and its number.
    """
    file = CSV.format(au=au, subject="F002")
    found = [
        (F002, position if named else None, ROW[au], reason, file, line)
        for named, reason, line in lines
    ]
    return found, [], [(F002, position, au)]


def of_csv(au: str, reason: str, each: str):
    """The lines, and the codes lost, of a fault of a CSV of M001, for each frame."""
    file = CSV.format(au=au, subject="M001")
    places = range(SEQUENCES[M001])
    found = [(M001, position, ROW[au], each, file, None) for position in places]
    if reason != each:
        found.append((M001, None, ROW[au], reason, file, None))
    return found, [], [(M001, position, au) for position in places]


DUPLICATE = of_row("AU12", 9, (True, "duplicate row", 11))
STRAY = CSV.format(au="AU14", subject="M001").replace(".csv", " (1).csv")
FOLDER = [
    (M002, position, None, "unreadable folder", "BP4D-training/M002/T1", None)
    for position in range(3)
]

EXPECTED = {
    "no image": of_picture(0, "no image", ""),
    "several images": of_picture(1, "several images", "{frame:05d}.jpg"),
    "empty image": of_picture(2, "empty image"),
    "not a JPEG": of_picture(3, "not a JPEG"),
    "truncated image": of_picture(4, "truncated image"),
    "damaged image": of_picture(5, "damaged image"),
    "rotated by EXIF": of_picture(6, "rotated by EXIF"),
    "unreadable image": of_picture(7, "unreadable image"),
    "other size than its sequence": of_picture(8, "other size than its sequence"),
    "link out of the root": of_picture(9, "link out of the root"),
    "unreadable folder": (FOLDER, [(M002, position) for position in range(3)], []),
    "not two columns": of_row(
        "AU06", 7, (False, "not two columns", 8), (True, "no row", None)
    ),
    "frame is not a number": of_row(
        "AU06", 8, (False, "frame is not a number", 9), (True, "no row", None)
    ),
    "frame is rounded": of_row(
        "AU06", 9, (False, "frame is rounded", 10), (True, "no row", None)
    ),
    "code is not a number": of_row("AU10", 8, (True, "code is not a number", 9)),
    "code is neither 0 to 5 nor 9": of_row(
        "AU10", 9, (True, "code is neither 0 to 5 nor 9", 10)
    ),
    "duplicate row": (DUPLICATE[0], [], []),
    "no row": of_row("AU14", 9, (True, "no row", None)),
    "conflicting rows": of_row(
        "AU17", 9, (True, "conflicting rows", 10), (True, "conflicting rows", 11)
    ),
    "no CSV": of_csv("AU06", "no CSV", "no CSV"),
    "empty CSV": of_csv("AU10", "empty CSV", "no row"),
    "unreadable CSV": of_csv("AU12", "unreadable CSV", "no row"),
    "unexpected file name": (
        [(None, None, 14, "unexpected file name", STRAY, None)],
        [],
        [],
    ),
}
"""Reason → lines of the quarantine, frames lost, codes lost; frames by position."""


@pytest.fixture(scope="module")
def whole(tmp_path_factory) -> Path:
    root = tmp_path_factory.mktemp("small") / "whole"
    write_small_tree(root, height=96, width=72)
    return root


@pytest.fixture(scope="module")
def before(whole) -> pd.DataFrame:
    table, quarantine = read_frames(whole)
    assert quarantine.empty
    return table


@pytest.fixture
def copy(whole, tmp_path) -> Path:
    return Path(shutil.copytree(whole, tmp_path / "copy"))


def digest(root: Path) -> dict[str, str]:
    return {
        path.relative_to(root).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in root.rglob("*")
        if path.is_file()
    }


def frame_numbers(table: pd.DataFrame) -> dict[tuple[str, str], list[int]]:
    groups = table.groupby(["subject", "task"])["frame"]
    return {place: numbers.tolist() for place, numbers in groups}


def check(before: pd.DataFrame, damaged: Path, reasons: list[str]) -> None:
    """The quarantine and the frames are those expected of these faults, no others."""
    numbers = frame_numbers(before)
    after, quarantine = read_frames(damaged)
    lines, left = [], before.set_index(["subject", "task", "frame"])
    for reason in reasons:
        found, lost, unknown = EXPECTED[reason]
        for place, position, au, why, file, line in found:
            frame = None if position is None else numbers[place][position]
            name = file.format(frame=frame)
            lines.append((*(place or (None, None)), frame, au, why, name, line))
        for place, position, name in unknown:
            left.loc[(*place, numbers[place][position]), name] = UNKNOWN
        gone = [(*place, numbers[place][position]) for place, position in lost]
        left = left.drop(index=gone)
    rows = quarantine.astype(object).where(quarantine.notna(), None)
    assert sorted(map(str, rows.itertuples(index=False, name=None))) == sorted(
        map(str, lines)
    )
    pd.testing.assert_frame_equal(after, left.reset_index()[list(after.columns)])


def test_the_small_tree_is_whole_and_the_same_each_time(before, whole, tmp_path):
    assert before.groupby(["subject", "task"]).size().to_dict() == SEQUENCES
    assert (before[list(AU_NAMES)] != UNKNOWN).all(axis=None)
    assert {*before["split"]} == {"train", "evaluation"}
    write_small_tree(tmp_path / "again", height=96, width=72)
    assert digest(tmp_path / "again") == digest(whole)
    with pytest.raises(FileExistsError):
        write_small_tree(tmp_path / "again", height=96, width=72)


def test_there_is_one_fault_for_each_reason_of_the_reader():
    text = frames.__doc__.split("The reasons are:")[1].split("An intensity that")[0]
    reasons = re.findall(r"^    (\S.*?)  ", text, re.MULTILINE)
    assert len(reasons) == 23
    assert {*DAMAGES} == {*reasons} == {*EXPECTED}


@pytest.mark.parametrize("reason", DAMAGES)
def test_a_fault_is_found_where_it_is_and_nowhere_else(before, copy, reason):
    DAMAGES[reason].apply(copy)
    check(before, copy, [reason])


@pytest.mark.parametrize("order", [1, -1])
def test_all_faults_are_found_in_any_order(before, copy, order):
    for reason in [*DAMAGES][::order]:
        DAMAGES[reason].apply(copy)
    check(before, copy, [*DAMAGES])


def test_the_damage_is_the_same_each_time(before, whole, copy, tmp_path):
    other = Path(shutil.copytree(whole, tmp_path / "other"))
    damage(copy)
    damage(other)
    check(before, copy, [*DAMAGES])
    assert digest(copy) == digest(other)


def test_descriptions_are_lines_that_pandas_shows():
    for fault in DAMAGES.values():
        for text in (fault.done, fault.remedy):
            assert 5 < len(text) < pd.get_option("display.max_colwidth")
            assert "\n" not in text and text.strip(" .") == text


def test_the_explanation_has_a_row_for_each_reason(before, copy):
    damage(copy)
    _, quarantine = read_frames(copy)
    table = explain(quarantine)
    assert table.index.tolist() == [*DAMAGES]
    assert table["lines"].to_dict() == quarantine["reason"].value_counts().to_dict()
    assert table["what to do"].to_dict() == {r: d.remedy for r, d in DAMAGES.items()}
    numbers = frame_numbers(before)[F002]
    place = table["first line"]
    assert place["code is not a number"] == f"F002 T1, frame {numbers[8]}, AU10, line 9"
    assert place["not two columns"] == "F002 T1, AU06, line 8"
    assert place["unexpected file name"] == "M001_T1_AU14 (1).csv"
    assert place["no image"].startswith("F001 T1, frame ")


def test_the_explanation_of_nothing_is_empty(whole):
    table = explain(read_frames(whole)[1])
    assert table.empty and list(table) == ["lines", "first line", "what to do"]


def test_a_viewer_shows_what_is_left_of_a_picture(whole, copy):
    path = sorted((whole / "BP4D-training" / "F001" / "T1").iterdir())[4]
    sound = view(path)
    assert sound.shape == (96, 72, 3)
    DAMAGES["truncated image"].apply(copy)
    left = view(copy / path.relative_to(whole))
    assert (left[:16] == sound[:16]).all()
    assert np.ptp(left[-8:]) == 0 and np.ptp(sound[-8:]) > 50
    turned = sorted(path.parent.iterdir())[6]
    DAMAGES["rotated by EXIF"].apply(copy)
    assert view(copy / turned.relative_to(whole)).shape == (96, 72, 3)
    with pytest.raises(ValueError):
        DAMAGES["empty image"].apply(copy)
        view(copy / sorted(path.parent.iterdir())[2].relative_to(whole))


def boxes(count: int = 10) -> pd.DataFrame:
    table = pd.DataFrame(
        {"subject": "F002", "task": "T1", "frame": range(1, count + 1)}
    )
    table["num_faces"] = 1
    step = np.arange(count)[:, None]
    table[BOX] = np.array([80.0, 100, 180, 230]) + step
    return table.assign(score=1.0)


def test_spoilt_boxes_are_judged_as_expected():
    spoilt = damage_boxes(boxes())
    judged = judge_boxes(spoilt)
    expected = {position: reason for position, (reason, _) in BOX_DAMAGES.items()}
    assert judged["box_reason"].tolist() == [expected.get(n, "") for n in range(10)]
    assert {*expected.values()} == {"none", "several", "shape", "jump"}
    sound = [n for n in range(10) if n not in expected]
    pd.testing.assert_frame_equal(spoilt.loc[sound, [*boxes()]], boxes().loc[sound])
    assert [bool(text) for text in spoilt["done"]] == [n in expected for n in range(10)]


def test_too_few_boxes_are_refused():
    with pytest.raises(ValueError, match="8 boxes: at least 9"):
        damage_boxes(boxes(8))


def test_the_aus_are_those_of_the_paper():
    assert list(ROW.values()) == list(AUS)
