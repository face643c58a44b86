r"""How certain a score is: a bootstrap over people.

The frames of one person are not independent. So a resample draws people, each with all
of their frames, and not single frames. It draws as many people as there are, with
replacement. ICC(3,1) of two judges, y and z, is

.. math::

    \frac{2 (n \sum yz - \sum y \sum z)}
         {n \sum y^2 - (\sum y)^2 + n \sum z^2 - (\sum z)^2}

so six sums are all that is needed of a person, and 10,000 resamples are one matrix
product. The intervals are percentile intervals. With the 20 people of the evaluation
half they are too narrow: in simulation, nominal 95 % intervals cover about 91 %
(`tests/companion/analysis/test_bootstrap.py`). The paper gives no interval.
"""

import warnings

import numpy as np

from aulib import UNKNOWN


def subject_sums(
    intensities: np.ndarray, predictions: np.ndarray, subjects: np.ndarray
) -> np.ndarray:
    """The six sums of each person and AU: n, Σy, Σz, Σy², Σz², Σyz.

    Args:
        intensities: array (N, Q), the coders' levels, 0..5 or `UNKNOWN`; a frame with
            an unknown level is left out for that AU alone.
        predictions: array (N, Q), the estimates.
        subjects: array (N,), the person in each frame.

    Returns:
        float64 array (S, Q, 6), people in sorted order.

    Raises:
        ValueError: the shapes do not match.
    """
    truth, estimate = np.asarray(intensities, float), np.asarray(predictions, float)
    if truth.ndim != 2 or truth.shape != estimate.shape or len(truth) != len(subjects):
        raise ValueError(
            f"intensities {truth.shape}, predictions {estimate.shape} and "
            f"{len(subjects)} subjects do not match"
        )
    known = truth != UNKNOWN
    y, z = np.where(known, truth, 0.0), np.where(known, estimate, 0.0)
    terms = np.stack([known, y, z, y * y, z * z, y * z], axis=-1)  # (N, Q, 6)
    people, person = np.unique(np.asarray(subjects), return_inverse=True)
    sums = np.zeros((len(people), *terms.shape[1:]))
    np.add.at(sums, person, terms)
    return sums


def icc_from_sums(sums: np.ndarray) -> np.ndarray:
    """ICC(3,1) from sums over frames: (..., Q, 6) → (..., Q).

    0 where a judge is constant, like `aulib.icc.icc_3_1`; NaN for fewer than two
    frames.
    """
    n, y, z, yy, zz, yz = np.moveaxis(np.asarray(sums, float), -1, 0)
    covariance = 2 * (n * yz - y * z)
    variance = (n * yy - y * y) + (n * zz - z * z)
    score = np.divide(
        covariance, variance, out=np.zeros_like(covariance), where=variance > 0
    )
    return np.where(n < 2, np.nan, score)


def resamples(num_subjects: int, count: int, seed: int) -> np.ndarray:
    """How often each resample draws each person: int64 array (count, S).

    Use the same resamples for two models that are compared: then their difference does
    not vary with the people drawn.
    """
    generator = np.random.default_rng(seed)
    return generator.multinomial(
        num_subjects, np.full(num_subjects, 1 / num_subjects), count
    )


def resampled_icc(sums: np.ndarray, drawn: np.ndarray) -> np.ndarray:
    """ICC(3,1) of each resample and AU.

    Args:
        sums: from `subject_sums`, (S, Q, 6).
        drawn: from `resamples`, (R, S).

    Returns:
        float64 array (R, Q); NaN where the people drawn have fewer than two known
        frames of the AU.
    """
    return icc_from_sums(np.tensordot(drawn, sums, axes=1))


def percentile_interval(values: np.ndarray) -> np.ndarray:
    """The 95 % percentile interval of resampled values: (R, ...) → (2, ...).

    It is of the resamples that have a value, so not of those without a known frame of
    an AU; NaN if none has one.
    """
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "All-NaN slice", RuntimeWarning)
        return np.nanpercentile(values, [2.5, 97.5], axis=0)


def selection_optimism(sums: np.ndarray, count: int, seed: int) -> np.ndarray:
    """How much a score gains if its epoch is selected on the frames that it scores.

    The people are split into two random halves, `count` times. Each half is scored at
    the epoch that is best on this half and at the epoch that is best on the other half.
    The optimism is the difference, averaged over the two halves.

    Args:
        sums: float array (E, S, Q, 6), `subject_sums` of each epoch.
        count: the number of splits.
        seed: the seed of the splits.

    Returns:
        float64 array (count,), never negative, in units of the mean ICC(3,1) over the
        AUs that have a score in both halves; NaN if none has, as with one person.
    """
    people = sums.shape[1]
    order = np.random.default_rng(seed).random((count, people)).argsort(axis=1)
    first = (order < people // 2).astype(float)  # (count, S): 1 in the first half
    per_au = [  # (E, count, Q) for each half
        icc_from_sums(np.einsum("cs,esqk->ecqk", half, sums))
        for half in (first, 1 - first)
    ]
    scored = ~np.isnan(per_au[0] + per_au[1])
    with np.errstate(invalid="ignore"):  # 0/0 is NaN
        scores = [  # (E, count)
            np.where(scored, half, 0).sum(axis=2) / scored.sum(axis=2)
            for half in per_au
        ]
    gains = []
    for own, other in (scores, scores[::-1]):
        at_other = np.take_along_axis(own, other.argmax(axis=0)[None], axis=0)[0]
        gains.append(own.max(axis=0) - at_other)
    return np.mean(gains, axis=0)
