"""Runs beyond a profile's two models: a grid of models, changes and seeds.

A grid is a file of `notebooks/grids`:

    profiles: [standin]          data sets: names of profiles
    seeds: [42, 43, 44]
    models:                      by name; the settings of one, as in a profile
      classifier:
        method: classifier
        weights: as proposed          the profile's value for its model `proposed`
        …
    changes:                     every combination of one level of each
      target:
        x1: {scale: 1.0}
        x2: {scale: 2.0}
      …

A combination is called by its levels, `scratch-x1-drop50-shuffle`; one whose settings
are those of a model of the profile is that model and bears its name, so that its runs
are not made twice. Notebooks and the graph name a run by profile, model and seed.
"""

from itertools import product
from pathlib import Path

import yaml

from aulib.checkpoint import finished
from aulib.notebook import MODEL_KEYS, ROOT, load_profile, run_directory

GRID_KEYS = {"profiles", "seeds", "models", "changes"}


def load_grid(name: str) -> dict:
    """The grid in `notebooks/grids/<name>.yaml`.

    Raises:
        ValueError: there is no such grid, or it lacks a key or has one too many.
    """
    path = ROOT / "notebooks" / "grids" / f"{name}.yaml"
    if not path.is_file():
        known = ", ".join(sorted(p.stem for p in path.parent.glob("*.yaml")))
        raise ValueError(f"{path}: no such grid; there are {known}")
    grid = yaml.safe_load(path.read_text())
    for key in sorted(set(grid) ^ GRID_KEYS):
        what = "is unknown" if key in grid else "is missing"
        raise ValueError(f"{path}: key {key!r} {what}")
    return grid


def grid_models(grid: dict, profile: dict) -> dict[str, dict]:
    """The grid's models with their settings, as they are on a profile's data.

    Args:
        grid: of `load_grid`.
        profile: of `load_profile`.

    Raises:
        ValueError: a model has a key too many or too few, is `as` one that the profile
            does not have, or bears the name of one with other settings.
    """
    return {name: settings for name, settings, _ in _members(grid, profile)}


def levels_of_models(grid: dict, profile: dict) -> dict[str, dict[str, str]]:
    """Of each combination, under its model's name: change → level."""
    return {name: levels for name, _, levels in _members(grid, profile) if levels}


def _members(grid: dict, profile: dict) -> list[tuple[str, dict, dict[str, str]]]:
    """Name, settings and levels (none for those that are listed) of each model."""
    wanted = [(name, own, {}) for name, own in (grid["models"] or {}).items()]
    for levels, name in combinations(grid):
        settings = {}
        for change, level in levels.items():
            settings |= grid["changes"][change][level] or {}
        wanted.append((name, settings, levels))
    members = []
    for name, settings, levels in wanted:
        if not isinstance(settings, dict):
            raise ValueError(f"grid: model {name} has no settings")
        resolved = {key: _as(value, key, profile) for key, value in settings.items()}
        expected = {"method"} if resolved.get("method") == "hog" else MODEL_KEYS
        for key in sorted(set(resolved) ^ expected):
            what = "is unknown" if key in resolved else "is missing"
            raise ValueError(f"grid: key {key!r} of model {name} {what}")
        same = [m for m, own in profile["models"].items() if own == resolved]
        if not same and name in profile["models"]:
            raise ValueError(
                f"grid: model {name} has other settings than the profile's"
            )
        members.append((same[0] if same else name, resolved, levels))
    return members


def combinations(grid: dict) -> list[tuple[dict[str, str], str]]:
    """Every combination of the changes: change → level, and the name made of them."""
    changes = grid["changes"] or {}
    if not changes:
        return []
    choices = [dict(zip(changes, levels)) for levels in product(*changes.values())]
    return [(levels, "-".join(map(str, levels.values()))) for levels in choices]


def _as(value: object, key: str, profile: dict) -> object:
    """`as MODEL` is the profile's value of that key for MODEL."""
    if not (isinstance(value, str) and value.startswith("as ")):
        return value
    model = value.removeprefix("as ")
    if model not in profile["models"]:
        known = ", ".join(profile["models"])
        raise ValueError(f"grid: {key}: {value}: the profile's models are {known}")
    return profile["models"][model].get(key)  # an unknown key is refused later


def find_settings(profile: dict, model: str, grid: str | None = None) -> dict:
    """The settings of a model of the profile, or of the grid of that name.

    Raises:
        ValueError: there is no such model.
    """
    models = grid_models(load_grid(grid), profile) if grid else profile["models"]
    if model not in models:
        where = f"the grid {grid}" if grid else "the profile"
        raise ValueError(f"model {model!r}: {where} has {', '.join(models)}")
    return models[model]


def runs_of(grid: dict) -> list[tuple[str, str, int]]:
    """All of its runs: profile, model, seed."""
    return [
        (profile, model, seed)
        for profile in grid["profiles"]
        for model in grid_models(grid, load_profile(profile))
        for seed in grid["seeds"]
    ]


def failure(profile: str, model: str, seed: int, lines: int = 2) -> str | None:
    """The last lines of the log of a run that has not ended; None where it has."""
    directory = run_directory(profile) / "training" / f"{model}_{seed}"
    if finished(directory):
        return None
    log: Path = directory / "log.txt"
    if not log.is_file():
        return "never begun"
    return "\n".join(log.read_text().splitlines()[-lines:])
