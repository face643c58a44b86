"""Checkpoints that are damaged, foreign or missing; runs that begin and finish."""

import ast
import json
import pickle
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from companion.training import checkpoint
from companion.training.checkpoint import (
    begin,
    epochs_done,
    finish,
    finished,
    read_checkpoint,
    sources_digest,
    write_checkpoint,
)

PARAMETERS = {"model": "proposed", "seed": 7, "learning_rate": 0.001, "weights": None}


def state_at(epoch: int, parameters: dict = PARAMETERS) -> dict:
    return {
        "parameters": parameters,
        "metrics": [{"epoch": n, "mean": n / 3} for n in range(1, epoch + 1)],
        "network": {"weight": torch.full((50,), float(epoch))},
    }


@pytest.fixture
def run(tmp_path) -> Path:
    """A run of five epochs."""
    directory = tmp_path / "run"
    directory.mkdir()
    for epoch in range(1, 6):
        write_checkpoint(directory, state_at(epoch))
    return directory


def newest(run: Path, parameters: dict = PARAMETERS) -> tuple[int, list[str]]:
    """The epoch that a run resumes from, and what was logged."""
    logged = []
    state = read_checkpoint(run, parameters, logged.append)
    epoch = len(state["metrics"])
    assert state["metrics"] == state_at(epoch)["metrics"]
    assert state["network"]["weight"].unique().item() == epoch
    return epoch, logged


def flip(path: Path, position: int) -> None:
    content = bytearray(path.read_bytes())
    content[position] ^= 1
    path.write_bytes(content)


def test_the_last_two_checkpoints_are_kept(run):
    assert sorted(path.name for path in run.iterdir()) == [
        "checkpoint_0004.pt",
        "checkpoint_0005.pt",
    ]
    assert newest(run) == (5, [])


def test_no_checkpoint_yet(tmp_path):
    assert read_checkpoint(tmp_path, PARAMETERS, print) is None


