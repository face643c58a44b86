"""About how long a training takes without a GPU, and a stop before one of days.

The estimate counts the multiplications of VGG16's layers, for each frame once in
evaluation and three times in training (forward, and backward for weights and inputs).
"""

import os

import torch
from accelerate import Accelerator

from companion.crops.store import CropStore
from companion.training.loop import Settings

RATE = 2e10
"""Multiplications a second and thread. Measured: 2.5e10 for the stand-in's network (the
rates in data/benchmarks/cpu.csv), 1.6e10 for VGG16 at 224 pixels."""

PATIENCE = 24.0
"""Hours of one run that are trained on a processor without asking."""

ALLOW = "AULIB_ALLOW_CPU"
"""The environment variable that allows longer runs on a processor, if it is 1."""


def hours_on_processor(
    epochs: int, training: int, evaluation: int, size: int, width: float, threads: int
) -> float:
    """The hours of one run on a processor; right within a factor of about 3.

    Args:
        epochs: still to train.
        training, evaluation: frames of an epoch.
        size: pixels of a side of an image.
        width: of the network, see `aulib.model.build_model`.
        threads: of all its processes.
    """
    convolutions = 15.3e9 * width**2 * (size / 224) ** 2
    connected = 4096 * width * (512 * 7 * 7 * width + 4096)
    frames = epochs * (3 * training + evaluation)
    return frames * (convolutions + connected) / (RATE * threads) / 3600


def allowed() -> bool:
    """Whether the user allows long runs on a processor."""
    return os.environ.get(ALLOW) == "1"


def in_words(hours: float) -> str:
    """A duration that is a rough estimate: "about 30 hours", "about 40 days"."""
    days = hours / 24
    return f"about {days:.0f} days" if days >= 2 else f"about {hours:.0f} hours"


def check_duration(
    accelerator: Accelerator,
    settings: Settings,
    store: CropStore,
    epochs: int,
    training: int,
) -> None:
    """Refuse a run that takes days on a processor, unless the user allows it.

    Args:
        accelerator: this process's.
        settings: the run's.
        store: the crops.
        epochs: still to train.
        training: the frames that an epoch draws.

    Raises:
        ValueError: there is no GPU, the run would take longer than `PATIENCE`, and the
            environment variable `ALLOW` is not 1.
    """
    if accelerator.device.type == "cuda" or allowed():
        return
    evaluation, size = len(store.rows("evaluation")), store.crop_size
    threads = torch.get_num_threads() * accelerator.num_processes
    hours = hours_on_processor(
        epochs, training, evaluation, size, settings.width, threads
    )
    if hours > PATIENCE:
        raise ValueError(
            f"PyTorch finds no GPU, and {epochs} epochs would take {in_words(hours)} "
            f"on {threads} processor threads (estimated from the network's "
            f"multiplications at {RATE:.0e} a second and thread); use a machine with "
            f"a GPU, or set {ALLOW}=1 to train here all the same"
        )
