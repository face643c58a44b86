"""Grids: their files, their models by name, their runs."""

from itertools import product
from pathlib import Path

import pytest
import yaml

from companion.base import grids
from companion.base.grids import (
    combinations,
    find_settings,
    grid_models,
    level_titles,
    levels_of_models,
    load_grid,
    runs_of,
)
from companion.base.profiles import load_profile
from companion.base.settings import MODEL

PROFILES = ["bp4d", "standin", "standin_afternoon", "standin_gpu", "tiny"]
PLAIN = {
    "method": "baseline",
    "learning_rate": 0.01,
    "scale": 1.0,
    "sampler": "shuffle",
    "weights": None,
}
PROFILE = {
    "models": {
        "baseline": PLAIN,
        "proposed": {
            "method": "proposed",
            "learning_rate": 0.001,
            "scale": 2.0,
            "sampler": "multinomial",
            "weights": "some.pt",
        },
    }
}


def grid_of(models: dict | None = None, changes: dict | None = None) -> dict:
    return {
        "profiles": ["standin"],
        "seeds": [1, 2],
        "models": models or {},
        "changes": changes or {},
    }


@pytest.fixture
def folder(tmp_path, monkeypatch) -> Path:
    """The folder of the grids in an empty checkout."""
    monkeypatch.setattr(grids, "ROOT", tmp_path)
    path = tmp_path / "notebooks" / "grids"
    path.mkdir(parents=True)
    return path


def write_grid(folder: Path, name: str, content: dict) -> None:
    (folder / f"{name}.yaml").write_text(yaml.safe_dump(content))


# -- the file


def test_an_unknown_grid_is_refused_with_the_names_of_the_others(folder):
    write_grid(folder, "small", grid_of())
    write_grid(folder, "large", grid_of())
    with pytest.raises(ValueError, match=r"odd\.yaml: no such file; .* large, small$"):
        load_grid("odd")


def test_a_grid_is_read_as_it_was_written(folder):
    written = grid_of({"hog": {"method": "hog"}})
    write_grid(folder, "small", written)
    assert load_grid("small") == written


@pytest.mark.parametrize("key", ["profiles", "seeds", "models", "changes"])
def test_a_grid_without_a_key(folder, key):
    write_grid(folder, "small", {k: v for k, v in grid_of().items() if k != key})
    with pytest.raises(ValueError, match=rf"small\.yaml: key '{key}' is missing$"):
        load_grid("small")


def test_a_grid_with_an_unknown_key(folder):
    write_grid(folder, "small", grid_of() | {"seed": [42]})
    with pytest.raises(
        ValueError, match=r"small\.yaml: key 'seed' is unknown; did you"
    ):
        load_grid("small")


@pytest.mark.parametrize(
    "change, message",
    [
        (
            {"profiles": "standin"},
            "profiles: 'standin' is not a list of different names",
        ),
        ({"profiles": []}, "profiles: [] is not a list of different names"),
        ({"profiles": ["bp5d"]}, "bp5d.yaml: no such file; there are bp4d, "),
        ({"seeds": 42}, "seeds: 42 is not a list of different seeds: [42, 43]"),
        ({"seeds": []}, "seeds: [] is not a list of different seeds: [42, 43]"),
        ({"models": ["hog"]}, "models: ['hog'] is not a list of names, each with"),
        ({"models": {"a b": {}}}, "models: 'a b' is not a name of letters, digits"),
        ({"models": {"hog": None}}, "models.hog: None is not a list of keys with"),
        ({"models": {"x": {}}}, "model x: key 'method' is missing"),
        ({"models": {"x": PLAIN | {"method": "hgo"}}}, "model x: method: 'hgo' is not"),
        ({"models": {"x": PLAIN | {"scale": "as 3"}}}, "scale: 'as 3': the profile's"),
        (
            {"models": {"x": PLAIN | {"learning_rate": "1e-3"}}},
            "model x: learning_rate: '1e-3' is not a number above 0; to YAML it is",
        ),
        (
            {"models": {"x": PLAIN | {"method": "classifier", "scale": 2.0}}},
            "model x.scale: 2.0 is not 1, and the method classifier has no targets",
        ),
        (
            {"models": {"x": PLAIN | {"weights": "imagenet"}}},
            "model x.weights: imagenet's are of network_width 1, the profile's",
        ),
        ({"changes": ["a"]}, "changes: ['a'] is not a list of names, each with its"),
        ({"changes": {"target": {}}}, "changes.target: {} is not a list of names"),
        ({"changes": {"t": {"x/1": {}}}}, "changes.t: 'x/1' is not a name of letters"),
        ({"changes": {"t": {1: {}}}}, "changes.t: 1 is not a name of letters"),
        ({"changes": {"t": {"x": 3}}}, "changes.t.x: 3 is not a list of keys with"),
    ],
)
def test_a_wrong_value_is_refused_in_one_line(folder, change, message):
    write_grid(folder, "small", grid_of() | change)
    with pytest.raises(ValueError) as caught:
        load_grid("small")
    text = str(caught.value)
    assert "\n" not in text and message in text.split("small.yaml: ")[1]


