"""Section IV: stochastic gradient descent, an evaluation after every epoch, three runs.

`train` is the protocol; `train_epoch` and `predict` are its two halves. A run is a
directory:

    outputs.parquet    every evaluation frame at every epoch: truth, unrounded outputs
    metrics.csv        one row an epoch: losses and ICC(3,1)
    best.pt            the network of the epoch with the best mean ICC
    provenance.json    parameters, data fingerprint, versions; commit, time, machine
    epochs/, checkpoint_*.pt   what an unfinished run goes on from, gone at the end

Draws and crops are functions of (seed, epoch, position in the epoch) and dropout's
generator is set anew from (seed, epoch), so a run that was killed goes on from its
last finished epoch and ends with the numbers that it would have had.
"""

import json
import os
import shutil
import sys
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from torch import nn
from torch.nn.functional import smooth_l1_loss
from torchvision.models.vgg import VGG
from tqdm import tqdm

from aulib import AU_NAMES, UNKNOWN
from aulib.faces import CropStore, central_crops, normalise, random_crops
from aulib.icc import icc_per_au
from aulib.inference import to_intensity
from aulib.loss import scaled_smooth_l1
from aulib.model import build_model, features
from aulib.sampler import MultinomialSampler, sampling_weights

OUTPUT_NAMES = tuple(f"output_{name}" for name in AU_NAMES)
"""Columns of outputs.parquet that hold the network's unrounded outputs."""

EVALUATION_BATCH = 256  # frames; the first maps of VGG16 take 3 GB at 224 pixels


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


def train_epoch(
    network: nn.Module,
    optimizer: torch.optim.Optimizer,
    batches: Iterable[tuple[torch.Tensor, torch.Tensor]],
    loss_function: Callable[[torch.Tensor, torch.Tensor], torch.Tensor],
) -> float:
    """One epoch of gradient steps; the mean loss over its frames.

    Raises:
        FloatingPointError: the loss of a batch is NaN or infinite.
    """
    network.train()
    total, count = 0.0, 0
    for position, (images, targets) in enumerate(batches):
        optimizer.zero_grad()
        loss = loss_function(network(images), targets)
        if not torch.isfinite(loss):
            rate = optimizer.param_groups[0]["lr"]
            raise FloatingPointError(
                f"batch {position}: the loss is {loss.item()} at learning rate {rate}; "
                "the training has diverged, try a smaller learning rate"
            )
        loss.backward()
        optimizer.step()
        total += loss.item() * len(images)
        count += len(images)
    return total / count


def predict(
    network: nn.Module, store: CropStore, rows: np.ndarray, device: torch.device
) -> np.ndarray:
    """Unrounded outputs for the central crops of `rows`: float32 array (N, Q)."""
    network.eval()
    outputs = []
    with torch.inference_mode():
        for start in range(0, len(rows), EVALUATION_BATCH):
            batch = rows[start : start + EVALUATION_BATCH]
            images = normalise(central_crops(store, batch, store.crop_size))
            outputs.append(network(images.to(device)).float().cpu().numpy())
    return np.concatenate(outputs)


def feature_batches(
    network: VGG, store: CropStore, rows: np.ndarray
) -> Iterator[np.ndarray]:
    """The 4,096 features of the central crops of `rows`, in float32 arrays (B, 4096).

    For the PCA of Section III; see `aulib.model.features`. On the GPU where there is
    one, to which the network is moved.
    """
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    network.to(device).eval()
    for start in tqdm(range(0, len(rows), EVALUATION_BATCH), "features", leave=False):
        batch = rows[start : start + EVALUATION_BATCH]
        with torch.inference_mode():
            images = normalise(central_crops(store, batch, store.crop_size))
            yield features(network, images.to(device)).cpu().numpy()


