import numpy as np
import pytest
import torch
from pictures import write_pictures
from PIL import Image

from companion.crops.squares import (
    central_corners,
    cut_squares,
    normalise,
    random_corners,
)
from companion.crops.store import CropStore, write_crops


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    """Crops of 16 pixels on the smaller side, some of them upright, some broad."""
    root, directory = (tmp_path_factory.mktemp(name) for name in ("tree", "crops"))
    write_crops(directory, root, write_pictures(root), 16, workers=1)
    store = CropStore(directory)
    assert store.shapes[:, 0].max() > 20 and store.shapes[:, 1].max() > 20
    return store


@pytest.mark.parametrize("side", [0, 1])
def test_random_corners_are_where_the_offsets_say(store, side):
    row = int(np.argmax(store.shapes[:, side]))  # the most upright, the broadest crop
    rows = np.array([row] * 4)
    offsets = np.array([[0.0, 0.0], [0.999999, 0.999999], [0.5, 0.5], [0.25, 0.75]])
    corners = random_corners(store, rows, offsets)
    assert corners.shape == (4, 2) and corners.dtype == np.int64
    height, width = store.shapes[row]
    for (top, left), (down, right) in zip(corners, offsets, strict=True):
        assert (top, left) == (int(down * (height - 15)), int(right * (width - 15)))
    assert tuple(corners[1]) == (height - 16, width - 16)


def test_squares_are_cut_at_their_corners(store):
    rows = np.array([9, 0, 0, 3])
    corners = random_corners(store, rows, np.random.default_rng(0).random((4, 2)))
    squares = cut_squares(store, rows, corners)
    assert squares.shape == (4, 16, 16, 3) and squares.dtype == np.uint8
    for square, row, (top, left) in zip(squares, rows, corners, strict=True):
        assert np.array_equal(square, store[row][top : top + 16, left : left + 16])
    assert cut_squares(store, rows[:0], corners[:0]).shape == (0, 16, 16, 3)


def test_every_place_of_a_random_square_is_as_likely(store):
    row = int(np.argmax(store.shapes[:, 0]))
    places = store.shapes[row, 0] - 16 + 1
    assert places > 2
    offsets = np.stack([np.linspace(0, 1, 100 * places, endpoint=False)] * 2, axis=1)
    corners = random_corners(store, np.full(len(offsets), row), offsets)
    found = np.bincount(corners[:, 0], minlength=places)
    assert found.tolist() == pytest.approx([100] * places, abs=1)


def test_central_squares_are_torchvisions(store):
    from torchvision.transforms import v2

    rows = np.arange(len(store))
    squares = cut_squares(store, rows, central_corners(store, rows))
    compared = 0
    for row, square in enumerate(squares):
        height, width = store[row].shape[:2]
        if (height - 16) % 2 == 0 and (width - 16) % 2 == 0:  # else there is no centre
            expected = v2.CenterCrop(16)(Image.fromarray(store[row]))
            assert np.array_equal(square, np.asarray(expected))
            compared += 1
        top, left = (height - 16) // 2, (width - 16) // 2
        assert np.array_equal(square, store[row][top : top + 16, left : left + 16])
    assert compared


def test_normalise_is_torchvisions(store):
    from torchvision.transforms import v2

    rows = np.arange(10)
    squares = cut_squares(store, rows, central_corners(store, rows))
    images = normalise(squares, store.mean, store.std)
    assert images.dtype == torch.float32 and images.shape == (10, 3, 16, 16)
    assert images.is_contiguous(memory_format=torch.channels_last)
    plain = torch.from_numpy(squares).permute(0, 3, 1, 2).float() / 255
    moments = ([v / 255 for v in values] for values in (store.mean, store.std))
    expected = v2.Normalize(*moments)(plain)
    torch.testing.assert_close(images, expected)
    assert squares.dtype == np.uint8 and squares.max() > 1  # the crops are untouched


def test_normalised_training_crops_have_mean_0_and_deviation_1(store):
    """Section II, by the letter; over all pixels of all training crops."""
    images = [
        normalise(store[row][None].copy(), store.mean, store.std)[0].flatten(1)
        for row in store.rows("train")
    ]
    pixels = torch.cat(images, 1).double()
    assert pixels.shape[0] == 3
    np.testing.assert_allclose(pixels.mean(1), 0, atol=1e-6)
    np.testing.assert_allclose(pixels.std(1, correction=0), 1, atol=1e-5)
