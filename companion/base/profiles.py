"""Profiles: the data set and the training settings, one YAML file each."""

from pathlib import Path

import yaml

from companion.base.paths import ROOT

PROFILE_KEYS = {
    *("title", "data_root", "standin", "boxes", "crop_size", "network_width"),
    *("epochs", "learning_rate_step", "batch_size", "accumulation", "momentum"),
    *("weight_decay", "seeds", "threads", "models"),
}
MODEL_KEYS = {"method", "learning_rate", "scale", "sampler", "weights"}


def load_profile(name: str) -> dict:
    """Read `notebooks/profiles/<name>.yaml`.

    Raises:
        ValueError: there is no such profile, or a key is missing or unknown.
    """
    path = ROOT / "notebooks" / "profiles" / f"{name}.yaml"
    profile = read_settings(path, PROFILE_KEYS)
    for model, settings in profile["models"].items():
        check_keys(settings, MODEL_KEYS, f"{path}, model {model}")
    return profile


def read_settings(path: Path, keys: set[str]) -> dict:
    """Read a YAML file that must have exactly these keys.

    Raises:
        ValueError: there is no such file, or a key is missing or unknown.
    """
    if not path.is_file():
        known = ", ".join(sorted(other.stem for other in path.parent.glob("*.yaml")))
        raise ValueError(f"{path}: no such file; there are {known}")
    settings = yaml.safe_load(path.read_text())
    check_keys(settings, keys, str(path))
    return settings


def check_keys(found: dict, expected: set[str], where: str) -> None:
    """Raise a ValueError that names the first key that is missing or unknown."""
    for key in sorted(set(found) ^ expected):
        what = "is unknown" if key in found else "is missing"
        raise ValueError(f"{where}: key {key!r} {what}")


def training_settings(profile: dict, model: dict) -> dict:
    """The fields of `companion.training.loop.Settings`, all but the seed.

    Args:
        profile: from `load_profile`.
        model: the settings of one of its models, or of one of a grid's.
    """
    shared = ("epochs", "batch_size", "accumulation", "learning_rate_step")
    settings = {key: profile[key] for key in (*shared, "momentum", "weight_decay")}
    settings |= model | {"width": profile["network_width"]}
    if settings["weights"] not in (None, "imagenet"):
        settings["weights"] = ROOT / settings["weights"]
    return settings
