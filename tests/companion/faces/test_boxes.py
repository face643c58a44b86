import numpy as np
import pandas as pd
import pytest

from companion.faces.boxes import BOX, BOX_COLUMNS, judge_boxes, overlap, read_boxes


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
    ],
)
def test_a_wrong_csv_of_boxes_is_one_error_with_its_line(tmp_path, text, complaint):
    path = tmp_path / "boxes.csv"
    path.write_text(text)
    with pytest.raises(ValueError, match=complaint) as caught:
        read_boxes(path)
    assert str(path) in str(caught.value) and "\n" not in str(caught.value)


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
                ("F001", "T1", 1, 1, (0, 0, 10, 10)),
                ("F001", "T2", 1, 1, (2, 0, 12, 14)),
                ("F001", "T3", 1, 1, (4, 0, 14, 15)),
                ("F001", "T4", 1, 0, None),
                ("F001", "T4", 2, 2, FAR),
                ("M002", "T1", 1, 0, None),  # nothing at all
                ("M002", "T1", 2, 3, FAR),  # the best of several is what there is
            ]
        )
    )
    median = [2.0, 0.0, 12.0, 14.0]
    assert judged[BOX].to_numpy()[3:5].tolist() == [median, median]
    assert judged[BOX].iloc[5].isna().all()
    assert tuple(judged[BOX].iloc[6]) == FAR
    assert judged["box_reason"].tolist()[5:] == ["none", "several"]


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
