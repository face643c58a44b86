"""The stand-in's face: each AU moves its own region, smoothly, more with its level."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from companion.standin import furrows, shapes
from companion.standin.face import EYE_LINE, UNIT, _pose, render_face
from companion.standin.mouth import TEETH_Y
from companion.standin.muscles import DISTRACTORS, contractions, skin_at
from companion.standin.person import Identity, make_identity

HEIGHT, WIDTH = 174, 130  # half the default size, for speed
NEUTRAL = (0, 0, 0, 0, 0)
# Where FACS describes changes for each AU: top, bottom, inner and outer limit, in
# half-widths of a face from the point between the pupils.
REGIONS = {
    0: (-0.30, 0.60, 0.10, 1.00),  # AU6: lids, cheeks, outer corners of the eyes
    1: (0.30, 1.10, 0.00, 0.60),  # AU10: wings of the nose, upper lip
    2: (0.20, 1.25, 0.00, 0.90),  # AU12: mouth and cheeks
    3: (0.65, 1.20, 0.10, 0.75),  # AU14: corners of the mouth
    4: (0.75, 1.60, 0.00, 0.55),  # AU17: lower lip and chin
}


def person(number: int) -> Identity:
    return make_identity(np.random.default_rng([7, number]), female=number % 2 == 0)


def render(identity, aus=NEUTRAL, frame=0, height=HEIGHT, width=WIDTH, **distractors):
    generator = np.random.default_rng([8, frame])
    picture = render_face(identity, aus, distractors, height, width, generator)
    return picture.astype(np.float64)


def single(au: int, level: float) -> list[float]:
    return [level if place == au else 0.0 for place in range(5)]


def test_picture_is_a_function_of_its_arguments():
    aus, moves = [1, 2, 3, 4, 5], {"yaw": 9.0, "blink": 0.3, "gaze_x": -1.0}
    first, second, other = (
        render(person(3), aus, frame=frame, **moves) for frame in (1, 1, 2)
    )
    assert first.shape == (HEIGHT, WIDTH, 3)
    np.testing.assert_array_equal(first, second)
    assert np.abs(first - other).mean() > 1  # grain, light and place of the head


def test_a_generator_gives_one_person():
    assert person(3) == person(3)
    assert person(3) != person(5)


@pytest.mark.parametrize("au", range(5))
@pytest.mark.parametrize("number", range(4))
def test_an_au_changes_its_region(au, number):
    identity = person(number)
    change = np.abs(render(identity, single(au, 5)) - render(identity)).mean(-1)
    scale = UNIT * HEIGHT
    v = ((np.arange(HEIGHT) - EYE_LINE * HEIGHT) / scale)[:, None]
    u = np.abs((np.arange(WIDTH) - 0.5 * WIDTH) / scale)[None]
    top, bottom, inner, outer = REGIONS[au]
    inside = (v > top) & (v < bottom) & (u >= inner) & (u < outer)
    assert change[inside].mean() > 3  # grey levels, of 255
    assert change[inside].mean() > 10 * change[~inside].mean()


@pytest.mark.parametrize("au", range(5))
@pytest.mark.parametrize("number", range(4))
def test_change_grows_with_the_level(au, number):
    identity = person(number)
    neutral = render(identity)
    change = [
        np.abs(render(identity, single(au, level)) - neutral).mean()
        for level in np.arange(0, 5.5, 0.5)
    ]
    assert (np.diff(change) > 0).all()
    assert change[2] < 0.45 * change[-1]  # level 1 is a trace


@settings(max_examples=20)
@given(st.integers(0, 4), st.floats(0, 4.9), st.integers(0, 99))
def test_intensity_is_continuous(au, intensity, number):
    identity = person(number)
    here, near, far = (
        render(identity, single(au, value))
        for value in (intensity, intensity + 0.02, 5 - 5 * (intensity > 2.5))
    )
    assert np.abs(near - here).mean() < 0.25 * np.abs(far - here).mean()


def not_additive(identity: Identity, one: int, two: int) -> float:
    """The share of two AUs' joint change that is not the sum of their changes."""
    neutral = render(identity)
    first, second = single(one, 5), single(two, 5)
    both = render(identity, np.add(first, second)) - neutral
    total = render(identity, first) + render(identity, second) - 2 * neutral
    return np.linalg.norm(both - total) / np.linalg.norm(both)


@pytest.mark.parametrize("number", range(3))
def test_aus_of_one_region_are_not_additive(number):
    apart = not_additive(person(number), 0, 4)  # AU6 and AU17
    assert apart < 0.1
    assert not_additive(person(number), 1, 2) > 3 * apart  # AU10 and AU12
    assert not_additive(person(number), 2, 3) > 3 * apart  # AU12 and AU14


@pytest.mark.parametrize("name", DISTRACTORS)
def test_each_distractor_moves_the_face(name):
    amount = 10.0 if name in ("yaw", "pitch", "roll") else 1.0
    change = np.abs(render(person(1), **{name: amount}) - render(person(1)))
    assert (change > 20).any()


