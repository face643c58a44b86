"""Notebook 03's run: its settings, its curves, and what to compare it with."""

import json
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from torch import nn

from aulib.model import DROPOUT
from companion.base.figures import TEXT_WIDTH
from companion.base.paths import ROOT
from companion.bp4d import AU_NAMES
from companion.crops.store import CropStore
from companion.training.device import open_accelerator, prepare, seed_dropout
from companion.training.loop import Settings, train_epoch, training_batches
from companion.training.run import build, new_state

RECORD_TOLERANCE = 0.08
"""Between two runs' best mean ICC. It is wide: it catches a broken run, nothing finer.
Other processors and numbers of threads add in another order, and the runs drift apart.
"""

WEIGHT_TOLERANCE = 1e-4
"""Between weights after a few dozen steps from the same start, on a processor."""


CHANGES = {
    "weights": "start",
    "learning_rate": "its learning rate",
    "scale": "factor in Eq. 3 and 4",
    "dropout": "dropout",
    "sampler": "sampler",
}
SHARED = {
    "epochs": "epochs",
    "learning_rate_step": "rate divided by 10 every … epochs",
    "batch_size": "frames of a batch",
    "momentum": "momentum",
    "weight_decay": "weight decay",
}


def compare_models(profile: dict) -> pd.DataFrame:
    """What a profile's models differ in and what they share, in rows; as text.

    The dropout of a method that is not the paper's is VGG16's. A start from a file is
    shown by the file's name.

    Args:
        profile: from `companion.base.profiles.load_profile`.
    """
    columns = {}
    for name, model in profile["models"].items():
        start = {"weights": Path(model["weights"] or "random").stem}
        start["dropout"] = DROPOUT.get(model["method"], DROPOUT["baseline"])
        values = profile | model | start
        names = CHANGES | SHARED
        columns[name] = {names[key]: str(values[key]) for key in names}
    return pd.DataFrame(columns)


def compare_weights(ours: nn.Module, theirs: nn.Module, exact: bool) -> str:
    """How far the weights of two networks of one shape are apart, in words.

    Args:
        ours, theirs: the networks.
        exact: whether they were trained in the same precision.

    Raises:
        ValueError: they were, and the weights differ by more than `WEIGHT_TOLERANCE`.
    """
    pairs = zip(ours.parameters(), theirs.parameters(), strict=True)
    apart = max((a.cpu() - b.cpu()).abs().max().item() for a, b in pairs)
    if not exact:
        return (
            f"differ by up to {apart:.0e}. That is no test: on a GPU the engine "
            "computes in bfloat16, and the loop in float32"
        )
    if apart == 0:
        return "are equal, to the last bit"
    if not apart <= WEIGHT_TOLERANCE:
        raise ValueError(f"the weights differ by {apart:.0e} > {WEIGHT_TOLERANCE:.0e}")
    return f"are equal within {apart:.0e} (at most {WEIGHT_TOLERANCE:.0e} is allowed)"


def compare_with_engine(
    by_hand: nn.Module, settings: Settings, store: CropStore, rows: np.ndarray
) -> str:
    """How far the engine gets from another loop in the same steps, in words.

    The engine gets the same start, frames, squares and dropout as in epoch 1 of a run
    with these settings. Its network is not kept.

    Args:
        by_hand: the network that the other loop has trained on the same frames.
        settings: the run's settings.
        store: the crops.
        rows: int array (N,), the frames, in the order of the steps.

    Raises:
        ValueError: on a processor, the weights differ; see `compare_weights`.
    """
    accelerator = open_accelerator()
    objective, optimizer = build(accelerator, settings, new_state({}), store)
    network = prepare(accelerator, objective.network, store.crop_size)
    seed_dropout(accelerator, settings.seed, epoch=1)
    batches = training_batches(accelerator, store, rows, settings, epoch=1)
    train_epoch(accelerator, network, optimizer, batches, objective.loss)
    exact = accelerator.device.type == "cpu"
    return compare_weights(by_hand, objective.network, exact)


