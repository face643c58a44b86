"""A sampler that the ablation sets beside the paper's: inverse joint frequency.

The paper multiplies complements of each AU's frequencies (Eq. 1 and 2), as if the AUs
were independent, which does not make label vectors equally probable. Weighting a frame
by one over the number of frames with the same label vector does. Equal vectors are not
equal levels: most of them differ in low ones.
"""

import numpy as np


def joint_weights(intensities: np.ndarray) -> np.ndarray:
    """One over how many frames share the label vector: int (M, Q) → float64 (M,)."""
    _, vector, counts = np.unique(
        intensities, axis=0, return_inverse=True, return_counts=True
    )
    return 1.0 / counts[vector.reshape(-1)]
