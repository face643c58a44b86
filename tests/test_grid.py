"""Grids: their files, their models by name, their runs, what has become of a run."""

import inspect
import sys
from itertools import product
from pathlib import Path

import pytest
import torch
import yaml

import aulib.training
from aulib import grid, notebook
from aulib.grid import (
    combinations,
    failure,
    find_settings,
    grid_models,
    load_grid,
    runs_of,
)
from aulib.notebook import MODEL_KEYS, load_profile
from aulib.training import train

PROFILES = ["bp4d", "standin", "standin_gpu", "tiny"]
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
def house(tmp_path, monkeypatch):
    """An empty checkout."""
    monkeypatch.setattr(grid, "ROOT", tmp_path)
    monkeypatch.setattr(notebook, "ROOT", tmp_path)
    (tmp_path / "notebooks" / "grids").mkdir(parents=True)
    return tmp_path


def write_grid(house: Path, name: str, content: dict) -> None:
    path = house / "notebooks" / "grids" / f"{name}.yaml"
    path.write_text(yaml.safe_dump(content))


# -- the file


def test_a_grid_that_is_none_names_those_that_are(house):
    write_grid(house, "small", grid_of())
    write_grid(house, "large", grid_of())
    with pytest.raises(ValueError, match=r"odd\.yaml: no such grid; .* large, small$"):
        load_grid("odd")


def test_a_grid_is_read_as_it_was_written(house):
    written = grid_of({"hog": {"method": "hog"}})
    write_grid(house, "small", written)
    assert load_grid("small") == written


@pytest.mark.parametrize("key", ["profiles", "seeds", "models", "changes"])
def test_a_grid_without_a_key(house, key):
    write_grid(house, "small", {k: v for k, v in grid_of().items() if k != key})
    with pytest.raises(ValueError, match=rf"small\.yaml: key '{key}' is missing$"):
        load_grid("small")


def test_a_grid_with_a_key_too_many(house):
    write_grid(house, "small", grid_of() | {"seed": [42]})
    with pytest.raises(ValueError, match=r"small\.yaml: key 'seed' is unknown$"):
        load_grid("small")


# -- its models


def test_as_is_the_profiles_value_of_that_key():
    settings = {key: "as baseline" for key in PLAIN}
    settings |= {"learning_rate": "as proposed", "weights": "as proposed", "scale": 3.0}
    found = grid_models(grid_of({"mixed": settings}), PROFILE)
    expected = {"learning_rate": 0.001, "weights": "some.pt", "scale": 3.0}
    assert found == {"mixed": PLAIN | expected}


def test_as_a_model_that_the_profile_does_not_have():
    models = {"odd": PLAIN | {"scale": "as nobody"}}
    message = "^grid: scale: as nobody: the profile's models are baseline, proposed$"
    with pytest.raises(ValueError, match=message):
        grid_models(grid_of(models), PROFILE)


@pytest.mark.parametrize("key", PLAIN)
def test_a_model_without_a_key(key):
    settings = {name: value for name, value in PLAIN.items() if name != key}
    with pytest.raises(ValueError, match=f"key '{key}' of model odd is missing"):
        grid_models(grid_of({"odd": settings}), PROFILE)


@pytest.mark.parametrize("value", ["red", 3, None, "as baseline"])
def test_a_model_with_a_key_too_many(value):
    models = {"odd": PLAIN | {"colour": value}}
    with pytest.raises(ValueError, match="key 'colour' of model odd is unknown"):
        grid_models(grid_of(models), PROFILE)


def test_hog_has_its_method_and_no_other_key():
    found = grid_models(grid_of({"hog": {"method": "hog"}}), PROFILE)
    assert found == {"hog": {"method": "hog"}}
    models = {"hog": {"method": "hog", "scale": 1.0}}
    with pytest.raises(ValueError, match="key 'scale' of model hog is unknown"):
        grid_models(grid_of(models), PROFILE)


def test_combinations_are_all_and_bear_the_names_of_their_levels():
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
    found = grid_models(grid_of(changes=changes), PROFILE)
    assert found == {
        "baseline": PLAIN,  # what x1-shuffle-same would be
        "x1-joint-same": PLAIN | {"sampler": "joint"},
        "x5-shuffle-same": PLAIN | {"scale": 5.0},
        "x5-joint-same": PLAIN | {"scale": 5.0, "sampler": "joint"},
    }


