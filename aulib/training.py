"""Section IV: stochastic gradient descent, an evaluation after every epoch, three runs.

`train` is the protocol; `train_epoch` and `predict` are its two halves. A run is a
directory:

    parameters.json    what was asked for
    log.txt            when it began, went on and finished each epoch, and how fast
    events/            the learning curves as TensorBoard reads them
    epochs/            what an unfinished run goes on from, gone at the end
                       (see `aulib.checkpoint`)
    outputs.parquet    every evaluation frame at every epoch: truth, unrounded outputs
    metrics.csv        one row an epoch: losses and ICC(3,1)
    best.pt            the network of the epoch with the best mean ICC
    provenance.json    parameters, data fingerprint, versions; commit, time, machine

Draws and crops are functions of (seed, epoch, position in the epoch) and dropout's
generator is set anew from (seed, epoch, process), so a run that was killed goes on from
its last finished epoch and ends with the numbers that it would have had.

    python -m aulib.training PROFILE MODEL SEED
    accelerate launch --multi_gpu --num_processes 4 -m aulib.training PROFILE MODEL SEED

is a run without a notebook; notebook 03 then reads what it has left.
"""

import argparse
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import nullcontext
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
import torch
from accelerate import Accelerator
from accelerate.utils import broadcast_object_list, gather_object
from torch import nn
from torch.nn.functional import smooth_l1_loss
from torchvision.models.vgg import VGG
from tqdm import tqdm

from aulib import AU_NAMES, OUTPUT_NAMES, UNKNOWN
from aulib.batches import Share, copy_to_gpu, images, shares
from aulib.checkpoint import begin, difference, finish, write_epoch
from aulib.faces import CropStore, central_corners, random_corners
from aulib.icc import icc_per_au
from aulib.inference import to_intensity
from aulib.loss import scaled_smooth_l1
from aulib.machine import open_accelerator, prepare, too_many_frames, where_it_runs
from aulib.model import build_model, features
from aulib.sampler import MultinomialSampler, sampling_weights
from aulib.story import Story

EVALUATION_BATCH = 256  # frames; the first maps of VGG16 take 3 GB at 224 pixels
LOOK = 50  # batches from one look at the losses to the next: a GPU has to wait for each


def draw_epoch(
    intensities: np.ndarray, sampler: str, seed: int, epoch: int
) -> np.ndarray:
    """The training frames of one epoch, in order.

    Args:
        intensities: int array (M, Q), the levels 0..5 of the training frames.
        sampler: "multinomial" (Eq. 1 and 2) or "shuffle" (every frame once).
        seed, epoch: the draw is a function of the two.

    Returns:
        int64 array (M,) of positions 0..M-1.
    """
    if sampler == "multinomial":
        multinomial = MultinomialSampler(sampling_weights(intensities), seed=seed)
        multinomial.set_epoch(epoch)
        return multinomial.draws().numpy()
    if sampler == "shuffle":
        return np.random.default_rng([seed, epoch]).permutation(len(intensities))
    raise ValueError(f"sampler {sampler!r} is unknown: 'multinomial' or 'shuffle'")


