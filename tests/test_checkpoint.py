"""Checkpoints that are damaged, foreign or gone; files that are whole or not there."""

import itertools
import json
import shutil
import subprocess
import sys

import pandas as pd
import pytest
import torch

from aulib import checkpoint
from aulib.checkpoint import begin, finish, read_newest, write_epoch
from aulib.files import only_one, whole

PARAMETERS = {"model": "proposed", "seed": 7, "learning_rate": 0.001, "weights": None}


def metrics_up_to(epoch: int) -> pd.DataFrame:
    means = [0.1, 0.7, 0.1 / 3, 0.4, 0.5, 0.6]  # the second is the best
    return pd.DataFrame({"epoch": range(1, epoch + 1), "mean": means[:epoch]})


def checkpoint_of(epoch: int, parameters: dict = PARAMETERS) -> dict:
    network = {"weight": torch.full((3,), float(epoch))}
    return {"network": network, "parameters": parameters}


def outputs_of(epoch: int) -> pd.DataFrame:
    return pd.DataFrame({"epoch": epoch, "subject": ["F002"], "task": ["T1"]})


@pytest.fixture
def run(tmp_path):
    """Five epochs, of which the second, the fourth and the fifth have a checkpoint."""
    for epoch in range(1, 6):
        write_epoch(
            tmp_path,
            epoch,
            checkpoint_of(epoch),
            metrics_up_to(epoch),
            outputs_of(epoch),
        )
    return tmp_path


def newest(run, parameters=PARAMETERS):
    """The epoch that is gone on from, and what was said."""
    said = []
    checkpoint = read_newest(run, parameters, said.append)
    metrics = pd.DataFrame(checkpoint["metrics"])
    assert checkpoint["network"]["weight"].unique().item() == len(metrics)
    pd.testing.assert_frame_equal(metrics, metrics_up_to(len(metrics)))
    names = sorted(path.name for path in (run / "epochs").iterdir())
    left = [name for name in names if name.isdecimal()]
    assert left == [f"{epoch:04d}" for epoch in range(1, len(metrics) + 1)]
    return len(metrics), said


def test_the_last_two_and_the_best_are_kept(run):
    kept = sorted(path.parent.name for path in run.glob("epochs/*/checkpoint.pt"))
    assert kept == ["0002", "0004", "0005"]
    assert len(list(run.glob("epochs/*/outputs.parquet"))) == 5
    assert newest(run) == (5, [])


def test_nothing_is_there(tmp_path):
    assert read_newest(tmp_path, PARAMETERS, print) is None


@pytest.mark.parametrize(
    "name, damage",
    [
        *itertools.product(
            ["checkpoint.pt", "outputs.parquet", "metrics.csv"],
            ["flip", "half", "empty"],
        ),
        ("outputs.parquet", "gone"),  # without a checkpoint it is one that was pruned
        ("metrics.csv", "gone"),
    ],
)
def test_a_damaged_epoch_is_named_and_the_one_before_it_used(run, name, damage):
    path = run / "epochs" / "0005" / name
    content = path.read_bytes()
    middle = len(content) // 2
    flipped = content[:middle] + bytes([content[middle] ^ 1]) + content[middle + 1 :]
    path.unlink()
    if damage != "gone":
        contents = {"flip": flipped, "half": content[:middle], "empty": b""}
        path.write_bytes(contents[damage])
    epoch, said = newest(run)
    assert epoch == 4
    assert len(said) == 1 and "0005" in said[0] and "damaged" in said[0]
    assert "\n" not in said[0]


def test_an_earlier_epochs_outputs_count_as_well(run):
    """Going on after the fifth would leave a hole where the third was."""
    (run / "epochs" / "0003" / "outputs.parquet").write_bytes(b"x")
    epoch, said = newest(run)
    assert epoch == 2 and len(said) == 2 and "0003" in said[0]
    aside = sorted(path.name for path in (run / "epochs").glob("*.before"))
    assert aside == ["0003.before", "0004.before", "0005.before"]  # none is lost


def test_the_best_epoch_counts_as_well(run):
    """Without its network the run could never be finished."""
    (run / "epochs" / "0002" / "checkpoint.pt").write_bytes(b"x")
    with pytest.raises(ValueError, match="0002.*damaged.*no other can be used"):
        read_newest(run, PARAMETERS, print)


