r"""Eq. 4: Smooth L1 whose margin is the margin of rounding.

.. math::

    L(\hat Y, Y) = H(\hat Y - 2 \cdot Y)                              \qquad (4)

H, the Smooth L1 of Fast R-CNN (reference [20] of the paper), is quadratic while
the error is below 1 and linear beyond. An output is rounded to the right level
while it is within 0.5 of it. Doubling the targets makes the two margins coincide: the
loss turns from quadratic to linear exactly where Eq. 3 starts to answer wrongly.
"""

import torch
from torch.nn.functional import smooth_l1_loss


def scaled_smooth_l1(
    outputs: torch.Tensor, intensities: torch.Tensor, scale: float = 2.0
) -> torch.Tensor:
    """Eq. 4, averaged over frames and AUs (the paper does not say how it reduces).

    Args:
        outputs: float tensor (N, Q), the network's linear outputs.
        intensities: tensor (N, Q) of levels 0..5.
        scale: what the levels are multiplied by; 1 is the paper's baseline.

    Returns:
        float tensor (), the loss.

    Raises:
        ValueError: the two shapes differ (broadcasting would hide it).
    """
    if outputs.shape != intensities.shape:
        raise ValueError(
            f"outputs {tuple(outputs.shape)} and intensities "
            f"{tuple(intensities.shape)} must have one shape"
        )
    return smooth_l1_loss(outputs, scale * intensities.to(outputs.dtype), beta=1.0)