def test_a_grids_own_model_that_is_the_profiles_bears_its_name():
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
def test_the_ablations_combinations_have_the_papers_two_models_among_them(
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
        ("ablation", 18),
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
    assert found["method"] == "classifier" and set(found) == MODEL_KEYS
    assert find_settings(profile, "hog", "table_2") == {"method": "hog"}


def test_a_model_that_is_nowhere():
    profile = load_profile("standin")
    message = "^model 'hog': the profile has baseline, proposed$"
    with pytest.raises(ValueError, match=message):
        find_settings(profile, "hog")
    message = "^model 'odd': the grid table_2 has baseline, .*, structured, hog$"
    with pytest.raises(ValueError, match=message):
        find_settings(profile, "odd", "table_2")
    with pytest.raises(ValueError, match="no such grid"):
        find_settings(profile, "hog", "odd")


# -- its runs


def test_what_has_become_of_a_run(house):
    directory = house / "runs" / "standin" / "training" / "classifier_42"
    assert failure("standin", "classifier", 42) == "never begun"
    directory.mkdir(parents=True)
    assert failure("standin", "classifier", 42) == "never begun"
    (directory / "log.txt").write_text("begun\n")
    assert failure("standin", "classifier", 42) == "begun"
    (directory / "log.txt").write_text("begun\nepoch 1\nfailed: no space\n")
    assert failure("standin", "classifier", 42) == "epoch 1\nfailed: no space"
    assert failure("standin", "classifier", 42, lines=1) == "failed: no space"
    assert failure("standin", "classifier", 43) == "never begun"
    (directory / "outputs.parquet").write_text("not yet the end")
    assert failure("standin", "classifier", 42) is not None
    (directory / "provenance.json").write_text("{}")
    assert failure("standin", "classifier", 42) is None


# -- the command line


@pytest.fixture
def command(tmp_path, monkeypatch):
    """`python -m aulib.training …` whose runs go to a directory of the test's."""

    def run(*words: str) -> None:
        monkeypatch.setattr(sys, "argv", ["aulib.training", *words])
        aulib.training.main()

    monkeypatch.setattr(notebook, "run_directory", lambda profile: tmp_path)
    monkeypatch.setattr(grid, "run_directory", lambda profile: tmp_path)
    monkeypatch.setattr(torch, "set_num_threads", lambda threads: None)
    return run


@pytest.mark.parametrize(
    "words, message",
    [
        ("standin nosuch 42 --grid table_2", "model 'nosuch': the grid table_2 has "),
        ("standin classifier 42", "model 'classifier': the profile has baseline, "),
        ("standin hog 42 --grid nosuch", "nosuch.yaml: no such grid; there are "),
        ("nosuch hog 42 --grid table_2", "nosuch.yaml: no such profile; there are "),
    ],
)
def test_a_wrong_name_ends_it_with_one_line(command, tmp_path, words, message):
    with pytest.raises(SystemExit) as ended:
        command(*words.split())
    assert message in ended.value.code and "\n" not in ended.value.code
    assert not list(tmp_path.iterdir())


def test_a_run_that_fails_says_so_in_its_log(command, store, tmp_path):
    """The store's one person is too few for cross-validation."""
    (tmp_path / "crops").symlink_to(store.directory)
    with pytest.raises(SystemExit) as ended:
        command("standin", "hog", "42", "--grid", "table_2")
    assert ended.value.code.startswith("hog_42: 1 people: cross-validation wants 5")
    last = failure("standin", "hog", 42, lines=1)
    assert last.endswith(f"failed: {ended.value.code.removeprefix('hog_42: ')}")


def test_without_crops_it_names_the_notebook_that_makes_them(command, tmp_path):
    with pytest.raises(SystemExit) as ended:
        command("standin", "hog", "42", "--grid", "table_2")
    assert "no complete crop store; run notebook 01" in ended.value.code
    assert "run notebook 01" in failure("standin", "hog", 42)


@pytest.mark.parametrize("model", ["baseline", "classifier", "structured"])
def test_a_grids_settings_are_those_that_train_takes(
    command, store, tmp_path, monkeypatch, model
):
    def note(*arguments, **named):
        calls.append(inspect.signature(train).bind(*arguments, **named).arguments)

    calls = []
    (tmp_path / "crops").symlink_to(store.directory)
    monkeypatch.setattr(aulib.training, "train", note)
    command("standin", model, "43", "--grid", "table_2")
    profile = load_profile("standin")
    own = find_settings(profile, model, "table_2")
    weights = own["weights"] and notebook.ROOT / own["weights"]
    (found,) = calls
    assert found["directory"] == tmp_path / "training" / f"{model}_43"
    assert found["seed"] == 43 and found["width"] == profile["network_width"]
    assert {key: found[key] for key in MODEL_KEYS} == own | {"weights": weights}


def test_several_processes_are_told_the_grid(command, monkeypatch):
    calls = []
    monkeypatch.setattr(aulib.training, "in_processes", lambda *a: calls.append(a))
    command("standin", "classifier", "7", "--grid", "table_2", "--processes", "2")
    assert calls == [("standin", "classifier", 7, 2, "table_2")]
