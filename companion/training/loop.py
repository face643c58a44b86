"""Section IV: stochastic gradient descent, with an evaluation after every epoch.

Draws and crops are functions of (seed, epoch, position in the epoch), and dropout's
generator is seeded from (seed, epoch, process). So an epoch depends on the weights and
the momentum that it starts from, and on nothing else that came before.
"""

import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from accelerate import Accelerator
from torch import nn

from companion.crops.batches import central_batches, image_batches
from companion.crops.squares import random_corners
from companion.crops.store import CropStore
from companion.methods.objective import Objective
from companion.methods.samplers import draw_epoch
from companion.training.device import memory_advice, seed_dropout
from companion.training.microbatches import Microbatch, microbatches

EVALUATION_BATCH = 256  # frames; VGG16's first maps take 3 GB at 224 pixels
CHECK_EVERY = 50  # batches between two checks of the losses; each makes a GPU wait


@dataclass(frozen=True, kw_only=True)
class Settings:
    """What a run trains, and how."""

    method: str
    """As in `companion.methods.build_objective`, with weights, width and scale."""
    weights: str | Path | None
    width: float
    scale: float
    sampler: str
    """As in `companion.methods.samplers.draw_epoch`."""
    seed: int
    """Of the network's start, the draws, the crops and the dropout."""
    epochs: int
    batch_size: int
    """Frames of a gradient step, over all processes; an epoch's last may have fewer."""
    accumulation: int
    """Number of microbatches that a process's part of a batch is cut into. The batches
    of the evaluation are divided by it, too."""
    learning_rate: float
    """Of the first epoch."""
    learning_rate_step: int
    """The learning rate is divided by 10 after every so many epochs."""
    momentum: float
    weight_decay: float
    """On all weights and biases."""


class Epoch(NamedTuple):
    """The results of one epoch."""

    number: int
    """From 1."""
    learning_rate: float
    train_loss: float
    outputs: torch.Tensor
    """float32 (N, …), the network's outputs for the N evaluation frames."""
    frames: int
    """Drawn for training."""
    training_seconds: float
    evaluation_seconds: float


