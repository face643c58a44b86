"""The check-up of a tree, on one written by hand."""

import json
import shutil
import subprocess
import sys

import numpy as np
import pytest
from trees import NAMES, OLD, sequence, write_tree

from companion.base.paths import ROOT, run_directory
from companion.bp4d import read_frames
from companion.bp4d.checkup import (
    CODES,
    check_up,
    find_obstacles,
    find_unscored,
    report,
)
from companion.bp4d.occurrences import read_occurrences

HEADER = ["0", "1", "2", "4", "5", "6", "10", "12", "14", "17", "99"]


def write_occurrences(path, rows: dict[int, list[int]]) -> None:
    """`rows`: frame → AU06, 10, 12, 14, 17."""
    path.parent.mkdir(parents=True, exist_ok=True)
    lines = [",".join(HEADER)]
    for frame, codes in rows.items():
        lines.append(",".join(map(str, [frame, 0, 0, 1, 9, *codes, 0])))
    path.write_text("\n".join(lines) + "\n")


@pytest.fixture
def tree(tmp_path):
    """Two of a person's tasks and one of another, with something wrong in each."""
    root = tmp_path / "BP4D"
    images = {("F001", "T1"): NAMES, ("F001", "T2"): NAMES, ("M002", "T3"): NAMES}
    write_tree(root, images, sequence() | sequence(task="T2"))
    rows = sequence("1,9\n2,9\n3,9\n", "M002", "T3")
    del rows["M002", "T3", 17]
    write_tree(root, {}, rows)
    (root / "BP4D-training/F001/T2/2.jpg").write_bytes(b"")
    return root


def test_counts_and_what_is_missing_and_odd(tree):
    found = check_up(tree)
    assert found["layout"]["folder"].to_dict() == {
        "pictures": "BP4D-training",
        "intensities": OLD,
    }
    assert found["counts"].to_dict("index") == {
        "people": {"found": 2, "published": 41},
        "sequences": {"found": 3, "published": 328},
        "train frames": {"found": 5, "published": 75_331},
        "evaluation frames": {"found": 3, "published": 71_245},
    }
    # frames 1, 2, 3 are 0, 3, 9; of F001's second task frame 2 is lost
    codes = found["codes"]
    assert codes.columns.tolist() == CODES == [0, 1, 2, 3, 4, 5, 9]
    assert codes.loc["AU06 all"].tolist() == [2, 0, 0, 1, 0, 0, 5]
    assert codes.loc["AU06 evaluation"].tolist() == [0, 0, 0, 0, 0, 0, 3]
    assert codes.loc["AU06 published"].tolist()[:2] == [38_940, 5_535]
    assert codes.loc["AU06 published"].tolist()[-1] == 128
    assert found["quarantine"]["lines"].to_dict() == {"empty image": 1, "no CSV": 3}
    assert found["codings"].empty
    assert "F002: no frame of this person" in found["missing"]
    assert "F001 T3: no frame of this task" in found["missing"]
    assert "M002 T3: no CSV of AU17" in found["missing"]
    assert len(found["missing"]) == 39 + 6 + 7 + 1
    assert "M002 T3: AU12 is not coded at all" in found["odd"]
    assert "F001: 5 frames, 0% of the published 3,934" in found["odd"]
    assert len(found["odd"]) == 2 + 5


def test_a_gap_in_a_sequence_is_odd(tmp_path):
    numbers = [*range(1, 11), 16, 17, *range(23, 30)]
    rows = sequence("".join(f"{number},1\n" for number in numbers), "F003", "T8")
    pictures = [f"{number}.jpg" for number in numbers]
    write_tree(tmp_path, {("F003", "T8"): pictures}, rows)
    assert check_up(tmp_path)["odd"] == [
        "F003: 19 frames, 1% of the published 3,700",
        "F003 T8: no frame for 5 after frame 10",
    ]


ODD, EVEN = ("F001", "T1"), ("M018", "T8")


def obstacles(root) -> list[str]:
    frames, quarantine = read_frames(root)
    return find_obstacles(root, frames, quarantine)


def test_two_halves_with_codes_are_enough(tmp_path):
    rows = sequence("1,0\n2,3\n") | sequence("1,0\n", *EVEN)
    write_tree(tmp_path, {ODD: NAMES, EVEN: NAMES}, rows)
    assert obstacles(tmp_path) == []


@pytest.mark.parametrize(
    "odd, even, expected",
    [
        ("1,0\n2,1\n", None, ["evaluation: no frame of a person with an even number"]),
        (None, "1,0\n", ["training: no frame of a person with an odd number"]),
        ("1,0\n2,1\n", "1,9\n", ["evaluation: no frame has a known code"]),
        (
            *("1,0\n2,9\n", "1,0\n"),
            ["training: 1 frames with all five codes, at least 2 are needed"],
        ),
        (
            *("1,9\n", None),
            ["no frame has a known code: all of them are 9"],
        ),
    ],
)
def test_what_is_missing_for_training_or_evaluation(tmp_path, odd, even, expected):
    for place, text in ((ODD, odd), (EVEN, even)):
        if text:
            write_tree(tmp_path, {place: NAMES}, sequence(text, *place))
    assert obstacles(tmp_path) == expected


