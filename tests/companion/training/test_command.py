"""`python -m companion.training`: its errors, its settings, several processes."""

import sys
from types import SimpleNamespace

import pytest
import torch

from companion.base.files import lock
from companion.base.grids import find_settings
from companion.base.paths import ROOT
from companion.base.profiles import load_profile
from companion.base.settings import MODEL
from companion.training import __main__ as training
from companion.training import device


@pytest.fixture
def command(tmp_path, monkeypatch):
    """`python -m companion.training …` whose runs go below `tmp_path`."""

    def run(*words: str) -> None:
        monkeypatch.setattr(sys, "argv", ["companion.training", *words])
        training.main()

    # `paths` alone uses this ROOT: profiles and grids are still those of the checkout
    monkeypatch.setattr("companion.base.paths.ROOT", tmp_path)
    monkeypatch.setattr(torch, "set_num_threads", lambda threads: None)
    return run


@pytest.fixture
def crops(store, tmp_path):
    """The crops of the profile `standin`: those of `store`."""
    (tmp_path / "runs" / "standin").mkdir(parents=True)
    (tmp_path / "runs" / "standin" / "crops").symlink_to(store.directory)


@pytest.mark.parametrize(
    "words, message",
    [
        ("standin nosuch 42 --grid table_2", "model 'nosuch': the grid table_2 has "),
        ("standin classifier 42", "model 'classifier': the profile has baseline, "),
        ("standin hog 42 --grid nosuch", "nosuch.yaml: no such file; there are "),
        ("nosuch hog 42 --grid table_2", "nosuch.yaml: no such file; there are "),
        ("standin baseline -1", "seed -1: a whole number of 0 or more, below 2^63"),
        (f"standin baseline {2**63}", f"seed {2**63}: a whole number of 0 or more"),
        ("standin baseline 42 --processes 0", "--processes 0: a whole number of 1 "),
        ("standin baseline 42 --processes -2", "--processes -2: a whole number of 1 "),
    ],
)
def test_a_wrong_name_is_a_line(command, tmp_path, words, message):
    with pytest.raises(SystemExit) as ended:
        command(*words.split())
    assert message in ended.value.code and "\n" not in ended.value.code
    assert not list(tmp_path.iterdir())


def test_a_run_that_fails_says_so_in_its_log(command, crops, tmp_path):
    """The store's one person is too few for cross-validation."""
    with pytest.raises(SystemExit) as ended:
        command("standin", "hog", "42", "--grid", "table_2")
    message = "1 people: the cross-validation needs at least 5"
    assert ended.value.code == f"hog_42: {message}"
    log = tmp_path / "runs" / "standin" / "training" / "hog_42" / "log.txt"
    assert log.read_text().endswith(f"  failed: {message}\n")


@pytest.mark.parametrize("is_there", [True, False])
def test_a_second_caller_writes_nothing_into_the_log(
    command, store, tmp_path, is_there
):
    run = tmp_path / "runs" / "standin" / "training" / "proposed_42"
    if is_there:
        run.parents[1].mkdir(parents=True)
        (run.parents[1] / "crops").symlink_to(store.directory)
    with lock(run):
        run.mkdir()
        (run / "log.txt").write_text("epoch 1\n")
        reason = "another process works" if is_there else "no complete crop store"
        with pytest.raises(SystemExit, match=f"proposed_42: .*{reason}"):
            command("standin", "proposed", "42")
    assert [*run.iterdir()] == [run / "log.txt"]
    assert (run / "log.txt").read_text() == "epoch 1\n"


def test_without_crops_it_names_the_notebook_that_makes_them(command, tmp_path):
    with pytest.raises(SystemExit, match="no complete crop store; run notebook 01"):
        command("standin", "hog", "42", "--grid", "table_2")
    log = tmp_path / "runs" / "standin" / "training" / "hog_42" / "log.txt"
    assert "run notebook 01" in log.read_text()


@pytest.mark.parametrize("model", ["baseline", "classifier", "structured"])
def test_profile_and_grid_give_all_settings(
    command, crops, tmp_path, monkeypatch, model
):
    calls = []
    monkeypatch.setattr(training, "train", lambda *arguments: calls.append(arguments))
    command("standin", model, "43", "--grid", "table_2")
    ((store, directory, settings),) = calls
    assert store.crop_size == 32
    assert directory == tmp_path / "runs" / "standin" / "training" / f"{model}_43"
    profile = load_profile("standin")
    own = find_settings(profile, model, "table_2")
    own["weights"] = own["weights"] and ROOT / own["weights"]
    assert settings.seed == 43 and settings.width == profile["network_width"]
    assert {key: getattr(settings, key) for key in MODEL["properties"]} == own
    shared = {"epochs", "batch_size", "accumulation", "learning_rate_step"}
    for key in shared | {"momentum", "weight_decay"}:
        assert getattr(settings, key) == profile[key]


def test_several_processes_are_given_the_grid(command, monkeypatch):
    calls = []
    monkeypatch.setattr(training, "launch", lambda *a: calls.append(a))
    command("standin", "classifier", "7", "--grid", "table_2", "--processes", "2")
    assert calls == [("standin", "classifier", 7, 2, "table_2")]


@pytest.mark.parametrize("grid", [None, "table_2"])
def test_the_processes_are_started_by_accelerate(monkeypatch, grid):
    calls = []

    def run(command, **named):
        calls.append(command)
        return SimpleNamespace(returncode=len(calls) - 1)

    monkeypatch.setattr("subprocess.run", run)
    device.launch("standin", "proposed", 7, 4, grid)
    python, *words = calls[0]
    assert python == sys.executable and words[:2] == [
        "-m",
        "accelerate.commands.launch",
    ]
    assert words[words.index("--num_processes") + 1] == "4"
    place = words.index("companion.training")
    expected = ["standin", "proposed", "7"] + (["--grid", grid] if grid else [])
    assert words[place - 1] == "-m" and words[place + 1 :] == expected
    with pytest.raises(RuntimeError, match="the 4 processes failed: see log.txt"):
        device.launch("standin", "proposed", 7, 4, grid)
