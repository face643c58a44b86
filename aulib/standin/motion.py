"""How the stand-in's people move: holds joined by ramps, and what is not labelled."""

import numpy as np

HEAD = {"yaw": 6.0, "pitch": 4.0, "roll": 3.0}  # standard deviations in degrees
BLINKS = 0.01  # starts per frame: one in four seconds
BLINK = np.sin(np.pi * np.arange(1, 8) / 8)  # seven frames of lid, 0.28 s


def movement(
    generator: np.random.Generator, length: int, hold: float, ramp: float
) -> np.ndarray:
    """A float64 path (length,): normal values held for a while, ramps between them.

    Args:
        generator: where it is drawn from.
        length: frames.
        hold: mean frames of a hold; gamma of shape 1/2, so that most are short and
            some last a whole sequence.
        ramp: mean frames of a ramp less one; exponential, snaps to slow changes.
    """
    count = int(3 * length / (hold + ramp)) + 8
    holds = generator.gamma(0.5, 2 * hold, count)
    ramps = 1 + generator.exponential(ramp, count)
    ends = np.column_stack([holds, ramps]).ravel().cumsum()
    knots = np.concatenate([[0], ends[:-1]])
    values = np.repeat(generator.standard_normal(count), 2)
    start = generator.random() * (hold + ramp)
    return np.interp(np.arange(length) + start, knots, values)


def distractors(
    generator: np.random.Generator, smile: np.ndarray
) -> dict[str, np.ndarray]:
    """What moves in the face of one sequence and is not one of the five AUs.

    Args:
        generator: where it is drawn from.
        smile: the intensity of AU12 that the face shows, (length,), 0..5.

    Returns:
        Name → float64 (length,). In 0..1: `brow_raise_inner` (AU1),
        `brow_raise_outer` (AU2), `brow_lower` (AU4), `lips_part` (AU25; it grows with
        AU12, as in the paper's Figure 1, and the jaw takes it along), `jaw_drop`
        (AU26), `blink` (AU45). In -1..1: `gaze_x`, `gaze_y`. In degrees, within two
        standard deviations: `yaw`, `pitch`, `roll`, of BP4D's frontal views.
    """
    length = len(smile)

    def move(hold: float, ramp: float) -> np.ndarray:
        return movement(generator, length, hold, ramp)

    raised = move(60, 12)
    jaw = (0.5 * (move(60, 12) - 1)).clip(0, 1)
    lips = (0.4 * (move(60, 12) - 0.7)).clip(0, 1) + 0.17 * smile
    blink = np.zeros(length + len(BLINK))
    for start in np.flatnonzero(generator.random(length) < BLINKS):
        window = slice(start, start + len(BLINK))
        blink[window] = np.maximum(blink[window], BLINK)
    columns = {
        "brow_raise_inner": (0.5 * (raised - 0.7)).clip(0, 1),
        "brow_raise_outer": (0.4 * raised + 0.3 * move(60, 12) - 0.35).clip(0, 1),
        "brow_lower": (0.5 * (move(60, 12) - 0.8)).clip(0, 1),
        "lips_part": np.maximum(lips, jaw).clip(0, 1),
        "jaw_drop": jaw,
        "blink": blink[:length],
        "gaze_x": (0.3 * move(30, 3)).clip(-1, 1),
        "gaze_y": (0.3 * move(30, 3)).clip(-1, 1),
    }
    for name, degrees in HEAD.items():
        pose = 0.6 * generator.standard_normal() + 0.8 * move(40, 40)
        columns[name] = degrees * pose.clip(-2, 2)
    return columns