def test_an_au_without_a_known_frame_in_evaluation_has_no_score(tmp_path):
    rows = sequence("1,0\n2,3\n") | sequence("1,0\n", *EVEN)
    rows[*EVEN, 12] = "1,9\n"
    write_tree(tmp_path, {ODD: NAMES, EVEN: NAMES}, rows)
    found = check_up(tmp_path)
    sentence = "AU12: no known code in the evaluation half, no score"
    assert found["obstacles"] == [] and found["missing"][-1] == sentence
    frames, _ = read_frames(tmp_path)
    assert find_unscored(frames[frames["split"] == "train"]) == []


@pytest.mark.parametrize(
    "text, reason, shown",
    [
        ("2440|3\n2441|0\n", "not two columns", "line 1: '2440|3'; expected"),
        ("\n2.44e+03,3\n", "frame is rounded", "line 2: '2.44e+03,3'; expected"),
        ("1,absent\n2,absent\n", "code is not a number", "line 1: '1,absent'"),
        ("x,1\n".encode("utf-16"), "frame is not a number", "line 1: 'x,1'; expected"),
        ("", "empty CSV", f"first {OLD}/AU06/F001_T1_AU06.csv"),
        ("7,1\n", "no image", "first BP4D-training/F001/T1"),
    ],
)
def test_where_nothing_can_be_read_one_example_is_shown(tmp_path, text, reason, shown):
    write_tree(tmp_path, {ODD: NAMES}, sequence(text))
    (sentence,) = obstacles(tmp_path)
    assert f"times '{reason}'" in sentence and shown in sentence
    if "line" in shown:
        assert f"first {OLD}/AU06/F001_T1_AU06.csv, line" in sentence
    answer = run(tmp_path)  # every part of the check-up can be shown
    assert answer.returncode == 1 and answer.stderr == ""
    assert sentence in answer.stdout


@pytest.mark.parametrize("folder", ["AUCoding", "AUCoding/AU_OCC"])
def test_the_two_codings_are_compared(tree, folder):
    rows = {1: [0, 1, 0, 0, 0], 2: [1, 1, 0, 9, 1], 3: [1, 1, 1, 1, 1], 4: [1] * 5}
    write_occurrences(tree / folder / "F001_T1.csv", rows)
    (tree / folder / "F001_T2.csv").write_text("no table\n1\n")
    found = check_up(tree)
    assert found["layout"].loc["occurrences", "folder"] == folder
    # intensities of frames 1, 2, 3 are 0, 3, unknown
    assert found["codings"].loc["AU06"].to_dict() == {
        "known in both": 2,
        "present in both": 1,
        "occurrence only": 0,
        "intensity only": 0,
    }
    assert found["codings"].loc["AU10", "occurrence only"] == 1
    assert found["codings"].loc["AU12", "intensity only"] == 1
    assert found["codings"].loc["AU14", "known in both"] == 1
    (line,) = [line for line in found["odd"] if "F001_T2.csv" in line]
    assert "no table of occurrences" in line
    assert "occurrence only" in report(found)


def test_occurrences_as_a_table(tree):
    write_occurrences(tree / "AUCoding" / "F001_T1.csv", {7: [0, 1, 9, 0, 1]})
    occurrences, problems = read_occurrences(tree)
    assert problems == []
    (row,) = occurrences.to_dict("records")
    assert row == {
        **{"subject": "F001", "task": "T1", "frame": 7},
        **dict(zip(["AU06", "AU10", "AU12", "AU14", "AU17"], [0, 1, 9, 0, 1])),
    }
    assert occurrences["AU06"].dtype == np.int8


def test_the_text_names_everything(tree):
    text = report(check_up(tree))
    for line in ("BP4D-training", "75,331", "empty image", "AU17", "public lists"):
        assert line in text
    assert "and 41 more: --json has all of them" in text
    assert "codings\n  none" in text
    assert max(map(len, text.splitlines())) <= 100


def run(*arguments):
    command = [sys.executable, "-m", "companion.bp4d", *map(str, arguments)]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True)


def test_from_the_shell(tree):
    found, printed = check_up(tree), json.loads(run(tree, "--json").stdout)
    assert list(printed) == list(found)
    assert printed["counts"] == found["counts"].to_dict("index")
    assert list(printed["codes"]["AU17 all"].values()) == [2, 0, 0, 1, 0, 0, 5]
    assert printed["missing"] == found["missing"]
    assert run(tree).stdout.strip() == report(found)
    assert run(tree).returncode == run(tree, "--json").returncode == 1
    assert found["obstacles"] == ["evaluation: no frame has a known code"]
    write_tree(tree, {("F002", "T1"): NAMES}, sequence(subject="F002"))
    assert run(tree).returncode == 0
    assert "exit status" in run("--help").stdout
    shutil.rmtree(tree / "BP4D-training")
    answer = run(tree)
    assert answer.returncode == 1 and "no folder of pictures" in answer.stderr
    assert len(answer.stderr.strip().splitlines()) == 1


def test_a_stand_in_is_called_one(tree):
    (tree / "standin.json").write_text("{}")
    found = check_up(tree)
    assert "This is a stand-in" in found["notes"][-1]
    assert not [line for line in found["odd"] if "published" in line]


@pytest.mark.made
def test_the_stand_ins_check_up_is_the_one_that_is_shown():
    text = report(check_up(run_directory("standin") / "BP4D"))
    shown = (ROOT / "data" / "README.md").read_text()
    for line in text.splitlines():
        left_out = line.strip().startswith(("AU10 ", "AU12 ", "AU14 "))
        assert left_out or line.strip() in shown, line
