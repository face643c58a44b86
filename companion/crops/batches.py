"""From the crops on disk to images on the device, batch by batch.

All crops lie in one memory-mapped file (`companion.crops.store.CropStore`). For a GPU,
a thread cuts the squares of the next batches into pinned memory, from where the GPU
copies them while it computes. On a processor the squares are cut on demand: cutting
takes a hundredth of a training step, so doing it ahead would gain nothing.
"""

from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import numpy as np
import torch

from companion.crops.squares import central_corners, cut_squares, normalise
from companion.crops.store import CropStore

Item = TypeVar("Item")


def image_batches(
    store: CropStore,
    rows: np.ndarray,
    corners: np.ndarray,
    positions: Iterable[slice],
    device: torch.device,
) -> Iterator[torch.Tensor]:
    """Squares of crops as the network's input, batch by batch.

    Args:
        store: the crops.
        rows: int array (N,), which crops.
        corners: int array (N, 2), y and x of the squares' top left corners, in pixels.
        positions: slices of the N rows, one for each batch.
        device: where the images go.

    Yields:
        float32 tensor (B, 3, S, S) on the device, S the store's `crop_size`,
        normalised, channels last in memory.
    """
    cut = (
        torch.from_numpy(cut_squares(store, rows[part], corners[part]))
        for part in positions
    )
    if device.type == "cuda":
        cut = prefetch(squares.pin_memory() for squares in cut)
    for squares in cut:
        yield normalise(squares.to(device, non_blocking=True), store.mean, store.std)


def central_batches(
    store: CropStore, rows: np.ndarray, batch_size: int, device: torch.device
) -> Iterator[torch.Tensor]:
    """The central squares of `rows`, as `image_batches` yields them."""
    starts = range(0, len(rows), batch_size)
    positions = [slice(start, start + batch_size) for start in starts]
    return image_batches(store, rows, central_corners(store, rows), positions, device)


def prefetch(items: Iterable[Item], depth: int = 2) -> Iterator[Item]:
    """Yield the same items; a thread computes the next `depth` in the meantime."""
    iterator, end = iter(items), object()
    with ThreadPoolExecutor(1) as pool:
        waiting = deque(pool.submit(next, iterator, end) for _ in range(depth))
        while (item := waiting.popleft().result()) is not end:
            waiting.append(pool.submit(next, iterator, end))
            yield item
