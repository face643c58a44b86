import json
import os
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from skimage import data

from aulib import AU_NAMES, faces
from aulib.faces import (
    BOX,
    BOX_COLUMNS,
    CropStore,
    central_crops,
    crop_face,
    detect_boxes,
    detect_faces,
    judge_boxes,
    normalise,
    overlap,
    random_crops,
    read_boxes,
    write_crops,
)

EYES = [(210, 107), (248, 110)]  # of the portrait, read off the picture


def frames_table(rows) -> pd.DataFrame:
    """`rows` of (subject, task, frame, path)."""
    frames = pd.DataFrame(rows, columns=["subject", "task", "frame", "path"])
    frames.insert(3, "split", "train")
    frames[list(AU_NAMES)] = np.zeros((len(rows), 5), dtype=np.int8)
    return frames


@pytest.fixture(scope="module")
def tree(tmp_path_factory):
    """A root with eleven pictures: ten of noise, the last one of a face."""
    root = tmp_path_factory.mktemp("tree")
    generator = np.random.default_rng(0)
    for number in range(10):
        noise = generator.integers(0, 255, (90, 70, 3), dtype=np.uint8)
        Image.fromarray(noise).save(root / f"{number}.jpg")
    Image.fromarray(data.astronaut()).save(root / "10.jpg", quality=95)
    frames = frames_table([("F001", "T1", n, f"{n}.jpg") for n in range(11)])
    generator = np.random.default_rng(1)
    frames[["x0", "y0"]] = generator.uniform(0, 20, (11, 2))
    frames[["x1", "y1"]] = generator.uniform(40, 70, (11, 2))
    frames["kept"] = frames["frame"] != 4
    return root, frames


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
    asked, read = [], faces._read

    def counted(path, longest=None):
        asked.append(Path(path).name)
        return read(path, longest)

    monkeypatch.setattr(faces, "_read", counted)
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
    found.write_bytes(content.replace(content[:20], b"# another detector: ", 1))
    asked = searched(monkeypatch)
    detect_boxes(root, frames, 1, found)
    assert len(asked) == len(frames)


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


def test_boxes_written_are_read_again(tree, tmp_path):
    root, frames = tree
    boxes = detect_boxes(root, frames, workers=1)
    boxes.to_csv(tmp_path / "boxes.csv", index=False)
    pd.testing.assert_frame_equal(read_boxes(tmp_path / "boxes.csv"), boxes)


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


def test_a_crop_of_the_same_size_is_the_picture_itself():
    image = np.random.default_rng(0).integers(0, 255, (60, 50, 3), dtype=np.uint8)
    crop = crop_face(image, (5, 7, 37, 52), 32)
    assert np.array_equal(crop, image[7:52, 5:37])
    # what lies outside the picture is cut off, the rest not squared
    crop = crop_face(image, (-20, 20, 32, 900), 32)
    assert np.array_equal(crop, image[20:60, :32])


def test_a_crop_is_scaled_bilinearly_as_torchvision_does():
    from torchvision.transforms import v2

    image = data.astronaut()
    crop = crop_face(image, (160, 40, 290, 231), 64)
    expected = v2.Resize(64)(Image.fromarray(image[40:231, 160:290]))
    assert crop.shape == (94, 64, 3)
    # at its edges the crop is mixed with the picture around, which torchvision lacks
    assert np.array_equal(crop[1:-1, 1:-1], np.asarray(expected)[1:-1, 1:-1])


@given(
    st.tuples(*[st.floats(-30, 90)] * 4),
    st.integers(1, 70),
)
def test_the_smaller_side_of_a_crop_is_exact(box, size):
    image = np.zeros((60, 50, 3), dtype=np.uint8)
    x0, y0, x1, y1 = box
    x0, x1 = np.clip([x0, x1], 0, 50)
    y0, y1 = np.clip([y0, y1], 0, 60)
    if x1 - x0 < 1 or y1 - y0 < 1:
        if x1 <= x0 or y1 <= y0:
            with pytest.raises(ValueError, match="no part in the picture"):
                crop_face(image, box, size)
        return
    crop = crop_face(image, box, size)
    height, width = crop.shape[:2]
    assert min(height, width) == size
    assert (height >= width) == (int(size * (y1 - y0) / (x1 - x0)) >= size) or (
        height == width
    )


