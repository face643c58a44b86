from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pandas as pd
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from PIL import Image

from companion.faces.boxes import (
    BOX,
    BOX_COLUMNS,
    KEY,
    judge_boxes,
    match_boxes,
    overlap,
    read_boxes,
)


def test_boxes_of_another_detector_need_no_count_and_no_score(tmp_path):
    path = tmp_path / "boxes.csv"
    path.write_text(
        "subject,task,frame,x0,y0,x1,y1\nF001,T1,007,1,2,3,4.5\nF001,T1,8,,,,"
    )
    boxes = read_boxes(path)
    assert list(boxes.columns) == BOX_COLUMNS
    assert boxes["frame"].tolist() == [7, 8]
    assert boxes["num_faces"].tolist() == [1, 0]
    assert boxes["y1"].iloc[0] == 4.5 and np.isnan(boxes["x0"].iloc[1])


HEADER = "subject,task,frame,x0,y0,x1,y1\n"


@pytest.mark.parametrize(
    "text, complaint",
    [
        ("", "no CSV of boxes"),
        ("subject,task,frame,x0,y0,x1\n", "lacks the columns y1"),
        (
            HEADER + "F001,T1,1,1,2,3,4\nF001,T1,2,1,x,3,4\n",
            "line 3: y0 is not a number",
        ),
        (HEADER + "F001,T1,1,1,2,inf,4\n", "line 2: x1 is not a number"),
        (HEADER + "F001,T1,1,1,2,3,\n", "line 2: a box needs all"),
        (HEADER + "F001,T1,1,3,2,1,4\n", "line 2: x1 must be greater"),
        (HEADER + "F001,T1,1,1,2,3,2\n", "line 2: y1 must be greater"),
        (HEADER + "F001,T1,1.5,1,2,3,4\n", "line 2: frame must be an integer"),
        (HEADER + "F001,T1,,1,2,3,4\n", "line 2: frame must be an integer"),
        (HEADER + "F001,T1,1,1,2,3,4\n" * 2, "line 3: a second box"),
        (HEADER.replace("y1", "y1,X0 "), "has two columns x0; remove one"),
        (HEADER.replace("y1", "y1,x0"), "has two columns x0; remove one"),
    ],
)
def test_a_wrong_csv_of_boxes_is_one_error_with_its_line(tmp_path, text, complaint):
    path = tmp_path / "boxes.csv"
    path.write_text(text)
    with pytest.raises(ValueError, match=complaint) as caught:
        read_boxes(path)
    assert str(path) in str(caught.value) and "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "header, row",
    [
        (HEADER.replace(",", ", "), "F001, T1, 7, 1, 2, 3, 4\n"),
        ("\ufeff" + HEADER.upper(), "F001,T1,7,1,2,3,4\n"),
        (" Subject ,\tTask,FRAME,X0,y0 ,x1,Y1\n", " F001 ,\tT1,7 ,1,2,3, 4\n"),
    ],
)
def test_blanks_and_case_do_not_matter(tmp_path, header, row):
    (tmp_path / "plain.csv").write_text(HEADER + "F001,T1,7,1,2,3,4\n")
    (tmp_path / "other.csv").write_text(header + row)
    expected = read_boxes(tmp_path / "plain.csv")
    pd.testing.assert_frame_equal(read_boxes(tmp_path / "other.csv"), expected)


WIDE, HIGH = 60, 80


@pytest.fixture(scope="module")
def tree(tmp_path_factory):
    """Four people, a task with five frames each: root, frames, and their boxes."""
    root = tmp_path_factory.mktemp("tree")
    rows = []
    for person, number in enumerate(("F001", "F002", "M001", "M002")):
        (root / number).mkdir()
        for frame in range(1, 6):
            path = f"{number}/{frame:03d}.png"
            Image.new("L", (WIDE, HIGH)).save(root / path)
            box = (12 + person, 15 + frame, 42 + person, 55 + frame)
            rows.append((number, "T1", frame, path, *box))
    table = pd.DataFrame(rows, columns=[*KEY, "path", *BOX])
    return root, table[[*KEY, "path"]], table[[*KEY, *BOX]]


def match(tmp_path, tree, boxes):
    boxes.to_csv(tmp_path / "boxes.csv", index=False)
    return match_boxes(tmp_path / "boxes.csv", *tree[:2])


