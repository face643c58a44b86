r"""The stand-in's labels: 41 people, 8 tasks, five intensities, at full length.

Each AU a of each sequence has a smooth latent process. Subject s in task k at
frame t has

.. math::

    z_a(t) = \sqrt{v_a} \, (R^{1/2} u_s)_a + \sqrt{1 - v_a} \, (R^{1/2} m_{sk}(t))_a
             + b_{ak}, \qquad w_a(t) = z_a(t) + c_a(t)

where u is the person, m the motion (a constant of the sequence, and holds joined by
ramps), b the task and c the coder's opinion. Ranks within a split give the levels: of
its N known frames, the n_0 with the smallest w have level 0, the next n_1 level 1, and
so on. So the marginals are BP4D's by construction:

- evaluation subjects (even ids): the counts of BP4D's development set;
- training subjects (odd ids), whose counts are not public: BP4D's rate of occurrence,
  and the development set's shares of levels 1 to 5.

b_ak is the quantile that gives task k its rate of occurrence in BP4D. Repeated
corrections fit the latent correlation R and the people's part v to the wanted
correlations of the levels and the wanted between-subject share of their variance. A
seed gives one set of labels; nothing is drawn twice.

The face shows z, without the coder's opinion. The same monotone map turns z into a
continuous intensity: (L - .5, L + .5] for level L, and 0 for an absent AU, but the last
`ONSET` of the absent ranks rise to .5. The level that is written and the level that is
shown differ by one step in about one known frame of six (.11 to .21 by AU), so no model
can reach an ICC of 1.

`data/bp4d_statistics.json` has all numbers of BP4D with their sources.
"""

import json
from pathlib import Path

import numpy as np
import pandas as pd

from aulib import UNKNOWN
from companion.bp4d import AU_NAMES
from companion.standin.motion import distractors, movement

STATISTICS = Path(__file__).resolve().parents[2] / "data" / "bp4d_statistics.json"
SUBJECTS = tuple(
    [f"F{i:03d}" for i in range(1, 24)] + [f"M{i:03d}" for i in range(1, 19)]
)
TASKS = tuple(f"T{i}" for i in range(1, 9))

SHARE = 0.17  # of a level's variance that lies between subjects; BP4D: .11 to .24
# HOLD and RAMP, by AU, bring changes, runs and jumps close to `evaluation_dynamics`.
HOLD = (85, 115, 85, 75, 13)  # mean frames (25 a second) that an AU does not move
RAMP = (1, 1, 6, 1, 6)  # mean frames, less one, from one hold to the next
SEQUENCE = 0.3  # share of a motion's variance that is constant in a sequence
CODER = 0.18  # standard deviation of the coder's opinion, in units of z
OPINION = (300, 10)  # mean frames of the opinion's holds and ramps
ONSET = 0.1  # share of the absent ranks in which the face already moves a little
ROUNDS = 8  # corrections of the latent correlation and of the people's part
# Each purpose has its own random numbers; a change to one does not change the others.
LENGTHS, PEOPLE, MOTION, CODING, GAPS, DISTRACTORS = range(1001, 1007)


