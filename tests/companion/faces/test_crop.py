import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from skimage import data

from companion.faces.crop import crop_face, read_picture


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
