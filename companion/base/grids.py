"""Grids: models, changes and seeds beyond a profile's two models.

A grid is a file in `notebooks/grids`:

    profiles: [standin]          data sets, by the names of their profiles
    seeds: [42, 43, 44]
    models:                      by name, each with the settings of a profile's model
      classifier:
        method: classifier
        weights: as proposed     the value that the profile gives its model `proposed`
        …
    changes:                     every combination of one level of each change
      target:
        x1: {title: targets × 1, scale: 1.0}
        x2: {title: targets × 2, scale: 2.0}
      …

A level's title is what tables and figures call it; it can be left out. A combination is
named after its levels, `scratch-x1-drop50-shuffle`. A combination with the settings of
one of the profile's models is that model and has its name, so it is not trained twice.
A run is named by profile, model and seed.
"""

from itertools import product

from companion.base.paths import ROOT
from companion.base.profiles import check_model, load_profile
from companion.base.settings import GRID, HOG, MODEL, check, read_settings


def load_grid(name: str) -> dict:
    """Read `notebooks/grids/<name>.yaml`.

    Raises:
        ValueError: there is no such grid, or a key or a value is wrong, by itself or on
            one of the grid's profiles.
    """
    path = ROOT / "notebooks" / "grids" / f"{name}.yaml"
    grid = read_settings(path, GRID)
    for profile in grid["profiles"]:
        try:
            grid_models(grid, load_profile(profile))
        except ValueError as error:
            raise ValueError(f"{path}: {error}") from None
    return grid


def grid_models(grid: dict, profile: dict) -> dict[str, dict]:
    """The settings of each of the grid's models, by name, on a profile's data.

    Args:
        grid: from `load_grid`.
        profile: from `load_profile`.

    Raises:
        ValueError: a model's key or value is wrong on this profile, or two models with
            other settings have one name.
    """
    return {name: settings for name, settings, _ in _members(grid, profile)}


def levels_of_models(grid: dict, profile: dict) -> dict[str, dict[str, str]]:
    """The levels (change → level) of each combination, by the name of its model."""
    return {name: levels for name, _, levels in _members(grid, profile) if levels}


def level_titles(grid: dict) -> dict[str, dict[str, str]]:
    """Change → level → its title; "<change> <level>" for a level without one.

    Args:
        grid: from `load_grid`.

    Raises:
        ValueError: two levels have one title.
    """
    titles = {
        change: {
            level: (settings or {}).get("title", f"{change} {level}")
            for level, settings in levels.items()
        }
        for change, levels in (grid["changes"] or {}).items()
    }
    all_titles = [title for levels in titles.values() for title in levels.values()]
    for title in all_titles:
        if all_titles.count(title) > 1:
            raise ValueError(f"two levels have the title {title!r}; change one of them")
    return titles


def _members(grid: dict, profile: dict) -> list[tuple[str, dict, dict[str, str]]]:
    """Name, settings and levels of each model; a listed model has no levels."""
    wanted = [(name, own, {}) for name, own in (grid["models"] or {}).items()]
    for levels, name in combinations(grid):
        settings = {}
        for change, level in levels.items():
            settings |= grid["changes"][change][level] or {}
        settings.pop("title", None)
        wanted.append((name, settings, levels))
    members, known = [], dict(profile["models"])
    for name, settings, levels in wanted:
        resolved = {key: _resolve(own, key, profile) for key, own in settings.items()}
        hog = resolved.get("method") == "hog"
        check(resolved, HOG if hog else MODEL, f"model {name}")
        if not hog:
            check_model(resolved, profile, f"model {name}")
        same = [m for m, own in profile["models"].items() if own == resolved]
        name = same[0] if same else name
        if known.setdefault(name, resolved) != resolved:
            raise ValueError(f"two models are called {name}; rename one of them")
        if levels and any(name == other and has for other, _, has in members):
            raise ValueError(f"two combinations are called {name}; rename a level")
        members.append((name, resolved, levels))
    return members


def combinations(grid: dict) -> list[tuple[dict[str, str], str]]:
    """Every combination of the changes: its levels (change → level) and its name."""
    changes = grid["changes"] or {}
    if not changes:
        return []
    choices = [dict(zip(changes, levels)) for levels in product(*changes.values())]
    return [(levels, "-".join(map(str, levels.values()))) for levels in choices]


def _resolve(value: object, key: str, profile: dict) -> object:
    """Replace `as MODEL` by the value that the profile gives MODEL for this key."""
    if not (isinstance(value, str) and value.startswith("as ")):
        return value
    model = value.removeprefix("as ")
    if model not in profile["models"]:
        known = ", ".join(profile["models"])
        raise ValueError(f"{key}: {value!r}: the profile's models are {known}")
    return profile["models"][model].get(key)  # an unknown key is refused later


def find_settings(profile: dict, model: str, grid: str | None = None) -> dict:
    """A model's settings, from the grid if one is given, else from the profile.

    Args:
        profile: from `load_profile`.
        model: its name.
        grid: the grid's name; None for the profile's own models.

    Raises:
        ValueError: there is no such model.
    """
    models = grid_models(load_grid(grid), profile) if grid else profile["models"]
    if model not in models:
        where = f"the grid {grid}" if grid else "the profile"
        raise ValueError(f"model {model!r}: {where} has {', '.join(models)}")
    return models[model]


def runs_of(grid: dict) -> list[tuple[str, str, int]]:
    """All runs of a grid: profile, model, seed."""
    return [
        (profile, model, seed)
        for profile in grid["profiles"]
        for model in grid_models(grid, load_profile(profile))
        for seed in grid["seeds"]
    ]
