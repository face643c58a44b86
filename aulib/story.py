"""How a training run tells what it does: a bar, a log, and curves for TensorBoard."""

import os
import shutil
import sys
import time
from pathlib import Path

from torch.utils.tensorboard import SummaryWriter
from tqdm import tqdm


class Story:
    """The bar on the terminal, `log.txt` and `events/` of one run.

    Args:
        run: the directory of the run.
        title: what stands before the bar.
    """

    def __init__(self, run: Path, title: str) -> None:
        self.run, self.title = run, title
        self.bar = None
        self.events = None

    def say(self, text: str) -> None:
        """A line on the terminal, and in the log with its time."""
        if not os.environ.get("TQDM_DISABLE"):
            tqdm.write(text, file=sys.stderr)
        self.run.mkdir(parents=True, exist_ok=True)
        with open(self.run / "log.txt", "a") as log:
            log.write(f"{time.strftime('%Y-%m-%d %H:%M:%S')}  {text}\n")

    def open(self, epochs: int, frames: int, metrics: list[dict]) -> None:
        """Begin the bar and the curves with the epochs that have been finished.

        Args:
            epochs: of the whole run.
            frames: of an epoch.
            metrics: one row a finished epoch.
        """
        self.epochs = epochs
        self.bar = tqdm(
            total=epochs * frames,
            initial=len(metrics) * frames,
            desc=self.title,
            unit="img",
        )
        # Events are written as they come, so a kill may leave some of an epoch that
        # was not finished: those of the finished ones are written anew.
        shutil.rmtree(self.run / "events", ignore_errors=True)
        self.events = SummaryWriter(str(self.run / "events"))
        for row in metrics:
            self._draw(row)
        self.say(f"{self.title}: from epoch {len(metrics) + 1} to {epochs}")

    def epoch(self, row: dict, training: float, evaluation: float) -> None:
        """Tell of a finished epoch: its metrics, and images a second in its halves."""
        self._draw(row)
        self.say(
            f"{self.title}, epoch {row['epoch']} of {self.epochs}: "
            f"loss {row['train_loss']:.3f}, mean ICC {row['mean']:.3f}; "
            f"{training:.0f} images/s in training, {evaluation:.0f} in evaluation"
        )

    def close(self) -> None:
        self.bar.close()
        self.events.close()

    def _draw(self, row: dict) -> None:
        for name, value in row.items():
            if name != "epoch":
                group = {"learning_rate": "rate", "mean": "ICC"}.get(name, "ICC")
                group = "loss" if name.endswith("loss") else group
                self.events.add_scalar(f"{group}/{name}", value, row["epoch"])
        self.events.flush()