def test_a_box_of_nothing_is_an_error():
    with pytest.raises(ValueError, match="no part in the picture"):
        crop_face(np.zeros((9, 9, 3), dtype=np.uint8), [np.nan] * 4, 8)


@pytest.fixture(scope="module")
def crops(tree, tmp_path_factory):
    root, frames = tree
    directory = tmp_path_factory.mktemp("crops")
    write_crops(directory, root, frames, 16, workers=1)
    return directory


def test_the_store_holds_the_crops_of_the_frames_kept_in_order(tree, crops):
    root, frames = tree
    store = CropStore(crops)
    assert len(store) == 10 and store.crop_size == 16
    assert store.index["frame"].tolist() == [0, 1, 2, 3, 5, 6, 7, 8, 9, 10]
    kept = frames[frames["kept"]]
    for row, (path, box) in enumerate(
        zip(kept["path"], kept[BOX].to_numpy(), strict=True)
    ):
        image = np.asarray(Image.open(root / path))
        assert np.array_equal(store[row], crop_face(image, box, 16))
        assert store[row].shape[:2] == tuple(store.shapes[row])
    with pytest.raises(ValueError):
        store[0][0, 0, 0] = 1  # nobody changes a store by mistake


def test_the_store_is_the_same_for_any_number_of_workers(tree, crops, tmp_path):
    root, frames = tree
    write_crops(tmp_path / "two", root, frames, 16, workers=2)
    for name in ("crops.bin", "index.parquet", "store.json"):
        assert (tmp_path / "two" / name).read_bytes() == (crops / name).read_bytes()
    assert sorted(p.name for p in (tmp_path / "two").iterdir()) == [
        *("crops.bin", "index.parquet", "store.json"),
    ]


def test_the_store_is_made_again_when_what_it_is_made_of_changes(tree, tmp_path):
    root, frames = tree
    copy = shutil.copytree(root, tmp_path / "copy")
    boxes = frames.assign(x0=2.0, y0=2.0, x1=60.0, y1=70.0, kept=True)
    store = tmp_path / "store"

    def made(table=boxes, size=20) -> bool:
        before = os.stat(store / "crops.bin").st_ino if store.exists() else None
        write_crops(store, copy, table, size, 1)
        return os.stat(store / "crops.bin").st_ino != before

    assert made() and not made()
    assert made(size=21) and not made(size=21)
    assert made(boxes.assign(x0=3.0)) and made()
    os.utime(copy / boxes["path"].iloc[0], ns=(1, 1))
    assert made() and not made()
    assert made(boxes.assign(AU06=5)) and made()
    (store / "store.json").unlink()
    assert made()
    (store / "crops.bin").write_bytes(b"cut")
    assert made() and not made()


def test_the_fingerprint_tells_pixels_and_labels(tree, crops, tmp_path):
    root, frames = tree
    prints = {CropStore(crops).fingerprint}
    other = frames.copy()
    other.loc[0, "AU06"] = 5
    for number, (table, size) in enumerate([(other, 16), (frames, 17)]):
        directory = tmp_path / str(number)
        write_crops(directory, root, table, size, workers=1)
        prints.add(CropStore(directory).fingerprint)
    assert len(prints) == 3
    # written over, a store is the new one
    write_crops(tmp_path / "0", root, frames, 16, workers=1)
    assert CropStore(tmp_path / "0").fingerprint == CropStore(crops).fingerprint