def refusal(tmp_path, tree, boxes) -> str:
    with pytest.raises(ValueError) as caught:
        match(tmp_path, tree, boxes)
    assert "\n" not in str(caught.value)
    assert str(caught.value).startswith(str(tmp_path / "boxes.csv"))
    return str(caught.value).removeprefix(str(tmp_path / "boxes.csv"))


def test_each_frame_gets_the_box_of_its_row(tmp_path, tree):
    boxes = tree[2].sample(frac=1, random_state=0)
    boxes = boxes[~boxes["frame"].isin([2])]
    boxes = pd.concat([boxes, boxes.iloc[:1].assign(frame=99)])
    found, told = match(tmp_path, tree, boxes)
    assert list(found.columns) == BOX_COLUMNS and len(found) == 20
    assert found["num_faces"].dtype == np.int64
    assert found[KEY].equals(tree[1][KEY])
    without = found["frame"] == 2
    assert found["num_faces"].tolist() == [int(not none) for none in without]
    assert found.loc[without, BOX].isna().all(axis=None)
    assert (found[BOX] == tree[2][BOX])[~without].all(axis=None)
    first = boxes["subject"].iloc[0]
    assert told == (
        "16 of 20 frames have a row in boxes.csv; rows of no frame: 1, "
        f"the first is '{first}', 'T1', 99 in line 18"
    )
    assert (
        match(tmp_path, tree, tree[2])[1] == "20 of 20 frames have a row in boxes.csv"
    )


@pytest.mark.parametrize(
    "change, example",
    [
        ({"subject": str.lower}, "'f001', 'T1', 1"),
        ({"subject": lambda subject: subject.replace("0", "")}, "'F1', 'T1', 1"),
        ({"task": lambda task: task[1:]}, "'F001', '1', 1"),
    ],
)
def test_a_csv_whose_rows_belong_to_no_frame_is_refused(
    tmp_path, tree, change, example
):
    boxes = tree[2].assign(**{key: tree[2][key].map(f) for key, f in change.items()})
    told = refusal(tmp_path, tree, boxes)
    assert told.startswith(": only 0 of 20 frames have a row; correct subject, task")
    assert told.endswith(f"no row is 'F001', 'T1', 1, no frame is {example} in line 2")


def test_half_of_the_frames_need_a_row(tmp_path, tree):
    assert match(tmp_path, tree, tree[2].iloc[10:])[1].startswith("10 of 20")
    told = refusal(tmp_path, tree, tree[2].iloc[11:])
    assert told == ": has rows for 9 of 20 frames; add the others, such as F001 T1 1"
    assert refusal(tmp_path, tree, tree[2].iloc[:0]).startswith(
        ": has rows for 0 of 20"
    )


@pytest.mark.parametrize("shift", [-1, 1, 3, 2000])
def test_frames_counted_from_another_number_are_refused_though_most_match(
    tmp_path, tree, shift
):
    told = refusal(tmp_path, tree, tree[2].assign(frame=tree[2]["frame"] + shift))
    assert told.startswith(": in 4 of 4 sequences the frames are counted differently, ")
    assert f"in F001 T1 by {shift:+d}; number them as" in told


def test_a_frame_0_is_refused_where_the_pictures_begin_with_1(tmp_path, tree):
    zeros = tree[2].drop_duplicates("subject").assign(frame=0)
    told = refusal(tmp_path, tree, pd.concat([tree[2], zeros]))
    assert told.startswith(", line 22: frame 0, but F001 T1 has no picture 0; number")


def test_rows_of_whole_videos_are_taken(tmp_path, tree):
    """The coders coded a segment; a detector sees all frames of a video."""
    more = [tree[2].assign(frame=tree[2]["frame"] + past) for past in (10, 20, 30)]
    found, told = match(tmp_path, tree, pd.concat([tree[2], *more]))
    assert (found[BOX] == tree[2][BOX]).all(axis=None)
    assert told.startswith("20 of 20 frames have a row")


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le"])
@pytest.mark.parametrize("separator", [",", ";", "\t"])
def test_other_separators_and_encodings_are_read(tmp_path, tree, encoding, separator):
    path = tmp_path / "boxes.csv"
    text = tree[2].to_csv(index=False, sep=separator)
    mark = "\ufeff" if encoding == "utf-16-le" else ""
    path.write_bytes((mark + text).encode(encoding))
    found, _ = match_boxes(path, *tree[:2])
    assert (found[BOX] == tree[2][BOX]).all(axis=None)


