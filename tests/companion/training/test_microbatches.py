import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from companion.training.microbatches import microbatches


@given(st.integers(1, 200), st.integers(1, 70), st.integers(1, 5), st.integers(1, 6))
def test_every_frame_is_used_once_over_the_processes(count, batch, parts, ranks):
    each = [
        list(microbatches(count, batch, parts, rank, ranks)) for rank in range(ranks)
    ]
    used = [
        position
        for mine in each
        for part in mine
        if part.weight > 0
        for position in range(count)[part.positions]
    ]
    assert sorted(used) == list(range(count))
    # all processes go through the network as often and step as often
    assert len({len(mine) for mine in each}) == 1
    steps = -(-count // batch)
    assert {sum(part.last for part in mine) for mine in each} == {steps}
    assert sum(part.batch_size for part in each[0] if part.last) == count


@given(st.integers(1, 60), st.integers(1, 20), st.integers(1, 5), st.integers(1, 6))
def test_weighted_means_of_the_microbatches_average_to_the_batchs_mean(
    count, batch, parts, ranks
):
    losses = np.random.default_rng(0).random(count)
    means = np.zeros((ranks, -(-count // batch)))
    for rank in range(ranks):
        step = 0
        for part in microbatches(count, batch, parts, rank, ranks):
            means[rank, step] += part.weight * losses[part.positions].mean()
            step += part.last
    expected = [losses[i : i + batch].mean() for i in range(0, count, batch)]
    np.testing.assert_allclose(means.mean(axis=0), expected)


def test_no_part_has_more_frames_than_asked_for():
    for part in microbatches(1000, 64, accumulation=4, rank=1, ranks=2):
        assert part.positions.stop - part.positions.start <= 8
