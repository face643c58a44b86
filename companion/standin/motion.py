"""How the stand-in's people move: holds joined by ramps, and unlabelled motions."""

import numpy as np

# Mean frames (25 a second) of holds and ramps.
ACTION, GAZE, POSE = (60, 12), (30, 3), (40, 40)
SMILE_PARTS_LIPS = 0.17  # a level of AU12
CONSTANT_POSE, MOVING_POSE = 0.6, 0.8  # shares of a pose; their squares add up to 1
HEAD = {"yaw": 6.0, "pitch": 4.0, "roll": 3.0}  # standard deviations, degrees
BLINKS = 0.01  # that start in a frame: one in four seconds
BLINK = np.sin(np.pi * np.arange(1, 8) / 8)  # how far the lid closes; 7 frames, .28 s


def movement(
    generator: np.random.Generator, length: int, hold: float, ramp: float
) -> np.ndarray:
    """A float64 path (length,): normal values held for a while, ramps between them.

    Args:
        generator: of the path.
        length: frames.
        hold: mean frames of a hold. Holds have a gamma distribution of shape 1/2: most
            are short, some last as long as a sequence.
        ramp: mean frames of a ramp, less one. Ramps have an exponential distribution,
            from sudden to slow changes.
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
    """The motions of one sequence that are none of the five AUs.

    Args:
        generator: of the motions.
        smile: the intensity of AU12 that the face shows, (length,), 0..5.

    Returns:
        Name → float64 (length,). In 0..1: `brow_raise_inner` (AU1),
        `brow_raise_outer` (AU2), `brow_lower` (AU4), `lips_part` (AU25, which grows
        with AU12, as in the paper's Figure 1, and is at least as large as the jaw
        drop), `jaw_drop` (AU26), `blink` (AU45). In -1..1: `gaze_x`, `gaze_y`. In
        degrees: `yaw`, `pitch`, `roll`, as small as in BP4D's frontal views, within two
        standard deviations.
    """
    length = len(smile)

    def move(pace: tuple[float, float]) -> np.ndarray:
        return movement(generator, length, *pace)

    # An action is slope * (motion - threshold). Motions are normal, so that a higher
    # threshold makes the action rarer: 0.7 is exceeded in 24 % of frames, 1 in 16 %.
    raised = move(ACTION)
    jaw = (0.5 * (move(ACTION) - 1)).clip(0, 1)
    lips = (0.4 * (move(ACTION) - 0.7)).clip(0, 1) + SMILE_PARTS_LIPS * smile
    blink = np.zeros(length + len(BLINK))
    for start in np.flatnonzero(generator.random(length) < BLINKS):
        window = slice(start, start + len(BLINK))
        blink[window] = np.maximum(blink[window], BLINK)
    columns = {
        "brow_raise_inner": (0.5 * (raised - 0.7)).clip(0, 1),
        "brow_raise_outer": (0.4 * raised + 0.3 * move(ACTION) - 0.35).clip(0, 1),
        "brow_lower": (0.5 * (move(ACTION) - 0.8)).clip(0, 1),
        "lips_part": np.maximum(lips, jaw).clip(0, 1),
        "jaw_drop": jaw,
        "blink": blink[:length],
        "gaze_x": (0.3 * move(GAZE)).clip(-1, 1),
        "gaze_y": (0.3 * move(GAZE)).clip(-1, 1),
    }
    for name, degrees in HEAD.items():
        pose = CONSTANT_POSE * generator.standard_normal() + MOVING_POSE * move(POSE)
        columns[name] = degrees * pose.clip(-2, 2)
    return columns
