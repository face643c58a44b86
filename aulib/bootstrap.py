r"""How sure an ICC(3,1) is: a bootstrap over people.

The frames of one person are not independent, so people are drawn again, with all their
frames, and not frames. A resample takes as many people as there are, with replacement.
ICC(3,1) of two judges, y and z, is

.. math::

    \frac{2 (n \sum yz - \sum y \sum z)}
         {n \sum y^2 - (\sum y)^2 + n \sum z^2 - (\sum z)^2}

so a person enters by six sums alone, and 10,000 resamples are one product of matrices.
The intervals are percentile intervals. With the 20 people of the evaluation half they
are too narrow: in simulation nominal 95 % cover about 90 % (`tests/test_bootstrap.py`).
The paper gives no interval.
"""

import numpy as np

from aulib import UNKNOWN


def subject_sums(
    intensities: np.ndarray,
    predictions: np.ndarray,
    subjects: np.ndarray,
    unknown: int = UNKNOWN,
) -> np.ndarray:
    """The six sums of each person and AU: n, Σy, Σz, Σy², Σz², Σyz.

    Args:
        intensities: array (N, Q), the coders' levels 0..5, or `unknown`.
        predictions: array (N, Q), the estimates.
        subjects: array (N,), whose frame it is.
        unknown: the code that is left out, for its AU alone.

    Returns:
        float64 array (S, Q, 6), people in sorted order.

    Raises:
        ValueError: the shapes do not fit.
    """
    truth, estimate = np.asarray(intensities, float), np.asarray(predictions, float)
    if truth.ndim != 2 or truth.shape != estimate.shape or len(truth) != len(subjects):
        raise ValueError(
            f"intensities {truth.shape}, predictions {estimate.shape} and "
            f"{len(subjects)} subjects do not fit"
        )
    known = np.asarray(intensities) != unknown
    y, z = np.where(known, truth, 0.0), np.where(known, estimate, 0.0)
    terms = np.stack([known, y, z, y * y, z * z, y * z], axis=-1)  # (N, Q, 6)
    people, whose = np.unique(np.asarray(subjects), return_inverse=True)
    sums = np.zeros((len(people), *terms.shape[1:]))
    np.add.at(sums, whose, terms)
    return sums


def icc_from_sums(sums: np.ndarray) -> np.ndarray:
    """ICC(3,1) from sums over frames: (..., Q, 6) → (..., Q).

    0 where a judge is constant, as `aulib.icc.icc_3_1`; NaN for fewer than two frames.
    """
    n, y, z, yy, zz, yz = np.moveaxis(np.asarray(sums, float), -1, 0)
    both = 2 * (n * yz - y * z)
    spread = (n * yy - y * y) + (n * zz - z * z)
    score = np.divide(both, spread, out=np.zeros_like(both), where=spread > 0)
    return np.where(n < 2, np.nan, score)


def resamples(num_subjects: int, count: int, seed: int) -> np.ndarray:
    """How often each person is in each resample: int64 array (count, S).

    Two models that are compared take the same ones, so that their difference does not
    vary with who was drawn.
    """
    generator = np.random.default_rng(seed)
    return generator.multinomial(
        num_subjects, np.full(num_subjects, 1 / num_subjects), count
    )


def icc_resampled(sums: np.ndarray, drawn: np.ndarray) -> np.ndarray:
    """ICC(3,1) of each resample and AU.

    Args:
        sums: of `subject_sums`, (S, Q, 6).
        drawn: of `resamples`, (R, S).

    Returns:
        float64 array (R, Q).
    """
    return icc_from_sums(np.tensordot(drawn, sums, axes=1))


def interval(values: np.ndarray, level: float = 0.95) -> np.ndarray:
    """The percentile interval of resampled values (R, ...): array (2, ...)."""
    tail = 50 * (1 - level)
    return np.percentile(values, [tail, 100 - tail], axis=0)


def choosing_adds(sums: np.ndarray, count: int, seed: int) -> np.ndarray:
    """How much a score gains where the epoch is chosen on the frames that are scored.

    The people are parted in two halves at random, `count` times. Each half is scored at
    the epoch that is best on itself, and at the epoch that is best on the other half;
    the gain is the difference, the mean over both halves.

    Args:
        sums: float array (E, S, Q, 6), `subject_sums` of each epoch.
        count: of partings.
        seed: of the partings.

    Returns:
        float64 array (count,), in units of the mean ICC(3,1) over AUs; none below 0.

    Raises:
        ValueError: there are fewer than two people.
    """
    people = sums.shape[1]
    if people < 2:
        raise ValueError(f"{people} people can't be parted in two halves")
    order = np.random.default_rng(seed).random((count, people)).argsort(axis=1)
    first = (order < people // 2).astype(float)  # (count, S), who is in the first half
    scores = [  # (E, count), of each half
        icc_from_sums(np.einsum("cs,esqk->ecqk", half, sums)).mean(axis=2)
        for half in (first, 1 - first)
    ]
    gains = []
    for own, other in (scores, scores[::-1]):
        at_other = np.take_along_axis(own, other.argmax(axis=0)[None], axis=0)[0]
        gains.append(own.max(axis=0) - at_other)
    return np.mean(gains, axis=0)
