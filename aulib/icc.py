r"""ICC(3,1), the metric of FERA 2015 and of the paper's Table II.

For n targets (frames) rated by the same k judges (here two: coder and network),
with the mean squares of a two-way analysis of variance without replication,

.. math::

    ICC(3,1) = \frac{BMS - EMS}{BMS + (k - 1) \, EMS}

BMS is the mean square between targets, EMS that of the error: Shrout and Fleiss,
"Intraclass correlations: uses in assessing rater reliability", Psychological
Bulletin 86, 1979 (reference [25] of the paper). For two judges it is
2 cov(y, p) / (var y + var p): unchanged by adding a constant to either judge, changed
by scaling one, so leaving out the halving in Eq. 3 changes it.
"""

import numpy as np

from aulib import UNKNOWN


def icc_3_1(ratings: np.ndarray) -> float:
    """ICC(3,1) of a table of ratings.

    Args:
        ratings: array (n, k), n >= 2 targets by k >= 2 judges.

    Returns:
        The coefficient; exactly 0 where fewer than two judges vary, 0/0 included.

    Raises:
        ValueError: fewer than two targets or judges, or a value that is not finite.
    """
    ratings = np.asarray(ratings, dtype=np.float64)
    if ratings.ndim != 2 or min(ratings.shape) < 2:
        raise ValueError(f"ratings must be (n >= 2, k >= 2), not {ratings.shape}")
    if not np.isfinite(ratings).all():
        raise ValueError("ratings hold NaN or infinity")
    n, k = ratings.shape
    ratings = ratings - ratings[0]  # exact zeros for constant judges
    if np.count_nonzero(ratings.any(axis=0)) < 2:
        return 0.0
    mean = ratings.mean()
    targets = ratings.mean(axis=1, keepdims=True)
    judges = ratings.mean(axis=0, keepdims=True)
    bms = k * ((targets - mean) ** 2).sum() / (n - 1)
    ems = ((ratings - targets - judges + mean) ** 2).sum() / ((n - 1) * (k - 1))
    denominator = bms + (k - 1) * ems
    return float((bms - ems) / denominator) if denominator > 0 else 0.0


def icc_per_au(
    intensities: np.ndarray, predictions: np.ndarray, unknown: int = UNKNOWN
) -> np.ndarray:
    """ICC(3,1) of each AU over all frames pooled.

    A frame that is unknown for an AU is left out for that AU alone (Section IV:
    "desconsiderados ao calcular o resultado dos modelos").

    Args:
        intensities: array (N, Q), the coders' levels 0..5, or `unknown`.
        predictions: array (N, Q), the estimated levels.
        unknown: the code that is left out.

    Returns:
        float64 array (Q,); NaN for an AU with fewer than two known frames.

    Raises:
        ValueError: the shapes differ or are not (N, Q).
    """
    intensities, predictions = np.asarray(intensities), np.asarray(predictions)
    if intensities.ndim != 2 or intensities.shape != predictions.shape:
        raise ValueError(
            f"intensities {intensities.shape} and predictions {predictions.shape} "
            "must have one shape (N, Q)"
        )
    scores = np.full(intensities.shape[1], np.nan)
    for au, (truth, estimate) in enumerate(zip(intensities.T, predictions.T)):
        known = truth != unknown
        if known.sum() >= 2:
            scores[au] = icc_3_1(np.column_stack([truth[known], estimate[known]]))
    return scores
