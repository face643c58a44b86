r"""Eq. 1 and 2: draw frames with rare levels more often than common ones.

.. math::

    P_i = \prod_{j=1}^{Q} P(i, j)                                    \qquad (1)

    P(i, j) = 1 - \frac{\sum_{k=1}^{M} [Y_{kj} = Y_{ij}]}{M}          \qquad (2)

`P(i, j)` is the share of the training frames whose level of AU j *differs* from
frame i's, so a common level has a small factor and a rare one a factor near 1.
The paper calls P_i a probability; it is a weight: nothing makes the P_i sum to
one, and the multinomial draw divides by their sum.
"""

from collections.abc import Iterator

import numpy as np
import torch
from torch.utils.data import Sampler


def sampling_weights(intensities: np.ndarray) -> np.ndarray:
    """Eq. 1 and 2: the sampling weight of each frame, not normalised.

    Args:
        intensities: int array (M, Q), the levels 0..5 of M frames and Q AUs.

    Returns:
        float64 array (M,), each weight in 0..1. An AU with one level in all frames
        makes every weight 0.

    Raises:
        ValueError: the array is not (M, Q), is empty, is not of integers, or holds
            a value outside 0..5 (an unknown code has no frequency: drop its frame).
    """
    intensities = np.asarray(intensities)
    if intensities.ndim != 2 or 0 in intensities.shape:
        raise ValueError(f"intensities must be (M, Q), not {intensities.shape}")
    if not np.issubdtype(intensities.dtype, np.integer):
        raise ValueError(f"intensities must be integers, not {intensities.dtype}")
    if intensities.min() < 0 or intensities.max() > 5:
        odd = intensities[(intensities < 0) | (intensities > 5)][0]
        raise ValueError(f"intensities must be 0..5, found {odd}: drop such frames")

    num_frames = len(intensities)
    weights = np.ones(num_frames)
    for levels in intensities.T:
        same = np.bincount(levels, minlength=6)  # sum over k of [Y_kj = level]
        complement = 1 - same / num_frames  # Eq. 2, for each of the six levels
        weights *= complement[levels]  # Eq. 1
    return weights


class MultinomialSampler(Sampler[int]):
    """Draws frame indices with replacement, in proportion to their weights.

    The draws are a function of (seed, epoch) alone. They invert the cumulative
    sum in float64, since `torch.multinomial` refuses more than 2^24 categories.

    Args:
        weights: float array (M,), finite, none negative, not all 0.
        num_samples: draws an epoch; M when None, as the paper leaves it open.
        seed: of the draws.

    Raises:
        ValueError: the weights are not as above, or `num_samples` is below 1.
    """

    def __init__(
        self, weights: np.ndarray, num_samples: int | None = None, seed: int = 0
    ) -> None:
        weights = np.asarray(weights, dtype=np.float64)
        if weights.ndim != 1 or len(weights) == 0:
            raise ValueError(f"weights must be (M,), not {weights.shape}")
        if not np.isfinite(weights).all() or weights.min() < 0:
            raise ValueError("weights must be finite and none of them negative")
        if weights.sum() == 0:
            raise ValueError(
                "all weights are 0: some AU has the same level in every frame, which "
                "makes Eq. 1 zero; leave this AU out, or draw without weights"
            )
        if num_samples is not None and num_samples < 1:
            raise ValueError(f"num_samples must be at least 1, not {num_samples}")
        self.cumulative = np.cumsum(weights)
        self.num_samples = num_samples or len(weights)
        self.seed = seed
        self.epoch = 0

    def set_epoch(self, epoch: int) -> None:
        """Choose the epoch whose draws the next iteration gives."""
        self.epoch = epoch

    def draws(self) -> torch.Tensor:
        """All draws of the epoch: int64 tensor (num_samples,) of indices 0..M-1."""
        generator = np.random.default_rng([self.seed, self.epoch])
        points = generator.random(self.num_samples) * self.cumulative[-1]
        # Searching in sorted order walks through memory once: the same draws, ten times
        # as fast when the sums do not fit into the cache.
        order = np.argsort(points)
        indices = np.empty(self.num_samples, dtype=np.int64)
        # side="right" skips frames of weight 0, whose interval is empty.
        indices[order] = np.searchsorted(self.cumulative, points[order], side="right")
        # A product that rounds up to the total would give an index past the end.
        last = np.searchsorted(self.cumulative, self.cumulative[-1], side="left")
        return torch.from_numpy(np.minimum(indices, last))

    def __iter__(self) -> Iterator[int]:
        return iter(self.draws().tolist())

    def __len__(self) -> int:
        return self.num_samples
