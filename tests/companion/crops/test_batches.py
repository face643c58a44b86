import threading

import numpy as np
import pytest
import torch

from companion.crops.batches import central_batches, image_batches, prefetch
from companion.crops.squares import (
    central_corners,
    cut_squares,
    normalise,
    random_corners,
)

CPU = torch.device("cpu")


def test_images_are_the_normalised_squares_in_channels_last(store):
    rows = np.arange(len(store))[::-1]
    generator = np.random.default_rng(1)
    corners = random_corners(store, rows, generator.random((len(rows), 2)))
    positions = [slice(0, 10), slice(10, 11), slice(11, 48)]
    batches = list(image_batches(store, rows, corners, positions, CPU))
    assert [len(batch) for batch in batches] == [10, 1, 37]
    for batch, part in zip(batches, positions):
        assert batch.is_contiguous(memory_format=torch.channels_last)
        cut = cut_squares(store, rows[part], corners[part])
        assert torch.equal(batch, normalise(cut, store.mean, store.std))


def test_central_batches_are_the_central_squares_in_order(store):
    rows = np.array([5, 3, 40, 3, 12])
    batches = list(central_batches(store, rows, 2, CPU))
    assert [len(batch) for batch in batches] == [2, 2, 1]
    squares = cut_squares(store, rows, central_corners(store, rows))
    expected = normalise(squares, store.mean, store.std)
    assert torch.equal(torch.cat(batches), expected)


def test_for_a_gpu_the_squares_go_through_pinned_memory(store, monkeypatch):
    """The GPU's branch, on the processor: the same images, pinned and prefetched."""
    pinned = []

    class Gpu:
        type = "cuda"

    def pin(tensor):
        pinned.append(len(tensor))
        return tensor

    def to(tensor, device, non_blocking):
        assert isinstance(device, Gpu) and non_blocking
        return tensor

    monkeypatch.setattr(torch.Tensor, "pin_memory", pin)
    rows, positions = np.arange(48), [slice(0, 20), slice(20, 40), slice(40, 48)]
    corners = central_corners(store, rows)
    expected = list(image_batches(store, rows, corners, positions, CPU))
    assert not pinned
    with monkeypatch.context() as patch:
        patch.setattr(torch.Tensor, "to", to)
        found = list(image_batches(store, rows, corners, positions, Gpu()))
    assert pinned == [20, 20, 8]
    assert all(torch.equal(one, other) for one, other in zip(found, expected))


def test_prefetch_keeps_order_and_fetches_in_another_thread():
    threads = set()

    def items():
        for number in range(20):
            threads.add(threading.get_ident())
            yield number

    assert list(prefetch(items())) == list(range(20))
    assert threads and threading.get_ident() not in threads
    assert list(prefetch([])) == []


def test_prefetch_is_ahead_by_its_depth_and_ends_when_it_is_closed():
    fetched = []

    def items():
        for number in range(100):
            fetched.append(number)
            yield number

    early = prefetch(items(), depth=3)
    assert next(early) == 0
    early.close()
    assert 3 <= len(fetched) <= 4


def test_prefetch_hands_on_what_goes_wrong():
    def items():
        yield 1
        raise ValueError("no more")

    fetched = prefetch(items())
    assert next(fetched) == 1
    with pytest.raises(ValueError, match="no more"):
        next(fetched)
