"""Where things are. Nothing depends on the working directory."""

from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
"""The checkout: notebooks, data, figures and runs are found from here."""


def run_directory(profile: str) -> Path:
    """Where everything that a profile's runs make goes: `runs/<profile>`."""
    return ROOT / "runs" / profile


def training_directory(profile: str, model: str, seed: int) -> Path:
    """Where one training run lives: `runs/<profile>/training/<model>_<seed>`."""
    return run_directory(profile) / "training" / f"{model}_{seed}"
