import json
import os
import shutil
from functools import partial

import numpy as np
import pytest
from pictures import write_pictures
from PIL import Image
from turns import wait_its_turn

from companion.crops import store as store_module
from companion.crops.store import CropStore, write_crops
from companion.faces.boxes import BOX
from companion.faces.crop import crop_face


@pytest.fixture(scope="module")
def tree(tmp_path_factory):
    root = tmp_path_factory.mktemp("tree")
    return root, write_pictures(root)


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


@pytest.mark.parametrize("is_made", [True, False])
def test_a_second_caller_waits_and_uses_what_the_first_has_made(
    tree, crops, tmp_path, monkeypatch, is_made
):
    def meanwhile():
        if is_made:
            shutil.copytree(crops, tmp_path / "store")

    cut, map_in_processes = [], store_module.map_in_processes

    def counted(*arguments):
        cut.append(arguments)
        return map_in_processes(*arguments)

    monkeypatch.setattr(store_module, "map_in_processes", counted)
    arguments = (tmp_path / "store", *tree, 16, 1)
    call = partial(write_crops, *arguments)
    wait_its_turn(monkeypatch, tmp_path / "store", call, meanwhile)
    assert len(cut) == (not is_made)
    assert CropStore(tmp_path / "store").fingerprint == CropStore(crops).fingerprint


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


def test_mean_and_deviation_are_those_of_the_training_crops(tree, tmp_path):
    root, frames = tree
    splits = np.where(np.arange(len(frames)) % 2, "train", "evaluation")
    write_crops(tmp_path, root, frames.assign(split=splits), 16, workers=1)
    store = CropStore(tmp_path)
    pixels = [store[row].reshape(-1, 3) for row in store.rows("train")]
    assert 0 < len(pixels) < len(store)
    np.testing.assert_allclose(store.mean, np.concatenate(pixels).mean(axis=0))
    np.testing.assert_allclose(store.std, np.concatenate(pixels).std(axis=0))


def test_a_store_of_before_says_what_to_do(tree, tmp_path):
    root, frames = tree
    write_crops(tmp_path, root, frames, 16, workers=1)
    about = json.loads((tmp_path / "store.json").read_text())
    del about["mean"]
    (tmp_path / "store.json").write_text(json.dumps(about))
    with pytest.raises(ValueError, match="store.json: .* run notebook 01 again"):
        CropStore(tmp_path)
    write_crops(tmp_path, root, frames, 16, workers=1)
    assert len(CropStore(tmp_path).mean) == 3


def test_an_empty_store_is_a_store(tree, tmp_path):
    root, frames = tree
    write_crops(tmp_path, root, frames.assign(kept=False), 16, 1)
    store = CropStore(tmp_path)
    assert len(store) == 0
    assert store.index.empty and store.bytes.size == 0


def test_a_sliver_of_a_box_is_named_before_it_fills_the_disk(tree, tmp_path):
    root, frames = tree
    frames = frames.assign(x0=10.0, x1=10.01)
    with pytest.raises(ValueError, match=r"0.jpg: box .* no face; correct or drop it"):
        write_crops(tmp_path / "crops", root, frames, 16, workers=1)
    assert not (tmp_path / "crops" / "crops.bin").exists()
