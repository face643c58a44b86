"""The parameters by which the stand-in's people differ.

Nobody is portrayed: every parameter is drawn, within the human range, from the
generator that the caller hands in. Units are those of `companion.standin`.
"""

from dataclasses import dataclass

import numpy as np

from aulib import AUS

# Colours between which people are drawn: skin from light to dark, hair and eyes from
# dark to light; red, green and blue as in a picture, 0..255.
SKINS = np.array(
    [
        [247, 214, 196],
        [232, 186, 158],
        [206, 152, 118],
        [166, 112, 80],
        [124, 82, 60],
        [88, 58, 46],
    ]
)
HAIRS = np.array(
    [[24, 20, 19], [48, 33, 26], [84, 55, 36], [128, 88, 52], [188, 148, 96]]
)
IRISES = np.array([[44, 26, 18], [86, 54, 30], [96, 100, 62], [98, 124, 146]])

VOLUMES = {
    "cropped": (0.02, 0.04),
    "short": (0.06, 0.15),
    "bald": (0.015, 0.03),
    "coils": (0.05, 0.22),
    "tied": (0.03, 0.08),
    "long": (0.05, 0.11),
    "wavy": (0.09, 0.18),
}
"""The styles of hair, and the limits of the volume of each."""

# Places of a face of mean proportions; see `Identity`.
EYE_X, NOSE_Y, MOUTH_X = 0.46, 0.61, 0.395
MOUTH_BELOW_NOSE, CHIN_BELOW_MOUTH = 0.30, 0.44


@dataclass(frozen=True)
class Identity:
    """One person. A number without a comment is a factor of the mean person's."""

    texture: int  # seed of pores, freckles, moles and hairs
    male: bool
    age: float  # 0 (twenty) .. 1 (seventy)
    skin: tuple[float, float, float]  # as all colours, linear light, 0..1
    redness: float  # of cheeks, nose and lips, 0..1
    freckles: float  # 0..1
    wrinkles: float  # of the neutral face, 0..1
    eye_shade: float  # darkness below the eyes, 0..1
    oil: float  # of the skin
    width: float
    jaw: float
    chin: float
    cleft: float  # of the chin, 0..1
    cheekbone: float
    fullness: float  # of the cheeks, 0..1
    brow_ridge: float
    brow_height: float  # units above the mean
    brow_thickness: float
    brow_arch: float
    eye_size: float
    eye_spacing: float
    eye_tilt: float  # slope of the line through both corners
    lid: float  # how much of the upper lid shows below its fold
    lashes: float
    iris: tuple[float, float, float]
    nose_length: float
    nose_width: float
    nose_height: float
    nose_hump: float  # of the bridge, -1..1
    nose_tip: float
    ear_size: float
    mouth_width: float
    lips: float  # thickness
    lip_balance: float  # factor of the upper lip; the lower lip has 2 minus it
    corner_lift: float  # units by which the neutral corners of the mouth lie higher
    fold: float  # depth of the neutral nasolabial fold, 0..1
    hair: tuple[float, float, float]
    hair_style: str  # of `VOLUMES`
    hairline: float  # units above the mean
    receding: float  # of the hairline, 0..1
    parting: float  # x where the hair parts, units
    open: float  # how far long hair leaves the cheeks free, units
    hair_length: float  # y where long hair ends, units; below 0: the ears show
    hair_volume: float  # units
    wave: float  # of the hair; about 0..1
    sweep: float  # -1..1: short hair to a side, the opening of long hair, a knot
    greying: float  # share of white hairs, 0..1
    stubble: float  # 0..1
    neck: float
    neckline: float  # depth of the shirt's cut, units
    shirt: tuple[float, float, float]
    lamp: float  # mean azimuth of the lamp, radians
    uneven: tuple[float, ...]  # -1..1: five of the face's asymmetry, one of the wall
    strength: tuple[float, ...]  # how strongly this face shows each of the five AUs
    lean: tuple[float, ...]  # share by which the right of the picture shows it more

    def gain(self, au: int, side: np.ndarray) -> np.ndarray:
        """A factor of an AU at each point: `side` is -1 left and 1 right."""
        return 1 + self.lean[AUS.index(au)] * side

    @property
    def eye_x(self) -> float:
        """x of the pupil on the right of the picture."""
        return EYE_X * self.eye_spacing

    @property
    def nose_y(self) -> float:
        """y of the nose's base."""
        return NOSE_Y * self.nose_length

    @property
    def mouth_y(self) -> float:
        """y of the line between the lips."""
        return MOUTH_BELOW_NOSE + self.nose_y

    @property
    def mouth_x(self) -> float:
        """x of the corner of the mouth on the right of the picture."""
        return MOUTH_X * self.mouth_width

    @property
    def chin_y(self) -> float:
        """y of the chin boss."""
        return self.mouth_y + CHIN_BELOW_MOUTH * self.chin


