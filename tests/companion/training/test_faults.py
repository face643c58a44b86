"""A training run is killed, or can't write, anywhere; it goes on to the same bytes."""

import hashlib
import random
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
from faults import OPTIONS, RESULTS, attempt

from companion.base.paths import ROOT, run_directory
from companion.base.profiles import load_profile, training_settings

EPOCHS = OPTIONS["epochs"]
AFTER_TWO = "checkpoint_0003.pt.partial"


def digests(run: Path) -> dict[str, str]:
    return {
        name: hashlib.sha256((run / name).read_bytes()).hexdigest() for name in RESULTS
    }


def check_consistent(run: Path) -> int:
    """Network, metrics and outputs of an epoch are there together; the newest epoch."""
    if (run / "provenance.json").exists():
        assert all((run / name).exists() for name in RESULTS)
        return EPOCHS
    checkpoints = sorted(run.glob("checkpoint_????.pt"))
    for path in checkpoints:
        state = torch.load(path, weights_only=True)
        epoch = int(path.stem[-4:])
        assert [row["epoch"] for row in state["metrics"]] == [*range(1, epoch + 1)]
        assert len(state["values"]) == epoch
        means = [row["mean"] for row in state["metrics"]]
        same = [torch.equal(state["best"][k], v) for k, v in state["network"].items()]
        assert all(same) == (
            max(means) == means[-1] and means.index(max(means)) == epoch - 1
        )
    epochs = [int(path.stem[-4:]) for path in checkpoints]
    # a kill may come before older ones are removed
    assert epochs[-2:] == [*range(1, max(epochs, default=0) + 1)][-2:]
    return max(epochs, default=0)


@pytest.fixture(scope="module")
def crops(store) -> Path:
    return store.directory


@pytest.fixture(scope="module")
def undisturbed(crops, tmp_path_factory):
    run = tmp_path_factory.mktemp("undisturbed")
    boundaries = attempt(crops, run)
    assert isinstance(boundaries, int) and boundaries > 3 * EPOCHS
    return digests(run), boundaries


@pytest.mark.parametrize("action", ["kill", "torn"])
def test_killed_again_and_again(undisturbed, crops, tmp_path, action):
    """One run dies again and again, always a little later, until it is through."""
    deaths, done, at = 0, 0, 1
    while (answer := attempt(crops, tmp_path, at, action)) is None:
        now = check_consistent(tmp_path)
        assert now >= done, "a finished epoch was lost"
        # further into the epoch when none was finished, else from its start again
        at, done, deaths = (at + 1 if now == done else 1 + deaths % 3), now, deaths + 1
    assert isinstance(answer, int) and deaths > 3 * EPOCHS
    assert digests(tmp_path) == undisturbed[0]


@pytest.mark.parametrize("action", ["full", "forbidden"])
def test_a_write_that_fails_is_named_and_gone_on_from(
    undisturbed, crops, tmp_path, action
):
    expected, boundaries = undisturbed
    for at in range(2, boundaries, 5):
        run = tmp_path / str(at)
        answer = attempt(crops, run, at, action)
        if isinstance(answer, int):  # what it was about to remove could stay
            answer = attempt(crops, run)
            assert isinstance(answer, int)
        else:
            assert re.search("No space left|Permission denied", answer), answer
            assert "\n" not in answer
            check_consistent(run)
            assert isinstance(attempt(crops, run), int)
        assert digests(run) == expected


def test_a_write_that_the_system_cuts_short(crops, tmp_path, undisturbed):
    """A limit on a file's size fails in the middle of a write, as a full disk does."""
    assert attempt(crops, tmp_path, at=AFTER_TWO) is None
    done = check_consistent(tmp_path)
    assert done == 2
    answer = attempt(crops, tmp_path, largest_file=10_000)
    assert f"epoch {done + 1} could not be written" in answer
    assert f"checkpoint_{done + 1:04d}.pt" in answer and "GB free" in answer
    assert check_consistent(tmp_path) == done
    assert isinstance(attempt(crops, tmp_path), int)
    assert digests(tmp_path) == undisturbed[0]


