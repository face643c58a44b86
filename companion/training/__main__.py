"""Train one run from a shell; notebook 03 then reads what the run has left.

python -m companion.training PROFILE MODEL SEED [--processes 4] [--grid GRID]
"""

import argparse
import os
import sys
from contextlib import nullcontext, suppress
from pathlib import Path

import torch

from companion.base.files import InUse, lock
from companion.base.grids import find_settings
from companion.base.paths import run_directory, training_directory
from companion.base.profiles import load_profile, training_settings
from companion.crops.store import CropStore
from companion.training.device import launch
from companion.training.log import RunLog
from companion.training.loop import Settings
from companion.training.run import train, train_hog


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m companion.training",
        description="Train one run, or resume it where it was stopped.",
    )
    parser.add_argument("profile", help="a name in notebooks/profiles")
    parser.add_argument("model", help="one of the profile's, or of the grid's")
    parser.add_argument("seed", type=int)
    parser.add_argument("--grid", help="a name in notebooks/grids")
    parser.add_argument(
        "--processes", type=int, default=1, help="that train together, a GPU each"
    )
    arguments = parser.parse_args()
    profile_name, name, seed = arguments.profile, arguments.model, arguments.seed
    if not 0 <= seed < 2**63:
        sys.exit(f"seed {seed}: a whole number of 0 or more, below 2^63")
    if arguments.processes < 1:
        sys.exit(f"--processes {arguments.processes}: a whole number of 1 or more")
    try:
        profile = load_profile(profile_name)
        model = find_settings(profile, name, arguments.grid)
        if arguments.processes > 1:
            if model["method"] == "hog":
                raise ValueError("method 'hog' trains in one process")
            launch(profile_name, name, seed, arguments.processes, arguments.grid)
            return
    except (RuntimeError, ValueError) as error:
        sys.exit(str(error))
    torch.set_num_threads(profile["threads"])
    directory = training_directory(profile_name, name, seed)
    try:
        store = CropStore(run_directory(profile_name) / "crops")
        if model["method"] == "hog":
            train_hog(store, directory, seed)
        else:
            settings = Settings(seed=seed, **training_settings(profile, model))
            train(store, directory, settings)
    except (ArithmeticError, MemoryError, OSError, RuntimeError, ValueError) as error:
        if not isinstance(error, InUse):
            log_failure(directory, error)
        sys.exit(f"{directory.name}: {error}")


def log_failure(directory: Path, error: Exception) -> None:
    """Write an error to a run's log, unless another process trains the run."""
    # the first of several processes holds the lock for all of them
    first = os.environ.get("RANK", "0") == "0"
    with suppress(OSError, InUse), lock(directory) if first else nullcontext():
        RunLog(directory).write(f"failed: {error}")


if __name__ == "__main__":
    main()
