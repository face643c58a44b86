"""Section III's PCA: how many components hold 95 % of the features' variance."""

import numpy as np

PAPERS_COMPONENTS = 2300
"""About as many hold 95 % of the variance (Section III)."""


def spectrum(features: np.ndarray) -> np.ndarray:
    """Variance along each principal component, largest first.

    The variances are the eigenvalues of the centred features' covariance matrix, with
    divisor n - 1. With fewer rows than columns they come from the (n, n) Gram matrix,
    which has the same eigenvalues except for zeros. The centred copy takes 8nD bytes:
    1.4 GB for 41,328 frames with D = 4,096.

    Args:
        features: float array (n, D), one row for each frame.

    Returns:
        float64 array (D,).

    Raises:
        ValueError: there are fewer than two rows.
    """
    n, dimension = features.shape
    if n < 2:
        raise ValueError(f"a variance needs at least two rows, not {n}")
    centred = features - features.mean(axis=0, dtype=np.float64)
    products = centred @ centred.T if n <= dimension else centred.T @ centred
    variances = np.linalg.eigvalsh(products / (n - 1))[::-1]
    variances = np.maximum(variances, 0)  # rounding can leave -1e-18
    return np.pad(variances, (0, dimension - len(variances)))


def components_for(variances: np.ndarray, share: float) -> int:
    """The smallest number of components that hold `share` (0..1) of the variance.

    0 if there is no variance at all.
    """
    if not np.any(variances):
        return 0
    cumulative = np.cumsum(variances) / np.sum(variances)
    return int(np.searchsorted(cumulative, share - 1e-12) + 1)


def effective_rank(variances: np.ndarray) -> float:
    """exp of the entropy of the shares of variance (Roy and Vetterli, 2007).

    0 if there is no variance at all.
    """
    if not np.any(variances):
        return 0.0
    shares = variances[variances > 0] / np.sum(variances)
    return float(np.exp(-(shares * np.log(shares)).sum()))


def judge_components(components: int, frames: int, width: float) -> str:
    """What a count of components says about the paper's 2,300 (Section III).

    Args:
        components: that hold 95 % of the variance.
        frames: that were looked at; they span at most `frames` - 1 directions.
        width: of the network, see `aulib.model.build_model`.
    """
    if frames <= PAPERS_COMPONENTS:
        return f"no verdict on 2,300: {frames} frames could not have shown it"
    if frames < 10_000 or width < 1:
        why = "too few frames, or another network than the paper's"
        return f"no verdict on 2,300: {why}"
    return f"{components} components here, about 2,300 in the paper"