@pytest.mark.parametrize("workers", [1, 2])
def test_an_image_that_does_not_decode_is_named_and_leaves_no_store(
    tree, tmp_path, workers
):
    root, frames = tree
    content = (root / "3.jpg").read_bytes()
    (tmp_path / "3.jpg").write_bytes(content[: len(content) // 2])
    (tmp_path / "2.jpg").write_bytes(content)
    frames = frames[frames["frame"].isin([2, 3])]
    with pytest.raises(ValueError, match="3.jpg: no picture can be read") as caught:
        write_crops(tmp_path / "crops", tmp_path, frames, 16, workers)
    assert "\n" not in str(caught.value)
    with pytest.raises(FileNotFoundError, match="no complete crop store"):
        CropStore(tmp_path / "crops")
    with pytest.raises(ValueError, match="3.jpg: no picture can be read"):
        detect_boxes(tmp_path, frames, workers)


def test_a_frame_without_a_box_is_named(tree, tmp_path):
    root, frames = tree
    frames = frames.assign(x0=np.nan)
    with pytest.raises(ValueError, match="0.jpg: box .*nan.* no part in the picture"):
        write_crops(tmp_path, root, frames, 16, workers=1)


def test_a_store_that_was_cut_is_an_error(tree, tmp_path):
    root, frames = tree
    write_crops(tmp_path, root, frames, 16, workers=1)
    content = (tmp_path / "crops.bin").read_bytes()
    (tmp_path / "crops.bin").write_bytes(content[:-1])
    with pytest.raises(ValueError, match="crops.bin: .* bytes"):
        CropStore(tmp_path)
    assert json.loads((tmp_path / "store.json").read_text())["count"] == 10


def test_an_empty_store_is_a_store(tree, tmp_path):
    root, frames = tree
    write_crops(tmp_path, root, frames.assign(kept=False), 16, 1)
    store = CropStore(tmp_path)
    assert len(store) == 0
    assert central_crops(store, np.array([], dtype=int), 16).shape == (0, 16, 16, 3)


def test_random_crops_are_where_the_offsets_say(crops):
    store = CropStore(crops)
    rows = np.array([9, 0, 0, 3])
    offsets = np.array([[0.0, 0.0], [0.999999, 0.999999], [0.5, 0.5], [0.25, 0.75]])
    squares = random_crops(store, rows, 12, offsets)
    assert squares.shape == (4, 12, 12, 3) and squares.dtype == np.uint8
    assert np.array_equal(squares[0], store[9][:12, :12])
    assert np.array_equal(squares[1], store[0][-12:, -12:])
    for square, row, (down, right) in zip(squares, rows, offsets, strict=True):
        height, width = store[row].shape[:2]
        top, left = int(down * (height - 11)), int(right * (width - 11))
        assert np.array_equal(square, store[row][top : top + 12, left : left + 12])


def test_every_place_of_a_random_crop_is_as_likely(crops):
    store = CropStore(crops)
    row = int(np.argmax(store.shapes[:, 0]))
    places = store.shapes[row, 0] - 16 + 1
    assert places > 2
    offsets = np.stack([np.linspace(0, 1, 100 * places, endpoint=False)] * 2, axis=1)
    squares = random_crops(store, np.full(len(offsets), row), 16, offsets)
    found = [
        sum(np.array_equal(s, store[row][top : top + 16]) for s in squares[::10])
        for top in range(places)
    ]
    assert found == pytest.approx([10] * places, abs=1)


def test_central_crops_are_torchvisions(crops):
    from torchvision.transforms import v2

    store = CropStore(crops)
    squares = central_crops(store, np.arange(len(store)), 16)
    for row, square in enumerate(squares):
        height, width = store[row].shape[:2]
        if (height - 16) % 2 == 0 and (width - 16) % 2 == 0:  # else there is no centre
            expected = v2.CenterCrop(16)(Image.fromarray(store[row]))
            assert np.array_equal(square, np.asarray(expected))
        top, left = (height - 16) // 2, (width - 16) // 2
        assert np.array_equal(square, store[row][top : top + 16, left : left + 16])


def test_a_square_larger_than_the_crops_is_an_error(crops):
    with pytest.raises(ValueError, match="larger than crops of 16"):
        central_crops(CropStore(crops), np.array([0]), 17)


def test_normalise_is_torchvisions(crops):
    from torchvision.transforms import v2

    squares = central_crops(CropStore(crops), np.arange(10), 16)
    images = normalise(squares)
    assert images.dtype == torch.float32 and images.shape == (10, 3, 16, 16)
    assert images.is_contiguous(memory_format=torch.channels_last)
    plain = torch.from_numpy(squares).permute(0, 3, 1, 2).float() / 255
    expected = v2.Normalize([0.485, 0.456, 0.406], [0.229, 0.224, 0.225])(plain)
    torch.testing.assert_close(images, expected)
    assert squares.dtype == np.uint8 and squares.max() > 1  # the crops are untouched
