"""How a run draws the frames of an epoch: the paper's sampler and three others."""

import numpy as np

from aulib.sampler import MultinomialSampler, sampling_weights
from companion.bp4d import AU_NAMES
from companion.methods.objective import LEVELS
from companion.methods.structured import KINDS, PAIRS, turn

SAMPLERS = ("multinomial", "joint", "shuffle", "iterative")


def draw_epoch(
    intensities: np.ndarray,
    sampler: str,
    seed: int,
    epoch: int,
    subjects: np.ndarray | None = None,
    batch_size: int | None = None,
) -> np.ndarray:
    """The training frames of one epoch, in order: a function of (seed, epoch).

    Args:
        intensities: int array (M, Q), the levels 0..5 of the training frames.
        sampler: "multinomial" (Eq. 1 and 2), "shuffle" (every frame once), "joint"
            (`joint_weights`) or "iterative" (`iterative_batches`).
        seed: of the draws.
        epoch: counted from 1.
        subjects: array (M,), the person in each frame; "iterative" needs it.
        batch_size: frames of a batch; "iterative" needs it.

    Returns:
        int64 array of positions 0..M-1. It has M of them, or about 3 M for "iterative".

    Raises:
        ValueError: an unknown sampler; an AU with one level in all frames, for
            "multinomial"; or what the samplers raise.
    """
    if sampler == "multinomial":
        if constant := constant_aus(intensities):
            raise ValueError(
                f"{', '.join(constant)}: one level in all {len(intensities)} training "
                "frames, which makes every weight of Eq. 1 zero; choose another "
                f"sampler in the profile ({', '.join(SAMPLERS[1:])}), or other frames"
            )
        return _multinomial(sampling_weights(intensities), seed, epoch)
    if sampler == "joint":
        return _multinomial(joint_weights(intensities), seed, epoch)
    if sampler == "shuffle":
        return np.random.default_rng([seed, epoch]).permutation(len(intensities))
    if sampler == "iterative":
        return iterative_batches(intensities, subjects, batch_size, seed, epoch)
    raise ValueError(f"sampler {sampler!r} is unknown: choose one of {SAMPLERS}")


def constant_aus(intensities: np.ndarray) -> list[str]:
    """The names of the AUs with one level in all frames, int array (M, Q)."""
    same = (intensities == intensities[:1]).all(axis=0)
    return [name for name, constant in zip(AU_NAMES, same) if constant]


def _multinomial(weights: np.ndarray, seed: int, epoch: int) -> np.ndarray:
    sampler = MultinomialSampler(weights, seed=seed)
    sampler.set_epoch(epoch)
    return sampler.draws().numpy()


def joint_weights(intensities: np.ndarray) -> np.ndarray:
    """Inverse joint frequency, which the ablation compares with Eq. 1 and 2.

    The paper multiplies complements of each AU's frequencies, as if the AUs were
    independent; that does not make label vectors equally probable. Dividing by the
    number of frames with the same label vector does. Equally probable vectors are not
    equally probable levels: most vectors differ in low levels.

    Args:
        intensities: int array (M, Q).

    Returns:
        float64 array (M,): 1 / the number of frames with the same label vector.
    """
    _, vector, counts = np.unique(
        intensities, axis=0, return_inverse=True, return_counts=True
    )
    return 1.0 / counts[vector.reshape(-1)]


def iterative_batches(
    intensities: np.ndarray,
    subjects: np.ndarray,
    batch_size: int,
    seed: int,
    epoch: int,
) -> np.ndarray:
    """The balanced batches of `companion.methods.structured`, one after another.

    An epoch has three batches, one of each kind, for every batch of a plain epoch. Each
    draw picks a group, all equally likely, then a frame of the group. Groups are the
    subjects, the levels of an AU, or the pairs of levels of two AUs.

    Args:
        intensities: int array (M, Q), levels 0..5.
        subjects: array (M,), the person in each frame.
        batch_size: frames of a batch.
        seed, epoch: the draw is a function of the two.

    Returns:
        int64 array of positions 0..M-1; batch k is of kind k mod 3.
    """
    generator = np.random.default_rng([seed, epoch])
    pairs = [LEVELS * intensities[:, q] + intensities[:, r] for q, r in PAIRS]
    groupings = [[subjects], list(intensities.T), pairs]
    groups = [[_groups(labels) for labels in groupings[kind]] for kind in range(KINDS)]
    drawn = []
    for batch in range(KINDS * -(-len(intensities) // batch_size)):
        kind, which = turn(batch)
        order, starts, sizes = groups[kind][which]
        group = generator.integers(len(starts), size=batch_size)
        drawn.append(order[starts[group] + generator.integers(sizes[group])])
    return np.concatenate(drawn)


def _groups(labels: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Rows sorted by group; where each group begins; how many rows it has."""
    _, group = np.unique(labels, return_inverse=True)
    sizes = np.bincount(group)
    return np.argsort(group, kind="stable"), np.cumsum(sizes) - sizes, sizes
