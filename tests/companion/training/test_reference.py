"""Two epochs of a run, written out in plain PyTorch, against `train`.

Nothing of `companion` is used in the reference but the store of crops and, for a
network from random weights, its start, which has tests of its own: the draws come
through a DataLoader from `aulib.sampler`, the squares are sliced, the loss and its
reduction are written out. Every hyperparameter has a value that matters.
"""

import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader

from aulib.model import build_model
from aulib.sampler import MultinomialSampler, sampling_weights
from companion.bp4d import AU_NAMES
from companion.methods.start import pair_units, standardise
from companion.training.loop import Settings
from companion.training.run import train

SEED, BATCH, SIZE, WIDTH = 5, 12, 32, 1 / 16
RATE, MOMENTUM, DECAY = 0.02, 0.8, 0.3


class Stopped(Exception):
    pass


@pytest.fixture(scope="module")
def start(tmp_path_factory):
    """A file of weights to start from: convolutions and hidden layers."""
    torch.manual_seed(11)
    network = build_model("baseline", width=WIDTH)
    standardise(network, torch.randn(8, 3, SIZE, SIZE))  # else it hardly moves
    state = network.state_dict()
    path = tmp_path_factory.mktemp("start") / "start.pt"
    torch.save({k: v for k, v in state.items() if "classifier.6" not in k}, path)
    return path


def trained_state(store, run, settings: Settings) -> dict:
    """The checkpoint of the second epoch."""

    def stop(metrics):
        if len(metrics) == 2:
            raise Stopped

    with pytest.raises(Stopped):
        train(store, run, settings, after_epoch=stop)
    return torch.load(run / "checkpoint_0002.pt", weights_only=True)


def mean_and_std(store) -> tuple[torch.Tensor, torch.Tensor]:
    """Of each channel, over all pixels of all training crops; float32 (3,)."""
    rows = [i for i, s in enumerate(store.index["split"]) if s == "train"]
    pixels = np.concatenate([store[row].reshape(-1, 3) for row in rows])
    return torch.tensor(pixels.mean(0)).float(), torch.tensor(pixels.std(0)).float()


def square(store, row: int, top: int, left: int) -> torch.Tensor:
    pixels = torch.tensor(store[row][top : top + SIZE, left : left + SIZE])
    mean, std = mean_and_std(store)
    return ((pixels - mean) / std).permute(2, 0, 1)