def test_combinations_whose_names_collide_are_refused():
    changes = {
        "first": {"x": PLAIN | {"scale": 3.0}, "x-y": PLAIN | {"scale": 4.0}},
        "second": {"y-z": {"sampler": "joint"}, "z": {"sampler": "joint"}},
    }
    with pytest.raises(ValueError, match="^two models are called x-y-z; rename one"):
        grid_models(grid_of(changes=changes), PROFILE)
    listed = {"x-z": PLAIN | {"scale": 9.0}}
    del changes["second"]["y-z"]
    with pytest.raises(ValueError, match="^two models are called x-z; rename one"):
        grid_models(grid_of(listed, changes), PROFILE)
    listed = {"x-z": PLAIN | {"scale": 3.0, "sampler": "joint"}}
    assert list(grid_models(grid_of(listed, changes), PROFILE)) == ["x-z", "x-y-z"]


def test_two_combinations_with_the_settings_of_one_model_are_refused():
    changes = {"first": {"x": PLAIN, "y": PLAIN}}
    with pytest.raises(ValueError, match="^two combinations are called baseline; "):
        grid_models(grid_of(changes=changes), PROFILE)


# -- its models


def test_as_is_the_profiles_value_of_that_key():
    settings = {key: "as baseline" for key in PLAIN}
    settings |= {"learning_rate": "as proposed", "weights": "as proposed", "scale": 3.0}
    found = grid_models(grid_of({"mixed": settings}), PROFILE)
    expected = {"learning_rate": 0.001, "weights": "some.pt", "scale": 3.0}
    assert found == {"mixed": PLAIN | expected}


def test_as_a_model_that_the_profile_lacks():
    models = {"odd": PLAIN | {"scale": "as nobody"}}
    message = "^scale: 'as nobody': the profile's models are baseline, proposed$"
    with pytest.raises(ValueError, match=message):
        grid_models(grid_of(models), PROFILE)


@pytest.mark.parametrize("key", PLAIN)
def test_a_model_without_a_key(key):
    settings = {name: value for name, value in PLAIN.items() if name != key}
    with pytest.raises(ValueError, match=f"model odd: key '{key}' is missing"):
        grid_models(grid_of({"odd": settings}), PROFILE)


@pytest.mark.parametrize("value", ["red", 3, None, "as baseline"])
def test_a_model_with_an_unknown_key(value):
    models = {"odd": PLAIN | {"colour": value}}
    with pytest.raises(ValueError, match="model odd: key 'colour' is unknown"):
        grid_models(grid_of(models), PROFILE)


def test_hog_has_no_key_but_its_method():
    found = grid_models(grid_of({"hog": {"method": "hog"}}), PROFILE)
    assert found == {"hog": {"method": "hog"}}
    models = {"hog": {"method": "hog", "scale": 1.0}}
    with pytest.raises(ValueError, match="model hog: key 'scale' is unknown"):
        grid_models(grid_of(models), PROFILE)


def test_combinations_are_complete_and_named_after_their_levels():
    changes = {
        "first": {"a": {}, "b": {}},
        "second": {"c": {}, "d": {}, "e": {}},
        "third": {"f": {}},
    }
    found = combinations(grid_of(changes=changes))
    assert [name for _, name in found] == [
        *("a-c-f", "a-d-f", "a-e-f"),
        *("b-c-f", "b-d-f", "b-e-f"),
    ]
    assert found[4] == ({"first": "b", "second": "d", "third": "f"}, "b-d-f")
    assert combinations(grid_of()) == []
    assert combinations(grid_of() | {"changes": None}) == []


def test_a_combination_has_the_settings_of_its_levels():
    rest = {key: PLAIN[key] for key in ("method", "learning_rate", "weights")}
    changes = {
        "target": {"x1": {"scale": 1.0}, "x5": {"scale": 5.0}},
        "sampler": {"shuffle": {"sampler": "shuffle"}, "joint": {"sampler": "joint"}},
        "rest": {"same": rest},
    }
    grid = grid_of({"mine": PLAIN | {"scale": 7.0}}, changes)
    assert grid_models(grid, PROFILE) == {
        "mine": PLAIN | {"scale": 7.0},
        "baseline": PLAIN,  # has the settings of x1-shuffle-same
        "x1-joint-same": PLAIN | {"sampler": "joint"},
        "x5-shuffle-same": PLAIN | {"scale": 5.0},
        "x5-joint-same": PLAIN | {"scale": 5.0, "sampler": "joint"},
    }
    levels = levels_of_models(grid, PROFILE)
    assert list(levels) == [*grid_models(grid, PROFILE)][1:]
    assert levels["baseline"] == {"target": "x1", "sampler": "shuffle", "rest": "same"}


