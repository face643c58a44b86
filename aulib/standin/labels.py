r"""The stand-in's labels: 41 people, 8 tasks, five intensities, at full length.

Each AU a of each sequence has a smooth latent process. Subject s in task k at
frame t has

.. math::

    z_a(t) = \sqrt{v_a} \, (R^{1/2} u_s)_a + \sqrt{1 - v_a} \, (R^{1/2} m_{sk}(t))_a
             + b_{ak}, \qquad w_a(t) = z_a(t) + c_a(t)

with u the person, m the motion (a level of the sequence, and holds joined by ramps),
b the task, c the coder's opinion. Levels follow by rank within a split: of its N
known frames, the n_0 of smallest w are level 0, the next n_1 are level 1, and so on.
So the marginals are BP4D's by construction:

- evaluation subjects (even ids): the counts of BP4D's development set;
- training subjects (odd ids), whose counts are not public: BP4D's rate of occurrence,
  and the development set's shares of the levels given that the AU is there.

b_ak is the quantile that gives task k its rate of occurrence in BP4D. The latent
correlation R and the people's part v are fitted, by repeated correction, until the
correlations of the levels and the between-subject share of their variance are the
wanted ones. One seed, one set of labels: nothing is drawn twice.

What the face shows is z without the coder, sent through the same monotone map to a
continuous intensity: (L - .5, L + .5] for level L, 0 when absent, with the last
`ONSET` of the absent ranks rising to .5. Written and drawn level differ by one step
in about 15 % of the known frames: no model can reach an ICC of 1.

All numbers of BP4D stand with their sources in `data/bp4d_statistics.json`.
"""

import json
from pathlib import Path

import numpy as np
import pandas as pd

from aulib import AU_NAMES, UNKNOWN

STATISTICS = Path(__file__).resolve().parents[2] / "data" / "bp4d_statistics.json"
SUBJECTS = tuple(
    [f"F{i:03d}" for i in range(1, 24)] + [f"M{i:03d}" for i in range(1, 19)]
)
TASKS = tuple(f"T{i}" for i in range(1, 9))

SHARE = 0.17  # of a level's variance that lies between subjects; BP4D: .11 to .24
HOLD = (150, 160, 140, 140, 70)  # mean frames (25 a second) that an AU stays put
RAMP = 24  # mean frames from one hold to the next
SEQUENCE = 0.4  # share of a motion's variance that is constant in a sequence
CODER = 0.3  # standard deviation of the coder's opinion, in units of z
ONSET = 0.1  # share of the absent ranks in which the face already starts to move
ROUNDS = 12  # corrections of the latent correlation and of the people's part
# Streams of random numbers: one for each purpose, so that none shifts another.
LENGTHS, PEOPLE, MOTION, CODING, GAPS, DISTRACTORS = range(1001, 1007)


def make_labels(seed: int) -> pd.DataFrame:
    """Every frame of the stand-in, sorted by subject, task and frame.

    Args:
        seed: of everything drawn here.

    Returns:
        One row per frame: `subject`, `task`, `frame` (from 1, in 25ths of a second),
        `split`; the written levels `AU06`.. int8, 0..5 or 9; the intensities shown
        `drawn_AU06`.. float32, 0..5; the distractors of `_distractors`, float32.
    """
    statistics = json.loads(STATISTICS.read_text(encoding="utf-8"))
    sequences = _sequences(seed, statistics)
    people, motion, coder = _latents(seed, sequences)
    known = ~_gaps(seed, sequences, statistics)
    labels = sequences.loc[sequences.index.repeat(sequences.length)]
    subject, task = labels.subject_index.to_numpy(), labels.task_index.to_numpy()
    levels = np.empty(known.shape, np.int8)
    drawn = np.empty(known.shape, np.float32)
    for split in ("train", "evaluation"):
        rows = np.flatnonzero(labels.split == split)
        levels[rows], drawn[rows] = _calibrate(
            *(people[subject[rows]], motion[rows], coder[rows], known[rows]),
            *(subject[rows], task[rows], *_wanted(split, statistics)),
        )
    levels[~known] = UNKNOWN
    frame = labels.start + labels.groupby(level=0).cumcount()
    labels = labels[["subject", "task"]].assign(frame=frame, split=labels.split)
    labels[list(AU_NAMES)] = levels
    labels[[f"drawn_{au}" for au in AU_NAMES]] = drawn
    smiles = drawn[:, AU_NAMES.index("AU12")]
    for name, values in _distractors(seed, sequences, smiles).items():
        labels[name] = values.astype(np.float32)
    return labels.reset_index(drop=True)