def train(
    store: CropStore,
    directory: Path,
    *,
    model: str,
    seed: int,
    epochs: int,
    batch_size: int,
    learning_rate: float,
    learning_rate_step: int,
    momentum: float,
    weight_decay: float,
    scale: float,
    sampler: str,
    weights: str | Path | None,
    width: float,
) -> pd.DataFrame:
    """Train and evaluate one network; go on where an earlier call was stopped.

    Uses the GPU when there is one. A finished run with the same parameters on the
    same crops is read, not trained again; one with others is replaced.

    Args:
        store: crops of the training and the evaluation frames.
        directory: of the run, as in this module's docstring.
        model, weights, width: as in `aulib.model.build_model`.
        seed: of the network's start, the draws, the crops and the dropout.
        epochs: how many times as many frames as there are in training are drawn.
        batch_size: frames a gradient step; the last batch of an epoch may be smaller.
        learning_rate: of the first epoch; divided by 10 after every
            `learning_rate_step` epochs.
        momentum, weight_decay: of the gradient descent, on all weights and biases.
        scale: of Eq. 3 and 4; 2 is the paper's, 1 its baseline's.
        sampler: as in `draw_epoch`.

    Returns:
        metrics.csv: columns epoch, learning_rate, train_loss, evaluation_loss,
        AU06 … AU17 (ICC(3,1) after Eq. 3) and mean, one row an epoch.

    Raises:
        FloatingPointError: the loss is not finite.
        ValueError: there are no frames to train on or none to evaluate.
    """
    parameters = {
        "model": model,
        "seed": seed,
        "epochs": epochs,
        "batch_size": batch_size,
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
        "threads": torch.get_num_threads(),
    }
    directory = Path(directory)
    if finished(directory, parameters):
        return pd.read_csv(directory / "metrics.csv")
    directory.mkdir(parents=True, exist_ok=True)
    (directory / "outputs.parquet").unlink(missing_ok=True)

    intensities = store.index[list(AU_NAMES)].to_numpy().astype(np.int64)
    training_rows = np.flatnonzero(store.index["split"] == "train")
    evaluation_rows = np.flatnonzero(store.index["split"] == "evaluation")
    if not len(training_rows) or not len(evaluation_rows):
        raise ValueError(
            f"{len(training_rows)} training and {len(evaluation_rows)} evaluation "
            "frames: both are needed, look at the waterfall of notebook 01"
        )
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    torch.manual_seed(seed)
    network = build_model(model, weights=weights, width=width)
    network = network.to(device, memory_format=torch.channels_last)
    optimizer = torch.optim.SGD(
        network.parameters(),
        lr=learning_rate,
        momentum=momentum,
        weight_decay=weight_decay,
        fused=True,
    )

    metrics: list[dict] = []
    checkpoint = _newest_checkpoint(directory, parameters)
    if checkpoint:
        network.load_state_dict(checkpoint["network"])
        optimizer.load_state_dict(checkpoint["optimizer"])
        metrics = checkpoint["metrics"]

    steps = -(-len(training_rows) // batch_size)
    bar = tqdm(
        total=epochs * steps, desc=f"{model} {seed}", initial=len(metrics) * steps
    )
    for epoch in range(len(metrics) + 1, epochs + 1):
        rate = learning_rate_at(epoch, learning_rate, learning_rate_step)
        for group in optimizer.param_groups:
            group["lr"] = rate
        torch.manual_seed(int(np.random.default_rng([seed, epoch, 2]).integers(2**62)))
        drawn = draw_epoch(intensities[training_rows], sampler, seed, epoch)
        offsets = np.random.default_rng([seed, epoch, 1]).random((len(drawn), 2))
        batches = _batches(
            store, training_rows[drawn], offsets, intensities, batch_size, device, bar
        )
        train_loss = train_epoch(
            network,
            optimizer,
            batches,
            lambda outputs, targets: scaled_smooth_l1(outputs, targets, scale),
        )
        outputs = predict(network, store, evaluation_rows, device)
        truth = intensities[evaluation_rows]
        scores = icc_per_au(truth, to_intensity(torch.from_numpy(outputs), scale))
        metrics.append(
            {
                "epoch": epoch,
                "learning_rate": rate,
                "train_loss": train_loss,
                "evaluation_loss": _known_loss(outputs, truth, scale),
                **dict(zip(AU_NAMES, scores.tolist(), strict=True)),
                "mean": float(scores.mean()),
            }
        )
        if not bar.disable:
            bar.write(
                f"{model} {seed}, epoch {epoch} of {epochs}: "
                f"loss {train_loss:.3f}, mean ICC {scores.mean():.3f}",
                file=sys.stderr,
            )
        _write_epoch(directory, store.index.iloc[evaluation_rows], epoch, outputs)
        if metrics[-1]["mean"] > max((m["mean"] for m in metrics[:-1]), default=-2):
            _save(network.state_dict(), directory / "best.pt")
        _save_checkpoint(directory, network, optimizer, metrics, parameters)

    bar.close()
    return _finish(directory, metrics, parameters)


def finished(directory: Path, parameters: dict) -> bool:
    """Whether the run in `directory` is complete and has these parameters."""
    try:
        record = json.loads((directory / "provenance.json").read_text())
    except FileNotFoundError:
        return False
    return (
        record["parameters"] == parameters and (directory / "outputs.parquet").is_file()
    )


def _batches(store, rows, offsets, intensities, batch_size, device, bar):
    for start in range(0, len(rows), batch_size):
        chosen = slice(start, start + batch_size)
        crops = random_crops(store, rows[chosen], store.crop_size, offsets[chosen])
        targets = torch.from_numpy(intensities[rows[chosen]])
        yield normalise(crops).to(device), targets.to(device)
        bar.update()


def _known_loss(outputs: np.ndarray, truth: np.ndarray, scale: float) -> float:
    """Eq. 4 over the intensities that the coders could tell."""
    known = torch.from_numpy(truth != UNKNOWN)
    targets = scale * torch.from_numpy(truth).float()
    return smooth_l1_loss(torch.from_numpy(outputs)[known], targets[known]).item()


def _save(contents: dict, path: Path) -> None:
    """Write a file of tensors whole or not at all."""
    partial = path.with_suffix(".partial")
    torch.save(contents, partial)
    os.replace(partial, path)


def _save_checkpoint(directory, network, optimizer, metrics, parameters) -> None:
    """Write the state after an epoch, then drop all but the last two."""
    contents = {
        "network": network.state_dict(),
        "optimizer": optimizer.state_dict(),
        "metrics": metrics,
        "parameters": parameters,
    }
    _save(contents, directory / f"checkpoint_{len(metrics):04d}.pt")
    for old in sorted(directory.glob("checkpoint_*.pt"))[:-2]:
        old.unlink()


def _newest_checkpoint(directory: Path, parameters: dict) -> dict | None:
    """The newest checkpoint, or None; one of other parameters is not gone on from."""
    paths = sorted(directory.glob("checkpoint_*.pt"))
    if not paths:
        return None
    checkpoint = torch.load(paths[-1], map_location="cpu", weights_only=True)
    if checkpoint["parameters"] == parameters:
        return checkpoint
    tqdm.write(f"{directory}: begun anew, its parameters or data have changed")
    for path in paths:
        path.unlink()
    return None


def _write_epoch(directory, frames, epoch: int, outputs: np.ndarray) -> None:
    table = frames[["subject", "task", "frame", *AU_NAMES]].reset_index(drop=True)
    table.insert(0, "epoch", np.int16(epoch))
    table[list(OUTPUT_NAMES)] = outputs
    (directory / "epochs").mkdir(exist_ok=True)
    table.to_parquet(directory / "epochs" / f"{epoch:04d}.parquet")


def _finish(directory: Path, metrics: list[dict], parameters: dict) -> pd.DataFrame:
    """Join the epochs' outputs to one file and drop what only resuming needs."""
    from aulib.notebook import write_provenance

    parts = [directory / "epochs" / f"{row['epoch']:04d}.parquet" for row in metrics]
    outputs = pd.concat(map(pd.read_parquet, parts), ignore_index=True)
    for name in ("subject", "task"):
        outputs[name] = outputs[name].astype("category")
    table = pd.DataFrame(metrics)
    table.to_csv(directory / "metrics.csv", index=False)
    write_provenance(directory / "provenance.json", {"parameters": parameters})
    partial = directory / "outputs.partial"
    outputs.to_parquet(partial, compression="zstd")
    os.replace(partial, directory / "outputs.parquet")
    shutil.rmtree(directory / "epochs")
    for path in directory.glob("checkpoint_*.pt"):
        path.unlink()
    return table