def learning_curves(metrics: pd.DataFrame, title: str) -> Figure:
    """Losses and ICC(3,1) by epoch; not shown by itself.

    One panel has the losses. Each AU has a panel of its own, where a grey line is the
    mean of all.

    Args:
        metrics: as from `companion.training.run.train`; no rows before the first epoch.
        title: of the figure.
    """
    columns = ["epoch", "train_loss", "evaluation_loss", *AU_NAMES, "mean"]
    metrics = metrics.reindex(columns=columns)
    epochs = metrics["epoch"]
    figure, axes = plt.subplots(2, 3, figsize=(TEXT_WIDTH, 3.2), sharex=True)
    losses, *panels = axes.flat
    losses.plot(epochs, metrics["train_loss"], "o-", ms=3, label="training, as drawn")
    losses.plot(epochs, metrics["evaluation_loss"], "s--", ms=3, label="evaluation")
    losses.set(ylabel="loss", ylim=(0, None), title="loss")
    for ax, name in zip(panels, AU_NAMES, strict=True):
        ax.sharey(panels[0])
        ax.plot(epochs, metrics["mean"], color="0.6", lw=2, label="mean of the five")
        ax.plot(epochs, metrics[name], "o-", color="C2", ms=3, label="ICC of the AU")
        ax.set(ylabel="ICC(3,1)", title=name)
    for ax in axes[1]:
        ax.set_xlabel("epoch")
    drawn = [ax.get_legend_handles_labels() for ax in (losses, panels[0])]
    handles, labels = (sum(parts, []) for parts in zip(*drawn))
    figure.legend(handles, labels, loc="outside lower center", ncols=4)
    figure.suptitle(title, fontsize=8)
    plt.close(figure)
    return figure


def best_constant_loss(levels: np.ndarray, scale: float) -> float:
    """The least mean loss of Eq. 4 that five constants, one for each AU, can have.

    The constants are tried in steps of a hundredth of a level.

    Args:
        levels: int array (N, Q), 0..5.
        scale: of Eq. 4.
    """
    shares = np.stack([np.bincount(column, minlength=6) for column in levels.T], 1)
    constants = np.linspace(0, 5 * scale, 501)
    errors = np.abs(constants[:, None] - scale * np.arange(6))
    losses = np.where(errors < 1, errors**2 / 2, errors - 0.5) @ (shares / len(levels))
    return float(losses.min(axis=0).mean())


def judge_learning(last_loss: float, constant_loss: float) -> str:
    """Whether a run has learned more than the best constant, in words.

    Args:
        last_loss: the training loss of the last epoch.
        constant_loss: from `best_constant_loss`.
    """
    if last_loss < constant_loss:
        return "the training loss ends below it"
    return (
        f"stalled: it ends at {last_loss:.3f}, no better than a constant; reported, "
        "not repaired"
    )


def compare_with_record(profile: str, directory: Path) -> str:
    """Whether a finished run is, within `RECORD_TOLERANCE`, the recorded one.

    Args:
        profile: its name; the recorded run is in `data/recorded/<profile>/training`.
        directory: the run's.

    Returns:
        A line in words. Runs with other parameters or data are not compared.
    """
    record = ROOT / "data" / "recorded" / profile / "training" / directory.name
    if not (record / "provenance.json").exists():
        return "no run of this profile, model and seed is recorded"
    if _parameters(record) != _parameters(directory):
        return "the recorded run has other parameters or data: not compared"
    mine, recorded = (
        pd.read_csv(run / "metrics.csv")["mean"].max() for run in (directory, record)
    )
    apart = abs(mine - recorded)
    verdict = "within" if apart <= RECORD_TOLERANCE else "more than"
    return (
        f"the best mean ICC differs from the recorded run's by {apart:.3f}: {verdict} "
        f"the {RECORD_TOLERANCE} that we allow"
    )


def _parameters(directory: Path) -> dict:
    return json.loads((directory / "provenance.json").read_text())["parameters"]