def learning_rate_at(epoch: int, start: float, step: int) -> float:
    """Section IV: the learning rate, divided by 10 after every `step` epochs."""
    return start / 10 ** ((epoch - 1) // step)


def draw(store: CropStore, settings: Settings, epoch: int) -> np.ndarray:
    """The rows of the training frames of an epoch, in order."""
    training = store.rows("train")
    levels, subjects = store.levels[training], store.index["subject"][training]
    how = settings.sampler, settings.seed, epoch, subjects.to_numpy()
    return training[draw_epoch(levels, *how, settings.batch_size)]


def run_epochs(
    accelerator: Accelerator,
    network: nn.Module,
    objective: Objective,
    optimizer: torch.optim.Optimizer,
    store: CropStore,
    settings: Settings,
    first: int,
    on_step: Callable[[int], None] | None = None,
) -> Iterator[Epoch]:
    """The protocol of Section IV: draw, cut, step, evaluate; one epoch at a time.

    Args:
        accelerator: this process's.
        network: from `companion.training.device.prepare`.
        objective: its loss is what `network` minimises.
        optimizer: updates the network's weights.
        store: the crops.
        settings: the run's settings.
        first: the first epoch to run; the optimizer holds the preceding epoch's state.
        on_step: called after each gradient step with the frames of its batch.

    Raises:
        FloatingPointError: the loss is not finite.
        torch.OutOfMemoryError: a step, or the evaluation, does not fit into memory.
    """
    evaluation, size = store.rows("evaluation"), store.crop_size
    frames = f"{settings.batch_size} frames of {size} x {size} pixels"
    smaller = "multiply `accumulation` in the profile; the batch stays as it is"
    at_a_time = evaluation_batch(settings.accumulation)
    fewer = f"multiply `accumulation` in the profile: {at_a_time} frames were evaluated"
    for epoch in range(first, settings.epochs + 1):
        began = time.perf_counter()
        rate = learning_rate_at(
            epoch, settings.learning_rate, settings.learning_rate_step
        )
        for group in optimizer.param_groups:
            group["lr"] = rate
        seed_dropout(accelerator, settings.seed, epoch)
        rows = draw(store, settings, epoch)
        batches = training_batches(accelerator, store, rows, settings, epoch)
        how = batches, objective.loss, on_step
        with memory_advice(accelerator, f"a step of {frames} in training", smaller):
            try:
                loss = train_epoch(accelerator, network, optimizer, *how)
            except FloatingPointError as error:
                raise FloatingPointError(f"epoch {epoch}, {error}") from None
        trained = time.perf_counter()
        with memory_advice(accelerator, "the evaluation", f"{fewer} at a time"):
            outputs = predict(accelerator, network, store, evaluation, at_a_time)
        seconds = trained - began, time.perf_counter() - trained
        yield Epoch(epoch, rate, loss, outputs, len(rows), *seconds)


def evaluation_batch(accumulation: int) -> int:
    """The frames that are evaluated at a time: fewer where training takes fewer."""
    return max(1, EVALUATION_BATCH // accumulation)


def training_batches(
    accelerator: Accelerator,
    store: CropStore,
    rows: np.ndarray,
    settings: Settings,
    epoch: int,
) -> Iterator[tuple[torch.Tensor, torch.Tensor, Microbatch]]:
    """This process's part of an epoch: images, levels and their microbatch.

    The random squares are a function of (seed, epoch, position in the epoch).
    """
    offsets = np.random.default_rng([settings.seed, epoch, 1]).random((len(rows), 2))
    corners = random_corners(store, rows, offsets)
    parts = list(
        microbatches(
            len(rows),
            settings.batch_size,
            settings.accumulation,
            accelerator.process_index,
            accelerator.num_processes,
        )
    )
    positions = [part.positions for part in parts]
    levels = torch.from_numpy(store.levels[rows]).to(accelerator.device)
    targets = (levels[position] for position in positions)
    images = image_batches(store, rows, corners, positions, accelerator.device)
    return zip(images, targets, parts)


def train_epoch(
    accelerator: Accelerator,
    network: nn.Module,
    optimizer: torch.optim.Optimizer,
    batches: Iterable[tuple[torch.Tensor, torch.Tensor, Microbatch]],
    loss_function: Callable[..., torch.Tensor],
    on_step: Callable[[int], None] | None = None,
) -> float:
    """One epoch of gradient steps.

    Args:
        accelerator: this process's; it has prepared the network.
        network: what is trained.
        optimizer: updates the network's weights.
        batches: images, float (B, 3, S, S), targets (B, Q) and their microbatch.
        loss_function: outputs, targets and the batch's number from 0 → mean loss.
        on_step: called after each gradient step with the frames of its batch.

    Returns:
        The mean loss over the frames of all processes.

    Raises:
        FloatingPointError: the loss of a batch is NaN or infinite.
    """
    network.train()
    optimizer.zero_grad()
    total, count, losses, batch = 0.0, 0, [], 0
    for images, targets, part in batches:
        # the processes exchange gradients once a step, not once a microbatch
        alone = nullcontext() if part.last else accelerator.no_sync(network)
        with alone:
            outputs = network(images)
            loss = part.weight * loss_function(outputs, targets, batch)
            loss.backward()
        losses.append((batch, part.batch_size, loss.detach()))
        if part.last:
            optimizer.step()
            optimizer.zero_grad()
            count += part.batch_size
            batch += 1
            if on_step:
                on_step(part.batch_size)
            if batch % CHECK_EVERY == 0:
                total += _sum_losses(accelerator, losses, optimizer)
                losses = []
    total += _sum_losses(accelerator, losses, optimizer)
    return total / count


def _sum_losses(accelerator, losses: list, optimizer) -> float:
    """Sum of the losses, each times the frames of its batch; all must be finite."""
    if not losses:
        return 0.0
    means = torch.stack([loss for _, _, loss in losses])
    means = accelerator.reduce(means, reduction="mean").tolist()
    total = 0.0
    for (batch, frames, _), loss in zip(losses, means):
        if not np.isfinite(loss):
            rate = optimizer.param_groups[0]["lr"]
            raise FloatingPointError(
                f"batch {batch}: the loss is {loss} at learning rate {rate}; "
                "the training has diverged, try a smaller learning rate"
            )
        total += loss * frames
    return total


def predict(
    accelerator: Accelerator,
    network: nn.Module,
    store: CropStore,
    rows: np.ndarray,
    batch_size: int = EVALUATION_BATCH,
) -> torch.Tensor:
    """The outputs for the central crops of `rows`: float32 (N, …), on the CPU.

    Each process computes a part of the rows, `batch_size` at a time; all processes get
    all outputs.
    """
    network.eval()
    each = -(-len(rows) // accelerator.num_processes)
    start = accelerator.process_index * each
    # repeat the last row, so that every process has equally many
    mine = rows[np.minimum(np.arange(start, start + each), len(rows) - 1)]
    with torch.inference_mode():
        batches = central_batches(store, mine, batch_size, accelerator.device)
        outputs = torch.cat([network(images).float() for images in batches])
        outputs = accelerator.gather(outputs)[: len(rows)].cpu()
    return outputs.clone()  # outside of inference mode it is a normal tensor
