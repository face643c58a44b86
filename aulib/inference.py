r"""Eq. 3: from the network's linear outputs to the six levels.

.. math::

    \hat Z_{ij} = \max\{0, \min\{5, [\tfrac{1}{2} \hat Y_{ij}]\}\}    \qquad (3)

[.] rounds to the nearest integer. On ties the paper's text decides: level y is
right while y - 0.5 <= output < y + 0.5, so a half rounds up. `torch.round` and
`numpy.rint` round halves to the even neighbour and would answer 2 for 2.5.
"""

import torch


def to_intensity(outputs: torch.Tensor, scale: float = 2.0) -> torch.Tensor:
    """Eq. 3.

    Args:
        outputs: float tensor (N, Q), the network's linear outputs.
        scale: what Eq. 4 multiplied the levels by; 1 is the paper's baseline.

    Returns:
        int64 tensor (N, Q) of levels 0..5.

    Raises:
        ValueError: an output is NaN or infinite.
    """
    if not torch.isfinite(outputs).all():
        raise ValueError("outputs hold NaN or infinity: the training has diverged")
    # In float32 the sum .49999997 + .5 is 1, so .5 is compared with in float64.
    values = outputs.to(torch.float64) / scale
    floor = torch.floor(values)
    # The largest float64 below .5 would be rounded up as well, so .5 is not added.
    rounded = torch.where(values - floor >= 0.5, floor + 1, floor)
    return rounded.clamp(0, 5).to(torch.int64)
