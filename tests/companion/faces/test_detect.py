import os
import shutil
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from pictures import write_pictures
from PIL import Image
from skimage import data
from turns import wait_its_turn

from companion.faces import detect
from companion.faces.boxes import BOX, BOX_COLUMNS, overlap, read_boxes
from companion.faces.detect import detect_boxes, detect_faces

EYES = [(210, 107), (248, 110)]  # of the portrait, read off the picture


@pytest.fixture(scope="module")
def tree(tmp_path_factory):
    root = tmp_path_factory.mktemp("tree")
    return root, write_pictures(root)


def test_the_portrait_has_one_face_and_it_is_where_the_eyes_are():
    faces = detect_faces(data.astronaut())
    assert faces.shape == (1, 5) and faces.dtype == np.float64
    x0, y0, x1, y1, score = faces[0]
    assert score > 0
    assert y1 - y0 > 1.2 * (x1 - x0)  # room to move along
    for x, y in EYES:
        assert x0 < x < x1 and y0 < y < y0 + 0.5 * (y1 - y0)


def test_boxes_follow_the_pictures_size():
    portrait = Image.fromarray(data.astronaut())
    large = portrait.resize((1024, 1024), Image.BICUBIC)
    small, big = detect_faces(np.asarray(portrait)), detect_faces(np.asarray(large))
    assert len(big) == 1
    assert overlap(big[:, :4] / 2, small[0, :4])[0] > 0.9


@pytest.mark.parametrize("shape", [(50, 40, 3), (1, 1, 3), (348, 260, 3), (2, 900, 3)])
def test_no_face_is_no_box(shape):
    assert detect_faces(np.full(shape, 127, dtype=np.uint8)).shape == (0, 5)


def test_boxes_of_a_tree_are_the_same_for_any_number_of_workers(tree):
    root, frames = tree
    one = detect_boxes(root, frames, workers=1)
    two = detect_boxes(root, frames, workers=2)
    pd.testing.assert_frame_equal(one, two)
    assert list(one.columns) == BOX_COLUMNS
    assert one["frame"].tolist() == list(range(11))
    assert one["num_faces"].tolist() == [0] * 10 + [1]
    assert one[BOX].isna().all(axis=1).tolist() == [True] * 10 + [False]
    # the JPEG was decoded at its full size or less; the box is in its pixels
    box = one[BOX].to_numpy()[10]
    assert overlap(detect_faces(data.astronaut())[:, :4], box)[0] > 0.9


def searched(monkeypatch) -> list[str]:
    """The pictures that are opened from now on."""
    asked, read = [], detect.read_picture

    def counted(path, longest=None):
        asked.append(Path(path).name)
        return read(path, longest)

    monkeypatch.setattr(detect, "read_picture", counted)
    return asked


def test_a_search_that_was_stopped_anywhere_goes_on(tree, tmp_path, monkeypatch):
    root, frames = tree
    found = tmp_path / "found"
    undisturbed = detect_boxes(root, frames, 1)
    pd.testing.assert_frame_equal(detect_boxes(root, frames, 1, found), undisturbed)
    content = found.read_bytes()
    ends = [place for place, byte in enumerate(content) if byte == 10]
    assert len(ends) == len(frames) + 1
    lengths = [0, 10, *(e + d for e in ends[::3] for d in (0, 1, 9)), len(content)]
    for length in lengths:
        found.write_bytes(content[:length])
        with monkeypatch.context() as patch:
            asked = searched(patch)
            boxes = detect_boxes(root, frames, 1, found)
        pd.testing.assert_frame_equal(boxes, undisturbed)
        done = max(0, sum(end < length for end in ends) - 1)
        assert asked == [*frames["path"]][done:]
    found.write_bytes(content.replace(content[:20], b"# " + b"0" * 18, 1))
    asked = searched(monkeypatch)
    detect_boxes(root, frames, 1, found)
    assert len(asked) == len(frames)


def test_a_second_caller_waits_and_reads_what_the_first_has_found(
    tree, tmp_path, monkeypatch
):
    root, frames = tree
    expected = detect_boxes(root, frames, 1, tmp_path / "first")
    asked = searched(monkeypatch)
    found = tmp_path / "found"
    boxes = wait_its_turn(
        monkeypatch,
        found,
        partial(detect_boxes, root, frames, 1, found),
        partial(shutil.copyfile, tmp_path / "first", found),
    )
    pd.testing.assert_frame_equal(boxes, expected)
    assert not asked


def test_only_pictures_that_changed_are_searched_again(tree, tmp_path, monkeypatch):
    root, frames = tree
    copy = shutil.copytree(root, tmp_path / "copy")
    found = tmp_path / "found"
    before = detect_boxes(copy, frames, 1, found)
    first = copy / frames["path"].iloc[0]
    shutil.copyfile(copy / frames["path"].iloc[-1], first)
    os.utime(first, ns=(1, 1))
    asked = searched(monkeypatch)
    after = detect_boxes(copy, frames, 1, found)
    assert asked == [frames["path"].iloc[0]]
    pd.testing.assert_frame_equal(after.iloc[1:], before.iloc[1:])
    with open(found, "a") as file:
        file.write("what is this\n")
    with pytest.raises(ValueError, match=r"found, line \d+: no detection; remove"):
        detect_boxes(copy, frames, 1, found)


@pytest.mark.parametrize("text", ["frame,face\n1,2\n", "# my notes\n", "mine"])
def test_a_file_of_something_else_is_no_cache_and_stays(tree, tmp_path, text):
    root, frames = tree
    (tmp_path / "found").write_text(text)
    with pytest.raises(ValueError, match="found: not written by detect_boxes; name"):
        detect_boxes(root, frames, 1, tmp_path / "found")
    assert (tmp_path / "found").read_text() == text


def test_a_crash_while_the_cache_is_cleaned_loses_no_detection(
    tree, tmp_path, monkeypatch
):
    root, frames = tree
    found = tmp_path / "found"
    detect_boxes(root, frames, 1, found)
    content = found.read_bytes()

    def killed(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("os.replace", killed)
        with pytest.raises(KeyboardInterrupt):
            detect_boxes(root, frames, 1, found)
    assert found.read_bytes() == content


def test_boxes_written_are_read_again(tree, tmp_path):
    root, frames = tree
    boxes = detect_boxes(root, frames, workers=1)
    boxes.to_csv(tmp_path / "boxes.csv", index=False)
    pd.testing.assert_frame_equal(read_boxes(tmp_path / "boxes.csv"), boxes)


@pytest.mark.parametrize("workers", [1, 2])
def test_an_image_that_does_not_decode_is_named(tree, tmp_path, workers):
    root, frames = tree
    content = (root / "3.jpg").read_bytes()
    (tmp_path / "3.jpg").write_bytes(content[: len(content) // 2])
    (tmp_path / "2.jpg").write_bytes(content)
    frames = frames[frames["frame"].isin([2, 3])]
    with pytest.raises(ValueError, match="3.jpg: no picture can be read") as caught:
        detect_boxes(tmp_path, frames, workers)
    assert "\n" not in str(caught.value)
