import os
import shutil
import threading
import time

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image
from trees import JPEG, NAMES, OLD, jpeg, sequence, write_tree

import companion.bp4d.frames
from aulib import AUS
from companion.bp4d import AU_NAMES, images, read_frames


@pytest.mark.parametrize("folder", ["BP4D-training", "BP4D", "."])
@pytest.mark.parametrize(
    "intensities", [OLD, "AU-Intensity-Codes3.0", "AUCoding/AU_INT"]
)
def test_every_known_layout_is_read(tmp_path, folder, intensities):
    images = {("F001", "T1"): NAMES, ("M002", "T8"): ["0753.JPG", "754.jpeg"]}
    rows = sequence() | sequence("753,5\n754,1\n", "M002", "T8")
    write_tree(tmp_path, images, rows, folder, intensities)
    for extra in ("Thumbs.db", ".DS_Store"):
        (tmp_path / folder / "F001" / "T1" / extra).write_bytes(b"x")
        (tmp_path / intensities / "AU06" / extra).write_bytes(b"x")
    (tmp_path / intensities / "AU01").mkdir()
    shouted = tmp_path / intensities / "AU14" / "M002_T8_AU14.csv"
    shouted.rename(shouted.with_suffix(".CSV"))

    frames, quarantine = read_frames(tmp_path)

    assert quarantine.empty
    assert list(frames.columns) == [
        *("subject", "task", "frame", "split", "path"),
        *AU_NAMES,
    ]
    assert frames["frame"].tolist() == [1, 2, 3, 753, 754]
    assert frames["split"].tolist() == ["train"] * 3 + ["evaluation"] * 2
    assert frames["AU14"].tolist() == [0, 3, 9, 5, 1]
    assert all(frames[name].dtype == np.int8 for name in AU_NAMES)
    assert frames["frame"].dtype == np.int64
    assert frames["path"].iloc[3].endswith("M002/T8/0753.JPG")
    assert all((tmp_path / path).is_file() for path in frames["path"])


def test_a_frame_is_the_picture_of_its_number_not_of_its_row(tmp_path):
    rows = sequence("2,1\n1,4\n")  # not in order, and the first picture is uncoded
    rows["F001", "T1", 17] = "1,2\n2,5\n"
    write_tree(tmp_path, {("F001", "T1"): ["000.jpg", "001.jpg", "0002.jpg"]}, rows)
    frames, quarantine = read_frames(tmp_path)
    assert frames["frame"].tolist() == [1, 2]
    assert frames["AU06"].tolist() == [4, 1]
    assert frames["AU17"].tolist() == [2, 5]
    assert frames["path"].str[-8:].tolist() == ["/001.jpg", "0002.jpg"]
    assert quarantine.empty


def test_a_missing_csv_or_row_is_nine_and_has_its_line(tmp_path):
    rows = sequence()
    del rows["F001", "T1", 12]
    rows["F001", "T1", 17] = "1,0\n3,2\n"
    write_tree(tmp_path, {("F001", "T1"): NAMES}, rows)
    frames, quarantine = read_frames(tmp_path)
    assert frames["AU12"].tolist() == [9, 9, 9]
    assert frames["AU17"].tolist() == [0, 9, 2]
    assert frames["AU06"].tolist() == [0, 3, 9]
    no_csv = quarantine[quarantine["reason"] == "no CSV"]
    assert no_csv["frame"].tolist() == [1, 2, 3] and set(no_csv["au"]) == {12}
    no_row = quarantine[quarantine["reason"] == "no row"]
    assert no_row[["frame", "au"]].to_numpy().tolist() == [[2, 17]]
    assert no_row["file"].item() == f"{OLD}/AU17/F001_T1_AU17.csv"
    assert len(quarantine) == 4


