"""One training run: start or resume it, and write its directory epoch by epoch.

    parameters.json         what defines the run
    log.txt                 when it began, resumed and finished each epoch, how fast
    events/                 the learning curves, for TensorBoard
    checkpoint_0007.pt      what an unfinished run resumes from
                            (see `companion.training.checkpoint`)
    outputs.parquet         labels and raw outputs of all evaluation frames and epochs
    metrics.csv             one row an epoch: losses and ICC(3,1)
    best.pt                 the network of the epoch with the best mean ICC
    provenance.json         parameters, checksums, what each part of the run ran on;
                            commit, machine, time

A killed run resumes after its last finished epoch and ends with the same numbers.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from accelerate import Accelerator
from accelerate.utils import broadcast_object_list, gather_object

from aulib import UNKNOWN
from aulib.inference import to_intensity
from companion.base.files import InUse, lock, sha256
from companion.base.provenance import machine_facts, versions
from companion.crops.batches import central_batches
from companion.crops.store import CropStore
from companion.methods import build_objective, map_note
from companion.methods.hog import fit_all
from companion.methods.objective import Estimate, Objective
from companion.methods.start import pair_units, standardise
from companion.training.checkpoint import (
    begin,
    difference,
    epochs_done,
    finish,
    sources_digest,
    write_checkpoint,
)
from companion.training.device import execution_facts, open_accelerator, prepare
from companion.training.duration import check_duration
from companion.training.log import RunLog
from companion.training.loop import Epoch, Settings, draw, run_epochs
from companion.training.outputs import (
    is_best,
    mean_in_words,
    output_table,
    score,
)

START_IMAGES = 128  # training images by which a network without weights starts


def train(
    store: CropStore,
    directory: str | Path,
    settings: Settings,
    after_epoch: Callable[[pd.DataFrame], None] | None = None,
) -> pd.DataFrame:
    """Train and evaluate one network, or resume where an earlier call was stopped.

    Uses the GPU if there is one, and all processes that call it together. A finished
    run with the same settings on the same crops is read and not trained again; a run
    with other settings is put aside, and comes back when they are asked for again.

    Args:
        store: crops of the training and the evaluation frames.
        directory: the run's directory.
        settings: the run's settings.
        after_epoch: called in the first process after every epoch, with the metrics so
            far.

    Returns:
        metrics.csv: columns epoch, learning_rate, train_loss, evaluation_loss,
        AU06 … AU17 (ICC(3,1) after Eq. 3) and mean, one row for each epoch.

    Raises:
        FloatingPointError: the loss is not finite.
        InUse: another process trains this run.
        ValueError: there are no frames to train on or to evaluate; the checkpoints of
            an earlier call can't be used; or there is no GPU and it would take days.
        OSError: an epoch can't be written.
        torch.OutOfMemoryError: a step or the evaluation does not fit into memory.
    """
    accelerator, directory = open_accelerator(), Path(directory)
    if settings.method == "structured" and accelerator.num_processes > 1:
        raise ValueError(
            "method 'structured' updates a part of its weights in each step, which "
            "several processes can't share: train it in one"
        )
    parameters = run_parameters(settings, store)
    for other in gather_object([parameters]):
        if other != parameters:
            raise ValueError(f"the processes differ: {difference(other, parameters)}")
    frames_per_epoch = len(draw(store, settings, 1))
    store.rows("evaluation")  # raises, like `draw`, before anything is written
    # only the first process reads and writes the directory
    is_main, log = accelerator.is_main_process, RunLog(directory)
    with claim(accelerator, directory):
        done = epochs_done(directory, parameters) if is_main else 0
        left = settings.epochs - broadcast_object_list([done])[0]
        check_duration(accelerator, settings, store, left, frames_per_epoch)
        found = begin(directory, parameters, log.write) if is_main else (None, None)
        finished, state = broadcast_object_list([*found])
        if finished is not None:
            return finished
        state = state or new_state(parameters)
        objective, optimizer = build(accelerator, settings, state, store)
        network = prepare(accelerator, objective.network, store.crop_size)
        arguments = (accelerator, network, objective, optimizer, store, settings)
        first, metrics = len(state["metrics"]) + 1, None
        if not is_main:
            for _ in run_epochs(*arguments, first):
                pass
        else:
            here, machine = execution_facts(accelerator), machine_facts()
            here["accumulation"] = settings.accumulation
            note_execution(state, here, log)
            if note := map_note(settings.width, store.crop_size):
                log.write(f"{log.title}: {note}")
            log.open(settings.epochs, frames_per_epoch, state["metrics"])
            with closing(log):
                for epoch in run_epochs(*arguments, first, log.bar.update):
                    record(state, epoch, store, objective, optimizer)
                    write_checkpoint(directory, state)
                    log.epoch(state["metrics"][-1], epoch)
                    if after_epoch:
                        after_epoch(pd.DataFrame(state["metrics"]))
            metrics = finish(directory, state, output_table(store, state), machine)
        return broadcast_object_list([metrics])[0]


@contextmanager
def claim(accelerator: Accelerator, directory: Path) -> Iterator[None]:
    """Lock the run's directory for all processes that train it together.

    Raises:
        InUse: another run holds the lock; in every process.
    """
    with ExitStack() as held:
        refused = None
        if accelerator.is_main_process:
            try:
                held.enter_context(lock(directory))
            except InUse as error:
                refused = error
        (refused,) = broadcast_object_list([refused])
        if refused is not None:
            raise refused
        yield


def run_parameters(settings: Settings, store: CropStore) -> dict:
    """What defines a run, as plain values of JSON.

    Weights are listed by name and checksum. Accumulation is left out, because like the
    device it changes only the last digits.
    """
    parameters = asdict(settings)
    del parameters["accumulation"]
    if settings.weights not in (None, "imagenet"):
        path = Path(settings.weights)
        parameters["weights"] = f"{path.name} {sha256(path)[:16]}"
    return parameters | {"crop_size": store.crop_size, "data": store.fingerprint}


def new_state(parameters: dict) -> dict:
    """The state of a run before its first epoch; `record` fills it."""
    lists = ("metrics", "values", "levels", "seconds", "ran_on")
    return {"parameters": parameters, **{name: [] for name in lists}}


def build(
    accelerator: Accelerator, settings: Settings, state: dict, store: CropStore
) -> tuple[Objective, torch.optim.SGD]:
    """The network on its device, and its optimizer: new, or from a checkpoint.

    A new network starts from what the store's training levels are. From a checkpoint,
    both are taken out of its state, since they are large.
    """
    torch.manual_seed(settings.seed)
    resumed = "network" in state
    with accelerator.local_main_process_first():  # one process downloads the weights
        objective = build_objective(
            settings.method,
            None if resumed else settings.weights,
            settings.width,
            settings.scale,
        )
    network = objective.network
    network.to(accelerator.device, memory_format=torch.channels_last)
    if not resumed:
        rows = store.rows("train")
        objective.start(torch.from_numpy(store.levels[rows]))
        if settings.weights is None:
            some = rows[np.linspace(0, len(rows) - 1, START_IMAGES).astype(np.int64)]
            batches = central_batches(store, some, START_IMAGES, accelerator.device)
            pair_units(network)
            standardise(network, next(batches))
    optimizer = torch.optim.SGD(
        network.parameters(),
        lr=settings.learning_rate,
        momentum=settings.momentum,
        weight_decay=settings.weight_decay,
        fused=True,
    )
    for weight in network.parameters():  # some have no gradient in the first step
        optimizer.state[weight]["momentum_buffer"] = torch.zeros_like(weight)
    if resumed:
        network.load_state_dict(state.pop("network"))
        optimizer.load_state_dict(state.pop("optimizer"))
    return objective, optimizer


def note_execution(state: dict, here: dict, log: RunLog) -> None:
    """Record in the state where and by what the run goes on; log what has changed.

    Args:
        state: its list `ran_on` has a dictionary for each part of the run.
        here: as from `execution_facts`; the versions and the sources are added.
        log: the run's.
    """
    here = here | versions() | {"sources": sources_digest()}
    if not state["ran_on"]:
        state["ran_on"] = [here]
    elif state["ran_on"][-1] != here:
        change = difference(here, state["ran_on"][-1])
        log.write(f"WARNING, {log.title}: resumes with {change}; numbers may differ")
        state["ran_on"] = [*state["ran_on"], here]


def record(
    state: dict,
    epoch: Epoch,
    store: CropStore,
    objective: Objective,
    optimizer: torch.optim.Optimizer,
) -> None:
    """Score an epoch and add it to the state."""
    network = objective.network
    truth = torch.from_numpy(store.levels[store.rows("evaluation")])
    estimate = objective.estimate(epoch.outputs)
    row = {
        "epoch": epoch.number,
        "learning_rate": epoch.learning_rate,
        "train_loss": epoch.train_loss,
        "evaluation_loss": objective.evaluation_loss(epoch.outputs, truth).item(),
        **score(estimate, truth.numpy()),
    }
    earlier = [other["mean"] for other in state["metrics"]]
    if is_best(row["mean"], earlier):
        weights = network.state_dict().items()
        state["best"] = {name: values.cpu().clone() for name, values in weights}
    state["metrics"].append(row)
    state["values"].append(estimate.values)
    if not estimate.rounded:
        state["levels"].append(estimate.levels)
    state["seconds"].append(round(epoch.training_seconds + epoch.evaluation_seconds, 2))
    state["network"] = network.state_dict()
    state["optimizer"] = optimizer.state_dict()


def train_hog(store: CropStore, directory: str | Path, seed: int) -> pd.DataFrame:
    """Fit HOG's regressors as a run of one epoch; returns and raises as `train` does.

    Args:
        store: crops of the training and the evaluation frames.
        directory: the run's; its best.pt holds the regressors' weights and biases.
        seed: of the cross-validation.
    """
    directory = Path(directory)
    parameters = {"method": "hog", "seed": seed}
    parameters |= {"crop_size": store.crop_size, "data": store.fingerprint}
    training, evaluation = store.rows("train"), store.rows("evaluation")
    log = RunLog(directory)
    with lock(directory):
        finished, _ = begin(directory, parameters, log.write)
        if finished is not None:
            return finished
        state, machine = new_state(parameters), machine_facts()
        note_execution(state, {"device": "cpu"}, log)
        began = time.perf_counter()
        values, regressors = fit_all(
            store, seed, lambda line: log.write(f"{log.title}, {line}")
        )
        errors, truth = np.abs(values - store.levels), store.levels[evaluation]
        answers = torch.from_numpy(values[evaluation])
        estimate = Estimate(answers, to_intensity(answers, 1.0), rounded=True)
        row = {
            "epoch": 1,
            "learning_rate": 0.0,
            "train_loss": errors[training].mean(),
            "evaluation_loss": errors[evaluation][truth != UNKNOWN].mean(),
            **score(estimate, truth),
        }
        seconds = round(time.perf_counter() - began, 2)
        log.write(f"{log.title}: {mean_in_words(row)} after {seconds:.0f} s")
        state |= {"metrics": [row], "values": [answers], "seconds": [seconds]}
        state["best"] = regressors
        return finish(directory, state, output_table(store, state), machine)