def iris(identity: Identity, aus=NEUTRAL, **distractors) -> np.ndarray:
    """Where a green iris shows, at the default size."""
    identity = replace(identity, iris=(0.0, 1.0, 0.0))
    picture = render(identity, aus, height=2 * HEIGHT, width=2 * WIDTH, **distractors)
    return picture[..., 1] - picture[..., [0, 2]].max(-1) > 60


@pytest.mark.parametrize("number", range(6))
def test_au6_narrows_the_eye_from_below_but_does_not_close_it(number):
    identity = person(number)
    shown = [iris(identity, single(0, level)) for level in (0, 1, 3, 5)]
    neutral, trace, marked, most = (where.sum() for where in shown)
    assert 0.75 * neutral < trace < neutral
    assert 0.25 * neutral < most < 0.6 * neutral
    assert 1.2 * most < marked < 0.85 * trace
    assert not iris(identity, blink=1.0).any()
    (top, bottom), (upper, lower) = (
        np.flatnonzero(shown[place].any(1))[[0, -1]] for place in (0, -1)
    )
    assert bottom - lower > upper - top


@pytest.mark.parametrize("name", ["brow_raise_inner", "brow_raise_outer", "brow_lower"])
def test_brows_leave_the_iris_round(name):
    for number in range(3):
        neutral, moved = iris(person(number)), iris(person(number), **{name: 1.0})
        assert (neutral != moved).sum() < 0.1 * neutral.sum()


CENTRED = 7  # a frame in which the head is where `UNIT` and `EYE_LINE` say


def halves(identity: Identity, place: tuple[float, ...], aus=NEUTRAL, **distractors):
    """Mean change left and right, in a place like those of `REGIONS`."""
    frontal = replace(identity, lean=(0.0,) * 5)
    change = render(frontal, aus, frame=CENTRED, **distractors)
    change = np.abs(change - render(frontal, frame=CENTRED)).mean(-1)
    v = ((np.arange(HEIGHT) - EYE_LINE * HEIGHT) / (UNIT * HEIGHT))[:, None]
    u = ((np.arange(WIDTH) - 0.5 * WIDTH + 0.5) / (UNIT * HEIGHT))[None]
    top, bottom, inner, outer = place
    rows = (v > top) & (v < bottom)
    left, right = rows & (u > -outer) & (u < -inner), rows & (u > inner) & (u < outer)
    return change[left].mean(), change[right].mean()


@pytest.mark.parametrize("number", range(6))
def test_furrows_of_the_upper_face_show_on_both_sides(number):
    identity = replace(person(number), hair_style="cropped", hair_length=-1.0)
    for place, aus, brows, most in (
        ((-0.25, 0.20, 0.60, 1.05), single(0, 5), {}, 2.0),  # crow's feet
        ((0.10, 0.60, 0.20, 0.90), single(0, 5), {}, 2.0),  # cheeks
        ((-0.50, -0.15, 0.00, 0.20), NEUTRAL, {"brow_lower": 1.0}, 2.0),
        # the lamp shines on one side of a dark forehead
        ((-0.90, -0.50, 0.00, 0.70), NEUTRAL, {"brow_raise_outer": 1.0}, 3.5),
    ):
        left, right = halves(identity, place, aus, **brows)
        assert 1 / most < left / right < most


def test_bands_of_rows_do_not_change_the_picture(monkeypatch):
    aus, moves = [3, 1, 4, 2, 1], {"yaw": 9.0, "roll": 8.0, "lips_part": 0.6}
    for number in (1, 2):
        whole = render(person(number), aus, **moves)
        with monkeypatch.context() as patch:
            patch.setattr(shapes, "BAND", 1500)
            np.testing.assert_array_equal(render(person(number), aus, **moves), whole)


def test_people_differ_more_than_frames_of_one():
    people = [person(number) for number in range(8)]
    first = np.stack([render(identity, frame=0) for identity in people])
    again = np.stack([render(identity, frame=9) for identity in people])
    same = np.abs(first - again).mean((1, 2, 3))
    apart = np.abs(first[:, None] - first[None]).mean((2, 3, 4))
    apart = apart[np.triu_indices(len(people), 1)]
    assert np.median(apart) > 2 * np.median(same)


intensities = st.lists(st.floats(0, 5), min_size=5, max_size=5)
amounts = st.fixed_dictionaries(
    {
        name: st.floats(-15, 15)
        if name in ("yaw", "pitch", "roll")
        else st.floats(-1 if "gaze" in name else 0, 1)
        for name in DISTRACTORS
    }
)


@settings(max_examples=25)
@given(
    intensities, amounts, st.integers(40, 120), st.integers(40, 120), st.integers(0, 99)
)
def test_any_face_at_any_size(aus, distractors, height, width, number):
    with np.errstate(all="raise", under="ignore"):
        picture = render_face(
            person(number), aus, distractors, height, width, np.random.default_rng(0)
        )
    assert picture.shape == (height, width, 3)
    assert picture.dtype == np.uint8
    assert picture.std() > 5


