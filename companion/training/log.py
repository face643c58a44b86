"""The log of a training run: a progress bar, log.txt, and curves for TensorBoard."""

import os
import shutil
import sys
import time
from pathlib import Path

from torch.utils.tensorboard import SummaryWriter
from tqdm import tqdm

from companion.training.loop import Epoch
from companion.training.outputs import mean_in_words


class RunLog:
    """The progress bar, `log.txt` and `events/` of one run.

    Args:
        directory: the run's directory; its name stands before the bar.
    """

    def __init__(self, directory: Path) -> None:
        self.directory, self.title = directory, directory.name

    def write(self, text: str) -> None:
        """Write a line to the terminal, and to the log with the time."""
        if not os.environ.get("TQDM_DISABLE"):
            tqdm.write(text, file=sys.stderr)
        self.directory.mkdir(parents=True, exist_ok=True)
        with open(self.directory / "log.txt", "a") as log:
            log.write(f"{time.strftime('%Y-%m-%d %H:%M:%S')}  {text}\n")

    def open(self, epochs: int, frames: int, metrics: list[dict]) -> None:
        """Open the progress bar and the curves.

        Args:
            epochs: of the whole run.
            frames: of an epoch.
            metrics: one row for each finished epoch.
        """
        self.epochs = epochs
        self.bar = tqdm(
            total=epochs * frames,
            initial=len(metrics) * frames,
            desc=self.title,
            unit="img",
        )
        # A killed run may have left events of an unfinished epoch, so the curves are
        # written anew, up to the last finished one.
        shutil.rmtree(self.directory / "events", ignore_errors=True)
        self.events = SummaryWriter(str(self.directory / "events"))
        for row in metrics:
            self._draw(row)
        first = len(metrics) + 1
        plan = f"from epoch {first} to {epochs}" if first <= epochs else "no epoch left"
        self.write(f"{self.title}: {plan}")

    def epoch(self, row: dict, epoch: Epoch) -> None:
        """Log a finished epoch: its metrics, and images a second in its two halves."""
        self._draw(row)
        training = epoch.frames / epoch.training_seconds
        evaluation = len(epoch.outputs) / epoch.evaluation_seconds
        self.write(
            f"{self.title}, epoch {row['epoch']} of {self.epochs}: "
            f"loss {row['train_loss']:.3f}, {mean_in_words(row)}; "
            f"{training:.0f} images/s in training, {evaluation:.0f} in evaluation"
        )

    def close(self) -> None:
        self.bar.close()
        self.events.close()

    def _draw(self, row: dict) -> None:
        for name, value in row.items():
            if name == "epoch":
                continue
            group = "loss" if name.endswith("loss") else "ICC"
            group = "rate" if name == "learning_rate" else group
            self.events.add_scalar(f"{group}/{name}", value, row["epoch"])
        self.events.flush()
