"""The check-up of a tree, on one written by hand."""

import json
import shutil
import subprocess
import sys

import numpy as np
import pytest
from test_bp4d import NAMES, OLD, sequence, write_tree

from aulib.bp4d import find_layout, read_occurrences
from aulib.checkup import check_up, report
from aulib.notebook import ROOT, run_directory

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
    assert found["layout"] == {
        "images": "BP4D-training",
        "intensities": OLD,
        "occurrences": None,
    }
    assert found["people"] == {"found": 2, "published": 41}
    assert found["sequences"] == {"found": 3, "published": 328}
    assert found["frames"]["train"] == {"found": 5, "published": 75_586}
    assert found["frames"]["evaluation"] == {"found": 3, "published": 71_261}
    # frames 1, 2, 3 are 0, 3, 9; of F001's second task frame 2 is lost
    assert found["levels"]["AU06"]["all"] == [2, 0, 0, 1, 0, 0, 5]
    assert found["levels"]["AU06"]["evaluation"] == [0, 0, 0, 0, 0, 0, 3]
    assert found["levels"]["AU06"]["evaluation_published"][:2] == [38_940, 5_535]
    assert found["quarantine"] == {"empty image": 1, "no CSV": 3}
    assert found["occurrence"] == {}
    assert "F002: no frame of this person" in found["missing"]
    assert "F001 T3: no frame of this sequence" in found["missing"]
    assert "M002 T3: no CSV of AU17" in found["missing"]
    assert "M002 T3: AU12 is not coded at all" in found["odd"]
    assert any(
        line.startswith("F001: 5 frames, 0% of the 3,934") for line in found["odd"]
    )


@pytest.mark.parametrize("folder", ["AUCoding", "AUCoding/AU_OCC"])
def test_the_two_codings_are_compared(tree, folder):
    rows = {1: [0, 1, 0, 0, 0], 2: [1, 1, 0, 9, 1], 3: [1, 1, 1, 1, 1], 4: [1] * 5}
    write_occurrences(tree / folder / "F001_T1.csv", rows)
    (tree / folder / "F001_T2.csv").write_text("no table\n1\n")
    found = check_up(tree)
    assert found["layout"]["occurrences"] == folder
    table = found["occurrence"]
    # intensities of frames 1, 2, 3 are 0, 3, unknown
    assert table["AU06"] == dict(
        both=2, present=1, occurrence_alone=0, intensity_alone=0
    )
    assert table["AU10"]["occurrence_alone"] == 1
    assert table["AU12"]["intensity_alone"] == 1
    assert table["AU14"]["both"] == 1
    (line,) = [line for line in found["odd"] if "F001_T2.csv" in line]
    assert "no table of occurrences" in line
    assert "occurrence only" in report(found)


def test_occurrences_as_a_table(tree):
    write_occurrences(tree / "AUCoding" / "F001_T1.csv", {7: [0, 1, 9, 0, 1]})
    occurrences, problems = read_occurrences(find_layout(tree))
    assert problems == []
    (row,) = occurrences.to_dict("records")
    assert row == {
        **{"subject": "F001", "task": "T1", "frame": 7},
        **dict(zip(["AU06", "AU10", "AU12", "AU14", "AU17"], [0, 1, 9, 0, 1])),
    }
    assert occurrences["AU06"].dtype == np.int8


def test_the_text_names_everything(tree):
    text = report(check_up(tree))
    for line in ("BP4D-training", "75,586", "empty image", "AU17", "recalled"):
        assert line in text
    assert "and " in text and "more: --json has them all" in text
    assert max(map(len, text.splitlines())) <= 100


def run(*arguments):
    command = [sys.executable, "-m", "aulib.bp4d", *map(str, arguments)]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True)


def test_from_the_shell(tree):
    assert json.loads(run(tree, "--json").stdout) == json.loads(
        json.dumps(check_up(tree))
    )
    assert run(tree).stdout.strip() == report(check_up(tree))
    shutil.rmtree(tree / "BP4D-training")
    answer = run(tree)
    assert answer.returncode == 1 and "no folder of pictures" in answer.stderr
    assert len(answer.stderr.strip().splitlines()) == 1


def test_a_stand_in_is_called_one(tree):
    (tree / "standin.json").write_text("{}")
    found = check_up(tree)
    assert found["stand_in"] and "a stand-in:" in report(found)
    assert not [line for line in found["odd"] if "published lists" in line]


@pytest.mark.made
def test_the_stand_ins_check_up_is_the_one_that_is_shown():
    text = report(check_up(run_directory("standin") / "BP4D"))
    shown = (ROOT / "data" / "README.md").read_text()
    for line in text.splitlines():
        left_out = line.startswith(("AU10 ", "AU12 ", "AU14 "))
        assert left_out or line.strip() in shown, line