def make_labels(seed: int) -> pd.DataFrame:
    """Every frame of the stand-in, sorted by subject, task and frame.

    Args:
        seed: of all that is drawn here.

    Returns:
        One row per frame: `subject`, `task`, `frame` (from 1, 25 a second), `split`;
        `AU06` to `AU17`, the levels that are written, int8, 0..5 or 9; `drawn_AU06` to
        `drawn_AU17`, the intensities that the face shows, float32, 0..5; and the
        columns of `motion.distractors`, float32.
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
            people[subject[rows]],
            motion[rows],
            coder[rows],
            known[rows],
            subject[rows],
            task[rows],
            *_wanted(split, statistics),
        )
    levels[~known] = UNKNOWN
    frame = labels.start + labels.groupby(level=0).cumcount()
    labels = labels[["subject", "task"]].assign(frame=frame, split=labels.split)
    labels[list(AU_NAMES)] = levels
    labels[[f"drawn_{au}" for au in AU_NAMES]] = drawn
    smiles = np.split(drawn[:, AU_NAMES.index("AU12")], sequences.length.cumsum()[:-1])
    moves = [
        distractors(np.random.default_rng([seed, DISTRACTORS, *key]), smile)
        for key, smile in zip(_keys(sequences), smiles)
    ]
    labels = labels.reset_index(drop=True)
    moves = pd.concat(map(pd.DataFrame, moves), ignore_index=True)
    return labels.join(moves.astype(np.float32))


def strided(
    labels: pd.DataFrame, frames_per_task: int | dict[str, int]
) -> pd.DataFrame:
    """The rows that are rendered: evenly strided frames of every sequence.

    Of a sequence's n frames, counted from 0, the kept ones lie in the middles of k
    equal parts: floor((j + 1/2) n / k) for j = 0..k-1.

    Args:
        labels: from `make_labels`.
        frames_per_task: k, at least 1; a sequence of fewer frames keeps all of them.
            Or a number for each split: {"train": 12, "evaluation": 6}.

    Returns:
        The kept rows, in order, index from 0.

    Raises:
        ValueError: a number is below 1, or a split has none.
    """
    splits = ("train", "evaluation")
    each = frames_per_task
    if not isinstance(each, dict):
        each = dict.fromkeys(splits, frames_per_task)
    if set(each) != set(splits) or min(each.values()) < 1:
        wanted = "1 or more, or one such number each for train and evaluation"
        raise ValueError(f"frames_per_task is {frames_per_task}: give {wanted}")
    rows = []
    sequences = labels.groupby(["subject", "task", "split"], sort=False).indices
    for (_, _, split), places in sequences.items():
        kept = each[split]
        middles = (2 * np.arange(kept) + 1) * len(places) // (2 * kept)
        rows.append(places[np.unique(middles)])
    return labels.iloc[np.sort(np.concatenate(rows))].reset_index(drop=True)


def _sequences(seed: int, statistics: dict) -> pd.DataFrame:
    """The 328 sequences: subject, task, split, their indices, length, first frame.

    A subject has as many frames as in BP4D, plus an equal part of the frames that the
    published lists lack of its partition, in eight tasks of 90 to 768 frames.
    """
    frames = statistics["frames_per_subject"]["value"]
    limits = statistics["frames_per_sequence"]
    first = statistics["first_frame"]
    rows = []
    for split, parity in (("train", 1), ("evaluation", 0)):
        members = [name for name in SUBJECTS if int(name[1:]) % 2 == parity]
        missing = statistics["frames_per_partition"][split]
        missing -= sum(frames[name] for name in members)
        extra = np.diff(np.arange(len(members) + 1) * missing // len(members))
        for name, more in zip(members, extra):
            s = SUBJECTS.index(name)
            generator = np.random.default_rng([seed, LENGTHS, s])
            lengths = np.exp(0.35 * generator.standard_normal(len(TASKS)))
            for _ in range(50):  # a limit that acts changes the other lengths: repeat
                lengths *= (frames[name] + more) / lengths.sum()
                lengths = lengths.clip(limits["min"] + 1, limits["max"] - 1)
            lengths = np.diff(lengths.cumsum().round().astype(int), prepend=0)
            begun = generator.random(len(TASKS)) < first["share_at_1"]
            later = generator.exponential(500, len(TASKS)).astype(int)
            starts = 1 + np.where(begun, 0, later % (first["largest"] - lengths))
            for k, (length, start) in enumerate(zip(lengths, starts)):
                rows.append((name, TASKS[k], split, s, k, length, start))
    columns = "subject task split subject_index task_index length start".split()
    table = pd.DataFrame(rows, columns=columns)
    return table.sort_values(["subject", "task"], ignore_index=True)


def _keys(sequences: pd.DataFrame) -> list[tuple[int, int]]:
    """(subject, task) indices of the sequences."""
    return list(zip(sequences.subject_index, sequences.task_index))


def _latents(seed: int, sequences: pd.DataFrame) -> tuple[np.ndarray, ...]:
    """u (41, 5), m (frames, 5) and c (frames, 5), with independent AUs."""
    generator = np.random.default_rng([seed, PEOPLE])
    people = generator.standard_normal((len(SUBJECTS), len(AU_NAMES)))
    motion, coder = [], []
    for key, length in zip(_keys(sequences), sequences.length):
        generator = np.random.default_rng([seed, MOTION, *key])
        constant = generator.standard_normal(len(AU_NAMES))
        moves = [movement(generator, length, *pace) for pace in zip(HOLD, RAMP)]
        motion.append(
            SEQUENCE**0.5 * constant + (1 - SEQUENCE) ** 0.5 * np.stack(moves, 1)
        )
        generator = np.random.default_rng([seed, CODING, *key])
        opinions = [movement(generator, length, *OPINION) for _ in AU_NAMES]
        coder.append(CODER * np.stack(opinions, 1))
    return people, np.concatenate(motion), np.concatenate(coder)


def _gaps(seed: int, sequences: pd.DataFrame, statistics: dict) -> np.ndarray:
    """Where a level is unknown (code 9): bool (frames, 5).

    In both splits, short bursts at BP4D's rate. As in BP4D, some tasks of F008 lack
    AU12 wholly; which tasks is not known, so it is the first ones here, as many as come
    closest to BP4D's number of frames.
    """
    unknown = statistics["evaluation_unknown"]
    lacking = unknown["of_one_subject"]
    length = sequences.length.to_numpy()
    gaps = np.zeros((length.sum(), len(AU_NAMES)), bool)
    for column, au in enumerate(AU_NAMES):
        generator = np.random.default_rng([seed, GAPS, column])
        count = unknown["counts"][au] - lacking["frames"] * (au == lacking["au"])
        count = round(count * len(gaps) / unknown["frames"])
        bursts = [
            start + np.arange(generator.integers(1, 12))
            for start in generator.integers(len(gaps) - 12, size=count)
        ]
        gaps[np.concatenate(bursts)[:count], column] = True
    ends = length.cumsum()
    tasks = np.flatnonzero(sequences.subject == lacking["subject"])
    taken = np.abs(length[tasks].cumsum() - lacking["frames"]).argmin()
    begin, end = ends[tasks[0]] - length[tasks[0]], ends[tasks[taken]]
    gaps[begin:end, AU_NAMES.index(lacking["au"])] = True
    return gaps


def _wanted(split: str, statistics: dict) -> tuple[np.ndarray, ...]:
    """Shares of the levels (5, 6), rates by task (8, 5) and correlations (5, 5).

    The correlations of the evaluation split are the mean of the two estimates for BP4D.
    The training split's differ from it by as much as the correlations of occurrence
    differ between the splits.
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

    R starts as the wanted correlation and v as `SHARE`. Each round makes the levels,
    adds the difference between wanted and measured correlations to R, which is kept
    positive definite, and multiplies v by the ratio of wanted and measured share.
    """
    people = (people - people.mean(axis=0)) / people.std(axis=0)
    motion = (motion - motion.mean(axis=0)) / motion.std(axis=0)
    correlation, part = wanted.copy(), np.full(len(AU_NAMES), SHARE)
    for _ in range(ROUNDS):
        values, vectors = np.linalg.eigh(correlation)
        root = vectors * np.sqrt(values.clip(0.01)) @ vectors.T
        z = np.sqrt(part) * (people @ root) + np.sqrt(1 - part) * (motion @ root)
        levels, drawn = _levels(z, coder, known, task, shares, rates)
        table = pd.DataFrame(levels).where(known)
        correlation += wanted - table.corr().to_numpy()
        means = table.groupby(subject).transform("mean").where(known)
        part = (part * SHARE * table.var() / means.var()).clip(0.01, 0.6).to_numpy()
    return levels, drawn


def _levels(z, coder, known, task, shares, rates) -> tuple[np.ndarray, np.ndarray]:
    """Ranks of one split's z (N, 5) → written levels and drawn intensities (N, 5).

    Latents are rounded to 1e-9, so that the frames of a hold tie exactly on every
    processor. Tied frames rank by time.
    """
    levels, drawn = np.zeros(z.shape, np.int8), np.zeros(z.shape, np.float32)
    for au, share in enumerate(shares):
        rows = np.flatnonzero(known[:, au])
        offset = np.empty(len(TASKS))
        for k in range(len(TASKS)):
            here = rows[task[rows] == k]
            w = z[here, au] + coder[here, au]
            offset[k] = -np.quantile(w, 1 - rates[k, au])
        shown = (z[:, au] + offset[task]).round(9)
        w = (shown + coder[:, au]).round(9)[rows]
        order = np.argsort(w, kind="stable")
        ends = np.round(share.cumsum() * len(rows))
        levels[rows[order], au] = np.searchsorted(ends, np.arange(len(rows)), "right")
        rank = np.searchsorted(w[order], shown) / len(rows)
        edges = [0, (1 - ONSET) * share[0], *share.cumsum()]
        drawn[:, au] = np.interp(rank, edges, [0, 0, 0.5, 1.5, 2.5, 3.5, 4.5, 5])
        level = levels[rows, au]  # the coder errs by one step at most
        drawn[rows, au] = drawn[rows, au].clip(level - 1.49, level + 1.5)
    return levels, drawn.clip(0, 5)
