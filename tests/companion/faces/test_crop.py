import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from skimage import data

from companion.faces.crop import (
    GREATEST_RATIO,
    LEAST_SIDE,
    crop_face,
    read_picture,
)


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


@given(st.tuples(*[st.floats(-30, 90)] * 4), st.integers(1, 70))
def test_the_smaller_side_of_a_crop_is_exact_and_the_larger_one_limited(box, size):
    image = np.zeros((60, 50, 3), dtype=np.uint8)
    x0, y0, x1, y1 = box
    x0, x1 = np.clip([x0, x1], 0, 50)
    y0, y1 = np.clip([y0, y1], 0, 60)
    short, long = sorted((x1 - x0, y1 - y0))
    if short <= 0 or short < LEAST_SIDE / 2 or long > 2 * GREATEST_RATIO * short:
        with pytest.raises(ValueError, match="no part in the picture|is no face"):
            crop_face(image, box, size)
        return
    crop = crop_face(image, box, size)
    height, width = crop.shape[:2]
    assert min(height, width) == size
    assert max(height, width) <= 2 * GREATEST_RATIO * size
    assert (height >= width) == (int(size * (y1 - y0) / (x1 - x0)) >= size) or (
        height == width
    )


@pytest.mark.parametrize(
    "box", [(10, 5, 10.01, 55), (5, 20, 45, 27), (0.3, 0.2, 0.6, 0.7), (-90, 0, 9, 60)]
)
def test_a_sliver_is_no_face(box):
    image = np.zeros((60, 50, 3), dtype=np.uint8)
    with pytest.raises(ValueError, match="pixels in the picture, which is no face"):
        crop_face(image, box, 16)


@given(*[st.floats(LEAST_SIDE, 200)] * 2, *[st.floats(0.5, 1)] * 2, st.integers(1, 90))
def test_a_box_of_possible_shape_may_lie_half_outside(wide, high, x, y, size):
    """Of a box that `judge_boxes` passes, half may lie outside of the picture."""
    if max(wide, high) > GREATEST_RATIO * min(wide, high) or x * y < 0.5:
        return
    box = (-(1 - x) * wide, -(1 - y) * high, x * wide, y * high)
    crop = crop_face(np.zeros((200, 200, 3), dtype=np.uint8), box, size)
    assert min(crop.shape[:2]) == size


def test_a_box_of_nothing_is_an_error():
    with pytest.raises(ValueError, match="no part in the picture"):
        crop_face(np.zeros((9, 9, 3), dtype=np.uint8), [np.nan] * 4, 8)


def test_a_picture_is_read_in_rgb_no_smaller_than_asked(tmp_path):
    path = tmp_path / "1.jpg"
    Image.new("L", (600, 800), 90).save(path)
    picture, scale = read_picture(path)
    assert (picture.mode, picture.size, scale) == ("RGB", (600, 800), 1)
    for longest in (350, 500, 800, 1000):
        picture, scale = read_picture(path, longest)
        assert max(picture.size) >= min(longest, 800)
        assert max(picture.size) * scale == 800
    assert max(read_picture(path, 350)[0].size) == 400