def central_squares(store, rows: list[int]) -> torch.Tensor:
    corners = [[(side - SIZE) // 2 for side in store[row].shape[:2]] for row in rows]
    return torch.stack([square(store, row, *c) for row, c in zip(rows, corners)])


def smooth_l1(error: torch.Tensor) -> torch.Tensor:
    size = error.abs()
    return torch.where(size < 1, size**2 / 2, size - 0.5).mean()


def random_squares(store, epoch: int, rows: list[int]) -> torch.Tensor:
    """The random squares of an epoch, by their positions in it."""
    places = np.random.default_rng([SEED, epoch, 1]).random((len(rows), 2))
    cut = []
    for row, (y, x) in zip(rows, places):
        height, width, _ = store[row].shape
        top, left = int(y * (height - SIZE + 1)), int(x * (width - SIZE + 1))
        cut.append(square(store, row, top, left))
    return torch.stack(cut)


def reference(store, name: str, weights, scale: float, multinomial: bool):
    """Network, momenta, mean losses and outputs after two epochs, and its start."""
    training = [i for i, s in enumerate(store.index["split"]) if s == "train"]
    others = [i for i, s in enumerate(store.index["split"]) if s == "evaluation"]
    levels = torch.tensor(store.index[list(AU_NAMES)].to_numpy(), dtype=torch.int64)
    torch.manual_seed(SEED)
    network = build_model(name, weights=weights, width=WIDTH)
    if weights is None:
        some = [training[int(i)] for i in np.linspace(0, len(training) - 1, 128)]
        pair_units(network)
        standardise(network, central_squares(store, some))
    with torch.no_grad():  # it answers with the means
        network.classifier[6].weight.zero_()
        network.classifier[6].bias[:] = scale * levels[training].double().mean(dim=0)
    begun = {k: v.clone() for k, v in network.state_dict().items()}
    momenta = [torch.zeros_like(p) for p in network.parameters()]
    sampler = MultinomialSampler(sampling_weights(levels[training].numpy()), seed=SEED)
    losses, outputs = [], []
    for epoch in (1, 2):
        dropout = np.random.default_rng([SEED, epoch, 2, 0]).integers(2**62)
        torch.manual_seed(int(dropout))
        sampler.set_epoch(epoch)
        shuffled = np.random.default_rng([SEED, epoch]).permutation(len(training))
        order = sampler if multinomial else shuffled.tolist()
        drawn = DataLoader(training, BATCH, sampler=order, generator=torch.Generator())
        rows = [batch.tolist() for batch in drawn]
        images = random_squares(store, epoch, sum(rows, [])).split(BATCH)
        network.train()
        total = 0.0
        for batch, inputs in zip(rows, images, strict=True):
            network.zero_grad()
            loss = smooth_l1(network(inputs) - scale * levels[batch])
            loss.backward()
            total += loss.item() * len(batch)
            with torch.no_grad():
                for weight, momentum in zip(network.parameters(), momenta):
                    momentum *= MOMENTUM
                    momentum += weight.grad + DECAY * weight
                    weight -= RATE / 10 ** (epoch - 1) * momentum
        losses.append(total / len(training))
        network.eval()
        with torch.no_grad():
            outputs.append(network(central_squares(store, others)))
    return network.state_dict(), momenta, losses, outputs, begun


@pytest.mark.parametrize(
    "name, scale, sampler",
    [("proposed", 2.0, "multinomial"), ("baseline", 1.0, "shuffle")],
)
def test_two_epochs_are_those_of_plain_pytorch(
    store, start, tmp_path, name, scale, sampler
):
    weights = start if name == "proposed" else None
    settings = Settings(
        method=name,
        weights=weights,
        width=WIDTH,
        scale=scale,
        sampler=sampler,
        seed=SEED,
        epochs=2,
        batch_size=BATCH,
        accumulation=1,
        learning_rate=RATE,
        learning_rate_step=1,
        momentum=MOMENTUM,
        weight_decay=DECAY,
    )
    state = trained_state(store, tmp_path / "run", settings)
    multinomial = sampler == "multinomial"
    expected, momenta, losses, outputs, begun = reference(
        store, name, weights, scale, multinomial
    )
    if weights:
        given = torch.load(start, weights_only=True)
        assert all(torch.equal(begun[key], given[key]) for key in given)
    for key, value in expected.items():
        moved = (value - begun[key]).norm()
        assert moved > 0, key
        # a start's biases are means of outputs of this size, rounded
        rounding = 0.3 * torch.finfo(torch.float32).eps * value.numel() ** 0.5
        assert (state["network"][key] - value).norm() < 1e-3 * moved + rounding, key
    found = [state["optimizer"]["state"][i]["momentum_buffer"] for i in range(32)]
    for one, other in zip(found, momenta, strict=True):
        assert (one - other).norm() < 1e-3 * other.norm()
    rows = state["metrics"]
    assert [row["learning_rate"] for row in rows] == [RATE, RATE / 10]
    np.testing.assert_allclose([row["train_loss"] for row in rows], losses, rtol=1e-4)
    for one, other in zip(state["values"], outputs, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-3, atol=1e-5)


def test_microbatches_give_the_same_steps(store, start, tmp_path):
    """Up to the masks of dropout, so without it."""
    options = dict(method="baseline", weights=start, width=WIDTH, scale=2.0)
    options |= dict(sampler="multinomial", seed=SEED, epochs=2, batch_size=BATCH)
    options |= dict(learning_rate=RATE, learning_rate_step=1, momentum=MOMENTUM)
    states = []
    for accumulation in (1, 5):
        settings = Settings(**options, accumulation=accumulation, weight_decay=DECAY)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(torch.nn.Dropout, "forward", lambda self, values: values)
            run = tmp_path / str(accumulation)
            states.append(trained_state(store, run, settings)["network"])
    for key, value in states[0].items():
        torch.testing.assert_close(states[1][key], value, rtol=1e-3, atol=1e-6)