def test_the_best_before_the_last_is_kept_while_the_last_is_the_best(tmp_path):
    """The last may turn out damaged; then the run ends with the one before it."""
    for epoch in range(1, 6):
        metrics = metrics_up_to(epoch)
        metrics.loc[metrics["epoch"] == 5, "mean"] = 0.9
        contents = checkpoint_of(epoch), metrics, outputs_of(epoch)
        write_epoch(tmp_path, epoch, *contents)
    kept = sorted(path.parent.name for path in tmp_path.glob("epochs/*/checkpoint.pt"))
    assert kept == ["0002", "0004", "0005"]
    (tmp_path / "epochs" / "0005" / "checkpoint.pt").write_bytes(b"x")
    assert newest(tmp_path)[0] == 4
    finish(tmp_path, PARAMETERS, metrics_up_to(4), {}, 1.0)
    best = torch.load(tmp_path / "best.pt", weights_only=True)
    assert best["weight"].unique().item() == 2


@pytest.mark.parametrize(
    "error",
    [
        OSError(5, "Input/output error"),
        torch.OutOfMemoryError("out of memory"),
        RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to"),
        MemoryError(),
    ],
)
def test_what_can_not_be_read_now_is_not_damaged(run, monkeypatch, error):
    def fail(*arguments, **named):
        raise error

    with monkeypatch.context() as patch:
        if isinstance(error, OSError):
            patch.setattr(checkpoint, "digest", fail)
        else:
            patch.setattr(torch, "load", fail)
        with pytest.raises(type(error)):
            read_newest(run, PARAMETERS, print)
    assert newest(run) == (5, [])


def test_the_sums_may_be_gone(run):
    (run / "epochs" / "0005" / "SHA256SUMS").unlink()
    assert newest(run)[0] == 4


def test_a_foreign_checkpoint_is_refused(run):
    shutil.rmtree(run / "epochs" / "0005")
    other = {**PARAMETERS, "learning_rate": 0.1}
    contents = checkpoint_of(5, other), metrics_up_to(5), outputs_of(5)
    write_epoch(run, 5, *contents)
    epoch, said = newest(run)
    assert epoch == 4
    assert "of another run, learning_rate 0.1 not 0.001" in said[0]


def test_something_else_under_the_checkpoints_name(run, tmp_path):
    import pickle

    for content in ([1, 2], {"network": {}}, print):
        folder = run / "epochs" / "0005"
        shutil.rmtree(folder, ignore_errors=True)
        contents = checkpoint_of(5), metrics_up_to(5), outputs_of(5)
        write_epoch(run, 5, *contents)
        (folder / "checkpoint.pt").write_bytes(pickle.dumps(content, protocol=2))
        _sign(folder)
        epoch, said = newest(run)
        assert epoch == 4 and "no checkpoint of a training run" in said[0]


def test_code_in_a_checkpoint_is_not_run(run, tmp_path):
    class Evil:
        def __reduce__(self):
            return (open, (str(tmp_path / "evil"), "w"))

    folder = run / "epochs" / "0005"
    torch.save({"parameters": Evil()}, folder / "checkpoint.pt")
    _sign(folder)
    assert newest(run)[0] == 4
    assert not (tmp_path / "evil").exists()


def _sign(folder) -> None:
    """Make the sums right, as the system's own tool does."""
    import subprocess

    names = ["outputs.parquet", "metrics.csv", "checkpoint.pt"]
    with open(folder / "SHA256SUMS", "w") as file:
        subprocess.run(["sha256sum", *names], cwd=folder, stdout=file, check=True)


def test_no_checkpoint_is_sound(run):
    for path in run.glob("epochs/*/checkpoint.pt"):
        path.write_bytes(b"x")
    with pytest.raises(ValueError, match="no other can be used: remove .*epochs"):
        read_newest(run, PARAMETERS, print)
    assert len(list((run / "epochs").iterdir())) == 5  # nothing has been removed