@pytest.fixture
def small_disk(tmp_path):
    folder = tmp_path / "disk"
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=300k", "tmpfs", str(folder)]
    try:
        subprocess.run(command, check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError) as error:
        pytest.skip(f"no small disk can be mounted here: {error}")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


def test_a_full_disk(crops, small_disk, undisturbed):
    run = small_disk / "run"
    answer = attempt(crops, run, at=AFTER_TWO)
    assert answer is None
    done = check_consistent(run)
    for partial in run.glob("*.partial"):
        partial.unlink()
    ballast = small_disk / "ballast"
    ballast.write_bytes(bytes(shutil.disk_usage(small_disk).free - 8192))
    answer = attempt(crops, run)
    assert f"epoch {done + 1} could not be written" in answer
    assert "No space left" in answer
    assert check_consistent(run) == done
    ballast.unlink()
    assert isinstance(attempt(crops, run), int)
    assert digests(run) == undisturbed[0]


def test_killed_at_random_moments(crops, tmp_path, undisturbed):
    assert die_at_random(crops, tmp_path, 5, most=0.25) == 5
    assert digests(tmp_path) == undisturbed[0]


def die_at_random(crops: Path, run: Path, least: int, most: float, **options) -> int:
    """Kill a run at random moments until it is through; `least` times at the least.

    Args:
        most: seconds after which it is killed at the latest.

    Returns:
        How many kills it took; a run that ended too early is begun anew.
    """
    chance, deaths = random.Random(least), 0
    while deaths < least:
        answer = attempt(crops, run, after=chance.uniform(0.05, most), **options)
        check_consistent(run)
        if answer is None:
            deaths += 1
        else:
            assert isinstance(answer, int), answer
            shutil.rmtree(run)
    assert isinstance(attempt(crops, run, **options), int)
    return deaths


def test_killed_while_two_runs_change_places(crops, tmp_path, undisturbed):
    """The finished one always comes back, and the other one goes on."""
    run, done = tmp_path / "run", 0
    assert isinstance(attempt(crops, run), int)
    for at in range(1, 20, 3):
        assert attempt(crops, run, at, learning_rate=0.03) is None
        assert isinstance(attempt(crops, run), int)
        assert digests(run) == undisturbed[0]
        asides = tmp_path.glob("run.before-*")
        done, before = max(map(check_consistent, asides), default=0), done
        assert done >= before
    assert isinstance(attempt(crops, run, learning_rate=0.03), int)
    (aside,) = (path.parent for path in tmp_path.glob("run.before-*/best.pt"))
    assert digests(aside) == undisturbed[0]


@pytest.mark.stress
@pytest.mark.parametrize("action", ["kill", "torn", "full", "forbidden"])
def test_stopped_at_every_write(crops, tmp_path, undisturbed, action):
    expected, boundaries = undisturbed
    stopped = 0
    for at in range(1, boundaries + 1):
        run = tmp_path / str(at)
        stopped += not isinstance(attempt(crops, run, at, action), int)
        check_consistent(run)
        assert isinstance(attempt(crops, run), int)
        assert digests(run) == expected, at
    assert stopped >= 0.8 * boundaries


@pytest.mark.stress
@pytest.mark.xdist_group("tiny")  # who makes and reads runs/tiny
def test_the_tiny_profile_killed_at_random_moments(tmp_path):
    """VGG16, ten seconds a run, checkpoints of 240 MB."""
    for command in (
        ["companion.standin", "tiny"],
        [
            "companion.workflow.execute",
            "notebooks/01_data_cleaning.ipynb",
            str(tmp_path / "01.ipynb"),
        ],
    ):
        arguments = ["-p", "profile", "tiny"] if "execute" in command[0] else []
        command = [sys.executable, "-m", *command, *arguments]
        subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
    crops = run_directory("tiny") / "crops"
    profile = load_profile("tiny")
    options = training_settings(profile, profile["models"]["proposed"])
    options |= {"seed": 42, "small": False}
    started = time.monotonic()
    assert isinstance(attempt(crops, tmp_path / "undisturbed", **options), int)
    seconds = time.monotonic() - started
    run = tmp_path / "killed"
    assert die_at_random(crops, run, 20, most=seconds / 2, **options) == 20
    assert digests(run) == digests(tmp_path / "undisturbed")