@pytest.mark.parametrize(
    "content, reason",
    [
        (None, "no image"),
        (b"", "empty image"),
        (JPEG[: len(JPEG) // 2], "truncated image"),
        (JPEG[:-2], "truncated image"),
        (b"\x89PNG\r\n\x1a\n" + b"0" * 90, "not a JPEG"),
        (b"\xff\xd8\xff" + b"0" * 90 + b"\xff\xd9", "not a JPEG"),
        ("folder", "unreadable image"),
        (jpeg((64, 64), hole=True), "damaged image"),
        (jpeg((8, 8), orientation=6), "rotated by EXIF"),
    ],
)
def test_a_frame_without_a_readable_image_is_in_quarantine_only(
    tmp_path, content, reason
):
    write_tree(tmp_path, {("F001", "T1"): ["1.jpg", "3.jpg"]}, sequence())
    path = tmp_path / "BP4D-training" / "F001" / "T1" / "2.jpg"
    if content == "folder":
        path.mkdir()
    elif content is not None:
        path.write_bytes(content)
    frames, quarantine = read_frames(tmp_path)
    assert frames["frame"].tolist() == [1, 3]
    (line,) = quarantine.to_dict("records")
    assert (line["subject"], line["task"], line["frame"]) == ("F001", "T1", 2)
    assert line["reason"] == reason and pd.isna(line["au"])


def test_two_images_of_one_number_are_not_guessed_between(tmp_path):
    write_tree(tmp_path, {("F001", "T1"): [*NAMES, "0002.jpg"]}, sequence())
    frames, quarantine = read_frames(tmp_path)
    assert frames["frame"].tolist() == [1, 3]
    assert quarantine["reason"].tolist() == ["several images"]


@pytest.mark.parametrize(
    "row, frame, reason",
    [
        ("2,7", 2, "code is neither 0 to 5 nor 9"),
        ("2,-1", 2, "code is neither 0 to 5 nor 9"),
        ("2,2.5", 2, "code is neither 0 to 5 nor 9"),
        ("2,", 2, "code is not a number"),
        ("2,nan", 2, "code is not a number"),
        ("2,two", 2, "code is not a number"),
        ("2", None, "not two columns"),
        ("2,3,1", None, "not two columns"),
        ("two,3", None, "frame is not a number"),
        ("-2,3", None, "frame is not a number"),
        (",3", None, "frame is not a number"),
        ("99999999999999999999,3", None, "frame is not a number"),
    ],
)
def test_a_wrong_row_has_its_line(tmp_path, row, frame, reason):
    rows = sequence()
    rows["F001", "T1", 10] = f"1,0\n{row}\n3,9\n"
    write_tree(tmp_path, {("F001", "T1"): NAMES}, rows)
    frames, quarantine = read_frames(tmp_path)
    assert frames["AU10"].tolist() == [0, 9, 9]
    assert frames["AU12"].tolist() == [0, 3, 9]
    first = quarantine.iloc[0]
    assert (first["reason"], first["au"], first["line"]) == (reason, 10, 2)
    assert first["file"] == f"{OLD}/AU10/F001_T1_AU10.csv"
    if frame is None:  # the frame that the row may have meant is reported too
        assert pd.isna(first["frame"])
        assert quarantine["reason"].tolist() == [reason, "no row"]
    else:
        assert first["frame"] == frame and len(quarantine) == 1


def test_empty_unreadable_and_stray_csvs_have_their_line(tmp_path):
    rows = sequence()
    rows["F001", "T1", 6] = ""
    del rows["F001", "T1", 10]
    write_tree(tmp_path, {("F001", "T1"): NAMES, ("M003", "T2"): NAMES}, rows)
    (tmp_path / OLD / "AU10" / "F001_T1_AU10.csv").mkdir(parents=True)
    (tmp_path / OLD / "AU12" / "notes.csv").write_text("1,1\n")
    (tmp_path / OLD / "AU12" / "F001_T1_AU14.csv").write_text("1,1\n")
    frames, quarantine = read_frames(tmp_path)
    assert frames["AU06"].tolist() == frames["AU10"].tolist() == [9, 9, 9]
    counts = quarantine["reason"].value_counts().to_dict()
    assert counts == {
        "empty CSV": 1,
        "unreadable CSV": 1,
        "unexpected file name": 2,
        "no row": 6,
        "no CSV": 5,  # of M003, one for each Action Unit
    }


CELL = st.sampled_from(["0", "1", "3", "5", "9", "9", "-1", "6", "", "nan", "x", "2.5"])
ROW = st.one_of(
    st.tuples(st.integers(1, 6), CELL).map(lambda row: f"{row[0]},{row[1]}"),
    st.sampled_from(["", "  ", "3", "a,1", "1,2,3", "frame,code"]),
)
FILE = st.none() | st.lists(ROW, max_size=8)
FAULTS = ["absent", "empty", "cut", "text", "large", "twice", "link", "inner link"]
FAULTS += ["hole", "rotated"]
PICTURE = st.sampled_from(["good"] * 8 + FAULTS)
CONTENT = {
    "good": JPEG,
    "twice": JPEG,
    "empty": b"",
    "cut": JPEG[:-9],
    "text": b"no picture at all",
    "large": jpeg((16, 8)),
    "hole": jpeg((64, 64), hole=True),
    "rotated": jpeg(orientation=3),
}
SPELLING = st.sampled_from(["{}\n", "{}\r\n", " {} \n", "\ufeff{}\n", "{}\r"])
TREE = st.dictionaries(
    st.tuples(st.sampled_from(["F001", "M018"]), st.sampled_from(["T1", "T2"])),
    st.tuples(
        st.lists(FILE, min_size=5, max_size=5),
        st.lists(PICTURE, min_size=6, max_size=6),
        st.sampled_from(["{}.jpg", "{:03d}.jpg", "{:04d}.JPG", "{:05d}.jpeg"]),
        st.sampled_from([0, 0, 0, -1, 1, 5]),  # pictures that are numbered otherwise
        SPELLING,
    ),
    min_size=1,
)
FEW = [HealthCheck.function_scoped_fixture, HealthCheck.too_slow]


@settings(max_examples=300, suppress_health_check=FEW)
@given(TREE, st.sampled_from(["BP4D-training", "BP4D", "."]))
def test_rows_in_are_kept_or_quarantined(tmp_path_factory, tree, folder):
    check_accounts(tmp_path_factory.mktemp("tree"), tree, folder)


@pytest.mark.stress
@settings(max_examples=5_000, suppress_health_check=FEW)
@given(TREE, st.sampled_from(["BP4D-training", "BP4D", "."]))
def test_rows_in_are_kept_or_quarantined_in_5000_trees(tmp_path_factory, tree, folder):
    root = tmp_path_factory.mktemp("tree")
    check_accounts(root, tree, folder)
    shutil.rmtree(root)


def check_accounts(root, tree, folder):
    """Write a tree, read it, and find every row that was written again."""
    outside = root / "outside.jpg"
    outside.write_bytes(JPEG)
    root = root / "BP4D"
    (root / folder / "F001").mkdir(parents=True)
    (root / OLD / "AU06").mkdir(parents=True)
    (root / OLD / "AU06" / "F001_T8_AU06.csv").write_text("1,1\n")  # never empty
    written = []
    for (subject, task), (files, pictures, name, shift, spelling) in tree.items():
        for au, lines in zip(AUS, files, strict=True):
            if lines is not None:
                text = "".join(spelling.replace("\ufeff", "").format(i) for i in lines)
                text = "\ufeff" * spelling.startswith("\ufeff") + text
                write_tree(root, {}, {(subject, task, au): text})
                file = f"{OLD}/AU{au:02d}/{subject}_{task}_AU{au:02d}.csv"
                written += [
                    (subject, task, au, file, number, line)
                    for number, line in enumerate(lines, 1)
                    if line.strip()
                ]
        for number, picture in enumerate(pictures, 1):
            path = root / folder / subject / task / name.format(number + shift)
            os.makedirs(path.parent, exist_ok=True)
            if picture in CONTENT:
                path.write_bytes(CONTENT[picture])
            if picture == "twice":
                path.with_name(f"000000{number + shift}.jpg").write_bytes(JPEG)
            if picture == "link":
                path.symlink_to(outside)
            if picture == "inner link":
                (root / "elsewhere.jpg").write_bytes(JPEG)
                path.symlink_to(root / "elsewhere.jpg")

    frames, quarantine = read_frames(root)

    key = ["subject", "task", "frame"]
    assert not frames.duplicated(key).any()
    assert frames.sort_values(key).index.equals(frames.index)
    code = {
        (*row[:3], au): row[3 + column]
        for row in frames[[*key, *AU_NAMES]].itertuples(index=False)
        for column, au in enumerate(AUS)
    }
    whole = {
        (line.subject, line.task, line.frame)
        for line in quarantine.itertuples()
        if pd.isna(line.au)
    }
    lines = {
        (line.file, line.line)
        for line in quarantine.itertuples()
        if not pd.isna(line.line)
    }
    assert not whole & {place[:3] for place in code}
    for path in frames["path"]:  # what is kept is a picture of this tree
        real = (root / path).resolve()
        assert real.is_relative_to(root.resolve())
        assert Image.open(real).size in ((8, 8), (16, 8))
    for subject, task, au, file, number, line in written:
        if (file, number) in lines:
            continue
        frame, value = line.split(",")
        place = (subject, task, int(frame))
        assert place in whole or code[(*place, au)] == int(value)
    # and nothing is made up: an intensity that is known was written
    said = {(row[0], row[1], row[2], row[5].replace(" ", "")) for row in written}
    for (subject, task, frame, au), value in code.items():
        assert value == 9 or (subject, task, au, f"{frame},{value}") in said
    # a 9 that nobody wrote has a reason
    for (subject, task, frame, au), value in code.items():
        if value == 9 and (subject, task, au, f"{frame},9") not in said:
            mine = quarantine[
                (quarantine["subject"] == subject)
                & (quarantine["task"] == task)
                & (quarantine["frame"] == frame)
                & (quarantine["au"] == au)
            ]
            assert len(mine)


def test_a_picture_of_another_size_is_named(tmp_path):
    write_tree(tmp_path, {("F001", "T1"): NAMES}, sequence())
    folder = tmp_path / "BP4D-training" / "F001" / "T1"
    (folder / "2.jpg").write_bytes(jpeg((4, 8)))
    frames, quarantine = read_frames(tmp_path)
    assert frames["frame"].tolist() == [1, 3]
    (line,) = quarantine.to_dict("records")
    assert line["reason"] == "other size than its sequence" and line["frame"] == 2
    assert line["file"].endswith("T1/2.jpg")


def test_links_within_the_root_are_followed_and_no_others(tmp_path):
    """The root itself may be a link; that is how most will have it."""
    disk, copy = tmp_path / "disk", tmp_path / "copy"
    write_tree(copy, {("F001", "T1"): NAMES, ("F001", "T2"): NAMES}, sequence())
    write_tree(copy, {}, sequence(task="T2") | sequence(task="T3"))
    write_tree(disk, {("F001", "T3"): NAMES}, {})
    pictures = copy / "BP4D-training" / "F001"
    (pictures / "T1" / "2.jpg").unlink()
    (pictures / "T1" / "2.jpg").symlink_to(pictures / "T2" / "2.jpg")
    (pictures / "T2" / "3.jpg").unlink()
    (pictures / "T2" / "3.jpg").symlink_to(disk / "BP4D-training/F001/T3/3.jpg")
    (pictures / "T3").symlink_to(disk / "BP4D-training/F001/T3")
    stray = copy / OLD / "AU06" / "F001_T3_AU06.csv"
    stray.rename(disk / "codes.csv")
    stray.symlink_to(disk / "codes.csv")
    root = tmp_path / "root"
    root.symlink_to(copy)

    frames, quarantine = read_frames(root)

    assert frames[["task", "frame"]].to_numpy().tolist() == [
        ["T1", 1],
        ["T1", 2],
        ["T1", 3],
        ["T2", 1],
        ["T2", 2],
    ]
    links = quarantine[quarantine["reason"] == "link out of the root"]
    assert sorted(links["file"]) == [
        f"{OLD}/AU06/F001_T3_AU06.csv",
        *["BP4D-training/F001/T2/3.jpg"],
        *["BP4D-training/F001/T3"] * 3,
    ]
    (copy / "BP4D-training").rename(disk / "pictures")
    (copy / "BP4D-training").symlink_to(disk / "pictures")
    with pytest.raises(ValueError, match="BP4D-training: a link out of the data root"):
        read_frames(root)


@pytest.mark.parametrize(
    "text, names, subject",
    [
        ("2440|3\n", NAMES, "F001"),  # no readable label
        ("", NAMES, "F001"),
        ("1,0\n2,3\n3,9\n", [], "F001"),  # no picture
        ("1,0\n2,3\n3,9\n", NAMES, "F001"),  # one half of the people
        ("1,0\n2,3\n3,9\n", NAMES, "F002"),
    ],
)
def test_the_tables_have_their_form_whatever_is_missing(tmp_path, text, names, subject):
    whole = tmp_path / "whole"
    write_tree(whole, {("F001", "T1"): NAMES[:2]}, sequence())
    expected = [table.dtypes.to_dict() for table in read_frames(whole)]
    root = tmp_path / "root"
    write_tree(root, {(subject, "T1"): names}, sequence(text, subject))
    frames, quarantine = read_frames(root)
    assert [frames.dtypes.to_dict(), quarantine.dtypes.to_dict()] == expected
    assert (len(frames) == 0) == (text != "1,0\n2,3\n3,9\n" or not names)
    assert len(frames) or len(quarantine)
    frames.merge(frames, on=["subject", "task", "frame"]).groupby("split_x").size()


def test_the_pictures_are_decoded_by_as_many_threads_as_may_be_used(
    tmp_path, monkeypatch
):
    tasks = [f"T{number}" for number in range(1, 9)]
    for task in tasks:
        write_tree(tmp_path, {("F001", task): NAMES}, sequence(task=task))
    names, examine = set(), images.examine_image

    def noted(path):
        names.add(threading.get_ident())
        time.sleep(0.02)
        return examine(path)

    monkeypatch.setattr(images, "examine_image", noted)
    monkeypatch.setattr(companion.bp4d.frames, "cpu_count", lambda: 3)
    frames, quarantine = read_frames(tmp_path)
    assert frames["task"].tolist() == [task for task in tasks for _ in NAMES]
    assert quarantine.empty and len(names) == 3


def test_an_unreadable_folder_is_named(tmp_path, monkeypatch):
    write_tree(tmp_path, {("F001", "T1"): NAMES, ("F001", "T2"): NAMES}, sequence())
    write_tree(tmp_path, {}, sequence(task="T2"))
    listed = os.scandir

    def refuse(path):
        if str(path).endswith("T2"):
            raise PermissionError(13, "Permission denied", str(path))
        return listed(path)

    monkeypatch.setattr(os, "scandir", refuse)
    frames, quarantine = read_frames(tmp_path)
    assert set(frames["task"]) == {"T1"} and len(frames) == 3
    assert quarantine["reason"].tolist() == ["unreadable folder"] * 3