def test_a_spreadsheet_is_no_csv(tmp_path):
    path = tmp_path / "boxes.xlsx"
    path.write_bytes(b"PK\x03\x04" + bytes(range(256)))
    with pytest.raises(ValueError, match="no CSV of boxes|lacks the columns") as caught:
        read_boxes(path)
    assert "\n" not in str(caught.value)


def test_a_picture_0_is_a_frame(tmp_path):
    (tmp_path / "T1").mkdir()
    Image.new("L", (WIDE, HIGH)).save(tmp_path / "T1" / "0000.png")
    frames = pd.DataFrame([("F001", "T1", 0, "T1/0000.png")], columns=[*KEY, "path"])
    (tmp_path / "boxes.csv").write_text(HEADER + "F001,T1,0,10,20,40,60\n")
    found, _ = match_boxes(tmp_path / "boxes.csv", tmp_path, frames)
    assert found["num_faces"].tolist() == [1]


@pytest.mark.parametrize("scale", [1 / HIGH, 0.25, 0.5, 0.65, 2, 4])
def test_boxes_in_other_units_than_the_pictures_pixels_are_refused(
    tmp_path, tree, scale
):
    told = refusal(tmp_path, tree, tree[2].assign(**(scale * tree[2][BOX])))
    assert told.startswith(", line 2: the box [")
    assert told.endswith(
        "is not in pixels of its picture, F001/001.png, which has 60 x 80; "
        "correct all 20 such boxes"
    )


def test_one_sequence_in_other_pixels_is_refused(tmp_path, tree):
    boxes = tree[2].astype(dict.fromkeys(BOX, float))
    boxes.loc[5:9, BOX] *= 4
    assert refusal(tmp_path, tree, boxes).startswith(", line 7: the box [52.0, ")


def test_a_single_wrong_detection_is_left_to_the_judge(tmp_path, tree):
    boxes = tree[2].copy()
    boxes.loc[3, BOX] = [70, 90, 100, 130]  # outside of the picture
    boxes.loc[8, BOX] = [20, 20, 21, 60]
    found, _ = match(tmp_path, tree, boxes)
    reasons = judge_boxes(found)["box_reason"]
    assert (reasons[3], reasons[8]) == ("jump", "shape")
    assert reasons.drop([3, 8]).eq("").all()


@settings(max_examples=20)
@given(st.integers(-14, 14), st.integers(-20, 20))
def test_boxes_that_reach_over_the_edge_are_taken(tree, right, down):
    shift = np.array([right, down, right, down])
    boxes = tree[2].assign(**dict(zip(BOX, (tree[2][BOX] + shift).to_numpy().T)))
    inside = np.clip(boxes[BOX], 0, [WIDE, HIGH] * 2)
    area = (inside["x1"] - inside["x0"]) * (inside["y1"] - inside["y0"])
    assume((area >= 0.6 * 30 * 40).all())
    with TemporaryDirectory() as folder:
        found, _ = match(Path(folder), tree, boxes)
    assert found[BOX].to_numpy().tolist() == boxes[BOX].to_numpy().tolist()


GOOD, NEAR, FAR = (10, 10, 50, 60), (12, 10, 52, 60), (100, 100, 140, 150)


def boxes_table(rows) -> pd.DataFrame:
    """`rows` of (subject, task, frame, num_faces, box or None)."""
    return pd.DataFrame(
        [(*row[:4], *(row[4] or [np.nan] * 4), 1.0) for row in rows],
        columns=BOX_COLUMNS,
    )