@pytest.mark.parametrize(
    "aus", [[0, 0, 0, 0], [0, 0, 0, 0, 9], [0, 0, 0, 0, np.nan], [-1, 0, 0, 0, 0]]
)
def test_refuses_other_values_than_intensities(aus):
    with pytest.raises(ValueError, match=r"five intensities in 0\.\.5"):
        render(person(1), aus)


def test_refuses_an_unknown_distractor():
    with pytest.raises(ValueError, match="'wink' is no distractor"):
        render(person(1), wink=1.0)


def skin(identity, aus=NEUTRAL, **distractors):
    """Points (u, v) round the mouth; the skin x, y there; whether it is open there."""
    u = np.arange(-0.8, 0.8, 0.005, dtype=np.float32)
    v = np.arange(0.3, 1.7, 0.005, dtype=np.float32)
    u, v = np.meshgrid(u, v)
    pull = contractions(identity, aus, distractors)
    x, y, inside = skin_at(identity, pull, u, v, scale=200)
    return u, v, x, y, inside > 0.5


def corners(identity, aus=NEUTRAL) -> tuple[float, float]:
    """v of the corners of the closed mouth: left and right."""
    _, v, x, y, _ = skin(identity, aus)
    down = y - (identity.mouth_y - identity.corner_lift)
    return tuple(
        float(v.flat[np.argmin((x - side * identity.mouth_x) ** 2 + down**2)])
        for side in (-1, 1)
    )


@pytest.mark.parametrize("au", [1, 3, 4])  # AU10, AU14, AU17; AU12 raises them much
@pytest.mark.parametrize("number", range(4))
def test_only_au15_would_lower_the_corners_of_the_mouth(au, number):
    identity = person(number)
    rise = np.subtract(corners(identity), corners(identity, single(au, 5)))
    smile = np.subtract(corners(identity), corners(identity, single(2, 5)))
    assert (rise > -0.006).all()  # a pixel of this grid
    assert (smile > 0.05).all()
    assert (smile > 1.5 * rise).all()


@pytest.mark.parametrize("level", [0, 2, 5])
@pytest.mark.parametrize("au", [0, 2, 3, 4])
def test_lips_stay_closed(au, level):
    assert not skin(person(2), single(au, level))[-1].any()


def test_au10_parts_the_lips_unless_au17_closes_them():
    low, high, with_au17 = (
        skin(person(2), aus)[-1].sum()
        for aus in ([0, 1, 0, 0, 0], [0, 5, 0, 0, 0], [0, 5, 0, 0, 5])
    )
    assert low < 0.1 * high
    assert with_au17 < 0.2 * high


@pytest.mark.parametrize("number", range(4))
def test_teeth_fill_a_parted_smile(number):
    identity = person(number)
    _, v, x, _, inside = skin(identity, single(2, 5), lips_part=1.0)
    middle = inside & (np.abs(x) < 0.12)
    assert middle.any()
    assert v[middle].max() < identity.mouth_y + TEETH_Y  # no dark below their edge


def test_a_leaning_au17_is_stronger_on_one_side():
    identity = replace(person(1), lean=(0.0,) * 5)
    leaning = replace(identity, lean=(0.0, 0.0, 0.0, 0.0, 0.15))
    u, v, x, y, _ = skin(identity, single(4, 5))
    more = y - skin(leaning, single(4, 5))[3]
    assert more[u > 0.1].min() < -0.01 < 0.01 < more[u < -0.1].max()
    change = np.abs(render(leaning, single(4, 5)) - render(identity, single(4, 5)))
    assert (change > 10).any()
    np.testing.assert_array_equal(render(leaning), render(identity))


@pytest.mark.parametrize("lamp", [-0.5, 0.5])
@pytest.mark.parametrize(("au", "top", "bottom"), [(1, 0.05, 0.22), (2, 0.20, 0.42)])
@pytest.mark.parametrize("number", range(3))
def test_the_nasolabial_fold_shows_on_both_sides(number, au, top, bottom, lamp):
    identity = replace(person(number), lamp=lamp)
    height, width, aus = 348, 260, single(au, 4)
    light = render(identity, aus, height=height, width=width).mean(-1) ** 2
    pull = contractions(identity, aus, {})
    scale, generator = UNIT * height, np.random.default_rng([8, 0])
    u, v, *_ = _pose(pull, height, width, scale, generator)
    x, y, _ = skin_at(identity, pull, u, v, scale)
    below = y - identity.nose_y - furrows.FOLD_TOP
    bend = furrows.FOLD_STRAIGHT + furrows.FOLD_BEND * below
    beside = np.abs(x) - furrows.FOLD_X - furrows.FOLD_SLOPE * below * bend
    for side in (x < 0, x > 0):
        place = side & (below > top) & (below < bottom)
        fold, nose, cheek = (
            light[place & (np.abs(beside - at) < 0.025)].mean()
            for at in (0.0, -0.10, 0.12)
        )
        assert fold < 0.97 * (nose + cheek) / 2
