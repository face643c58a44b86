"""Profiles: their numbers, their keys, the settings of a training."""

import pytest
import yaml
from jsonschema import Draft202012Validator

from companion.base import profiles, settings
from companion.base.paths import ROOT
from companion.base.profiles import load_profile, training_settings
from companion.methods import METHODS
from companion.methods.samplers import SAMPLERS

NAMES = ["bp4d", "standin", "standin_afternoon", "standin_gpu", "tiny"]


def test_the_profiles_are_these():
    found = (ROOT / "notebooks" / "profiles").glob("*.yaml")
    assert sorted(path.stem for path in found) == NAMES


@pytest.mark.parametrize("name", NAMES)
def test_profiles_load_and_agree_on_the_papers_numbers(name):
    profile = load_profile(name)
    assert profile["momentum"] == 0.9 and profile["weight_decay"] == 0.0005
    baseline, proposed = profile["models"]["baseline"], profile["models"]["proposed"]
    assert (baseline["learning_rate"], proposed["learning_rate"]) == (0.01, 0.001)
    assert (baseline["scale"], proposed["scale"]) == (1, 2)
    assert (baseline["sampler"], proposed["sampler"]) == ("shuffle", "multinomial")
    assert baseline["weights"] is None and proposed["weights"] is not None


def test_the_papers_profile_is_the_papers_protocol():
    profile = load_profile("bp4d")
    assert profile["epochs"] == 100 and profile["learning_rate_step"] == 20
    assert profile["crop_size"] == 224 and profile["network_width"] == 1
    assert profile["models"]["proposed"]["weights"] == "imagenet"
    assert len(profile["seeds"]) == 3


def test_an_unknown_profile_is_refused_with_the_names_of_the_others():
    message = r"bp5d\.yaml: no such file; there are " + ", ".join(NAMES) + "$"
    with pytest.raises(ValueError, match=message):
        load_profile("bp5d")


def load_standin() -> dict:
    """The stand-in's profile, unchecked."""
    return yaml.safe_load(
        (ROOT / "notebooks" / "profiles" / "standin.yaml").read_text()
    )


@pytest.fixture
def edit(tmp_path, monkeypatch):
    """Write the profile `mine`: the stand-in's with changes at dotted keys; load it."""
    monkeypatch.setattr(profiles, "ROOT", tmp_path)
    path = tmp_path / "notebooks" / "profiles" / "mine.yaml"
    path.parent.mkdir(parents=True)

    def load(changes: dict) -> dict:
        profile = load_standin()
        for place, value in changes.items():
            *folders, key = place.split(".")
            part = profile
            for folder in folders:
                part = part[folder]
            part[key] = value
            if value is ...:
                del part[key]
        path.write_text(yaml.safe_dump(profile))
        return load_profile("mine")

    return load


NO_COUNT = "is not a whole number of 1 or more"
NO_PATH = "is not a path, or null"
BASELINE = "models.baseline"
WRONG = [
    ("epochs", ..., "key 'epochs' is missing"),
    ("epoch", 3, "key 'epoch' is unknown; did you mean 'epochs'?"),
    ("colour", 3, "key 'colour' is unknown; remove it"),
    ("epochs", 2.0, f"epochs: 2.0 {NO_COUNT}"),
    ("epochs", 0, f"epochs: 0 {NO_COUNT}"),
    ("epochs", True, f"epochs: True {NO_COUNT}"),
    ("batch_size", "8", f"batch_size: '8' {NO_COUNT}; to YAML it is text: "),
    ("batch_size", 0, f"batch_size: 0 {NO_COUNT}"),
    ("accumulation", 0, f"accumulation: 0 {NO_COUNT}"),
    ("learning_rate_step", None, f"learning_rate_step: None {NO_COUNT}"),
    ("threads", -1, f"threads: -1 {NO_COUNT}"),
    ("momentum", 2, "momentum: 2 is not a number from 0 to below 1"),
    ("momentum", 1, "momentum: 1 is not a number from 0 to below 1"),
    ("weight_decay", -0.1, "weight_decay: -0.1 is not a number of 0 or more"),
    ("weight_decay", float("nan"), "weight_decay: nan is not a number of 0 or more"),
    ("crop_size", 16, "crop_size: 16 is not a whole number of 32 or more"),
    ("network_width", 0.1, "network_width: 0.1 is not a multiple of 1/64 above 0"),
    ("network_width", 0, "network_width: 0 is not a multiple of 1/64 above 0"),
    ("seeds", 42, "seeds: 42 is not a list of different seeds: [42, 43]"),
    ("seeds", [], "seeds: [] is not a list of different seeds: [42, 43]"),
    ("seeds", [1, 1], "seeds: [1, 1] is not a list of different seeds: [42, 43]"),
    ("seeds", [1, -1], "seeds.1: -1 is not a whole number of 0 or more"),
    ("seeds", [2**63], f"seeds.0: {2**63} is not a whole number of 0 or more, below"),
    ("seeds", [1.5], "seeds.0: 1.5 is not a whole number of 0 or more"),
    ("title", 7, "title: 7 is not a line of text"),
    ("title", "two\nlines", r"title: 'two\nlines' is not a line of text"),
    ("title", "a\n", r"title: 'a\n' is not a line of text"),
    ("title", "", "title: '' is not a line of text"),
    ("data_root", None, "data_root: None is not a line of text"),
    ("boxes", 3, f"boxes: 3 {NO_PATH}"),
    ("boxes", "", f"boxes: '' {NO_PATH}"),
    ("standin", "yes", "standin: 'yes' is not a list of keys with values"),
    ("standin.seed", -1, "standin.seed: -1 is not a whole number of 0 or more"),
    ("standin.height", 8, "standin.height: 8 is not a whole number of 32 or more"),
    ("standin.frames_per_task", 0, f"standin.frames_per_task: 0 {NO_COUNT}, or "),
    (
        "standin.frames_per_task",
        {"train": 3},
        "key 'evaluation' of standin.frames_per_task is missing",
    ),
    ("models", [], "models: [] is not a list of names, each with its keys"),
    ("models", {}, "key 'baseline' of models is missing"),
    ("models.proposed", ..., "key 'proposed' of models is missing"),
    (BASELINE, {}, f"key 'method' of {BASELINE} is missing"),
    (BASELINE, None, f"{BASELINE}: None is not a list of keys with values"),
    (f"{BASELINE}.rate", 1, f"key 'rate' of {BASELINE} is unknown; remove it"),
    (f"{BASELINE}.learning_rate", 0, f"{BASELINE}.learning_rate: 0 is not a number"),
    (
        f"{BASELINE}.learning_rate",
        "1e-3",
        f"{BASELINE}.learning_rate: '1e-3' is not a number above 0; to YAML it is text",
    ),
    (f"{BASELINE}.scale", 0, f"{BASELINE}.scale: 0 is not a number above 0"),
    (
        f"{BASELINE}.method",
        "propsed",
        f"{BASELINE}.method: 'propsed' is not one of baseline, proposed",
    ),
    (f"{BASELINE}.method", "hog", "'hog' is not one of baseline, proposed"),
    (f"{BASELINE}.sampler", "weighted", "'weighted' is not one of multinomial, joint"),
    (
        f"{BASELINE}.weights",
        3,
        f"{BASELINE}.weights: 3 is not null, imagenet or a path",
    ),
    (
        f"{BASELINE}.weights",
        "imagenet",
        f"{BASELINE}.weights: imagenet's are of network_width 1, the profile's is .125",
    ),
]


