import io

import matplotlib.pyplot as plt
import numpy as np
import pytest
from origins import ORIGIN, said
from PIL import Image
from skimage.data import astronaut

from companion.analysis.pictures import (
    add_change_bar,
    as_jpeg,
    colour_change,
    crop_photograph,
    draw_box,
    draw_cases,
    draw_photograph,
    draw_sheet,
    draw_squares,
    on_one_canvas,
    save_jpeg,
)
from companion.base.figures import figure_style
from companion.crops.squares import central_corners


@pytest.mark.parametrize("count", [1, 3])
def test_both_squares_lie_within_each_crop(people, count):
    rows = people.rows("train")[:count]
    corners = np.zeros((count, 2), dtype=int)
    figure = draw_squares(people, rows, corners)
    for ax, row in zip(figure.axes, rows, strict=True):
        np.testing.assert_array_equal(ax.images[0].get_array(), people[row])
        middle, random = (np.array(patch.get_xy()) + 0.5 for patch in ax.patches)
        assert random.tolist() == [0, 0]
        assert (
            middle.tolist()
            == central_corners(people, np.array([row]))[0, ::-1].tolist()
        )
        assert ax.patches[0].get_width() == people.crop_size
    plt.close(figure)


def test_the_face_of_a_photograph_is_cut_to_a_square():
    box, square = crop_photograph(astronaut(), 64)
    assert square.shape == (64, 64, 3) and square.dtype == np.uint8
    x0, y0, x1, y1 = box
    assert x0 < 224 < x1 and y0 < 120 < y1  # between her eyes
    assert x1 - x0 < 250


def test_a_photograph_without_a_face_is_refused():
    with pytest.raises(ValueError, match="no face was found"):
        crop_photograph(np.zeros((200, 200, 3), np.uint8), 64)


def test_a_photograph_is_drawn_with_box_square_and_estimates():
    box, square = np.array([5.0, 6, 25, 36]), np.zeros((8, 8, 3), np.uint8)
    values, levels = np.array([-0.9, 0.2, 1.4, 5.6, 3]), np.array([0, 0, 1, 5, 3])
    photograph = np.zeros((50, 40, 3), np.uint8)
    drawn = [3, 0, 4, 0, 0]
    given = values, levels, drawn, "by a network"
    figure = draw_photograph(photograph, box, square, *given)
    whole, _, bars = figure.axes
    assert whole.patches[0].get_bbox().extents.tolist() == [5, 6, 25, 36]
    assert [bar.get_height() for bar in bars.patches] == values.tolist()
    heights = [marks.get_offsets()[:, 1].tolist() for marks in bars.collections]
    assert heights == [levels.tolist(), drawn]
    low, high = bars.get_ylim()
    assert low < -0.9 and high > 5.6 and bars.get_title() == "by a network"
    plt.close(figure)


def sheet(count: int):
    figure_style()
    pictures = [np.full((30, 20, 3), 10 * n, dtype=np.uint8) for n in range(count)]
    return draw_sheet(pictures, [f"number {n}" for n in range(count)], 4, "all")


def test_a_sheet_shows_all_pictures_in_order():
    figure = sheet(6)
    assert len(figure.axes) == 8 and figure.get_suptitle() == "all"
    for number, ax in enumerate(figure.axes[:6]):
        assert ax.get_title() == f"number {number}"
        assert (ax.images[0].get_array() == 10 * number).all()
    assert not any(ax.images or ax.axison for ax in figure.axes[6:])
    plt.close(figure)


def test_a_place_can_stay_empty():
    figure_style()
    picture = np.zeros((4, 4, 3), np.uint8)
    pictures, titles = [picture, None, picture], ["one", "", "two"]
    figure = draw_sheet(pictures, titles, 3, "a gap")
    assert [len(ax.images) for ax in figure.axes] == [1, 0, 1]
    assert [ax.get_title() for ax in figure.axes] == titles
    plt.close(figure)


def test_a_box_is_a_line_on_a_wider_black_one():
    ax = plt.figure().add_subplot()
    draw_box(ax, np.array([1, 2, 4, 8]), "orange", "--")
    under, over = ax.patches
    for patch in ax.patches:
        assert patch.get_bbox().extents.tolist() == [1, 2, 4, 8]
        assert not patch.get_fill()
    assert under.get_linewidth() > over.get_linewidth()
    assert under.get_linestyle() in ("-", "solid")
    assert over.get_linestyle() == "--"
    draw_box(ax, [np.nan] * 4, "orange")  # no face was found
    ax.figure.canvas.draw()
    plt.close()