def make_identity(generator: np.random.Generator, female: bool) -> Identity:
    """Draw one person.

    Args:
        generator: of all that is drawn here.
        female: women and men differ a little in shape, brows, hair and stubble.
    """
    sign = -1.0 if female else 1.0

    def around(mean: float, spread: float, limit: float = 2.2) -> float:
        """Normal, cut off at `limit` standard deviations."""
        return mean + spread * float(np.clip(generator.normal(), -limit, limit))

    # Skin's tone is 0 (light) to 5 (dark). Dark skin goes with dark hair and eyes.
    tone = generator.uniform(0, 5)
    skin = _colour(SKINS, tone) * (1 + generator.uniform(-0.05, 0.05, 3))
    age = generator.uniform(0.0, 1.0) ** 1.6
    dark = np.clip(tone / 4 + generator.normal(0, 0.2), 0, 1)
    hair = _colour(HAIRS, (1 - dark) * generator.uniform(0.3, 4.4))
    iris = _colour(IRISES, (1 - dark) ** 1.3 * generator.uniform(0, 4.0))
    greying = float(np.clip(1.6 * age - 0.9 + generator.normal(0, 0.2), 0, 1))
    style = _style(generator, female, tone, age)
    loose = style in ("long", "wavy")
    length = generator.uniform(1.25, 2.6) if loose else -1.0
    receding = 0.0 if female else float(np.clip(generator.normal(age - 0.2, 0.4), 0, 1))
    stubble = 0.0 if female else max(0.0, generator.uniform(-0.5, 0.9))
    wave = {"wavy": generator.uniform(0.6, 1.2), "long": generator.uniform(0, 0.25)}
    grey = generator.uniform(0.02, 0.35)
    return Identity(
        texture=int(generator.integers(2**31)),
        male=not female,
        age=age,
        skin=tuple(skin.tolist()),
        redness=generator.uniform(0.2, 1.0),
        freckles=max(0.0, generator.uniform(-1.0, 1.0)) * (tone < 2.2),
        wrinkles=float(np.clip(0.9 * age + generator.normal(0, 0.12), 0, 1)),
        eye_shade=generator.uniform(0.0, 1.0),
        oil=generator.uniform(0.7, 1.3),
        width=around(1.0 + 0.012 * sign, 0.045),
        jaw=around(0.985 + 0.045 * sign, 0.035),
        chin=around(1.0 + 0.025 * sign, 0.045),
        cleft=max(0.0, generator.uniform(-2.0, 1.0)),
        cheekbone=around(1.0, 0.4),
        fullness=generator.uniform(0.0, 1.0) * (1.0 if female else 0.85),
        brow_ridge=around(1.0 + 0.6 * sign, 0.35),
        brow_height=around(-0.022 * sign, 0.025),
        brow_thickness=around(1.0 + 0.25 * sign, 0.2),
        brow_arch=around(1.05 - 0.35 * sign, 0.2),
        eye_size=around(1.02 - 0.045 * sign, 0.05),
        eye_spacing=around(1.0, 0.04),
        eye_tilt=around(-0.06, 0.06),
        lid=around(1.0 - 0.2 * sign, 0.35),
        lashes=around(1.0 - 0.3 * sign, 0.1),
        iris=tuple(iris.tolist()),
        nose_length=around(1.0, 0.05),
        nose_width=around(0.98 + 0.05 * sign + 0.05 * (tone - 2.5), 0.10),
        nose_height=around(1.0 + 0.04 * sign - 0.04 * (tone - 2.5), 0.12),
        nose_hump=generator.uniform(-1.0, 1.0),
        nose_tip=around(1.0 + 0.1 * sign, 0.3),
        ear_size=around(1.0 + 0.03 * sign, 0.08),
        mouth_width=around(1.0 + 0.02 * sign, 0.055),
        lips=around(1.05 - 0.08 * sign + 0.09 * (tone - 2.5), 0.15),
        lip_balance=around(1.0, 0.12),
        corner_lift=around(0.028, 0.013),
        fold=generator.uniform(0.0, 0.6) ** 2 + 0.55 * age,
        hair=tuple(hair.tolist()),
        hair_style=style,
        hairline=around(0.03 * sign, 0.05),
        receding=receding * (0.6 if style == "short" else 1.0),
        parting=generator.uniform(-0.45, 0.45),
        open=generator.uniform(-0.09, 0.03),
        hair_length=length,
        hair_volume=generator.uniform(*VOLUMES[style]),
        wave=wave.get(style, 0.3),
        sweep=generator.uniform(-1.0, 1.0),
        greying=greying,
        stubble=stubble,
        neck=around(0.96 + 0.11 * sign, 0.05),
        neckline=generator.uniform(0.0, 0.75) ** 2,
        shirt=tuple((grey * (1 + generator.uniform(-0.35, 0.35, 3))).tolist()),
        lamp=generator.uniform(0.2, 0.6) * (1 if generator.random() < 0.5 else -1),
        uneven=tuple(generator.uniform(-1.0, 1.0, 6).tolist()),
        strength=tuple(around(1.0, 0.1, 2.0) for _ in range(5)),
        lean=tuple(around(0.0, 0.08, 2.0) for _ in range(5)),
    )


def _colour(table: np.ndarray, place: float) -> np.ndarray:
    """Linear light (3,) of the colour at a place between the rows of a table."""
    rows = np.arange(len(table))
    mixed = [np.interp(place, rows, column) for column in table.T]
    return (np.array(mixed) / 255) ** 2  # the inverse of the curve in render_face


def _style(generator, female: bool, tone: float, age: float) -> str:
    """One of `VOLUMES`: coils go with darker skin, baldness with men's age."""
    coils = 0.55 if tone > 3.4 else 0.0
    if female:
        shares = [0.03 + 0.06 * age, 0.10 * age, 0.0, 0.8 * coils, 0.30, 0.34, 0.26]
    else:
        shares = [0.35, 0.45, 0.03 + 0.2 * age, 1.3 * coils, 0.03, 0.03, 0.02]
    shares = np.array(shares) / sum(shares)
    return list(VOLUMES)[generator.choice(len(VOLUMES), p=shares)]