@pytest.mark.parametrize(
    "place, value, message", WRONG, ids=[f"{p}={v!r}" for p, v, _ in WRONG]
)
def test_a_wrong_value_is_refused_in_one_line(edit, place, value, message):
    with pytest.raises(ValueError) as caught:
        edit({place: value})
    text = str(caught.value)
    assert "\n" not in text and "mine.yaml: " in text
    assert message.replace("is .125", "is 0.125") in text.split("mine.yaml: ")[1]


@pytest.mark.parametrize("name", ["a model", "a/b", "", "-x", 42, True])
def test_a_models_name_is_a_part_of_file_names(edit, name):
    models = load_standin()["models"]
    with pytest.raises(ValueError, match="models: .* is not a name of letters, digits"):
        edit({"models": models | {name: models["baseline"]}})


def test_a_profile_may_have_more_models(edit):
    own = load_standin()["models"]["baseline"] | {"scale": 3.0, "weights": "a b.pt"}
    models = load_standin()["models"] | {"third-1_x.y": own}
    changed = edit({"models": models, "standin": None, "momentum": 0})
    assert changed["models"] == models and changed["standin"] is None


@pytest.mark.parametrize(
    "text, message",
    [
        ("", "the file: None is not a list of keys with values$"),
        ("- a\n- b\n", r"the file: \['a', 'b'\] is not a list of keys with values$"),
        ("title: BP4D: mine\n", "line 1: mapping values are not allowed here; quote "),
        ("title: a\nstandin:\n\tseed: 3\n", "line 3: found character .* indent with"),
        ("title: a\nseeds: [1\n", "line 3: expected "),
        ("title: a\nepochs: 3\ntitle: b\n", "line 3: key 'title' stands twice"),
        (b"title: caf\xe9\n", "no YAML .*; save it as UTF-8$"),
        ("title: \x00\n", "no YAML .*; save it as UTF-8$"),
    ],
)
def test_a_file_that_is_no_profile_is_refused_in_one_line(edit, text, message):
    edit({})
    path = profiles.ROOT / "notebooks" / "profiles" / "mine.yaml"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(ValueError, match=rf"mine\.yaml[:,] {message}") as caught:
        load_profile("mine")
    assert "\n" not in str(caught.value)


def test_the_schema_names_all_methods_and_samplers():
    rules = settings.MODEL["properties"]
    assert set(rules["method"]["enum"]) == set(METHODS)
    assert set(rules["sampler"]["enum"]) == set(SAMPLERS)
    Draft202012Validator.check_schema(settings.PROFILE)
    Draft202012Validator.check_schema(settings.GRID)


def test_a_training_has_the_settings_of_the_profile_and_of_its_model():
    profile = load_profile("standin")
    model = profile["models"]["proposed"]
    found = training_settings(profile, model)
    shared = {"epochs", "batch_size", "accumulation", "learning_rate_step"}
    for key in shared | {"momentum", "weight_decay"}:
        assert found.pop(key) == profile[key]
    assert found.pop("width") == profile["network_width"]
    assert found == model | {"weights": ROOT / model["weights"]}


def test_weights_that_are_no_file_stay_as_they_are():
    profile = load_profile("bp4d")
    for model, expected in [("baseline", None), ("proposed", "imagenet")]:
        found = training_settings(profile, profile["models"][model])
        assert found["weights"] == expected
