import threading

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from aulib.batches import ahead, copy_to_gpu, gather_squares, images, shares
from aulib.faces import central_corners, normalise, random_corners, squares

CPU = torch.device("cpu")


@given(st.integers(1, 200), st.integers(1, 70), st.integers(1, 5), st.integers(1, 6))
def test_every_frame_is_used_once_over_the_processes(count, batch, parts, ranks):
    each = [list(shares(count, batch, parts, rank, ranks)) for rank in range(ranks)]
    used = [
        position
        for mine in each
        for share in mine
        if share.weight > 0
        for position in range(count)[share.positions]
    ]
    assert sorted(used) == list(range(count))
    # all processes go through the network as often and step as often
    assert len({len(mine) for mine in each}) == 1
    steps = -(-count // batch)
    assert {sum(share.last for share in mine) for mine in each} == {steps}
    assert sum(share.frames for share in each[0] if share.last) == count


@given(st.integers(1, 60), st.integers(1, 20), st.integers(1, 5), st.integers(1, 6))
def test_weighted_means_of_the_shares_average_to_the_batchs_mean(
    count, batch, parts, ranks
):
    losses = np.random.default_rng(0).random(count)
    means = np.zeros((ranks, -(-count // batch)))
    for rank in range(ranks):
        step = 0
        for share in shares(count, batch, parts, rank, ranks):
            means[rank, step] += share.weight * losses[share.positions].mean()
            step += share.last
    expected = [losses[i : i + batch].mean() for i in range(0, count, batch)]
    np.testing.assert_allclose(means.mean(axis=0), expected)


def test_no_part_has_more_frames_than_asked_for():
    for share in shares(1000, 64, accumulation=4, rank=1, ranks=2):
        assert share.positions.stop - share.positions.start <= 8


@pytest.mark.parametrize("size", [32, 20])
def test_the_gather_is_the_slices(store, size):
    generator = np.random.default_rng(1)
    rows = generator.integers(0, len(store), 100)
    corners = random_corners(store, rows, size, generator.random((100, 2)))
    starts = store.offsets[rows] + 3 * (
        corners[:, 0] * store.shapes[rows, 1] + corners[:, 1]
    )
    packed = torch.from_numpy(np.array(store.bytes))
    strides = torch.from_numpy(3 * store.shapes[rows, 1])
    gathered = gather_squares(packed, torch.from_numpy(starts), strides, size)
    np.testing.assert_array_equal(gathered, squares(store, rows, corners, size))


def test_images_from_the_device_are_those_from_the_disk(store):
    rows = np.arange(len(store))[::-1]
    corners = central_corners(store, rows, store.crop_size)
    parts = [slice(0, 10), slice(10, 11), slice(11, 48)]
    packed = torch.from_numpy(np.array(store.bytes))
    from_disk = list(images(store, rows, corners, parts, CPU))
    from_device = list(images(store, rows, corners, parts, CPU, packed))
    assert [len(batch) for batch in from_disk] == [10, 1, 37]
    for one, other, part in zip(from_disk, from_device, parts):
        assert torch.equal(one, other)
        assert one.is_contiguous(memory_format=torch.channels_last)
        cut = squares(store, rows[part], corners[part], store.crop_size)
        assert torch.equal(one, normalise(cut))


def test_there_is_nothing_to_copy_to_a_processor(store):
    assert copy_to_gpu(store, CPU) is None


def test_ahead_keeps_order_and_fetches_in_another_thread():
    threads = set()

    def items():
        for number in range(20):
            threads.add(threading.get_ident())
            yield number

    assert list(ahead(items())) == list(range(20))
    assert threads and threading.get_ident() not in threads
    assert list(ahead([])) == []


def test_ahead_is_ahead_by_its_depth_and_ends_when_it_is_closed():
    fetched = []

    def items():
        for number in range(100):
            fetched.append(number)
            yield number

    early = ahead(items(), depth=3)
    assert next(early) == 0
    early.close()
    assert 3 <= len(fetched) <= 4


def test_ahead_hands_on_what_goes_wrong():
    def items():
        yield 1
        raise ValueError("no more")

    fetched = ahead(items())
    assert next(fetched) == 1
    with pytest.raises(ValueError, match="no more"):
        next(fetched)