def strided(labels: pd.DataFrame, frames_per_task: int) -> pd.DataFrame:
    """The rows that are rendered: evenly strided frames of every sequence.

    Of n frames, frame p (from 0) is kept where round((p + 1) k / n) exceeds
    round(p k / n): k frames, n / k apart, half a stride from either end.

    Args:
        labels: as of `make_labels`.
        frames_per_task: k, at least 1; sequences of fewer frames are kept whole.

    Returns:
        The kept rows, in order, index from 0.

    Raises:
        ValueError: `frames_per_task` is below 1.
    """
    if frames_per_task < 1:
        raise ValueError(f"frames_per_task is {frames_per_task}: give 1 or more")
    sequence = labels.groupby(["subject", "task"], sort=False)
    place, length = sequence.cumcount(), sequence.frame.transform("size")

    def kept_before(place: pd.Series) -> pd.Series:
        return (2 * place * frames_per_task + length) // (2 * length)

    kept = kept_before(place + 1) > kept_before(place)
    return labels[kept].reset_index(drop=True)


def _sequences(seed: int, statistics: dict) -> pd.DataFrame:
    """The 328 sequences: subject, task, split, their indices, length, first frame.

    A subject's frames are BP4D's (what the lists lack of the partition is spread over
    its subjects), shared among eight tasks of 90 to 768 frames.
    """
    frames = statistics["frames_per_subject"]["value"]
    limits = statistics["frames_per_sequence"]
    first = statistics["first_frame"]
    rows = []
    for split, parity in (("train", 1), ("evaluation", 0)):
        members = [name for name in SUBJECTS if int(name[1:]) % 2 == parity]
        total = statistics["frames_per_partition"][split]
        spread = total - sum(frames[name] for name in members)
        extra = np.diff(np.arange(len(members) + 1) * spread // len(members))
        for name, more in zip(members, extra):
            s = SUBJECTS.index(name)
            generator = np.random.default_rng([seed, LENGTHS, s])
            ends = np.exp(0.35 * generator.standard_normal(len(TASKS))).cumsum()
            for _ in range(50):  # one limit moves the others' share: repeat
                lengths = np.diff(ends, prepend=0) * (frames[name] + more) / ends[-1]
                ends = lengths.clip(limits["min"] + 1, limits["max"] - 1).cumsum()
            lengths = np.diff(ends.round().astype(int), prepend=0)
            for k, length in enumerate(lengths):
                start = 1
                if generator.random() > first["share_at_1"]:
                    start += int(generator.exponential(500)) % (
                        first["largest"] - length
                    )
                rows.append((name, TASKS[k], split, s, k, length, start))
    columns = "subject task split subject_index task_index length start".split()
    table = pd.DataFrame(rows, columns=columns)
    return table.sort_values(["subject", "task"], ignore_index=True)


def _movement(
    generator: np.random.Generator, length: int, hold: float, ramp: float
) -> np.ndarray:
    """A float64 path (length,): normal values held for a while, ramps between them.

    Args:
        generator: where it is drawn from.
        length: frames.
        hold: mean frames of a hold, exponentially distributed.
        ramp: mean frames of a ramp, uniform within half and one and a half of it.
    """
    count = int(3 * length / (hold + ramp)) + 8
    holds, ramps = generator.exponential(hold, count), generator.random(count) + 0.5
    ends = np.cumsum(np.column_stack([holds, ramp * ramps]).ravel())
    knots = np.concatenate([[0], ends[:-1]])
    values = np.repeat(generator.standard_normal(count), 2)
    start = generator.random() * (hold + ramp)
    return np.interp(np.arange(length) + start, knots, values)


def _latents(seed: int, sequences: pd.DataFrame) -> tuple[np.ndarray, ...]:
    """u (41, 5), m (frames, 5) and c (frames, 5) before mixing; independent AUs."""
    generator = np.random.default_rng([seed, PEOPLE])
    people = generator.standard_normal((len(SUBJECTS), len(AU_NAMES)))
    motion, coder = [], []
    for row in sequences.itertuples():
        key = [row.subject_index, row.task_index]
        generator = np.random.default_rng([seed, MOTION, *key])
        constant = generator.standard_normal(len(AU_NAMES))
        moves = [_movement(generator, row.length, hold, RAMP) for hold in HOLD]
        motion.append(
            np.sqrt(SEQUENCE) * constant + np.sqrt(1 - SEQUENCE) * np.transpose(moves)
        )
        generator = np.random.default_rng([seed, CODING, *key])
        opinions = [_movement(generator, row.length, 150, 50) for _ in AU_NAMES]
        coder.append(CODER * np.transpose(opinions))
    return people, np.concatenate(motion), np.concatenate(coder)


def _gaps(seed: int, sequences: pd.DataFrame, statistics: dict) -> np.ndarray:
    """Where a level is unknown (code 9): bool (frames, 5).

    Short bursts at BP4D's rate, in both splits, and the first tasks of F008 without
    AU12 (which of its tasks they are in BP4D isn't known), as many as come nearest.
    """
    unknown = statistics["evaluation_unknown"]
    whole = unknown["of_one_subject"]
    length = sequences.length.to_numpy()
    gaps = np.zeros((length.sum(), len(AU_NAMES)), bool)
    for column, au in enumerate(AU_NAMES):
        generator = np.random.default_rng([seed, GAPS, column])
        count = unknown["counts"][au] - (whole["frames"] if au == whole["au"] else 0)
        count = round(count * len(gaps) / unknown["frames"])
        starts = generator.integers(len(gaps) - 12, size=count)
        bursts = starts.repeat(sizes := generator.integers(1, 12, size=count))
        bursts += np.arange(sizes.sum()) - (sizes.cumsum() - sizes).repeat(sizes)
        gaps[bursts[:count], column] = True
    ends = length.cumsum()
    tasks = np.flatnonzero(sequences.subject == whole["subject"])
    taken = np.abs(length[tasks].cumsum() - whole["frames"]).argmin()
    begin, end = ends[tasks[0]] - length[tasks[0]], ends[tasks[taken]]
    gaps[begin:end, AU_NAMES.index(whole["au"])] = True
    return gaps


def _wanted(split: str, statistics: dict) -> tuple[np.ndarray, ...]:
    """Shares of the levels (5, 6), rates by task (8, 5) and correlations (5, 5).

    Evaluation: the mean of the two estimates of BP4D's correlations. Training: that,
    plus the difference between the splits' correlations of occurrence.
    """
    counts = [statistics["evaluation_intensity"]["counts"][au] for au in AU_NAMES]
    shares = np.array(counts) / np.sum(counts, axis=1, keepdims=True)
    pairs = statistics["evaluation_correlation"]
    wanted = np.eye(len(AU_NAMES))
    upper = np.triu_indices_from(wanted, 1)
    wanted[upper] = np.mean([pairs["first"], pairs["second"]], axis=0)
    wanted.T[upper] = wanted[upper]
    occurrence = statistics[f"{split}_occurrence"]
    if split == "train":
        present = np.array(occurrence["rate"])[:, None]
        given = shares[:, 1:] / shares[:, 1:].sum(axis=1, keepdims=True)
        shares = np.column_stack([1 - present, present * given])
        here, there = occurrence, statistics["evaluation_occurrence"]
        wanted += np.subtract(here["correlation"], there["correlation"])
    return shares, np.array([occurrence["by_task"][task] for task in TASKS]), wanted


def _calibrate(
    people, motion, coder, known, subject, task, shares, rates, wanted
) -> tuple[np.ndarray, np.ndarray]:
    """Latents of one split → written levels int8 and drawn intensities, both (N, 5).

    R starts as the wanted correlation and v as `SHARE`. In each round the levels are
    made, what they lack of the wanted correlations is added to R (kept positive
    definite), and v is multiplied by the wanted over the measured share.
    """
    people = (people - people.mean(axis=0)) / people.std(axis=0)
    motion = (motion - motion.mean(axis=0)) / motion.std(axis=0)
    everyone = known.all(axis=1)
    correlation, part = wanted.copy(), np.full(len(AU_NAMES), SHARE)
    for _ in range(ROUNDS):
        values, vectors = np.linalg.eigh(correlation)
        root = vectors * np.sqrt(values.clip(0.01)) @ vectors.T
        z = np.sqrt(part) * (people @ root) + np.sqrt(1 - part) * (motion @ root)
        levels, drawn = _levels(z, coder, known, task, shares, rates)
        correlation += wanted - np.corrcoef(levels[everyone], rowvar=False)
        table = pd.DataFrame(levels[everyone]).groupby(subject[everyone])
        between = table.transform("mean").var() / levels[everyone].var(axis=0)
        part = (part * SHARE / between.to_numpy()).clip(0.01, 0.6)
    return levels, drawn


def _levels(z, coder, known, task, shares, rates) -> tuple[np.ndarray, np.ndarray]:
    """One split's z (N, 5) by rank to written levels and drawn intensities (N, 5)."""
    levels = np.zeros(z.shape, np.int8)
    drawn = np.zeros(z.shape, np.float32)
    for au in range(z.shape[1]):
        offset = np.empty(len(TASKS))
        for k in range(len(TASKS)):
            rows = known[:, au] & (task == k)
            w = z[rows, au] + coder[rows, au]
            offset[k] = -np.quantile(w, 1 - rates[k, au])
        shown = z[:, au] + offset[task]
        w = shown + coder[:, au]
        rows = np.flatnonzero(known[:, au])
        order = rows[np.argsort(w[rows], kind="stable")]
        ends = np.round(shares[au].cumsum() * len(order)).astype(int)
        levels[order, au] = np.searchsorted(ends, np.arange(len(order)), side="right")
        rank = np.searchsorted(w[order], shown) / len(order)
        quantiles = np.concatenate([[0, (1 - ONSET) * shares[au, 0]], shares[au].cumsum()])
        intensity = np.interp(rank, quantiles, [0, 0, 0.5, 1.5, 2.5, 3.5, 4.5, 5])
        limits = levels[:, au] - 1.49, levels[:, au] + 1.5
        drawn[:, au] = np.where(known[:, au], intensity.clip(*limits), intensity)
    return levels, drawn.clip(0, 5)


def _distractors(
    seed: int, sequences: pd.DataFrame, smiles: np.ndarray
) -> dict[str, np.ndarray]:
    """What moves in a face and is not labelled: name → float64 (frames,).

    `brow_raise_inner` (AU1), `brow_raise_outer` (AU2), `brow_lower` (AU4),
    `lips_part` (AU25; it grows with AU12, as in the paper's Figure 1), `jaw_drop`
    (AU26), `blink` (AU45, six to ten frames, every four seconds or so): 0..1.
    `gaze_x`, `gaze_y`: -1..1. `yaw`, `pitch`, `roll`: degrees, BP4D's frontal views.
    """
    parts = []
    for row in sequences.itertuples():
        key = [seed, DISTRACTORS, row.subject_index, row.task_index]
        generator = np.random.default_rng(key)

        def move(hold: float, ramp: float) -> np.ndarray:
            return _movement(generator, row.length, hold, ramp)

        raised, outer, lowered, speech, jaw = (move(60, 12) for _ in range(5))
        gaze = [np.clip(0.3 * move(30, 3), -1, 1) for _ in range(2)]
        rest, sway = generator.standard_normal((3, 1)), [move(40, 40) for _ in range(3)]
        head = np.clip(0.6 * rest + 0.8 * np.array(sway), -2, 2)
        blinks = np.zeros(row.length)
        shape = np.sin(np.pi * np.arange(1, 8) / 8)
        for start in np.flatnonzero(generator.random(row.length) < 0.01):
            end = min(start + len(shape), row.length)
            blinks[start:end] = np.maximum(blinks[start:end], shape[: end - start])
        parts.append(
            {
                "brow_raise_inner": 0.5 * (raised - 0.7),
                "brow_raise_outer": 0.5 * (0.8 * raised + 0.6 * outer - 0.7),
                "brow_lower": 0.5 * (lowered - 0.8),
                "lips_part": 0.4 * (speech - 0.7),
                "jaw_drop": 0.5 * (jaw - 1.0),
                "blink": blinks,
                "gaze_x": gaze[0],
                "gaze_y": gaze[1],
                "yaw": 6 * head[0],
                "pitch": 4 * head[1],
                "roll": 3 * head[2],
            }
        )
    values = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
    for name in list(values)[:6]:
        values[name] = values[name].clip(0, 1)
    values["lips_part"] = (values["lips_part"] + 0.17 * smiles).clip(0, 1)
    values["lips_part"] = np.maximum(values["lips_part"], values["jaw_drop"])
    return values
