"""What the draws of Eq. 1 and 2 do to the training labels: the paper's claims.

Frames with one label vector have one weight, so a set of frames is a count for each
vector. Other training people would give other counts: a bootstrap over people draws
them, and computes the weights anew each time.
"""

import numpy as np
from scipy.stats import entropy

from companion.analysis.bootstrap import percentile_interval, resamples
from companion.analysis.evidence import Judgement
from companion.bp4d import AU_NAMES

RESAMPLES = 1_000
BATCH_RESAMPLES, BATCHES = 200, 200
"""Resamples of the people, and batches that each of them draws."""

RARE = 1e-3
"""A label vector is rare if at most this share of the frames has it."""


def vector_counts(
    labels: np.ndarray, subjects: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """The different label vectors, and how many frames of each person have them.

    Args:
        labels: int array (M, Q), levels 0..5.
        subjects: array (M,), the person in each frame.

    Returns:
        Int arrays (V, Q), sorted, and (S, V), people in sorted order.
    """
    vectors, number = np.unique(labels, axis=0, return_inverse=True)
    people, person = np.unique(subjects, return_inverse=True)
    counts = np.zeros((len(people), len(vectors)), np.int64)
    np.add.at(counts, (person, number.ravel()), 1)
    return vectors, counts


def level_counts(vectors: np.ndarray, frames: np.ndarray) -> np.ndarray:
    """Frames at each level of each AU: (V, Q) and (..., V) → float64 (..., Q, 6)."""
    has = (vectors[:, :, None] == np.arange(6)).reshape(len(vectors), -1)
    return (frames @ has.astype(float)).reshape(*frames.shape[:-1], -1, 6)


def vector_weights(vectors: np.ndarray, frames: np.ndarray) -> np.ndarray:
    """Eq. 1 and 2 for each label vector.

    Args:
        vectors: int array (V, Q).
        frames: array (..., V), the frames that have each of them.

    Returns:
        float64 array (..., V), the weight of a frame with that vector.
    """
    levels = level_counts(vectors, frames)
    rarity = 1 - levels / levels.sum(axis=-1, keepdims=True)
    columns = np.arange(vectors.shape[1])
    return np.prod(rarity[..., columns, vectors], axis=-1)


def _resampled(counts: np.ndarray, count: int = RESAMPLES) -> np.ndarray:
    """Frames of each vector, of all people first and of resamples: (1 + R, V)."""
    drawn = resamples(len(counts), count, 0)
    return np.concatenate([np.ones((1, len(counts)), np.int64), drawn]) @ counts


def _balance(vectors: np.ndarray, frames: np.ndarray) -> np.ndarray:
    """The entropy of the levels, over that of six equal shares: (..., Q)."""
    return entropy(level_counts(vectors, frames), axis=-1) / np.log(6)


def imbalance_is_reduced(labels: np.ndarray, subjects: np.ndarray) -> Judgement:
    """Are the levels of each AU more evenly spread over the draws than over the frames?

    They are if, for every AU, the interval of the difference in entropy is above 0;
    they are not if it is below 0 for one of them.

    Args:
        labels, subjects: as in `vector_counts`.
    """
    vectors, counts = vector_counts(labels, subjects)
    frames = _resampled(counts)
    draws = frames * vector_weights(vectors, frames)
    gain = _balance(vectors, draws) - _balance(vectors, frames)
    low, high = percentile_interval(gain[1:])
    more = gain[0] > 1e-9  # not by rounding alone
    because = (
        f"by the labels of {len(labels):,} training frames, more even for {more.sum()} "
        f"of {len(more)} AUs: the entropy of the levels, 1 for six equal shares, rises "
        f"by {gain[0].min():.2f} to {gain[0].max():.2f}"
    )
    worst = int(low.argmin())
    uncertainty = (
        f"the least sure is {AU_NAMES[worst]}: 95 % over people {low[worst]:z.2f} to "
        f"{high[worst]:z.2f}"
    )
    clear = more.all() and (low > 0).all()
    holds = True if clear else False if (high < 0).any() else None
    return holds, because, uncertainty


def frequent_is_used_little(labels: np.ndarray, subjects: np.ndarray) -> Judgement:
    """Are frames of the most frequent vector drawn less than once, rare ones more?

    Args:
        labels, subjects: as in `vector_counts`.
    """
    vectors, counts = vector_counts(labels, subjects)
    frames = _resampled(counts)
    total = frames.sum(axis=-1, keepdims=True)
    weights = vector_weights(vectors, frames)
    expected = weights * total / (frames * weights).sum(axis=-1, keepdims=True)
    most = int(frames[0].argmax())
    rare = np.where((frames > 0) & (frames <= RARE * total), frames, 0)
    of_rare = (expected * rare).sum(axis=-1) / np.maximum(rare.sum(axis=-1), 1)
    of_most = expected[:, most]
    (low, high), (least, _) = (percentile_interval(v[1:]) for v in (of_most, of_rare))
    name = ", ".join(map(str, vectors[most]))
    because = (
        f"in an epoch of as many draws as frames, a frame of the most frequent vector, "
        f"({name}), is drawn {of_most[0]:.2f} times on average, and one whose vector "
        f"at most 1 of {1 / RARE:,.0f} frames has, {of_rare[0]:.2f} times"
    )
    uncertainty = (
        f"95 % over people: {low:.2f} to {high:.2f}, and at least {least:.2f} for the "
        "rare ones"
    )
    clear = high < 1 < least
    return True if clear else False if low > 1 else None, because, uncertainty


def batches_are_more_even(
    labels: np.ndarray, subjects: np.ndarray, batch_size: int
) -> Judgement:
    """Are the levels within a batch more evenly spread if Eq. 1 and 2 draw it?

    Args:
        labels, subjects: as in `vector_counts`.
        batch_size: frames of a batch.
    """
    vectors, counts = vector_counts(labels, subjects)
    generator = np.random.default_rng(0)

    def balance(frames: np.ndarray) -> float:
        size = (BATCHES, batch_size)
        rows = generator.choice(len(vectors), size, p=frames / frames.sum())
        return float(_batch_balance(vectors[rows]).mean())

    each = np.array(
        [
            (balance(frames), balance(frames * vector_weights(vectors, frames)))
            for frames in _resampled(counts, BATCH_RESAMPLES).astype(float)
        ]
    )
    plain, by_draws = each[0]
    low, high = percentile_interval(each[1:, 1] - each[1:, 0])
    because = (
        f"the entropy of the levels within a batch of {batch_size}, mean over the AUs, "
        f"is {by_draws:.2f} with the draws and {plain:.2f} without"
    )
    uncertainty = f"difference, 95 % over people: {low:z.2f} to {high:z.2f}"
    holds = True if low > 0 else False if high < 0 else None
    return holds, because, uncertainty


def _batch_balance(levels: np.ndarray) -> np.ndarray:
    """The mean entropy of the levels in each batch: int (B, N, Q) → float64 (B,)."""
    shares = (levels[..., None] == np.arange(6)).mean(axis=1)
    return entropy(shares, axis=-1).mean(axis=-1) / np.log(6)