def test_a_levels_title_is_for_readers_and_no_setting():
    rest = {key: value for key, value in PLAIN.items() if key != "scale"}
    changes = {
        "target": {"x1": {"title": "one", "scale": 1.0}, "x5": {"scale": 5.0}},
        "rest": {"same": rest},
    }
    grid = grid_of(changes=changes)
    models = grid_models(grid, PROFILE)
    assert models == {"baseline": PLAIN, "x5-same": PLAIN | {"scale": 5.0}}
    assert level_titles(grid) == {
        "target": {"x1": "one", "x5": "target x5"},
        "rest": {"same": "rest same"},
    }
    assert level_titles(grid_of() | {"changes": None}) == {}


def test_two_levels_with_one_title_are_refused():
    changes = {"a": {"x": {"title": "one"}}, "b": {"y": None, "z": {"title": "one"}}}
    with pytest.raises(ValueError, match="two levels have the title 'one'; change one"):
        level_titles(grid_of(changes=changes))


def test_a_title_is_a_line_of_text(folder):
    write_grid(folder, "small", grid_of(changes={"target": {"x1": {"title": 1}}}))
    with pytest.raises(ValueError, match="changes.target.x1.title: 1 is not a line of"):
        load_grid("small")


@pytest.mark.parametrize("name", ["ablation", "ablation_batch"])
def test_the_ablations_levels_have_titles_in_english(name):
    grid = load_grid(name)
    titles = level_titles(grid)
    assert titles["pretraining"]["pretrained"] == "pre-trained start"
    for change, levels in grid["changes"].items():
        for level, settings in levels.items():
            assert titles[change][level] == settings["title"]


def test_a_model_with_the_name_of_the_profiles_has_its_settings():
    models = {"proposed": PLAIN | {"scale": 3.0}}
    with pytest.raises(ValueError, match="two models are called proposed; rename one"):
        grid_models(grid_of(models), PROFILE)


def test_a_grids_model_that_equals_the_profiles_has_its_name():
    models = {"mine": {key: "as proposed" for key in PLAIN}}
    assert list(grid_models(grid_of(models), PROFILE)) == ["proposed"]


@pytest.mark.parametrize("profile", PROFILES)
@pytest.mark.parametrize(
    "name, extra, samplers",
    [
        ("ablation", ["baseline-joint", "proposed-joint"], ["shuffle", "multinomial"]),
        ("ablation_batch", [], ["shuffle", "multinomial", "joint"]),
    ],
)
def test_the_ablations_combinations_include_the_papers_two_models(
    profile, name, extra, samplers
):
    settings = load_profile(profile)
    models = grid_models(load_grid(name), settings)
    places = ("scratch", "pretrained"), ("x1", "x2"), ("drop50", "drop60"), samplers
    names = ["-".join(levels) for levels in product(*places)]
    names[names.index("scratch-x1-drop50-shuffle")] = "baseline"
    names[names.index("pretrained-x2-drop60-multinomial")] = "proposed"
    assert list(models) == extra + names
    for model, own in settings["models"].items():
        assert models[model] == own
    different = {tuple(own[key] for key in PLAIN) for own in models.values()}
    assert len(different) == len(models)


@pytest.mark.parametrize(
    "name, count",
    [
        ("ablation", 54),
        ("ablation_batch", 72),
        ("slurm", 4),
        ("table_2", 15),
        ("tiny", 3),
    ],
)
def test_a_grids_runs_are_its_profiles_by_its_models_by_its_seeds(name, count):
    found = load_grid(name)
    expected = {
        (profile, model, seed)
        for profile in found["profiles"]
        for model in grid_models(found, load_profile(profile))
        for seed in found["seeds"]
    }
    runs = runs_of(found)
    assert len(runs) == len(expected) == count and set(runs) == expected


def test_table_2_has_its_four_rows_and_hog():
    models = grid_models(load_grid("table_2"), load_profile("standin"))
    rows = ["baseline", "proposed", "classifier", "structured", "hog"]
    assert list(models) == rows
    assert [own["method"] for own in models.values()] == rows
    own = load_profile("standin")["models"]
    assert models["baseline"] == own["baseline"]
    assert models["structured"]["weights"] == own["proposed"]["weights"]


def test_settings_are_found_in_the_profile_or_in_the_grid():
    profile = load_profile("standin")
    assert find_settings(profile, "proposed") == profile["models"]["proposed"]
    found = find_settings(profile, "classifier", "table_2")
    assert found["method"] == "classifier" and [*found] == MODEL["required"]
    assert find_settings(profile, "hog", "table_2") == {"method": "hog"}


def test_an_unknown_model_is_refused_with_the_names_of_the_others():
    profile = load_profile("standin")
    message = "^model 'hog': the profile has baseline, proposed$"
    with pytest.raises(ValueError, match=message):
        find_settings(profile, "hog")
    message = "^model 'odd': the grid table_2 has baseline, .*, structured, hog$"
    with pytest.raises(ValueError, match=message):
        find_settings(profile, "odd", "table_2")
    with pytest.raises(ValueError, match="odd.yaml: no such file"):
        find_settings(profile, "hog", "odd")
