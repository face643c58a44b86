import numpy as np
from PIL import Image
from trees import JPEG

from companion.bp4d.images import examine_image


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
