"""Profiles: their numbers, their keys, the settings of a training."""

import pytest
import yaml

from companion.base import profiles
from companion.base.paths import ROOT
from companion.base.profiles import check_keys, load_profile, training_settings

NAMES = ["bp4d", "standin", "standin_gpu", "tiny"]


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
    message = r"bp5d\.yaml: no such file; there are bp4d, standin, standin_gpu, tiny$"
    with pytest.raises(ValueError, match=message):
        load_profile("bp5d")


@pytest.mark.parametrize(
    "change, message",
    [
        ({"epoch": 3}, r"mine\.yaml: key 'epoch' is unknown$"),
        ({"epochs": ...}, r"mine\.yaml: key 'epochs' is missing$"),
        (
            {"models": {"baseline": {}}},
            r"mine\.yaml, model baseline: key 'learning_rate' is missing$",
        ),
        (
            {"models": {"mine": dict.fromkeys([*profiles.MODEL_KEYS, "rate"])}},
            r"mine\.yaml, model mine: key 'rate' is unknown$",
        ),
    ],
)
def test_a_wrong_key_is_refused(tmp_path, monkeypatch, change, message):
    profile = yaml.safe_load((ROOT / "notebooks/profiles/standin.yaml").read_text())
    profile = {k: v for k, v in (profile | change).items() if v is not ...}
    monkeypatch.setattr(profiles, "ROOT", tmp_path)
    path = tmp_path / "notebooks" / "profiles" / "mine.yaml"
    path.parent.mkdir(parents=True)
    path.write_text(yaml.safe_dump(profile))
    with pytest.raises(ValueError, match=message):
        load_profile("mine")


def test_the_first_wrong_key_is_named():
    check_keys({"a": 1, "b": 2}, {"a", "b"}, "here")
    with pytest.raises(ValueError, match="^here: key 'b' is missing$"):
        check_keys({"a": 1, "d": 2}, {"a", "b", "c"}, "here")


def test_a_training_has_the_settings_of_the_profile_and_of_its_model():
    profile = load_profile("standin")
    model = profile["models"]["proposed"]
    settings = training_settings(profile, model)
    shared = {"epochs", "batch_size", "accumulation", "learning_rate_step"}
    for key in shared | {"momentum", "weight_decay"}:
        assert settings.pop(key) == profile[key]
    assert settings.pop("width") == profile["network_width"]
    assert settings == model | {"weights": ROOT / model["weights"]}


def test_weights_that_are_no_file_stay_as_they_are():
    profile = load_profile("bp4d")
    for model, expected in [("baseline", None), ("proposed", "imagenet")]:
        settings = training_settings(profile, profile["models"][model])
        assert settings["weights"] == expected
