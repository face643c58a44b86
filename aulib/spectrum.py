"""Section III's PCA: how many components hold 95 % of the features' variance.

The covariance of the 4,096 features is summed up batch by batch, so that no more
than one batch of features is in memory, and its eigenvalues are exact.
"""

from collections.abc import Iterable

import numpy as np


def covariance(batches: Iterable[np.ndarray]) -> tuple[np.ndarray, np.ndarray, int]:
    """Mean, covariance and number of rows that come in batches.

    Batches are merged by the pairwise update of Chan, Golub and LeVeque (1983), which
    does not subtract large numbers from each other.

    Args:
        batches: float arrays (B, D).

    Returns:
        mean float64 (D,), covariance float64 (D, D) with divisor n - 1, and n.

    Raises:
        ValueError: fewer than two rows in all.
    """
    count, mean, scatter = 0, 0.0, 0.0
    for batch in batches:
        batch = np.asarray(batch, dtype=np.float64)
        batch_mean = batch.mean(axis=0)
        centred = batch - batch_mean
        shift = batch_mean - mean
        total = count + len(batch)
        scatter = scatter + centred.T @ centred
        if count:
            scatter += np.outer(shift, shift) * (count * len(batch) / total)
        mean = mean + shift * (len(batch) / total)
        count = total
    if count < 2:
        raise ValueError(f"a covariance needs two rows, not {count}")
    return mean, scatter / (count - 1), count


def explained_variance(covariance_matrix: np.ndarray) -> np.ndarray:
    """Variance along each principal component, largest first: float64 (D,)."""
    eigenvalues = np.linalg.eigvalsh(covariance_matrix)[::-1]
    return np.maximum(eigenvalues, 0)  # rounding can leave -1e-18


def spectrum(features: np.ndarray, batch: int = 1024) -> np.ndarray:
    """Variance along each of the D principal components of features (n, D).

    Exact. Fewer rows than columns: from the (n, n) Gram matrix of the centred rows,
    which has the same eigenvalues but for zeros; else from the streamed covariance.
    """
    n, dimension = features.shape
    if n > dimension:
        rows = (features[start : start + batch] for start in range(0, n, batch))
        return explained_variance(covariance(rows)[1])
    if n < 2:
        raise ValueError(f"a covariance needs two rows, not {n}")
    centred = features - features.mean(axis=0, dtype=np.float64)
    variances = explained_variance(centred @ centred.T / (n - 1))
    return np.pad(variances, (0, dimension - n))


def components_for(variances: np.ndarray, share: float) -> int:
    """The least number of components that hold `share` (0..1) of all variance."""
    cumulative = np.cumsum(variances) / np.sum(variances)
    return int(np.searchsorted(cumulative, share - 1e-12) + 1)


def effective_rank(variances: np.ndarray) -> float:
    """exp of the entropy of the variances' shares (Roy and Vetterli, 2007)."""
    shares = variances[variances > 0] / np.sum(variances)
    return float(np.exp(-(shares * np.log(shares)).sum()))