def test_each_crop_is_below_its_picture_with_its_name():
    figure_style()
    pictures = [np.full((40, 30, 3), n, np.uint8) for n in range(2)]
    crops = [np.full((20 + n, 16, 3), 100 + n, np.uint8) for n in range(2)]
    boxes = np.array([[3.0, 4, 19, 24], [5, 6, 21, 27]])
    figure = draw_cases(pictures, boxes, crops, ["F001", "M002"], 16, "both")
    figure.canvas.draw()
    titles = ["F001", "M002", "F001: 20 x 16", "M002: 21 x 16"]
    assert [ax.get_title() for ax in figure.axes] == titles
    for number, (above, below) in enumerate(zip(figure.axes[:2], figure.axes[2:])):
        assert (above.images[0].get_array() == number).all()
        assert (below.images[0].get_array() == 100 + number).all()
        assert above.patches[-1].get_bbox().extents.tolist() == boxes[number].tolist()
        square = below.patches[-1].get_bbox().extents.tolist()
        assert square == [-0.5, 1.5, 15.5, 17.5]
        assert below.get_xlim()[0] < -0.5 and below.get_xlim()[1] > 15.5
        middles = [
            ax.get_window_extent().x0 + ax.bbox.width / 2 for ax in (above, below)
        ]
        assert abs(middles[0] - middles[1]) < 2
    plt.close(figure)


def test_titles_are_counted():
    with pytest.raises(ValueError, match="1 pictures, but 2 titles"):
        draw_sheet([np.zeros((3, 3, 3), np.uint8)], ["a", "b"], 1, "")


def test_a_sheet_is_written_as_jpeg_and_closed(tmp_path):
    path, before = tmp_path / "new" / "sheet.jpg", plt.get_fignums()
    shown = save_jpeg(sheet(2), path, ORIGIN)
    assert plt.get_fignums() == before
    assert shown.data == path.read_bytes()
    with Image.open(io.BytesIO(shown.data)) as picture:
        assert picture.format == "JPEG" and picture.width > 500
    assert len(as_jpeg(sheet(2), quality=10).data) < len(shown.data)
    assert [*tmp_path.iterdir()] == [path.parent]
    assert said(path) == ORIGIN
    plain = Image.open(io.BytesIO(as_jpeg(sheet(2)).data))
    assert "comment" not in plain.info
    assert plain.tobytes() == Image.open(path).tobytes()


def test_pictures_keep_their_scale_on_one_canvas():
    sizes = [(6, 4), (3, 2), (4, 8)]
    pictures = [np.full((*size, 3), n, np.uint8) for n, size in enumerate(sizes)]
    canvases = on_one_canvas(pictures)
    assert {canvas.shape for canvas in canvases} == {(6, 8, 3)}
    for number, (canvas, (high, wide)) in enumerate(zip(canvases, sizes)):
        assert (canvas == number).all(axis=2).sum() == high * wide
    rows, columns = np.nonzero(canvases[1][..., 0] == 1)
    assert (rows.min(), rows.max(), columns.min(), columns.max()) == (1, 3, 3, 4)
    assert (canvases[1][0] == 255).all()


def test_a_change_is_orange_where_lighter_and_purple_where_darker():
    before = np.full((1, 4, 3), 100, np.uint8)
    now = before + np.array([0, 20, 40, -20], dtype=np.int8)[:, None].view(np.uint8)
    (same, lighter, more, darker) = colour_change(now, before, 20)[0].astype(int)
    assert same.min() > 240  # white
    assert lighter[0] > lighter[2] + 50 and (lighter == more).all()
    assert darker[2] > darker[0] + 10
    assert colour_change(now, before, 40).dtype == np.uint8


def test_a_sheet_of_changes_has_a_scale():
    figure = sheet(6)
    add_change_bar(figure, 20)
    figure.canvas.draw()
    bar = figure.axes[-1]
    assert bar.get_xlim() == (-20, 20) and "neutral" in bar.get_xlabel()
    lowest = min(ax.get_window_extent().y0 for ax in figure.axes[:-1])
    assert bar.get_window_extent().y1 < lowest
    plt.close(figure)
