"""How long a run takes on a processor, and who is asked before it."""

from dataclasses import replace
from types import SimpleNamespace

import faults
import pytest
import torch
from torch import nn

from aulib.model import build_model
from companion.base.profiles import load_profile
from companion.training import duration
from companion.training.duration import check_duration, hours_on_processor
from companion.training.loop import Settings
from companion.training.run import train

CPU = SimpleNamespace(device=torch.device("cpu"), num_processes=1)
GPU = SimpleNamespace(device=torch.device("cuda"), num_processes=1)


@pytest.fixture(autouse=True)
def nothing_allowed(monkeypatch):
    monkeypatch.delenv("AULIB_ALLOW_CPU", raising=False)


@pytest.mark.parametrize("width, size", [(1.0, 224), (0.125, 80), (0.5, 112)])
def test_the_multiplications_are_those_of_the_network(width, size):
    """Counted layer by layer, on shapes without numbers."""
    counted = []

    def count(layer, _, output):
        each = layer.weight[0].numel()  # multiplications of one output
        counted.append(each * output[0].numel())

    with torch.device("meta"):
        network = build_model("baseline", width=width)
        for layer in network.modules():
            if isinstance(layer, nn.Conv2d | nn.Linear):
                layer.register_forward_hook(count)
        network(torch.zeros(1, 3, size, size))
    seconds = hours_on_processor(2, 10, 4, size, width, threads=3) * 3600
    expected = 2 * (3 * 10 + 4) * sum(counted) / (duration.RATE * 3)
    assert seconds == pytest.approx(expected, rel=0.1)


def test_a_month_is_asked_about_and_hours_are_not(store, monkeypatch):
    settings = Settings(**{**faults.OPTIONS, "width": 1.0})
    check_duration(CPU, settings, store, 100, 32)
    check_duration(GPU, settings, store, 100, 10**7)
    with pytest.raises(ValueError) as told:
        check_duration(CPU, settings, store, 100, 10**7)
    message = str(told.value)
    assert "no GPU" in message and "\n" not in message
    assert "100 epochs would take about " in message and " days on " in message
    assert "AULIB_ALLOW_CPU=1" in message and "estimated from" in message
    for value in ("", "0", "1"):
        monkeypatch.setenv("AULIB_ALLOW_CPU", value)
        if value != "1":
            with pytest.raises(ValueError, match="AULIB_ALLOW_CPU=1"):
                check_duration(CPU, settings, store, 100, 10**7)
    check_duration(CPU, settings, store, 100, 10**7)  # as the message says


@pytest.mark.parametrize(
    "name, frames", [("standin", 3 * 2016), ("tiny", 3 * 336), ("bp4d", 75_331)]
)
def test_only_the_papers_scale_is_asked_about(name, frames):
    """Three times the training frames are what the method `structured` draws."""
    profile = load_profile(name)
    hours = hours_on_processor(
        profile["epochs"],
        frames,
        frames,
        profile["crop_size"],
        profile["network_width"],
        profile["threads"],
    )
    assert hours > 500 if name == "bp4d" else hours < 1


@pytest.mark.parametrize(
    "hours, words",
    [(30, "about 30 hours"), (47, "about 47 hours"), (960, "about 40 days")],
)
def test_a_duration_in_words(hours, words):
    assert duration.in_words(hours) == words


def test_a_run_of_days_ends_before_its_first_epoch(store, tmp_path, monkeypatch):
    """Not where a finished run is read, and not if it is allowed."""
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    monkeypatch.setattr("companion.methods.objective.build_model", faults.small_network)
    settings = Settings(**{**faults.OPTIONS, "epochs": 1})
    monkeypatch.setattr(duration, "PATIENCE", 0.0)
    with pytest.raises(ValueError, match="AULIB_ALLOW_CPU=1"):
        train(store, tmp_path / "run", settings)
    assert not (tmp_path / "run").exists()
    monkeypatch.setenv("AULIB_ALLOW_CPU", "1")
    trained = train(store, tmp_path / "run", settings)
    monkeypatch.delenv("AULIB_ALLOW_CPU")
    assert len(train(store, tmp_path / "run", settings)) == len(trained) == 1


def test_a_refused_run_leaves_everything_as_it_was(store, tmp_path, monkeypatch):
    """A run of one epoch, then settings that would take days, back and forth."""
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    monkeypatch.setattr("companion.methods.objective.build_model", faults.small_network)
    settings = Settings(**{**faults.OPTIONS, "epochs": 1})
    run = tmp_path / "run"

    def files() -> dict:
        paths = [path for path in tmp_path.rglob("*") if path.name != "run.lock"]
        return {path: path.is_file() and path.read_bytes() for path in paths}

    train(store, run, settings)
    before = files()
    monkeypatch.setattr(duration, "PATIENCE", 0.0)
    for rate in (0.1, 0.2, 0.1):
        with pytest.raises(ValueError, match="1 epochs would take .*AULIB_ALLOW_CPU=1"):
            train(store, run, replace(settings, learning_rate=rate))
        assert files() == before
        assert len(train(store, run, settings)) == 1  # a finished one needs no GPU
        assert files() == before


def test_only_the_epochs_that_are_left_count(store, tmp_path, monkeypatch):
    """Also those of a run that has been put aside."""
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    monkeypatch.setattr("companion.methods.objective.build_model", faults.small_network)
    settings, run = Settings(**{**faults.OPTIONS, "epochs": 3}), tmp_path / "run"

    def stop(metrics):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train(store, run, settings, after_epoch=stop)
    with monkeypatch.context() as patch:
        patch.setattr(duration, "PATIENCE", 0.0)
        for rate, left in ((settings.learning_rate, 2), (0.5, 3)):
            with pytest.raises(ValueError, match=f" {left} epochs would take"):
                train(store, run, replace(settings, learning_rate=rate))
    train(store, run, replace(settings, learning_rate=0.5))
    monkeypatch.setattr(duration, "PATIENCE", 0.0)
    with pytest.raises(ValueError, match=" 2 epochs would take"):
        train(store, run, settings)
    assert len(train(store, run, replace(settings, learning_rate=0.5))) == 3