def test_wrong_detections_have_their_reason_and_the_nearest_good_box():
    judged = judge_boxes(
        boxes_table(
            [
                ("F001", "T1", 1, 1, GOOD),
                ("F001", "T1", 2, 0, None),  # as near to 1 as to 3: the earlier
                ("F001", "T1", 3, 1, NEAR),
                ("F001", "T1", 4, 1, FAR),
                ("F001", "T1", 5, 2, FAR),
                ("F001", "T1", 9, 1, GOOD),
                ("F001", "T1", 8, 0, None),  # the rows need no order
            ]
        )
    )
    assert judged["box_reason"].tolist() == [
        *("", "none", "", "jump", "several", "", "none"),
    ]
    expected = [GOOD, GOOD, NEAR, NEAR, NEAR, GOOD, GOOD]
    assert judged[BOX].to_numpy().tolist() == [[*map(float, box)] for box in expected]


def test_a_sequence_without_a_good_box_takes_the_persons_median():
    judged = judge_boxes(
        boxes_table(
            [
                ("F001", "T1", 1, 1, (0, 0, 20, 20)),
                ("F001", "T2", 1, 1, (4, 0, 24, 28)),
                ("F001", "T3", 1, 1, (8, 0, 28, 30)),
                ("F001", "T4", 1, 0, None),
                ("F001", "T4", 2, 2, FAR),
                ("M002", "T1", 1, 0, None),  # nothing at all
                ("M002", "T1", 2, 3, FAR),  # the best of several is what there is
            ]
        )
    )
    median = [4.0, 0.0, 24.0, 28.0]
    assert judged[BOX].to_numpy()[3:5].tolist() == [median, median]
    assert judged[BOX].iloc[5].isna().all()
    assert tuple(judged[BOX].iloc[6]) == FAR
    assert judged["box_reason"].tolist()[5:] == ["none", "several"]


NARROW, SMALL, LONG = (10, 10, 10.01, 60), (10, 10, 20, 22), (10, 10, 30, 71)


@pytest.mark.parametrize("shape", [NARROW, SMALL, LONG])
def test_an_impossible_shape_is_a_wrong_detection(shape):
    rows = [("F001", "T1", frame, 1, shape) for frame in range(5)]
    rows += [("F001", "T1", 7, 1, GOOD), ("F001", "T1", 8, 1, GOOD)]
    rows += [("M001", "T1", 1, 1, shape), ("M001", "T1", 2, 2, shape)]
    judged = judge_boxes(boxes_table(rows))
    # the majority is wrong, and GOOD does not jump
    reasons = ["shape"] * 5 + ["", "", "shape", "several"]
    assert judged["box_reason"].tolist() == reasons
    assert judged.loc[:6, BOX].eq(list(GOOD), axis=1).all(axis=None)
    assert judged.loc[7:, BOX].isna().all(axis=None)  # a frame without a box


def test_the_limits_of_shape_are_possible():
    boxes = [(0, 0, 16, 16), (0, 0, 16, 48), (0, 0, 48, 16)]
    for box in boxes:
        judged = judge_boxes(boxes_table([("F001", "T1", 1, 1, box)]))
        assert judged["box_reason"].tolist() == [""]
        assert tuple(judged[BOX].iloc[0]) == box


@pytest.mark.parametrize("shift, reason", [(20, ""), (35, "jump"), (60, "jump")])
def test_a_box_jumps_if_it_overlaps_the_median_by_less_than_one_half(shift, reason):
    """A square of 100 moved by s overlaps by (100 − s) / (100 + s): .67, .48, .25."""
    boxes = pd.DataFrame({"subject": "F001", "task": "T1", "frame": range(5)})
    boxes["num_faces"], boxes["score"] = 1, 1.0
    boxes[BOX] = [[0.0, 0.0, 100.0, 100.0]] * 5
    boxes.loc[4, ["x0", "x1"]] += shift
    assert judge_boxes(boxes)["box_reason"].tolist() == ["", "", "", "", reason]


def test_overlap_is_counted_in_pixels():
    generator = np.random.default_rng(0)
    corners = np.sort(generator.integers(0, 20, (50, 2, 2)), axis=1)
    boxes = np.hstack([corners[:, 0], corners[:, 1] + 1])

    def pixels(box):
        mask = np.zeros((25, 25), dtype=bool)
        mask[box[1] : box[3], box[0] : box[2]] = True
        return mask

    other = pixels(boxes[0])
    counted = [(pixels(b) & other).sum() / (pixels(b) | other).sum() for b in boxes]
    assert overlap(boxes, boxes[0]) == pytest.approx(counted)
