import io

import numpy as np
import pytest
import simplejpeg
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from skimage import data
from trees import JPEG, jpeg

from companion.bp4d.images import examine_image

PHOTO = Image.fromarray(data.astronaut())
EXIF = Image.Exif()
EXIF[0x010F] = "a camera"
WAYS = {
    "plain": {},
    "best": {"quality": 95, "subsampling": 0},
    "worst": {"quality": 20},
    "progressive": {"progressive": True},
    "optimised": {"optimize": True},
    "with restarts": {"restart_marker_rows": 1},
    "with EXIF": {"exif": EXIF},
    "with a comment": {"comment": b"x" * 300},
}


def photo(mode="RGB", **ways) -> bytes:
    buffer = io.BytesIO()
    PHOTO.convert(mode).save(buffer, "JPEG", **ways)
    return buffer.getvalue()


def with_hole(whole: bytes, start: int, size: int) -> bytes:
    """The file with zeros in a part of the picture's data; its end is intact."""
    first = whole.find(b"\xff\xda") + 14
    start = first + start % (len(whole) - 2 - first)
    stop = min(start + size, len(whole) - 2)
    return whole[:start] + bytes(stop - start) + whole[stop:]


def test_an_image_may_be_padded_at_its_end_and_no_other_is_taken_for_readable(tmp_path):
    path = tmp_path / "1.jpg"
    path.write_bytes(JPEG + b"\0" * 20)
    assert examine_image(path) == (None, (8, 8))
    assert examine_image(tmp_path / "none.jpg") == ("unreadable image", None)
    # what the check calls whole, Pillow decodes; at any place it may be cut
    picture = np.random.default_rng(0).integers(0, 255, (40, 40, 3), dtype=np.uint8)
    Image.fromarray(picture).save(path, quality=95)
    whole = path.read_bytes()
    for length in range(0, len(whole), 7):
        path.write_bytes(whole[:length])
        assert examine_image(path)[0] is not None


@pytest.mark.parametrize("mode", ["RGB", "L", "CMYK"])
@pytest.mark.parametrize("way", WAYS)
def test_clean_pictures_of_every_kind_are_readable(tmp_path, mode, way):
    path = tmp_path / "1.jpg"
    path.write_bytes(photo(mode, **WAYS[way]))
    assert examine_image(path) == (None, (512, 512))


def test_a_thumbnail_in_the_header_does_not_count(tmp_path):
    path = tmp_path / "1.jpg"
    thumbnail = jpeg((16, 8))
    inner = b"Exif\0\0" + b"MM\0*\0\0\0\x08\0\0\0\0\0\0" + thumbnail
    segment = b"\xff\xe1" + (len(inner) + 2).to_bytes(2, "big") + inner
    whole = photo()
    path.write_bytes(whole[:2] + segment + whole[2:])
    assert examine_image(path) == (None, (512, 512))


@settings(max_examples=150, derandomize=True)
@given(
    st.sampled_from(["plain", "best", "optimised", "with restarts", "with EXIF"]),
    st.sampled_from(["RGB", "L"]),
    st.integers(0, 10**6),
    st.integers(4096, 30_000),
)
def test_a_hole_of_a_block_or_more_is_found(tmp_path_factory, way, mode, start, size):
    path = tmp_path_factory.mktemp("holes") / "1.jpg"
    path.write_bytes(with_hole(photo(mode, **WAYS[way]), start, size))
    assert examine_image(path) == ("damaged image", None)


@pytest.mark.parametrize("way", ["plain", "best", "progressive"])
@pytest.mark.parametrize(
    "size, least", [(512, 0.75), (1024, 0.9), (2048, 0.95), (8192, 0.99)]
)
def test_most_smaller_holes_are_found(tmp_path, way, size, least):
    path, whole = tmp_path / "1.jpg", photo(**WAYS[way])
    found = 0
    for start in np.random.default_rng(size).integers(0, len(whole), 100):
        path.write_bytes(with_hole(whole, int(start), size))
        found += examine_image(path)[0] == "damaged image"
    assert found >= least * 100


def test_an_eighth_of_the_size_shows_what_the_full_size_shows(tmp_path):
    path, generator = tmp_path / "1.jpg", np.random.default_rng(0)
    verdicts = []
    for way in ("plain", "progressive", "with restarts"):
        whole = photo(**WAYS[way])
        for size in generator.integers(1, 900, 60):
            damaged = with_hole(whole, int(generator.integers(10**6)), int(size))
            path.write_bytes(damaged)
            try:
                simplejpeg.decode_jpeg(damaged)
                verdicts.append((None, (512, 512)))
            except ValueError:
                verdicts.append(("damaged image", None))
            assert examine_image(path) == verdicts[-1]
    assert len(set(verdicts)) == 2


@pytest.mark.parametrize("orientation", range(10))
def test_a_picture_that_viewers_rotate_is_not_read_as_it_lies(tmp_path, orientation):
    path, exif = tmp_path / "1.jpg", Image.Exif()
    exif[0x0112] = orientation
    path.write_bytes(photo(exif=exif))
    readable = orientation in (0, 1, 9)  # 0 and 9 have no meaning
    assert examine_image(path) == (
        (None, (512, 512)) if readable else ("rotated by EXIF", None)
    )


def test_a_size_that_no_camera_has_is_damage(tmp_path):
    path, whole = tmp_path / "1.jpg", photo()
    place = whole.find(b"\xff\xc0") + 5
    path.write_bytes(whole[:place] + b"\xff\xf0\xff\xf0" + whole[place + 4 :])
    assert examine_image(path) == ("damaged image", None)
