"""From the crops on disk to images on the device, and who of the processes takes which.

The crops lie packed in one file that is mapped, not read (`aulib.faces.CropStore`).
On a GPU with room for it the whole file is copied there once; each batch is then one
gather, and the processor has nothing to do. On a GPU without room a thread cuts the
squares one batch ahead into pinned memory, from which the GPU fetches them while it
works. On a processor the squares are cut when they are asked for: cutting takes a
hundredth of a training step, so nothing would be gained by doing it ahead.
"""

from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple, TypeVar

import numpy as np
import torch
from tqdm import tqdm

from aulib.faces import CropStore, normalise, squares

Item = TypeVar("Item")

RESIDENT_SHARE = 0.5  # of the GPU's free memory; the rest is the network's
UPLOAD = 1 << 28  # bytes that are copied to the GPU at a time


class Share(NamedTuple):
    """What goes through one process's network at once: some frames of a batch."""

    positions: slice
    """Of the frames in the epoch's order."""
    weight: float
    """Of their mean loss. Gradients are added up over the shares of a process and
    averaged over the processes; with these weights they are the batch's mean."""
    frames: int
    """Of the whole batch, over all processes."""
    last: bool
    """Whether a gradient step follows."""


def shares(
    count: int, batch_size: int, accumulation: int = 1, rank: int = 0, ranks: int = 1
) -> Iterator[Share]:
    """One process's shares of an epoch of `count` frames, in order.

    Over the processes every frame is in one share, but for shares of weight 0: where
    a batch has fewer frames than processes, those without one take its first, since
    all processes must take part in every step.

    Args:
        count: frames of the epoch.
        batch_size: frames of a gradient step, over all processes; the last has fewer.
        accumulation: in how many parts a process's frames of a step go through the
            network, so that fewer are in memory at once.
        rank, ranks: the process's number, from 0, and how many there are.
    """
    for start in range(0, count, batch_size):
        stop = min(start + batch_size, count)
        limits = np.linspace(start, stop, ranks + 1).round().astype(int)
        mine, after = limits[rank], limits[rank + 1]
        largest = np.diff(limits).max()
        parts = min(accumulation, largest)
        cuts = np.linspace(mine, after, parts + 1).round().astype(int).tolist()
        for number, (low, high) in enumerate(zip(cuts[:-1], cuts[1:])):
            weight = ranks * (high - low) / (stop - start)
            positions = slice(low, high) if high > low else slice(start, start + 1)
            yield Share(positions, weight, stop - start, number == parts - 1)


def copy_to_gpu(store: CropStore, device: torch.device) -> torch.Tensor | None:
    """All crops' bytes, uint8 (n,), on a GPU with room for them; None where not."""
    total = len(store.bytes)
    if device.type != "cuda":
        return None
    if total > RESIDENT_SHARE * torch.cuda.mem_get_info(device)[0]:
        return None
    packed = torch.empty(total, dtype=torch.uint8, device=device)
    bar = tqdm(
        total=total, desc="crops to the GPU", unit="B", unit_scale=True, leave=False
    )
    with bar:
        for start in range(0, total, UPLOAD):
            part = np.array(store.bytes[start : start + UPLOAD])  # torch wants its own
            packed[start : start + UPLOAD] = torch.from_numpy(part)
            bar.update(len(part))
    return packed


def images(
    store: CropStore,
    rows: np.ndarray,
    corners: np.ndarray,
    parts: Iterable[slice],
    device: torch.device,
    packed: torch.Tensor | None = None,
) -> Iterator[torch.Tensor]:
    """The network's input for each part of `rows`, in order.

    Args:
        store: the crops.
        rows: int array (N,), which crops.
        corners: int array (N, 2), where their squares begin: y, x in pixels.
        parts: of the N, those that go through the network at once.
        device: where to.
        packed: the store's bytes there, of `copy_to_gpu`; None to read the store.

    Yields:
        float32 tensor (B, 3, S, S) on the device, S the store's `crop_size`,
        normalised, channels last in memory.
    """
    size = store.crop_size
    if packed is not None:
        widths = store.shapes[rows, 1]
        within = (corners[:, 0] * widths + corners[:, 1]) * 3
        starts = torch.from_numpy(store.offsets[rows] + within).to(device)
        strides = torch.from_numpy(widths * 3).to(device)
        for part in parts:
            yield normalise(gather_squares(packed, starts[part], strides[part], size))
        return
    cut = (
        torch.from_numpy(squares(store, rows[part], corners[part], size))
        for part in parts
    )
    if device.type == "cuda":
        cut = ahead(crops.pin_memory() for crops in cut)
    for crops in cut:
        yield normalise(crops.to(device, non_blocking=True))


def gather_squares(
    packed: torch.Tensor, starts: torch.Tensor, strides: torch.Tensor, size: int
) -> torch.Tensor:
    """Squares out of packed crops, in one gather where the bytes are.

    Args:
        packed: uint8 (n,), RGB crops one after another.
        starts: int64 (B,), the byte at which each square begins.
        strides: int64 (B,), bytes from one line of its crop to the next.
        size: pixels of a side.

    Returns:
        uint8 tensor (B, size, size, 3).
    """
    lines = torch.arange(size, device=packed.device)
    begins = starts[:, None] + lines * strides[:, None]
    # every run of 3 · size bytes as a row, without a copy; rows are what is gathered
    return packed.unfold(0, 3 * size, 1)[begins].view(-1, size, size, 3)


def ahead(items: Iterable[Item], depth: int = 2) -> Iterator[Item]:
    """The same items, `depth` of them fetched ahead by a thread."""
    iterator, end = iter(items), object()
    with ThreadPoolExecutor(1) as pool:
        waiting = deque(pool.submit(next, iterator, end) for _ in range(depth))
        while (item := waiting.popleft().result()) is not end:
            waiting.append(pool.submit(next, iterator, end))
            yield item
