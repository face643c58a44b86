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

    python -m aulib.training PROFILE MODEL SEED [--processes 4] [--grid GRID]

is a run without a notebook; notebook 03 then reads what it has left.
"""

import argparse
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, nullcontext, suppress
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
import torch
from accelerate import Accelerator
from accelerate.utils import broadcast_object_list, gather_object
from torch import nn
from torchvision.models.vgg import VGG
from tqdm import tqdm

from aulib import AU_NAMES
from aulib.batches import Share, copy_to_gpu, images, shares
from aulib.checkpoint import begin, difference, finish, sources, write_epoch
from aulib.compared import build_method
from aulib.compared.joint import joint_weights
from aulib.compared.structured import iterative_batches
from aulib.faces import CropStore, central_corners, random_corners
from aulib.files import digest, only_one
from aulib.machine import (
    in_processes,
    open_accelerator,
    out_of_memory,
    prepare,
    too_many_frames,
    where_it_runs,
)
from aulib.method import output_table, scores
from aulib.model import features
from aulib.sampler import MultinomialSampler, sampling_weights
from aulib.story import Story

EVALUATION_BATCH = 256  # frames; the first maps of VGG16 take 3 GB at 224 pixels
WEIGHTS = {"multinomial": sampling_weights, "joint": joint_weights}
LOOK = 50  # batches from one look at the losses to the next: a GPU has to wait for each


def draw_epoch(
    intensities: np.ndarray,
    sampler: str,
    seed: int,
    epoch: int,
    subjects: np.ndarray | None = None,
    batch_size: int | None = None,
) -> np.ndarray:
    """The training frames of one epoch, in order.

    Args:
        intensities: int array (M, Q), the levels 0..5 of the training frames.
        sampler: "multinomial" (Eq. 1 and 2), "shuffle" (every frame once), "joint"
            (`aulib.compared.joint.joint_weights`) or "iterative"
            (`aulib.compared.structured.iterative_batches`).
        seed, epoch: the draw is a function of the two.
        subjects: array (M,), whose frames they are; batch_size: frames of a batch.
            For "iterative" alone.

    Returns:
        int64 array of positions 0..M-1: M of them, of "iterative" three for each.
    """
    if sampler in WEIGHTS:
        multinomial = MultinomialSampler(WEIGHTS[sampler](intensities), seed=seed)
        multinomial.set_epoch(epoch)
        return multinomial.draws().numpy()
    if sampler == "shuffle":
        return np.random.default_rng([seed, epoch]).permutation(len(intensities))
    if sampler == "iterative":
        return iterative_batches(intensities, subjects, batch_size, seed, epoch)
    known = ", ".join([*WEIGHTS, "shuffle", "iterative"])
    raise ValueError(f"sampler {sampler!r} is unknown: choose one of {known}")


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
    loss_function: Callable[..., torch.Tensor],
) -> float:
    """One epoch of gradient steps; the mean loss over the frames of all processes.

    Args:
        accelerator: of `open_accelerator`; it has prepared the network.
        network: what is trained.
        optimizer: of its weights.
        parts: this process's share of the epoch.
        loss_function: outputs, targets and the batch's number from 0 → their mean
            loss.

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
            loss = share.weight * loss_function(outputs, part.targets, batch)
            loss.backward()
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
        with torch.inference_mode():  # over before the caller's own code goes on
            values = features(network, batch).cpu().numpy()
        yield values


def _central_images(store, rows, device, packed=None) -> Iterator[torch.Tensor]:
    corners = central_corners(store, rows, store.crop_size)
    starts = range(0, len(rows), EVALUATION_BATCH)
    parts = [slice(start, start + EVALUATION_BATCH) for start in starts]
    return images(store, rows, corners, parts, device, packed)