def learning_rate_at(epoch: int, start: float, step: int) -> float:
    """Section IV: the learning rate, divided by 10 after every `step` epochs."""
    return start / 10 ** ((epoch - 1) // step)


class Part(NamedTuple):
    """What goes through the network at once: a `Share` with its tensors."""

    images: torch.Tensor
    """float (B, 3, S, S)"""
    targets: torch.Tensor
    """(B, Q), for the loss."""
    share: Share


def train_epoch(
    accelerator: Accelerator,
    network: nn.Module,
    optimizer: torch.optim.Optimizer,
    parts: Iterable[Part],
    loss_function: Callable[[torch.Tensor, torch.Tensor], torch.Tensor],
) -> float:
    """One epoch of gradient steps; the mean loss over the frames of all processes.

    Args:
        accelerator: of `open_accelerator`; it has prepared the network.
        network: what is trained.
        optimizer: of its weights.
        parts: this process's share of the epoch.
        loss_function: outputs and targets → their mean loss.

    Raises:
        FloatingPointError: the loss of a batch is NaN or infinite.
    """
    network.train()
    optimizer.zero_grad()
    total, count, seen, batch = 0.0, 0, [], 0
    for part in parts:
        share = part.share
        alone = nullcontext() if share.last else accelerator.no_sync(network)
        with alone:  # gradients meet those of the other processes once a step
            outputs = network(part.images)
            loss = share.weight * loss_function(outputs, part.targets)
            accelerator.backward(loss)
        seen.append((batch, share.frames, loss.detach()))
        if share.last:
            optimizer.step()
            optimizer.zero_grad()
            count += share.frames
            batch += 1
            if batch % LOOK == 0:
                total += _add_up(accelerator, seen, optimizer)
                seen = []
    total += _add_up(accelerator, seen, optimizer)
    return total / count


def _add_up(accelerator, seen: list, optimizer) -> float:
    """Sum of the batches' losses, each times its frames; all of them are looked at."""
    if not seen:
        return 0.0
    losses = torch.stack([loss for _, _, loss in seen])
    losses = accelerator.reduce(losses, reduction="mean").tolist()
    total = 0.0
    for (batch, frames, _), loss in zip(seen, losses):
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
    packed: torch.Tensor | None = None,
) -> np.ndarray:
    """Unrounded outputs for the central crops of `rows`: float32 array (N, Q).

    Each process answers for its part of the rows, and has all answers at the end.
    """
    network.eval()
    each = -(-len(rows) // accelerator.num_processes)
    start = accelerator.process_index * each
    # the last rows once more, so that all processes have as many to give
    mine = rows[np.minimum(np.arange(start, start + each), len(rows) - 1)]
    batches = _central_images(store, mine, accelerator.device, packed)
    with torch.inference_mode():
        outputs = torch.cat([network(batch).float() for batch in batches])
        return accelerator.gather(outputs)[: len(rows)].cpu().numpy()


def feature_batches(
    network: VGG, store: CropStore, rows: np.ndarray
) -> Iterator[np.ndarray]:
    """The 4,096 features of the central crops of `rows`, in float32 arrays (B, 4096).

    For the PCA of Section III; see `aulib.model.features`. On the GPU where there is
    one, to which the network is moved.
    """
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    network.to(device).eval()
    total = -(-len(rows) // EVALUATION_BATCH)
    batches = _central_images(store, rows, device)
    for batch in tqdm(batches, "features", total, leave=False):
        with torch.inference_mode():
            yield features(network, batch).cpu().numpy()


def _central_images(store, rows, device, packed=None) -> Iterator[torch.Tensor]:
    corners = central_corners(store, rows, store.crop_size)
    starts = range(0, len(rows), EVALUATION_BATCH)
    parts = [slice(start, start + EVALUATION_BATCH) for start in starts]
    return images(store, rows, corners, parts, device, packed)


def train(
    store: CropStore,
    directory: Path,
    *,
    model: str,
    seed: int,
    epochs: int,
    batch_size: int,
    accumulation: int,
    learning_rate: float,
    learning_rate_step: int,
    momentum: float,
    weight_decay: float,
    scale: float,
    sampler: str,
    weights: str | Path | None,
    width: float,
    after_epoch: Callable[[pd.DataFrame], None] = lambda metrics: None,
) -> pd.DataFrame:
    """Train and evaluate one network; go on where an earlier call was stopped.

    Uses the GPU when there is one, and all processes that call it together. A finished
    run with the same parameters on the same crops is read, not trained again; one with
    others is replaced.

    Args:
        store: crops of the training and the evaluation frames.
        directory: of the run, as in this module's docstring.
        model, weights, width: as in `aulib.model.build_model`.
        seed: of the network's start, the draws, the crops and the dropout.
        epochs: how many times as many frames as there are in training are drawn.
        batch_size: frames a gradient step, over all processes; the last batch of an
            epoch may be smaller.
        accumulation: in how many parts a process's frames of a step go through the
            network: more than 1 where they do not fit into a GPU at once.
        learning_rate: of the first epoch; divided by 10 after every
            `learning_rate_step` epochs.
        momentum, weight_decay: of the gradient descent, on all weights and biases.
        scale: of Eq. 3 and 4; 2 is the paper's, 1 its baseline's.
        sampler: as in `draw_epoch`.
        after_epoch: called in the first process with the metrics so far, after each
            epoch.

    Returns:
        metrics.csv: columns epoch, learning_rate, train_loss, evaluation_loss,
        AU06 … AU17 (ICC(3,1) after Eq. 3) and mean, one row an epoch.

    Raises:
        FloatingPointError: the loss is not finite.
        ValueError: there are no frames to train on or none to evaluate; or what an
            earlier call has left can't be used.
        OSError: an epoch can't be written.
        torch.OutOfMemoryError: the GPU is too small for a part of a batch.
    """
    accelerator = open_accelerator()
    parameters = {
        "model": model,
        "seed": seed,
        "epochs": epochs,
        "batch_size": batch_size,
        "accumulation": accumulation,
        "learning_rate": learning_rate,
        "learning_rate_step": learning_rate_step,
        "momentum": momentum,
        "weight_decay": weight_decay,
        "scale": scale,
        "sampler": sampler,
        "weights": weights if weights is None else str(Path(weights).name),
        "width": width,
        "crop_size": store.crop_size,
        "data": store.fingerprint,
    }
    for other in gather_object([parameters]):
        if other != parameters:
            what = difference(other, parameters)
            raise ValueError(f"the processes were not called alike: {what}")
    intensities = store.index[list(AU_NAMES)].to_numpy().astype(np.int64)
    training_rows = np.flatnonzero(store.index["split"] == "train")
    evaluation_rows = np.flatnonzero(store.index["split"] == "evaluation")
    if not len(training_rows) or not len(evaluation_rows):
        raise ValueError(
            f"{len(training_rows)} training and {len(evaluation_rows)} evaluation "
            "frames: both are needed, look at the waterfall of notebook 01"
        )

    # the first process alone reads and writes the directory
    main, directory = accelerator.is_main_process, Path(directory)
    story = Story(directory, f"{model} {seed}") if main else None
    start = [begin(directory, parameters, story.say) if main else None]
    start = broadcast_object_list(start)[0]
    if start.finished:
        return start.metrics
    torch.manual_seed(seed)
    with accelerator.local_main_process_first():  # one of them fetches the weights
        network = build_model(model, weights=weights, width=width)
    network = network.to(accelerator.device, memory_format=torch.channels_last)
    optimizer = torch.optim.SGD(
        network.parameters(),
        lr=learning_rate,
        momentum=momentum,
        weight_decay=weight_decay,
        fused=True,
    )
    here, ran_on, metrics = where_it_runs(accelerator), [], []
    if start.checkpoint:
        network.load_state_dict(start.checkpoint["network"])
        optimizer.load_state_dict(start.checkpoint["optimizer"])
        ran_on, metrics = start.checkpoint["ran_on"], start.checkpoint["metrics"]
    del start  # a gigabyte at full width
    if main and ran_on and ran_on[-1] != here:
        change = difference(ran_on[-1], here).replace(" not ", " then, now ")
        story.say(f"{model} {seed}: {change}; the last digits will depend on it")
    if not ran_on or ran_on[-1] != here:
        ran_on = [*ran_on, here]
    prepared = prepare(accelerator, network)
    packed = copy_to_gpu(store, accelerator.device)
    if main:
        story.open(epochs, len(training_rows), metrics)

    rank, ranks = accelerator.process_index, accelerator.num_processes
    for epoch in range(len(metrics) + 1, epochs + 1):
        rate = learning_rate_at(epoch, learning_rate, learning_rate_step)
        for group in optimizer.param_groups:
            group["lr"] = rate
        dropout = np.random.default_rng([seed, epoch, 2, rank]).integers(2**62)
        torch.manual_seed(int(dropout))
        drawn = draw_epoch(intensities[training_rows], sampler, seed, epoch)
        rows = training_rows[drawn]
        offsets = np.random.default_rng([seed, epoch, 1]).random((len(rows), 2))
        corners = random_corners(store, rows, store.crop_size, offsets)
        mine = list(shares(len(rows), batch_size, accumulation, rank, ranks))
        places = [share.positions for share in mine]
        crops = images(store, rows, corners, places, accelerator.device, packed)
        targets = torch.from_numpy(intensities[rows]).to(accelerator.device)
        began = time.perf_counter()
        try:
            train_loss = train_epoch(
                accelerator,
                prepared,
                optimizer,
                _parts(crops, targets, mine, story.bar.update if main else None),
                lambda outputs, targets: scaled_smooth_l1(outputs, targets, scale),
            )
        except FloatingPointError as error:
            raise FloatingPointError(
                f"{model} {seed}, epoch {epoch}, {error}"
            ) from None
        except torch.OutOfMemoryError:
            train_loss = None  # what the failed step holds is freed with this block
        if train_loss is None:
            frames = max(place.stop - place.start for place in places)
            raise torch.OutOfMemoryError(
                too_many_frames(accelerator, prepared, store.crop_size, frames)
            )
        trained = time.perf_counter()
        outputs = predict(accelerator, prepared, store, evaluation_rows, packed)
        if main:
            evaluated = time.perf_counter()
            row = {"epoch": epoch, "learning_rate": rate, "train_loss": train_loss}
            row |= _scores(outputs, intensities[evaluation_rows], scale)
            metrics.append(row)
            checkpoint = {
                "network": network.state_dict(),
                "optimizer": optimizer.state_dict(),
                "parameters": parameters,
                "ran_on": ran_on,
            }
            table = _output_table(store.index.iloc[evaluation_rows], epoch, outputs)
            write_epoch(directory, epoch, checkpoint, pd.DataFrame(metrics), table)
            training = len(rows) / (trained - began)
            evaluation = len(evaluation_rows) / (evaluated - trained)
            story.epoch(row, training, evaluation)
            after_epoch(pd.DataFrame(metrics))
    if main:
        story.close()
        finish(directory, parameters, pd.DataFrame(metrics), ran_on)
    return broadcast_object_list([pd.DataFrame(metrics) if main else None])[0]


def _parts(crops, targets, mine, update) -> Iterator[Part]:
    for batch, share in zip(crops, mine, strict=True):
        yield Part(batch, targets[share.positions], share)
        if update and share.last:
            update(share.frames)


def _scores(outputs: np.ndarray, truth: np.ndarray, scale: float) -> dict[str, float]:
    """The columns of metrics.csv that come of an evaluation."""
    known = torch.from_numpy(truth != UNKNOWN)  # what the coders could tell
    targets = scale * torch.from_numpy(truth).float()
    loss = smooth_l1_loss(torch.from_numpy(outputs)[known], targets[known])
    scores = icc_per_au(truth, to_intensity(torch.from_numpy(outputs), scale))
    per_au = dict(zip(AU_NAMES, scores.tolist(), strict=True))
    return {"evaluation_loss": loss.item(), **per_au, "mean": float(scores.mean())}


def _output_table(frames: pd.DataFrame, epoch: int, outputs: np.ndarray):
    table = frames[["subject", "task", "frame", *AU_NAMES]].reset_index(drop=True)
    table.insert(0, "epoch", np.int16(epoch))
    table[list(OUTPUT_NAMES)] = outputs
    return table


def main() -> None:
    from aulib.notebook import load_profile, run_directory, training_settings

    parser = argparse.ArgumentParser(
        description="One training run; goes on where it was stopped."
    )
    parser.add_argument("profile", help="a name in notebooks/profiles")
    parser.add_argument("model", help="of the profile's: baseline or proposed")
    parser.add_argument("seed", type=int)
    arguments = parser.parse_args()
    try:
        profile = load_profile(arguments.profile)
        settings = training_settings(profile, arguments.model)
        run = run_directory(arguments.profile)
        torch.set_num_threads(profile["threads"])
        train(
            CropStore(run / "crops"),
            run / "training" / f"{arguments.model}_{arguments.seed}",
            model=arguments.model,
            seed=arguments.seed,
            **settings,
        )
    except (ArithmeticError, OSError, RuntimeError, ValueError) as error:
        sys.exit(f"{arguments.model} {arguments.seed}: {error}")


if __name__ == "__main__":
    main()
