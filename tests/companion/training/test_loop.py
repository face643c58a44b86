"""The training loop: its parts, and three steps of it written out in plain PyTorch."""

import numpy as np
import pytest
import torch
from torch import nn

from aulib.model import build_model
from companion.analysis.features import extract_features
from companion.training.device import open_accelerator
from companion.training.loop import learning_rate_at, predict, train_epoch
from companion.training.microbatches import microbatches


def without_number(loss):
    """A loss that does not ask which batch it is of."""
    return lambda outputs, targets, batch: loss(outputs, targets)


def batches_of(inputs, targets, batch):
    for part in microbatches(len(inputs), batch):
        yield inputs[part.positions], targets[part.positions], part


def test_a_diverging_loss_stops_the_run():
    network = nn.Linear(2, 1)
    optimizer = torch.optim.SGD(network.parameters(), lr=0.5)
    inputs = torch.zeros(21, 2)
    inputs[13] = torch.inf
    parts = batches_of(inputs, torch.zeros(21, 1), 3)
    with pytest.raises(FloatingPointError, match=r"batch 4: .* learning rate 0\.5"):
        loss = without_number(nn.functional.mse_loss)
        train_epoch(open_accelerator(), network, optimizer, parts, loss)


def test_an_epoch_lowers_the_loss_of_a_linear_problem():
    generator = torch.Generator().manual_seed(0)
    inputs = torch.randn(64, 3, generator=generator)
    targets = inputs @ torch.tensor([[1.0], [-2.0], [0.5]])
    network = nn.Linear(3, 1)
    optimizer = torch.optim.SGD(network.parameters(), lr=0.1)
    accelerator, loss = open_accelerator(), without_number(nn.functional.mse_loss)
    losses = [
        train_epoch(
            accelerator, network, optimizer, batches_of(inputs, targets, 8), loss
        )
        for _ in range(20)
    ]
    assert losses[-1] < 1e-3 < losses[0]


def test_the_mean_loss_is_over_frames_not_batches():
    network = nn.Linear(1, 1)
    nn.init.zeros_(network.weight)
    nn.init.zeros_(network.bias)
    optimizer = torch.optim.SGD(network.parameters(), lr=0.0)
    targets = torch.arange(130.0)[:, None]
    loss = without_number(nn.functional.l1_loss)
    for batch in (1, 7, 130):  # 130 batches: more than are looked at together
        parts = batches_of(torch.zeros(130, 1), targets, batch)
        mean = train_epoch(open_accelerator(), network, optimizer, parts, loss)
        assert mean == pytest.approx(64.5)


def test_the_papers_schedule():
    rates = [learning_rate_at(epoch, 0.01, 20) for epoch in (1, 20, 21, 40, 41, 100)]
    np.testing.assert_allclose(rates, [1e-2, 1e-2, 1e-3, 1e-3, 1e-4, 1e-6])


def test_features_are_what_the_last_layer_reads(store):
    network = build_model("baseline", width=0.125)
    rows = np.arange(5)
    batch = extract_features(network, store, rows)
    assert batch.shape == (5, 4096)
    outputs = network.classifier[6](torch.from_numpy(batch)).detach()
    accelerator = open_accelerator()
    expected = predict(accelerator, network, store, rows)
    np.testing.assert_allclose(outputs, expected, rtol=1e-4, atol=1e-5)