def test_other_parameters_begin_anew_and_put_aside_what_was_there(run):
    said = []
    assert begin(run, PARAMETERS, said.append).checkpoint is not None
    assert said == [f"{run}: goes on after epoch 5"]
    start = begin(run, {**PARAMETERS, "seed": 8}, said.append)
    aside = run.with_name(f"{run.name}.before")
    assert said[1:] == [
        f"{run}: begun anew, seed 7 not 8; what was there is now {aside.name}"
    ]
    assert start == (None, None) and not (run / "epochs").exists()
    aside.joinpath("parameters.json").unlink()  # what it was asked for, the epochs say
    assert newest(aside) == (5, [])


@pytest.fixture
def ended(run):
    finish(run, PARAMETERS, metrics_up_to(5), {"sources": checkpoint.sources()}, 1.5)
    return run


def test_a_finished_run_is_read(ended):
    best = torch.load(ended / "best.pt", weights_only=True)
    assert best["weight"].unique().item() == 2
    outputs = pd.read_parquet(ended / "outputs.parquet")
    assert outputs["epoch"].tolist() == [1, 2, 3, 4, 5]
    said = []
    start = begin(ended, PARAMETERS, said.append)
    pd.testing.assert_frame_equal(start.metrics, metrics_up_to(5))
    assert not said and checkpoint.finished(ended)
    record = json.loads((ended / "provenance.json").read_text())
    assert record["volatile"]["epoch_seconds"] == 1.5


@pytest.mark.parametrize("name", ["outputs.parquet", "metrics.csv", "best.pt"])
@pytest.mark.parametrize("damage", ["gone", "another"])
def test_a_finished_run_with_a_file_of_another_is_not_taken_for_one(
    ended, name, damage
):
    (ended / name).unlink()
    if damage == "another":
        (ended / name).write_bytes(b"x")
    said = []
    assert begin(ended, PARAMETERS, said.append) == (None, None)
    assert len(said) == 1 and name in said[0] and ".before" in said[0]


def test_parameters_of_a_finished_run_stand_in_its_provenance_too(ended):
    assert not (ended / "parameters.json").exists()
    assert begin(ended, PARAMETERS, print).metrics is not None
    said = []
    assert begin(ended, {**PARAMETERS, "seed": 8}, said.append).metrics is None
    assert "seed 7 not 8" in said[0]


def test_outputs_without_provenance_are_put_aside(ended):
    (ended / "provenance.json").unlink()
    said = []
    assert begin(ended, PARAMETERS, said.append) == (None, None)
    assert "outputs.parquet without a provenance.json" in said[0]
    assert ended.with_name(f"{ended.name}.before").joinpath("best.pt").is_file()


def test_a_run_of_other_sources_is_read_and_that_is_said(ended, monkeypatch):
    monkeypatch.setattr(checkpoint, "sources", lambda: "other")
    said = []
    assert begin(ended, PARAMETERS, said.append).metrics is not None
    assert len(said) == 1 and "by other sources than today's" in said[0]


def test_leftovers_of_a_finished_run_are_cleared(run):
    kept = shutil.copytree(run / "epochs", run / "kept")
    facts = {"sources": checkpoint.sources()}
    finish(run, PARAMETERS, metrics_up_to(5), facts, 1.0)
    kept.rename(run / "epochs")  # as if a kill had come before it was removed
    assert begin(run, PARAMETERS, print).metrics is not None
    assert not (run / "epochs").exists()


def test_one_run_is_trained_by_one_process_at_a_time(tmp_path):
    held = "import sys; from aulib.files import only_one; from pathlib import Path\n"
    held += "with only_one(Path(sys.argv[1])):\n print('held', flush=True); input()"
    command = [sys.executable, "-c", held, str(tmp_path / "run")]
    pipes = dict(stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    with subprocess.Popen(command, **pipes) as other:
        assert other.stdout.readline() == "held\n"
        with pytest.raises(ValueError, match="run: another process trains it"):
            with only_one(tmp_path / "run"):
                pass
        other.kill()  # the lock goes with it
        other.wait()
        with only_one(tmp_path / "run"):
            pass


def test_a_file_is_whole_or_as_it_was(tmp_path):
    path = tmp_path / "file"
    with whole(path) as file:
        file.write(b"first")
    with pytest.raises(ZeroDivisionError), whole(path) as file:
        file.write(b"second")
        raise ZeroDivisionError
    assert path.read_bytes() == b"first"
    assert list(tmp_path.iterdir()) == [path]