def train(
    store: CropStore,
    directory: Path,
    *,
    method: str,
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
    others is put aside.

    Args:
        store: crops of the training and the evaluation frames.
        directory: of the run, as in this module's docstring.
        method, weights, width, scale: as in `aulib.compared.build_method`.
        seed: of the network's start, the draws, the crops and the dropout.
        epochs: how many times `sampler` draws.
        batch_size: frames a gradient step, over all processes; the last batch of an
            epoch may be smaller.
        accumulation: in how many parts a process's frames of a step go through the
            network: more than 1 where they do not fit into a GPU at once.
        learning_rate: of the first epoch; divided by 10 after every
            `learning_rate_step` epochs.
        momentum, weight_decay: of the gradient descent, on all weights and biases.
        sampler: as in `draw_epoch`.
        after_epoch: called in the first process with the metrics so far, after each
            epoch.

    Returns:
        metrics.csv: columns epoch, learning_rate, train_loss, evaluation_loss,
        AU06 … AU17 (ICC(3,1) after Eq. 3) and mean, one row an epoch.

    Raises:
        FloatingPointError: the loss is not finite.
        ValueError: there are no frames to train on or none to evaluate; what an
            earlier call has left can't be used; or another call is at work.
        OSError: an epoch can't be written.
        torch.OutOfMemoryError: the GPU is too small for a part of a batch.
    """
    accelerator, directory = open_accelerator(), Path(directory)
    parameters = {
        "method": method,
        "seed": seed,
        "epochs": epochs,
        "batch_size": batch_size,
        "learning_rate": learning_rate,
        "learning_rate_step": learning_rate_step,
        "momentum": momentum,
        "weight_decay": weight_decay,
        "scale": scale,
        "sampler": sampler,
        "weights": _named(weights),
        "width": width,
        "crop_size": store.crop_size,
        "data": store.fingerprint,
    }
    for other in gather_object([parameters]):
        if other != parameters:
            what = difference(other, parameters)
            raise ValueError(f"the processes were not called alike: {what}")
    if method == "structured" and accelerator.num_processes > 1:
        raise ValueError(
            "method 'structured' moves a part of its weights in each step, which "
            "several processes can't share: train it in one"
        )
    training_rows, evaluation_rows = (
        np.flatnonzero(store.index["split"] == split)
        for split in ("train", "evaluation")
    )
    if not len(training_rows) or not len(evaluation_rows):
        raise ValueError(
            f"{len(training_rows)} training and {len(evaluation_rows)} evaluation "
            "frames: both are needed, look at the waterfall of notebook 01"
        )
    intensities = store.index[list(AU_NAMES)].to_numpy().astype(np.int64)
    subjects = store.index["subject"].to_numpy()[training_rows]

    def draw(epoch: int) -> np.ndarray:
        known = intensities[training_rows]
        return draw_epoch(known, sampler, seed, epoch, subjects, batch_size)

    # the first process alone reads and writes the directory
    main, title = accelerator.is_main_process, directory.name
    story = Story(directory, title) if main else None
    with ExitStack() as stack:
        if main:
            stack.enter_context(only_one(directory))
        start = [begin(directory, parameters, story.say) if main else None]
        start = broadcast_object_list(start)[0]
        if start.metrics is not None:
            return start.metrics
        torch.manual_seed(seed)
        starting_weights = None if start.checkpoint else weights
        with accelerator.local_main_process_first():  # one of them fetches the weights
            trained = build_method(method, starting_weights, width, scale)
        network = trained.network
        network = network.to(accelerator.device, memory_format=torch.channels_last)
        optimizer = torch.optim.SGD(
            network.parameters(),
            lr=learning_rate,
            momentum=momentum,
            weight_decay=weight_decay,
            fused=True,
        )
        for weight in network.parameters():  # some may have no gradient at first
            optimizer.state[weight]["momentum_buffer"] = torch.zeros_like(weight)
        here = where_it_runs(accelerator) | {"accumulation": accumulation}
        ran_on, metrics, seconds = [], [], []
        if start.checkpoint:
            network.load_state_dict(start.checkpoint["network"])
            optimizer.load_state_dict(start.checkpoint["optimizer"])
            ran_on, metrics = start.checkpoint["ran_on"], start.checkpoint["metrics"]
            seconds = start.checkpoint["seconds"]
        del start  # a gigabyte at full width
        if main and ran_on and ran_on[-1] != here:
            change = difference(ran_on[-1], here).replace(" not ", " then, now ")
            story.say(f"{title}: {change}; the last digits will depend on it")
        if not ran_on or ran_on[-1] != here:
            ran_on = [*ran_on, here]
        prepared = prepare(accelerator, network, store.crop_size)
        packed = copy_to_gpu(store, accelerator.device)
        if main:
            story.open(epochs, len(draw(1)), metrics)
            stack.callback(story.close)

        rank, ranks = accelerator.process_index, accelerator.num_processes
        for epoch in range(len(metrics) + 1, epochs + 1):
            rate = learning_rate_at(epoch, learning_rate, learning_rate_step)
            for group in optimizer.param_groups:
                group["lr"] = rate
            dropout = np.random.default_rng([seed, epoch, 2, rank]).integers(2**62)
            torch.manual_seed(int(dropout))
            rows = training_rows[draw(epoch)]
            offsets = np.random.default_rng([seed, epoch, 1]).random((len(rows), 2))
            corners = random_corners(store, rows, store.crop_size, offsets)
            mine = list(shares(len(rows), batch_size, accumulation, rank, ranks))
            places = [share.positions for share in mine]
            crops = images(store, rows, corners, places, accelerator.device, packed)
            targets = torch.from_numpy(intensities[rows]).to(accelerator.device)
            update = story.bar.update if main else None
            began, full = time.perf_counter(), False
            try:
                train_loss = train_epoch(
                    accelerator,
                    prepared,
                    optimizer,
                    _parts(crops, targets, mine, update),
                    trained.loss,
                )
                now = time.perf_counter()
                outputs = predict(accelerator, prepared, store, evaluation_rows, packed)
            except FloatingPointError as error:
                raise FloatingPointError(f"epoch {epoch}, {error}") from None
            except RuntimeError as error:
                if not out_of_memory(error):
                    raise
                full = True  # what the failed step holds is freed with this block
            if full:
                most = max(place.stop - place.start for place in places)
                raise torch.OutOfMemoryError(
                    too_many_frames(accelerator, prepared, store.crop_size, most)
                )
            if main:
                evaluated = time.perf_counter()
                seconds.append(round(evaluated - began, 2))
                answer = trained.answer(torch.from_numpy(outputs))
                truth = torch.from_numpy(intensities[evaluation_rows])
                loss = trained.evaluation_loss(torch.from_numpy(outputs), truth)
                row = {"epoch": epoch, "learning_rate": rate, "train_loss": train_loss}
                row |= {"evaluation_loss": loss.item()} | scores(answer, truth)
                metrics.append(row)
                checkpoint = {
                    "network": network.state_dict(),
                    "optimizer": optimizer.state_dict(),
                    "parameters": parameters,
                    "ran_on": ran_on,
                    "seconds": seconds,
                }
                table = output_table(store.index.iloc[evaluation_rows], epoch, answer)
                write_epoch(directory, epoch, checkpoint, pd.DataFrame(metrics), table)
                training = len(rows) / (now - began)
                evaluation = len(evaluation_rows) / (evaluated - now)
                story.epoch(row, training, evaluation)
                after_epoch(pd.DataFrame(metrics))
        if main:
            facts = {
                "ran_on": ran_on,
                "sources": sources(),
                "network_parameters": sum(p.numel() for p in network.parameters()),
            }
            table = pd.DataFrame(metrics)
            finish(directory, parameters, table, facts, float(np.median(seconds)))
        return broadcast_object_list([pd.DataFrame(metrics) if main else None])[0]


def _named(weights: str | Path | None) -> str | None:
    """What stands for the starting weights among the parameters: name and content."""
    if weights is None or weights == "imagenet":
        return weights
    path = Path(weights)
    if not path.is_file():
        raise FileNotFoundError(f"{path}: no such file of weights")
    return f"{path.name} {digest(path)[:16]}"


def _parts(crops, targets, mine, update) -> Iterator[Part]:
    for batch, share in zip(crops, mine, strict=True):
        yield Part(batch, targets[share.positions], share)
        if update and share.last:
            update(share.frames)


def main() -> None:
    from aulib.compared import hog
    from aulib.grid import find_settings
    from aulib.notebook import load_profile, run_directory, training_settings

    parser = argparse.ArgumentParser(
        description="One training run; goes on where it was stopped."
    )
    parser.add_argument("profile", help="a name in notebooks/profiles")
    parser.add_argument("model", help="of the profile's, or of the grid's")
    parser.add_argument("seed", type=int)
    parser.add_argument("--grid", help="a name in notebooks/grids")
    parser.add_argument(
        "--processes", type=int, default=1, help="that train together, a GPU each"
    )
    arguments = parser.parse_args()
    if arguments.processes > 1:
        known = arguments.profile, arguments.model, arguments.seed
        try:
            in_processes(*known, arguments.processes, arguments.grid)
        except RuntimeError as error:
            sys.exit(str(error))
        return
    try:
        profile = load_profile(arguments.profile)
        model = find_settings(profile, arguments.model, arguments.grid)
    except ValueError as error:
        sys.exit(str(error))
    torch.set_num_threads(profile["threads"])
    run, name = run_directory(arguments.profile), f"{arguments.model}_{arguments.seed}"
    directory = run / "training" / name
    try:
        store = CropStore(run / "crops")
        if model["method"] == "hog":
            hog.train(store, directory, seed=arguments.seed)
        else:
            settings = training_settings(profile, model)
            train(store, directory, seed=arguments.seed, **settings)
    except (ArithmeticError, OSError, RuntimeError, ValueError) as error:
        with suppress(OSError):  # the directory may be what can't be written
            Story(directory, name).say(f"failed: {error}")
        sys.exit(f"{name}: {error}")


if __name__ == "__main__":
    main()