@pytest.mark.parametrize("damage", ["flip", "half", "empty", "text"])
def test_a_damaged_checkpoint_is_named_and_the_one_before_it_used(run, damage):
    path = run / "checkpoint_0005.pt"
    content = path.read_bytes()
    if damage == "flip":
        flip(path, content.index(np.full(50, 5, np.float32).tobytes()))
    else:
        half = content[: len(content) // 2]
        path.write_bytes({"half": half, "empty": b"", "text": b"no zip"}[damage])
    epoch, logged = newest(run)
    assert epoch == 4 and len(logged) == 1
    assert "checkpoint_0005.pt: damaged" in logged[0] and "\n" not in logged[0]
    write_checkpoint(run, state_at(5))  # the run goes on
    assert newest(run) == (5, [])


@given(st.integers(min_value=0))
def test_one_wrong_bit_is_noticed_or_harmless(tmp_path_factory, position):
    run = tmp_path_factory.mktemp("run")
    write_checkpoint(run, state_at(4))
    write_checkpoint(run, state_at(5))
    path = run / "checkpoint_0005.pt"
    flip(path, position % path.stat().st_size)
    epoch, logged = newest(run)  # which looks at every number
    assert epoch == 5 - len(logged)


@pytest.mark.parametrize(
    "error",
    [
        OSError(5, "Input/output error"),
        torch.OutOfMemoryError("out of memory"),
        RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to"),
        MemoryError(),
    ],
)
def test_a_checkpoint_that_can_not_be_read_now_is_not_damaged(run, monkeypatch, error):
    def fail(*arguments, **named):
        raise error

    with monkeypatch.context() as patch:
        patch.setattr(torch, "load", fail)
        with pytest.raises(type(error)):
            read_checkpoint(run, PARAMETERS, print)
    assert newest(run) == (5, [])


def test_a_foreign_checkpoint_is_refused(run):
    write_checkpoint(run, state_at(6, {**PARAMETERS, "learning_rate": 0.1}))
    epoch, logged = newest(run)
    assert epoch == 5
    assert "of another run, learning_rate 0.1 not 0.001" in logged[0]


@pytest.mark.parametrize("content", [[1, 2], {"network": {}}, print])
def test_another_file_under_the_checkpoints_name(run, content):
    path = run / "checkpoint_0005.pt"
    if content is print:
        path.write_bytes(pickle.dumps(content))
    else:
        torch.save(content, path)
    epoch, logged = newest(run)
    assert epoch == 4 and "no checkpoint" in logged[0]


def test_code_in_a_checkpoint_is_not_run(run, tmp_path):
    class Evil:
        def __reduce__(self):
            return (open, (str(tmp_path / "evil"), "w"))

    torch.save({"parameters": Evil()}, run / "checkpoint_0005.pt")
    assert newest(run)[0] == 4
    assert not (tmp_path / "evil").exists()


def test_no_checkpoint_is_sound(run):
    for path in run.iterdir():
        path.write_bytes(b"x")
    with pytest.raises(ValueError, match="no other checkpoint is left: remove .*run"):
        read_checkpoint(run, PARAMETERS, print)
    assert len(list(run.iterdir())) == 2  # nothing has been removed


def test_other_files_are_no_checkpoints(run):
    for name in ("checkpoint_0009.pt.partial", "checkpoint_x.pt", "checkpoint_1.pt"):
        (run / name).write_bytes(b"x")
    assert newest(run) == (5, [])


def test_a_checkpoint_that_can_not_be_written_names_the_epoch(run, monkeypatch):
    def full(state, file):
        file.write(b"some")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(torch, "save", full)
    answer = r"checkpoint_0006.pt: epoch 6 could not be written \(No space left .*GB"
    with pytest.raises(OSError, match=answer):
        write_checkpoint(run, state_at(6))
    monkeypatch.undo()
    assert newest(run) == (5, []) and len(list(run.iterdir())) == 2


def test_other_parameters_start_over_and_keep_the_old_run(run):
    logged = []
    assert begin(run, PARAMETERS, logged.append)[1] is not None
    assert logged == [f"{run}: resumes after epoch 5"]
    start = begin(run, {**PARAMETERS, "seed": 8}, logged.append)
    aside = run.with_name("run.before-1")
    assert logged[1:] == [
        f"{run}: other settings are asked for (seed 7 not 8); the run that was here is "
        "now run.before-1"
    ]
    assert start == (None, None)
    assert [path.name for path in run.iterdir()] == ["parameters.json"]
    assert newest(aside) == (5, [])


@pytest.fixture
def ended(run) -> Path:
    outputs = pd.DataFrame({"epoch": range(1, 6), "subject": "F002", "task": "T1"})
    state = state_at(5) | {"best": {"weight": torch.full((3,), 2.0)}}
    state |= {"ran_on": [{"sources": sources_digest()}], "seconds": [9, 1, 2, 1]}
    metrics = finish(run, state, outputs, {"commit": "abc"})
    pd.testing.assert_frame_equal(metrics, pd.DataFrame(state_at(5)["metrics"]))
    return run


def test_a_finished_run_is_read(ended):
    assert sorted(path.name for path in ended.iterdir()) == [
        "best.pt",
        "metrics.csv",
        "outputs.parquet",
        "provenance.json",
    ]
    best = torch.load(ended / "best.pt", weights_only=True)
    assert best["weight"].unique().item() == 2
    outputs = pd.read_parquet(ended / "outputs.parquet")
    assert outputs["epoch"].tolist() == [1, 2, 3, 4, 5]
    logged = []
    metrics, _ = begin(ended, PARAMETERS, logged.append)
    pd.testing.assert_frame_equal(
        metrics, pd.DataFrame(state_at(5)["metrics"]), rtol=1e-15
    )
    assert not logged and finished(ended)
    record = json.loads((ended / "provenance.json").read_text())
    assert record["volatile"]["epoch_seconds"] == 1.5
    assert record["volatile"]["commit"] == "abc"
    assert record["network_parameters"] == 3
    assert record["ran_on"] == [{"sources": sources_digest()}]


@pytest.mark.parametrize("name", ["outputs.parquet", "metrics.csv", "best.pt"])
@pytest.mark.parametrize("damage", ["missing", "another"])
def test_a_finished_run_with_a_wrong_file_starts_over(ended, name, damage):
    (ended / name).unlink()
    if damage == "another":
        (ended / name).write_bytes(b"x")
    logged = []
    assert begin(ended, PARAMETERS, logged.append) == (None, None)
    assert len(logged) == 1 and name in logged[0] and "run.damaged-1" in logged[0]


def test_parameters_of_a_finished_run_are_in_its_provenance_too(ended):
    assert not (ended / "parameters.json").exists()
    assert begin(ended, PARAMETERS, print)[0] is not None
    logged = []
    assert begin(ended, {**PARAMETERS, "seed": 8}, logged.append)[0] is None
    assert "seed 7 not 8" in logged[0]


def test_outputs_without_provenance_are_moved_aside(ended):
    (ended / "provenance.json").unlink()
    logged = []
    assert begin(ended, PARAMETERS, logged.append) == (None, None)
    assert "outputs.parquet has no provenance.json" in logged[0]
    assert ended.with_name("run.damaged-1").joinpath("best.pt").is_file()


OTHER = {**PARAMETERS, "learning_rate": 0.002}


def contents(*directories: Path) -> dict[str, bytes]:
    """What is in the files of the directories, logs and parameters left out."""
    paths = [path for directory in directories for path in directory.iterdir()]
    return {
        path.name: path.read_bytes() for path in paths if path.suffix in (".pt", ".csv")
    }


def test_a_finished_run_comes_back_when_its_parameters_do(ended):
    kept, logged = contents(ended), []
    for number in range(3):
        assert begin(ended, OTHER, logged.append)[0] is None
        write_checkpoint(ended, state_at(number + 1, OTHER))
        metrics, _ = begin(ended, PARAMETERS, logged.append)
        assert len(metrics) == 5 and contents(ended) == kept
    # the run that began with the other parameters has resumed each time
    assert [line for line in logged if "resumes" in line] == [
        f"{ended}: resumes after epoch {epoch}" for epoch in (1, 2)
    ]
    assert f"{ended}: the run that was run.before-1 is back" in logged
    assert sorted(p.name for p in ended.parent.iterdir()) == ["run", "run.before-2"]


def test_runs_of_many_parameters_stand_side_by_side(ended):
    kept = contents(ended)
    for seed in (8, 9, 10):
        begin(ended, {**PARAMETERS, "seed": seed}, print)
        write_checkpoint(ended, state_at(seed, {**PARAMETERS, "seed": seed}))
    for seed in (9, 10, 8):
        _, state = begin(ended, {**PARAMETERS, "seed": seed}, print)
        assert len(state["metrics"]) == seed
    assert begin(ended, PARAMETERS, print)[0] is not None and contents(ended) == kept
    assert len(list(ended.parent.iterdir())) == 4


def test_calls_that_end_before_an_epoch_leave_nothing_aside(ended):
    kept = contents(ended)
    for seed in (8, 9, 8):
        assert begin(ended, {**PARAMETERS, "seed": seed}, print) == (None, None)
        (ended / "log.txt").write_text(f"seed {seed} is refused\n")
    assert begin(ended, PARAMETERS, print)[0] is not None and contents(ended) == kept
    assert [path.name for path in ended.parent.iterdir()] == ["run"]
    assert "seed 8 is refused\n" in (ended / "log.txt").read_text()


@pytest.mark.parametrize("left", ["nothing", "a kill"])
def test_epochs_done_are_those_that_begin_finds(ended, left):
    """In the directory and in runs put aside; damaged ones have none."""
    ours, other = PARAMETERS, OTHER | {"epochs": 9}

    def done() -> list[int]:
        before = sorted(ended.parent.rglob("*"))
        numbers = [epochs_done(ended, p | {"epochs": 9}) for p in (ours, OTHER)]
        assert sorted(ended.parent.rglob("*")) == before
        return numbers

    record = json.loads((ended / "provenance.json").read_text())
    record["parameters"] = ours = ours | {"epochs": 9}
    (ended / "provenance.json").write_text(json.dumps(record))
    assert done() == [9, 0]
    begin(ended, other, print)
    assert done() == [9, 0]
    if left == "a kill":  # in the first epoch
        (ended / "events").mkdir()
        (ended / "checkpoint_0001.pt.partial").touch()
        begin(ended, ours, print)
        assert [path.name for path in ended.parent.iterdir()] == ["run"]
        begin(ended, other, print)
    for epoch in (3, 4):
        write_checkpoint(ended, state_at(epoch, other))
    assert done() == [9, 4] and len(begin(ended, other, print)[1]["metrics"]) == 4
    assert begin(ended, ours, print)[0] is not None
    assert done() == [9, 4]
    flip(ended / "best.pt", 0)
    assert done() == [0, 4]
    assert begin(ended, ours, print) == (None, None)
    assert done() == [0, 4]


def test_no_run_is_taken_for_another_whose_name_begins_like_it(ended):
    other = ended.with_name("run.before-1_7")
    ended.rename(other)
    assert begin(ended, PARAMETERS, print) == (None, None)
    assert finished(other)


@pytest.mark.parametrize("left", ["nothing", "a log", "no directory"])
def test_a_run_put_aside_by_a_call_that_was_killed_comes_back(ended, left):
    kept = contents(ended)
    begin(ended, OTHER, print)
    shutil.rmtree(ended)
    if left != "no directory":
        ended.mkdir()
    if left == "a log":
        (ended / "log.txt").write_text("failed: no crops\n")
    assert len(begin(ended, PARAMETERS, print)[0]) == 5 and contents(ended) == kept
    assert [path.name for path in ended.parent.iterdir()] == ["run"]
    if left == "a log":
        assert (ended / "log.txt").read_text().endswith("failed: no crops\n")


def test_a_run_that_was_damaged_while_aside_is_kept_apart(ended):
    begin(ended, OTHER, print)
    write_checkpoint(ended, state_at(1, OTHER))
    (ended.with_name("run.before-1") / "best.pt").write_bytes(b"x")
    for _ in range(2):
        logged = []
        assert begin(ended, PARAMETERS, logged.append) == (None, None)
        (ended / "outputs.parquet").write_bytes(b"left by a kill")  # damaged as well
    names = sorted(path.name for path in ended.parent.iterdir())
    assert names == ["run", "run.before-2", "run.damaged-1", "run.damaged-2"]
    assert (ended.with_name("run.damaged-1") / "best.pt").read_bytes() == b"x"


def test_a_run_put_aside_by_an_older_version_comes_back(ended):
    ended.rename(ended.with_name("run.before"))
    assert len(begin(ended, PARAMETERS, print)[0]) == 5


def test_a_run_trained_by_other_sources_is_used_and_that_is_logged(ended, monkeypatch):
    monkeypatch.setattr(checkpoint, "sources_digest", lambda: "other")
    logged = []
    assert begin(ended, PARAMETERS, logged.append)[0] is not None
    assert len(logged) == 1 and "other versions of the sources" in logged[0]


def test_a_finished_run_of_several_sources_says_so(ended):
    path = ended / "provenance.json"
    record = json.loads(path.read_text())
    record["ran_on"].insert(0, {"sources": "other"})
    path.write_text(json.dumps(record))
    logged = []
    assert begin(ended, PARAMETERS, logged.append)[0] is not None
    assert "other versions of the sources" in logged[0]


@pytest.mark.parametrize("sources", [None, "0123456789abcdef"])
@pytest.mark.parametrize("ran_on", [{}, {"ran_on": [{"device": "cpu"}]}])
def test_a_record_with_one_digest_for_all_parts_is_read(ended, sources, ran_on):
    """As in `data/recorded`; some have no parts."""
    path = ended / "provenance.json"
    record = json.loads(path.read_text())
    del record["ran_on"]
    record |= ran_on | {"sources": sources or sources_digest()}
    path.write_text(json.dumps(record))
    logged = []
    assert begin(ended, PARAMETERS, logged.append)[0] is not None
    assert len(logged) == (sources is not None)


def test_the_sources_are_all_modules_that_a_training_imports():
    """All but those below, which numbers reach through the parameters or the crops."""
    names, seen = ["companion.training.run"], set()
    while names:
        name = names.pop()
        path = checkpoint.ROOT / name.replace(".", "/")
        path = path / "__init__.py" if path.is_dir() else path.with_suffix(".py")
        if name in seen or not path.is_file():
            continue
        seen.add(name)
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ImportFrom):
                names.append(node.module)
                names += [f"{node.module}.{alias.name}" for alias in node.names]
    assert "aulib.loss" in seen and "companion.crops.squares" in seen
    rooms = tuple(source.replace("/", ".") for source in checkpoint.SOURCES)
    others = {name.split(".")[1] for name in seen if not name.startswith(rooms)}
    assert others == {"base", "bp4d", "faces"}


def test_the_digest_of_the_sources_sees_every_module(monkeypatch, tmp_path):
    for name in checkpoint.SOURCES:
        source, target = checkpoint.ROOT / name, tmp_path / name
        target.parent.mkdir(parents=True, exist_ok=True)
        (shutil.copytree if source.is_dir() else shutil.copy)(source, target)
    expected = checkpoint.sources_digest()
    monkeypatch.setattr(checkpoint, "ROOT", tmp_path)
    assert checkpoint.sources_digest() == expected
    for name in ("aulib/loss.py", "companion/methods/samplers.py"):
        with open(tmp_path / name, "a") as file:
            file.write("# changed\n")
        assert checkpoint.sources_digest() != expected
        expected = checkpoint.sources_digest()


def test_checkpoints_of_a_run_killed_at_its_very_end_are_removed(run, ended):
    write_checkpoint(ended, state_at(5))
    assert begin(ended, PARAMETERS, print)[0] is not None
    assert not list(ended.glob("checkpoint_*"))
