"""The stand-in's people: the parameters that make one face another's.

Nobody is portrayed: every parameter is drawn, within the human range, from the
generator that is handed in. The unit is that of `aulib.standin.face`, half a face's
width (69 mm).
"""

from dataclasses import dataclass

import numpy as np

SKINS = np.array(
    [
        [247, 214, 196],
        [232, 186, 158],
        [206, 152, 118],
        [166, 112, 80],
        [118, 76, 54],
        [76, 48, 38],
    ]
)
HAIRS = np.array(
    [[24, 20, 19], [48, 33, 26], [84, 55, 36], [128, 88, 52], [188, 148, 96]]
)
IRISES = np.array([[44, 26, 18], [86, 54, 30], [96, 100, 62], [98, 124, 146]])


@dataclass(frozen=True)
class Identity:
    """One person: lengths as factors of the mean unless a unit is named."""

    texture: int  # seed of pores, freckles and moles
    skin: tuple[float, float, float]  # colours are linear light, 0..1
    redness: float  # of cheeks, nose and lips, 0..1
    freckles: float  # 0..1
    wrinkles: float  # of the neutral face, 0..1
    width: float
    jaw: float
    chin: float
    cheekbone: float
    brow_ridge: float
    brow_height: float  # units above the mean
    brow_thickness: float
    eye_size: float
    eye_spacing: float
    eye_tilt: float  # slope of the line through both corners
    iris: tuple[float, float, float]
    nose_length: float
    nose_width: float
    nose_height: float
    mouth_width: float
    lips: float  # thickness
    corner_lift: float  # units by which the neutral corners lie higher
    fold: float  # depth of the neutral nasolabial fold, 0..1
    hair: tuple[float, float, float]
    hairline: float  # units above the mean
    parting: float  # where the hairline peaks, units
    hair_length: float  # y where it ends beside the face; below 0: the ears show
    hair_volume: float  # units
    stubble: float  # 0..1
    neck: float
    shirt: tuple[float, float, float]
    lamp: float  # the lamp's azimuth in radians
    strength: tuple[float, ...]  # how strongly this face shows each of the five AUs

    @property
    def eye_x(self) -> float:
        return 0.46 * self.eye_spacing

    @property
    def nose_y(self) -> float:  # where the nose meets the lip
        return 0.61 * self.nose_length

    @property
    def mouth_y(self) -> float:
        return 0.30 + self.nose_y

    @property
    def mouth_x(self) -> float:  # half the mouth's width
        return 0.37 * self.mouth_width

    @property
    def chin_y(self) -> float:  # the chin boss
        return self.mouth_y + 0.44 * self.chin


def make_identity(generator: np.random.Generator, female: bool) -> Identity:
    """Draw one person.

    Args:
        generator: what the person is drawn from; nothing else decides.
        female: women and men differ a little in shape, brows, hair and stubble.
    """
    sign = -1.0 if female else 1.0

    def around(mean: float, spread: float, limit: float = 2.2) -> float:
        return mean + spread * float(np.clip(generator.normal(), -limit, limit))

    def colour(table: np.ndarray, place: float) -> np.ndarray:
        steps = np.arange(len(table))
        mixed = [np.interp(place, steps, table[:, channel]) for channel in range(3)]
        return (np.array(mixed) / 255) ** 2  # to linear light, see render_face

    def triple(values: np.ndarray) -> tuple[float, float, float]:
        return tuple(float(value) for value in values)

    tone = generator.uniform(0, 5)
    skin = colour(SKINS, tone) * (1 + generator.uniform(-0.06, 0.06, 3))
    dark = np.clip(tone / 5 + generator.normal(0, 0.25), 0, 1)
    hair = colour(HAIRS, (1 - dark) * generator.uniform(0.6, 4.4))
    iris = colour(IRISES, (1 - dark) ** 1.3 * generator.uniform(0, 4.0))
    if generator.random() < 0.12:  # grey
        hair = 0.25 * hair + 0.75 * np.array([0.38, 0.37, 0.36])
    if female:
        length = generator.choice([-1.0, 1.5, 2.0, 3.5], p=[0.3, 0.2, 0.2, 0.3])
    else:
        length = generator.choice([-1.0, 1.2], p=[0.94, 0.06])
    length = float(length)  # a NumPy scalar would make the pictures float64
    stubble = 0.0 if female else max(0.0, generator.uniform(-0.5, 0.9))
    return Identity(
        texture=int(generator.integers(2**31)),
        skin=triple(skin),
        redness=generator.uniform(0.1, 1.0),
        freckles=max(0.0, generator.uniform(-1.0, 1.0)) * (tone < 2.5),
        wrinkles=generator.uniform(0.0, 1.0) ** 2,
        width=around(1.0 + 0.01 * sign, 0.045),
        jaw=around(1.0 + 0.03 * sign, 0.05),
        chin=around(1.0 + 0.02 * sign, 0.045),
        cheekbone=around(1.0, 0.4),
        brow_ridge=around(1.0 + 0.4 * sign, 0.3),
        brow_height=around(-0.015 * sign, 0.03),
        brow_thickness=around(1.0 + 0.18 * sign, 0.2),
        eye_size=around(1.0 - 0.03 * sign, 0.06),
        eye_spacing=around(1.0, 0.04),
        eye_tilt=around(-0.06, 0.07),
        iris=triple(iris),
        nose_length=around(1.0, 0.05),
        nose_width=around(1.0 + 0.03 * sign, 0.13),
        nose_height=around(1.0 + 0.03 * sign, 0.15),
        mouth_width=around(1.0 + 0.02 * sign, 0.07),
        lips=around(1.0 - 0.08 * sign, 0.2),
        corner_lift=around(0.012, 0.016),
        fold=generator.uniform(0.0, 1.0) ** 2,
        hair=triple(hair),
        hairline=around(0.03 * sign, 0.06)
        - 0.3 * (female and generator.random() < 0.25),
        parting=generator.uniform(-0.6, 0.6),
        hair_length=length,
        hair_volume=generator.uniform(0.05, 0.16) + 0.05 * (length > 0),
        stubble=stubble,
        neck=around(1.0 + 0.1 * sign, 0.05),
        shirt=triple(generator.uniform(0.02, 0.6, 3)),
        lamp=generator.uniform(-0.5, 0.5),
        strength=tuple(around(1.0, 0.1, 2.0) for _ in range(5)),
    )
