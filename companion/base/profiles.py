"""Profiles: the data set and the training settings, one YAML file each."""

from companion.base.paths import ROOT
from companion.base.settings import PROFILE, read_settings


def load_profile(name: str) -> dict:
    """Read `notebooks/profiles/<name>.yaml`.

    Raises:
        ValueError: there is no such profile, or a key or a value is wrong.
    """
    path = ROOT / "notebooks" / "profiles" / f"{name}.yaml"
    profile = read_settings(path, PROFILE)
    for model, settings in profile["models"].items():
        check_model(settings, profile, f"{path}: models.{model}")
    return profile


def check_model(settings: dict, profile: dict, where: str) -> None:
    """Raise a ValueError if a model's settings do not go together.

    Args:
        settings: of the model; each is right by itself.
        profile: from `load_profile`.
        where: the start of the message.
    """
    if settings["weights"] == "imagenet" and profile["network_width"] != 1:
        raise ValueError(
            f"{where}.weights: imagenet's are of network_width 1, the profile's is "
            f"{profile['network_width']}; set network_width to 1 or weights to null"
        )
    if settings["method"] in ("classifier", "structured") and settings["scale"] != 1:
        raise ValueError(
            f"{where}.scale: {settings['scale']!r} is not 1, and the method "
            f"{settings['method']} has no targets to scale; set it to 1.0"
        )


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
