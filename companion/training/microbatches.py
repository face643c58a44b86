"""Split batches into the pieces that one process feeds the network at a time."""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np


class Microbatch(NamedTuple):
    """Some frames of a batch."""

    positions: slice
    """The frames, as positions in the epoch's order."""
    weight: float
    """Factor on their mean loss. Gradients are summed over a process's microbatches and
    averaged over the processes; with these factors the result is the batch's mean."""
    batch_size: int
    """Frames of the whole batch, over all processes."""
    last: bool
    """Whether it completes the batch, so that a gradient step follows."""


def microbatches(
    count: int, batch_size: int, accumulation: int = 1, rank: int = 0, ranks: int = 1
) -> Iterator[Microbatch]:
    """One process's microbatches of an epoch of `count` frames, in order.

    Together the processes use every frame exactly once. All of them take part in every
    gradient step, so where a batch has fewer frames than there are processes, a process
    without a frame gets the batch's first frame with weight 0.

    Args:
        count: frames of the epoch.
        batch_size: frames of a gradient step, over all processes; the last batch may be
            smaller.
        accumulation: number of microbatches that a process's part of a batch is cut
            into; more than 1 saves memory.
        rank: the process's number, from 0.
        ranks: the number of processes.
    """
    for start in range(0, count, batch_size):
        stop = min(start + batch_size, count)
        limits = np.linspace(start, stop, ranks + 1).round().astype(int)
        mine, after = limits[rank], limits[rank + 1]
        parts = min(accumulation, np.diff(limits).max())
        cuts = np.linspace(mine, after, parts + 1).round().astype(int).tolist()
        for number, (low, high) in enumerate(zip(cuts[:-1], cuts[1:])):
            weight = ranks * (high - low) / (stop - start)
            positions = slice(low, high) if high > low else slice(start, start + 1)
            yield Microbatch(positions, weight, stop - start, number == parts - 1)
